import FLMariaDB
import FLValues

/// A mailing that a sender works on.
package struct MailingInHand: Sendable {
  package let id: MailingID
  package let account: AccountID
  /// Whether its recipients are settled; before that nothing is sent.
  package let isPrepared: Bool
}

/// A recipient whose message a sender has in hand, as the contact is now.
package struct ClaimedRecipient: Sendable {
  package let contact: ContactID
  package let email: String
  /// How many times it was tried, this time included.
  package let attempts: Int
  /// How many times the message came back and was sent again before.
  package let returns: Int
  package let firstName: String?
  package let lastName: String?
  package let fullName: String?
  package let company: String?
}

/// Every SQL statement by which senders work on mailings: claiming, marking, finishing. They go over all accounts.
package struct SendingRows {
  let queries: any Queries

  package init(queries: any Queries) { self.queries = queries }

  // MARK: Mailings

  /// Queues the mailings whose time has come.
  package func promote(at now: Timestamp) throws {
    _ = try queries.run(
      """
      UPDATE mailings SET status = 'queued', queued_at = \(now), version = version + 1, updated_at = \(now)
      WHERE status = 'scheduled' AND scheduled_for <= \(now)
      """)
  }

  /// The mailings with something to do now, the longest waiting first: of each account so many that the others of a
  /// thousand are seen as well.
  package func waiting(at now: Timestamp) throws -> [MailingInHand] {
    try queries.rows(
      """
      SELECT id, account_id, is_prepared FROM (
        SELECT m.id, m.account_id, m.queued_at, m.status = 'sending' AS is_prepared,
          ROW_NUMBER() OVER (PARTITION BY m.account_id ORDER BY m.queued_at, m.id) AS place
        FROM mailings m WHERE m.status IN ('queued', 'sending') AND (m.status = 'queued'
          OR EXISTS (SELECT 1 FROM mailing_recipients r FORCE INDEX (mailing_recipients_status)
            WHERE r.mailing_id = m.id AND r.status = 'pending' AND (r.due_at IS NULL OR r.due_at <= \(now)))
          OR NOT EXISTS (SELECT 1 FROM mailing_recipients r FORCE INDEX (mailing_recipients_status)
            WHERE r.mailing_id = m.id AND r.status IN ('pending', 'sending')))) w
      WHERE place <= 20 ORDER BY queued_at, id LIMIT 1000
      """
    ).map { row in
      MailingInHand(id: try row["id"], account: try row["account_id"], isPrepared: try row["is_prepared"])
    }
  }

  /// Begins the sending of a queued mailing, whose recipients are settled; nothing where it was stopped, and queued anew
  /// at another time than `queuedAt`.
  package func start(_ id: MailingID, queuedAt: Timestamp? = nil, at now: Timestamp) throws {
    _ = try queries.run(
      """
      UPDATE mailings SET status = 'sending', started_at = COALESCE(started_at, \(now)),
        prepared_at = COALESCE(prepared_at, \(now)), updated_at = \(now)
      WHERE id = \(id) AND status = 'queued' AND queued_at = COALESCE(\(queuedAt), queued_at)
      """)
  }

  /// How many messages in a row were refused for what they are, when the last run ended.
  package func refusedInARow(_ id: MailingID) throws -> Int {
    try queries.row("SELECT refused_in_a_row FROM mailings WHERE id = \(id)")?["refused_in_a_row"] ?? 0
  }

  /// Keeps that number for the next run.
  package func keep(refusedInARow count: Int, of id: MailingID) throws {
    _ = try queries.run("UPDATE mailings SET refused_in_a_row = \(min(count, 10_000)) WHERE id = \(id)")
  }

  /// Ends a mailing that has nothing left to send; whether it was this call that did.
  package func finish(_ id: MailingID, at now: Timestamp) throws -> Bool {
    try queries.run(
      """
      UPDATE mailings m SET status =
          IF(EXISTS (SELECT 1 FROM mailing_recipients r FORCE INDEX (mailing_recipients_status) WHERE r.mailing_id = \(id)
              AND r.status IN ('sent', 'bounced', 'uncertain'))
            OR NOT EXISTS (SELECT 1 FROM mailing_recipients r FORCE INDEX (mailing_recipients_status)
              WHERE r.mailing_id = \(id) AND r.status = 'failed'),
            'sent', 'failed'),
        finished_at = \(now), version = version + 1, updated_at = \(now)
      WHERE id = \(id) AND status = 'sending' AND NOT EXISTS (
        SELECT 1 FROM mailing_recipients r FORCE INDEX (mailing_recipients_status)
        WHERE r.mailing_id = \(id) AND r.status IN ('pending', 'sending'))
      """) == 1
  }

  /// Stops a mailing that somebody waits for until it is resumed, and says why; whether it was this call that did.
  /// - Parameter isWaitedFor: whether somebody does who is claimed already.
  package func pause(_ id: MailingID, because reason: String, isWaitedFor: Bool, at now: Timestamp) throws
    -> Bool
  {
    try queries.run(
      """
      UPDATE mailings SET status = 'paused', status_reason = \(reason.cut(toScalars: 512)), refused_in_a_row = 0,
        version = version + 1, updated_at = \(now)
      WHERE id = \(id) AND status = 'sending' AND (\(isWaitedFor) OR EXISTS (
        SELECT 1 FROM mailing_recipients r FORCE INDEX (mailing_recipients_status)
        WHERE r.mailing_id = \(id) AND r.status = 'pending'))
      """) == 1
  }

  /// Ends a mailing that can't be sent at all, and says why; whether it was this call that did.
  package func giveUp(_ id: MailingID, because reason: String, at now: Timestamp) throws -> Bool {
    try queries.run(
      """
      UPDATE mailings SET status = 'failed', status_reason = \(reason.cut(toScalars: 512)), finished_at = \(now),
        version = version + 1, updated_at = \(now)
      WHERE id = \(id) AND status IN ('queued', 'sending')
      """) == 1
  }

  /// Whose a mailing is.
  package func account(of id: MailingID) throws -> AccountID? {
    try queries.row("SELECT account_id FROM mailings WHERE id = \(id)")?["account_id"]
  }

  /// Keeps the addresses that a mailing links to, by their numbers. They are the same each time: a mailing that is being
  /// sent is not changed any more.
  package func keepLinks(_ links: [String], of id: MailingID) throws {
    for some in Array(links.enumerated()).chunks(of: 100) {
      let rows = some.map { position, url -> SQL in "(\(id), \(position), \(url))" }
      _ = try queries.run(
        """
        INSERT INTO mailing_links (mailing_id, position, url) VALUES \(rows.joined(by: ", "))
        ON DUPLICATE KEY UPDATE url = VALUES(url)
        """)
    }
  }

  // MARK: Recipients

  /// What was taken of a mailing.
  package struct Claim: Sendable {
    package var recipients: [ClaimedRecipient] = []
    /// Behind whom the next claim begins; nil for the beginning.
    package var last: ContactID?
    /// How many were due, those included that are skipped.
    package var found = 0
  }

  /// Takes up to `count` recipients of a mailing that are due, behind `last`, for `sender`: their rows say so, and no
  /// other sender takes them. Who must not get mail is marked as skipped: who has unsubscribed,
  /// bounced or gone, who has an address now that confirmed nothing, and who has the message by a contact that went
  /// into this one. In a transaction.
  ///
  /// Nothing is taken of a mailing that was paused or cancelled meanwhile.
  package func claim(
    _ count: Int, of mailing: MailingID, behind last: ContactID?, by sender: SenderID, at now: Timestamp
  ) throws -> Claim {
    // A shared lock: whoever pauses the mailing waits for this transaction, and the next one sees it.
    let state = try queries.row("SELECT status FROM mailings WHERE id = \(mailing) LOCK IN SHARE MODE")
    guard let state, try state["status"] == "sending" else { return Claim() }
    var due = try due(count, of: mailing, "r.due_at IS NULL", in: "r.contact_id", behind: last)
    let next = due.last?.contact
    if due.count < count {
      due += try self.due(
        count - due.count, of: mailing, "r.due_at <= \(now)", in: "r.due_at, r.contact_id", behind: nil)
    }
    guard !due.isEmpty else { return Claim() }
    let verdicts = try verdicts(due, of: mailing, at: now)
    for some in verdicts.claimed.map(\.contact).chunks(of: 512) {
      _ = try queries.run(
        """
        UPDATE mailing_recipients SET status = 'sending', claimed_by = \(sender), attempts = attempts + 1, due_at = NULL
        WHERE mailing_id = \(mailing) AND contact_id IN (\(some))
        """)
    }
    // Who has changed the address since.
    let addresses = Dictionary(due.map { ($0.contact, $0.email) }) { first, _ in first }
    for recipient in verdicts.claimed where addresses[recipient.contact] != recipient.email {
      _ = try queries.run(
        """
        UPDATE mailing_recipients SET email = \(recipient.email)
        WHERE mailing_id = \(mailing) AND contact_id = \(recipient.contact)
        """)
    }
    if !verdicts.later.isEmpty {
      _ = try queries.run(
        """
        UPDATE mailing_recipients SET due_at = \(now + .seconds(60))
        WHERE mailing_id = \(mailing) AND contact_id IN (\(verdicts.later))
        """)
    }
    try mark(
      verdicts.skipped.map { .init(contact: $0, outcome: .skipped($1), at: now) }, of: mailing,
      from: "r.status = 'pending'")
    return Claim(recipients: verdicts.claimed, last: next, found: due.count)
  }

  /// What is to be done with those who are due.
  private struct Verdicts {
    var claimed: [ClaimedRecipient] = []
    var skipped: [(contact: ContactID, reason: String)] = []
    /// Who is asked about again in a minute.
    var later: [ContactID] = []
  }

  /// Looks at the contacts as they are now, whatever they were when the recipients were settled.
  private func verdicts(_ due: [Due], of mailing: MailingID, at now: Timestamp) throws -> Verdicts {
    let contacts = try contacts(due.map(\.contact), of: mailing)
    let merged = try follow(due.map(\.contact).filter { contacts[$0] == nil }, of: mailing)
    let strangers = try strangers(among: due, contacts, of: mailing)
    var verdicts = Verdicts()
    for recipient in due where !merged.moved.contains(recipient.contact) {
      switch contacts[recipient.contact] {
      case nil:
        verdicts.skipped.append(
          (recipient.contact, merged.left.contains(recipient.contact) ? "merged" : "deleted"))
      case .inHand?: verdicts.later.append(recipient.contact)
      case .closed(let reason)?: verdicts.skipped.append((recipient.contact, reason))
      case .open? where strangers.contains(recipient.contact):
        verdicts.skipped.append((recipient.contact, "pending"))
      case .open(let row)?:
        verdicts.claimed.append(
          ClaimedRecipient(
            contact: recipient.contact, email: try row["email"], attempts: recipient.attempts + 1,
            returns: recipient.returns, firstName: try row["first_name"], lastName: try row["last_name"],
            fullName: try row["full_name"],
            company: try row["company"]))
      }
    }
    return verdicts
  }

  /// Who of those that are due has got another address since it was settled that they are recipients, and is one by
  /// nothing that holds for it: what was confirmed in a group with double opt-in was so for the address of then.
  ///
  /// The row keeps the address that it was settled for until a claim takes over another one here; whatever changes a
  /// contact's address, or hands a row to another contact, must leave it so.
  private func strangers(among due: [Due], _ contacts: [ContactID: Addressee], of mailing: MailingID) throws
    -> Set<ContactID>
  {
    let changed = try due.filter { recipient in
      guard case .open(let row)? = contacts[recipient.contact] else { return false }
      let email: String = try row["email"]
      return !recipient.isExplicit && email.lowercased() != recipient.email.lowercased()
    }.map(\.contact)
    var strangers = Set(changed)
    for some in changed.chunks(of: 512) {
      // From the contacts to their few groups and tags: a group may have a million members.
      let held = try queries.rows(
        """
        SELECT g.contact_id FROM contact_group_members g STRAIGHT_JOIN mailing_sources s
          ON s.mailing_id = \(mailing) AND s.kind = 'group' AND s.source_id = g.group_id
        STRAIGHT_JOIN contact_groups o ON o.id = g.group_id AND o.account_id IS NOT NULL
        WHERE g.contact_id IN (\(some)) AND g.status = 'confirmed'
        UNION SELECT t.contact_id FROM contact_tags t STRAIGHT_JOIN mailing_sources s
          ON s.mailing_id = \(mailing) AND s.kind = 'tag' AND s.source_id = t.tag_id
        WHERE t.contact_id IN (\(some))
        """)
      for row in held { strangers.remove(try row["contact_id"]) }
    }
    return strangers
  }

  private struct Due {
    let contact: ContactID
    /// For which it was settled that the contact is a recipient.
    let email: String
    let attempts: Int
    let returns: Int
    /// Whether the contact was added by itself.
    let isExplicit: Bool
  }

  /// The optimizer would rather sort all that wait than walk along the index that has them in order.
  private func due(
    _ count: Int, of mailing: MailingID, _ condition: SQL, in order: SQL, behind last: ContactID?
  ) throws -> [Due] {
    let behind: SQL = last.map { "AND r.contact_id > \($0)" } ?? ""
    return try queries.rows(
      """
      SELECT r.contact_id, r.email, r.attempts, r.returns, r.is_explicit
      FROM mailing_recipients r FORCE INDEX (mailing_recipients_status)
      WHERE r.mailing_id = \(mailing) AND r.status = 'pending' AND \(condition) \(behind)
      ORDER BY \(order) LIMIT \(count) FOR UPDATE SKIP LOCKED
      """
    ).map {
      try Due(
        contact: $0["contact_id"], email: $0["email"], attempts: $0["attempts"], returns: $0["returns"],
        isExplicit: $0["is_explicit"])
    }
  }

  /// Hands the rows of contacts that went into others, while a sender had them in hand, to these, where they have none of
  /// their own; answers whose they were. They wait there, with the address that they had. Those of others are left.
  private func follow(_ gone: [ContactID], of mailing: MailingID) throws -> (
    moved: Set<ContactID>, left: Set<ContactID>
  ) {
    guard !gone.isEmpty else { return ([], []) }
    let merged: [ContactID] = try queries.rows(
      "SELECT g.id FROM contact_aliases g JOIN contacts c ON c.id = g.contact_id WHERE g.id IN (\(gone))"
    ).map { try $0["id"] }
    guard !merged.isEmpty else { return ([], []) }
    try queries.run(
      """
      UPDATE IGNORE mailing_recipients r JOIN contact_aliases g ON g.id = r.contact_id
      SET r.contact_id = g.contact_id WHERE r.mailing_id = \(mailing) AND r.contact_id IN (\(merged))
      """)
    let left: [ContactID] = try queries.rows(
      "SELECT contact_id FROM mailing_recipients WHERE mailing_id = \(mailing) AND contact_id IN (\(merged))"
    ).map { try $0["contact_id"] }
    return (Set(merged).subtracting(left), Set(left))
  }

  fileprivate enum Addressee {
    case open(Row)
    /// Gets no message, for this reason.
    case closed(String)
    /// A sender has a message in hand to somebody who is this contact now.
    case inHand
  }

  private func contacts(_ ids: [ContactID], of mailing: MailingID) throws -> [ContactID: Addressee] {
    var found: [ContactID: Addressee] = [:]
    for some in ids.chunks(of: 512) {
      // Whoever went into the contact may have the message: a row that could not go along still says so. The optimizer
      // would rather walk all that were sent.
      let rows = try queries.rows(
        """
        SELECT c.id, c.email, c.first_name, c.last_name, c.full_name, c.company,
          c.bounced_at IS NOT NULL AS is_bounced, c.unsubscribed_at IS NOT NULL AS is_unsubscribed, (
            SELECT MAX(IF(o.status = 'sending', 1, 2))
            FROM contact_aliases g STRAIGHT_JOIN mailing_recipients o FORCE INDEX (PRIMARY)
              ON o.mailing_id = \(mailing) AND o.contact_id = g.id
            WHERE g.contact_id = c.id AND o.status IN ('sending', 'sent', 'uncertain')) AS otherwise
        FROM contacts c WHERE c.id IN (\(some))
        """)
      for row in rows { found[try row["id"]] = try Addressee(row) }
    }
    return found
  }

  /// Notes what became of messages that `sender` had in hand.
  /// Who would wait again of a mailing that was cancelled meanwhile is passed over. In a transaction.
  package func mark(_ results: [RecipientResult], of mailing: MailingID, by sender: SenderID) throws {
    var results = results
    if results.contains(where: \.outcome.waitsAgain) {
      // A shared lock: a cancelling either sees who waits again, or is seen here.
      let state = try queries.row("SELECT status FROM mailings WHERE id = \(mailing) LOCK IN SHARE MODE")
      if let state, try state["status"] == "cancelled" {
        results = results.map { $0.outcome.waitsAgain ? $0.passedOver : $0 }
      }
    }
    try mark(results, of: mailing, from: "r.status = 'sending' AND r.claimed_by = \(sender)")
  }

  private func mark(_ results: [RecipientResult], of mailing: MailingID, from state: SQL) throws {
    // In chunks of few different sizes, so that few different statements are prepared.
    for some in results.halvedChunks(of: 128) {
      let values = some.map { result -> SQL in
        """
        SELECT \(result.contact) AS contact_id, \(result.outcome.status) AS status, \(result.outcome.dueAt) AS due_at,
          \(result.code) AS code, \(result.reply) AS reply, \(result.outcome.reason) AS reason,
          \(result.at) AS at, \(result.outcome.countsAsAttempt ? 0 : 1) AS untried,
          \(result.wasTried ? 1 : 0) AS tried
        """
      }
      _ = try queries.run(
        """
        UPDATE mailing_recipients r JOIN (\(values.joined(by: " UNION ALL "))) v ON v.contact_id = r.contact_id
        SET r.status = v.status, r.due_at = v.due_at, r.claimed_by = NULL, r.attempts = r.attempts - v.untried,
          r.smtp_code = COALESCE(v.code, r.smtp_code), r.smtp_reply = COALESCE(v.reply, r.smtp_reply),
          r.skipped_reason = v.reason,
          r.attempted_at = IF(v.tried, v.at, r.attempted_at),
          r.sent_at = IF(v.status = 'sent', v.at, r.sent_at),
          r.bounced_at = IF(v.status = 'bounced', v.at, r.bounced_at)
        WHERE r.mailing_id = \(mailing) AND \(state)
        """)
    }
  }

  // MARK: Senders that are gone

  /// A recipient whose message a sender has, or had, in hand.
  package struct InHand: Sendable {
    package let contact: ContactID
    package let email: String
    /// How many times it was tried, the time in hand included.
    package let attempts: Int
  }

  /// The mailings of which `sender` still has recipients in hand, with these.
  package func inHand(of sender: SenderID) throws -> [MailingID: [InHand]] {
    let rows = try queries.rows(
      """
      SELECT r.mailing_id, r.contact_id, r.email, r.attempts FROM mailings m
      JOIN mailing_recipients r FORCE INDEX (mailing_recipients_status) ON r.mailing_id = m.id AND r.status = 'sending'
      WHERE m.status IN ('queued', 'sending', 'paused', 'cancelled', 'failed') AND r.claimed_by = \(sender)
      """)
    return try rows.reduce(into: [:]) { found, row in
      found[try row["mailing_id"], default: []].append(
        try InHand(contact: row["contact_id"], email: row["email"], attempts: row["attempts"]))
    }
  }

  // MARK: The state of the queue

  /// What waits of a mailing.
  package struct Backlog: Sendable {
    package let mailing: MailingID
    package let subject: String
    package let status: String
    /// Why a sender stopped it.
    package let statusReason: String?
    package let queuedAt: Timestamp?
    package let pending: Int
    package let sending: Int
    package let done: Int
  }

  /// What waits, by mailing, the longest waiting first.
  package func backlog() throws -> [Backlog] {
    try queries.rows(
      """
      SELECT m.id, m.subject, m.status, m.status_reason, m.queued_at, SUM(r.status = 'pending') AS pending,
        SUM(r.status = 'sending') AS sending, SUM(r.status NOT IN ('pending', 'sending')) AS done
      FROM mailings m JOIN mailing_recipients r ON r.mailing_id = m.id
      WHERE m.status IN ('queued', 'sending', 'paused')
      GROUP BY m.id, m.subject, m.status, m.status_reason, m.queued_at
      ORDER BY m.queued_at, m.id LIMIT 100
      """
    ).map { row in
      Backlog(
        mailing: try row["id"], subject: try row["subject"], status: try row["status"],
        statusReason: try row["status_reason"], queuedAt: try row["queued_at"],
        pending: try row["pending"], sending: try row["sending"], done: try row["done"])
    }
  }
}

extension SendingRows.Addressee {
  /// The `otherwise` of a row is 2 where the person has the message, or may have it, by another contact, and 1 where a
  /// sender has it in hand.
  fileprivate init(_ row: Row) throws {
    let isUnsubscribed: Bool = try row["is_unsubscribed"]
    let isBounced: Bool = try row["is_bounced"]
    let otherwise: Int? = try row["otherwise"]
    switch (isUnsubscribed, isBounced, otherwise) {
    case (true, _, _): self = .closed("unsubscribed")
    case (_, true, _): self = .closed("bounced")
    case (_, _, 2?): self = .closed("merged")
    case (_, _, 1?): self = .inHand
    default: self = .open(row)
    }
  }
}
