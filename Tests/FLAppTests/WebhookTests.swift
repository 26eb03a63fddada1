import FLHTTP
import FLValues
import Testing

@testable import FLApp

/// Endpoints, by the API.
@Suite struct WebhookTests {
  private static let shared = Result { try House() }
  let house: House

  init() throws { house = try Self.shared.get() }

  @Test(arguments: ["/api/webhooks", "/api/payment/webhooks"])
  func anEndpointIsMadeReadChangedAndDeleted(base: String) throws {
    let anna = try house.account()
    let made = anna.post(
      base,
      [
        "url": "https://hooks.example.org/a?b=c", "events": ["link.clicked", "contact.created"],
        "description": "x",
      ])
    #expect(try made.status == 201 && made.location == made.path(base))
    #expect(made["events"] == ["contact.created", "link.clicked"] && made["isEnabled"] == true)
    #expect(made["disabledReason"] == JSON.null && made["failingSince"] == JSON.null)
    let secret = try made.string("secret")
    #expect(secret.hasPrefix("whsec_") && secret.utf8.count == 50)
    let path = try made.path(base)
    let read = anna.get(path)
    #expect(read.status == 200 && read["secret"] == nil && read["url"] == made["url"])
    #expect(anna.get(base).items.count == 1 && !anna.get(base).text.contains("whsec"))
    let changed = anna.patch(path, ["events": ["*"], "description": nil, "isEnabled": false])
    #expect(
      changed["events"] == ["*"] && changed["description"] == JSON.null && changed["isEnabled"] == false)
    #expect(anna.patch(path, ["isEnabled": true], [.ifMatch: made.headers[.eTag] ?? ""]).status == 412)
    let rotated = anna.post(path + "/rotate-secret")
    #expect(rotated.status == 200 && rotated["secret"] != made["secret"])
    #expect(try rotated.string("secret").hasPrefix("whsec_"))
    #expect(try house.account().get(path).status == 404)
    #expect(anna.delete(path).status == 204 && anna.get(path).status == 404)
    // Nowhere does the database have a secret as it is.
    #expect(try house.count("SELECT COUNT(*) FROM webhook_endpoints WHERE secret LIKE '%whsec%'") == 0)
  }

  @Test(
    "Every bad field is named",
    arguments: [
      ("url", "ftp://example.org/", "invalid_url"), ("url", "https://a:b@example.org/", "invalid_url"),
      ("url", JSON.null, "invalid_type"), ("url", "https://example.org/\r\nX: y", "invalid_url"),
      ("events", [], "too_short"), ("events", ["link.made"], "invalid_choice"),
      ("events", "link.created", "invalid_type"), ("events", ["webhook.test"], "invalid_choice"),
      ("description", "a\nb", "control_character"), ("isEnabled", "yes", "invalid_type"),
      ("secret", "whsec_x", "unknown_field"), ("id", "x", "unknown_field"),
    ] as [(String, JSON, String)])
  func badFields(name: String, value: JSON, code: String) throws {
    let anna = try house.account()
    var body: JSONObject = ["url": "https://hooks.example.org/", "events": ["*"]]
    body[name] = value
    let answer = anna.post("/api/webhooks", .object(body))
    #expect(answer.status == 422 && answer.text.contains("\"\(code)\""), "\(answer.text)")
    #expect(anna.get("/api/webhooks")["total"] == 0)
  }

  @Test func anAccountHasSoManyAlsoWhenTheyComeAtOnce() throws {
    let anna = try house.account()
    let answers = inParallel(30) { number in
      anna.post("/api/webhooks", ["url": .string("https://h.example/\(number)"), "events": ["*"]]).status
    }
    #expect(answers.count { $0 == 201 } == 25 && answers.count { $0 == 409 } == 5, "\(answers)")
    let all = anna.get("/api/webhooks?limit=100")
    #expect(all["total"] == 25)
    // One that is deleted counts no more.
    let id = try #require(all.items.first?["id"]?.string)
    #expect(anna.delete("/api/webhooks/" + id).status == 204)
    let more = anna.post("/api/webhooks", ["url": "https://h.example/more", "events": ["*"]])
    #expect(more.status == 201)
  }

  @Test func theListIsPaged() throws {
    let anna = try house.account()
    for number in 0..<3 {
      _ = anna.post("/api/webhooks", ["url": .string("https://h.example/\(number)"), "events": ["*"]])
    }
    let first = anna.get("/api/webhooks?limit=2")
    #expect(JSON.texts(first.items, "url") == ["https://h.example/2", "https://h.example/1"])
    let next = anna.get("/api/webhooks?limit=2&cursor=" + (try first.string("nextCursor")))
    #expect(JSON.texts(next.items, "url") == ["https://h.example/0"] && next["nextCursor"] == JSON.null)
  }

  // MARK: Who may

  @Test func limitedKeysManageNoneAtTheGeneralAddress() throws {
    let anna = try house.account()
    let every = Scope.allCases.map(\.rawValue)
    let limited = try house.keyholder(scopes: every, of: anna)
    for answer in [
      limited.get("/api/webhooks"),
      limited.post("/api/webhooks", ["url": "https://h.example/", "events": ["*"]]),
    ] {
      #expect(answer.status == 403 && answer.code == "scope_missing" && answer["requiredScope"] == "*")
    }
    let full = try house.keyholder(of: anna)
    #expect(full.post("/api/webhooks", ["url": "https://h.example/", "events": ["*"]]).status == 201)
  }

  @Test func aKeyForPaymentsIsToldOfNothingElse() throws {
    let anna = try house.account()
    let shop = try house.keyholder(scopes: ["payments", "contacts"], of: anna)
    let base = "/api/payment/webhooks"
    for events in [["*"], ["payment.succeeded", "contact.created"], ["link.clicked"]] as [JSON] {
      let answer = shop.post(base, ["url": "https://h.example/", "events": events])
      #expect(answer.status == 403 && answer.code == "scope_missing", "\(answer)")
    }
    let own = shop.post(base, ["url": "https://h.example/", "events": ["payment.succeeded"]])
    #expect(own.status == 201)
    let path = try own.path(base)
    #expect(shop.patch(path, ["events": ["*"]]).code == "scope_missing")
    #expect(shop.patch(path, ["events": ["payment.failed"]]).status == 200)
    // What others have made with more events is not there for it.
    let other = anna.post("/api/webhooks", ["url": "https://h.example/", "events": ["*"]])
    let theirs = try other.path(base)
    #expect(anna.get(theirs).status == 200)
    for answer in [
      shop.get(theirs), shop.patch(theirs, ["url": "https://evil.example/"]),
      shop.post(theirs + "/rotate-secret"),
      shop.post(theirs + "/test"), shop.get(theirs + "/deliveries"), shop.delete(theirs),
    ] { #expect(answer.status == 404, "\(answer)") }
    #expect(shop.get(base)["total"] == 1 && anna.get(base)["total"] == 2)
  }

  @Test func whatAnEndpointWasSentBeforeStaysHiddenFromALimitedKey() throws {
    let anna = try house.account()
    let base = "/api/payment/webhooks"
    let made = anna.post("/api/webhooks", ["url": "https://h.example/", "events": ["*"]])
    _ = try anna.link()
    let path = try made.path(base)
    let delivery = try #require(anna.get(path + "/deliveries").items.first?["id"]?.string)
    // From now on it is of payments alone, and what waited is not sent any more.
    #expect(anna.patch(path, ["events": ["payment.succeeded"]]).status == 200)
    let given = anna.get(path + "/deliveries/" + delivery)
    #expect(given["status"] == "failed" && given["error"]?.string?.contains("any more") == true)
    let shop = try house.keyholder(scopes: ["payments"], of: anna)
    #expect(shop.get(path).status == 200)
    #expect(shop.get(path + "/deliveries")["total"] == 0 && shop.get(path + "/deliveries").items.isEmpty)
    #expect(shop.get(path + "/deliveries/" + delivery).status == 404)
    #expect(shop.post(path + "/deliveries/\(delivery)/redeliver").status == 404)
    #expect(shop.post(path + "/test").status == 202 && shop.get(path + "/deliveries")["total"] == 1)
  }

  // MARK: What is told

  @Test func aLinkThatIsMadeIsToldOfWithIt() throws {
    let anna = try house.account()
    let made = anna.post("/api/webhooks", ["url": "https://h.example/", "events": ["link.created"]])
    let deaf = anna.post("/api/webhooks", ["url": "https://h.example/", "events": ["link.clicked"]])
    let off = anna.post(
      "/api/webhooks", ["url": "https://h.example/", "events": ["*"], "isEnabled": false])
    let link = anna.post(
      "/api/links",
      ["destinationUrl": "https://example.org/", "title": "é \u{1F600}", "qrCode": ["enabled": true]])
    _ = anna.post(
      "/api/links/bulk",
      ["links": [["destinationUrl": "https://example.org/1"], ["destinationUrl": "no"]]])
    let code = anna.post("/api/qrcodes", ["destinationUrl": "https://example.org/2"])
    _ = anna.post("/api/qrcodes", ["linkId": link["id"] ?? .null])
    // A link that is refused is told to nobody.
    _ = anna.post(
      "/api/links", ["destinationUrl": "https://example.org/", "shortCode": link["shortCode"] ?? .null])
    let path = try made.path("/api/webhooks") + "/deliveries"
    let items = anna.get(path).items
    #expect(
      items.count == 3 && JSON.texts(items, "event") == ["link.created", "link.created", "link.created"])
    let last = anna.get(path + "/" + (items.last?["id"]?.string ?? ""))
    #expect(last["status"] == "pending" && last["attempts"] == 0)
    #expect(last["body"]?["id"] == last["eventId"] && last["body"]?["event"] == "link.created")
    #expect(last["body"]?["data"] == link.body)
    let first = anna.get(path + "/" + (items.first?["id"]?.string ?? ""))
    #expect(first["body"]?["data"]?["qrCode"]?["id"] == code["id"])
    for other in [deaf, off] {
      #expect(anna.get(try other.path("/api/webhooks") + "/deliveries")["total"] == 0)
    }
    #expect(try house.account().get(path).status == 404)
    #expect(anna.get(path + "?status=delivered").items.isEmpty)
    #expect(anna.get(path + "?status=pending&limit=2")["nextCursor"]?.string != nil)
    #expect(anna.get(path + "?status=lost").status == 422)
  }

  @Test func whatIsTakenBackIsToldToNobody() throws {
    let anna = try house.account()
    let made = anna.post("/api/webhooks", ["url": "https://h.example/", "events": ["*"]])
    let account = try #require(AccountID(try anna.get("/api/auth/me").string("id")))
    struct Stop: Error {}
    #expect(throws: Stop.self) {
      try house.app.database.transaction { connection in
        try WebhookOutbox().tell(.contactCreated, account: account, on: connection, at: .now) { ["id": "x"] }
        throw Stop()
      }
    }
    #expect(anna.get(try made.path("/api/webhooks") + "/deliveries")["total"] == 0)
  }

  @Test func whatHappensTogetherIsToldInItsOrder() throws {
    let anna = try house.account()
    let made = anna.post("/api/webhooks", ["url": "https://h.example/", "events": ["contact.created"]])
    let account = try #require(AccountID(try anna.get("/api/auth/me").string("id")))
    let id = try #require(WebhookEndpointID(try made.string("id")))
    let now = Timestamp.now
    try house.app.database.transaction { connection in
      try WebhookOutbox().tell(
        .contactCreated, of: Array(0..<1200), account: account, on: connection, at: now
      ) {
        ["n": .integer(Int64($0))]
      }
    }
    for number in 0..<5 {
      let attempt = try #require(try house.app.webhooks.claim(for: id, at: now + .seconds(1)))
      #expect(String(decoding: attempt.body, as: UTF8.self).hasSuffix("\"data\":{\"n\":\(number)}}"))
      try house.app.webhooks.settle(
        attempt, WebhookOutcome(statusCode: 200), at: now + .seconds(1), jitter: 0)
    }
    #expect(anna.get(try made.path("/api/webhooks") + "/deliveries?status=pending")["total"] == 1195)
  }

  @Test func muchThatHappensTogetherIsToldHoweverLargeItIs() throws {
    let anna = try house.account()
    let made = anna.post("/api/webhooks", ["url": "https://h.example/", "events": ["contact.created"]])
    let account = try #require(AccountID(try anna.get("/api/auth/me").string("id")))
    let text = JSON.string(String(repeating: "x", count: 500_000))
    let heard = try house.app.database.transaction { connection in
      let listener = Listener(connection)
      try WebhookOutbox().tell(.contactCreated, of: Array(0..<60), account: account, on: listener, at: .now) {
        ["n": .integer(Int64($0)), "text": text]
      }
      return listener.heard
    }
    // MariaDB takes 16 MiB at once, where nobody says otherwise.
    #expect(heard.allSatisfy { "\($0)".utf8.count < 8 << 20 })
    #expect(anna.get(try made.path("/api/webhooks") + "/deliveries")["total"] == 60)
  }

  @Test func theDocumentHasEachEvent() {
    let webhooks = house.app.openAPIDocument["webhooks"]
    for event in WebhookEvent.allCases.map(\.rawValue) + ["webhook.test"] {
      let body = webhooks?[event]?["post"]?["requestBody"]?["content"]?["application/json"]?["schema"]
      #expect(body?["properties"]?["event"]?["const"]?.string == event)
    }
  }

  @Test func theDocumentSaysWhatIsTold() throws {
    let anna = try house.account()
    let made = anna.post("/api/webhooks", ["url": "https://h.example/", "events": ["*"]])
    let contact = anna.post("/api/contacts", ["email": "bea@example.org", "firstName": "Bea"])
    let path = try contact.path("/api/contacts")
    #expect(anna.patch(path, ["firstName": "Beate"]).status == 200)
    let account = try #require(AccountID(try anna.get("/api/auth/me").string("id")))
    let id = try #require(ContactID(try contact.string("id")))
    try house.app.database.transaction { connection in
      let rows = ContactConsent(account: account, queries: connection)
      _ = try rows.unsubscribe([id], reason: .page, at: .now)
      _ = try rows.bounce(id, reason: "no such user", at: .now)
    }
    let document = house.app.openAPIDocument
    let deliveries = try made.path("/api/webhooks") + "/deliveries"
    let told = anna.get(deliveries).items
    #expect(told.count == 4)
    for item in told {
      let event = try #require(item["event"]?.string)
      let body = try #require(anna.get(deliveries + "/" + (item["id"]?.string ?? ""))["body"])
      let message = document["webhooks"]?[event]?["post"]?["requestBody"]?["content"]?["application/json"]
      let reference = message?["schema"]?["properties"]?["data"]?["$ref"]?.string
      let name = try #require(reference?.split(separator: "/").last.map(String.init), "\(event)")
      let schema = document["components"]?["schemas"]?[name]
      let documented = schema?["properties"]?.object?.members.map(\.name)
      #expect(documented == body["data"]?.object?.members.map(\.name), "\(event)")
      #expect(schema?["required"]?.array?.compactMap(\.string) == documented, "\(event)")
    }
  }
}
