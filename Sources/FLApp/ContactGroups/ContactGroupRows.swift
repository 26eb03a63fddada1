import FLMariaDB
import FLValues

/// Every SQL statement about an account's groups as such.
struct ContactGroupRows {
  let account: AccountID
  let queries: any Queries

  private static let columns: SQL = """
    g.id, g.name, g.description, g.require_double_opt_in, g.is_public, g.version, g.created_at, g.updated_at,
    (SELECT COUNT(*) FROM contact_group_members m WHERE m.group_id = g.id) AS members,
    (SELECT COUNT(*) FROM contact_group_members m WHERE m.group_id = g.id AND m.status = 'pending') AS pending
    """

  func find(_ id: ContactGroupID) throws -> ContactGroup? {
    try queries.row(
      "SELECT \(Self.columns) FROM contact_groups g WHERE g.id = \(id) AND g.account_id = \(account)"
    ).map(ContactGroup.init)
  }

  /// Locks a group for a change of itself; false where there is none.
  func lock(_ id: ContactGroupID) throws -> Bool {
    try queries.row(
      "SELECT id FROM contact_groups WHERE id = \(id) AND account_id = \(account) FOR UPDATE") != nil
  }

  /// What adding members has to know of a group; it stays as it is for the transaction, and others may add as well.
  func hold(_ id: ContactGroupID) throws -> (name: String, requiresDoubleOptIn: Bool)? {
    try queries.row(
      """
      SELECT name, require_double_opt_in FROM contact_groups WHERE id = \(id) AND account_id = \(account)
      LOCK IN SHARE MODE
      """
    ).map { try ($0["name"], $0["require_double_opt_in"]) }
  }

  func exists(_ id: ContactGroupID) throws -> Bool {
    try queries.row("SELECT 1 AS found FROM contact_groups WHERE id = \(id) AND account_id = \(account)")
      != nil
  }

  func count(search: String?) throws -> Int {
    try queries.row("SELECT COUNT(*) AS n FROM contact_groups g WHERE \(condition(search))")?["n"] ?? 0
  }

  /// Groups in `order`, those behind `cursor`.
  func list(search: String?, _ order: ContactGroupOrder, behind cursor: Cursor?, limit: Int) throws
    -> [ContactGroup]
  {
    var conditions = [condition(search)]
    if let cursor {
      let id: ContactGroupID? = cursor.id()
      conditions.append(order == .name ? "g.name > \(cursor.value)" : "g.id < \(id)")
    }
    let columns: SQL = order == .name ? "g.name" : "g.id DESC"
    return try queries.rows(
      """
      SELECT \(Self.columns) FROM contact_groups g WHERE \(conditions.joined(by: " AND "))
      ORDER BY \(columns) LIMIT \(limit)
      """
    ).map(ContactGroup.init)
  }

  private func condition(_ search: String?) -> SQL {
    guard let search else { return "g.account_id = \(account)" }
    return "g.account_id = \(account) AND g.name LIKE \("%" + search.escapedForLike + "%")"
  }

  func insert(_ group: ContactGroup) throws {
    _ = try queries.run(
      """
      INSERT INTO contact_groups (id, account_id, name, description, require_double_opt_in, is_public, created_at,
        updated_at)
      VALUES (\(group.id), \(account), \(group.name), \(group.description), \(group.requiresDoubleOptIn),
        \(group.isPublic), \(group.createdAt), \(group.updatedAt))
      """)
  }

  func update(_ group: ContactGroup, at now: Timestamp) throws {
    _ = try queries.run(
      """
      UPDATE contact_groups SET name = \(group.name), description = \(group.description),
        require_double_opt_in = \(group.requiresDoubleOptIn), is_public = \(group.isPublic),
        version = version + 1, updated_at = \(now)
      WHERE id = \(group.id) AND account_id = \(account)
      """)
  }

  func delete(_ id: ContactGroupID) throws {
    _ = try queries.run("DELETE FROM contact_groups WHERE id = \(id) AND account_id = \(account)")
  }

  // MARK: Deleted groups, which belong to nobody

  /// Takes a group from the account: no statement that names the account finds it any more, and its name is free.
  func disown(_ id: ContactGroupID) throws {
    _ = try queries.run(
      "UPDATE contact_groups SET account_id = NULL WHERE id = \(id) AND account_id = \(account)")
  }

  /// Groups that were taken from their accounts.
  static func disowned(limit: Int, on queries: any Queries) throws -> [ContactGroupID] {
    try queries.rows("SELECT id FROM contact_groups WHERE account_id IS NULL LIMIT \(limit)").map {
      try $0["id"]
    }
  }

  static func deleteDisowned(_ id: ContactGroupID, on queries: any Queries) throws {
    _ = try queries.run("DELETE FROM contact_groups WHERE id = \(id) AND account_id IS NULL")
  }
}

extension ContactGroup {
  init(_ row: Row) throws {
    try self.init(
      id: row["id"], name: row["name"], description: row["description"],
      requiresDoubleOptIn: row["require_double_opt_in"], isPublic: row["is_public"], members: row["members"],
      pending: row["pending"], version: row["version"], createdAt: row["created_at"],
      updatedAt: row["updated_at"])
  }
}
