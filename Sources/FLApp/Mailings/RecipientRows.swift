import FLMariaDB
import FLValues

/// Every SQL statement about the recipients of one mailing of an account, and what they come from.
struct RecipientRows {
  let account: AccountID
  let mailing: MailingID
  let queries: any Queries

  /// What a list is narrowed to.
  struct Filter {
    var status: RecipientStatus?
    var search: String?
  }

  // MARK: Reading

  /// The numbers of each of `mailings`, which must be the account's: one statement, over indices alone.
  static func counts(of mailings: [MailingID], in queries: any Queries) throws -> [MailingID: MailingCounts] {
    guard !mailings.isEmpty else { return [:] }
    let rows = try queries.rows(
      """
      SELECT mailing_id, status, 0 AS reactions, COUNT(*) AS n FROM mailing_recipients
      WHERE mailing_id IN (\(mailings)) GROUP BY mailing_id, status
      UNION ALL
      SELECT mailing_id, NULL, reactions, COUNT(*) FROM mailing_recipients
      WHERE mailing_id IN (\(mailings)) AND reactions > 0 GROUP BY mailing_id, reactions
      """)
    return try rows.reduce(into: [:]) { counts, row in
      let id: MailingID = try row["mailing_id"]
      let number: Int = try row["n"]
      if let status: RecipientStatus = try row["status"] {
        counts[id, default: MailingCounts()].add(number, status)
      } else {
        let reactions: Int = try row["reactions"]
        if reactions & 1 != 0 { counts[id, default: MailingCounts()].opened += number }
        if reactions & 2 != 0 { counts[id, default: MailingCounts()].clicked += number }
        if reactions & 4 != 0 { counts[id, default: MailingCounts()].unsubscribed += number }
      }
    }
  }

  func count(_ filter: Filter = Filter()) throws -> Int {
    try queries.row("SELECT COUNT(*) AS n FROM mailing_recipients r WHERE \(condition(filter))")?["n"] ?? 0
  }

  /// Recipients by the age of their contacts, those behind `cursor`.
  func list(_ filter: Filter, behind cursor: Cursor?, limit: Int) throws -> [MailingRecipient] {
    let after: ContactID? = cursor?.id()
    let more: SQL = after.map { "AND r.contact_id > \($0)" } ?? ""
    return try queries.rows(
      """
      SELECT contact_id, email, status, attempts, attempted_at, IF(status = 'pending', due_at, NULL) AS next_attempt_at,
        smtp_code, smtp_reply, skipped_reason, sent_at, opened_at, clicked_at, bounced_at, unsubscribed_at
      FROM mailing_recipients r WHERE \(condition(filter)) \(more) ORDER BY r.contact_id LIMIT \(limit)
      """
    ).map(MailingRecipient.init)
  }

  private func condition(_ filter: Filter) -> SQL {
    var conditions: [SQL] = ["r.mailing_id = \(mailing)"]
    if let status = filter.status { conditions.append("r.status = \(status)") }
    if let search = filter.search { conditions.append("r.email LIKE \("%" + search.escapedForLike + "%")") }
    return conditions.joined(by: " AND ")
  }

  // MARK: Counting as it is now

  /// The numbers of contacts `c`, which may be gone.
  private static let numbers: SQL = """
    COUNT(*) AS total, COUNT(c.unsubscribed_at) AS unsubscribed,
    COUNT(IF(c.unsubscribed_at IS NULL, c.bounced_at, NULL)) AS bounced,
    COUNT(IF(c.unsubscribed_at IS NULL AND c.bounced_at IS NULL, c.id, NULL)) AS reached
    """

  /// How many of the recipients behind one contact up to another would get the mailing as their contacts are now; with
  /// `namedOnly` of those who were named singly.
  func audience(after: ContactID, through last: ContactID, namedOnly: Bool) throws -> MailingReport.Audience {
    let which: SQL = namedOnly ? "r.is_explicit" : "TRUE"
    let row = try queries.row(
      """
      SELECT \(Self.numbers)
      FROM mailing_recipients r LEFT JOIN contacts c ON c.id = r.contact_id AND c.account_id = \(account)
      WHERE r.mailing_id = \(mailing) AND r.contact_id > \(after) AND r.contact_id <= \(last)
        AND \(which)
      """)
    return try row.map(MailingReport.Audience.init) ?? MailingReport.Audience()
  }

