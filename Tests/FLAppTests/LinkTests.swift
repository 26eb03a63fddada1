import FLHTTP
import FLMariaDB
import FLValues
import HTTPTypes
import Testing

@testable import FLApp

/// Links are made, read, changed and deleted.
@Suite struct LinkTests {
  private static let shared = Result { try House() }
  let house: House

  init() throws { house = try Self.shared.get() }

  static let everything: JSONObject = [
    "destinationUrl": "https://example.org/shop?item=7#top", "title": "Summer \u{1F31E} \"fair\"",
    "utmSource": "mail", "utmMedium": "email", "utmCampaign": "may & june", "utmTerm": "ü",
    "utmContent": "top",
    "tags": ["b", "a"], "expiresAt": "2099-12-31T23:59:59Z", "expiredUrl": "https://example.org/over",
    "maxClicks": 12, "forwardQuery": true, "redirectStatus": 307, "isEnabled": false, "externalId": "ext-1",
  ]

  @Test func aLinkNeedsADestinationAlone() throws {
    let anna = try house.account()
    let made = anna.post("/api/links", ["destinationUrl": "https://example.org/"])
    #expect(made.status == 201)
    #expect(made.location == (try made.path()))
    let code = try made.string("shortCode")
    #expect(code.utf8.count == 7 && !code.contains { "0O1Il".contains($0) })
    #expect(made["shortUrl"]?.string == House.origin + "/" + code)
    for name in [
      "title", "utmSource", "utmMedium", "utmCampaign", "utmTerm", "utmContent", "expiresAt", "expiredUrl",
      "maxClicks", "externalId", "lastClickedAt",
    ] {
      #expect(made[name] == JSON.null, "\(name)")
    }
    #expect(made["tags"] == [] && made["hasPassword"] == false && made["forwardQuery"] == false)
    #expect(made["redirectStatus"] == 302 && made["isEnabled"] == true && made["clicks"] == 0)
    #expect(made["createdAt"] == made["updatedAt"] && made["password"] == nil)
    let read = anna.get(try made.path())
    #expect(read.status == 200 && read.bytes == made.bytes && read.headers[.eTag] == made.headers[.eTag])
  }

  @Test func aLinkKeepsAllItIsGiven() throws {
    let anna = try house.account()
    var wish = Self.everything
    wish["shortCode"] = "Every-thing_1"
    let made = try anna.link(wish)
    wish["tags"] = ["a", "b"]
    for member in wish.members { #expect(made[member.name] == member.value, "\(member.name)") }
    #expect(anna.get(try made.path()).bytes == made.bytes)
  }

  @Test func aPasswordIsWrittenAndNeverRead() throws {
    let anna = try house.account()
    let made = try anna.link(["password": "open sesame"])
    #expect(made["hasPassword"] == true && made["password"] == nil && !made.text.contains("sesame"))
    #expect(!anna.get(try made.path()).text.contains("argon2"))
    let cleared = anna.patch(try made.path(), ["password": nil])
    #expect(cleared["hasPassword"] == false)
    #expect(anna.patch(try made.path(), ["password": "again"])["hasPassword"] == true)
    #expect(anna.patch(try made.path(), ["title": "x"])["hasPassword"] == true)
  }

  @Test(
    "Every bad field is named",
    arguments: [
      ("destinationUrl", JSON.null, "required"), ("destinationUrl", "javascript:alert(1)", "invalid_url"),
      ("destinationUrl", .string("https://example.org/" + String(repeating: "a", count: 2030)), "too_long"),
      ("destinationUrl", 7, "invalid_type"), ("shortCode", "ab", "invalid_code"),
      ("shortCode", "a b c", "invalid_code"), ("shortCode", "käse", "invalid_code"),
      ("shortCode", .string(String(repeating: "a", count: 65)), "invalid_code"),
      ("shortCode", "API", "reserved"),
      ("shortCode", "account", "reserved"), ("title", "", "too_short"),
      ("title", "a\nb", "control_character"),
      ("title", .string(String(repeating: "a", count: 256)), "too_long"), ("utmSource", 3, "invalid_type"),
      ("tags", "a", "invalid_type"), ("expiresAt", "tomorrow", "invalid_time"),
      ("expiredUrl", "ftp://x", "invalid_url"), ("redirectStatus", 303, "invalid_choice"),
      ("forwardQuery", "yes", "invalid_type"), ("isEnabled", 1, "invalid_type"),
      ("colour", "red", "unknown_field"),
    ])
  func badField(name: String, value: JSON, code: String) throws {
    let anna = try house.account()
    var wish: JSONObject = ["destinationUrl": "https://example.org/", "isEnabled": true]
    wish[name] = value
    let answer = anna.post("/api/links", .object(wish))
    #expect(answer.status == 422)
    // What is null where there must be something may be told by its type.
    #expect(
      answer.fields == ["\(name) \(code)"] || (value == .null && answer.fields == ["\(name) invalid_type"]),
      "\(answer)")
    #expect(anna.get("/api/links")["total"] == 0)
  }

