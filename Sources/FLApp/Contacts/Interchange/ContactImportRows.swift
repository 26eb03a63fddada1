import FLHTTP
import FLMariaDB
import FLValues

/// Every SQL statement about an account's imports.
struct ContactImportRows {
  let account: AccountID
  let queries: any Queries

  private static let columns: SQL = """
    i.id, i.account_id, i.file_name, i.format, i.options, i.status, i.size, i.position, i.submitted, i.created,
    i.updated, i.skipped, i.failed, i.errors, i.failure, i.created_at, i.started_at, i.finished_at
    """

  func find(_ id: ContactImportID) throws -> ContactImport? {
    try queries.row(
      "SELECT \(Self.columns) FROM contact_imports i WHERE i.id = \(id) AND i.account_id = \(account)"
    ).map(ContactImport.init)
  }

  /// The same, and the row stays locked for the transaction.
  func lock(_ id: ContactImportID) throws -> ContactImport? {
    try queries.row(
      """
      SELECT \(Self.columns) FROM contact_imports i WHERE i.id = \(id) AND i.account_id = \(account) FOR UPDATE
      """
    ).map(ContactImport.init)
  }

  func count() throws -> Int {
    try queries.row("SELECT COUNT(*) AS n FROM contact_imports WHERE account_id = \(account)")?["n"] ?? 0
  }

  /// The newest first, those behind `cursor`.
  func list(behind cursor: Cursor?, limit: Int) throws -> [ContactImport] {
    var condition: SQL = "i.account_id = \(account)"
    if let cursor {
      let id: ContactImportID? = cursor.id()
      condition = "\(condition) AND i.id < \(id)"
    }
    return try queries.rows(
      "SELECT \(Self.columns) FROM contact_imports i WHERE \(condition) ORDER BY i.id DESC LIMIT \(limit)"
    ).map(ContactImport.init)
  }

  func insert(_ new: ContactImport, leasedUntil: Timestamp?) throws {
    try queries.run(
      """
      INSERT INTO contact_imports (id, account_id, file_name, format, options, status, size, position, errors,
        leased_until, created_at, started_at)
      VALUES (\(new.id), \(account), \(new.fileName), \(new.format), \(new.options), \(new.status), \(new.size),
        \(new.position), '[]', \(leasedUntil), \(new.createdAt), \(new.startedAt))
      """)
  }

  /// Notes how far an import is that is locked.
  func update(_ known: ContactImport, leasedUntil: Timestamp?) throws {
    let counts = known.counts
    try queries.run(
      """
      UPDATE contact_imports SET status = \(known.status), position = \(known.position),
        submitted = \(counts.submitted), created = \(counts.created), updated = \(counts.updated),
        skipped = \(counts.skipped), failed = \(counts.failed), errors = \(known.errorText),
        failure = \(known.failure), leased_until = \(leasedUntil), finished_at = \(known.finishedAt)
      WHERE id = \(known.id) AND account_id = \(account)
      """)
  }

  /// Ends an import that has not ended; false where it has.
  func cancel(_ id: ContactImportID, at now: Timestamp) throws -> Bool {
    try queries.run(
      """
      UPDATE contact_imports SET status = 'cancelled', finished_at = \(now), leased_until = NULL
      WHERE id = \(id) AND account_id = \(account) AND status IN ('queued', 'running')
      """) > 0
  }

  func hasGroup(_ id: ID<ContactMembership>) throws -> Bool {
    try queries.row("SELECT 1 AS found FROM contact_groups WHERE id = \(id) AND account_id = \(account)")
      != nil
  }

  /// Puts contacts into a group, as the group wants it: confirmed at once, or pending until they confirm.
  func addMembers(_ contacts: [ContactID], to group: ID<ContactMembership>, at now: Timestamp) throws {
    try contacts.inBatches { batch in
      try queries.run(
        """
        INSERT IGNORE INTO contact_group_members (group_id, contact_id, status, added_at)
        SELECT g.id, c.id, IF(g.require_double_opt_in, 'pending', 'confirmed'), \(now)
        FROM contact_groups g JOIN contacts c ON c.id IN (\(Array(batch))) AND c.account_id = g.account_id
        WHERE g.id = \(group) AND g.account_id = \(account)
        """)
    }
  }

  // MARK: Over all accounts

  /// Takes one of `ids` that waits, or whose process is dead, until `lease`; nil where there is none.
  static func claim(
    _ ids: [ContactImportID], on database: Database, at now: Timestamp, until lease: Timestamp
  )
    throws -> ContactImport?
  {
    try database.transaction { connection in
      guard
        let row = try connection.row(
          """
          SELECT \(columns) FROM contact_imports i WHERE i.id IN (\(ids))
            AND (i.status = 'queued' OR (i.status = 'running' AND i.leased_until < \(now)))
          ORDER BY i.id LIMIT 1 FOR UPDATE SKIP LOCKED
          """)
      else { return nil }
      var claimed = try ContactImport(row)
      claimed.status = .running
      claimed.startedAt = claimed.startedAt ?? now
      try connection.run(
        """
        UPDATE contact_imports SET status = 'running', leased_until = \(lease), started_at = \(claimed.startedAt)
        WHERE id = \(claimed.id)
        """)
      return claimed
    }
  }

  /// Those of `ids` that have not ended.
  static func open(among ids: [ContactImportID], in queries: any Queries) throws -> Set<ContactImportID> {
    let rows = try queries.rows(
      "SELECT id FROM contact_imports WHERE id IN (\(ids)) AND status IN ('queued', 'running')")
    return Set(try rows.map { try $0["id"] })
  }

  /// Ends imports on which nobody has worked for long: their file is on a host that is gone.
  static func giveUp(before: Timestamp, in queries: any Queries, at now: Timestamp) throws {
    try queries.run(
      """
      UPDATE contact_imports SET status = 'failed', finished_at = \(now),
        failure = 'The file could not be read any more. Please send it again.'
      WHERE status IN ('queued', 'running') AND created_at < \(before)
        AND (leased_until IS NULL OR leased_until < \(before))
      LIMIT 1000
      """)
  }
}

extension ContactImport {
  fileprivate init(_ row: Row) throws {
    let errors: String = try row["errors"]
    try self.init(
      id: row["id"], account: row["account_id"], fileName: row["file_name"], format: row["format"],
      options: row["options"], status: row["status"], size: row["size"], position: row["position"],
      counts: Counts(
        submitted: row["submitted"], created: row["created"], updated: row["updated"],
        skipped: row["skipped"],
        failed: row["failed"]),
      errors: Self.errors(errors), failure: row["failure"], createdAt: row["created_at"],
      startedAt: row["started_at"], finishedAt: row["finished_at"])
  }

  private static func errors(_ text: String) -> [Failure] {
    let list = (try? JSON(reading: Array(text.utf8)))?.array ?? []
    return list.map {
      Failure(
        index: Int($0["index"]?.integer ?? 0), email: $0["email"]?.string,
        problem: FieldProblem(
          $0["field"]?.string ?? "", $0["code"]?.string ?? "", $0["message"]?.string ?? ""))
    }
  }

  fileprivate var errorText: String {
    String(
      decoding: Shape<[Failure]>.list(of: Failure.shape, atMost: Self.mostErrors).bytes(errors), as: UTF8.self
    )
  }
}