  /// Who is not counted with a source.
  struct Others: OptionSet {
    let rawValue: Int
    /// Who was named singly.
    static let named = Others(rawValue: 1)
    /// Who was taken out.
    static let excluded = Others(rawValue: 2)
    /// Who is in a source before it, in the order of `sources()`.
    static let earlier = Others(rawValue: 4)
  }

  /// How many of a stretch of a source would get the mailing as their contacts are now, but for some. What is known to be
  /// nobody is better not asked for: each costs a look-up a contact.
  func audience(of source: RecipientSource, in stretch: Stretch, butFor others: Others) throws
    -> MailingReport.Audience
  {
    var joins: [SQL] = []
    var conditions: [SQL] = []
    if others.contains(.named) {
      joins.append(
        """
        LEFT JOIN mailing_recipients r
          ON r.mailing_id = \(mailing) AND r.contact_id = s.contact_id AND r.is_explicit
        """)
      conditions.append("r.contact_id IS NULL")
    }
    if others.contains(.excluded) {
      joins.append(
        "LEFT JOIN mailing_exclusions x ON x.mailing_id = \(mailing) AND x.contact_id = s.contact_id")
      conditions.append("x.contact_id IS NULL")
    }
    if others.contains(.earlier) { conditions.append("NOT \(isInEarlier(than: source))") }
    let row = try queries.row(
      """
      SELECT \(Self.numbers) FROM \(source.table) s \(joins.joined(by: " "))
      JOIN contacts c ON c.id = s.contact_id AND c.account_id = \(account)
      WHERE \(source.condition) AND \(source.counts) AND s.contact_id > \(stretch.after)
        AND s.contact_id <= \(stretch.through) AND \((conditions + ["TRUE"]).joined(by: " AND "))
      """)
    return try row.map(MailingReport.Audience.init) ?? MailingReport.Audience()
  }

  /// Whether a row `s` of a source is a contact who is in one before it as well.
  private func isInEarlier(than source: RecipientSource) -> SQL {
    switch source {
    case .group(let id): comesByGroup("s.contact_id", where: "m.source_id < \(id)")
    case .tag(let id):
      "(\(comesByGroup("s.contact_id")) OR \(comesByTag("s.contact_id", where: "m.source_id < \(id)")))"
    }
  }

  func hasExclusions() throws -> Bool {
    try queries.row("SELECT 1 AS found FROM mailing_exclusions WHERE mailing_id = \(mailing) LIMIT 1") != nil
  }

  /// How many of those behind one contact up to another get nothing by any other way, were not taken out, and wait in
  /// no group of the mailing before this one.
  func countUnconfirmed(of group: ContactGroupID, after: ContactID, through last: ContactID) throws -> Int {
    try queries.row(
      """
      SELECT COUNT(*) AS n FROM contact_group_members s FORCE INDEX (contact_group_members_status)
      LEFT JOIN mailing_recipients r
        ON r.mailing_id = \(mailing) AND r.contact_id = s.contact_id AND r.is_explicit
      LEFT JOIN mailing_exclusions x ON x.mailing_id = \(mailing) AND x.contact_id = s.contact_id
      WHERE s.group_id = \(group) AND s.status = 'pending' AND s.contact_id > \(after) AND s.contact_id <= \(last)
        AND r.contact_id IS NULL AND x.contact_id IS NULL
        AND NOT \(comesByGroup("s.contact_id")) AND NOT \(comesByTag("s.contact_id"))
        AND NOT \(comesByGroup("s.contact_id", as: .pending, where: "m.source_id < \(group)"))
      """)?["n"] ?? 0
  }

  /// Whether a contact is a member of a group of the mailing, a confirmed one unless `status` is another, and one whose
  /// `mailing_sources m` is as `condition` has it.
  private func comesByGroup(
    _ contact: SQL, as status: GroupMemberStatus = .confirmed, where condition: SQL = "TRUE"
  ) -> SQL {
    """
    EXISTS (
      SELECT 1 FROM mailing_sources m JOIN contact_groups o ON o.id = m.source_id AND o.account_id = \(account)
      JOIN contact_group_members g
        ON g.group_id = m.source_id AND g.contact_id = \(contact) AND g.status = \(status)
      WHERE m.mailing_id = \(mailing) AND m.kind = 'group' AND \(condition))
    """
  }

