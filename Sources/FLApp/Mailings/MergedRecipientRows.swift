import FLMariaDB
import FLValues

/// Every SQL statement by which recipients of an account's mailings become another contact, into which they go. In the
/// transaction of that.
struct MergedRecipientRows {
  let account: AccountID
  let queries: any Queries

  /// Hands what `gone` have in mailings to `kept`, where that has nothing of its own.
  ///
  /// Whoever of them was taken out of a mailing for good stays out of it, unless one was added by itself.
  func move(from gone: [ContactID], to kept: ContactID) throws {
    // The exclusions first: they lock their mailings, and whoever changes a mailing locks that before its recipients.
    let mailings = try unsettled()
    try mailings.inBatches { try exclude(kept, like: gone, from: Array($0)) }
    try moveRows(from: gone, to: kept)
    try mailings.inBatches { try removeExcluded(kept, from: Array($0)) }
  }

  /// The mailings whose groups and tags are looked at before they are sent, those included that can come to that again.
  private func unsettled() throws -> [MailingID] {
    try queries.rows(
      """
      SELECT id FROM mailings WHERE account_id = \(account) AND started_at IS NULL
        AND status IN ('draft', 'scheduled', 'queued', 'paused', 'failed', 'cancelled')
      """
    ).map { try $0["id"] }
  }

  private func exclude(_ kept: ContactID, like gone: [ContactID], from mailings: [MailingID]) throws {
    let excluded: [MailingID] = try queries.rows(
      """
      SELECT DISTINCT x.mailing_id FROM mailing_exclusions x
      LEFT JOIN mailing_recipients r ON r.mailing_id = x.mailing_id AND r.contact_id = \(kept) AND r.is_explicit
      WHERE x.mailing_id IN (\(mailings)) AND x.contact_id IN (\(gone)) AND r.contact_id IS NULL
      """
    ).map { try $0["mailing_id"] }
    guard !excluded.isEmpty else { return }
    let rows = excluded.sorted().map { mailing -> SQL in "(\(mailing), \(kept))" }
    try queries.run(
      "INSERT IGNORE INTO mailing_exclusions (mailing_id, contact_id) VALUES \(rows.joined(by: ", "))")
  }

  /// What a sender has in hand it will look for where it found it. What waits keeps its address until a sender takes it:
  /// by that it sees that another one has confirmed nothing. Of several rows of one mailing the one goes along that says
  /// the most; those that stay behind are found by their alias, so that nobody gets a mailing twice.
  private func moveRows(from gone: [ContactID], to kept: ContactID) throws {
    try queries.run(
      """
      UPDATE IGNORE mailing_recipients SET contact_id = \(kept)
      WHERE contact_id IN (\(gone)) AND status <> 'sending'
      ORDER BY FIELD(status, 'sent', 'uncertain', 'pending', 'bounced', 'failed', 'skipped'), contact_id
      """)
  }

  private func removeExcluded(_ kept: ContactID, from mailings: [MailingID]) throws {
    let excluded: [MailingID] = try queries.rows(
      """
      SELECT mailing_id FROM mailing_exclusions WHERE mailing_id IN (\(mailings)) AND contact_id = \(kept)
      """
    ).map { try $0["mailing_id"] }
    guard !excluded.isEmpty else { return }
    try queries.run(
      """
      DELETE FROM mailing_recipients WHERE mailing_id IN (\(excluded)) AND contact_id = \(kept)
        AND NOT is_explicit AND status IN ('pending', 'skipped')
      """)
  }
}
