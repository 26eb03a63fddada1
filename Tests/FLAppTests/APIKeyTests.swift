import FLHTTP
import FLMariaDB
import FLValues
import Testing

@testable import FLApp

@Suite struct APIKeyTests {
  private static let shared = Result { try House() }
  let house: House

  init() throws { house = try Self.shared.get() }

  @Test func isShownOnce() throws {
    let anna = try house.account()
    let made = anna.post("/api/api-keys", ["name": "Deploy", "scopes": ["links:read", "tags"]])
    #expect(made.status == 201)
    let key = try made.string("key")
    #expect(key.hasPrefix("fli_") && key.utf8.count > 40)
    #expect(key.hasPrefix(try made.string("prefix")) && made["scopes"] == ["links:read", "tags"])
    let path = try made.path("/api/api-keys")
    #expect(made.location == path)
    let read = anna.get(path)
    #expect(read.status == 200 && read["key"] == nil && read["name"] == "Deploy")
    for answer in [read, anna.get("/api/api-keys")] { #expect(!answer.text.contains(key)) }
    // Nor does it stand in the database.
    #expect(
      try house.count(
        "SELECT COUNT(*) FROM api_keys WHERE CONCAT_WS(' ', name, prefix, digest) LIKE \("%" + key + "%")")
        == 0)
  }

  @Test func withoutScopesItMayDoEverything() throws {
    let key = try house.keyholder()
    #expect(key.get("/api/links").status == 200)
    #expect(key.post("/api/links", ["destinationUrl": "https://example.org/"]).status == 201)
  }

  @Test func namesEveryBadField() throws {
    let anna = try house.account()
    let bad = anna.post(
      "/api/api-keys", ["name": " ", "scopes": ["links", "nonsense", 3], "expiresAt": "tomorrow", "x": 1])
    #expect(bad.status == 422)
    #expect(
      Set(bad.fields) == [
        "name too_short", "scopes[1] invalid_scope", "scopes[2] invalid_type", "expiresAt invalid_time",
        "x unknown_field",
      ], "\(bad.fields)")
    let past = anna.post("/api/api-keys", ["name": "x", "expiresAt": "2020-01-01T00:00:00Z"])
    #expect(past.fields == ["expiresAt in_the_past"])
  }

  @Test func isRevokedInEveryProcessAtOnce() throws {
    let anna = try house.account()
    let made = anna.post("/api/api-keys", ["name": "k"])
    var here = house.nobody
    here.credentials[.apiKey] = try made.string("key")
    var there = here
    there.app = try house.secondApp()
    #expect(here.get("/api/links").status == 200 && there.get("/api/links").status == 200)
    #expect(anna.delete(try made.path("/api/api-keys")).status == 204)
    #expect(here.get("/api/links").status == 401 && there.get("/api/links").status == 401)
    let listed = anna.get("/api/api-keys").items
    #expect(listed.count == 1 && listed[0]["revokedAt"]?.string != nil)
  }

  @Test func expires() throws {
    let house = try House()
    let anna = try house.account()
    house.clock.move()
    let expiry = (house.clock.now + .seconds(60)).description
    let made = anna.post("/api/api-keys", ["name": "k", "expiresAt": .string(expiry)])
    var program = house.nobody
    program.credentials[.apiKey] = try made.string("key")
    #expect(program.get("/api/links").status == 200)
    house.clock.move(by: 61)
    #expect(program.get("/api/links").status == 401)
    // Without an expiry it holds again.
    #expect(anna.patch(try made.path("/api/api-keys"), ["expiresAt": nil])["expiresAt"] == JSON.null)
    #expect(program.get("/api/links").status == 200)
  }

  @Test func itsScopesChangeFromTheNextRequestOn() throws {
    let anna = try house.account()
    let made = anna.post("/api/api-keys", ["name": "k", "scopes": ["geoip"]])
    let path = try made.path("/api/api-keys")
    var program = house.nobody
    program.credentials[.apiKey] = try made.string("key")
    #expect(program.get("/api/links").status == 403)
    let tag = try #require(anna.get(path).headers[.eTag])
    let changed = anna.patch(path, ["scopes": ["links:read"]], [.ifMatch: tag])
    #expect(changed["scopes"] == ["links:read"] && changed["name"] == "k")
    #expect(program.get("/api/links").status == 200)
    #expect(program.post("/api/links", ["destinationUrl": "https://example.org/"]).status == 403)
    #expect(anna.patch(path, ["name": "other"], [.ifMatch: tag]).status == 412)
    #expect(anna.delete(path, [.ifMatch: tag]).status == 412)
    #expect(program.get("/api/links").status == 200)
  }

  @Test func aScopeThatThisProgramDoesNotKnowGivesNothing() throws {
    let key = try house.keyholder(scopes: ["links"])
    let digest = try #require(key.credentials[.apiKey]).prefix(12)
    try house.app.database.run(
      "UPDATE api_keys SET scopes = 'time-travel' WHERE prefix = \(String(digest))")
    #expect(key.get("/api/links").status == 403)
  }

  @Test func tellsWhenItWasUsed() throws {
    let house = try House()
    let anna = try house.account()
    let made = anna.post("/api/api-keys", ["name": "k"])
    let path = try made.path("/api/api-keys")
    var program = house.nobody
    program.credentials[.apiKey] = try made.string("key")
    #expect(anna.get(path)["lastUsedAt"] == JSON.null)
    house.clock.move()
    let first = house.clock.now.description
    _ = program.get("/api/links")
    #expect(anna.get(path)["lastUsedAt"]?.string == first)
    // To the minute: not each request writes.
    house.clock.move(by: 30)
    _ = program.get("/api/links")
    #expect(anna.get(path)["lastUsedAt"]?.string == first)
    house.clock.move(by: 31)
    _ = program.get("/api/links")
    #expect(anna.get(path)["lastUsedAt"]?.string == house.clock.now.description)
  }

  @Test func areListedInPages() throws {
    let anna = try house.account()
    for number in 0..<5 { _ = anna.post("/api/api-keys", ["name": .string("k\(number)")]) }
    var names: [String] = []
    var cursor = ""
    for _ in 0..<3 {
      let page = anna.get("/api/api-keys?limit=2" + cursor)
      #expect(page["total"] == 5)
      names += JSON.texts(page.items, "name")
      cursor = page["nextCursor"]?.string.map { "&cursor=" + $0 } ?? ""
    }
    #expect(names == ["k4", "k3", "k2", "k1", "k0"] && cursor == "")
    for bad in ["limit=0", "limit=101", "limit=x", "cursor=nonsense", "cursor="] {
      #expect(anna.get("/api/api-keys?" + bad).status == 422, "\(bad)")
    }
  }
}