  /// Whether a contact has a tag of the mailing, in the same way.
  private func comesByTag(_ contact: SQL, where condition: SQL = "TRUE") -> SQL {
    """
    EXISTS (
      SELECT 1 FROM mailing_sources m JOIN contact_tags t ON t.tag_id = m.source_id AND t.contact_id = \(contact)
      WHERE m.mailing_id = \(mailing) AND m.kind = 'tag' AND \(condition))
    """
  }

  // MARK: Where they come from

  /// Which of `contacts` are the account's.
  func known(_ contacts: [ContactID]) throws -> Set<ContactID> {
    Set(
      try queries.rows("SELECT id FROM contacts WHERE account_id = \(account) AND id IN (\(contacts))").map {
        try $0["id"]
      })
  }

  /// Which of `groups` are the account's.
  func known(_ groups: [ContactGroupID]) throws -> Set<ContactGroupID> {
    Set(
      try queries.rows("SELECT id FROM contact_groups WHERE account_id = \(account) AND id IN (\(groups))")
        .map {
          try $0["id"]
        })
  }

  /// The tag of each of `names`, nil where there is none.
  func known(_ names: [TagName]) throws -> [TagID?] {
    guard !names.isEmpty else { return [] }
    let wishes = names.enumerated().map { place, name -> SQL in
      "SELECT \(place) AS place, id FROM tags WHERE account_id = \(account) AND name = \(name.text)"
    }
    let rows = try queries.rows(wishes.joined(by: " UNION ALL "))
    return try rows.reduce(into: [TagID?](repeating: nil, count: names.count)) { tags, row in
      tags[try row["place"]] = try row["id"]
    }
  }

  /// The groups, of those that were not deleted, and tags whose contacts are recipients: groups before tags, each kind in
  /// the order of the ids.
  func sources() throws -> [RecipientSource] {
    try queries.rows(
      """
      SELECT s.kind, s.source_id FROM mailing_sources s
      LEFT JOIN contact_groups o ON s.kind = 'group' AND o.id = s.source_id AND o.account_id = \(account)
      WHERE s.mailing_id = \(mailing) AND (s.kind <> 'group' OR o.id IS NOT NULL) ORDER BY s.kind, s.source_id
      """
    ).map { row in
      let kind: String = try row["kind"]
      return kind == "group" ? .group(try row["source_id"]) : .tag(try row["source_id"])
    }
  }

  func add(_ sources: [RecipientSource]) throws {
    guard !sources.isEmpty else { return }
    let rows = sources.map { source -> SQL in "(\(mailing), \(source.kind), \(source.bytes))" }
    _ = try queries.run(
      "INSERT IGNORE INTO mailing_sources (mailing_id, kind, source_id) VALUES \(rows.joined(by: ", "))")
  }

  /// The groups that the account still has, by their names.
  func sourceGroups() throws -> [MailingAudience.Summary.Group] {
    try queries.rows(
      """
      SELECT g.id, g.name FROM mailing_sources s JOIN contact_groups g ON g.id = s.source_id
      WHERE s.mailing_id = \(mailing) AND s.kind = 'group' AND g.account_id = \(account) ORDER BY g.name, g.id
      """
    ).map { try MailingAudience.Summary.Group(id: $0["id"], name: $0["name"]) }
  }

  /// The names of the tags that the account still has.
  func sourceTags() throws -> [String] {
    try queries.rows(
      """
      SELECT t.name FROM mailing_sources s JOIN tags t ON t.id = s.source_id
      WHERE s.mailing_id = \(mailing) AND s.kind = 'tag' AND t.account_id = \(account) ORDER BY t.name
      """
    ).map { try $0["name"] }
  }

  /// How many of the next `limit` recipients behind `after` were named singly, and the id of the last of them; nil where
  /// there are none.
  func countNamed(after: ContactID, limit: Int) throws -> (through: ContactID, named: Int)? {
    let row = try queries.row(
      """
      SELECT MAX(s.contact_id) AS last, COUNT(IF(s.is_explicit, 1, NULL)) AS named FROM (
        SELECT contact_id, is_explicit FROM mailing_recipients FORCE INDEX (PRIMARY)
        WHERE mailing_id = \(mailing) AND contact_id > \(after) ORDER BY contact_id LIMIT \(limit)) s
      """)
    guard let row, let last: ContactID = try row["last"] else { return nil }
    return (last, try row["named"])
  }

  /// How many contacts were taken out, and come back by no group or tag.
  func countExclusions() throws -> Int {
    try queries.row("SELECT COUNT(*) AS n FROM mailing_exclusions WHERE mailing_id = \(mailing)")?["n"] ?? 0
  }

