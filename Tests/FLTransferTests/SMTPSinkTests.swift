import FLTransfer
import Foundation
import Synchronization
import Testing

/// smtp-sink of Postfix, a mail server that somebody else wrote.
private final class Sink {
  /// Where `scripts/setup test` puts it.
  private static let assets =
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path + "/.build-assets/postfix"
  static let program = [assets + "/smtp-sink", "/usr/sbin/smtp-sink"].first {
    FileManager.default.isExecutableFile(atPath: $0)
  }

  /// The next port, from 20,000 on: no two sinks of this process get the same one. Those that the system gives away are
  /// above these.
  private static let ports = Atomic<Int>(.random(in: 0..<10_000))

  private(set) var url = ""
  private var process = Process()
  /// What it calls itself, and nobody else.
  private let name = "sink-\(UInt64.random(in: 0...UInt64.max)).test"

  init(_ options: [String]) throws {
    _ = brokenPipesAreTold
    for _ in 0..<20 where try start(["-h", name] + options) { return }
    throw POSIXError(.ECONNREFUSED)
  }

  /// Whether it listens on the next port. Somebody else may have it, another sink too: then it ends by itself.
  private func start(_ options: [String]) throws -> Bool {
    let port = 20_000 + Self.ports.add(1, ordering: .relaxed).oldValue % 10_000
    url = "smtp://127.0.0.1:\(port)"
    process = Process()
    process.executableURL = URL(fileURLWithPath: try #require(Self.program))
    process.arguments = (getuid() == 0 ? ["-u", "nobody"] : []) + options + ["127.0.0.1:\(port)", "100"]
    process.environment = ["LD_LIBRARY_PATH": Self.assets + "/lib"]
    // Whoever runs the tests waits until nobody has their output open.
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    for _ in 0..<300 where process.isRunning {
      if ScriptedServer.greeting(port: port)?.hasPrefix("220 \(name)") == true { return true }
      Thread.sleep(forTimeInterval: 0.1)
    }
    stop()
    return false
  }

  func open() throws -> SMTPSession { try SMTPSession.open(SMTPServer(url: url)) }

  deinit { stop() }

  /// A child inherits that SIGTERM is blocked in this process, so `terminate` would do nothing. One that was never
  /// started has the number 0, by which all of the process group would be ended.
  private func stop() {
    if process.isRunning { kill(process.processIdentifier, SIGKILL) }
  }
}

@Suite(
  .enabled(if: Sink.program != nil, "smtp-sink is not installed (Debian's package postfix)"),
  .timeLimit(.minutes(60)))
struct SMTPSinkTests {
  @Test("Several sessions send at once", arguments: [[], ["-p"], ["-e"]])
  func manySessions(options: [String]) throws {
    let sink = try Sink(options)
    let left = Mutex(2000)
    let accepted = Mutex(Set<Int>())
    let content = Array("Subject: x\r\n\r\n\(String(repeating: "hello\r\n", count: 500))".utf8)
    let threads = DispatchGroup()
    for _ in 0..<6 {
      let session = try sink.open()
      threads.enter()
      // A session is of one thread at a time, and goes to another one here.
      nonisolated(unsafe) let handed = session
      Thread.detachNewThread {
        var ended = 0
        handed.run(
          next: {
            let number = left.withLock { left in
              left -= 1
              return left
            }
            return number < 0
              ? nil : (number, SMTPMessage(from: "m@a.test", to: "t\(number)@x.test", content: content))
          }, beforeEnd: { _ in ended += 1 },
          done: { number, outcome in
            if case .accepted = outcome, ended > 0 { accepted.withLock { _ = $0.insert(number) } }
          })
        handed.quit()
        threads.leave()
      }
    }
    threads.wait()
    #expect(accepted.withLock { $0 } == Set(0..<2000))
  }

  @Test(
    "It refuses and hangs up where it is told to",
    arguments: [
      (["-f", "rcpt"], "refused 500 at recipient", true), (["-r", "mail"], "refused 450 at mail", true),
      (["-r", "data"], "refused 450 at data", true), (["-f", "."], "refused 500 at message", true),
      (["-q", "data"], "lost", false), (["-q", "."], "uncertain", false),
    ])
  func refusals(options: [String], told: String, isUsable: Bool) throws {
    let sink = try Sink(options)
    let session = try sink.open()
    for _ in 0..<(isUsable ? 3 : 1) {
      let outcome = session.send(
        from: "m@a.test", to: "t@x.test", message: SMTPSessionTests.message, beforeEnd: {})
      #expect(SMTPSessionTests.word(outcome) == told)
      #expect(session.isUsable == isUsable)
    }
  }
}
