import FLHTTP
import FLMariaDB
import FLValues
import Foundation
import Synchronization
import Testing

@testable import FLApp

/// Many contacts at once, by their addresses.
@Suite struct ContactUpsertTests {
  private static let shared = Result { try House() }
  let house: House

  init() throws { house = try Self.shared.get() }

  private func account() throws -> (Client, AccountID) {
    let anna = try house.account()
    return (anna, try #require(AccountID(try anna.get("/api/auth/me").string("id"))))
  }

  private func rows(_ rows: JSON...) -> [ContactRow] { rows.map { ContactRow(reading: $0) } }

  @discardableResult
  private func upsert(_ account: AccountID, _ rows: [ContactRow], tags: [String] = [], source: String? = nil)
    throws -> ContactUpsert.Result
  {
    let result = try ContactUpsert(account: account, database: house.app.database).run(
      rows, tags: tags.map { TagName(text: $0) }, source: source, at: .now)
    // Of each row one, or nil.
    try #require(result.ids.count == rows.count)
    return result
  }

  private func find(_ account: AccountID, _ id: ContactID?) throws -> Contact {
    let rows = ContactRows(account: account, queries: house.app.database)
    let id = try #require(id)
    return try #require(try rows.find(id))
  }

  @Test func newContactsAreMadeAndThoseThatAreThereChanged() throws {
    let (_, account) = try account()
    let first = try upsert(
      account,
      rows(
        ["email": "Bob@Example.org", "firstName": "Bob", "phones": [["number": "+41 79 1234567"]]],
        ["email": "eve@example.org", "customFields": ["a": 1, "b": "x"], "tags": ["VIP"]]),
      tags: ["News"], source: "csv")
    #expect(first.created == 2 && first.updated == 0 && first.skipped == 0 && first.errors.isEmpty)
    let bob = try find(account, first.ids[0])
    #expect(bob.name == "Bob" && bob.source == "csv" && bob.tags == ["News"] && bob.phones.count == 1)
    #expect(try find(account, first.ids[1]).tags == ["News", "VIP"])
    let second = try upsert(
      account,
      rows(
        [
          "email": "bob@example.ORG", "lastName": "Miller", "firstName": nil,
          "phones": [["number": "+41791234567"]],
        ],
        ["email": "eve@example.org", "customFields": ["b": "y", "c": true]],
        ["email": "eve@example.org"]),
      tags: ["NEWS"])
    #expect(second.created == 0 && second.updated == 2 && second.skipped == 1)
    #expect(second.ids == [first.ids[0], first.ids[1], first.ids[1]])
    let after = try find(account, first.ids[0])
    #expect(after.email == "Bob@Example.org" && after.name == "Bob Miller" && after.version == 2)
    #expect(after.phones.count == 1 && after.source == "csv")
    #expect(
      try find(account, first.ids[1]).customFields.members == ["a": 1, "b": "y", "c": true])
    let third = try upsert(account, rows(["email": "bob@example.org", "firstName": "Bob"]), tags: ["news"])
    #expect(third.skipped == 1 && third.updated == 0)
    #expect(try find(account, first.ids[0]).version == 2)
  }

