import FLHTTP
import FLMariaDB
import Testing

@testable import FLApp

/// Tags as things of their own.
@Suite struct TagTests {
  private static let shared = Result { try House() }
  let house: House

  init() throws { house = try Self.shared.get() }

  @Test func aTagIsMadeReadChangedAndDeleted() throws {
    let anna = try house.account()
    let made = anna.post("/api/tags", ["name": "  Spring ", "color": "#AbC"])
    #expect(made.status == 201 && made["name"] == "Spring" && made["color"] == "#aabbcc")
    #expect(made["linkCount"] == 0 && made["contactCount"] == 0)
    let path = "/api/tags/" + (try made.string("id"))
    #expect(made.location == path && anna.get(path).bytes == made.bytes)
    let changed = anna.patch(path, ["name": "Summer", "color": nil])
    #expect(changed.status == 200 && changed["name"] == "Summer" && changed["color"] == JSON.null)
    #expect(anna.patch(path, ["name": "SUMMER"])["name"] == "SUMMER")
    #expect(anna.patch(path, ["name": "x"], [.ifMatch: made.headers[.eTag] ?? ""]).status == 412)
    #expect(anna.delete(path, [.ifMatch: made.headers[.eTag] ?? ""]).status == 412)
    #expect(anna.delete(path).status == 204 && anna.get(path).status == 404)
  }

  @Test(
    "Every bad field is named",
    arguments: [
      ("name", JSON.null, "invalid_type"), ("name", "", "too_short"), ("name", 7, "invalid_type"),
      ("name", .string(String(repeating: "a", count: 65)), "too_long"), ("name", "a\nb", "control_character"),
      ("color", "red", "invalid_color"), ("color", "#12345", "invalid_color"),
      ("color", "#ggg", "invalid_color"), ("color", "#12é", "invalid_color"), ("color", 3, "invalid_type"),
      ("id", "x", "unknown_field"),
    ] as [(String, JSON, String)])
  func badFields(name: String, value: JSON, code: String) throws {
    let anna = try house.account()
    var body: JSONObject = ["name": "a"]
    body[name] = value
    let answer = anna.post("/api/tags", .object(body))
    #expect(answer.status == 422 && answer.text.contains("\"\(code)\""), "\(answer.text)")
    #expect(anna.get("/api/tags")["total"] == 0)
  }

  @Test func aNameIsThereOnceWithoutRegardToCase() throws {
    let anna = try house.account()
    #expect(anna.post("/api/tags", ["name": "News"]).status == 201)
    let again = anna.post("/api/tags", ["name": "nEWS"])
    #expect(again.status == 409 && again.text.contains("\"field\":\"name\""))
    let other = anna.post("/api/tags", ["name": "Olds"])
    #expect(anna.patch(other.location ?? "", ["name": "NEWS"]).status == 409)
    // Another account's names are its own.
    #expect(try house.account().post("/api/tags", ["name": "News"]).status == 201)
    // A link takes the one that is there.
    #expect(try anna.link(["tags": ["NEWS"]])["tags"] == ["News"])
  }

  @Test func tagsAreCountedAndFollowTheirLinks() throws {
    let anna = try house.account()
    let one = try anna.link(["tags": ["a", "b"]])
    _ = try anna.link(["tags": ["a"]])
    func counts() -> [String] {
      let items = anna.get("/api/tags")["items"]?.array ?? []
      return items.map { "\($0["name"]?.string ?? "") \($0["linkCount"]?.integer ?? -1)" }
    }
    #expect(counts() == ["a 2", "b 1"])
    #expect(anna.delete(try one.path()).status == 204)
    #expect(counts() == ["a 1", "b 0"])
  }

  @Test func renamingChangesTheLinksThatHaveIt() throws {
    let anna = try house.account()
    let link = try anna.link(["tags": ["old", "other"]])
    let path = try link.path()
    let tag = try #require(anna.get("/api/tags?search=OL")["items"]?[0]?["id"]?.string)
    #expect(anna.get(path, [.ifNoneMatch: link.headers[.eTag] ?? ""]).status == 304)
    #expect(anna.patch("/api/tags/" + tag, ["name": "young"]).status == 200)
    let read = anna.get(path, [.ifNoneMatch: link.headers[.eTag] ?? ""])
    #expect(read.status == 200 && read["tags"] == ["other", "young"])
    #expect(anna.get("/api/links?tag=young")["total"] == 1 && anna.get("/api/links?tag=old")["total"] == 0)
    #expect(anna.delete("/api/tags/" + tag).status == 204)
    #expect(anna.get(path)["tags"] == ["other"])
  }

