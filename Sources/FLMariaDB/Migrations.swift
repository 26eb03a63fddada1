import FLValues
import FoundationEssentials

/// Why the migrations cannot be applied; `description` says which file it is about.
public struct MigrationError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What is wrong, for an operator.
  public let description: String
}

/// The steps to the present schema: the files `NNNN_name.sql` of a directory, numbered from 1 without a gap.
///
/// Each holds one statement, run as it stands; `--` comments and a semicolon at the end are fine. What was
/// applied is in the table `schema_migrations`, with a SHA-256 of the file: an applied file may not be edited.
/// A statement that changes the schema cannot be in one transaction with its row in that table, so each file
/// must do no harm when it is run again (`CREATE TABLE IF NOT EXISTS`, `ADD COLUMN IF NOT EXISTS`); one that
/// changes rows is in one transaction with it.
public struct Migrations: Sendable {
  private struct File: Sendable {
    var version: Int
    var name: String
    var content: [UInt8]
  }

  private static let table: SQL = """
    CREATE TABLE IF NOT EXISTS schema_migrations (
      version INT NOT NULL PRIMARY KEY,
      name VARCHAR(255) NOT NULL,
      sha256 BINARY(32) NOT NULL,
      applied_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6)
    ) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COMMENT = 'One row a migration that was applied.'
    """

  private let files: Result<[File], MigrationError>

  /// Reads the directory. What is wrong with it is thrown by `apply`.
  public init(directory: String) {
    files = Result { () throws(MigrationError) in try Self.read(directory) }
  }

  /// The version that the files lead to; 0 when there are none or the directory cannot be used.
  public var latest: Int { (try? files.get().last?.version) ?? 0 }

  /// The version that the database has come to; 0 for an empty one. Throws `DatabaseError`.
  public func applied(in queries: some Queries) throws -> Int {
    do {
      let row = try queries.row("SELECT COALESCE(MAX(version), 0) AS version FROM schema_migrations")
      return try row?["version"] ?? 0
    } catch DatabaseError.failed(1146, _, _) {
      return 0
    }
  }

  /// Applies what is not applied yet, in order, and answers the names of those files.
  ///
  /// Of several processes that come at once one applies and the others wait for it, up to 10 minutes. Throws
  /// `MigrationError` for files that do not fit the database or are refused by it, `DatabaseError` otherwise.
  @discardableResult
  public func apply(to database: Database) throws -> [String] {
    let files = try files.get()
    // A session of its own: the lock belongs to it, and altering a large table takes its time.
    var configuration = database.configuration
    configuration.queryTimeout = .seconds(3600)
    let connection = Connection(configuration, logger: database.logger, mayReconnect: false)
    try lock(connection, database)
    let pending = try pending(files, connection)
    for file in pending {
      try run(file, connection)
      database.logger.info("migration applied", metadata: ["file": "\(file.name)"])
    }
    return pending.map(\.name)
  }

  /// Takes the lock of this database; it ends with the connection.
  private func lock(_ connection: Connection, _ database: Database) throws {
    do {
      let row = try connection.row("SELECT GET_LOCK(CONCAT('migrations ', MD5(DATABASE())), 600) AS taken")
      guard try row?["taken"] == 1 else {
        throw MigrationError(description: "another process has been migrating this database for 10 minutes")
      }
    } catch DatabaseError.failed(1235, _, _) {
      // A Galera cluster has no such locks. Running a file twice does no harm, so this is no danger.
      database.logger.notice("the database has no GET_LOCK; let one process migrate at a time")
    }
  }

  /// The files that are not applied, after a check of those that are.
  private func pending(_ files: [File], _ connection: Connection) throws -> [File] {
    try connection.run(Self.table)
    let version = try applied(in: connection)
    if version > (files.last?.version ?? 0) {
      throw MigrationError(
        description: "this program is older than its database: it knows the schema up to version "
          + "\(files.last?.version ?? 0), the database is at \(version)")
    }
    let rows = try connection.rows("SELECT version, sha256 FROM schema_migrations")
    var applied: [Int: [UInt8]] = [:]
    for row in rows { applied[try row["version"]] = try row["sha256"] }
    for file in files {
      guard let digest = applied[file.version] else { continue }
      let row = try connection.row("SELECT UNHEX(SHA2(\(file.content), 256)) = \(digest) AS same")
      guard try row?["same"] == true else {
        throw MigrationError(
          description: "\(file.name) was changed after it had been applied: restore it, and put the change "
            + "into a new file")
      }
    }
    return files.filter { applied[$0.version] == nil }
  }

  private func run(_ file: File, _ connection: Connection) throws {
    do {
      try connection.transaction { connection in
        try connection.query(file.content)
        try connection.run(
          """
          INSERT INTO schema_migrations (version, name, sha256)
          VALUES (\(file.version), \(file.name), UNHEX(SHA2(\(file.content), 256)))
          """)
      }
    } catch DatabaseError.unavailable(let reason) {
      throw DatabaseError.unavailable(reason)
    } catch {
      throw MigrationError(description: "\(file.name): \(error)")
    }
  }

  private static func read(_ directory: String) throws(MigrationError) -> [File] {
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: directory)
    } catch {
      throw MigrationError(description: "the directory of the migrations, \(directory), cannot be read")
    }
    var files: [File] = []
    for name in names.sorted() where name.hasSuffix(".sql") {
      let digits = name.utf8.prefix { (48...57).contains($0) }
      guard digits.count == 4, let version = Int(String(decoding: digits, as: UTF8.self)),
        name.utf8.dropFirst(4).first == UInt8(ascii: "_")
      else { throw MigrationError(description: "\(name) is not named NNNN_name.sql") }
      if let last = files.last, last.version == version {
        throw MigrationError(description: "\(last.name) and \(name) have the same number")
      }
      guard version == files.count + 1 else {
        throw MigrationError(description: "number \(files.count + 1) is missing before \(name)")
      }
      guard let content = FileManager.default.contents(atPath: directory + "/" + name) else {
        throw MigrationError(description: "\(name) cannot be read")
      }
      files.append(File(version: version, name: name, content: Array(content)))
    }
    return files
  }
}
