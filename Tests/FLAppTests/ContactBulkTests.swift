import FLHTTP
import FLMariaDB
import FLValues
import Testing

@testable import FLApp

/// Bulk requests, merging and the timeline.
@Suite struct ContactBulkTests {
  private static let shared = Result { try House() }
  let house: House

  init() throws { house = try Self.shared.get() }

  private func account(of anna: Client) throws -> AccountID {
    try #require(AccountID(try anna.get("/api/auth/me").string("id")))
  }

  @Test func aBulkRequestTellsOfEachRow() throws {
    let anna = try house.account()
    _ = try anna.contact(["email": "a@example.org", "firstName": "A"])
    let answer = anna.post(
      "/api/contacts/bulk",
      [
        "contacts": [
          ["email": "A@example.org", "firstName": "B"], ["email": "a@example.org", "firstName": nil],
          ["email": "b@example.org"], "nonsense", ["email": "c"],
        ], "tags": ["t"],
      ])
    #expect(answer.status == 200 && answer["totalSubmitted"] == 5, "\(answer)")
    #expect(answer["created"] == 1 && answer["updated"] == 1 && answer["skipped"] == 1)
    let errors = answer["errors"]?.array ?? []
    #expect(
      errors.map { $0["index"] } == [3, 4] && errors.map { $0["code"] } == ["invalid_type", "invalid_email"])
    #expect(errors.last?["email"] == "c" && errors.last?["field"] == "email")
    #expect(anna.get("/api/contacts?tag=t")["total"] == 2)
    #expect(anna.post("/api/contacts/bulk", ["contacts": []]).status == 422)
    let many = JSON.array(Array(repeating: 1, count: 10_001))
    #expect(anna.post("/api/contacts/bulk", ["contacts": many]).fields == ["contacts too_long"])
    let worst: JSON = .object((0..<100).reduce(into: [:]) { $0["x\($1)"] = 1 })
    #expect(anna.post("/api/contacts/bulk", ["contacts": [worst]])["errors"]?.array?.count == 5)
  }

  /// One statement with all of them would be larger than what a database takes.
  @Test func contactsWithMuchInThemAreTakenByTheHundred() throws {
    let anna = try house.account()
    func contacts(_ letter: String) -> JSON {
      let text = JSON.string(String(repeating: letter, count: 1000))
      let fields = JSON.object((0..<25).reduce(into: [:]) { $0["field\($1)"] = text })
      return .array((0..<400).map { ["email": .string("much\($0)@example.org"), "customFields": fields] })
    }
    // 400 × 25 × 1,000 characters of two bytes: 20 MB.
    let answer = anna.post("/api/contacts/bulk", ["contacts": contacts("é")])
    #expect(answer.status == 200 && answer["created"] == 400, "\(answer.status)")
    let again = anna.post("/api/contacts/bulk", ["contacts": contacts("ö")])
    #expect(again.status == 200 && again["updated"] == 400, "\(again.status)")
  }

  /// Read some at a time, since each may have megabytes of notes; and each is told with what is its own.
  @Test func eachOfManyIsToldToTheWebhooks() throws {
    let anna = try house.account()
    #expect(
      anna.post("/api/webhooks", ["url": "https://hooks.example/", "events": ["contact.updated"]]).status
        == 201)
    let people = try anna.contacts(house, (0..<45).map { "told\($0)@example.org" })
    let change: JSON = ["contactIds": .array(people.map { .string($0) }), "addTags": ["news"]]
    #expect(anna.patch("/api/contacts/bulk/tags", change)["changed"] == 45)
    let told = try house.app.database.rows(
      """
      SELECT JSON_VALUE(e.data, '$.id') AS id, JSON_VALUE(e.data, '$.tags[0]') AS tag
      FROM webhook_events e JOIN accounts a ON a.id = e.account_id WHERE a.email = \(anna.email)
      """)
    #expect(Set(try told.map { try $0["id"] as String }) == Set(people) && told.count == 45)
    #expect(try told.allSatisfy { try $0["tag"] == "news" })
  }

  @Test func tagsArePutOnAndTakenFromMany() throws {
    let anna = try house.account()
    let one = try anna.contact(["email": "one@example.org", "tags": ["a", "b"]])
    _ = try anna.contact(["email": "two@example.org"])
    let stranger = try house.account().contact(["email": "one@example.org"])
    let change: JSON = [
      "contactIds": [one["id"] ?? .null, stranger["id"] ?? .null],
      "emails": ["TWO@example.org", "one@example.org", "no@example.org"], "addTags": ["C"],
      "removeTags": ["A"],
    ]
    let answer = anna.patch("/api/contacts/bulk/tags", change)
    #expect(answer.status == 200 && answer["matched"] == 2 && answer["changed"] == 2, "\(answer)")
    #expect(anna.get(try one.path("/api/contacts"))["tags"] == ["b", "C"])
    #expect(anna.patch("/api/contacts/bulk/tags", change)["changed"] == 0)
    #expect(anna.get("/api/contacts?tag=c")["total"] == 2)
    #expect(anna.patch("/api/contacts/bulk/tags", [:])["matched"] == 0)
    // One that has no room for them stays as it is, and stops no other.
    let full = JSON.array((0..<49).map { .string("t\($0)") })
    let some = anna.patch(
      "/api/contacts/bulk/tags", ["emails": ["one@example.org", "two@example.org"], "addTags": full])
    #expect(some.status == 200 && some["matched"] == 2 && some["changed"] == 1, "\(some)")
    #expect(
      some["errors"]?.array?.map { $0["contactId"] } == [one["id"]]
        && some["errors"]?[0]?["code"] == "too_long")
    #expect(anna.get(try one.path("/api/contacts"))["tags"] == ["b", "C"])
    #expect(anna.get("/api/contacts?tag=t1")["total"] == 1)
  }

  @Test func aBadRowStillUnsubscribes() throws {
    let anna = try house.account()
    let there = try anna.contact(["email": "there@example.org"]).path("/api/contacts")
    let full = try anna.contact([
      "email": "full@example.org", "tags": .array((0..<50).map { .string("t\($0)") }),
    ]).path("/api/contacts")
    let row: (String) -> JSON = { ["email": .string($0), "birthday": "never", "isUnsubscribed": true] }
    let answer = anna.post(
      "/api/contacts/bulk",
      [
        "contacts": [
          row("There@example.org"), row("new@example.org"), row("nobody"),
          ["email": "full@example.org", "tags": ["more"], "isBounced": true, "isUnsubscribed": true],
          ["email": "made@example.org"], row("made@example.org"),
        ]
      ])
    #expect(answer["created"] == 1 && answer["updated"] == 0, "\(answer)")
    #expect(Set(answer["errors"]?.array?.map { $0["index"]?.integer ?? -1 } ?? []) == [0, 1, 2, 3, 5])
    #expect(anna.get(there)["unsubscribeReason"] == "api")
    #expect(anna.get(full)["isBounced"] == true && anna.get(full)["isUnsubscribed"] == true)
    #expect(anna.get("/api/contacts?search=made")["items"]?[0]?["isUnsubscribed"] == true)
    #expect(anna.get("/api/contacts")["total"] == 3)
    #expect(try anna.contact(["email": "new@example.org"])["isUnsubscribed"] == true)
  }

  @Test func mergingKeepsAllThatIsKnown() throws {
    let anna = try house.account()
    let kept = try anna.contact([
      "email": "bob@example.org", "firstName": "Bob", "phones": [["number": "+41 79 1"]], "tags": ["a"],
      "customFields": ["x": 1],
    ])
    let other = try anna.contact([
      "email": "b@example.org", "firstName": "Robert", "lastName": "Miller", "birthday": "1984-02-29",
      "phones": [["number": "+41791"], ["number": "2"]], "notes": [["body": "n"]], "tags": ["A", "b"],
      "customFields": ["x": 2, "y": 3], "isUnsubscribed": true, "isBounced": true,
    ])
    let path = try kept.path("/api/contacts")
    let body: JSON = ["contactIds": [other["id"] ?? .null]]
    #expect(anna.post(path + "/merge", body, [.ifMatch: "\"9\""]).status == 412)
    let merged = anna.post(path + "/merge", body)
    #expect(merged.status == 200 && merged["id"] == kept["id"], "\(merged)")
    #expect(merged["name"] == "Bob Miller" && merged["birthday"] == "1984-02-29")
    #expect(merged["phones"]?.array?.map { $0["number"] } == ["+41 79 1", "2"])
    #expect(merged["notes"] == other["notes"] && merged["tags"] == ["a", "b"])
    #expect(merged["customFields"] == ["x": 1, "y": 3])
    #expect(merged["unsubscribeReason"] == "merge" && merged["isBounced"] == false)
    #expect(anna.get(try other.path("/api/contacts")).status == 404)
    #expect(anna.get("/api/contacts?search=miller")["total"] == 1)
    // The address that is gone stays as it was.
    #expect(try anna.contact(["email": "b@example.org"])["isBounced"] == true)
    let stranger = try house.account().contact()
    let refused = anna.post(
      path + "/merge", ["contactIds": [kept["id"] ?? .null, stranger["id"] ?? .null]])
    #expect(refused.fields == ["contactIds[0] same_contact", "contactIds[1] not_found"])
  }

  @Test func mergingMovesGroupsAndHistory() throws {
    let anna = try house.account()
    let account = try account(of: anna)
    let kept = try #require(ContactID(try anna.contact(["email": "k@example.org"]).string("id")))
    let gone = try #require(ContactID(try anna.contact(["email": "g@example.org"]).string("id")))
    let groups = (0..<2).map { _ in ID<ContactMembership>(at: .now) }
    let mailings = (0..<3).map { _ in ID<ContactEvent>(at: .now) }
    let database = house.app.database
    for (index, group) in groups.enumerated() {
      _ = try database.run(
        """
        INSERT INTO contact_groups (id, account_id, name, created_at, updated_at)
        VALUES (\(group), \(account), \("Group \(index)"), NOW(), NOW())
        """)
      for contact in index == 0 ? [kept, gone] : [gone] {
        _ = try database.run(
          """
          INSERT INTO contact_group_members (group_id, contact_id, status, added_at)
          VALUES (\(group), \(contact), \(contact == kept ? "pending" : "confirmed"), NOW())
          """)
      }
    }
    for (index, mailing) in mailings.enumerated() {
      try insert(mailing, "Mailing \(index)", account)
      for contact in index == 0 ? [kept, gone] : [gone] {
        _ = try database.run(
          """
          INSERT INTO mailing_recipients (mailing_id, contact_id, email, status, sent_at)
          VALUES (\(mailing), \(contact), 'g@example.org', \(index == 1 ? "pending" : "sent"), NOW())
          """)
      }
    }
    let merged = anna.post("/api/contacts/\(kept)/merge", ["contactIds": [.string("\(gone)")]])
    #expect(merged["groups"]?.array?.map { $0["status"] } == ["pending", "confirmed"], "\(merged)")
    let rows = try database.rows(
      "SELECT mailing_id, email FROM mailing_recipients WHERE contact_id = \(kept) ORDER BY mailing_id")
    let emails: [String] = try rows.map { try $0["email"] }
    // What waits keeps the address for which it was settled that it goes out, until a sender looks.
    #expect(emails == Array(repeating: "g@example.org", count: 3))
    #expect(try house.count("SELECT COUNT(*) FROM mailing_recipients WHERE contact_id = \(gone)") == 1)
    // What is signed for the one that is gone is the other's now, also when that goes into a third.
    let rowsOfAccount = ContactRows(account: account, queries: database)
    #expect(try rowsOfAccount.current(gone) == kept)
    let third = try #require(ContactID(try anna.contact().string("id")))
    #expect(
      anna.post("/api/contacts/\(third)/merge", ["contactIds": [.string("\(kept)")]]).status == 200)
    #expect(try rowsOfAccount.current(gone) == third && rowsOfAccount.current(kept) == third)
    #expect(try rowsOfAccount.current(third) == third && rowsOfAccount.current(ContactID(at: .now)) == nil)
  }

  private func insert(_ mailing: ID<ContactEvent>, _ subject: String, _ account: AccountID) throws {
    _ = try house.app.database.run(
      """
      INSERT INTO mailings (id, account_id, mark, subject, html_body, created_at, updated_at)
      VALUES (\(mailing), \(account), \(Array(mailing.bytes.suffix(5))), \(subject), '', NOW(), NOW())
      """)
  }

  @Test func theTimelineHasAllThatHappened() throws {
    let anna = try house.account()
    let account = try account(of: anna)
    let contact = try anna.contact(["notes": [["body": "called"]], "isUnsubscribed": true])
    let id = try #require(ContactID(try contact.string("id")))
    let mailing = ID<ContactEvent>(at: .now)
    try insert(mailing, "Spring", account)
    _ = try house.app.database.run(
      """
      INSERT INTO mailing_recipients (mailing_id, contact_id, email, status, sent_at, opened_at, clicked_at)
      VALUES (\(mailing), \(id), 'x', 'sent', '2030-01-01', '2030-01-02', '2030-01-02')
      """)
    var seen: [JSON] = []
    var cursor = ""
    let path = "/api/contacts/\(id)/timeline?limit=1"
    repeat {
      let page = anna.get(path + cursor)
      #expect(page["total"] == 6, "\(page)")
      seen += page.items
      cursor = page["nextCursor"]?.string.map { "&cursor=" + $0 } ?? ""
    } while !cursor.isEmpty && seen.count < 20
    try #require(seen.count == 6)
    #expect(seen.prefix(3).map { $0["type"] } == ["mailing.clicked", "mailing.opened", "mailing.sent"])
    #expect(seen[0]["mailing"] == ["id": .string("\(mailing)"), "subject": "Spring"])
    #expect(seen[0]["at"] == "2030-01-02T00:00:00Z" && seen[0]["note"] == JSON.null)
    let rest = seen.dropFirst(3)
    #expect(
      Set(rest.compactMap { $0["type"]?.string }) == [
        "contact.created", "contact.unsubscribed", "note.added",
      ])
    #expect(rest.first { $0["type"] == "note.added" }?["note"]?["body"] == "called")
    #expect(rest.first { $0["type"] == "contact.unsubscribed" }?["reason"] == "api")
    let list = anna.get("/api/contacts?limit=1")
    #expect(list.items.count == 1)
    #expect(
      anna.get(path + "&cursor=WyIiLCIiLCIwMTlhMDAwMC0wMDAwLTcwMDAtODAwMC0wMDAwMDAwMDAwMDAiXQ").status == 422)
    #expect(try house.account().get(path).status == 404)
  }

  /// A mailing of `account` to `contact`, begun and ended at given times, whose row has these columns beside.
  private func mailed(
    _ account: AccountID, _ contact: ContactID, _ subject: String, started: String? = "2030-02-01",
    finished: String? = "2030-02-02", _ columns: SQL
  ) throws {
    let mailing = ID<ContactEvent>(at: .now)
    try insert(mailing, subject, account)
    try house.app.database.run(
      "UPDATE mailings SET started_at = \(started), finished_at = \(finished) WHERE id = \(mailing)")
    try house.app.database.run(
      "INSERT INTO mailing_recipients SET mailing_id = \(mailing), contact_id = \(contact), email = 'x', \(columns)"
    )
  }

  @Test func theTimelineTellsWhatBecameOfEachMessage() throws {
    let anna = try house.account()
    let account = try account(of: anna)
    let contact = try anna.contact()
    let id = try #require(ContactID(try contact.string("id")))
    let hour: SQL = "'2030-03-01 10:00:00'"
    // What was tried has its time; what was tried before that was noted has the mailing's.
    try mailed(account, id, "no", "status = 'failed', smtp_reply = '554 no', attempted_at = \(hour)")
    try mailed(account, id, "no, once", "status = 'failed', smtp_reply = '554 no'")
    try mailed(account, id, "who knows", "status = 'uncertain', smtp_reply = 'lost', attempted_at = \(hour)")
    try mailed(
      account, id, "who knew", finished: nil, "status = 'uncertain', smtp_reply = 'lost once'")
    try mailed(account, id, "left", "status = 'skipped', skipped_reason = 'unsubscribed'")
    try mailed(
      account, id, "left since",
      "status = 'skipped', skipped_reason = 'unsubscribed', attempted_at = \(hour)")
    try mailed(
      account, id, "over", started: nil, "status = 'skipped', skipped_reason = 'cancelled'")
    try mailed(
      account, id, "over halfway",
      "status = 'skipped', skipped_reason = 'cancelled', attempted_at = \(hour)")
    try mailed(
      account, id, "back",
      "status = 'bounced', smtp_reply = '550 gone', sent_at = '2030-01-01', bounced_at = '2030-01-03'")
    try mailed(
      account, id, "farewell", "status = 'sent', sent_at = '2030-01-02', unsubscribed_at = '2030-01-04'")
    // Nothing has happened yet with what waits, and with drafts.
    try mailed(account, id, "waits", "status = 'pending', attempted_at = \(hour)")
    try mailed(
      account, id, "draft", started: nil, finished: nil, "status = 'skipped', skipped_reason = 'bounced'")
    let group = ContactGroupID(at: .now)
    for statement: SQL in [
      """
      INSERT INTO contact_groups (id, account_id, name, created_at, updated_at)
      VALUES (\(group), \(account), 'Club', NOW(), NOW())
      """,
      """
      INSERT INTO contact_group_members (group_id, contact_id, status, added_at, confirmed_at)
      VALUES (\(group), \(id), 'confirmed', '2030-01-05', '2030-01-06')
      """,
      """
      UPDATE contacts SET created_at = '2029-01-01', bounced_at = '2030-01-07', bounce_reason = '550 gone'
      WHERE id = \(id)
      """,
    ] { try house.app.database.run(statement) }

    let expected = [
      "2030-03-01T10:00:00Z mailing.failed no: 554 no",
      "2030-03-01T10:00:00Z mailing.skipped left since: unsubscribed",
      "2030-03-01T10:00:00Z mailing.uncertain who knows: lost",
      "2030-02-02T00:00:00Z mailing.failed no, once: 554 no",
      "2030-02-02T00:00:00Z mailing.skipped over: cancelled",
      "2030-02-02T00:00:00Z mailing.skipped over halfway: cancelled",
      "2030-02-01T00:00:00Z mailing.skipped left: unsubscribed",
      "2030-02-01T00:00:00Z mailing.uncertain who knew: lost once",
      "2030-01-07T00:00:00Z contact.bounced -: 550 gone",
      "2030-01-06T00:00:00Z group.confirmed Club: -", "2030-01-05T00:00:00Z group.added Club: -",
      "2030-01-04T00:00:00Z mailing.unsubscribed farewell: -",
      "2030-01-03T00:00:00Z mailing.bounced back: 550 gone",
      "2030-01-02T00:00:00Z mailing.sent farewell: -", "2030-01-01T00:00:00Z mailing.sent back: -",
      "2029-01-01T00:00:00Z contact.created -: -",
    ]
    // Page by page, of any size, it is the same.
    for limit in [1, 2, 4, 100] {
      var seen: [String] = []
      var cursor = ""
      repeat {
        let page = anna.get("/api/contacts/\(id)/timeline?limit=\(limit)\(cursor)")
        #expect(page["total"] == .integer(Int64(expected.count)), "\(page)")
        seen += page.items.map(Self.words)
        cursor = page["nextCursor"]?.string.map { "&cursor=" + $0 } ?? ""
      } while !cursor.isEmpty && seen.count < 50
      #expect(seen == expected, "\(limit)")
    }
  }

  /// An event in words: when, what, about what, why.
  private static func words(_ event: JSON) -> String {
    let about = event["mailing"]?["subject"]?.string ?? event["group"]?["name"]?.string ?? "-"
    let (at, type) = (event["at"]?.string ?? "", event["type"]?.string ?? "")
    return "\(at) \(type) \(about): \(event["reason"]?.string ?? "-")"
  }
}
