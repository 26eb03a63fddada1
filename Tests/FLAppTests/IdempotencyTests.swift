import FLHTTP
import FLMariaDB
import FLValues
import Foundation
import HTTPTypes
import Testing

@testable import FLApp

@Suite struct IdempotencyTests {
  private static let shared = Result { try House() }
  let house: House
  private let link: JSON = ["destinationUrl": "https://example.org/"]

  init() throws { house = try Self.shared.get() }

  @Test func theSameRequestIsAnsweredAsTheFirstTime() throws {
    let anna = try house.account()
    let first = anna.post("/api/links", link, [.idempotencyKey: "a"])
    let again = anna.post("/api/links", link, [.idempotencyKey: "a"])
    #expect(first.status == 201 && first.headers[.idempotencyReplayed] == nil)
    #expect(again.status == 201 && again.headers[.idempotencyReplayed] == "true")
    #expect(again.bytes == first.bytes && again.location == first.location)
    #expect(again.headers[.eTag] == first.headers[.eTag])
    #expect(again[field: "X-Request-Id"] != first[field: "X-Request-Id"])
    #expect(anna.get("/api/links")["total"] == 1)
    #expect(anna.post("/api/links", link, [.idempotencyKey: "b"]).headers[.idempotencyReplayed] == nil)
    #expect(anna.get("/api/links")["total"] == 2)
  }

  @Test func aRefusalIsReplayedToo() throws {
    let anna = try house.account()
    let first = anna.post("/api/links", ["destinationUrl": "x"], [.idempotencyKey: "a"])
    let again = anna.post("/api/links", ["destinationUrl": "x"], [.idempotencyKey: "a"])
    #expect(first.status == 422 && again.status == 422 && again.headers[.idempotencyReplayed] == "true")
    #expect(again.fields == first.fields)
  }

  @Test func anotherRequestWithTheKeyIsRefused() throws {
    let anna = try house.account()
    _ = anna.post("/api/links", link, [.idempotencyKey: "a"])
    let body = anna.post("/api/links", ["destinationUrl": "https://example.com/"], [.idempotencyKey: "a"])
    #expect(body.status == 422 && body.code == "idempotency_key_reused")
    let path = anna.post("/api/links/bulk", link, [.idempotencyKey: "a"])
    #expect(path.status == 422 && path.code == "idempotency_key_reused")
    #expect(anna.get("/api/links")["total"] == 1)
  }

  @Test func aKeyIsItsAccountsOwn() throws {
    let anna = try house.account()
    let stranger = try house.account()
    let first = anna.post("/api/links", link, [.idempotencyKey: "shared"])
    let other = stranger.post("/api/links", link, [.idempotencyKey: "shared"])
    #expect(other.status == 201 && other.headers[.idempotencyReplayed] == nil)
    #expect(other["id"] != first["id"])
    // Another credential of the account meets the same key.
    let program = try house.keyholder(of: anna)
    #expect(program.post("/api/links", link, [.idempotencyKey: "shared"]).bytes == first.bytes)
  }

  @Test(
    "A key must be one", arguments: ["", "a\tb", "ä", String(repeating: "k", count: 256)])
  func badKey(key: String) throws {
    let anna = try house.account()
    let answer = anna.post("/api/links", link, [.idempotencyKey: key])
    #expect(answer.status == 422 && answer.fields == ["Idempotency-Key invalid_key"])
    #expect(anna.get("/api/links")["total"] == 0)
    #expect(anna.get("/api/links", [.idempotencyKey: key]).status == 200)
  }

