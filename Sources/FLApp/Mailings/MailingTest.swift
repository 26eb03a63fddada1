import FLHTTP
public import FLMariaDB
public import FLValues

/// The identifier of a test of a mailing.
public typealias MailingTestID = ID<MailingTest>

/// A message like those of a mailing, to somebody who wants to see it before all do.
public struct MailingTest: Sendable {
  /// What the subject begins with.
  public static let mark = "[Test] "

  /// Which one it is.
  public let id: MailingTestID
  /// The mailing as it is now.
  public let mailing: Mailing
  /// The address that it goes to.
  public let recipient: String
  /// Whose values the placeholders get; nil for `sampleValues`.
  public let contact: ContactID?
  /// How often it was tried before.
  public let attempts: Int
}

/// Who gets a test.
struct MailingTestWish: Sendable {
  let addresses: [EmailAddress]
  let contact: ContactID?

  private static let to: Shape<[EmailAddress]> = Shape<[EmailAddress]>.list(of: .email, atMost: 5, atLeast: 1)
    .described("Up to five addresses.")
  private static let contactID: Shape<ContactID?> = Shape<ContactID?>.optional(.id()).described(
    "Whose values the placeholders get; made-up ones without.")

  static let shape = Shape(
    MailingTestWish.init(addresses:contact:), Field("to", \.addresses, to),
    Field("contactId", \.contact, contactID)
  ).named("MailingTestWish")
}

/// The tests that will be sent.
struct MailingTestsQueued: Sendable {
  let addresses: [String]

  static let shape = Shape<MailingTestsQueued>.output(
    "MailingTests",
    [
      .init("queued", { $0.addresses.count }, .count), .init("to", \.addresses, .list(of: .string)),
    ])
}

/// A test, and what became of it.
struct MailingTestResult: Sendable {
  /// How far it has come.
  enum Status: String, Sendable, CaseIterable {
    /// It waits for a sender, or to be tried again.
    case pending
    /// A server has taken it.
    case sent
    /// It was refused, or tried too often.
    case failed
  }

  let id: MailingTestID
  let recipient: String
  let contact: ContactID?
  let attempts: Int
  let smtpCode: Int?
  let smtpReply: String?
  let createdAt: Timestamp
  let sentAt: Timestamp?
  let failedAt: Timestamp?

  var status: Status { sentAt != nil ? .sent : failedAt != nil ? .failed : .pending }

  static let shape = Shape<MailingTestResult>.output(
    "MailingTest",
    [
      .init("id", \.id, .id()), .init("to", \.recipient, .string),
      .init("contactId", \.contact, .optional(.id())), .init("status", \.status, .oneOf(Status.self)),
      .init("attempts", \.attempts, .count), .init("smtpCode", \.smtpCode, .optional(.count)),
      .init("smtpReply", \.smtpReply, .optional(.string)), .init("createdAt", \.createdAt, .timestamp),
      .init("sentAt", \.sentAt, .optional(.timestamp)),
    ])
}

/// Every SQL statement about tests of mailings.
struct MailingTestRows {
  let account: AccountID
  let queries: any Queries

  /// How many tests an account sends in an hour: enough to write by, and too few to send mailings with.
  static let mostAnHour = 20

  /// Lets `count` more tests pass. The account's row stays locked for the transaction, so that two requests at once
  /// do not both get the last one.
  /// - Throws: `Problem` 429.
  func checkRate(adding count: Int, at now: Timestamp) throws {
    _ = try queries.rows("SELECT id FROM accounts WHERE id = \(account) FOR UPDATE")
    let hour = now - .seconds(3600)
    let row = try queries.row(
      """
      SELECT COUNT(*) AS n, MIN(created_at) AS first FROM mailing_tests
      WHERE account_id = \(account) AND created_at > \(hour)
      """)
    guard let row, try row["n"] + count > Self.mostAnHour else { return }
    let first: Timestamp? = try row["first"]
    throw Problem.rateLimited(
      retryAfter: first.map { $0 - hour } ?? .seconds(3600),
      "\(Self.mostAnHour) test messages an hour are sent.")
  }

  /// The tests of `mailing`, the newest first, those behind `cursor`.
  func list(_ mailing: MailingID, behind cursor: Cursor?, limit: Int) throws -> [MailingTestResult] {
    let before: MailingTestID? = cursor?.id()
    let more: SQL = before.map { "AND id < \($0)" } ?? ""
    return try queries.rows(
      """
      SELECT id, recipient, contact_id, attempts, smtp_code, smtp_reply, created_at, sent_at, failed_at
      FROM mailing_tests WHERE mailing_id = \(mailing) AND account_id = \(account) \(more)
      ORDER BY id DESC LIMIT \(limit)
      """
    ).map {
      try MailingTestResult(
        id: $0["id"], recipient: $0["recipient"], contact: $0["contact_id"], attempts: $0["attempts"],
        smtpCode: $0["smtp_code"], smtpReply: $0["smtp_reply"], createdAt: $0["created_at"],
        sentAt: $0["sent_at"], failedAt: $0["failed_at"])
    }
  }

