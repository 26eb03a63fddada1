import FLCrypto
import FLMariaDB
import FLValues

/// The identifier of a message of the system.
public typealias SystemMailID = ID<SystemMail>

/// A message of the system itself that the sender delivers.
public struct SystemMail: Sendable {
  /// Which message it is.
  public let id: SystemMailID
  /// The address that it goes to.
  public let recipient: String
  /// The subject.
  public let subject: String
  /// Plain text with line feeds.
  public let body: String
  /// How many times it was tried, this time included.
  public let attempts: Int
  /// When it was queued.
  public let createdAt: Timestamp
}

/// The queue of the system's own messages, and every SQL statement about it. What a body says is sealed, since it
/// may hold a token, and gone when it is sent.
public struct MailOutbox: Sendable {
  let sealer: Sealer

  /// The queue, with bodies sealed under the settings' secret.
  public init(settings: Settings) {
    sealer = Sealer(
      key: settings.secret.key(for: "mail"), previous: settings.previousSecrets.map { $0.key(for: "mail") })
  }

  /// Queues a message to the account with this address, if there is one; the same statement runs either way.
  func queue(
    toAccountWithEmailKey key: String, subject: String, body: String, on queries: any Queries,
    at now: Timestamp
  ) throws {
    let id = SystemMailID(at: now)
    let sealed = sealer.seal(Array(body.utf8), context: id.description)
    _ = try queries.run(
      """
      INSERT INTO mail_outbox (id, account_id, recipient, subject, body, created_at)
      SELECT \(id), a.id, a.email, \(subject), \(sealed), \(now) FROM accounts a WHERE a.email_key = \(key)
      """)
  }

  /// Queues a message to `recipient`.
  func queue(
    to recipient: EmailAddress, of account: AccountID, subject: String, body: String, on queries: any Queries,
    at now: Timestamp
  ) throws {
    let id = SystemMailID(at: now)
    _ = try queries.run(
      """
      INSERT INTO mail_outbox (id, account_id, recipient, subject, body, created_at)
      VALUES (\(id), \(account), \(recipient.text), \(subject),
        \(sealer.seal(Array(body.utf8), context: id.description)), \(now))
      """)
  }

  /// How many of those that were queued together go before others get their turn.
  private static let ofOneTurn = 20

  /// A message that is to be queued together with others.
  struct Draft: Sendable {
    let recipient: EmailAddress
    let subject: String
    let body: String
  }

  /// Queues many messages, some hundred with each statement. They wait behind what is queued singly, since somebody
  /// waits for that, and the later ones of many behind the first ones of others.
  func queue(_ drafts: [Draft], of account: AccountID, on queries: any Queries, at now: Timestamp) throws {
    for some in Array(drafts.enumerated()).chunks(of: 500) {
      let rows = some.map { index, draft -> SQL in
        let id = SystemMailID(at: now)
        let sealed = sealer.seal(Array(draft.body.utf8), context: id.description)
        let turn = 1 + index / Self.ofOneTurn
        return "(\(id), \(account), \(draft.recipient.text), \(draft.subject), \(sealed), \(turn), \(now))"
      }
      _ = try queries.run(
        """
        INSERT INTO mail_outbox (id, account_id, recipient, subject, body, turn, created_at)
        VALUES \(rows.joined(by: ", "))
        """)
    }
  }

  /// How long a message waits that can't be opened, and for how long it is looked at again: a secret that is gone may
  /// come back.
  private static let (closedPause, closedPatience) = (Duration.seconds(3600), Duration.seconds(3 * 86_400))

  /// Takes up to `count` waiting messages for `lease`, in which no other sender takes them. One that can't be
  /// opened (its secret is gone) is passed over and holds up no other.
  public func claim(_ count: Int, for lease: Duration, from database: Database, at now: Timestamp) throws
    -> [SystemMail]
  {
    while true {
      let (mails, found) = try claimOnce(count, for: lease, from: database, at: now)
      if !mails.isEmpty || found == 0 { return mails }
    }
  }

