import FLMariaDB
import FLValues

/// Every SQL statement about what recipients do with a mailing: opening, clicking, unsubscribing. They begin with a
/// signed name, which says whose it is.
struct MailingVisitRows {
  let queries: any Queries

  /// A message that somebody has in hand.
  struct Message {
    let mailing: MailingID
    let account: AccountID
    /// Who the mail was from, for people: the name of the mailing, else of the account.
    let from: String
    let subject: String
    /// Who it went to; nil where the contact and the row are gone.
    let email: String?
    /// The contact as it is now: another where it was merged, nil where it was deleted.
    let contact: ContactID?
    let isUnsubscribed: Bool
  }

  /// The message that a signed name is about; nil where the mailing is gone.
  func find(_ subject: MailingTokens.Subject) throws -> Message? {
    guard
      let row = try queries.row(
        """
        SELECT m.id, m.account_id, m.subject, COALESCE(m.from_name, a.name) AS from_name,
          c.id AS contact_id, COALESCE(c.email, r.email) AS email,
          COALESCE(c.unsubscribed_at, s.unsubscribed_at) IS NOT NULL AS is_unsubscribed
        FROM mailings m JOIN accounts a ON a.id = m.account_id
        LEFT JOIN contact_aliases g ON g.id = \(subject.contact)
        LEFT JOIN contacts c ON c.id = COALESCE(g.contact_id, \(subject.contact)) AND c.account_id = m.account_id
        LEFT JOIN mailing_recipients r ON r.mailing_id = m.id AND r.contact_id = \(subject.contact)
        LEFT JOIN suppressions s ON s.account_id = m.account_id AND s.email_key = LOWER(COALESCE(c.email, r.email))
        WHERE m.mark = \(subject.mark)
        """)
    else { return nil }
    return try Message(
      mailing: row["id"], account: row["account_id"], from: row["from_name"], subject: row["subject"],
      email: row["email"], contact: row["contact_id"], isUnsubscribed: row["is_unsubscribed"])
  }

  /// What placeholders say of a contact; nil where the account has no such one.
  func name(of contact: ContactID, of account: AccountID) throws -> RecipientName? {
    try queries.row(
      "SELECT \(RecipientName.columns) FROM contacts c WHERE c.id = \(contact) AND c.account_id = \(account)"
    ).map(RecipientName.init)
  }

  /// The address, with placeholders in it, that a link of a mailing leads to.
  func destination(_ position: Int, of mailing: MailingID) throws -> String? {
    try queries.row(
      "SELECT url FROM mailing_links WHERE mailing_id = \(mailing) AND position = \(position)")?["url"]
  }

  /// Notes that a message was shown; whether it is the first time.
  func open(_ mailing: MailingID, _ contact: ContactID, at now: Timestamp) throws -> Bool {
    try queries.run(
      """
      UPDATE mailing_recipients SET opened_at = \(now)
      WHERE mailing_id = \(mailing) AND contact_id = \(contact) AND opened_at IS NULL
      """) == 1
  }

  /// Notes that a link was followed; whether it is the recipient's first click in this mailing.
  func click(_ position: Int, of mailing: MailingID, by contact: ContactID, at now: Timestamp) throws -> Bool
  {
    let isFirst =
      try queries.run(
        """
        UPDATE mailing_recipients SET clicked_at = \(now)
        WHERE mailing_id = \(mailing) AND contact_id = \(contact) AND clicked_at IS NULL
        """) == 1
    _ = try queries.run(
      """
      INSERT IGNORE INTO mailing_link_visitors (mailing_id, position, contact_id, clicked_at)
      VALUES (\(mailing), \(position), \(contact), \(now))
      """)
    _ = try queries.run(
      """
      UPDATE mailing_links SET clicks = clicks + 1 WHERE mailing_id = \(mailing) AND position = \(position)
      """)
    return isFirst
  }

  /// Notes by which mailing somebody unsubscribed, the first time; with nil takes it back.
  func unsubscribe(_ mailing: MailingID, _ contact: ContactID, at time: Timestamp?) throws {
    _ = try queries.run(
      """
      UPDATE mailing_recipients
      SET unsubscribed_at = \(time == nil ? "NULL" as SQL : "COALESCE(unsubscribed_at, \(time))")
      WHERE mailing_id = \(mailing) AND contact_id = \(contact)
      """)
  }
}
