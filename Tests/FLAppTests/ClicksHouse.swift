import FLMariaDB
import FLTestDatabase
import FLValues
import Foundation
import Logging
import Synchronization
import Testing

@testable import FLApp

/// A database with the clicks' tables, and a spool directory, for one test.
final class ClicksHouse: Sendable {
  let configuration: Database.Configuration
  let database: Database
  let directory: String
  let logger: Logger
  let log = TestLog()
  let account = AccountID(at: .now)

  init(on server: TestServer? = nil) throws {
    configuration = try server.map { try TestDatabase.fresh(on: $0) } ?? TestDatabase.fresh()
    directory = House.directory + "/clicks-\(UInt64.random(in: 0...UInt64.max))"
    let log = log
    logger = Logger(label: "clicks") { _ in log }
    database = Database(configuration, logger: logger)
    let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("sql").path
    // The clicks' own migrations, numbered from 1: the tables of others are not needed here.
    let migrations = directory + "-sql"
    try FileManager.default.createDirectory(atPath: migrations, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: migrations) }
    let names = try FileManager.default.contentsOfDirectory(atPath: sources).filter { $0.contains("click") }
    for (index, name) in names.sorted().enumerated() {
      try FileManager.default.copyItem(
        atPath: "\(sources)/\(name)", toPath: "\(migrations)/000\(index + 1)\(name.dropFirst(4))")
    }
    try Migrations(directory: migrations).apply(to: database)
  }

  deinit { try? FileManager.default.removeItem(atPath: directory) }

  func link() -> LinkID { ID(at: .now) }

  func spool(rotateAfter: Int = 16 << 20) throws -> ClickSpool {
    try ClickSpool(directory: directory, rotateAfter: rotateAfter, logger: logger)
  }

  func loader(
    batch: Int = 2000, spool: ClickSpool? = nil, placing: Duration = .seconds(5),
    locate: ClickLoader.Locate? = nil
  ) -> ClickLoader {
    var pace = ClickLoader.Pace()
    pace.batch = batch
    pace.placing = placing
    pace.idle = .milliseconds(10)
    pace.leastRest = .zero
    pace.restFactor = 0
    pace.lookAround = .milliseconds(10)
    return ClickLoader(
      directory: directory, spool: spool, database: database, locate: locate, pace: pace, logger: logger)
  }

  func record(
    _ link: LinkID, at: Timestamp = .now, visitor: UInt64 = 1, isBot: Bool = false
  ) -> ClickRecord {
    ClickRecord(
      id: ID(at: at), linkID: link, accountID: account, at: at, visitor: visitor, isBot: isBot,
      userAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0")
  }

  /// A scan of a QR code.
  func scan(
    _ link: LinkID, of code: QRCodeID?, at: Timestamp = .now, visitor: UInt64 = 1, isBot: Bool = false
  ) -> ClickRecord {
    var record = record(link, at: at, visitor: visitor, isBot: isBot)
    (record.source, record.qrCodeID) = (.scan, code)
    return record
  }

  func number(_ sql: SQL) throws -> Int { try database.row(sql).map { try $0[0] } ?? 0 }

  var files: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).sorted()
  }
}

/// Keeps what is logged.
final class TestLog: LogHandler, Sendable {
  private let lines = Mutex<[String]>([])
  var all: [String] { lines.withLock { $0 } }
  var metadata: Logger.Metadata {
    get { [:] }
    set {}
  }
  var logLevel: Logger.Level {
    get { .debug }
    set {}
  }
  subscript(metadataKey _: String) -> Logger.Metadata.Value? {
    get { nil }
    set {}
  }

  func log(event: LogEvent) {
    let fields = event.metadata?.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" } ?? []
    lines.withLock { $0.append(([event.message.description] + fields).joined(separator: " ")) }
  }
}

/// Runs and kills the test program `click-spooler`.
final class Spooler {
  let process = Process()
  let output = Pipe()
  let input = Pipe()

  init(_ arguments: String...) throws {
    process.executableURL = URL(fileURLWithPath: try Self.program())
    process.arguments = arguments
    process.standardOutput = output
    process.standardInput = input
    try process.run()
  }

  /// Where the program is: beside the bundle of the tests.
  static func program() throws -> String {
    let places = [
      Bundle(for: ClicksHouse.self).bundleURL.deletingLastPathComponent(), Bundle.main.bundleURL,
      URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent(),
    ]
    return try #require(
      places.map { $0.appendingPathComponent("click-spooler").path }
        .first { FileManager.default.isExecutableFile(atPath: $0) })
  }

  func kill() {
    _ = Foundation.kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  /// Whether it has written something, waiting so long for it.
  func hasBegun(withinMilliseconds limit: Int32) -> Bool {
    var entry = pollfd(fd: output.fileHandleForReading.fileDescriptor, events: Int16(POLLIN), revents: 0)
    return poll(&entry, 1, limit) == 1
  }

  /// What it wrote to its end, in bytes.
  func writtenBytes() -> Int { output.fileHandleForReading.readDataToEndOfFile().count }
}

extension ClickLoader {
  /// Loads `count` clicks, or fewer where no more come; answers how many. A program that another test is just starting
  /// holds the locks of all spools until it has closed what it inherited.
  func drain(_ count: Int) throws -> Int {
    var loaded = 0
    for _ in 0..<100 {
      loaded += try drainOnce(within: .seconds(60))
      if loaded >= count { break }
      usleep(20_000)
    }
    return loaded
  }
}
