import FLMail
import FLMariaDB
import FLValues

/// Every SQL statement about messages that come back. `SentMessageRows` says whose they are.
struct BounceRows {
  let queries: any Queries

  /// Notes that a message came back, the first time, with what was said; false where it is in no state to come back. One
  /// that a sender has in hand may well: the other server was quicker than the note of its having taken it.
  ///
  /// Each time that a message came back was noted before it was sent again: what is told of an earlier time than its
  /// row's `returns` is told once more.
  /// - Parameter returns: how many times it had come back before, as its return path says.
  func bounce(
    _ mailing: MailingID, to recipient: ContactID, returns: Int, _ classification: BounceClassification,
    at now: Timestamp
  ) throws -> Bool {
    try queries.run(
      """
      UPDATE mailing_recipients SET status = 'bounced', bounced_at = \(now), due_at = NULL, claimed_by = NULL,
        smtp_code = \(classification.code), smtp_reply = \(classification.text)
      WHERE mailing_id = \(mailing) AND contact_id = \(recipient)
        AND status IN ('sent', 'sending', 'uncertain') AND bounced_at IS NULL AND returns <= \(returns)
      """) == 1
  }

  /// Whether the message before this one stayed where it was sent: then this bounce is the first in a row. One that
  /// nobody knows the fate of is passed over.
  func hasLastArrived(before mailing: MailingID, to contact: ContactID) throws -> Bool {
    // Before one that was sent again lies its first time, which came back, and what was sent since.
    let wasSentAgain =
      try queries.row(
        """
        SELECT 1 AS found FROM mailing_recipients
        WHERE mailing_id = \(mailing) AND contact_id = \(contact) AND returns > 0
        """) != nil
    let others: SQL = wasSentAgain ? "mailing_id > \(mailing)" : "mailing_id < \(mailing)"
    let row = try queries.row(
      """
      SELECT status FROM mailing_recipients
      WHERE contact_id = \(contact) AND \(others) AND status IN ('sent', 'bounced', 'failed')
      ORDER BY mailing_id DESC LIMIT 1
      """)
    return try row?["status"] == "sent"
  }
}
