import FLMariaDB
import FLValues

/// Every SQL statement about what recipients do with a mailing: opening and clicking. They begin with a signed name, and
/// `SentMessageRows` says what that is about.
struct MailingVisitRows {
  let queries: any Queries

  /// What placeholders say of a contact; nil where the account has no such one.
  func name(of contact: ContactID, of account: AccountID) throws -> RecipientName? {
    try queries.row(
      "SELECT \(RecipientName.columns) FROM contacts c WHERE c.id = \(contact) AND c.account_id = \(account)"
    ).map(RecipientName.init)
  }

  /// The address, with placeholders in it, that a link leads to, also where its mailing was deleted.
  func destination(of subject: MailingTokens.Subject) throws -> String? {
    try queries.row(
      """
      SELECT l.url FROM mailings m JOIN mailing_links l ON l.mailing_id = m.id
      WHERE m.mark = \(subject.mark) AND l.position = \(subject.link)
      UNION ALL
      SELECT url FROM deleted_mailing_links WHERE mark = \(subject.mark) AND position = \(subject.link)
      LIMIT 1
      """)?["url"]
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
}
