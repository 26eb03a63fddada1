import FLHTTP
import FLMariaDB
import FLValues
import HTTPTypes
import Testing

@testable import FLApp

/// Groups of contacts, and who is in them.
@Suite struct ContactGroupTests {
  private static let shared = Result { try House() }
  let house: House

  init() throws { house = try Self.shared.get() }

  @Test func aGroupIsMadeReadChangedAndDeleted() throws {
    let anna = try house.account()
    let made = anna.post("/api/contact-groups", ["name": " News ", "description": "Once\na month"])
    #expect(made.status == 201 && made["name"] == "News" && made["description"] == "Once\na month")
    #expect(made["requireDoubleOptIn"] == false && made["isPublic"] == false)
    #expect(made["memberCount"] == 0 && made["pendingCount"] == 0 && made["subscribeUrl"] == JSON.null)
    let path = "/api/contact-groups/" + (try made.string("id"))
    #expect(made.location == path && anna.get(path).bytes == made.bytes)
    let old: HTTPFields = [.ifMatch: made.headers[.eTag] ?? ""]
    let changed = anna.patch(path, ["isPublic": true, "description": nil, "requireDoubleOptIn": true], old)
    #expect(
      changed.status == 200 && changed["description"] == JSON.null && changed["requireDoubleOptIn"] == true)
    #expect(changed["subscribeUrl"] == .string("https://go.example/m/subscribe/" + (try made.string("id"))))
    #expect(anna.patch(path, ["name": "x"], old).status == 412 && anna.delete(path, old).status == 412)
    #expect(anna.get(path, [.ifNoneMatch: changed.headers[.eTag] ?? ""]).status == 304)
    // Who subscribes meanwhile changes what is shown, and nothing that somebody is about to change.
    let tag: HTTPFields = [.ifMatch: changed.headers[.eTag] ?? ""]
    _ = anna.post(path + "/members", ["emails": ["tag@example.org"], "createMissing": true])
    #expect(anna.get(path, [.ifNoneMatch: changed.headers[.eTag] ?? ""]).status == 200)
    #expect(anna.patch(path, ["name": "Newer"], tag).status == 200)
    #expect(anna.delete(path).status == 204 && anna.get(path).status == 404)
  }

  @Test(
    "Every bad field is named",
    arguments: [
      ("name", JSON.null, "invalid_type"), ("name", "", "too_short"),
      ("name", .string(String(repeating: "a", count: 256)), "too_long"),
      ("name", "a\nb", "control_character"),
      ("description", .string(String(repeating: "a", count: 2001)), "too_long"),
      ("requireDoubleOptIn", "yes", "invalid_type"), ("isPublic", 1, "invalid_type"),
      ("memberCount", 1, "unknown_field"),
    ] as [(String, JSON, String)])
  func badFields(name: String, value: JSON, code: String) throws {
    let anna = try house.account()
    var body: JSONObject = ["name": "a"]
    body[name] = value
    let answer = anna.post("/api/contact-groups", .object(body))
    #expect(answer.status == 422 && answer.fields == ["\(name) \(code)"], "\(answer)")
    let path = try anna.group()
    let patch = anna.patch(path, .object([name: value]))
    #expect(patch.status == 422 && patch.fields == ["\(name) \(code)"], "\(patch)")
  }

  @Test func aNameIsThereOnceWithoutRegardToCase() throws {
    let anna = try house.account()
    _ = try anna.group("News")
    let again = anna.post("/api/contact-groups", ["name": "NEWS"])
    #expect(again.status == 409 && again.fields == ["name taken"])
    let other = try anna.group("Olds")
    #expect(anna.patch(other, ["name": "nEWS"]).status == 409)
    #expect(anna.patch(other, ["name": "OLDS"])["name"] == "OLDS")
    _ = try house.account().group("News")
  }

  @Test func listsArePagedInBothOrders() throws {
    let anna = try house.account()
    let names = ["b", "A", "ä", "c_", "100%", "z"]
    for name in names { _ = try anna.group(name) }
    for (order, first) in [("name", "100%"), ("-createdAt", "z")] {
      var seen: [String] = []
      var cursor = ""
      repeat {
        let page = anna.get("/api/contact-groups?limit=2&sort=\(order)\(cursor)")
        #expect(page["total"] == 6)
        seen += JSON.texts(page.items, "name")
        cursor = page["nextCursor"]?.string.map { "&cursor=" + $0 } ?? ""
      } while !cursor.isEmpty && seen.count < 20
      #expect(seen.first == first && seen.sorted() == names.sorted())
    }
    let byName = try #require(anna.get("/api/contact-groups?limit=2")["nextCursor"]?.string)
    #expect(anna.get("/api/contact-groups?sort=-createdAt&cursor=\(byName)").status == 422)
    #expect(anna.get("/api/contact-groups?search=%25")["total"] == 1)
  }

  @Test func contactsAreAddedByIDAndByAddress() throws {
    let anna = try house.account()
    let stranger = try house.account()
    let group = try anna.group()
    let one = try anna.contact("One@example.org", ["firstName": "One"])
    _ = try anna.contact("two@example.org")
    let theirs = try stranger.contact("one@example.org")
    let answer = anna.post(
      group + "/members",
      [
        "contactIds": [.string(one), "17", .string(theirs), .string(one)],
        "emails": [" TWO@example.org ", "nonsense", "three@example.org", "one@example.org", ""],
      ])
    #expect(answer.status == 200 && answer["added"] == 2 && answer["created"] == 0, "\(answer)")
    #expect(answer["alreadyMembers"] == 0 && answer["skipped"] == 1)
    let errors = (answer["errors"]?.array ?? []).map {
      "\($0["field"]?.string ?? "")[\($0["index"]?.integer ?? -1)] \($0["code"]?.string ?? "")"
    }
    #expect(
      errors == [
        "contactIds[1] invalid_id", "contactIds[2] not_found", "emails[1] invalid_email",
        "emails[4] invalid_email",
      ])
    #expect(answer["errors"]?[2]?["value"] == "nonsense" && answer["errors"]?[2]?["message"] != nil)
    #expect(anna.members(group) == ["One@example.org confirmed", "two@example.org confirmed"])
    #expect(anna.get(group)["memberCount"] == 2 && anna.get(group)["pendingCount"] == 0)
    // Again, with the missing one made.
    let again = anna.post(
      group + "/members",
      ["emails": ["one@example.org", "Three@example.org", "three@EXAMPLE.org"], "createMissing": true])
    #expect(again["added"] == 1 && again["created"] == 1 && again["alreadyMembers"] == 1, "\(again)")
    #expect(again["skipped"] == 0 && again["errors"] == .array([]))
    #expect(anna.get("/api/contacts?search=three")["total"] == 1)
    // Nobody had to confirm, and nobody is told to have done so.
    #expect(anna.get(group + "/members").items.allSatisfy { $0["confirmedAt"] == JSON.null })
    #expect(try house.mails(to: "Three@example.org").isEmpty)
    #expect(stranger.get("/api/contacts")["total"] == 1)
  }

  @Test func aBodyThatIsNoListIsRefused() throws {
    let anna = try house.account()
    let group = try anna.group()
    let answer = anna.post(group + "/members", ["emails": [1, "a@example.org"], "contactIds": "x"])
    #expect(answer.status == 422 && answer.fields.contains("emails[0] invalid_type"), "\(answer)")
    #expect(answer.fields.contains("contactIds invalid_type"))
    let many = JSON.array(Array(repeating: "a@example.org", count: 10_001))
    #expect(anna.post(group + "/members", ["emails": many]).fields == ["emails too_long"])
    #expect(
      anna.post(group + "/members/remove", ["contactIds": ["17"]]).fields == ["contactIds[0] invalid_id"])
    #expect(anna.post(group + "/members", [:])["added"] == 0)
  }

  @Test func membersAreListedSearchedAndPaged() throws {
    let anna = try house.account()
    let group = try anna.group("Asked", ["requireDoubleOptIn": true])
    let emails = (1...7).map { "m\($0)@example.org" } + ["x%y@example.org"]
    let body: JSON = ["emails": .array(emails.map { .string($0) }), "createMissing": true]
    #expect(anna.post(group + "/members", body)["added"] == 8)
    var seen: [String] = []
    var cursor = ""
    repeat {
      let page = anna.get(group + "/members?limit=3\(cursor)")
      #expect(page["total"] == 8)
      seen += JSON.texts(page.items, "email")
      cursor = page["nextCursor"]?.string.map { "&cursor=" + $0 } ?? ""
    } while !cursor.isEmpty && seen.count < 20
    #expect(seen.sorted() == emails.sorted())
    #expect(anna.get(group + "/members?search=M1")["total"] == 1)
    #expect(anna.get(group + "/members?search=%25")["total"] == 0)
    #expect(anna.get(group + "/members?search=x%25")["total"] == 1)
    #expect(anna.get(group + "/members?status=confirmed")["total"] == 0)
    #expect(anna.get(group + "/members?status=pending&search=m")["total"] == 7)
    #expect(anna.get(group + "/members?status=odd").status == 422)
    let groups = try #require(anna.get("/api/contact-groups?limit=1")["nextCursor"])
    #expect(groups == JSON.null)
    _ = try anna.group("Zoo")
    let foreign = try #require(anna.get("/api/contact-groups?limit=1")["nextCursor"]?.string)
    #expect(anna.get(group + "/members?cursor=" + foreign).status == 422)
    #expect(
      anna.get(group)["pendingCount"] == 8
        && anna.get("/api/contacts?limit=1").items.first?["groups"] != JSON.null)
  }

  @Test func membersAreRemovedOneByOneAndInBulk() throws {
    let anna = try house.account()
    let group = try anna.group()
    let ids = try (1...4).map { try anna.contact("r\($0)@example.org") }
    #expect(anna.post(group + "/members", ["contactIds": .array(ids.map { .string($0) })])["added"] == 4)
    #expect(anna.delete(group + "/members/" + ids[0]).status == 204)
    #expect(anna.delete(group + "/members/" + ids[0]).status == 404)
    let answer = anna.post(
      group + "/members/remove",
      [
        "contactIds": [.string(ids[1]), .string(ids[0])],
        "emails": ["R2@example.org", "r3@example.org", "?"],
      ])
    #expect(answer.status == 200 && answer["removed"] == 2)
    #expect(anna.members(group) == ["r4@example.org confirmed"] && anna.get("/api/contacts")["total"] == 4)
    #expect(try house.account().delete(group + "/members/" + ids[3]).status == 404)
    #expect(anna.delete(group).status == 204 && anna.get("/api/contacts")["total"] == 4)
  }

  @Test func thoseWhoWereNeverAskedAreAskedTogether() throws {
    let house = try House()
    house.clock.move()
    let anna = try house.account()
    let group = try anna.group("Imported", ["requireDoubleOptIn": true])
    let names = ["asked", "first", "second", "bounced", "left"]
    let ids = try names.map { try anna.contact("\($0)@example.org") }
    func add(_ ids: [String], _ asks: Bool) {
      let addition: JSON = [
        "contactIds": .array(ids.map { .string($0) }), "sendConfirmation": .bool(asks),
      ]
      #expect(anna.post(group + "/members", addition).status == 200)
    }
    add(Array(ids.prefix(1)), true)
    add(Array(ids.dropFirst()), false)
    _ = try house.app.database.run("UPDATE contacts SET bounced_at = NOW(6) WHERE email_key LIKE 'bounced@%'")
    _ = try house.app.database.run(
      "UPDATE contacts SET unsubscribed_at = NOW(6) WHERE email_key LIKE 'left@%'")
    let asked = anna.post(group + "/members/resend")
    #expect(asked.status == 202 && asked["asked"] == 2 && asked["hasMore"] == false, "\(asked)")
    for name in ["asked", "first", "second"] {
      #expect(
        try house.count("SELECT COUNT(*) FROM mail_outbox WHERE recipient = \(name + "@example.org")") == 1)
    }
    #expect(try house.count("SELECT COUNT(*) FROM mail_outbox WHERE recipient LIKE '%@example.org'") == 3)
    #expect(anna.post(group + "/members/resend")["asked"] == 0)
    // As long as the question holds nobody is asked again.
    house.clock.move(by: 29 * 86_400)
    #expect(try anna.loggedIn().post(group + "/members/resend")["asked"] == 0)
    house.clock.move(by: 2 * 86_400)
    #expect(try anna.loggedIn().post(group + "/members/resend")["asked"] == 3)
    #expect(try house.account().post(group + "/members/resend").status == 404)
  }

  @Test func tenThousandAreAddedAskedAndRemovedAtOnce() throws {
    let anna = try house.account()
    let group = try anna.group("Many", ["requireDoubleOptIn": true])
    let emails = JSON.array((0..<10_000).map { .string("many\($0)@example.org") })
    let answer = anna.post(group + "/members", ["emails": emails, "createMissing": true])
    #expect(answer["added"] == 10_000 && answer["created"] == 10_000, "\(answer)")
    #expect(
      try house.count("SELECT COUNT(*) FROM mail_outbox WHERE recipient LIKE 'many%'") == 10_000)
    let again = anna.post(group + "/members", ["emails": emails])
    #expect(again["alreadyMembers"] == 10_000 && again["added"] == 0)
    #expect(anna.get(group)["pendingCount"] == 10_000)
    #expect(anna.post(group + "/members/remove", ["emails": emails])["removed"] == 10_000)
    #expect(anna.post(group + "/members", ["emails": emails])["added"] == 10_000)
    // Who was asked today is not asked again.
    #expect(
      try house.count("SELECT COUNT(*) FROM mail_outbox WHERE recipient LIKE 'many%'") == 10_000)
    try house.app.database.run("DELETE FROM mail_outbox WHERE recipient LIKE 'many%'")
    // With one more the sender takes the members away; not one goes when the group is not as the caller knows it.
    let one: JSON = ["emails": ["one-more@example.org"], "createMissing": true, "sendConfirmation": false]
    #expect(anna.post(group + "/members", one)["added"] == 1)
    #expect(anna.send(.delete, group, [.ifMatch: "\"77\""]).status == 412)
    #expect(anna.get(group)["memberCount"] == 10_001)
    #expect(anna.delete(group).status == 204 && anna.get(group).status == 404)
    #expect(anna.get("/api/contacts")["total"] == 10_001)
    let id = try #require(ContactGroupID(String(group.split(separator: "/").last ?? "")))
    let members: SQL = "SELECT COUNT(*) FROM contact_group_members WHERE group_id = \(id)"
    // Nobody waited for them, and nobody sees that they are there: the group was somebody's, and is nobody's.
    #expect(try house.count(members) == 10_001)
    let contacts = anna.get("/api/contacts?search=one-more").items
    #expect(contacts.count == 1 && contacts.allSatisfy { $0["groups"] == [] })
    #expect(anna.get("/api/contact-groups")["total"] == 0)
    #expect(anna.get("/api/contacts?groupId=\(id)")["total"] == 0)
    #expect(anna.post(group + "/members", one).status == 404)
    // The name is free.
    _ = try anna.group("Many")
    try house.app.purge(at: .now)
    #expect(try house.count(members) == 0)
    #expect(try house.count("SELECT COUNT(*) FROM contact_groups WHERE id = \(id)") == 0)
  }

  @Test func additionsInParallelCountEachMemberOnce() throws {
    let anna = try house.account()
    let group = try anna.group("Raced", ["requireDoubleOptIn": true])
    let emails = JSON.array((0..<200).map { .string("raced\($0)@example.org") })
    let answers = inParallel(6) { _ in
      anna.post(group + "/members", ["emails": emails, "createMissing": true])
    }
    #expect(answers.allSatisfy { $0.status == 200 }, "\(answers)")
    #expect(answers.reduce(0) { $0 + ($1["added"]?.integer ?? 0) } == 200)
    #expect(answers.reduce(0) { $0 + ($1["created"]?.integer ?? 0) } == 200)
    #expect(
      try house.count("SELECT COUNT(*) FROM mail_outbox WHERE recipient LIKE 'raced%'") == 200)
  }

  @Test func aFormForOtherSitesIsGiven() throws {
    let anna = try house.account()
    let group = try anna.group("\"><script>alert(1)</script>", ["isPublic": true])
    let form = anna.get(group + "/embed")
    let url = try form.string("url")
    #expect(form.status == 200 && url == "https://go.example/m/subscribe/" + group.suffix(36))
    #expect(form["isPublic"] == true)
    let html = try form.string("html")
    #expect(html.contains("<form action=\"\(url)\" method=\"post\"") && html.contains("name=\"homepage\""))
    #expect(try form.string("iframe").contains("src=\"\(url)?embed=1\""))
    #expect(!form.text.contains("<script"))
  }
}
