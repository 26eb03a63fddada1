import FLMariaDB
import FLValues

/// What a token that was mailed to somebody is about.
struct Confirmation: Sendable {
  let account: AccountID
  let group: ContactGroupID
  let contact: ContactID
  let accountName: String
  let groupName: String
  let email: String
  /// Whether no mail goes there, since it came back.
  var hasBounced = false
}

/// One request to ask people by mail.
enum ConfirmationRequest {}

/// Every SQL statement about the mails that ask people to confirm a membership, and about their tokens.
struct ConfirmationRows {
  let queries: any Queries

  /// Somebody who is to be asked.
  struct Recipient: Sendable {
    let contact: ContactID
    let email: String
    let emailKey: String
  }

  /// Those of `contacts` who may be asked now, and now count as asked: an address to which nothing bounced, and which
  /// was not asked for the group since `earliest`.
  /// - Parameter subscribing: whether the people themselves asked for it. If not, only those are asked who have not
  ///   confirmed, and nobody who has unsubscribed.
  func claim(
    _ contacts: [ContactID], for group: ContactGroupID, of account: AccountID, subscribing: Bool,
    unlessSince earliest: Timestamp, at now: Timestamp
  ) throws -> [Recipient] {
    let request = ID<ConfirmationRequest>(at: now)
    let wanted: SQL =
      subscribing
      ? "(m.status = 'pending' OR c.unsubscribed_at IS NOT NULL)"
      : "m.status = 'pending' AND c.unsubscribed_at IS NULL"
    var claimed: [Recipient] = []
    for some in contacts.chunks(of: GroupMemberRows.rowsAtOnce) {
      let recipients = try queries.rows(
        """
        SELECT c.id, c.email, c.email_key FROM contact_group_members m JOIN contacts c ON c.id = m.contact_id
        WHERE m.group_id = \(group) AND m.contact_id IN (\(some)) AND c.account_id = \(account)
          AND c.bounced_at IS NULL AND \(wanted)
        ORDER BY c.email_key
        """
      ).map { try Recipient(contact: $0["id"], email: $0["email"], emailKey: $0["email_key"]) }
      guard !recipients.isEmpty else { continue }
      let rows = recipients.map { recipient -> SQL in
        "(\(group), \(recipient.emailKey), \(request), \(now))"
      }
      // MariaDB assigns from left to right: `queued_at` is the old time until the last line.
      _ = try queries.run(
        """
        INSERT INTO confirmation_mails (group_id, email_key, claimed_by, queued_at)
        VALUES \(rows.joined(by: ", "))
        ON DUPLICATE KEY UPDATE
          claimed_by = IF(queued_at <= \(earliest), VALUES(claimed_by), claimed_by),
          queued_at = IF(queued_at <= \(earliest), VALUES(queued_at), queued_at)
        """)
      let keys = try queries.rows(
        """
        SELECT email_key FROM confirmation_mails
        WHERE group_id = \(group) AND claimed_by = \(request) AND email_key IN (\(recipients.map(\.emailKey)))
        """
      ).map { row -> String in try row["email_key"] }
      let mine = Set(keys)
      claimed += recipients.filter { mine.contains($0.emailKey) }
    }
    return claimed
  }

  /// Members behind one contact up to another who wait, may be asked, and have no question that still holds: they were
  /// not asked since `earliest`, and the token of an earlier mail is gone.
  func unasked(
    in group: ContactGroupID, after: ContactID, through last: ContactID, unlessSince earliest: Timestamp,
    at now: Timestamp
  ) throws -> [ContactID] {
    try queries.rows(
      """
      SELECT m.contact_id FROM contact_group_members m JOIN contacts c ON c.id = m.contact_id
      WHERE m.group_id = \(group) AND m.status = 'pending' AND c.bounced_at IS NULL AND c.unsubscribed_at IS NULL
        AND NOT EXISTS (SELECT 1 FROM contact_confirmations f
          WHERE f.group_id = m.group_id AND f.contact_id = m.contact_id AND f.email_key = c.email_key
            AND f.expires_at > \(now))
        AND NOT EXISTS (SELECT 1 FROM confirmation_mails q
          WHERE q.group_id = m.group_id AND q.email_key = c.email_key AND q.queued_at > \(earliest))
        AND m.contact_id > \(after) AND m.contact_id <= \(last)
      ORDER BY m.contact_id
      """
    ).map { try $0["contact_id"] }
  }

  /// Keeps the tokens of these digests, each for the recipient at its place.
  func insert(
    _ digests: [[UInt8]], for recipients: [Recipient], in group: ContactGroupID, expiresAt: Timestamp,
    at now: Timestamp
  ) throws {
    for some in Array(zip(digests, recipients)).chunks(of: GroupMemberRows.rowsAtOnce) {
      let rows = some.map { digest, recipient -> SQL in
        "(\(digest), \(group), \(recipient.contact), \(recipient.emailKey), \(expiresAt), \(now))"
      }
      _ = try queries.run(
        """
        INSERT INTO contact_confirmations (digest, group_id, contact_id, email_key, expires_at, created_at)
        VALUES \(rows.joined(by: ", "))
        """)
    }
  }

  /// What the token of this digest is about; nil for one that is not known (any more), has expired, or was mailed to
  /// an address that the contact has no longer.
  func find(digest: [UInt8], at now: Timestamp) throws -> Confirmation? {
    try queries.row(
      """
      SELECT g.account_id, f.group_id, f.contact_id, a.name AS account_name, g.name AS group_name, c.email,
        c.bounced_at IS NOT NULL AS has_bounced
      FROM contact_confirmations f
      JOIN contact_groups g ON g.id = f.group_id
      JOIN accounts a ON a.id = g.account_id
      JOIN contacts c ON c.id = f.contact_id
      WHERE f.digest = \(digest) AND f.expires_at > \(now) AND c.email_key = f.email_key
      """
    ).map {
      try Confirmation(
        account: $0["account_id"], group: $0["group_id"], contact: $0["contact_id"],
        accountName: $0["account_name"], groupName: $0["group_name"], email: $0["email"],
        hasBounced: $0["has_bounced"])
    }
  }

  /// Lets nobody else use the token of this digest during the transaction.
  func lock(digest: [UInt8]) throws {
    _ = try queries.rows("SELECT digest FROM contact_confirmations WHERE digest = \(digest) FOR UPDATE")
  }

  /// Takes away every token of a membership.
  func deleteAll(of contact: ContactID, in group: ContactGroupID) throws {
    _ = try queries.run(
      "DELETE FROM contact_confirmations WHERE group_id = \(group) AND contact_id = \(contact)")
  }

  /// The name of an account, by which people know who asks.
  func name(of account: AccountID) throws -> String {
    try queries.row("SELECT name FROM accounts WHERE id = \(account)")?["name"] ?? ""
  }

  /// Takes away a bounded part of the tokens that have expired, and of what says who was asked before `earliest`.
  func purge(unlessSince earliest: Timestamp, at now: Timestamp) throws {
    _ = try queries.run("DELETE FROM contact_confirmations WHERE expires_at <= \(now) LIMIT 10000")
    _ = try queries.run("DELETE FROM confirmation_mails WHERE queued_at <= \(earliest) LIMIT 10000")
  }
}
