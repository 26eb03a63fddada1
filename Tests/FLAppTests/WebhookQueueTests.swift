import FLCrypto
import FLHTTP
import FLMariaDB
import FLValues
import Foundation
import Testing

@testable import FLApp
@testable import FLDelivery

/// Deliveries as the sender works on them: claims, retries, signatures, endpoints that are given up.
@Suite struct WebhookQueueTests {
  private static let shared = Result { try House() }
  let house: House
  let anna: Client
  let account: AccountID
  let path: String
  let id: WebhookEndpointID
  let secret: String
  /// When it all begins; attempts are made at times after it.
  let start = Timestamp.now + .seconds(120)

  init() throws { try self.init(in: Self.shared.get()) }

  /// An endpoint of somebody in `house`.
  private init(in house: House) throws {
    self.house = house
    anna = try house.account()
    account = try #require(AccountID(try anna.get("/api/auth/me").string("id")))
    let made = anna.post(
      "/api/webhooks", ["url": "https://bücher.example/ä?q=1#top", "events": ["link.created"]])
    path = try made.path("/api/webhooks")
    id = try #require(WebhookEndpointID(try made.string("id")))
    secret = try made.string("secret")
  }

  /// One that may purge: that locks rows of all endpoints for a moment, and others would pass them over. So it has a
  /// house of its own.
  private static func purging() throws -> Self { try Self(in: House()) }

  private var queue: WebhookQueue { house.app.webhooks }

  /// The deliveries to the endpoint, newest first.
  private func deliveries() -> [JSON] { anna.get(path + "/deliveries").items }

