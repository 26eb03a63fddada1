import CMariaDB

/// A prepared statement of one session, with the buffers that its parameters and rows go through.
@safe final class Statement {
  private let handle: UnsafeMutablePointer<MYSQL_STMT>
  private let connection: UnsafeMutablePointer<MYSQL>
  private let parameters: ParameterBuffers
  private let parameterCount: Int
  private var results: ResultBuffers?
  /// When it was last used, in executions of its session: the cache gives up the smallest.
  var lastUse = 0

  /// Prepares `text`. Throws `ServerError`.
  init(_ text: String, on connection: UnsafeMutablePointer<MYSQL>) throws {
    guard let handle = unsafe mysql_stmt_init(connection) else {
      throw ServerError(code: 2008, state: "HY000", message: "out of memory", stage: .prepare)
    }
    var text = text
    let failed = text.withUTF8 { bytes in
      unsafe bytes.withMemoryRebound(to: CChar.self) {
        unsafe mysql_stmt_prepare(handle, $0.baseAddress, UInt($0.count)) != 0
      }
    }
    if failed {
      let error = unsafe ServerError(statement: handle, connection: connection, stage: .prepare)
      unsafe mysql_stmt_close(handle)
      throw error
    }
    unsafe self.handle = handle
    unsafe self.connection = connection
    parameterCount = unsafe Int(mysql_stmt_param_count(handle))
    parameters = ParameterBuffers(count: parameterCount)
  }

  deinit { unsafe mysql_stmt_close(handle) }

  /// Runs it and answers all rows. Throws `ServerError`, or `DatabaseError.conversion`.
  func rows(_ values: [SQLValue]) throws -> [Row] {
    try execute(values)
    var rows: [Row] = []
    // Whatever stops the reading, the rest of the answer is read away before the next statement.
    defer { finish() }
    guard let results = bindResults() else { return rows }
    while true {
      switch unsafe mysql_stmt_fetch(handle) {
      case 0, MYSQL_DATA_TRUNCATED: rows.append(unsafe try results.row(of: handle))
      case MYSQL_NO_DATA: return rows
      default: throw failure(.fetch)
      }
    }
  }

  /// Runs it and answers how many rows it matched; 0 for one that answers rows. Throws `ServerError`.
  func run(_ values: [SQLValue]) throws -> Int {
    try execute(values)
    defer { finish() }
    let count = unsafe mysql_stmt_affected_rows(handle)
    return Int(exactly: count) ?? 0
  }

  private func execute(_ values: [SQLValue]) throws {
    guard values.count == parameterCount else {
      throw DatabaseError.failed(
        code: 0, state: "", message: "\(values.count) values for \(parameterCount) parameters")
    }
    unsafe try parameters.bind(values, to: handle)
    defer { parameters.shrink() }
    guard unsafe mysql_stmt_execute(handle) == 0 else { throw failure(.execute) }
  }

  /// The buffers for the rows of this execution; nil when it has none.
  private func bindResults() -> ResultBuffers? {
    let count = unsafe Int(mysql_stmt_field_count(handle))
    guard count > 0, let start = unsafe mariadb_stmt_fetch_fields(handle) else { return nil }
    let fields = unsafe UnsafeBufferPointer(start: start, count: count)
    if let results, unsafe results.fits(fields) { return results }
    let fresh = unsafe ResultBuffers(fields: fields)
    unsafe fresh.bind(to: handle)
    results = fresh
    return fresh
  }

  /// Leaves the connection ready for the next statement: what was not read, and further results, are dropped.
  private func finish() {
    unsafe mysql_stmt_free_result(handle)
    while unsafe mysql_stmt_more_results(handle) != 0, unsafe mysql_stmt_next_result(handle) == 0 {
      unsafe mysql_stmt_free_result(handle)
      // The buffers were laid out for the first result.
      results = nil
    }
  }

  private func failure(_ stage: ServerError.Stage) -> ServerError {
    unsafe ServerError(statement: handle, connection: connection, stage: stage)
  }
}

extension ServerError {
  /// What the statement failed with.
  init(
    statement: UnsafeMutablePointer<MYSQL_STMT>, connection: UnsafeMutablePointer<MYSQL>, stage: Stage
  ) {
    // When the connection breaks, the library marks its statements as lost (2013) without regard to whether
    // anything was sent; the connection itself knows (2006). And an error that comes in the place of a row is
    // told to the connection alone.
    if unsafe mysql_errno(connection) == 2006 || mysql_stmt_errno(statement) == 0 {
      unsafe self.init(connection: connection, stage: stage)
      return
    }
    unsafe self.init(
      code: Int(mysql_stmt_errno(statement)), state: String(cString: mysql_stmt_sqlstate(statement)),
      message: String(cString: mysql_stmt_error(statement)), stage: stage)
  }

  /// What the last call on the connection failed with.
  init(connection: UnsafeMutablePointer<MYSQL>, stage: Stage) {
    unsafe self.init(
      code: Int(mysql_errno(connection)), state: String(cString: mysql_sqlstate(connection)),
      message: String(cString: mysql_error(connection)), stage: stage)
  }
}
