import FLHTTP
import FLMariaDB
import FLValues
import Testing

@testable import FLApp

extension Client {
  /// Drafts a mailing; answers its members.
  func mailing(_ members: JSONObject = [:]) throws -> Answer {
    var members = members
    if members["subject"] == nil { members["subject"] = "Spring news" }
    if members["htmlBody"] == nil {
      members["htmlBody"] = "<p>Hello {{FirstName|there}}</p><a href=\"{{UnsubscribeUrl}}\">Unsubscribe</a>"
    }
    let made = post("/api/mailing", .object(members))
    try #require(made.status == 201, "\(made)")
    return made
  }

  /// Makes contacts with these addresses; answers their ids in their order.
  func contacts(_ house: House, _ emails: [String], lastName: String? = nil, tag: String? = nil) throws
    -> [String]
  {
    try house.app.database.transaction { connection in
      let account: AccountID = try #require(
        try connection.row("SELECT id FROM accounts WHERE email = \(email)")?["id"])
      var tagID: TagID?
      if let tag {
        tagID = TagID(at: .now)
        _ = try connection.run(
          "INSERT INTO tags (id, account_id, name, created_at) VALUES (\(tagID), \(account), \(tag), NOW(6))")
      }
      return try emails.map { address in
        let id = ContactID(at: .now)
        _ = try connection.run(
          """
          INSERT INTO contacts (id, account_id, email, email_key, last_name, created_at, updated_at)
          VALUES (\(id), \(account), \(address), \(address), \(lastName), NOW(6), NOW(6))
          """)
        if let tagID {
          _ = try connection.run("INSERT INTO contact_tags (contact_id, tag_id) VALUES (\(id), \(tagID))")
        }
        return id.description
      }
    }
  }
}

extension Answer {
  /// A number among a mailing's counts.
  func counted(_ name: String) -> Int64? { self["counts"]?[name]?.integer }
}

/// Mailings as they are written.
@Suite struct MailingTests {
  private static let shared = Result { try House() }
  let house: House

  init() throws { house = try Self.shared.get() }

  @Test func aMailingIsDraftedReadChangedAndDeleted() throws {
    let anna = try house.account()
    let made = anna.post(
      "/api/mailing",
      [
        "subject": "  News for {{FirstName|you}} ", "previewText": "What is new", "htmlBody": "<p>Hi</p>",
        "fromName": "Anna", "replyTo": "anna@example.org", "trackClicks": true,
      ])
    #expect(made.status == 201, "\(made)")
    #expect(made["subject"] == "News for {{FirstName|you}}" && made["status"] == "draft")
    #expect(made["trackOpens"] == false && made["trackClicks"] == true && made["textBody"] == JSON.null)
    #expect(made["fromEmail"] == JSON.null && made["scheduledFor"] == JSON.null)
    #expect(made.counted("recipients") == 0)
    let path = "/api/mailing/" + (try made.string("id"))
    #expect(made.location == path && anna.get(path).bytes == made.bytes)
    let changed = anna.patch(path, ["previewText": nil, "textBody": "Hi", "trackOpens": true])
    #expect(changed.status == 200 && changed["previewText"] == JSON.null && changed["textBody"] == "Hi")
    #expect(changed["subject"] == made["subject"] && changed["trackOpens"] == true)
    #expect(anna.patch(path, ["subject": "x"], [.ifMatch: made.headers[.eTag] ?? ""]).status == 412)
    #expect(anna.delete(path, [.ifMatch: made.headers[.eTag] ?? ""]).status == 412)
    #expect(anna.delete(path).status == 204 && anna.get(path).status == 404)
  }

