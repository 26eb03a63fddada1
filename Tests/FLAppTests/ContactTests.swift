import FLHTTP
import FLMariaDB
import FLValues
import Testing

@testable import FLApp

/// Contacts, one by one, and what belongs to them.
@Suite struct ContactTests {
  private static let shared = Result { try House() }
  let house: House

  init() throws { house = try Self.shared.get() }

  private func texts(_ json: JSON?, _ name: String) -> [String] {
    json?.array?.compactMap { $0[name]?.string } ?? []
  }

  @Test func aContactIsMadeReadChangedAndDeleted() throws {
    let anna = try house.account()
    let made = try anna.contact([
      "email": "Bob@Example.org", "firstName": "Bob", "lastName": "Miller", "company": "Miller & Co",
      "jobTitle": "Baker", "birthday": "1984-02-29", "source": "fair",
      "phones": [["label": "work", "number": "+41 79 123 45 67"], ["number": "2"]],
      "addresses": [["line1": "High Street 1", "city": "Bern", "country": "ch"]],
      "websites": [["url": "https://miller.example/"]], "notes": [["body": "one\ntwo"]],
      "tags": ["VIP"], "customFields": ["colour": "green", "orders": 3, "isPartner": true, "gone": nil],
    ])
    #expect(made["name"] == "Bob Miller" && made["birthday"] == "1984-02-29")
    #expect(texts(made["phones"], "number") == ["+41 79 123 45 67", "2"])
    #expect(texts(made["addresses"], "country") == ["CH"] && texts(made["notes"], "body") == ["one\ntwo"])
    #expect(made["customFields"] == ["colour": "green", "orders": 3, "isPartner": true])
    #expect(made["isBounced"] == false && made["isUnsubscribed"] == false && made["groups"] == [])
    let path = try made.path("/api/contacts")
    #expect(anna.get(path).bytes == made.bytes)
    #expect(anna.get(path, [.ifNoneMatch: made.headers[.eTag] ?? ""]).status == 304)
    let changed = anna.patch(
      path,
      [
        "name": "Dr Bob Miller", "jobTitle": nil, "customFields": ["orders": nil, "size": .number(4.5)],
        "tags": ["a", "b"],
      ])
    #expect(changed.status == 200 && changed["name"] == "Dr Bob Miller" && changed["jobTitle"] == JSON.null)
    #expect(changed["customFields"] == ["colour": "green", "isPartner": true, "size": .number(4.5)])
    #expect(changed["tags"] == ["a", "b"] && changed["company"] == "Miller & Co")
    #expect(anna.patch(path, ["customFields": nil])["customFields"] == [:])
    #expect(anna.patch(path, ["name": "x"], [.ifMatch: made.headers[.eTag] ?? ""]).status == 412)
    #expect(anna.delete(path, [.ifMatch: made.headers[.eTag] ?? ""]).status == 412)
    #expect(anna.delete(path).status == 204 && anna.get(path).status == 404)
    #expect(
      try house.count(
        "SELECT COUNT(*) FROM contact_words w WHERE NOT EXISTS (SELECT 1 FROM contacts c WHERE c.id = w.contact_id)"
      ) == 0)
  }

  @Test func anAddressIsThereOnceWithoutRegardToCase() throws {
    let anna = try house.account()
    _ = try anna.contact(["email": "bob@example.org"])
    let again = anna.post("/api/contacts", ["email": "BOB@example.org"])
    #expect(again.status == 409 && again.fields == ["email taken"])
    let other = try anna.contact()
    #expect(anna.patch(try other.path("/api/contacts"), ["email": "Bob@Example.org"]).status == 409)
    #expect(try house.account().contact(["email": "bob@example.org"]).status == 201)
  }

  @Test(
    "Every bad field is named",
    arguments: [
      ("email", JSON.null, "email invalid_type"), ("email", "x", "email invalid_email"),
      ("email", "a@b@c.org", "email invalid_email"),
      ("email", "a\r\nBcc: x@example.org", "email invalid_email"),
      ("firstName", .string(String(repeating: "a", count: 256)), "firstName too_long"),
      ("firstName", "a\nb", "firstName control_character"),
      ("birthday", "1985-02-29", "birthday invalid_date"),
      ("birthday", "29.2.1984", "birthday invalid_date"), ("birthday", "0000-01-01", "birthday invalid_date"),
      ("phones", [["number": "none"]], "phones[0].number invalid_phone"),
      ("phones", .array(Array(repeating: ["number": "1"], count: 21)), "phones too_long"),
      ("phones", [["number": "1", "x": 1]], "phones[0].x unknown_field"),
      ("addresses", [["country": "XX"]], "addresses[0].country invalid_country"),
      ("addresses", [["label": "home"]], "addresses[0] required"),
      ("websites", [["url": "javascript:alert(1)"]], "websites[0].url invalid_url"),
      ("notes", [["body": .string(String(repeating: "a", count: 5001))]], "notes[0].body too_long"),
      ("customFields", ["": 1], "customFields. too_short"),
      ("customFields", ["a": [1]], "customFields.a invalid_type"),
      ("customFields", ["a": .string(String(repeating: "a", count: 1001))], "customFields.a too_long"),
      ("customFields", [1], "customFields invalid_type"),
      ("customFields", .object((0...50).reduce(into: [:]) { $0["f\($1)"] = 1 }), "customFields too_long"),
      ("tags", [""], "tags[0] too_short"), ("isBounced", "yes", "isBounced invalid_type"),
      ("id", "x", "id unknown_field"),
    ] as [(String, JSON, String)])
  func badFields(name: String, value: JSON, problem: String) throws {
    let anna = try house.account()
    var body: JSONObject = ["email": "a@example.org"]
    body[name] = value
    let answer = anna.post("/api/contacts", .object(body))
    #expect(answer.status == 422 && answer.fields == [problem], "\(answer.text)")
    #expect(anna.get("/api/contacts")["total"] == 0)
  }

  @Test func partsAreReplacedAndThoseWithIDsStay() throws {
    let anna = try house.account()
    let made = try anna.contact([
      "phones": [["number": "1"], ["number": "2"]], "notes": [["body": "old"]],
    ])
    let path = try made.path("/api/contacts")
    let second = try #require(made["phones"]?[1])
    let note = try #require(made["notes"]?[0])
    let foreign = try #require(try anna.contact(["phones": [["number": "9"]]])["phones"]?[0])
    let changed = anna.patch(
      path,
      [
        "phones": [second, ["number": "3"], ["id": foreign["id"] ?? .null, "number": "4"]],
        "notes": [note, ["body": "new"]],
      ])
    #expect(changed.status == 200 && texts(changed["phones"], "number") == ["2", "3", "4"])
    #expect(changed["phones"]?[0] == second && changed["phones"]?[2]?["id"] != foreign["id"])
    #expect(changed["notes"]?[0] == note && texts(changed["notes"], "body") == ["old", "new"])
    #expect(anna.patch(path, ["phones": nil])["phones"] == [])
  }

  @Test(
    "Parts are resources of their own",
    arguments: [
      ("phones", "phone", ["number": "1"], ["number": "2", "label": "x"]),
      ("addresses", "address", ["city": "Bern"], ["country": "DE"]),
      ("websites", "website", ["url": "https://a.example/"], ["url": "https://b.example/"]),
      ("notes", "note", ["body": "a"], ["body": "b"]),
    ] as [(String, String, JSON, JSON)])
  func partResources(segment: String, name: String, new: JSON, patch: JSON) throws {
    let anna = try house.account()
    let contact = try anna.contact()
    let path = try contact.path("/api/contacts") + "/" + segment
    #expect(anna.get(path)["total"] == 0)
    let made = anna.post(path, new)
    #expect(made.status == 201, "\(made)")
    let one = try #require(made.location)
    #expect(one == path + "/" + (try made.string("id")) && anna.get(one).bytes == made.bytes)
    let read = anna.get(try contact.path("/api/contacts"))
    #expect(read[segment]?[0]?["id"] == made["id"] && read.headers[.eTag] != contact.headers[.eTag])
    let stale = anna.patch(one, patch, [.ifMatch: contact.headers[.eTag] ?? ""])
    #expect(stale.status == 412)
    let changed = anna.patch(one, patch)
    #expect(changed.status == 200 && changed["id"] == made["id"], "\(changed)")
    for member in patch.object?.members ?? [] { #expect(changed[member.name] == member.value) }
    for member in new.object?.members ?? [] {
      if patch[member.name] == nil { #expect(changed[member.name] == member.value) }
      let cleared = anna.patch(one, .object([member.name: nil]))
      #expect(cleared.status == (segment == "addresses" ? 200 : 422), "\(cleared)")
    }
    #expect(anna.patch(one, ["x": 1]).fields == ["x unknown_field"])
    #expect(anna.post(path, ["x": 1]).status == 422)
    _ = anna.post(path, new)
    let page = anna.get(path + "?limit=1")
    #expect(page["total"] == 2 && page.items.count == 1)
    let rest = anna.get(path + "?limit=1&cursor=" + (try page.string("nextCursor")))
    #expect(rest.items.count == 1 && rest["nextCursor"] == JSON.null)
    // Another contact's part is none of this one's.
    let other = try anna.contact().path("/api/contacts") + "/" + segment + "/" + (try made.string("id"))
    #expect(anna.get(other).status == 404 && anna.delete(other).status == 404)
    #expect(anna.patch(other, patch).status == 404)
    #expect(try house.account().get(one).status == 404)
    #expect(anna.delete(one).status == 204 && anna.get(one).status == 404)
  }

  @Test func aContactHasNoMoreThanItsLimits() throws {
    let anna = try house.account()
    let phones = JSON.array((1...20).map { ["number": .string("\($0)")] })
    let path = try anna.contact(["phones": phones]).path("/api/contacts")
    let refused = anna.post(path + "/phones", ["number": "21"])
    #expect(refused.status == 422 && refused.fields == ["phones too_long"])
    #expect(anna.get(path + "/phones?limit=100").items.count == 20)
    let fields = JSON.object((1...50).reduce(into: [:]) { $0["f\($1)"] = 1 })
    #expect(anna.patch(path, ["customFields": fields]).status == 200)
    #expect(anna.patch(path, ["customFields": ["g": 1]]).fields == ["customFields too_long"])
    #expect(anna.patch(path, ["customFields": ["f1": nil, "g": 1]]).status == 200)
  }

  @Test func tagsAreAResourceAndCounted() throws {
    let anna = try house.account()
    let contact = try anna.contact(["tags": ["b"]])
    let path = try contact.path("/api/contacts") + "/tags"
    _ = try anna.link(["tags": ["b"]])
    #expect(anna.post(path, ["tags": ["a", "B"]])["tags"] == ["a", "b"])
    #expect(anna.put(path, ["tags": ["b", "c"]])["tags"] == ["b", "c"])
    #expect(anna.delete(path + "/c").status == 204 && anna.delete(path + "/c").status == 404)
    #expect(anna.get(path)["tags"] == ["b"])
    let tag = try #require(anna.get("/api/tags?search=b").items.first)
    #expect(tag["contactCount"] == 1 && tag["linkCount"] == 1)
    // Renaming and merging tags changes the contacts that have them.
    let before = anna.get(try contact.path("/api/contacts"))
    let id = try #require(tag["id"]?.string)
    #expect(anna.patch("/api/tags/" + id, ["name": "d"]).status == 200)
    let after = anna.get(try contact.path("/api/contacts"), [.ifNoneMatch: before.headers[.eTag] ?? ""])
    #expect(after.status == 200 && after["tags"] == ["d"])
    let other = try anna.post("/api/tags", ["name": "e"]).string("id")
    let merged = anna.post("/api/tags/\(id)/merge", ["into": .string(other)])
    #expect(merged["contactCount"] == 1 && merged["linkCount"] == 1)
    #expect(anna.get("/api/contacts?tag=E")["total"] == 1)
    #expect(anna.delete("/api/tags/" + other).status == 204)
    #expect(anna.get(path)["tags"] == [])
  }

  @Test func listsArePagedInEveryOrder() throws {
    let anna = try house.account()
    var made: [String] = []
    for name in ["c", "a", "d", "b", "e"] {
      made.append(try anna.contact(["email": .string("\(name)@example.org")]).string("id"))
    }
    for (order, first) in [("-createdAt", "e"), ("createdAt", "c"), ("email", "a"), ("-updatedAt", "e")] {
      var seen: [String] = []
      var cursor = ""
      repeat {
        let page = anna.get("/api/contacts?limit=2&sort=\(order)\(cursor)")
        #expect(page["total"] == 5 && page["totalIsLowerBound"] == false)
        seen += page.items.compactMap { $0["email"]?.string }
        cursor = page["nextCursor"]?.string.map { "&cursor=" + $0 } ?? ""
      } while !cursor.isEmpty && seen.count < 20
      #expect(seen.first == first + "@example.org" && Set(seen).count == 5 && seen.count == 5, "\(order)")
    }
    let foreign = try anna.get("/api/contacts?limit=2").string("nextCursor")
    #expect(anna.get("/api/contacts?sort=email&cursor=\(foreign)").status == 422)
    #expect(anna.get("/api/contacts?search=a&cursor=\(foreign)").status == 422)
  }

  @Test func filtersNarrowTheList() throws {
    let anna = try house.account()
    let one = try anna.contact(["email": "One@example.org", "tags": ["x"], "isUnsubscribed": true])
    _ = try anna.contact(["email": "two@example.org", "isBounced": true])
    func found(_ query: String) -> [String] {
      anna.get("/api/contacts?" + query).items.compactMap { $0["email"]?.string }.sorted()
    }
    #expect(found("tag=X") == ["One@example.org"] && found("email=ONE@example.org") == ["One@example.org"])
    #expect(found("isBounced=true") == ["two@example.org"] && found("isBounced=false") == ["One@example.org"])
    #expect(found("isUnsubscribed=true") == ["One@example.org"])
    #expect(found("isUnsubscribed=false&isBounced=false").isEmpty)
    #expect(found("search=example&isBounced=true") == ["two@example.org"])
    let account = try #require(AccountID(try anna.get("/api/auth/me").string("id")))
    let group = ID<ContactMembership>(at: .now)
    let id = try #require(ContactID(try one.string("id")))
    let database = house.app.database
    _ = try database.run(
      """
      INSERT INTO contact_groups (id, account_id, name, created_at, updated_at)
      VALUES (\(group), \(account), 'Club', NOW(), NOW())
      """)
    _ = try database.run(
      """
      INSERT INTO contact_group_members (group_id, contact_id, status, added_at)
      VALUES (\(group), \(id), 'pending', NOW())
      """)
    #expect(found("groupId=\(group)") == ["One@example.org"])
    #expect(found("groupId=\(group)&search=two").isEmpty)
    #expect(try house.account().get("/api/contacts?groupId=\(group)")["total"] == 0)
    let read = anna.get(try one.path("/api/contacts"))
    #expect(read["groups"] == [["id": .string("\(group)"), "name": "Club", "status": "pending"]])
    #expect(read.headers[.eTag] != one.headers[.eTag])
  }
}