  /// The newest of them.
  private func delivery() throws -> JSON { try #require(deliveries().first) }

  /// Takes what is due; nil where nothing is.
  private func claim(at time: Timestamp) throws -> WebhookAttempt? { try queue.claim(for: id, at: time) }

  /// Makes an attempt at `time`; answers whether there was one to be made.
  @discardableResult
  private func attempt(_ outcome: WebhookOutcome, at time: Timestamp, jitter: Double = 0.5) throws -> Bool {
    guard let attempt = try claim(at: time) else { return false }
    try queue.settle(attempt, outcome, at: time, jitter: jitter)
    return true
  }

  private func signature(_ secret: String, _ attempt: WebhookAttempt, at time: Timestamp) throws -> String {
    let key = try #require(Base64.decode(String(secret.dropFirst(6))))
    let text = Array("\(attempt.eventID).\(time.seconds).".utf8) + attempt.body
    return "v1," + Base64.encode(HMACSHA256.code(text, key: key))
  }

  @Test func whatIsSentIsSigned() throws {
    _ = try anna.link()
    let attempt = try #require(try claim(at: start))
    #expect(attempt.address == "https://xn--bcher-kva.example/%C3%A4?q=1#top")
    let headers = try #require(attempt.headers(at: start))
    let fields = Dictionary(headers.map { ($0.name, $0.value) }) { first, _ in first }
    #expect(fields.count == headers.count)
    #expect(try fields["webhook-id"] == delivery()["eventId"]?.string)
    #expect(fields["webhook-timestamp"] == String(start.seconds))
    #expect(fields["Content-Type"] == "application/json")
    #expect(try fields["webhook-signature"] == signature(secret, attempt, at: start))
    let body = try JSON(reading: attempt.body)
    #expect(body.object?.members.map(\.name) == ["id", "event", "timestamp", "data"])
    #expect(body["id"]?.string == fields["webhook-id"] && body["event"] == "link.created")
  }

  @Test func theSecretBeforeSignsAlongForADay() throws {
    _ = try anna.link()
    let second = try anna.post(path + "/rotate-secret").string("secret")
    func signatures(at time: Timestamp) throws -> [String] {
      let attempt = try #require(try claim(at: time))
      let both = try [second, secret].map { try signature($0, attempt, at: time) }
      let sent = try #require(attempt.headers(at: time)?.last?.value).split(separator: " ").map(String.init)
      #expect(sent == Array(both.prefix(sent.count)))
      return sent
    }
    #expect(try signatures(at: start).count == 2)
    #expect(try signatures(at: start + .seconds(86_000)).count == 2)
    #expect(try signatures(at: start + .seconds(86_500)).count == 1)
  }

  @Test func aDeliveryIsTriedForThreeDays() throws {
    _ = try anna.link()
    var time = start
    var gaps: [Int64] = []
    // The endpoint does well otherwise, so that it is not given up.
    for number in 1...10 {
      #expect(try attempt(WebhookOutcome(statusCode: 500, response: Array("no".utf8)), at: time))
      try house.app.database.run("UPDATE webhook_endpoints SET failures = 0 WHERE id = \(id)")
      let delivery = try delivery()
      #expect(delivery["attempts"] == .integer(Int64(number)) && delivery["statusCode"] == 500)
      guard number < 10 else { break }
      #expect(delivery["status"] == "pending")
      let next = try #require(delivery["nextAttemptAt"]?.string.flatMap { Timestamp(rfc3339: $0) })
      gaps.append((next - time).components.seconds + 1)
      // Not before then.
      #expect(try !attempt(WebhookOutcome(statusCode: 200), at: next - .seconds(1)))
      time = next + .seconds(1)
    }
    let expected: [Int64] = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]
    for (gap, wanted) in zip(gaps, expected) { #expect(abs(gap - wanted) <= 2, "\(gaps)") }
    let delivery = try delivery()
    #expect(delivery["status"] == "failed" && delivery["nextAttemptAt"] == JSON.null)
    #expect(delivery["error"] == "Status 500 is no success." && delivery["response"] == "no")
    #expect(try !attempt(WebhookOutcome(statusCode: 200), at: time + .seconds(10 * 86_400)))
  }

  @Test func jitterIsATenth() throws {
    let delays = [0, 0.5, 1].map { WebhookRetries.delay(after: 2, jitter: $0, retryAfter: nil) }
    #expect(delays == [.seconds(270), .seconds(300), .seconds(330)])
    #expect(WebhookRetries.delay(after: 10, jitter: 0, retryAfter: nil) == nil)
    let asked = [60, 600, 1_000_000].map {
      WebhookRetries.delay(after: 2, jitter: 0.5, retryAfter: .seconds($0))
    }
    #expect(asked == [.seconds(300), .seconds(600), .seconds(86_400)])
  }

  @Test func whoAsksForPatienceGetsIt() throws {
    _ = try anna.link()
    _ = try anna.link()
    try attempt(WebhookOutcome(statusCode: 429, retryAfter: .seconds(700)), at: start)
    // The other delivery, too, waits; a test does not.
    func isDue(_ time: Timestamp) throws -> Bool { try queue.turns(at: time).contains { $0.endpoint == id } }
    #expect(try !isDue(start + .seconds(699)))
    #expect(try isDue(start + .seconds(701)))
    #expect(anna.post(path + "/test").status == 202)
    #expect(try isDue(start + .seconds(1)))
  }

  @Test func whoAsksForPatienceGetsItAlsoWhereAnotherAttemptSucceeds() throws {
    for _ in 0..<3 { _ = try anna.link() }
    let first = try #require(try claim(at: start))
    let second = try #require(try claim(at: start))
    try queue.settle(
      first, WebhookOutcome(statusCode: 503, retryAfter: .seconds(700)), at: start, jitter: 0)
    try queue.settle(second, WebhookOutcome(statusCode: 200), at: start, jitter: 0)
    #expect(anna.get(path)["failingSince"] == JSON.null)
    #expect(try claim(at: start + .seconds(699)) == nil)
    // The third was due at once, and is shown to wait as well.
    let next = try #require(try delivery()["nextAttemptAt"]?.string.flatMap { Timestamp(rfc3339: $0) })
    #expect(next >= start + .seconds(699))
    #expect(try claim(at: start + .seconds(701)) != nil)
  }

  @Test func thoseInDoubtAreTriedInTheOrderOfTheirLastAttempts() throws {
    let other = anna.post("/api/webhooks", ["url": "https://h.example/", "events": ["link.created"]])
    let second = try #require(WebhookEndpointID(try other.string("id")))
    for _ in 0..<2 { _ = try anna.link() }
    func order(at time: Timestamp) throws -> [WebhookEndpointID] {
      try queue.turns(at: time).map(\.endpoint).filter { [id, second].contains($0) }
    }
    func fail(_ endpoint: WebhookEndpointID, at time: Timestamp) throws {
      let attempt = try #require(try queue.claim(for: endpoint, at: time))
      try queue.settle(attempt, WebhookOutcome(failure: "x"), at: time, jitter: 0)
    }
    try fail(id, at: start)
    try fail(second, at: start + .seconds(1))
    // Not by what has waited longest, which is for the same one again and again.
    try house.app.database.run(
      "UPDATE webhook_deliveries SET due_at = \(start - .seconds(3600)) WHERE endpoint_id = \(second)")
    #expect(try order(at: start + .seconds(10)) == [id, second])
    try fail(id, at: start + .seconds(10))
    #expect(try order(at: start + .seconds(10)) == [second, id])
  }

  @Test func twoAttemptsRunAtOnceAndOneOfADeadSenderIsMadeAgain() throws {
    for _ in 0..<3 { _ = try anna.link() }
    let first = try #require(try claim(at: start))
    let second = try #require(try claim(at: start))
    #expect(try claim(at: start) == nil)
    #expect(first.delivery < second.delivery)
    let later = start + .seconds(61)
    // The two are lost; the oldest that waits comes first, then those.
    let third = try #require(try claim(at: later))
    #expect(third.delivery > second.delivery)
    let again = try #require(try claim(at: later))
    #expect(again.delivery == first.delivery && again.number == 2 && again.body == first.body)
    // What the slow sender finds after all: a failure does not count any more, a success does.
    try queue.settle(first, WebhookOutcome(statusCode: 500), at: later, jitter: 0)
    #expect(deliveries().last?["status"] == "pending" && deliveries().last?["statusCode"] == JSON.null)
    try queue.settle(first, WebhookOutcome(statusCode: 204), at: later, jitter: 0)
    try queue.settle(again, WebhookOutcome(statusCode: 500), at: later, jitter: 0)
    #expect(deliveries().last?["status"] == "delivered" && deliveries().last?["statusCode"] == 204)
  }

  @Test func manySendersTakeEachDeliveryOnce() throws {
    try house.app.database.transaction { connection in
      try WebhookOutbox().tell(.linkCreated, of: Array(0..<200), account: account, on: connection, at: .now) {
        _ in
        [:]
      }
    }
    let taken = inParallel(8) { [queue, id, start] _ -> [WebhookDeliveryID] in
      var taken: [WebhookDeliveryID] = []
      var misses = 0
      while misses < 50 {
        guard let attempt = try? queue.claim(for: id, at: start) else {
          misses += 1
          continue
        }
        try? queue.settle(attempt, WebhookOutcome(statusCode: 200), at: start, jitter: 0)
        taken.append(attempt.delivery)
      }
      return taken
    }.flatMap { $0 }
    #expect(taken.count == 200 && Set(taken).count == 200)
    #expect(anna.get(path + "/deliveries?status=delivered")["total"] == 200)
  }

  @Test func goneDisablesAndTellsItsOwner() throws {
    for _ in 0..<3 { _ = try anna.link() }
    let before = anna.get(path)
    try attempt(WebhookOutcome(statusCode: 410), at: start)
    let endpoint = anna.get(path)
    #expect(endpoint["isEnabled"] == false && endpoint["disabledReason"] == "gone")
    #expect(endpoint.headers[.eTag] != before.headers[.eTag])
    #expect(Set(JSON.texts(deliveries(), "status")) == ["failed"])
    #expect(JSON.texts(deliveries(), "error").count { $0 == "The endpoint is disabled." } == 2)
    #expect(try mails() == ["A webhook was disabled"])
    // Nothing new is queued for it, and enabling it sends nothing by itself.
    _ = try anna.link()
    #expect(deliveries().count == 3)
    let enabled = anna.patch(path, ["isEnabled": true])
    #expect(enabled["disabledReason"] == JSON.null && enabled["failingSince"] == JSON.null)
    #expect(try !attempt(WebhookOutcome(statusCode: 200), at: start))
    // Redelivering does.
    let delivery = try #require(deliveries().first?["id"]?.string)
    let asked = anna.post(path + "/deliveries/\(delivery)/redeliver")
    #expect(asked.status == 202 && asked["status"] == "pending" && asked["id"]?.string == delivery)
    try attempt(WebhookOutcome(statusCode: 200), at: start)
    #expect(deliveries().first?["status"] == "delivered")
  }

  private func mails() throws -> [String] {
    try house.app.database.rows(
      "SELECT subject FROM mail_outbox WHERE recipient = \(anna.email) ORDER BY id"
    ).map { try $0["subject"] }
  }

  @Test func anEndpointThatTakesNothingForThreeDaysIsGivenUp() throws {
    _ = try anna.link()
    for number in 0..<20 {
      // Many failures within a day are not yet enough.
      try house.app.database.run(
        "UPDATE webhook_deliveries SET due_at = \(start), attempts_before = attempts WHERE endpoint_id = \(id)"
      )
      try attempt(WebhookOutcome(failure: "x"), at: start + .seconds(number * 3600))
    }
    #expect(anna.get(path)["isEnabled"] == true && anna.get(path)["failingSince"] != JSON.null)
    _ = try anna.link()
    #expect(try attempt(WebhookOutcome(failure: "x"), at: start + .seconds(3 * 86_400 + 1)))
    #expect(anna.get(path)["isEnabled"] == false && anna.get(path)["disabledReason"] == "failing")
    #expect(try mails() == ["A webhook was disabled"])
    #expect(Set(JSON.texts(deliveries(), "status")) == ["failed"])
  }

  @Test func oneSuccessBeginsAnew() throws {
    for _ in 0..<2 { _ = try anna.link() }
    try attempt(WebhookOutcome(failure: "x", duration: .seconds(15)), at: start)
    #expect(anna.get(path)["failingSince"] != JSON.null)
    #expect(try queue.turns(at: start + .seconds(1)).first { $0.endpoint == id }?.isDoubtful == true)
    try attempt(WebhookOutcome(statusCode: 200), at: start + .seconds(1))
    #expect(anna.get(path)["failingSince"] == JSON.null)
    #expect(try queue.turns(at: start + .seconds(60)).first { $0.endpoint == id }?.isDoubtful == false)
  }

  @Test func aTestGoesOutOnceAlsoWhereTheEndpointIsDisabled() throws {
    _ = try anna.link()
    #expect(anna.patch(path, ["isEnabled": false]).status == 200)
    let test = anna.post(path + "/test")
    #expect(test.status == 202 && test["event"] == "webhook.test" && test["status"] == "pending")
    #expect(try attempt(WebhookOutcome(statusCode: 500), at: start))
    let delivery = anna.get(path + "/deliveries/" + (try test.string("id")))
    #expect(delivery["status"] == "failed" && delivery["attempts"] == 1)
    #expect(delivery["body"]?["data"]?["webhookId"]?.string == id.description)
    // So does what is redelivered.
    let old = try #require(deliveries().last?["id"]?.string)
    #expect(anna.post(path + "/deliveries/\(old)/redeliver").status == 202)
    #expect(try attempt(WebhookOutcome(statusCode: 500), at: start))
    #expect(try !attempt(WebhookOutcome(statusCode: 500), at: start + .seconds(86_400)))
  }

  @Test func whatWasRedeliveredIsGivenUpLikeAllElse() throws {
    _ = try anna.link()
    try attempt(WebhookOutcome(statusCode: 200), at: start)
    let old = try #require(try delivery()["id"]?.string)
    #expect(anna.post(path + "/deliveries/\(old)/redeliver").status == 202)
    try attempt(WebhookOutcome(statusCode: 500), at: start)
    #expect(try delivery()["status"] == "pending")
    #expect(anna.patch(path, ["isEnabled": false]).status == 200)
    #expect(try delivery()["status"] == "failed")
    #expect(try !attempt(WebhookOutcome(statusCode: 200), at: start + .seconds(86_400)))
  }

  @Test func whatIsNotWantedAnyMoreIsNotSentAlsoWhereItIsAskedFor() throws {
    for _ in 0..<2 { _ = try anna.link() }
    try attempt(WebhookOutcome(statusCode: 200), at: start)
    let delivered = try #require(deliveries().last?["id"]?.string)
    #expect(anna.post(path + "/deliveries/\(delivered)/redeliver").status == 202)
    #expect(anna.patch(path, ["events": ["payment.failed"]]).status == 200)
    #expect(Set(JSON.texts(deliveries(), "status")) == ["failed"])
    let again = anna.post(path + "/deliveries/\(delivered)/redeliver")
    #expect(again.status == 409 && again.text.contains("does not want"))
    // Nor where it was not given up at once, of which there may be more than go into one statement.
    try house.app.database.run(
      "UPDATE webhook_deliveries SET status = 'pending', is_asked_for = TRUE WHERE endpoint_id = \(id)")
    #expect(try claim(at: start) == nil)
    #expect(Set(JSON.texts(deliveries(), "status")) == ["failed"])
    #expect(anna.post(path + "/test").status == 202)
    #expect(try attempt(WebhookOutcome(statusCode: 200), at: start))
  }

  @Test func enablingSendsNothingOfABacklog() throws {
    _ = try anna.link()
    try attempt(WebhookOutcome(statusCode: 410), at: start)
    // More than was given up at once.
    try house.app.database.run(
      "UPDATE webhook_deliveries SET status = 'pending', due_at = \(start) WHERE endpoint_id = \(id)")
    #expect(anna.patch(path, ["isEnabled": true]).status == 200)
    #expect(try delivery()["status"] == "failed")
    _ = try anna.link()
    #expect(anna.patch(path, ["isEnabled": true]).status == 200)
    #expect(try delivery()["status"] == "pending")
  }

  @Test mutating func aDeletedEndpointIsHiddenAtOnceAndTakenAwayByTheSender() throws {
    self = try Self.purging()
    _ = try anna.link()
    #expect(anna.post(path + "/test").status == 202)
    let held = try #require(try claim(at: start))
    #expect(anna.delete(path).status == 204)
    for answer in [
      anna.get(path), anna.get(path + "/deliveries"), anna.patch(path, ["isEnabled": true]),
      anna.delete(path),
      anna.post(path + "/test"), anna.post(path + "/rotate-secret"),
    ] { #expect(answer.status == 404) }
    #expect(anna.get("/api/webhooks")["total"] == 0)
    #expect(try claim(at: start) == nil)
    #expect(try !queue.turns(at: start + .seconds(70)).contains { $0.endpoint == id })
    _ = try anna.link()
    let left: SQL = "SELECT COUNT(*) FROM webhook_deliveries WHERE endpoint_id = \(id)"
    #expect(try house.count(left) == 2)
    try queue.purge(at: .now)
    #expect(try house.count(left) == 0)
    #expect(try house.count("SELECT COUNT(*) FROM webhook_endpoints WHERE id = \(id)") == 0)
    // An attempt that was under way meanwhile ends without harm.
    try queue.settle(held, WebhookOutcome(statusCode: 500), at: start, jitter: 0)
  }

  @Test func whatADeadSenderHadInHandHasATimeAgain() throws {
    _ = try anna.link()
    _ = try #require(try claim(at: .now))
    #expect(try delivery()["nextAttemptAt"] == .null)
    try house.app.database.run(
      """
      UPDATE webhook_deliveries SET leased_until = leased_until - INTERVAL 2 MINUTE,
        due_at = due_at - INTERVAL 2 MINUTE WHERE endpoint_id = \(id)
      """)
    #expect(try delivery()["nextAttemptAt"]?.string != nil)
  }

  @Test func whatWasDeliveredIsSentAgainAsItWas() throws {
    _ = try anna.link()
    let first = try #require(try claim(at: start))
    try queue.settle(first, WebhookOutcome(statusCode: 200), at: start, jitter: 0)
    #expect(anna.post(path + "/deliveries/\(first.delivery)/redeliver").status == 202)
    let again = try #require(try claim(at: start))
    #expect(again.body == first.body && again.eventID == first.eventID && again.number == 1)
    // While it is under way it is not begun anew.
    #expect(anna.post(path + "/deliveries/\(first.delivery)/redeliver").status == 409)
    #expect(try claim(at: start) == nil)
    try queue.settle(again, WebhookOutcome(statusCode: 500), at: start, jitter: 0)
    #expect(try delivery()["status"] == "pending" && delivery()["attempts"] == 2)
    // That it arrived once is still to be seen.
    #expect(try delivery()["deliveredAt"] != .null)
  }

  @Test func anAnswerIsKeptCutAndClean() throws {
    _ = try anna.link()
    let answer =
      Array("a\u{0}b\u{1B}[31m\r\nc\u{9F}é".utf8) + [0xFF, 0xC3] + Array(repeating: 0x41, count: 5000)
    try attempt(WebhookOutcome(statusCode: 302, response: answer), at: start)
    let kept = try #require(try delivery()["response"]?.string)
    #expect(kept.hasPrefix("ab[31m\ncé\u{FFFD}\u{FFFD}AAA") && kept.unicodeScalars.count <= 1024)
    #expect(try delivery()["error"]?.string?.hasPrefix("Redirects") == true)
  }

  @Test func aSecretThatIsLostIsTold() throws {
    _ = try anna.link()
    try house.app.database.run("UPDATE webhook_endpoints SET secret = 'x' WHERE id = \(id)")
    #expect(try claim(at: start)?.headers(at: start) == nil)
  }

  @Test mutating func oldDeliveriesArePurgedUnlessTheyWait() throws {
    self = try Self.purging()
    let old = Timestamp.now - .seconds(31 * 86_400)
    for _ in 0..<3 {
      try house.app.database.transaction { connection in
        try WebhookOutbox().tell(.linkCreated, account: account, on: connection, at: old) { [:] }
      }
    }
    _ = try anna.link()
    for _ in 0..<2 { try attempt(WebhookOutcome(statusCode: 200), at: start) }
    try queue.purge(at: .now)
    #expect(JSON.texts(deliveries(), "status") == ["pending", "pending"])
    #expect(try house.count("SELECT COUNT(*) FROM webhook_events WHERE account_id = \(account)") == 2)
  }

  // MARK: Clicks

  @Test func clicksOfPeopleAreTold() throws {
    #expect(anna.patch(path, ["events": ["link.clicked"]]).status == 200)
    let link = try anna.link()
    let browser = "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"
    let visitor = house.nobody
    for agent in [browser, "curl/8.0"] {
      let short = try link.shortPath()
      #expect(visitor.get(short, [.userAgent: agent, .referer: "https://news.example/x"]).status == 302)
    }
    _ = try house.app.loadClicks(within: .seconds(10))
    let delivery = try #require(deliveries().first?["id"]?.string)
    #expect(deliveries().count == 1)
    let body = anna.get(path + "/deliveries/" + delivery)["body"]
    let data = try #require(body?["data"]?.object)
    #expect(data["linkId"] == link["id"] && data["shortUrl"] == link["shortUrl"])
    #expect(data["browser"] == "Firefox" && data["system"] == "Linux" && data["device"] == "desktop")
    #expect(data["referrer"] == "news.example" && data["isQrScan"] == false && data["country"] == .null)
    #expect(!anna.get(path + "/deliveries/" + delivery).text.contains(visitor.address))
  }
}
