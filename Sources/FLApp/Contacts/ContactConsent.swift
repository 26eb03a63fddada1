import FLHTTP
import FLMariaDB
import FLValues

/// Whether mailings may go to a contact: the one door by which that changes.
///
/// What is noted with a contact is remembered by its address in `suppressions` as well, which outlives the contact. It is
/// lifted by the explicit act of a person alone. Use it in the transaction of what it is about; it writes the events of
/// webhooks there.
struct ContactConsent {
  /// How many soft bounces in a row are a bounce.
  static let softBouncesInARow = 5

  let account: AccountID
  /// A transaction's connection.
  let queries: any Queries

  private var rows: ContactRows { ContactRows(account: account, queries: queries) }

  /// Notes that these contacts want no mailings any more.
  /// - Returns: those for whom it is new.
  @discardableResult
  func unsubscribe(_ ids: [ContactID], reason: UnsubscribeReason, at now: Timestamp) throws -> [ContactID] {
    try flag(ids, .unsubscribed, reason: reason.rawValue, at: now)
  }

  /// Notes that mail to a contact does not arrive; `reason` is what the server said, of which 512 characters are kept.
  /// - Returns: whether it is new.
  @discardableResult
  func bounce(_ id: ContactID, reason: String, at now: Timestamp) throws -> Bool {
    try !bounce([id], reason: reason, at: now).isEmpty
  }

  /// The same of several.
  /// - Returns: those for whom it is new.
  @discardableResult
  func bounce(_ ids: [ContactID], reason: String, at now: Timestamp) throws -> [ContactID] {
    try flag(ids, .bounced, reason: reason.cut(toScalars: 512), at: now)
  }

  /// Notes that mailings are not wanted at these addresses, whoever has them. It is remembered where no contact does.
  /// - Returns: those for whom it is new.
  @discardableResult
  func unsubscribe(addresses: [String], reason: UnsubscribeReason, at now: Timestamp) throws -> [ContactID] {
    try flag(addresses: addresses, .unsubscribed, reason: reason.rawValue, at: now)
  }

  /// Notes that mail to these addresses does not arrive, whoever has them. It is remembered where no contact does.
  /// - Returns: those for whom it is new.
  @discardableResult
  func bounce(addresses: [String], reason: String, at now: Timestamp) throws -> [ContactID] {
    try flag(addresses: addresses, .bounced, reason: reason.cut(toScalars: 512), at: now)
  }

  /// Notes that a message did not arrive this time; the fifth in a row is a bounce.
  /// - Returns: whether it became one now.
  @discardableResult
  func softBounce(_ id: ContactID, reason: String, at now: Timestamp) throws -> Bool {
    try queries.run(
      """
      UPDATE contacts SET soft_bounces = soft_bounces + 1
      WHERE id = \(id) AND account_id = \(account) AND bounced_at IS NULL
      """)
    let row = try queries.row(
      "SELECT soft_bounces FROM contacts WHERE id = \(id) AND account_id = \(account) AND bounced_at IS NULL")
    guard let row, try row["soft_bounces"] >= Self.softBouncesInARow else { return false }
    return try bounce(id, reason: reason, at: now)
  }

  /// Notes that messages arrived: soft bounces before them count no more. Mostly there were none, and nothing is
  /// written or locked.
  func delivered(_ ids: [ContactID]) throws {
    try ids.inBatches { batch in
      let counting: [ContactID] = try queries.rows(
        """
        SELECT id FROM contacts WHERE id IN (\(Array(batch))) AND account_id = \(account) AND soft_bounces > 0
        """
      ).map { try $0["id"] }
      guard !counting.isEmpty else { return }
      try queries.run(
        "UPDATE contacts SET soft_bounces = 0 WHERE id IN (\(counting)) AND account_id = \(account)")
    }
  }

  /// Lets mailings go to a contact again who had unsubscribed: a person says so.
  /// - Returns: whether that changed anything.
  @discardableResult
  func liftUnsubscribe(_ id: ContactID, at now: Timestamp) throws -> Bool {
    try lift(id, .unsubscribed, at: now)
  }

  /// Lets mailings go again to somebody who asks for it, and tells the webhooks where that changed anything.
  func subscribeAgain(_ id: ContactID, at now: Timestamp) throws {
    if try liftUnsubscribe(id, at: now) { try rows.tell(.contactUpdated, of: [id], at: now) }
  }