  @Test(
    "Every bad field is named",
    arguments: [
      ("subject", JSON.null, "invalid_type"), ("subject", " ", "too_short"),
      ("subject", "a\nBcc: b@example.org", "control_character"),
      ("subject", .string(String(repeating: "a", count: 256)), "too_long"),
      ("htmlBody", .string(String(repeating: "{{Company}}", count: 1001)), "too_many_placeholders"),
      ("subject", "Hi {{Nickname}}", "unknown_placeholder"), ("subject", "Hi {{", "malformed_placeholder"),
      ("previewText", "{{Oops}}", "unknown_placeholder"), ("htmlBody", 7, "invalid_type"),
      ("htmlBody", "<a href='{{Nope}}'>x</a>", "unknown_placeholder"),
      ("htmlBody", .string(String(repeating: "é", count: 600_000)), "too_long"),
      ("textBody", "{{firstname}}", "unknown_placeholder"),
      ("fromName", "Anna\r\nBcc: b@example.org", "control_character"), ("replyTo", "nobody", "invalid_email"),
      ("fromEmail", "anna@not-mine.example.org", "domain_not_verified"), ("fromEmail", "x", "invalid_email"),
      ("trackOpens", "yes", "invalid_type"), ("status", "sent", "unknown_field"),
    ] as [(String, JSON, String)])
  func badFields(name: String, value: JSON, code: String) throws {
    let anna = try house.account()
    var body: JSONObject = ["subject": "a"]
    body[name] = value
    let answer = anna.post("/api/mailing", .object(body))
    #expect(answer.status == 422 && answer.fields.contains("\(name) \(code)"), "\(answer)")
    #expect(anna.get("/api/mailing")["total"] == 0)
    let path = "/api/mailing/" + (try anna.mailing().string("id"))
    if name != "subject" || value != .null {
      #expect(anna.patch(path, .object([name: value])).fields.contains("\(name) \(code)"))
    }
  }

  @Test func everyUnknownPlaceholderIsNamed() throws {
    let anna = try house.account()
    let answer = anna.post(
      "/api/mailing", ["subject": "{{A}} {{B}}", "htmlBody": "{{C}}", "textBody": "{{D}}"])
    #expect(
      answer.fields == [
        "subject unknown_placeholder", "subject unknown_placeholder", "htmlBody unknown_placeholder",
        "textBody unknown_placeholder",
      ])
    for name in ["{{A}}", "{{B}}", "{{C}}", "{{D}}"] { #expect(answer.text.contains(name)) }
  }

  @Test func mailComesFromTheOperatorsDomainToo() throws {
    let anna = try house.account()
    #expect(try anna.mailing(["fromEmail": "anna@go.example"])["fromEmail"] == "anna@go.example")
  }

