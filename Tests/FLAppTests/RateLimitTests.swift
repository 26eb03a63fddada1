import FLHTTP
import FLValues
import HTTPTypes
import Testing

@testable import FLApp

@Suite struct RateLimitTests {
  private func house() throws -> House {
    let house = try House()
    house.clock.now = try #require(Timestamp(rfc3339: "2026-05-03T12:00:10Z"))
    return house
  }

  @Test func aPlanAllowsSoManyRequestsAMinute() throws {
    let house = try house()
    let anna = try house.account("free")
    let first = anna.get("/api/links")
    #expect(first.headers[.rateLimitPolicy] == "\"minute\";q=60;w=60")
    #expect(first.headers[.rateLimit] == "\"minute\";r=59;t=50")
    for _ in 0..<59 { #expect(anna.get("/api/links").status == 200) }
    let over = anna.get("/api/links")
    #expect(over.status == 429 && over.code == "rate_limited")
    #expect(over.headers[.retryAfter] == "50" && over.headers[.rateLimit] == "\"minute\";r=0;t=50")
    house.clock.move(by: 49)
    #expect(anna.get("/api/links").status == 429)
    house.clock.move(by: 1)
    #expect(anna.get("/api/links").headers[.rateLimit] == "\"minute\";r=59;t=60")
  }

  @Test func anAccountsCredentialsAndProcessesShareIt() throws {
    let house = try house()
    let anna = try house.account("free")
    var there = anna
    there.app = try house.secondApp()
    let program = try house.keyholder(of: anna)
    #expect(anna.get("/api/links").headers[.rateLimit] == "\"minute\";r=58;t=50")
    #expect(there.get("/api/links").headers[.rateLimit] == "\"minute\";r=57;t=50")
    #expect(program.get("/api/links").headers[.rateLimit] == "\"minute\";r=56;t=50")
    // Another account has its own.
    #expect(try house.account("free").get("/api/links").headers[.rateLimit] == "\"minute\";r=59;t=50")
  }

  @Test func threadsAtOnceAreCountedEach() throws {
    let house = try house()
    let anna = try house.account("free")
    let statuses = inParallel(20) { _ in (0..<5).map { _ in anna.get("/api/auth/me").status } }.flatMap { $0 }
    #expect(statuses.filter { $0 == 200 }.count == 60)
    #expect(statuses.filter { $0 == 429 }.count == 40)
  }

  @Test func withoutLimitTheFieldsSayTheLargestNumber() throws {
    let house = try house()
    let anna = try house.account()
    #expect(anna.get("/api/links").headers[.rateLimitPolicy] == "\"minute\";q=999999999999999;w=60")
  }

  @Test func guessingCredentialsIsCountedByClient() throws {
    let house = try house()
    let eve = house.nobody
    for _ in 0..<RateLimits.anonymousPerMinute {
      #expect(eve.get("/api/links", [.apiKey: "fli_guess"]).status == 401)
    }
    #expect(eve.get("/api/links", [.apiKey: "fli_guess"]).status == 429)
    #expect(eve.get("/api/links").status == 429)
    #expect(eve.get("/api/plans").status == 429)
    #expect(eve.get("/health").status == 200 && eve.get("/openapi/v1.json").status == 200)
    #expect(house.nobody.get("/api/plans").status == 200)
  }

  @Test func neighboursAreToldApart() {
    // The upper 20 bits are what a number of the table knows its owner by.
    let owners = Set((0..<250).map { spread("192.0.2.\($0)".utf8) >> 44 })
    #expect(owners.count > 245)
    let places = Set((0..<250).map { spread("192.0.2.\($0)".utf8) & 0xFFFF })
    #expect(places.count > 240)
  }

  @Test func theTableIsSharedAndCountsByTheMinute() throws {
    let house = try house()
    let path = house.settings.state + "/run/test-limits"
    let here = RateLimits(table: try SharedTable(path: path, count: 16))
    let there = RateLimits(table: try SharedTable(path: path, count: 16))
    let start = Timestamp(seconds: 60_000)
    #expect(here.take("a".utf8, limit: 2, at: start).used == 1)
    #expect(there.take("a".utf8, limit: 2, at: start + .seconds(59)).used == 2)
    #expect(here.take("a".utf8, limit: 2, at: start + .seconds(59)).isOver)
    #expect(here.take("b".utf8, limit: 2, at: start).used == 1)
    #expect(here.take("a".utf8, limit: 2, at: start + .seconds(60)).used == 1)
    // A full table counts nobody against somebody else's.
    let used = (0..<100).map { here.take("\($0)".utf8, limit: 2, at: start + .seconds(120)).used }
    #expect(used.allSatisfy { $0 <= 1 } && used.contains(0))
  }
}