  /// Lets mailings go to an address again, whoever has it: the person asks for it to whom they went.
  func subscribeAgain(address: String, at now: Timestamp) throws {
    try lift(.unsubscribed, remembered: "account_id = \(account) AND email_key = \(address.lowercased())")
    for id in try holders(of: [address.lowercased()]) { try subscribeAgain(id, at: now) }
  }

  /// Lets mailings go to an address again that had bounced: a person says so.
  /// - Returns: whether that changed anything.
  @discardableResult
  func liftBounce(_ id: ContactID, at now: Timestamp) throws -> Bool { try lift(id, .bounced, at: now) }

  /// Gives fresh contacts the flags that are remembered of their addresses. It tells nobody: nothing happened now.
  func takeOver(_ ids: [ContactID]) throws {
    try ids.inBatches { batch in
      try queries.run(
        """
        UPDATE contacts c JOIN suppressions s ON s.account_id = c.account_id AND s.email_key = c.email_key
        SET c.bounce_reason = IF(c.bounced_at IS NULL, s.bounce_reason, c.bounce_reason),
          c.bounced_at = COALESCE(c.bounced_at, s.bounced_at),
          c.unsubscribe_reason = IF(c.unsubscribed_at IS NULL, s.unsubscribe_reason, c.unsubscribe_reason),
          c.unsubscribed_at = COALESCE(c.unsubscribed_at, s.unsubscribed_at)
        WHERE c.id IN (\(Array(batch))) AND c.account_id = \(account)
        """)
    }
  }

  /// Follows a contact to another address: an unsubscribe is the person's and goes along (and stays at the old address),
  /// a bounce is the old address's, and so is what was confirmed by a mail to it: in groups with double opt-in the
  /// contact waits again. Of mailings under way that is seen when the message is claimed (`SendingRows.claim`).
  func moved(_ id: ContactID) throws {
    try queries.run(
      """
      UPDATE contacts SET bounced_at = NULL, bounce_reason = NULL, soft_bounces = 0
      WHERE id = \(id) AND account_id = \(account)
      """)
    // The groups are read without a lock: whoever changes one holds its row.
    let groups: [ContactGroupID] = try queries.rows(
      """
      SELECT g.id FROM contact_group_members m JOIN contact_groups g ON g.id = m.group_id
      WHERE m.contact_id = \(id) AND g.account_id = \(account) AND g.require_double_opt_in
      """
    ).map { try $0["id"] }
    if !groups.isEmpty {
      try queries.run(
        """
        UPDATE contact_group_members SET status = 'pending', confirmed_at = NULL
        WHERE contact_id = \(id) AND group_id IN (\(groups))
        """)
    }
    try remember([id])
    try takeOver([id])
  }

  // MARK: The two flags

  private enum Flag {
    case unsubscribed, bounced

    var time: SQL { self == .bounced ? "bounced_at" : "unsubscribed_at" }
    var reason: SQL { self == .bounced ? "bounce_reason" : "unsubscribe_reason" }
    var event: WebhookEvent { self == .bounced ? .contactBounced : .contactUnsubscribed }
  }

  private func flag(_ ids: [ContactID], _ flag: Flag, reason: String, at now: Timestamp) throws -> [ContactID]
  {
    var flagged: [ContactID] = []
    try Array(Set(ids)).sorted().inBatches { batch in
      let fresh: [ContactID] = try queries.rows(
        """
        SELECT id FROM contacts WHERE id IN (\(Array(batch))) AND account_id = \(account) AND \(flag.time) IS NULL
        ORDER BY id FOR UPDATE
        """
      ).map { try $0["id"] }
      guard !fresh.isEmpty else { return }
      try queries.run(
        """
        UPDATE contacts SET \(flag.time) = \(now), \(flag.reason) = \(reason),
          soft_bounces = IF(bounced_at IS NULL, soft_bounces, 0), version = version + 1, updated_at = \(now)
        WHERE id IN (\(fresh)) AND account_id = \(account)
        """)
      try remember(fresh)
      try rows.tell(flag.event, of: fresh, reason: reason, at: now)
      flagged += fresh
    }
    return flagged
  }

