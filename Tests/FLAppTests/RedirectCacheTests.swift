import FLHTTP
import FLMariaDB
import FLTestDatabase
import FLValues
import HTTPTypes
import Testing

@testable import FLApp

/// What processes remember of links: a change holds in all of them at once, and a database that is away stops none.
@Suite struct RedirectCacheTests {
  @Test func aChangeIsSeenByTheOtherProcessAtOnce() throws {
    let house = try House()
    let anna = try house.account()
    let made = try anna.link(["shortCode": "shared"])
    let here = house.nobody
    var there = here
    there.app = try house.secondApp()
    func locations() -> [String?] { [here.get("/shared").location, there.get("/shared").location] }
    #expect(locations() == ["https://example.org/", "https://example.org/"])
    for number in 0..<20 {
      let place = "https://example.org/\(number)"
      #expect(anna.patch(try made.path(), ["destinationUrl": .string(place)]).status == 200)
      #expect(locations() == [place, place])
    }
    _ = anna.patch(try made.path(), ["isEnabled": false])
    #expect([here.get("/shared").status, there.get("/shared").status] == [410, 410])
    _ = anna.patch(try made.path(), ["isEnabled": true, "shortCode": "moved-on"])
    #expect([here.get("/shared").status, there.get("/shared").status] == [404, 404])
    #expect([here.get("/moved-on").status, there.get("/moved-on").status] == [302, 302])
    #expect(anna.delete(try made.path()).status == 204)
    #expect([here.get("/moved-on").status, there.get("/moved-on").status] == [404, 404])
    // What was asked for before it was made.
    _ = try anna.link(["shortCode": "moved-on"])
    #expect([here.get("/moved-on").status, there.get("/moved-on").status] == [302, 302])
  }

  @Test func whatIsRememberedIsNotAskedAgain() throws {
    let house = try House()
    house.clock.move()
    let path = try house.account().link().shortPath()
    #expect(house.nobody.get(path).location == "https://example.org/")
    // A change that no process of this host has made is seen when the memory is old.
    try house.app.database.run("UPDATE links SET destination_url = 'https://example.com/'")
    house.clock.move(by: 29)
    #expect(house.nobody.get(path).location == "https://example.org/")
    house.clock.move(by: 2)
    #expect(house.nobody.get(path).location == "https://example.com/")
  }

  @Test func aFullMemoryForgetsTheOthers() throws {
    let house = try House()
    _ = try house.account().link(["shortCode": "one"])
    let rows = RedirectRows(queries: house.app.database)
    let target = try #require(try rows.find(ShortCode(stored: "one")))
    let cache = RedirectCache()
    let codes = (1...60_000).map { ShortCode(stored: "full-\($0)") }
    for code in codes {
      cache.keep(.init(target: target, generation: 1, freshUntil: .now), for: code)
      if cache[code] == nil { Issue.record("\(code) was not kept") }
    }
    let kept = codes.count { cache[$0] != nil }
    #expect(kept * target.cost <= 24 << 20 && kept * target.cost > 6 << 20, "\(kept)")
  }

  @Test func aDatabaseThatIsAwayStopsNoCachedRedirect() throws {
    let server = try TestServer()
    let house = try House(on: server)
    // With a key, since a token would have expired by the end.
    let anna = try house.keyholder()
    house.clock.move()
    let known = try anna.link(["shortCode": "known"])
    _ = try anna.link(["shortCode": "unknown"])
    _ = try anna.link(["shortCode": "counted", "maxClicks": 5])
    let visitor = house.nobody
    #expect(visitor.get("/known", browser).status == 302 && visitor.get("/counted", browser).status == 302)
    server.stop()

    // Within the memory's time and long after it.
    for seconds in [0, 20, 60, 3600] {
      house.clock.move(by: seconds)
      #expect(visitor.get("/known", browser).location == "https://example.org/", "\(seconds)")
    }
    for path in ["/unknown", "/nothing", "/counted", "/unknown+"] {
      let answer = visitor.get(path, browser)
      #expect(answer.status == 503 && answer.headers[.retryAfter] != nil, "\(path)")
      #expect(answer.headers[.contentType] == "text/html; charset=utf-8", "\(path)")
    }
    let api = anna.get("/api/links")
    #expect(api.status == 503 && api.code == "unavailable" && api.headers[.retryAfter] == "5")
    #expect(visitor.get("/api/plans").status == 503 && visitor.get("/").status == 200)

    try server.start()
    #expect(visitor.get("/unknown", browser).status == 302 && visitor.get("/counted", browser).status == 302)
    // The clicks of the time without a database are there.
    _ = try house.app.loadClicks(within: .seconds(20))
    #expect(anna.get(try known.path())["clicks"] == 5)
  }

  private let browser: HTTPFields = [
    .userAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"
  ]
}
