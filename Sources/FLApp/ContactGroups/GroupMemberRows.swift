import FLMariaDB
import FLValues

/// Every SQL statement about who is in a group. The group must be known to be the account's.
struct GroupMemberRows {
  let account: AccountID
  let group: ContactGroupID
  let queries: any Queries

  /// How many rows one statement writes, or looks for.
  static let rowsAtOnce = 1000

  /// What a list is narrowed to.
  struct Filter {
    var status: GroupMemberStatus?
    /// How the address begins.
    var search: String?
  }

  private static let columns: SQL = """
    m.contact_id, m.status, m.added_at, m.confirmed_at, c.email,
    COALESCE(c.full_name, NULLIF(CONCAT_WS(' ', c.first_name, c.last_name), '')) AS name,
    c.bounced_at IS NOT NULL AS is_bounced, c.unsubscribed_at IS NOT NULL AS is_unsubscribed
    """

  func find(_ contact: ContactID) throws -> GroupMember? {
    try queries.row(
      """
      SELECT \(Self.columns) FROM contact_group_members m JOIN contacts c ON c.id = m.contact_id
      WHERE m.group_id = \(group) AND m.contact_id = \(contact) AND c.account_id = \(account)
      """
    ).map(GroupMember.init)
  }

  func count(_ filter: Filter) throws -> Int {
    // Without a search nothing of the contacts is needed.
    let tables: SQL =
      filter.search == nil
      ? "contact_group_members m" : "contact_group_members m JOIN contacts c ON c.id = m.contact_id"
    return try queries.row("SELECT COUNT(*) AS n FROM \(tables) WHERE \(condition(filter))")?["n"] ?? 0
  }

  /// Members, the newest contacts first, those behind `cursor`.
  func list(_ filter: Filter, behind cursor: ContactID?, limit: Int) throws -> [GroupMember] {
    var conditions = [condition(filter)]
    if let cursor { conditions.append("m.contact_id < \(cursor)") }
    return try queries.rows(
      """
      SELECT \(Self.columns) FROM contact_group_members m JOIN contacts c ON c.id = m.contact_id
      WHERE \(conditions.joined(by: " AND ")) ORDER BY m.contact_id DESC LIMIT \(limit)
      """
    ).map(GroupMember.init)
  }

  private func condition(_ filter: Filter) -> SQL {
    var conditions: [SQL] = ["m.group_id = \(group)"]
    if let status = filter.status { conditions.append("m.status = \(status)") }
    if let search = filter.search {
      let pattern = search.lowercased().escapedForLike + "%"
      conditions.append("c.account_id = \(account) AND c.email_key LIKE \(pattern)")
    }
    return conditions.joined(by: " AND ")
  }

  // MARK: Contacts to add

  /// Those of `contacts` that the account has.
  func known(_ contacts: [ContactID]) throws -> Set<ContactID> {
    var known: Set<ContactID> = []
    for some in contacts.chunks(of: Self.rowsAtOnce) {
      let rows = try queries.rows(
        "SELECT id FROM contacts WHERE account_id = \(account) AND id IN (\(some))")
      for row in rows { known.insert(try row["id"]) }
    }
    return known
  }

  /// Those of `contacts` that are in the group.
  func present(_ contacts: [ContactID]) throws -> Set<ContactID> {
    var present: Set<ContactID> = []
    for some in contacts.chunks(of: Self.rowsAtOnce) {
      let rows = try queries.rows(
        """
        SELECT contact_id FROM contact_group_members WHERE group_id = \(group) AND contact_id IN (\(some))
        """)
      for row in rows { present.insert(try row["contact_id"]) }
    }
    return present
  }

  /// Puts contacts into the group that are the account's; those that are in it already stay as they are.
  /// - Returns: how many were not in it.
  func insert(_ contacts: [ContactID], status: GroupMemberStatus, at now: Timestamp) throws -> Int {
    var added = 0
    for some in contacts.chunks(of: Self.rowsAtOnce) {
      let rows = some.map { contact -> SQL in "(\(group), \(contact), \(status), \(now))" }
      added += try queries.run(
        """
        INSERT IGNORE INTO contact_group_members (group_id, contact_id, status, added_at)
        VALUES \(rows.joined(by: ", "))
        """)
    }
    return added
  }

  // MARK: Changes

  /// Makes a member confirmed, by the person's own word.
  func confirm(_ contact: ContactID, at now: Timestamp) throws {
    _ = try queries.run(
      """
      UPDATE contact_group_members SET status = 'confirmed', confirmed_at = COALESCE(confirmed_at, \(now))
      WHERE group_id = \(group) AND contact_id = \(contact)
      """)
  }

  /// Takes contacts from the group; answers how many were in it.
  func remove(_ contacts: [ContactID]) throws -> Int {
    var removed = 0
    for some in contacts.chunks(of: Self.rowsAtOnce) {
      removed += try queries.run(
        """
        DELETE FROM contact_group_members WHERE group_id = \(group) AND contact_id IN (\(some))
        """)
    }
    return removed
  }

  /// Takes away up to `limit` members of a group, whoever they are; answers how many.
  static func removeSome(of group: ContactGroupID, limit: Int, on queries: any Queries) throws -> Int {
    try queries.run("DELETE FROM contact_group_members WHERE group_id = \(group) LIMIT \(limit)")
  }

  /// The id of the last of the next `limit` members, behind `after`, who have not confirmed; nil where there are none.
  func lastPending(after: ContactID, limit: Int) throws -> ContactID? {
    let row = try queries.row(
      """
      SELECT MAX(s.contact_id) AS last FROM (
        SELECT contact_id FROM contact_group_members FORCE INDEX (contact_group_members_status)
        WHERE group_id = \(group) AND status = 'pending' AND contact_id > \(after)
        ORDER BY contact_id LIMIT \(limit)) s
      """)
    return try row?["last"] ?? nil
  }
}

extension GroupMember {
  fileprivate init(_ row: Row) throws {
    try self.init(
      contact: row["contact_id"], email: row["email"], name: row["name"], status: row["status"],
      addedAt: row["added_at"], confirmedAt: row["confirmed_at"], isBounced: row["is_bounced"],
      isUnsubscribed: row["is_unsubscribed"])
  }
}