  @Test func aBadRowStopsNoOther() throws {
    let (_, account) = try account()
    let result = try upsert(
      account,
      rows(
        ["email": "a@example.org"], 7, ["email": "nonsense", "x": 1], ["firstName": "B"],
        ["email": "b@example.org", "firstName": 7], ["email": "c@example.org"]))
    #expect(result.created == 2)
    #expect(
      result.errors.map { "\($0.index) \($0.problem.field) \($0.problem.code)" } == [
        "1 body invalid_type", "2 x unknown_field", "2 email invalid_email", "3 email required",
        "4 firstName invalid_type",
      ])
    #expect(result.errors.last?.email == "b@example.org")
    #expect(result.ids.map { $0 != nil } == [true, false, false, false, false, true])
  }

  @Test func theLaterOfTwoRowsChangesTheEarlier() throws {
    let (_, account) = try account()
    let result = try upsert(
      account,
      rows(
        ["email": "a@example.org", "firstName": "Old", "company": "X", "phones": [["number": "1"]]],
        ["email": "b@example.org"],
        ["email": "A@example.org", "firstName": "New", "phones": [["number": "2"]], "tags": ["t"]]))
    #expect(result.created == 2 && result.updated == 1 && result.ids[0] == result.ids[2])
    let contact = try find(account, result.ids[0])
    #expect(contact.firstName == "New" && contact.company == "X" && contact.tags == ["t"])
    #expect(contact.phones.map(\.number) == ["1", "2"])
    let words: [String] = try house.app.database.rows(
      "SELECT word FROM contact_words WHERE contact_id = \(contact.id) ORDER BY word"
    ).map { try $0["word"] }
    #expect(words == ["1", "2", "a", "a@example.org", "example", "new", "org", "x"])
  }

  @Test func noFlagIsLifted() throws {
    let (_, account) = try account()
    let database = house.app.database
    let ids = try upsert(account, rows(["email": "u@example.org"], ["email": "b@example.org"])).ids
    let (one, other) = (try #require(ids[0]), try #require(ids[1]))
    try database.transaction { (connection: Connection) throws -> Void in
      let consent = ContactConsent(account: account, queries: connection)
      #expect(try consent.unsubscribe([one], reason: .oneClick, at: .now) == [one])
      #expect(try consent.unsubscribe([one, one], reason: .page, at: .now).isEmpty)
      #expect(try consent.bounce(other, reason: "550 gone", at: .now))
      #expect(try !consent.bounce(other, reason: "551", at: .now))
    }
    _ = try upsert(
      account,
      rows(
        ["email": "u@example.org", "isUnsubscribed": false, "firstName": "U"],
        ["email": "b@example.org", "isBounced": false]))
    #expect(try find(account, one).unsubscribeReason == "one_click")
    #expect(try find(account, other).bounceReason == "550 gone")
    // Whoever was deleted and comes again is as before.
    try ContactRows(account: account, queries: database).delete([one, other])
    let again = try upsert(account, rows(["email": "U@example.org"], ["email": "b@example.org"]))
    #expect(again.created == 2)
    #expect(try find(account, again.ids[0]).unsubscribeReason == "one_click")
    #expect(try find(account, again.ids[1]).bounceReason == "550 gone")
  }

  @Test func aRowCanUnsubscribe() throws {
    let (_, account) = try account()
    let ids = try upsert(
      account, rows(["email": "u@example.org", "isUnsubscribed": true, "isBounced": true])
    ).ids
    let contact = try find(account, ids[0])
    #expect(contact.unsubscribeReason == "import" && contact.bouncedAt != nil)
    #expect(try house.count("SELECT COUNT(*) FROM suppressions WHERE account_id = \(account)") == 1)
  }

  @Test func softBouncesCountUntilOneArrives() throws {
    let (_, account) = try account()
    let id = try #require(try upsert(account, rows(["email": "s@example.org"])).ids[0])
    try house.app.database.transaction { (connection: Connection) throws -> Void in
      let consent = ContactConsent(account: account, queries: connection)
      for _ in 1...4 { #expect(try !consent.softBounce(id, reason: "452", at: .now)) }
      try consent.delivered([id])
      for _ in 1...4 { #expect(try !consent.softBounce(id, reason: "452", at: .now)) }
      #expect(try consent.softBounce(id, reason: "452 full", at: .now))
      #expect(try !consent.softBounce(id, reason: "452", at: .now))
    }
    #expect(try find(account, id).bounceReason == "452 full")
  }

  @Test func limitsHoldForWhatIsAdded() throws {
    let (_, account) = try account()
    let phones = JSON.array((1...20).map { ["number": .string("\($0)")] })
    let fields = JSON.object((1...50).reduce(into: [:]) { $0["f\($1)"] = 1 })
    let tags = JSON.array((1...50).map { .string("t\($0)") })
    let row: JSON = ["email": "a@example.org", "phones": phones, "customFields": fields, "tags": tags]
    #expect(try upsert(account, rows(row)).created == 1)
    let result = try upsert(
      account,
      rows(
        ["email": "a@example.org", "phones": [["number": "21"]]],
        ["email": "a@example.org", "customFields": ["g": 1]], ["email": "a@example.org", "tags": ["u"]], row))
    #expect(result.errors.map(\.problem.field) == ["phones", "customFields", "tags"])
    #expect(result.skipped == 1 && result.updated == 0)
  }

  @Test func twoRequestsWithTheSameAddressesMakeEachOnce() throws {
    let (_, account) = try account()
    let rows = (0..<300).map { ContactRow(reading: ["email": .string("p\($0)@example.org")]) }
    let database = house.app.database
    let created = Atomic<Int>(0)
    DispatchQueue.concurrentPerform(iterations: 4) { _ in
      let result = try? ContactUpsert(account: account, database: database).run(
        rows, tags: [TagName(text: "x")], source: nil, at: .now)
      created.add(result?.created ?? 1000, ordering: .relaxed)
    }
    #expect(created.load(ordering: .relaxed) == 300)
    #expect(try house.count("SELECT COUNT(*) FROM contacts WHERE account_id = \(account)") == 300)
  }

  @Test(.timeLimit(.minutes(60))) func tenThousandRowsAreWrittenAtOnce() throws {
    let (_, account) = try account()
    let rows = (0..<10_000).map {
      ContactRow(reading: [
        "email": .string("person\($0)@example\($0 % 97).org"), "firstName": .string("First\($0 % 500)"),
        "lastName": .string("Last\($0)"), "company": .string("Company \($0 % 1000)"),
      ])
    }
    let clock = ContinuousClock()
    var result = ContactUpsert.Result()
    let time = try clock.measure { result = try upsert(account, rows, tags: ["bulk"]) }
    #expect(result.created == 10_000 && Set(result.ids).count == 10_000)
    let again = try clock.measure { result = try upsert(account, rows, tags: ["bulk"]) }
    #expect(result.skipped == 10_000)
    print("10,000 rows: \(time) to make, \(again) to skip")
  }
}
