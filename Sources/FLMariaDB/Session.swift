import CMariaDB
import FLValues
import Glibc

/// One session with the server, as it was opened, and the statements prepared in it.
@safe final class Session {
  /// So many statements stay prepared; the one used longest ago makes room.
  static let statementLimit = 256

  private let handle: UnsafeMutablePointer<MYSQL>
  private var statements: [String: Statement] = [:]
  private var uses = 0

  /// `mysql_library_init` must have happened before the first connection and is not safe for threads.
  private static let isLibraryReady: Bool = mysql_server_init(0, nil, nil) == 0

  /// Connects and sets the session up. Throws `ServerError`.
  init(_ configuration: Database.Configuration) throws {
    guard Self.isLibraryReady, let handle = unsafe mysql_init(nil) else {
      throw ServerError(code: 2008, state: "HY000", message: "out of memory", stage: .connect)
    }
    do {
      unsafe Self.setOptions(of: handle, configuration)
      let host: String? = configuration.socket == nil ? configuration.host : nil
      let connected = unsafe mysql_real_connect(
        handle, host, configuration.user, configuration.password,
        configuration.name.isEmpty ? nil : configuration.name, UInt32(clamping: configuration.port),
        configuration.socket, UInt(CLIENT_FOUND_ROWS))
      guard unsafe connected != nil else { throw unsafe ServerError(connection: handle, stage: .connect) }
      for statement in Self.settings(configuration) {
        guard unsafe mysql_real_query(handle, statement, UInt(statement.utf8.count)) == 0 else {
          throw unsafe ServerError(connection: handle, stage: .connect)
        }
      }
    } catch {
      unsafe mysql_close(handle)
      throw error
    }
    unsafe self.handle = handle
  }

  deinit {
    statements.removeAll()
    unsafe mysql_close(handle)
  }

  private static func setOptions(
    of handle: UnsafeMutablePointer<MYSQL>, _ configuration: Database.Configuration
  ) {
    func set(_ option: mysql_option, _ value: UInt32) {
      var value = value
      unsafe _ = mysql_options(handle, option, &value)
    }
    // The server ends a statement at `queryTimeout`; the socket's limit is for a server that is gone.
    let patience = UInt32(clamping: max(1, configuration.queryTimeout.components.seconds) + 5)
    set(MYSQL_OPT_CONNECT_TIMEOUT, UInt32(clamping: max(1, configuration.connectTimeout.components.seconds)))
    set(MYSQL_OPT_READ_TIMEOUT, patience)
    set(MYSQL_OPT_WRITE_TIMEOUT, patience)
    set(MYSQL_OPT_LOCAL_INFILE, 0)
    // A host named "localhost" would otherwise mean a socket at a place compiled in.
    if configuration.socket == nil { set(MYSQL_OPT_PROTOCOL, MYSQL_PROTOCOL_TCP.rawValue) }
    unsafe _ = mysql_options(handle, MYSQL_SET_CHARSET_NAME, "utf8mb4")
  }

  private static func settings(_ configuration: Database.Configuration) -> [String] {
    let seconds = Double(configuration.queryTimeout.wholeMicroseconds) / 1e6
    return [
      // Errors are told apart by their messages too, so these must be in English.
      """
      SET autocommit = 1, time_zone = '+00:00', lc_messages = 'en_US', innodb_lock_wait_timeout = 10, \
      max_statement_time = \(seconds), sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,\
      ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,ONLY_FULL_GROUP_BY'
      """,
      "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    ]
  }

  /// Whether the server has hung up on the idle session (or said something nobody asked for).
  var isStale: Bool {
    var state = pollfd(fd: unsafe mysql_get_socket(handle), events: Int16(POLLIN), revents: 0)
    return unsafe poll(&state, 1, 0) != 0
  }

  /// Whether a transaction is open.
  var isInTransaction: Bool { unsafe fl_is_in_transaction(handle) != 0 }

  var cachedStatements: Int { statements.count }

  /// The statement with this text, from the cache or prepared now. Throws `ServerError`.
  func statement(_ text: String) throws -> Statement {
    uses += 1
    if let known = statements[text] {
      known.lastUse = uses
      return known
    }
    if statements.count >= Self.statementLimit,
      let oldest = statements.min(by: { $0.value.lastUse < $1.value.lastUse })
    {
      statements[oldest.key] = nil
    }
    let fresh = unsafe try Statement(text, on: handle)
    fresh.lastUse = uses
    statements[text] = fresh
    return fresh
  }

  /// Gives up the prepared statement with this text.
  func forget(_ text: String) { statements[text] = nil }

  /// Gives up all prepared statements.
  func forgetAll() { statements.removeAll() }

  /// Runs one statement without preparing it and drops its rows. Throws `ServerError`.
  func query(_ text: [UInt8]) throws {
    let failed = unsafe text.withUnsafeBufferPointer { bytes in
      unsafe bytes.withMemoryRebound(to: CChar.self) {
        unsafe mysql_real_query(handle, $0.baseAddress, UInt($0.count)) != 0
      }
    }
    if failed { throw unsafe ServerError(connection: handle, stage: .execute) }
    if let rows = unsafe mysql_store_result(handle) { unsafe mysql_free_result(rows) }
  }
}