  @Test func allBadFieldsAreNamedAtOnce() throws {
    let answer = try house.account().post(
      "/api/links",
      ["destinationUrl": "x", "shortCode": "-", "maxClicks": 0, "tags": ["", 3], "nonsense": 1])
    #expect(
      Set(answer.fields) == [
        "destinationUrl invalid_url", "shortCode invalid_code", "maxClicks out_of_range", "tags[0] too_short",
        "tags[1] invalid_type", "nonsense unknown_field",
      ], "\(answer.fields)")
  }

  @Test(
    "Whatever time is taken is kept",
    arguments: [
      "0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.9999999Z",
      "2024-02-29T12:00:00+14:00",
    ])
  func times(text: String) throws {
    let anna = try house.account()
    let answer = anna.post(
      "/api/links", ["destinationUrl": "https://example.org/", "expiresAt": .string(text)])
    #expect(answer.status == 201, "\(answer)")
    let wanted = try #require(Timestamp(rfc3339: text)).description
    #expect(answer["expiresAt"]?.string == wanted)
    #expect(anna.get(try answer.path())["expiresAt"]?.string == wanted)
  }

  // MARK: Merge patch

  @Test func whatIsAbsentStaysAndNullClears() throws {
    let anna = try house.account()
    let made = try anna.link(Self.everything)
    let path = try made.path()
    let renamed = anna.patch(path, ["title": "Other"])
    #expect(renamed.status == 200 && renamed["title"] == "Other")
    for name in Self.everything.members.map(\.name) where name != "title" {
      #expect(renamed[name] == made[name], "\(name)")
    }
    #expect(renamed["createdAt"] == made["createdAt"] && renamed["shortCode"] == made["shortCode"])
    for name in [
      "title", "utmSource", "utmMedium", "utmCampaign", "utmTerm", "utmContent", "expiresAt", "expiredUrl",
      "maxClicks", "externalId",
    ] {
      #expect(anna.patch(path, .object([name: .null]))[name] == JSON.null, "\(name)")
    }
    #expect(anna.patch(path, ["tags": nil])["tags"] == [])
    #expect(anna.get(path)["destinationUrl"] == made["destinationUrl"])
    for name in ["destinationUrl", "shortCode", "forwardQuery", "redirectStatus", "isEnabled"] {
      #expect(anna.patch(path, .object([name: .null])).status == 422, "\(name)")
    }
    for name in ["id", "clicks", "createdAt", "shortUrl", "hasPassword"] {
      #expect(anna.patch(path, .object([name: "x"])).fields == ["\(name) unknown_field"])
    }
  }

  @Test func aPatchMayBeOfItsOwnType() throws {
    let anna = try house.account()
    let made = try anna.link()
    let answer = anna.patch(try made.path(), ["title": "x"], [.contentType: "application/merge-patch+json"])
    #expect(answer.status == 200 && answer["title"] == "x")
  }

  @Test func theTagOfAResource() throws {
    let anna = try house.account()
    let made = try anna.link()
    let path = try made.path()
    let tag = try #require(made.headers[.eTag])
    #expect(anna.get(path, [.ifNoneMatch: tag]).status == 304)
    #expect(anna.get(path, [.ifNoneMatch: "\"other\", W/" + tag]).status == 304)
    let changed = anna.patch(path, ["title": "x"], [.ifMatch: tag])
    #expect(changed.status == 200 && changed.headers[.eTag] != tag)
    #expect(anna.get(path, [.ifNoneMatch: tag]).status == 200)
    for stale in [tag, "\"nonsense\"", "nonsense", ""] {
      #expect(anna.patch(path, ["title": "y"], [.ifMatch: stale]).status == 412, "\(stale)")
      #expect(anna.delete(path, [.ifMatch: stale]).status == 412, "\(stale)")
    }
    #expect(anna.get(path)["title"] == "x")
    #expect(anna.patch(path, ["title": "z"], [.ifMatch: "*"]).status == 200)
    let present = try #require(anna.get(path).headers[.eTag])
    // Another change of what is shown, that of the tags, is a change too.
    _ = anna.post(path + "/tags", ["tags": ["new"]])
    #expect(anna.delete(path, [.ifMatch: present]).status == 412)
    #expect(anna.delete(path, [.ifMatch: try #require(anna.get(path).headers[.eTag])]).status == 204)
  }

  @Test func ofChangesAtOnceOneWins() throws {
    let anna = try house.account()
    let made = try anna.link()
    let (path, tag) = (try made.path(), try #require(made.headers[.eTag]))
    let statuses = inParallel(8) { index in
      anna.patch(path, ["title": .string("t\(index)")], [.ifMatch: tag]).status
    }
    #expect(statuses.sorted() == [200] + Array(repeating: 412, count: 7))
  }

  @Test func aDeletedLinkIsGone() throws {
    let anna = try house.account()
    let made = try anna.link()
    let path = try made.path()
    #expect(anna.delete(path).status == 204)
    #expect(anna.get(path).status == 404 && anna.delete(path).status == 404)
    #expect(anna.patch(path, ["title": "x"]).status == 404 && anna.get(path + "/stats").status == 404)
    #expect(house.nobody.get(try made.shortPath()).status == 404)
    #expect(anna.get("/api/links")["total"] == 0)
  }

  @Test func theExternalIDIsUniqueInTheAccount() throws {
    let anna = try house.account()
    let stranger = try house.account()
    let first = try anna.link(["externalId": "A"])
    _ = try stranger.link(["externalId": "A"])
    let second = try anna.link(["externalId": "a"])
    for answer in [
      anna.post("/api/links", ["destinationUrl": "https://example.org/", "externalId": "A"]),
      anna.patch(try second.path(), ["externalId": "A"]),
    ] {
      #expect(answer.status == 409 && answer.code == "conflict" && answer.fields == ["externalId taken"])
    }
    let found = anna.get("/api/links?externalId=A")
    #expect(found["total"] == 1 && found.items.first?["id"] == first["id"])
    #expect(anna.delete(try first.path()).status == 204)
    #expect(anna.patch(try second.path(), ["externalId": "A"]).status == 200)
  }

  // MARK: Tags

  @Test func tagsAreReplacedAddedAndTaken() throws {
    let anna = try house.account()
    let made = try anna.link(["tags": ["one", "One", "two", "  two "]])
    let path = try made.path()
    #expect(made["tags"] == ["one", "two"])
    #expect(anna.get(path + "/tags")["tags"] == ["one", "two"])
    let added = anna.post(path + "/tags", ["tags": ["TWO", "äpfel & birnen", "100%"]])
    #expect(added.status == 200 && added["tags"] == ["100%", "äpfel & birnen", "one", "two"], "\(added)")
    #expect(anna.get(path)["tags"] == added["tags"])
    #expect(anna.delete(path + "/tags/%C3%A4pfel%20%26%20birnen").status == 204)
    #expect(anna.delete(path + "/tags/nothing").status == 404)
    #expect(anna.delete(path + "/tags/ONE").status == 204)
    #expect(anna.get(path)["tags"] == ["100%", "two"])
    #expect(anna.put(path + "/tags", ["tags": ["three"]])["tags"] == ["three"])
    #expect(anna.put(path + "/tags", ["tags": []])["tags"] == [])
    #expect(anna.put(path + "/tags", [:]).fields == ["tags required"])
    // Another account has tags of its own.
    let stranger = try house.account()
    _ = try stranger.link(["tags": ["two"]])
    #expect(anna.get("/api/links?tag=two")["total"] == 0)
    #expect(stranger.get("/api/links?tag=Two")["total"] == 1)
  }

  @Test func aLinkHasFiftyTagsAtMost() throws {
    let anna = try house.account()
    let path = try anna.link(["tags": .array((0..<50).map { .string("t\($0)") })]).path()
    let more = anna.post(path + "/tags", ["tags": ["one more"]])
    #expect(more.status == 422 && more.fields == ["tags too_long"])
    #expect(anna.get(path + "/tags")["tags"]?.array?.count == 50)
    let many = anna.put(path + "/tags", ["tags": .array((0..<51).map { .string("u\($0)") })])
    #expect(many.status == 422)
    #expect(anna.post(path + "/tags", ["tags": [.string(String(repeating: "x", count: 65))]]).status == 422)
  }

  // MARK: Many at once

  @Test func aBadRowStopsNoOther() throws {
    let anna = try house.account()
    let answer = anna.post(
      "/api/links/bulk",
      [
        "links": [
          ["destinationUrl": "https://example.org/1", "shortCode": "bulk-row"],
          ["destinationUrl": "x", "y": 1], 7,
          ["destinationUrl": "https://example.org/2", "shortCode": "BULK-row"],
          ["destinationUrl": "https://example.org/3"],
        ]
      ])
    #expect(answer.status == 200 && answer["created"] == 2 && answer["failed"] == 3, "\(answer)")
    let results = answer["results"]?.array ?? []
    try #require(results.map { $0["status"] } == [201, 422, 422, 409, 201])
    #expect(results.map { $0["index"] } == [0, 1, 2, 3, 4])
    #expect(results[0]["link"]?["shortCode"] == "bulk-row" && results[0]["error"] == JSON.null)
    #expect(results[1]["link"] == JSON.null && results[1]["error"]?["errors"]?.array?.count == 2)
    #expect(results[3]["error"]?["code"] == "conflict")
    #expect(anna.get("/api/links")["total"] == 2)
  }

  @Test func theBulkIsOf100RowsAtMostAndStopsAtThePlan() throws {
    let anna = try house.account("free")
    let row: JSON = ["destinationUrl": "https://example.org/"]
    #expect(anna.post("/api/links/bulk", ["links": .array(Array(repeating: row, count: 101))]).status == 422)
    #expect(anna.post("/api/links/bulk", ["links": []]).status == 422)
    let answer = anna.post("/api/links/bulk", ["links": .array(Array(repeating: row, count: 7))])
    let results = answer["results"]?.array ?? []
    #expect(results.map { $0["status"] } == [201, 201, 201, 201, 201, 403, 403])
    #expect(results.last?["error"]?["code"] == "plan_limit")
  }
}
