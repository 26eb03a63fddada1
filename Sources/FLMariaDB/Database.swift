import Logging

/// A database behind a pool of connections, for all threads of the process.
///
/// A statement run directly takes a connection for itself. A thread that holds one and asks for another may wait
/// for what it holds: inside of `connection` and `transaction` use what they pass.
public final class Database: Queries, Sendable {
  /// Where the database is, and the limits of its use.
  public struct Configuration: Sendable, CustomStringConvertible {
    /// The path of the server's Unix socket; nil connects to `host` and `port` by TCP.
    public var socket: String?
    /// The server's name or address.
    public var host: String
    /// The server's TCP port.
    public var port: Int
    /// The database user.
    public var user: String
    /// The user's password.
    public var password: String
    /// The database's name; empty for none.
    public var name: String
    /// The most connections at once, at least 1.
    public var poolSize: Int
    /// How long to wait for a connection of the pool.
    public var poolWait: Duration
    /// How long connecting may take, in whole seconds and at least one.
    public var connectTimeout: Duration
    /// How long a statement may run, and how long conflicts are retried.
    public var queryTimeout: Duration

    /// A configuration; every limit has a default.
    public init(
      socket: String? = nil, host: String = "localhost", port: Int = 3306, user: String = "root",
      password: String = "", name: String, poolSize: Int = 8, poolWait: Duration = .seconds(5),
      connectTimeout: Duration = .seconds(5), queryTimeout: Duration = .seconds(30)
    ) {
      self.socket = socket
      self.host = host
      self.port = port
      self.user = user
      self.password = password
      self.name = name
      self.poolSize = poolSize
      self.poolWait = poolWait
      self.connectTimeout = connectTimeout
      self.queryTimeout = queryTimeout
    }

    /// User, place and name; never the password.
    public var description: String { "\(user)@\(socket ?? "\(host):\(port)")/\(name)" }
  }

  /// Where the database is, and the limits of its use.
  public let configuration: Configuration
  let logger: Logger
  private let pool: Pool

  /// A pool for this database; nothing is connected before the first statement.
  public init(_ configuration: Configuration, logger: Logger) {
    self.configuration = configuration
    self.logger = logger
    pool = Pool(size: configuration.poolSize, patience: configuration.poolWait) {
      Connection(configuration, logger: logger)
    }
  }

  /// See `Queries.rows(_:)`.
  public func rows(_ sql: SQL) throws -> [Row] { try pool.lend { try $0.rows(sql) } }

  /// See `Queries.run(_:)`.
  @discardableResult
  public func run(_ sql: SQL) throws -> Int { try pool.lend { try $0.run(sql) } }

  /// Lends `body` a connection: for several statements that need no transaction. Throws what `body` throws, and
  /// `DatabaseError.exhausted`.
  @discardableResult
  public func connection<Result>(_ body: (Connection) throws -> Result) throws -> Result {
    try pool.lend(body)
  }

  /// Runs `body` in a transaction (READ COMMITTED), which is committed when it returns and rolled back when it
  /// throws.
  ///
  /// A transaction that lost a deadlock, waited too long for a lock or failed Galera's certification is rolled
  /// back and `body` run again, up to five times; so `body` must change nothing but the database. Throws what
  /// `body` throws; `DatabaseError.conflict` when the retries did not help; `unavailable` when the connection
  /// was lost, at which nothing is done unless it happened at COMMIT.
  @discardableResult
  public func transaction<Result>(_ body: (Connection) throws -> Result) throws -> Result {
    try pool.lend { try $0.transaction(body) }
  }
}
