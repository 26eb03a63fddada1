import FLMariaDB
import FLValues

/// A message that somebody has in hand, or that came back.
struct SentMessage {
  let account: AccountID
  /// The mailing; nil where it was deleted.
  let mailing: MailingID?
  /// What the mailing's subject is; empty where it was deleted.
  let subject: String
  /// Who the mail was from, for people: the name of the mailing, else of the account.
  let from: String
  /// The contact that its row is of; nil where there is no row any more.
  let recipient: ContactID?
  /// Where it went; nil where there is no row any more.
  let email: String?
  /// The contact as it is now: another where it was merged, nil where it was deleted.
  let contact: ContactID?
  /// The contact's present address.
  let presentEmail: String?
  let isUnsubscribed: Bool
  /// Whether it came back: since it was sent for the last time, or before that where the name is of an earlier time.
  let hasBounced: Bool

  /// Whether what is told of `email` is true of the contact as it is now.
  var isStillThere: Bool { presentEmail?.lowercased() == email?.lowercased() }

  /// The address that the person is known by: the present one, else where the message went.
  var knownEmail: String? { presentEmail ?? email }

  /// The address that it went to and the contact does not have (any more).
  private var formerEmail: String? { isStillThere ? nil : email }

  /// Notes that its reader wants no mailings any more: with the contact, whatever its address is now, and with the
  /// address that the message went to.
  /// - Returns: whether that is new.
  func unsubscribe(reason: UnsubscribeReason, on queries: any Queries, at now: Timestamp) throws -> Bool {
    let consent = ContactConsent(account: account, queries: queries)
    var flagged: [ContactID] = []
    if let contact { flagged += try consent.unsubscribe([contact], reason: reason, at: now) }
    if let formerEmail {
      flagged += try consent.unsubscribe(addresses: [formerEmail], reason: reason, at: now)
    }
    let isFirst = try SentMessageRows(queries: queries).setUnsubscribed(self, at: now)
    return contact == nil ? isFirst || !flagged.isEmpty : !flagged.isEmpty
  }

  /// Takes an unsubscription back, at the wish of the person whose it is.
  func subscribeAgain(on queries: any Queries, at now: Timestamp) throws {
    let consent = ContactConsent(account: account, queries: queries)
    if let contact { try consent.subscribeAgain(contact, at: now) }
    if let formerEmail { try consent.subscribeAgain(address: formerEmail, at: now) }
    _ = try SentMessageRows(queries: queries).setUnsubscribed(self, at: nil)
  }
}

/// Every SQL statement that says what a signed name is about.
struct SentMessageRows {
  let queries: any Queries

  /// The message that a signed name is about; nil where nothing is known of its mailing.
  func find(_ subject: MailingTokens.Subject) throws -> SentMessage? {
    // A contact that was merged into another has given it its rows, unless the other had one of the same mailing.
    guard
      let row = try queries.row(
        """
        SELECT p.mailing_id, p.account_id, p.subject, COALESCE(p.from_name, a.name) AS from_name,
          r.contact_id AS recipient, r.email,
          COALESCE(r.bounced_at IS NOT NULL OR r.returns > \(subject.returns), FALSE) AS has_bounced,
          c.id AS contact_id, c.email AS present_email,
          COALESCE(c.unsubscribed_at, s.unsubscribed_at) IS NOT NULL AS is_unsubscribed
        FROM (
          SELECT id AS mailing_id, account_id, subject, from_name FROM mailings WHERE mark = \(subject.mark)
          UNION ALL
          SELECT NULL, account_id, '', from_name FROM deleted_mailings WHERE mark = \(subject.mark)
        ) p JOIN accounts a ON a.id = p.account_id
        LEFT JOIN contact_aliases g ON g.id = \(subject.contact) AND g.account_id = p.account_id
        LEFT JOIN contacts c ON c.id = COALESCE(g.contact_id, \(subject.contact)) AND c.account_id = p.account_id
        LEFT JOIN mailing_recipients r
          ON r.mailing_id = p.mailing_id AND r.contact_id IN (\(subject.contact), COALESCE(g.contact_id, \(subject.contact)))
        LEFT JOIN suppressions s ON s.account_id = p.account_id AND s.email_key = LOWER(COALESCE(c.email, r.email))
        ORDER BY p.mailing_id IS NULL, r.contact_id = \(subject.contact) DESC LIMIT 1
        """)
    else { return nil }
    return try SentMessage(
      account: row["account_id"], mailing: row["mailing_id"], subject: row["subject"], from: row["from_name"],
      recipient: row["recipient"], email: row["email"], contact: row["contact_id"],
      presentEmail: row["present_email"], isUnsubscribed: row["is_unsubscribed"],
      hasBounced: row["has_bounced"])
  }

  /// The same, and its contact stays locked for the transaction: nobody merges, deletes or moves it before the end.
  func hold(_ subject: MailingTokens.Subject) throws -> SentMessage? {
    while let message = try find(subject), let contact = message.contact {
      let isThere =
        try queries.row(
          "SELECT 1 AS found FROM contacts WHERE id = \(contact) AND account_id = \(message.account) FOR UPDATE"
        ) != nil
      // Where it is gone it went into another one meanwhile, which is looked for, or nowhere.
      if isThere { return try find(subject) }
    }
    return try find(subject)
  }

  /// Notes by which message somebody was unsubscribed, the first time; with nil takes it back.
  /// - Returns: whether that changed anything.
  func setUnsubscribed(_ message: SentMessage, at time: Timestamp?) throws -> Bool {
    guard let mailing = message.mailing, let recipient = message.recipient else { return false }
    return try queries.run(
      """
      UPDATE mailing_recipients SET unsubscribed_at = \(time)
      WHERE mailing_id = \(mailing) AND contact_id = \(recipient)
        AND unsubscribed_at IS \(time == nil ? "NOT NULL" as SQL : "NULL")
      """) == 1
  }
}
