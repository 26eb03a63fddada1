import FLMail
import FLMariaDB
import FLValues

/// Every SQL statement about messages that come back. They begin with a signed name, which says whose it is.
struct BounceRows {
  let queries: any Queries

  /// A message that came back, and whom it went to.
  struct Message {
    let mailing: MailingID
    let account: AccountID
    /// The contact that its row is of.
    let recipient: ContactID
    /// Where it went.
    let email: String
    /// The contact as it is now: another where it was merged, nil where it was deleted.
    let contact: ContactID?
    /// The contact's present address.
    let presentEmail: String?
    let hasBounced: Bool

    /// Whether what is told of `email` is true of the contact as it is now.
    var isStillThere: Bool { presentEmail?.lowercased() == email.lowercased() }
  }

  /// The message that a signed name is about; nil where the mailing or the recipient is gone.
  func find(_ subject: MailingTokens.Subject) throws -> Message? {
    // A contact that was merged into another has given it its rows, unless the other had one of the same mailing.
    guard
      let row = try queries.row(
        """
        SELECT m.id, m.account_id, r.contact_id AS recipient, r.email, r.bounced_at IS NOT NULL AS has_bounced,
          c.id AS contact_id, c.email AS present_email
        FROM mailings m
        LEFT JOIN contact_aliases g ON g.id = \(subject.contact)
        LEFT JOIN contacts c ON c.id = COALESCE(g.contact_id, \(subject.contact)) AND c.account_id = m.account_id
        JOIN mailing_recipients r
          ON r.mailing_id = m.id AND r.contact_id IN (\(subject.contact), COALESCE(g.contact_id, \(subject.contact)))
        WHERE m.mark = \(subject.mark)
        ORDER BY r.contact_id = \(subject.contact) DESC LIMIT 1
        """)
    else { return nil }
    return try Message(
      mailing: row["id"], account: row["account_id"], recipient: row["recipient"], email: row["email"],
      contact: row["contact_id"], presentEmail: row["present_email"], hasBounced: row["has_bounced"])
  }

  /// Notes that a message came back, the first time, with what was said; false where it is in no state to come back. One
  /// that a sender has in hand may well: the other server was quicker than the note of its having taken it.
  func bounce(_ message: Message, _ classification: BounceClassification, at now: Timestamp) throws -> Bool {
    try queries.run(
      """
      UPDATE mailing_recipients SET status = 'bounced', bounced_at = \(now), due_at = NULL, claimed_by = NULL,
        smtp_code = \(classification.code), smtp_reply = \(classification.text)
      WHERE mailing_id = \(message.mailing) AND contact_id = \(message.recipient)
        AND status IN ('sent', 'sending', 'uncertain') AND bounced_at IS NULL
      """) == 1
  }

  /// Whether the message before this one stayed where it was sent: then this bounce is the first in a row. One that
  /// nobody knows the fate of is passed over.
  func hasLastArrived(before mailing: MailingID, to contact: ContactID) throws -> Bool {
    let row = try queries.row(
      """
      SELECT status FROM mailing_recipients
      WHERE contact_id = \(contact) AND mailing_id < \(mailing) AND status IN ('sent', 'bounced', 'failed')
      ORDER BY mailing_id DESC LIMIT 1
      """)
    return try row?["status"] == "sent"
  }

  /// Notes by which message somebody was unsubscribed, the first time; whether it is the first time.
  func unsubscribe(_ message: Message, at now: Timestamp) throws -> Bool {
    try queries.run(
      """
      UPDATE mailing_recipients SET unsubscribed_at = \(now)
      WHERE mailing_id = \(message.mailing) AND contact_id = \(message.recipient) AND unsubscribed_at IS NULL
      """) == 1
  }

  /// Remembers of an address that no contact has any more that nothing arrives there: who is imported again with it
  /// stays flagged.
  func rememberBounce(of email: String, account: AccountID, reason: String, at now: Timestamp) throws {
    try queries.run(
      """
      INSERT INTO suppressions (account_id, email_key, bounced_at, bounce_reason)
      VALUES (\(account), \(email.lowercased()), \(now), \(reason))
      ON DUPLICATE KEY UPDATE bounce_reason = IF(bounced_at IS NULL, VALUE(bounce_reason), bounce_reason),
        bounced_at = COALESCE(bounced_at, VALUE(bounced_at))
      """)
  }

  /// Remembers of an address that no contact has any more that mailings are not wanted there.
  func rememberUnsubscription(
    of email: String, account: AccountID, reason: UnsubscribeReason, at now: Timestamp
  ) throws {
    try queries.run(
      """
      INSERT INTO suppressions (account_id, email_key, unsubscribed_at, unsubscribe_reason)
      VALUES (\(account), \(email.lowercased()), \(now), \(reason.rawValue))
      ON DUPLICATE KEY UPDATE
        unsubscribe_reason = IF(unsubscribed_at IS NULL, VALUE(unsubscribe_reason), unsubscribe_reason),
        unsubscribed_at = COALESCE(unsubscribed_at, VALUE(unsubscribed_at))
      """)
  }
}
