import FLValues
import Glibc
import Logging

/// A connection of the pool, which belongs to one thread for as long as it is lent.
///
/// Outside of a transaction it reconnects and runs a statement once more if the connection was lost: a read
/// always, a write where it surely did not run. So nothing may be left in the session (locks, variables) from
/// one statement to the next. Inside of a transaction the first failure that ended the transaction is thrown by
/// every statement after it.
public final class Connection: Queries {
  /// How often what lost a conflict is run again.
  static let conflictRetries = 5

  private let configuration: Database.Configuration
  private let logger: Logger
  /// Off for who needs the session to stay the same, as a migration does for its lock.
  private let mayReconnect: Bool
  private(set) var session: Session?
  /// How often the connection was lost.
  private(set) var losses = 0
  private var isInTransaction = false
  /// What ended the transaction, whether the body took notice or not.
  private var failure: DatabaseError?

  init(_ configuration: Database.Configuration, logger: Logger, mayReconnect: Bool = true) {
    self.configuration = configuration
    self.logger = logger
    self.mayReconnect = mayReconnect
  }

  /// See `Queries.rows(_:)`.
  public func rows(_ sql: SQL) throws -> [Row] {
    try perform(sql.text) { try $0.statement(sql.text).rows(sql.values) }
  }

  /// See `Queries.run(_:)`.
  @discardableResult
  public func run(_ sql: SQL) throws -> Int {
    try perform(sql.text) { try $0.statement(sql.text).run(sql.values) }
  }

  /// Runs one statement without preparing it, for what cannot be prepared. Throws `DatabaseError`.
  func query(_ text: [UInt8]) throws {
    do {
      try open().query(text)
    } catch let error as ServerError {
      if error.kind == .lost { drop(error) }
      throw error.translated
    }
  }

  /// Throws the session away if the server has hung up on it meanwhile.
  func checkIdle() {
    guard let session, session.isStale else { return }
    logger.debug("an idle database connection had been closed by the server")
    losses += 1
    self.session = nil
  }

  /// Makes it fit to be lent again: an open transaction (of a body that began one by hand) is not passed on.
  func tidy() {
    guard let session, session.isInTransaction else { return }
    logger.error("a database connection was given back with a transaction open")
    self.session = nil
  }

  // MARK: - Statements

  private func open() throws -> Session {
    if let session { return session }
    // Of a session that is to stay the same, losing it is the end.
    if !mayReconnect, losses > 0 {
      throw ServerError(code: 2006, state: "HY000", message: "the connection was lost", stage: .connect)
    }
    let fresh = try Session(configuration)
    session = fresh
    return fresh
  }

  private func drop(_ error: ServerError) {
    logger.warning("database connection lost", metadata: ["code": "\(error.code)"])
    losses += 1
    session = nil
  }

  private func perform<Result>(_ text: String, _ work: (Session) throws -> Result) throws -> Result {
    if let failure { throw failure }
    let deadline = ContinuousClock.now + configuration.queryTimeout
    var hasReconnected = false
    var hasPrepared = false
    var conflicts = 0
    while true {
      do {
        return try work(open())
      } catch let error as ServerError {
        let isRepeatable = error.surelyDidNotRun || text.isRead
        switch error.kind {
        case .staleStatement where !hasPrepared && (isRepeatable || error.code != 2057),
          .statementLimit where !hasPrepared:
          // 2057 is told after the statement ran; the others before.
          hasPrepared = true
          if error.kind == .statementLimit { session?.forgetAll() } else { session?.forget(text) }
        case .lost, .notReady:
          drop(error)
          if isInTransaction { failure = error.translated }
          guard !isInTransaction, mayReconnect, !hasReconnected, isRepeatable, error.stage != .connect,
            ContinuousClock.now < deadline
          else { throw error.translated }
          hasReconnected = true
        case .conflict:
          if isInTransaction { failure = .conflict }
          guard !isInTransaction, conflicts < Self.conflictRetries, ContinuousClock.now < deadline else {
            throw DatabaseError.conflict
          }
          backOff(conflicts)
          conflicts += 1
        case .staleStatement, .statementLimit, .timeout, .other:
          throw error.translated
        }
      }
    }
  }

  /// Waits for a random time, up to 10 ms at first and twice as long each time, so that those who met once do
  /// not meet again.
  private func backOff(_ round: Int) {
    logger.debug("database conflict, trying again", metadata: ["round": "\(round + 1)"])
    usleep(UInt32.random(in: 500...10_000 << UInt32(round)))
  }

  // MARK: - Transactions

  /// Runs `body` between `START TRANSACTION` and `COMMIT`; see `Database.transaction`.
  func transaction<Result>(_ body: (Connection) throws -> Result) throws -> Result {
    guard !isInTransaction else {
      throw DatabaseError.failed(code: 0, state: "", message: "transactions do not nest")
    }
    let deadline = ContinuousClock.now + configuration.queryTimeout
    var conflicts = 0
    while true {
      try begin()
      isInTransaction = true
      defer {
        isInTransaction = false
        failure = nil
      }
      do {
        let result = try body(self)
        if let failure { throw failure }
        try commit()
        return result
      } catch {
        let reason = failure ?? error
        rollBack()
        guard case DatabaseError.conflict? = failure, conflicts < Self.conflictRetries,
          ContinuousClock.now < deadline
        else { throw reason }
        backOff(conflicts)
        conflicts += 1
      }
    }
  }

  private func begin() throws {
    var hasReconnected = false
    while true {
      do {
        return try open().query(Array("START TRANSACTION".utf8))
      } catch let error as ServerError {
        guard error.kind == .lost || error.kind == .notReady else { throw error.translated }
        drop(error)
        // Nothing was done yet, so once more does no harm.
        guard mayReconnect, !hasReconnected, error.stage != .connect else { throw error.translated }
        hasReconnected = true
      }
    }
  }

  private func commit() throws {
    guard let session else { throw DatabaseError.unavailable("the connection was lost") }
    do {
      try session.query(Array("COMMIT".utf8))
    } catch let error as ServerError {
      switch error.kind {
      case .lost, .notReady:
        drop(error)
        failure = .unavailable("the connection was lost at COMMIT, which may have happened or not")
      case .conflict: failure = .conflict
      default: failure = error.translated
      }
      throw failure ?? error.translated
    }
  }

  private func rollBack() {
    guard let session else { return }
    do {
      try session.query(Array("ROLLBACK".utf8))
    } catch {
      // The server rolls back what the connection leaves.
      self.session = nil
    }
  }
}

extension String {
  /// Whether the statement only reads, by its first word.
  fileprivate var isRead: Bool {
    let word = utf8.drop { $0 == 32 || $0 == 10 || $0 == 13 || $0 == 9 || $0 == 40 }
      .prefix { $0 | 0x20 >= 97 && $0 | 0x20 <= 122 }
    return ["select", "show", "explain", "describe", "with"].contains(
      String(decoding: word, as: UTF8.self).lowercased())
  }
}