  @Test func mergingKeepsWhatWasTagged() throws {
    let anna = try house.account()
    let both = try anna.link(["tags": ["from", "to"]])
    let one = try anna.link(["tags": ["from"]])
    let items = try #require(anna.get("/api/tags")["items"]?.array)
    let ids = try items.map { try #require($0["id"]?.string) }
    try #require(ids.count == 2)
    let merged = anna.post("/api/tags/\(ids[0])/merge", ["into": .string(ids[1])])
    #expect(merged.status == 200 && merged["name"] == "to" && merged["linkCount"] == 2)
    for link in [both, one] { #expect(anna.get(try link.path())["tags"] == ["to"]) }
    #expect(anna.get("/api/tags/" + ids[0]).status == 404)
    let itself = anna.post("/api/tags/\(ids[1])/merge", ["into": .string(ids[1])])
    #expect(itself.status == 422 && itself.text.contains("same_tag"))
    let unknown = anna.post("/api/tags/\(ids[1])/merge", ["into": .string(ids[0])])
    #expect(unknown.status == 422 && unknown.text.contains("\"field\":\"into\""))
    // A stranger's tag is no tag to merge into, and stays as it is.
    let stranger = try house.account()
    let theirs = try stranger.post("/api/tags", ["name": "theirs"]).string("id")
    #expect(anna.post("/api/tags/\(ids[1])/merge", ["into": .string(theirs)]).status == 422)
    #expect(stranger.get("/api/tags/" + theirs)["linkCount"] == 0)
    #expect(anna.get("/api/tags")["total"] == 1)
  }

  @Test func listsArePagedInBothOrders() throws {
    let anna = try house.account()
    let names = ["b", "A", "ä", "c_", "100%", "z"]
    for name in names { #expect(anna.post("/api/tags", ["name": .string(name)]).status == 201) }
    for (order, first) in [("name", "100%"), ("-createdAt", "z")] {
      var seen: [String] = []
      var cursor = ""
      repeat {
        let page = anna.get("/api/tags?limit=2&sort=\(order)\(cursor)")
        #expect(page["total"] == 6)
        seen += (page["items"]?.array ?? []).compactMap { $0["name"]?.string }
        cursor = page["nextCursor"]?.string.map { "&cursor=" + $0 } ?? ""
      } while !cursor.isEmpty && seen.count < 20
      #expect(seen.first == first && seen.sorted() == names.sorted())
    }
    let byName = try #require(anna.get("/api/tags?limit=2")["nextCursor"]?.string)
    #expect(anna.get("/api/tags?sort=-createdAt&cursor=\(byName)").status == 422)
    #expect(anna.get("/api/tags?search=%25")["total"] == 1 && anna.get("/api/tags?search=_")["total"] == 1)
  }

  /// More than one transaction takes: they go in pieces, over another connection than the one with the lock.
  @Test func aTagOfManyIsMergedAndDeleted() throws {
    let anna = try house.account()
    let account = try anna.account(in: house)
    let link = try anna.link(["tags": ["from"]])
    let from = anna.get("/api/tags?search=from").items.first?["id"]?.string ?? ""
    let to = try anna.post("/api/tags", ["name": "to"]).string("id")
    let database = house.app.database
    try database.run(
      """
      INSERT INTO contacts (id, account_id, email, email_key, created_at, updated_at)
      SELECT UNHEX(CONCAT(LEFT(HEX(\(account)), 16), LPAD(HEX(seq), 16, '0'))), \(account), CONCAT(seq, '@example.org'),
        CONCAT(seq, '@example.org'), NOW(), NOW() FROM seq_1_to_20050
      """)
    for (tag, condition) in [(from, "TRUE"), (to, "MOD(CAST(SUBSTRING_INDEX(email, '@', 1) AS INT), 3) = 0")]
      as [(String, SQL)]
    {
      let id = try #require(TagID(tag))
      try database.run(
        """
        INSERT INTO contact_tags (contact_id, tag_id)
        SELECT id, \(id) FROM contacts WHERE account_id = \(account) AND \(condition)
        """)
    }
    #expect(anna.post("/api/tags/\(from)/merge", ["into": .string(from)]).fields == ["into same_tag"])
    let merged = anna.post("/api/tags/\(from)/merge", ["into": .string(to)])
    #expect(merged["contactCount"] == 20_050 && merged["linkCount"] == 1, "\(merged)")
    #expect(anna.get("/api/tags/" + from).status == 404)
    #expect(anna.get(try link.path())["tags"] == ["to"])
    #expect(anna.delete("/api/tags/" + to, [.ifMatch: "\"9\""]).status == 412)
    #expect(anna.get("/api/tags/" + to)["contactCount"] == 20_050)
    #expect(anna.delete("/api/tags/" + to).status == 204)
    let id = try #require(TagID(to))
    #expect(try house.count("SELECT COUNT(*) FROM contact_tags WHERE tag_id = \(id)") == 0)
    #expect(anna.get(try link.path())["tags"] == [])
  }
}
