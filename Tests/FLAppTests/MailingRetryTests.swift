import FLHTTP
import FLMariaDB
import FLValues
import Testing

@testable import FLApp

/// Sending a mailing again to those who did not get it.
@Suite struct MailingRetryTests {
  private static let shared = Result { try House() }
  let house: House

  init() throws { house = try Self.shared.get() }

  private var database: Database { house.app.database }

  /// A mailing that is through, and its recipients in their order.
  private struct Through {
    let owner: Client
    let id: MailingID
    let people: [ContactID]

    var path: String { "/api/mailing/\(id)" }

    func retry(_ wish: JSON? = nil) -> Answer { owner.post(path + "/retry", wish) }

    /// The recipients in their order: state, why skipped, the server's code.
    var states: [String] {
      owner.get(path + "/recipients").items.map {
        let state = "\($0["status"]?.string ?? "") \($0["skippedReason"]?.string ?? "-")"
        return state + ($0["smtpCode"]?.integer.map { " \($0)" } ?? "")
      }
    }
  }

  /// A mailing in the state `status` whose recipients are in `states`, each with a reason where it is skipped.
  private func through(
    _ states: [(status: String, reason: String?)], status: String = "sent", owner: Client? = nil
  ) throws -> Through {
    let owner = try owner ?? house.account()
    let mark = UInt64.random(in: 0...UInt64.max)
    let people = try owner.contacts(house, states.indices.map { "p\($0)-\(mark)@example.org" })
    let path = "/api/mailing/" + (try owner.mailing().string("id"))
    try #require(
      owner.post(path + "/recipients", ["contactIds": .array(people.map { .string($0) })]).status == 200)
    try #require(owner.post(path + "/send").status == 200)
    let id = try #require(MailingID(String(path.split(separator: "/")[2])))
    let contacts = try people.map { try #require(ContactID($0)) }
    for (contact, state) in zip(contacts, states) {
      let isBounced = state.status == "bounced"
      try database.run(
        """
        UPDATE mailing_recipients SET status = \(state.status), skipped_reason = \(state.reason), attempts = 1,
          smtp_code = \(isBounced ? 552 : 250), sent_at = \(state.status == "skipped" ? nil : Timestamp.now),
          bounced_at = \(isBounced ? Timestamp.now : nil)
        WHERE mailing_id = \(id) AND contact_id = \(contact)
        """)
    }
    try database.run(
      "UPDATE mailings SET status = \(status), started_at = NOW(6), prepared_at = NOW(6), finished_at = NOW(6) WHERE id = \(id)"
    )
    return Through(owner: owner, id: id, people: contacts)
  }

  private func flag(_ contact: ContactID, _ column: SQL) throws {
    try database.run("UPDATE contacts SET \(column) = NOW(6) WHERE id = \(contact)")
  }

  /// Claims who waits, as a sender does.
  private func claim(_ id: MailingID) throws -> [ClaimedRecipient] {
    try SendingRows(queries: database).start(id, at: .now)
    return try database.transaction {
      try SendingRows(queries: $0).claim(100, of: id, behind: nil, by: SenderID(at: .now), at: .now)
    }.recipients
  }

