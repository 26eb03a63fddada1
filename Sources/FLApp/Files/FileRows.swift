import FLMariaDB
import FLValues

/// Every SQL statement about an account's files.
struct FileRows {
  let account: AccountID
  let queries: any Queries

  private static let columns: SQL =
    "f.id, f.name, f.content_type, f.size, f.sha256, f.version, f.created_at, f.updated_at"

  /// What a list is narrowed to.
  struct Filter {
    var search: String?
    /// A media type, or all of a kind: `image/*`.
    var contentType: String?
  }

  func find(_ id: FileID) throws -> StoredFile? {
    try queries.row("SELECT \(Self.columns) FROM files f WHERE f.id = \(id) AND f.account_id = \(account)")
      .map(StoredFile.init)
  }

  /// The same, and the row stays locked for the transaction.
  func lock(_ id: FileID) throws -> StoredFile? {
    try queries.row(
      "SELECT \(Self.columns) FROM files f WHERE f.id = \(id) AND f.account_id = \(account) FOR UPDATE"
    ).map(StoredFile.init)
  }

  func insert(_ file: StoredFile) throws {
    _ = try queries.run(
      """
      INSERT INTO files (id, account_id, name, content_type, size, sha256, created_at, updated_at)
      VALUES (\(file.id), \(account), \(file.name.text), \(file.contentType.text), \(file.size), \(file.sha256),
        \(file.createdAt), \(file.updatedAt))
      """)
  }

  func rename(_ id: FileID, to name: FileName, at now: Timestamp) throws {
    _ = try queries.run(
      """
      UPDATE files SET name = \(name.text), version = version + 1, updated_at = \(now)
      WHERE id = \(id) AND account_id = \(account)
      """)
  }

  func delete(_ id: FileID) throws {
    _ = try queries.run("DELETE FROM files WHERE id = \(id) AND account_id = \(account)")
  }

  // MARK: Storage

  /// What the account's files take together.
  func storage() throws -> (bytes: Int, files: Int) {
    let row = try queries.row("SELECT bytes, files FROM account_storage WHERE account_id = \(account)")
    return (try row?["bytes"] ?? 0, try row?["files"] ?? 0)
  }

  /// Takes room for one file; false, and nothing taken, where less is left of `limit`.
  ///
  /// In the transaction that makes the row, so that what fails gives back what it took.
  func takeStorage(_ bytes: Int, limit: Int?) throws -> Bool {
    // Not INSERT IGNORE: see PlanRows.take.
    _ = try queries.run(
      "INSERT INTO account_storage (account_id) VALUES (\(account)) ON DUPLICATE KEY UPDATE bytes = bytes")
    return try queries.run(
      """
      UPDATE account_storage SET bytes = bytes + \(bytes), files = files + 1
      WHERE account_id = \(account) AND (\(limit) IS NULL OR bytes + \(bytes) <= \(limit))
      """) == 1
  }

  /// Gives the room of one file back.
  func giveBackStorage(_ bytes: Int) throws {
    _ = try queries.run(
      "UPDATE account_storage SET bytes = bytes - \(bytes), files = files - 1 WHERE account_id = \(account)")
  }

  // MARK: Lists

  func count(_ filter: Filter) throws -> Int {
    try queries.row("SELECT COUNT(*) AS n FROM files f WHERE \(condition(filter))")?["n"] ?? 0
  }

  /// Files in `order`, those behind `cursor`.
  func list(_ filter: Filter, _ order: FileOrder, behind cursor: Cursor?, limit: Int) throws -> [StoredFile] {
    try queries.rows(
      """
      SELECT \(Self.columns) FROM files f WHERE \(condition(filter)) AND \(order.condition(behind: cursor))
      ORDER BY \(order.columns) LIMIT \(limit)
      """
    ).map(StoredFile.init)
  }

  private func condition(_ filter: Filter) -> SQL {
    var conditions: [SQL] = ["f.account_id = \(account)"]
    if let search = filter.search { conditions.append("f.name LIKE \("%" + search.escapedForLike + "%")") }
    if let type = filter.contentType {
      if type.hasSuffix("/*") {
        conditions.append("f.content_type LIKE \(String(type.dropLast()).escapedForLike + "%")")
      } else {
        conditions.append("f.content_type = \(type)")
      }
    }
    return conditions.joined(by: " AND ")
  }

  // MARK: All accounts

  /// Those of `ids` that have a row.
  static func known(among ids: [FileID], in queries: any Queries) throws -> Set<FileID> {
    Set(try queries.rows("SELECT id FROM files WHERE id IN (\(ids))").map { try $0["id"] })
  }

  /// The ids and sizes of the files that were made last.
  static func last(_ count: Int, in queries: any Queries) throws -> [(id: FileID, size: Int)] {
    try queries.rows("SELECT id, size FROM files ORDER BY id DESC LIMIT \(count)").map {
      (try $0["id"], try $0["size"])
    }
  }
}

extension StoredFile {
  init(_ row: Row) throws {
    try self.init(
      id: row["id"], name: FileName(row["name"]), contentType: ContentType(stored: row["content_type"]),
      size: row["size"], sha256: row["sha256"], version: row["version"], createdAt: row["created_at"],
      updatedAt: row["updated_at"])
  }
}

/// The orders in which files are listed; `-` is downwards.
enum FileOrder: String, Sendable, CaseIterable {
  case newest = "-createdAt"
  case oldest = "createdAt"
  case name = "name"
  case largest = "-size"

  /// What stands in a cursor for a file.
  func value(of file: StoredFile) -> String {
    switch self {
    case .newest, .oldest: ""
    case .name: file.name.text
    case .largest: String(file.size)
    }
  }

  /// Whether a cursor can have come from this order; the database need not be asked with another.
  func accepts(_ cursor: Cursor) -> Bool {
    guard cursor.order == rawValue else { return false }
    switch self {
    case .newest, .oldest: return cursor.value.isEmpty
    case .name: return !cursor.value.isEmpty
    case .largest: return Int(cursor.value) != nil
    }
  }

  fileprivate var columns: SQL {
    switch self {
    case .newest: "f.id DESC"
    case .oldest: "f.id"
    case .name: "f.name, f.id"
    case .largest: "f.size DESC, f.id DESC"
    }
  }

  fileprivate func condition(behind cursor: Cursor?) -> SQL {
    guard let cursor, let id: FileID = cursor.id() else { return "TRUE" }
    switch self {
    case .newest: return "f.id < \(id)"
    case .oldest: return "f.id > \(id)"
    case .name: return "(f.name > \(cursor.value) OR (f.name = \(cursor.value) AND f.id > \(id)))"
    case .largest:
      let size = Int(cursor.value) ?? 0
      return "(f.size < \(size) OR (f.size = \(size) AND f.id < \(id)))"
    }
  }
}