  private func claimOnce(_ count: Int, for lease: Duration, from database: Database, at now: Timestamp) throws
    -> (mails: [SystemMail], found: Int)
  {
    try database.transaction { connection in
      let rows = try connection.rows(
        """
        SELECT id, recipient, subject, body, attempts, created_at FROM mail_outbox FORCE INDEX (mail_outbox_turns)
        WHERE sent_at IS NULL AND failed_at IS NULL AND (leased_until IS NULL OR leased_until < \(now))
          AND (due_at IS NULL OR due_at <= \(now))
        ORDER BY turn, id LIMIT \(count) FOR UPDATE SKIP LOCKED
        """)
      let ids: [SystemMailID] = try rows.map { try $0["id"] }
      let mails = try zip(ids, rows).compactMap { id, row -> SystemMail? in
        let sealed: [UInt8] = try row["body"]
        guard let body = try? sealer.open(sealed, context: id.description) else { return nil }
        return try SystemMail(
          id: id, recipient: row["recipient"], subject: row["subject"],
          body: String(decoding: body, as: UTF8.self), attempts: row["attempts"] + 1,
          createdAt: row["created_at"])
      }
      if !mails.isEmpty {
        _ = try connection.run(
          """
          UPDATE mail_outbox SET leased_until = \(now + lease), attempts = attempts + 1
          WHERE id IN (\(mails.map(\.id)))
          """)
      }
      let closed = Set(ids).subtracting(mails.map(\.id)).sorted()
      if !closed.isEmpty {
        _ = try connection.run(
          """
          UPDATE mail_outbox SET due_at = \(now + Self.closedPause),
            failed_at = IF(created_at < \(now - Self.closedPatience), \(now), NULL) WHERE id IN (\(closed))
          """)
      }
      return (mails, ids.count)
    }
  }

  /// Marks a message as sent and forgets what it said.
  public func markSent(_ id: SystemMailID, in queries: any Queries, at now: Timestamp) throws {
    _ = try queries.run("UPDATE mail_outbox SET sent_at = \(now), body = '' WHERE id = \(id)")
  }

  /// Lets a message wait that was not tried at all: that is no attempt.
  package func release(_ id: SystemMailID, until time: Timestamp, in queries: any Queries) throws {
    _ = try queries.run(
      """
      UPDATE mail_outbox SET due_at = \(time), leased_until = NULL, attempts = attempts - 1
      WHERE id = \(id) AND attempts > 0
      """)
  }

  /// Lets a message wait that could not be sent.
  package func postpone(
    _ id: SystemMailID, until time: Timestamp, code: Int?, reply: String?, in queries: any Queries
  ) throws {
    _ = try queries.run(
      """
      UPDATE mail_outbox SET due_at = \(time), leased_until = NULL, smtp_code = \(code),
        smtp_reply = \(reply?.cut(toScalars: 500))
      WHERE id = \(id)
      """)
  }

  /// Marks a message as one that can't be sent, and forgets what it said.
  package func giveUp(
    _ id: SystemMailID, code: Int?, reply: String?, in queries: any Queries, at now: Timestamp
  )
    throws
  {
    _ = try queries.run(
      """
      UPDATE mail_outbox SET failed_at = \(now), leased_until = NULL, body = '', smtp_code = \(code),
        smtp_reply = \(reply?.cut(toScalars: 500))
      WHERE id = \(id)
      """)
  }

  /// Takes away messages that were sent or given up more than 30 days ago.
  public func purge(in queries: any Queries, at now: Timestamp) throws {
    let limit = now - .seconds(30 * 86_400)
    _ = try queries.run("DELETE FROM mail_outbox WHERE sent_at < \(limit) LIMIT 10000")
    _ = try queries.run("DELETE FROM mail_outbox WHERE failed_at < \(limit) AND sent_at IS NULL LIMIT 10000")
  }
}