  @Test func mailingsAreListedFilteredAndSorted() throws {
    let anna = try house.account()
    for subject in ["Beta news", "alpha", "Gamma news"] {
      _ = try anna.mailing(["subject": .string(subject)])
    }
    let list = anna.get("/api/mailing?limit=2")
    #expect(list["total"] == 3 && JSON.texts(list.items, "subject") == ["Gamma news", "alpha"])
    let next = anna.get("/api/mailing?limit=2&cursor=" + (try list.string("nextCursor")))
    #expect(JSON.texts(next.items, "subject") == ["Beta news"] && next["nextCursor"] == JSON.null)
    #expect(
      JSON.texts(anna.get("/api/mailing?sort=subject").items, "subject") == [
        "alpha", "Beta news", "Gamma news",
      ])
    let first = anna.get("/api/mailing?sort=subject&limit=1")
    let rest = anna.get("/api/mailing?sort=subject&cursor=" + (try first.string("nextCursor")))
    #expect(JSON.texts(rest.items, "subject") == ["Beta news", "Gamma news"])
    #expect(anna.get("/api/mailing?search=NEWS")["total"] == 2)
    #expect(
      anna.get("/api/mailing?status=sent")["total"] == 0
        && anna.get("/api/mailing?status=draft")["total"] == 3)
    #expect(anna.get("/api/mailing?cursor=" + (try first.string("nextCursor"))).status == 422)
    #expect(try house.account().get("/api/mailing")["total"] == 0)
  }

  @Test func aPageOfLargeBodiesIsShort() throws {
    let anna = try house.account()
    let body = JSON.string("<p>" + String(repeating: "a", count: 1_000_000) + "</p>")
    for _ in 0..<10 { _ = try anna.mailing(["htmlBody": body]) }
    var seen = 0
    var cursor = ""
    for _ in 0..<10 {
      let page = anna.get("/api/mailing?limit=100" + cursor)
      #expect(page.status == 200 && page.bytes.count < 10_000_000)
      seen += page.items.count
      guard let next = page["nextCursor"]?.string else { break }
      cursor = "&cursor=" + next
    }
    #expect(seen == 10)
  }

  @Test func aPreviewIsOfAContactOrSomebodyMadeUp() throws {
    let anna = try house.account()
    let mailing = try anna.mailing([
      "subject": "For {{FirstName|you}}",
      "htmlBody": "<p title=\"{{Company|x}}\">Dear {{Name}} &amp; all</p><script>alert(1)</script>",
      "fromName": "Anna",
    ])
    let path = "/api/mailing/" + (try mailing.string("id")) + "/preview"
    let sample = anna.get(path)
    #expect(
      sample.status == 200 && sample["subject"] == "For Alex"
        && sample["from"] == "Anna <no-reply@go.example>")
    let contact = try anna.contacts(house, ["b@example.org"], lastName: "<b>O'Hara</b>")[0]
    let own = anna.get(path + "?contactId=" + contact)
    #expect(own["subject"] == "For you" && own["to"] == "b@example.org")
    #expect(try own.string("html").contains("&lt;b&gt;"), "\(own)")
    #expect(try own.string("text").contains("<b>O'Hara</b>"))
    let page = anna.get(path + "?format=page&contactId=" + contact)
    #expect(page.status == 200 && page.text.contains("sandbox=\"\"") && page.text.contains("srcdoc=\"&lt;p"))
    #expect(
      !page.text.contains("<script") && page.headers[.contentSecurityPolicy]?.contains("script") == false)
    let html = anna.get(path + "?format=html")
    #expect(html.headers[.contentSecurityPolicy]?.hasPrefix("sandbox; default-src 'none'") == true)
    #expect(
      anna.get(path + "?contactId=019a0000-0000-7000-8000-000000000000").fields == ["contactId not_found"])
    #expect(anna.get(path + "?format=pdf").status == 422)
    // Another's contact is not to be seen through a mailing.
    let stranger = try house.account()
    let other = try stranger.contacts(house, ["c@example.org"])[0]
    #expect(anna.get(path + "?contactId=" + other).fields == ["contactId not_found"])
  }

  @Test func addressesInTheTextAreLookedAtToo() throws {
    let anna = try house.account()
    let (dead, live) = (
      try anna.link(["isEnabled": false]).string("shortCode"), try anna.link().string("shortCode")
    )
    let text = """
      Hi {{FirstName|there}}, read https://example.org/a?n={{FirstName|dear reader}}, and (https://printer.local/x).
      http://example.org/ http://example.org/ https://192.0.2.1/ javascript:alert(1) ftp://example.org/x
      https://go.example/\(dead). https://go.example/\(live)! {{UnsubscribeUrl}}
      """
    func items(_ members: JSONObject) throws -> [JSON] {
      let id = try anna.mailing(members).string("id")
      return anna.get("/api/mailing/" + id + "/check")["items"]?.array ?? []
    }
    let plain = try items(["htmlBody": "", "textBody": .string(text)]).filter { $0["field"] == "textBody" }
    #expect(
      JSON.texts(plain, "code") == [
        "private_link", "insecure_link", "ip_link", "unsafe_link", "invalid_link", "dead_link",
      ], "\(plain)")
    #expect(plain.allSatisfy { $0["severity"] == "warning" })
    #expect(plain.first?["message"]?.string?.hasPrefix("The link to https://printer.local/x: ") == true)
    // Each place is named by itself.
    let both = try items([
      "htmlBody": "<a href='http://example.org/'>x</a>", "textBody": "http://example.org/",
    ])
    #expect(
      both.filter { $0["code"] == "insecure_link" }.compactMap { $0["field"]?.string } == [
        "htmlBody", "textBody",
      ])
  }

  @Test func countingNeedsHTML() throws {
    let anna = try house.account()
    func codes(_ members: JSONObject) throws -> [String] {
      var members = members
      members["textBody"] = "Hi {{UnsubscribeUrl}}"
      let id = try anna.mailing(members).string("id")
      let items = anna.get("/api/mailing/" + id + "/check")["items"]?.array ?? []
      return JSON.texts(items.filter { $0["severity"] == "info" }, "code")
    }
    #expect(try codes(["htmlBody": "", "trackClicks": true]).contains("tracking_needs_html"))
    #expect(try codes(["htmlBody": " ", "trackOpens": true]).contains("tracking_needs_html"))
    #expect(try !codes(["htmlBody": ""]).contains("tracking_needs_html"))
    #expect(try !codes(["trackClicks": true, "trackOpens": true]).contains("tracking_needs_html"))
  }

  @Test func aLargeBodyIsNamed() throws {
    let anna = try house.account()
    func codes(_ size: Int) throws -> [String] {
      let html = "{{UnsubscribeUrl}}" + String(repeating: "a", count: size - 18)
      let id = try anna.mailing(["htmlBody": .string(html)]).string("id")
      let items = anna.get("/api/mailing/" + id + "/check")["items"]?.array ?? []
      return JSON.texts(items.filter { $0["field"] == "htmlBody" && $0["severity"] == "warning" }, "code")
    }
    #expect(try codes(102 * 1024) == [])
    #expect(try codes(102 * 1024 + 1) == ["large_body"])
  }

  @Test func theCheckNamesWhatWouldHurt() throws {
    let anna = try house.account()
    let dead = try anna.link(["isEnabled": false]).string("shortCode")
    let live = try anna.link().string("shortCode")
    let body = """
      <p>Hi</p><img src="https://example.org/a.png"><a href="http://example.org/">plain</a>
      <a href="javascript:alert(1)">x</a><a href="https://192.0.2.1/">ip</a><a href="https://printer.local/">p</a>
      <a href="https://evil.example.net/">https://bank.example.com/login</a>
      <a href="https://www.example.com/shop">shop.example.com</a>
      <a href="https://go.example/\(dead)">dead</a><a href="https://go.example/\(live)">live</a>
      <a href="https://go.example/nothing-here">dead</a><a href="/relative">r</a>
      <form action="https://example.org/"><input></form><script>1</script>
      """
    let mailing = try anna.mailing(["htmlBody": .string(body)])
    let path = "/api/mailing/" + (try mailing.string("id"))
    let answer = anna.get(path + "/check")
    #expect(answer.status == 200, "\(answer)")
    let codes = JSON.texts(answer["items"]?.array ?? [], "code")
    for code in [
      "no_recipients", "no_unsubscribe_link", "insecure_link", "unsafe_link", "ip_link", "private_link",
      "misleading_link", "invalid_link", "image_without_alt", "form", "script", "text_from_html", "no_dkim",
    ] {
      #expect(codes.contains(code), "\(code) of \(codes)")
    }
    #expect(codes.count { $0 == "dead_link" } == 2 && codes.count { $0 == "misleading_link" } == 1)
    #expect(codes.first == "no_recipients")
    #expect(anna.post(path + "/check").bytes == answer.bytes)
    let good = try anna.mailing(["textBody": "Hi {{UnsubscribeUrl}}"])
    let contacts = try anna.contacts(house, ["a@example.org", "b@example.org"])
    let goodPath = "/api/mailing/" + (try good.string("id"))
    #expect(
      anna.post(goodPath + "/recipients", ["contactIds": .array(contacts.map { .string($0) })])["added"] == 2)
    _ = try house.app.database.run(
      "UPDATE contacts SET unsubscribed_at = NOW(6) WHERE id = \(ContactID(contacts[0]))")
    let check = anna.get(goodPath + "/check")
    #expect(
      JSON.texts(check["items"]?.array ?? [], "code") == [
        "no_dkim", "suppressed_recipients", "dns_unanswered",
      ], "\(check)")
    #expect(
      check["recipients"] == [
        "total": 2, "willReceive": 1, "unsubscribed": 1, "bounced": 0, "unconfirmed": 0,
      ])
  }
}