  /// Takes a group or a tag out; false where it is none of the mailing's.
  func remove(_ source: RecipientSource) throws -> Bool {
    try queries.run(
      """
      DELETE FROM mailing_sources
      WHERE mailing_id = \(mailing) AND kind = \(source.kind) AND source_id = \(source.bytes)
      """) > 0
  }

  func removeSources() throws {
    _ = try queries.run("DELETE FROM mailing_sources WHERE mailing_id = \(mailing)")
  }

  /// Keeps groups and tags from bringing `contacts` back.
  func exclude(_ contacts: [ContactID]) throws {
    let rows = contacts.map { contact -> SQL in "(\(mailing), \(contact))" }
    _ = try queries.run(
      "INSERT IGNORE INTO mailing_exclusions (mailing_id, contact_id) VALUES \(rows.joined(by: ", "))")
  }

  func removeExclusions(of contacts: [ContactID]) throws {
    _ = try queries.run(
      "DELETE FROM mailing_exclusions WHERE mailing_id = \(mailing) AND contact_id IN (\(contacts))")
  }

  func removeExclusions() throws {
    _ = try queries.run("DELETE FROM mailing_exclusions WHERE mailing_id = \(mailing)")
  }

  // MARK: Adding

  /// What a contact `c` begins as.
  private static let beginning: SQL = """
    c.email, IF(c.unsubscribed_at IS NULL AND c.bounced_at IS NULL, 'pending', 'skipped'), \(reason)
    """
  private static let reason: SQL = """
    CASE WHEN c.id IS NULL THEN 'deleted' WHEN c.unsubscribed_at IS NOT NULL THEN 'unsubscribed'
      WHEN c.bounced_at IS NOT NULL THEN 'bounced' END
    """

  /// How many of `contacts` are recipients.
  func count(of contacts: [ContactID]) throws -> Int {
    try queries.row(
      """
      SELECT COUNT(*) AS n FROM mailing_recipients
      WHERE mailing_id = \(mailing) AND contact_id IN (\(contacts))
      """)?["n"] ?? 0
  }

  /// How many of `contacts` unsubscribed or bounced.
  func countSuppressed(of contacts: [ContactID]) throws -> Int {
    try queries.row(
      """
      SELECT COUNT(*) AS n FROM contacts WHERE account_id = \(account) AND id IN (\(contacts))
        AND (unsubscribed_at IS NOT NULL OR bounced_at IS NOT NULL)
      """)?["n"] ?? 0
  }

  /// Makes `contacts` recipients by themselves, also those that are some by a group or a tag.
  func add(_ contacts: [ContactID]) throws {
    _ = try queries.run(
      """
      INSERT INTO mailing_recipients (mailing_id, contact_id, is_explicit, email, status, skipped_reason)
      SELECT \(mailing), c.id, TRUE, \(Self.beginning) FROM contacts c
      WHERE c.account_id = \(account) AND c.id IN (\(contacts))
      ON DUPLICATE KEY UPDATE is_explicit = TRUE
      """)
  }

  /// A run of contacts of a source, by their ids.
  struct Stretch {
    let after: ContactID
    let through: ContactID
    /// How many contacts the source has in it.
    let count: Int
  }

  /// The next `limit` contacts of `source` behind `after`; nil where there are none.
  func stretch(of source: RecipientSource, after: ContactID, limit: Int) throws -> Stretch? {
    let row = try queries.row(
      """
      SELECT MAX(s.contact_id) AS last, COUNT(*) AS n FROM (
        SELECT contact_id FROM \(source.table) WHERE \(source.condition) AND contact_id > \(after)
        ORDER BY contact_id LIMIT \(limit)) s
      """)
    guard let row, let last: ContactID = try row["last"] else { return nil }
    return try Stretch(after: after, through: last, count: row["n"])
  }

  /// Who of a stretch of a source is not a recipient yet: how many can become one, and how many of them
  /// unsubscribed or bounced.
  func candidates(of source: RecipientSource, in stretch: Stretch) throws -> (new: Int, suppressed: Int) {
    let row = try queries.row(
      """
      SELECT COUNT(*) AS n, COUNT(COALESCE(c.unsubscribed_at, c.bounced_at)) AS suppressed
      \(missing(from: source, in: stretch))
      """)
    guard let row else { return (0, 0) }
    return try (row["n"], row["suppressed"])
  }

