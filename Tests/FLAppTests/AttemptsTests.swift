import FLHTTP
import HTTPTypes
import Testing

@testable import FLApp

@Suite struct AttemptsTests {
  @Test func wrongPasswordsAreSlowedDown() throws {
    let house = try House()
    var anna = try house.account()
    house.clock.move()
    // From elsewhere than Anna, who is known where she is.
    var eve = house.nobody
    eve.email = anna.email
    for _ in 0..<5 { #expect(eve.logIn("guess").status == 401) }
    #expect(eve.logIn("guess").status == 401)
    // The sixth made the next one wait, even with the right password.
    let blocked = eve.logIn()
    #expect(blocked.status == 429 && blocked.code == "rate_limited")
    #expect(blocked.headers[.retryAfter] == "1")
    // Anna is not locked out where she was before, by her address in whatever case.
    anna.email = anna.email.uppercased()
    #expect(anna.logIn().status == 200)
    // Each further one doubles the wait.
    var waits: [Int] = []
    for _ in 0..<4 {
      house.clock.move(by: waits.last ?? 1)
      #expect(eve.logIn("guess").status == 401)
      waits.append(Int(eve.logIn("guess").headers[.retryAfter] ?? "") ?? 0)
    }
    #expect(waits == [2, 4, 8, 16])
    house.clock.move(by: 16)
    #expect(eve.logIn().status == 200)
  }

  @Test func wrongPasswordsAreForgottenInTime() throws {
    let house = try House()
    let anna = try house.account()
    house.clock.move()
    var eve = house.nobody
    eve.email = anna.email
    for _ in 0..<6 { _ = eve.logIn("guess") }
    #expect(eve.logIn().status == 429)
    house.clock.move(by: 901)
    for _ in 0..<5 { #expect(eve.logIn("guess").status == 401) }
    #expect(eve.logIn().status == 200)
  }

  @Test func theyCountInEveryProcess() throws {
    let house = try House()
    let anna = try house.account()
    house.clock.move()
    var eve = house.nobody
    eve.email = anna.email
    var there = eve
    there.app = try house.secondApp()
    for _ in 0..<3 {
      #expect(eve.logIn("guess").status == 401)
      #expect(there.logIn("guess").status == 401)
    }
    #expect(eve.logIn().status == 429 && there.logIn().status == 429)
  }

  @Test func whoTriesManyAccountsIsSlowedDownToo() throws {
    let house = try House()
    let anna = try house.account()
    house.clock.move()
    var eve = house.nobody
    for number in 0..<21 {
      eve.email = "nobody-\(number)@example.org"
      #expect(eve.logIn("guess").status == 401)
    }
    eve.email = anna.email
    #expect(eve.logIn().status == 429)
    var other = house.nobody
    other.email = anna.email
    #expect(other.logIn().status == 200)
  }

  @Test func anIPv6NetworkIsOneClient() {
    #expect(clientNetwork("2001:db8:1:2::1") == clientNetwork("2001:db8:1:2:ffff::9"))
    #expect(clientNetwork("2001:db8:1:2::1") != clientNetwork("2001:db8:1:3::1"))
    #expect(clientNetwork("::ffff:192.0.2.1") == "192.0.2.1")
    #expect(clientNetwork("192.0.2.1") == "192.0.2.1")
    #expect(clientNetwork("") == "" && clientNetwork("::zz") == "::zz")
  }

  @Test func noAddressStandsInTheDatabase() throws {
    let house = try House()
    var eve = house.nobody
    eve.email = "very-secret@example.org"
    _ = eve.logIn("guess")
    #expect(try house.count("SELECT COUNT(*) FROM attempts") == 2)
    #expect(
      try house.count(
        "SELECT COUNT(*) FROM attempts WHERE subject LIKE '%secret%' OR subject LIKE \("%" + eve.address + "%")"
      )
        == 0)
  }

  @Test func thePresentPasswordIsNotGuessedFromWithin() throws {
    let house = try House()
    let anna = try house.account()
    house.clock.move()
    let guess: JSON = ["currentPassword": "guess", "newPassword": "brand new password"]
    for _ in 0..<6 { #expect(anna.post("/api/auth/password", guess).status == 422) }
    let right: JSON = ["currentPassword": .string(House.password), "newPassword": "brand new password"]
    #expect(anna.post("/api/auth/password", right).status == 429)
    house.clock.move(by: 2)
    #expect(anna.post("/api/auth/password", right).status == 204)
  }

  @Test func resetMailsAreFew() throws {
    let house = try House()
    let anna = try house.account()
    house.clock.move()
    let statuses = (0..<6).map { _ in
      house.nobody.post("/api/auth/password/forgot", ["email": .string(anna.email)]).status
    }
    #expect(statuses.prefix(4).allSatisfy { $0 == 204 } && statuses[4] == 429 && statuses[5] == 429)
    #expect(try house.count("SELECT COUNT(*) FROM mail_outbox") == 4)
  }
}