  @Test func whoseMessageCameBackGetsItAgainIfTheContactMayGetMail() throws {
    let mailing = try through(
      [("bounced", nil), ("bounced", nil), ("bounced", nil), ("bounced", nil), ("sent", nil)])
    try flag(mailing.people[1], "bounced_at")
    try flag(mailing.people[2], "unsubscribed_at")
    try database.run("DELETE FROM contacts WHERE id = \(mailing.people[3])")
    let before = mailing.owner.get(mailing.path + "/recipients").items
    let retried = mailing.retry(["includeBounced": true])
    #expect(retried.status == 200 && retried["status"] == "queued", "\(retried)")
    #expect(retried["finishedAt"] == JSON.null)
    #expect(
      retried.counted("pending") == 1 && retried.counted("bounced") == 3 && retried.counted("sent") == 1)
    #expect(
      mailing.states == ["pending - 552", "bounced - 552", "bounced - 552", "bounced - 552", "sent - 250"])
    let after = mailing.owner.get(mailing.path + "/recipients").items
    #expect(after.dropFirst() == before.dropFirst())
    let waiting = try #require(after.first)
    #expect(waiting["attempts"] == 0 && waiting["sentAt"] == JSON.null && waiting["bouncedAt"] == JSON.null)
    #expect(try claim(mailing.id).map(\.returns) == [1])
  }

  @Test func whoWasPassedOverGetsItIfTheContactMayGetMailNow() throws {
    let mailing = try through([
      ("skipped", "unsubscribed"), ("skipped", "bounced"), ("skipped", "unsubscribed"),
      ("skipped", "cancelled"), ("skipped", "invalid_address"), ("skipped", "invalid_address"),
      ("skipped", "pending"), ("sent", nil),
    ])
    try flag(mailing.people[2], "unsubscribed_at")
    try database.run("UPDATE contacts SET email = 'better@example.org' WHERE id = \(mailing.people[5])")
    let retried = mailing.retry(["includeSkipped": true])
    #expect(retried.counted("pending") == 5 && retried.counted("skipped") == 2, "\(retried)")
    #expect(
      mailing.states.map { $0.replacing(" 250", with: "") } == [
        "pending -", "pending -", "skipped unsubscribed", "pending -", "skipped invalid_address", "pending -",
        "pending -", "sent -",
      ])
    #expect(try claim(mailing.id).map(\.contact) == [0, 1, 3, 5, 6].map { mailing.people[$0] })
  }

  @Test func onlyWhomTheMembersNameAreTriedAgain() throws {
    let mailing = try through([
      ("failed", nil), ("uncertain", nil), ("bounced", nil), ("skipped", "cancelled"), ("sent", nil),
    ])
    #expect(mailing.retry().counted("pending") == 1)
    #expect(mailing.states.map { $0.prefix(7) } == ["pending", "uncerta", "bounced", "skipped", "sent - "])
    #expect(mailing.retry(["includeBounced": true]).fields == ["status wrong_status"])
    #expect(mailing.retry(["includeBounced": "yes"]).fields == ["includeBounced invalid_type"])
    #expect(mailing.retry(["includeAll": true]).fields == ["includeAll unknown_field"])
    let stranger = try house.account()
    #expect(stranger.post(mailing.path + "/retry", ["includeBounced": true]).status == 404)
  }

  @Test func whereNobodyFailedTheOthersAreTold() throws {
    let mailing = try through([
      ("uncertain", nil), ("bounced", nil), ("bounced", nil), ("skipped", "unsubscribed"), ("sent", nil),
    ])
    for contact in mailing.people[1...3] { try flag(contact, "unsubscribed_at") }
    let refused = mailing.retry()
    #expect(refused.status == 409 && refused.fields == ["status nothing_failed"])
    let detail = try refused.string("detail")
    for words in [
      "1 uncertain (`includeUncertain`", "2 bounced (`includeBounced`", "1 skipped (`includeSkipped`",
    ] { #expect(detail.contains(words), "\(detail)") }
    // Those who are named and may get nothing are told as such, and nothing has changed.
    let tag = mailing.owner.get(mailing.path).headers[.eTag]
    let named = mailing.retry(["includeBounced": true, "includeSkipped": true])
    #expect(named.fields == ["status nothing_failed"])
    let words = try named.string("detail")
    #expect(words.contains("2 bounced (none of their contacts may get mail)"), "\(words)")
    #expect(words.contains("1 skipped (none of their contacts may get mail)"), "\(words)")
    #expect(mailing.owner.get(mailing.path).headers[.eTag] == tag)
    let sent = try through([("sent", nil)])
    #expect(try sent.retry().string("detail") == "Nobody's message has failed.")
  }

  @Test func whoLeavesBetweenTheWishAndTheSendingIsLeftOut() throws {
    let mailing = try through([("bounced", nil), ("bounced", nil), ("skipped", "cancelled"), ("failed", nil)])
    #expect(
      mailing.retry(["includeBounced": true, "includeSkipped": true]).counted("pending") == 4)
    try flag(mailing.people[0], "unsubscribed_at")
    try flag(mailing.people[2], "bounced_at")
    try flag(mailing.people[3], "unsubscribed_at")
    #expect(try claim(mailing.id).map(\.contact) == [mailing.people[1]])
    #expect(
      mailing.states.map { $0.split(separator: " ").prefix(2).joined(separator: " ") } == [
        "skipped unsubscribed", "sending -", "skipped bounced", "skipped unsubscribed",
      ])
  }

  @Test func aCancelledMailingGoesToThoseWhoWerePassedOver() throws {
    let mailing = try through(
      [("sent", nil), ("skipped", "cancelled"), ("skipped", "unsubscribed"), ("failed", nil)],
      status: "cancelled")
    try flag(mailing.people[2], "unsubscribed_at")
    try database.run(
      "UPDATE mailings SET scheduled_for = NOW(6) + INTERVAL 1 DAY, started_at = NULL WHERE id = \(mailing.id)"
    )
    let refused = mailing.retry(["includeBounced": true])
    #expect(refused.fields == ["status wrong_status"])
    #expect(try refused.string("detail").contains("`includeSkipped`"))
    let retried = mailing.retry(["includeSkipped": true])
    #expect(retried["status"] == "queued" && retried["finishedAt"] == JSON.null, "\(retried)")
    #expect(retried.counted("pending") == 2 && retried.counted("skipped") == 1)
    // It is not put off to its time by a pause.
    #expect(retried["scheduledFor"] == JSON.null)
    #expect(mailing.owner.post(mailing.path + "/pause")["status"] == "paused")
    #expect(mailing.owner.post(mailing.path + "/resume")["status"] == "queued")
    #expect(try claim(mailing.id).count == 2)
    // Cancelled once more it is over for whoever waits.
    #expect(mailing.owner.post(mailing.path + "/cancel")["status"] == "cancelled")
    let nobody = try through([("sent", nil), ("skipped", "unsubscribed")], status: "cancelled")
    try flag(nobody.people[1], "unsubscribed_at")
    #expect(nobody.retry(["includeSkipped": true]).fields == ["status nothing_failed"])
  }

  @Test func aCancellingThatIsOvertakenPassesOverNobody() throws {
    let mailing = try through([("skipped", "cancelled"), ("sent", nil)], status: "cancelled")
    #expect(mailing.retry(["includeSkipped": true]).counted("pending") == 1)
    let account: AccountID = try #require(
      try database.row("SELECT account_id FROM mailings WHERE id = \(mailing.id)"))["account_id"]
    try MailingAudience(database: database).passOver(mailing.id, account: account)
    #expect(mailing.owner.get(mailing.path).counted("pending") == 1)
  }

  @Test func countsStatisticsAndTheEndAreRight() throws {
    let owner = try house.account()
    let hook = owner.post("/api/webhooks", ["url": "https://hook.example/", "events": ["mailing.sent"]])
    try #require(hook.status == 201)
    let mailing = try through([("sent", nil), ("bounced", nil), ("bounced", nil)], owner: owner)
    #expect(mailing.retry(["includeBounced": true]).counted("pending") == 2)
    let stats = owner.get(mailing.path + "/stats")
    #expect(stats["counts"]?["bounced"] == 0 && stats["counts"]?["pending"] == 2 && stats["failures"] == [])
    try SendingRows(queries: database).start(mailing.id, at: .now)
    let sender = SenderID(at: .now)
    _ = try database.transaction {
      try SendingRows(queries: $0).claim(10, of: mailing.id, behind: nil, by: sender, at: .now)
    }
    #expect(try !house.app.finishMailing(mailing.id, at: .now))
    let results = zip(mailing.people[1...2], [.sent, .failed] as [RecipientResult.Outcome]).map {
      RecipientResult(contact: $0, outcome: $1, code: $1.isSent ? 250 : 554, reply: "words", at: .now)
    }
    try house.app.markRecipients(results, of: mailing.id, by: sender)
    #expect(try house.app.finishMailing(mailing.id, at: .now))
    #expect(try !house.app.finishMailing(mailing.id, at: .now))
    let now = owner.get(mailing.path)
    #expect(now["status"] == "sent" && now["finishedAt"] != JSON.null)
    #expect(now.counted("sent") == 2 && now.counted("failed") == 1 && now.counted("bounced") == 0)
    let after = owner.get(mailing.path + "/stats")
    #expect(after["failures"] == [["smtpCode": 554, "smtpReply": "words", "count": 1]])
    #expect(after["series"]?.array?.reduce(0) { $0 + ($1["sent"]?.integer ?? 0) } == 2)
    // It was told once, with the numbers of its end.
    let told = try database.rows(
      """
      SELECT data FROM webhook_events e JOIN mailings m ON m.account_id = e.account_id
      WHERE m.id = \(mailing.id) AND e.event = 'mailing.sent'
      """)
    #expect(told.count == 1)
    let data = try JSON(reading: Array((try #require(told.first)["data"] as String).utf8))
    #expect(data["counts"]?["sent"] == 2 && data["counts"]?["failed"] == 1)
  }

  /// Retrying asks for a stretch by the primary key, and for contacts by theirs, whatever else there is.
  @Test func retryingRunsOnIndexes() throws {
    let mailing = try through([("bounced", nil)])
    let account: AccountID = try #require(
      try database.row("SELECT account_id FROM mailings WHERE id = \(mailing.id)"))["account_id"]
    for statement: SQL in [
      """
      INSERT INTO contacts (id, account_id, email, email_key, created_at, updated_at)
      SELECT UNHEX(LPAD(HEX(seq), 32, '0')), \(account), seq, seq, NOW(), NOW() FROM seq_1_to_5000
      """,
      """
      INSERT INTO mailing_recipients (mailing_id, contact_id, email, status)
      SELECT \(mailing.id), UNHEX(LPAD(HEX(seq), 32, '0')), seq, 'bounced' FROM seq_1_to_5000
      """,
      "ANALYZE TABLE contacts, mailing_recipients",
    ] { _ = try database.rows(statement) }
    let listener = Listener(database)
    let rows = RecipientRows(account: account, mailing: mailing.id, queries: listener)
    let wish = MailingRetry(includeUncertain: true, includeBounced: true, includeSkipped: true)
    let first = ContactID(high: 0, low: 0)
    let last = try #require(try rows.last(after: first, limit: 1000))
    #expect(try rows.hasReachable(for: wish, after: first, through: last))
    try rows.retry(wish, after: first, through: last)
    #expect(
      try house.count(
        "SELECT COUNT(*) FROM mailing_recipients WHERE mailing_id = \(mailing.id) AND returns = 1") == 1000)
    for statement in listener.heard {
      for step in try database.rows("EXPLAIN \(statement)") {
        let (table, type, key): (String?, String?, String?) = try (step["table"], step["type"], step["key"])
        guard table == "r" || table == "c" || table == "mailing_recipients" else { continue }
        #expect(key != nil && type.map { ["range", "ref", "eq_ref"].contains($0) } == true, "\(statement)")
      }
    }
  }
}

extension RecipientResult.Outcome {
  fileprivate var isSent: Bool { if case .sent = self { true } else { false } }
}