  /// How many of a stretch of a source are recipients.
  func count(of source: RecipientSource, in stretch: Stretch) throws -> Int {
    try queries.row(
      """
      SELECT COUNT(*) AS n FROM \(source.table) s
      JOIN mailing_recipients r ON r.mailing_id = \(mailing) AND r.contact_id = s.contact_id
      WHERE \(source.condition) AND s.contact_id > \(stretch.after) AND s.contact_id <= \(stretch.through)
      """)?["n"] ?? 0
  }

  /// Makes recipients of those in a stretch of a source who may be and are not; answers how many.
  func add(from source: RecipientSource, in stretch: Stretch) throws -> Int {
    // IGNORE for who is added in the meantime by somebody else.
    try queries.run(
      """
      INSERT IGNORE INTO mailing_recipients (mailing_id, contact_id, email, status, skipped_reason)
      SELECT \(mailing), c.id, \(Self.beginning) \(missing(from: source, in: stretch))
      """)
  }

  /// The contacts `c` of a stretch who may be recipients by this source and are not. What is there already is read
  /// from the index, and costs no look at its contact.
  private func missing(from source: RecipientSource, in stretch: Stretch) -> SQL {
    """
    FROM \(source.table) s
    LEFT JOIN mailing_recipients r ON r.mailing_id = \(mailing) AND r.contact_id = s.contact_id
    LEFT JOIN mailing_exclusions x ON x.mailing_id = \(mailing) AND x.contact_id = s.contact_id
    JOIN contacts c ON c.id = s.contact_id AND c.account_id = \(account)
    WHERE \(source.condition) AND \(source.counts) AND s.contact_id > \(stretch.after)
      AND s.contact_id <= \(stretch.through) AND r.contact_id IS NULL AND x.contact_id IS NULL
    """
  }

  // MARK: Looking again

  /// The id of the last of the next `limit` recipients behind `after`; nil where there are none.
  func last(after: ContactID, limit: Int) throws -> ContactID? {
    let row = try queries.row(
      """
      SELECT MAX(s.contact_id) AS last FROM (
        SELECT contact_id FROM mailing_recipients FORCE INDEX (PRIMARY)
        WHERE mailing_id = \(mailing) AND contact_id > \(after) ORDER BY contact_id LIMIT \(limit)) s
      """)
    return try row?["last"] ?? nil
  }

  /// Takes away who is in no source any more and was not added by itself; answers how many.
  @discardableResult
  func removeStrays(after: ContactID, through last: ContactID) throws -> Int {
    try queries.run(
      """
      DELETE r FROM mailing_recipients r
      WHERE r.mailing_id = \(mailing) AND r.contact_id > \(after) AND r.contact_id <= \(last)
        AND NOT r.is_explicit AND r.status IN ('pending', 'skipped')
        AND NOT \(comesByGroup("r.contact_id")) AND NOT \(comesByTag("r.contact_id"))
      """)
  }

  /// Notes with those who wait, or are skipped, what their contacts say now; only rows that differ are written.
  func reconsider(after: ContactID, through last: ContactID) throws {
    // Whoever was skipped for another reason than the contact's (a cancelled mailing) stays so.
    _ = try queries.run(
      """
      UPDATE mailing_recipients r LEFT JOIN contacts c ON c.id = r.contact_id AND c.account_id = \(account)
      SET r.status = IF(\(Self.reason) IS NULL, 'pending', 'skipped'), r.skipped_reason = \(Self.reason),
        r.email = COALESCE(c.email, r.email)
      WHERE r.mailing_id = \(mailing) AND r.contact_id > \(after) AND r.contact_id <= \(last)
        AND (r.status = 'pending'
          OR (r.status = 'skipped' AND r.skipped_reason IN ('unsubscribed', 'bounced', 'deleted')))
        AND (NOT (r.skipped_reason <=> \(Self.reason)) OR BINARY r.email <> BINARY c.email)
      """)
  }

  // MARK: Removing and changing many

  /// Which of `contacts` are recipients.
  func present(_ contacts: [ContactID]) throws -> Set<ContactID> {
    Set(
      try queries.rows(
        """
        SELECT contact_id FROM mailing_recipients
        WHERE mailing_id = \(mailing) AND contact_id IN (\(contacts))
        """
      ).map { try $0["contact_id"] })
  }