  private func flag(addresses: [String], _ flag: Flag, reason: String, at now: Timestamp) throws
    -> [ContactID]
  {
    let keys = Set(addresses.map { $0.lowercased() }).sorted()
    try keys.inBatches { batch in
      let rows = batch.map { key -> SQL in "(\(account), \(key), \(now), \(reason))" }
      try queries.run(
        """
        INSERT INTO suppressions (account_id, email_key, \(flag.time), \(flag.reason)) VALUES \(rows.joined(by: ", "))
        ON DUPLICATE KEY UPDATE
          \(flag.reason) = IF(\(flag.time) IS NULL, VALUE(\(flag.reason)), \(flag.reason)),
          \(flag.time) = COALESCE(\(flag.time), VALUE(\(flag.time)))
        """)
    }
    // Who makes a contact of one meanwhile waits for that row, or is seen here.
    return try self.flag(holders(of: keys), flag, reason: reason, at: now)
  }

  /// The contacts that have addresses of these keys; they stay locked.
  private func holders(of keys: [String]) throws -> [ContactID] {
    var holders: [ContactID] = []
    try keys.inBatches { batch in
      holders += try queries.rows(
        """
        SELECT id FROM contacts WHERE account_id = \(account) AND email_key IN (\(Array(batch)))
        ORDER BY email_key FOR UPDATE
        """
      ).map { try $0["id"] }
    }
    return holders
  }

  /// Notes with the addresses what is noted with the contacts.
  private func remember(_ ids: [ContactID]) throws {
    try queries.run(
      """
      INSERT INTO suppressions (account_id, email_key, bounced_at, bounce_reason, unsubscribed_at, unsubscribe_reason)
      SELECT account_id, email_key, bounced_at, bounce_reason, unsubscribed_at, unsubscribe_reason FROM contacts
      WHERE id IN (\(ids)) AND account_id = \(account) AND (bounced_at IS NOT NULL OR unsubscribed_at IS NOT NULL)
      ON DUPLICATE KEY UPDATE
        bounce_reason = IF(suppressions.bounced_at IS NULL, VALUE(bounce_reason), suppressions.bounce_reason),
        bounced_at = COALESCE(suppressions.bounced_at, VALUE(bounced_at)),
        unsubscribe_reason =
          IF(suppressions.unsubscribed_at IS NULL, VALUE(unsubscribe_reason), suppressions.unsubscribe_reason),
        unsubscribed_at = COALESCE(suppressions.unsubscribed_at, VALUE(unsubscribed_at))
      """)
  }

  private func lift(_ id: ContactID, _ flag: Flag, at now: Timestamp) throws -> Bool {
    let lifted = try queries.run(
      """
      UPDATE contacts SET \(flag.time) = NULL, \(flag.reason) = NULL,
        version = version + 1, updated_at = \(now)
      WHERE id = \(id) AND account_id = \(account) AND \(flag.time) IS NOT NULL
      """)
    try lift(
      flag,
      remembered: """
        account_id = \(account)
        AND email_key = (SELECT c.email_key FROM contacts c WHERE c.id = \(id) AND c.account_id = \(account))
        """)
    return lifted > 0
  }

  private func lift(_ flag: Flag, remembered addresses: SQL) throws {
    try queries.run("UPDATE suppressions SET \(flag.time) = NULL, \(flag.reason) = NULL WHERE \(addresses)")
    try queries.run(
      "DELETE FROM suppressions WHERE \(addresses) AND bounced_at IS NULL AND unsubscribed_at IS NULL")
  }
}

extension ContactRows {
  /// Notes for webhooks that `event` happened to these contacts, as they are now. They are read only where somebody
  /// wants to know.
  func tell(_ event: WebhookEvent, of ids: [ContactID], reason: String? = nil, at now: Timestamp) throws {
    // A few at a time: one contact may have megabytes of notes.
    let few = 20
    var read: [ContactID: Contact] = [:]
    try WebhookOutbox().tell(event, of: Array(ids.indices), account: account, on: queries, at: now) { index in
      if index % few == 0 {
        let some = try find(Array(ids[index..<min(index + few, ids.count)]))
        read = Dictionary(some.map { ($0.id, $0) }) { first, _ in first }
      }
      return try read[ids[index]]?.told(reason: reason) ?? .null
    }
  }
}
