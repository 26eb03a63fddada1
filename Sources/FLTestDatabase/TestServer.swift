import FLMariaDB
import Foundation
import Synchronization

/// A MariaDB server for tests: in a temporary directory, on a Unix socket of its own, ended with the process.
public final class TestServer: Sendable {
  /// Why there is no server.
  public struct Failure: Error, CustomStringConvertible {
    /// What went wrong, with the server's last words.
    public let description: String
  }

  /// The path of the Unix socket; user `root` needs no password.
  public let socket: String

  /// Nil for a server that somebody else runs.
  private let directory: String?
  private let process = Mutex<Process?>(nil)

  /// A private server, started.
  public init() throws {
    let directory = "/tmp/fl-db-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
    self.directory = directory
    socket = directory + "/socket"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
    Self.endWithProcess(directory)
    let install = Process()
    install.executableURL = URL(fileURLWithPath: "/usr/bin/mariadb-install-db")
    install.arguments = [
      "--no-defaults", "--user=\(NSUserName())", "--datadir=\(directory)/data", "--skip-test-db",
      "--auth-root-authentication-method=normal",
    ]
    install.standardOutput = FileHandle(forWritingAtPath: "/dev/null")
    install.standardError = FileHandle(forWritingAtPath: "/dev/null")
    try install.run()
    install.waitUntilExit()
    guard install.terminationStatus == 0 else {
      throw Failure(description: "mariadb-install-db ended with \(install.terminationStatus)")
    }
    try start()
  }

  /// A server that runs already.
  init(runningAt socket: String) {
    self.socket = socket
    directory = nil
  }

  deinit {
    stop()
    if let directory { try? FileManager.default.removeItem(atPath: directory) }
  }

  /// Starts the server and waits until it answers; nothing when it runs. Its data are those it had.
  public func start() throws {
    guard let directory else { return }
    try process.withLock { process in
      guard process == nil else { return }
      let server = Process()
      server.executableURL = URL(fileURLWithPath: "/usr/sbin/mariadbd")
      server.arguments = [
        "--no-defaults", "--user=\(NSUserName())", "--datadir=\(directory)/data", "--socket=\(socket)",
        "--pid-file=\(directory)/pid", "--log-error=\(directory)/log", "--skip-networking",
        "--skip-grant-tables", "--skip-log-bin", "--innodb-buffer-pool-size=32M",
        "--innodb-log-file-size=64M", "--innodb-flush-log-at-trx-commit=0", "--innodb-fast-shutdown=2",
        "--max-allowed-packet=128M", "--max-connections=2000", "--character-set-server=utf8mb4",
      ]
      server.standardOutput = FileHandle(forWritingAtPath: "/dev/null")
      server.standardError = FileHandle(forWritingAtPath: "/dev/null")
      try server.run()
      Self.running.withLock { _ = $0.processes.insert(server.processIdentifier) }
      process = server
      let database = Database(
        .init(socket: socket, name: "", connectTimeout: .seconds(1)), logger: .init(label: "test"))
      for _ in 0..<600 where server.isRunning {
        if (try? database.rows("SELECT 1")) != nil { return }
        usleep(50_000)
      }
      let log = (try? String(contentsOfFile: directory + "/log", encoding: .utf8)) ?? ""
      throw Failure(description: "mariadbd does not answer: \(log.suffix(2000))")
    }
  }

  /// Ends the server and waits until it has ended: as it wishes, or at once by `SIGKILL` when `hard`.
  public func stop(hard: Bool = false) {
    process.withLock { process in
      guard let server = process else { return }
      kill(server.processIdentifier, hard ? SIGKILL : SIGTERM)
      server.waitUntilExit()
      Self.running.withLock { _ = $0.processes.remove(server.processIdentifier) }
      process = nil
    }
  }

  // MARK: - What is left when the process ends

  private struct Running {
    var processes: Set<Int32> = []
    var directories: Set<String> = []
  }

  private static let running = Mutex(Running())

  private static let cleaner: Void = {
    atexit {
      TestServer.running.withLock { running in
        for process in running.processes { kill(process, SIGKILL) }
        for directory in running.directories { try? FileManager.default.removeItem(atPath: directory) }
      }
    }
  }()

  private static func endWithProcess(_ directory: String) {
    running.withLock { _ = $0.directories.insert(directory) }
    _ = cleaner
  }
}