  /// Takes these away; answers how many were recipients.
  func remove(_ contacts: [ContactID]) throws -> Int {
    try queries.run(
      "DELETE FROM mailing_recipients WHERE mailing_id = \(mailing) AND contact_id IN (\(contacts))")
  }

  /// Takes all away that lie behind `after`, up to `last`.
  func remove(after: ContactID, through last: ContactID) throws {
    try queries.run("DELETE FROM mailing_recipients WHERE \(range(after, last))")
  }

  /// Takes up to `limit` of those away who followed links; answers how many.
  func removeVisitors(_ limit: Int) throws -> Int {
    try queries.run("DELETE FROM mailing_link_visitors WHERE mailing_id = \(mailing) LIMIT \(limit)")
  }

  /// Passes over those who wait.
  func cancel(after: ContactID, through last: ContactID) throws {
    try queries.run(
      """
      UPDATE mailing_recipients SET status = 'skipped', skipped_reason = 'cancelled', due_at = NULL
      WHERE \(range(after, last)) AND status = 'pending'
      """)
  }

  // MARK: Sending again

  /// Lets those whom `wish` is for wait anew, as if nothing had been sent to them. What servers said last stays.
  func retry(_ wish: MailingRetry, after: ContactID, through last: ContactID) throws {
    let anew: SQL = """
      r.status = 'pending', r.attempts = 0, r.due_at = NULL, r.claimed_by = NULL, r.skipped_reason = NULL,
      r.sent_at = NULL, r.bounced_at = NULL
      """
    try queries.run(
      """
      UPDATE mailing_recipients r SET \(anew)
      WHERE \(range(after, last)) AND r.status IN (\(wish.statuses.map(\.rawValue)))
      """)
    for status in wish.statusesOfReachable {
      let more: SQL = status == .bounced ? ", r.returns = LEAST(255, r.returns + 1)" : ""
      try queries.run(
        "UPDATE \(Self.reachable) SET \(anew)\(more) WHERE \(reachable(in: [status], after, last))")
    }
  }

  /// Whether somebody of a stretch waits anew because the contact may get mail.
  func hasReachable(for wish: MailingRetry, after: ContactID, through last: ContactID) throws -> Bool {
    let statuses = wish.statusesOfReachable
    return try queries.row(
      """
      SELECT 1 AS found FROM \(Self.reachable) WHERE \(reachable(in: statuses, after, last)) LIMIT 1
      """) != nil
  }

  /// Recipients `r` with their contacts `c`. The optimizer might walk all contacts of the account, or all recipients of a
  /// state for each stretch.
  private static let reachable: SQL =
    "mailing_recipients r FORCE INDEX (PRIMARY) STRAIGHT_JOIN contacts c ON c.id = r.contact_id"

  /// Those of `statuses` in a stretch whose contacts may get mail now: who is there, neither bounced nor unsubscribed,
  /// and has another address where the one of then was none.
  private func reachable(in statuses: [RecipientStatus], _ after: ContactID, _ last: ContactID) -> SQL {
    """
    \(range(after, last)) AND r.status IN (\(statuses.map(\.rawValue))) AND c.account_id = \(account)
      AND c.unsubscribed_at IS NULL AND c.bounced_at IS NULL
      AND NOT (r.skipped_reason <=> 'invalid_address' AND BINARY r.email = BINARY c.email)
    """
  }

  private func range(_ after: ContactID, _ last: ContactID) -> SQL {
    "mailing_id = \(mailing) AND contact_id > \(after) AND contact_id <= \(last)"
  }

  /// Whether somebody is in one of `statuses`.
  func has(_ statuses: [RecipientStatus]) throws -> Bool {
    try queries.row(
      """
      SELECT 1 AS found FROM mailing_recipients
      WHERE mailing_id = \(mailing) AND status IN (\(statuses.map(\.rawValue))) LIMIT 1
      """) != nil
  }
}

extension MailingReport.Audience {
  fileprivate init(_ row: Row) throws {
    try self.init(
      total: row["total"], willReceive: row["reached"], unsubscribed: row["unsubscribed"],
      bounced: row["bounced"])
  }
}

extension MailingCounts {
  fileprivate mutating func add(_ number: Int, _ status: RecipientStatus) {
    recipients += number
    switch status {
    case .pending, .sending: pending += number
    case .sent: sent += number
    case .failed: failed += number
    case .bounced: bounced += number
    case .skipped: skipped += number
    case .uncertain: uncertain += number
    }
  }
}