  func count(_ mailing: MailingID) throws -> Int {
    try queries.row(
      "SELECT COUNT(*) AS n FROM mailing_tests WHERE mailing_id = \(mailing) AND account_id = \(account)"
    )?["n"] ?? 0
  }

  func insert(_ wish: MailingTestWish, mailing: MailingID, at now: Timestamp) throws {
    let rows = wish.addresses.map { address -> SQL in
      "(\(MailingTestID(at: now)), \(mailing), \(account), \(address.text), \(wish.contact), \(now))"
    }
    _ = try queries.run(
      """
      INSERT INTO mailing_tests (id, mailing_id, account_id, recipient, contact_id, created_at)
      VALUES \(rows.joined(by: ", "))
      """)
  }
}

/// The queue of tests, for the sender: those of all accounts.
public enum MailingTestQueue {
  /// How often one is tried.
  public static let mostAttempts = 3

  /// Takes up to `count` waiting tests for `lease`, in which no other sender takes them.
  /// - Throws: `DatabaseError`.
  public static func claim(_ count: Int, for lease: Duration, from database: Database, at now: Timestamp)
    throws
    -> [MailingTest]
  {
    try database.transaction { connection in
      // By themselves: their mailings are not to be locked.
      let ids: [MailingTestID] = try connection.rows(
        """
        SELECT id FROM mailing_tests
        WHERE sent_at IS NULL AND failed_at IS NULL AND (leased_until IS NULL OR leased_until < \(now))
        ORDER BY id LIMIT \(count) FOR UPDATE SKIP LOCKED
        """
      ).map { try $0["id"] }
      guard !ids.isEmpty else { return [] }
      let tests = try connection.rows(
        """
        SELECT t.id AS test_id, t.recipient, t.contact_id, t.attempts, \(Mailing.columns)
        FROM mailing_tests t JOIN mailings m ON m.id = t.mailing_id WHERE t.id IN (\(ids)) ORDER BY t.id
        """
      ).map { row in
        try MailingTest(
          id: row["test_id"], mailing: Mailing(row), recipient: row["recipient"], contact: row["contact_id"],
          attempts: row["attempts"])
      }
      _ = try connection.run(
        """
        UPDATE mailing_tests SET leased_until = \(now + lease), attempts = attempts + 1
        WHERE id IN (\(ids))
        """)
      return tests
    }
  }

  /// Notes that a server has taken a test.
  /// - Throws: `DatabaseError`.
  public static func markSent(
    _ id: MailingTestID, code: Int?, reply: String?, in queries: any Queries, at now: Timestamp
  ) throws {
    _ = try queries.run(
      """
      UPDATE mailing_tests SET sent_at = \(now), leased_until = NULL, smtp_code = \(code),
        smtp_reply = \(reply?.cut(toScalars: 500))
      WHERE id = \(id)
      """)
  }

  /// Lets a test wait that was not tried at all: that is no attempt.
  /// - Throws: `DatabaseError`.
  public static func release(_ id: MailingTestID, until time: Timestamp, in queries: any Queries) throws {
    _ = try queries.run(
      "UPDATE mailing_tests SET leased_until = \(time), attempts = attempts - 1 WHERE id = \(id) AND attempts > 0"
    )
  }

  /// Notes that a test was not taken: for good, where `isFinal` or it was tried often enough; else it is tried again
  /// at `retryAt`.
  /// - Throws: `DatabaseError`.
  public static func markFailed(
    _ id: MailingTestID, isFinal: Bool, retryAt: Timestamp, code: Int?, reply: String?,
    in queries: any Queries, at now: Timestamp
  ) throws {
    _ = try queries.run(
      """
      UPDATE mailing_tests SET failed_at = IF(\(isFinal) OR attempts >= \(mostAttempts), \(now), NULL),
        leased_until = \(retryAt), smtp_code = \(code), smtp_reply = \(reply?.cut(toScalars: 500))
      WHERE id = \(id)
      """)
  }

  /// Takes away tests of more than 30 days ago.
  /// - Throws: `DatabaseError`.
  public static func purge(in queries: any Queries, at now: Timestamp) throws {
    _ = try queries.run(
      "DELETE FROM mailing_tests WHERE created_at < \(now - .seconds(30 * 86_400)) LIMIT 10000")
  }
}