  @Test func theSecondWaitsForNobodyWhileTheFirstRuns() throws {
    let anna = try house.account()
    _ = try anna.link()
    let me = try #require(AccountID(try anna.get("/api/auth/me").string("id")))
    let post: @Sendable () -> Answer = { [link] in anna.post("/api/links", link, [.idempotencyKey: "slow"]) }
    let (first, answered) = (Results(), DispatchSemaphore(value: 0))
    // The month's row is held, so that the first request can't end.
    try house.app.database.transaction { connection in
      _ = try connection.rows("SELECT links FROM usage_months WHERE account_id = \(me) FOR UPDATE")
      Thread {
        defer { answered.signal() }
        first.add(post())
      }.start()
      for _ in 0..<800
      where try house.count("SELECT COUNT(*) FROM idempotency_keys WHERE account_id = \(me)") == 0 {
        usleep(10_000)
      }
      try #require(
        try house.count("SELECT COUNT(*) FROM idempotency_keys WHERE account_id = \(me)") == 1)
      let second = post()
      #expect(second.status == 409 && second.code == "idempotency_in_progress")
      #expect(second.headers[.retryAfter] != nil)
      #expect(first.all.isEmpty)
    }
    try #require(answered.wait(timeout: .now() + 60) == .success)
    #expect(first.all.map(\.status) == [201])
    #expect(post().bytes == first.all.first?.bytes)
    #expect(anna.get("/api/links")["total"] == 2)
  }

  @Test func manyAtOnceMakeOne() throws {
    let anna = try house.account()
    let answers = inParallel(20) { [link] _ in anna.post("/api/links", link, [.idempotencyKey: "a"]) }
    #expect(answers.allSatisfy { $0.status == 201 || $0.status == 409 }, "\(answers.map(\.status))")
    #expect(answers.filter { $0.status == 201 && $0.headers[.idempotencyReplayed] == nil }.count == 1)
    #expect(anna.get("/api/links")["total"] == 1)
  }

  @Test func whatShouldBeTriedAgainIsNotKept() throws {
    let anna = try house.account("free")
    for _ in 0..<5 { _ = try anna.link() }
    let refused = anna.post("/api/links", link, [.idempotencyKey: "a"])
    #expect(refused.status == 403)
    try house.administration.setPlan("basic", of: anna.email)
    let made = anna.post("/api/links", link, [.idempotencyKey: "a"])
    #expect(made.status == 201 && made.headers[.idempotencyReplayed] == nil)
    // The wait for too many wrong passwords.
    let guess: JSON = ["currentPassword": "guess", "newPassword": "brand new password"]
    for _ in 0..<6 { _ = anna.post("/api/auth/password", guess) }
    #expect(anna.post("/api/auth/password", guess, [.idempotencyKey: "b"]).status == 429)
    #expect(try house.count(keys(of: anna)) == 1)
  }

  @Test func anErrorOfOursIsNotKept() throws {
    let house = try House()
    let anna = try house.account()
    let me = try #require(AccountID(try anna.get("/api/auth/me").string("id")))
    try house.app.database.run("RENAME TABLE links TO links_away")
    let failed = anna.post("/api/links", link, [.idempotencyKey: "a"])
    #expect(failed.status == 500 && failed.code == "internal_error")
    #expect(!failed.text.contains("links_away") && !failed.text.contains("SELECT"))
    #expect(house.log.all.contains { $0.contains("statement failed") })
    try house.app.database.run("RENAME TABLE links_away TO links")
    #expect(try house.count("SELECT COUNT(*) FROM idempotency_keys WHERE account_id = \(me)") == 0)
    #expect(anna.post("/api/links", link, [.idempotencyKey: "a"]).status == 201)
  }

  private func keys(of anna: Client) throws -> SQL {
    let me = try #require(AccountID(try anna.get("/api/auth/me").string("id")))
    return "SELECT COUNT(*) FROM idempotency_keys WHERE account_id = \(me)"
  }

  @Test func aSecretIsReplayedAndNotKeptInTheClear() throws {
    let anna = try house.account()
    let first = anna.post("/api/api-keys", ["name": "k"], [.idempotencyKey: "a-secret-name"])
    let again = anna.post("/api/api-keys", ["name": "k"], [.idempotencyKey: "a-secret-name"])
    let key = try first.string("key")
    #expect(again["key"]?.string == key)
    let rows = try house.app.database.rows("SELECT response, name FROM idempotency_keys")
    #expect(!rows.isEmpty)
    for row in rows {
      let response: [UInt8]? = try row["response"]
      let text = String(decoding: response ?? [], as: UTF8.self)
      #expect(!text.contains(key) && !text.contains("application/json"))
      #expect(!text.contains(Data(key.utf8).base64EncodedString().prefix(12)))
      let name: [UInt8] = try row["name"]
      #expect(!String(decoding: name, as: UTF8.self).contains("a-secret-name"))
    }
  }

  @Test func aKeyIsKeptForADay() throws {
    let house = try House()
    var anna = try house.account()
    let first = anna.post("/api/links", link, [.idempotencyKey: "a"])
    house.clock.move(by: 86_000)
    anna = try anna.loggedIn()
    #expect(anna.post("/api/links", link, [.idempotencyKey: "a"]).bytes == first.bytes)
    house.clock.move(by: 500)
    let later = anna.post("/api/links", ["destinationUrl": "https://example.com/"], [.idempotencyKey: "a"])
    #expect(later.status == 201 && later.headers[.idempotencyReplayed] == nil)
    #expect(anna.get("/api/links")["total"] == 2)
  }

  @Test func aRequestThatDiedIsRunAgain() throws {
    let house = try House()
    let anna = try house.account()
    house.clock.move()
    _ = anna.post("/api/links", link, [.idempotencyKey: "a"])
    try house.app.database.run("UPDATE idempotency_keys SET status = NULL, response = NULL")
    #expect(anna.post("/api/links", link, [.idempotencyKey: "a"]).code == "idempotency_in_progress")
    house.clock.move(by: 121)
    #expect(anna.post("/api/links", link, [.idempotencyKey: "a"]).status == 201)
  }
}

/// What threads have collected.
final class Results: @unchecked Sendable {
  private let lock = NSLock()
  private var answers: [Answer] = []
  var all: [Answer] { lock.withLock { answers } }
  func add(_ answer: Answer) { lock.withLock { answers.append(answer) } }
}
