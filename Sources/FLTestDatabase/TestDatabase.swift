import FLMariaDB
import Foundation
import Logging

/// Databases for tests, each empty and for whoever asked alone, on one server for the whole test process.
///
/// The server is a private one, started at the first use; where the environment names a socket in
/// `FL_TEST_DB_SOCKET`, it is the server there (user `root`, no password).
public enum TestDatabase {
  private static let started = Result { () throws -> TestServer in
    if let socket = ProcessInfo.processInfo.environment["FL_TEST_DB_SOCKET"], !socket.isEmpty {
      return TestServer(runningAt: socket)
    }
    return try TestServer()
  }

  /// The server that all tests share, so not to be stopped.
  public static var server: TestServer {
    get throws { try started.get() }
  }

  /// Creates a database on the shared server and answers the way to it.
  public static func fresh() throws -> Database.Configuration { try fresh(on: server) }

  /// Creates a database on this server and answers the way to it.
  public static func fresh(on server: TestServer) throws -> Database.Configuration {
    var configuration = Database.Configuration(socket: server.socket, user: "root", name: "")
    let maker = Database(configuration, logger: Logger(label: "test"))
    configuration.name = "fl_test_\(UInt64.random(in: 0...UInt64.max))"
    guard let name = SQL(name: configuration.name) else { return configuration }
    try maker.run("CREATE DATABASE \(name) CHARACTER SET utf8mb4")
    return configuration
  }
}
