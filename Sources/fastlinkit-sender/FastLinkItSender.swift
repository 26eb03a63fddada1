import ArgumentParser
import FLApp
import FLDelivery
import FLValues
import Foundation
import Logging
import Synchronization

/// The sender, which cron starts every minute.
@main
struct FastLinkItSender: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fastlinkit-sender",
    abstract: "Deliver what waits, take care of what others left behind, and end.",
    discussion: """
      On a terminal it shows how far it has come. SIGTERM and SIGINT end it after the messages that it has in hand.
      """, version: App.version)

  @Option(help: ArgumentHelp("The settings file.", valueName: "file"))
  var config: String?
  @Option(help: "How long it may work, in seconds.")
  var maxSeconds = 50
  @Flag(help: "Show what waits, how long, and who is at it; send nothing.")
  var status = false

  func validate() throws {
    guard (1...3600).contains(maxSeconds) else {
      throw ValidationError("--max-seconds must be from 1 to 3600.")
    }
  }

  func run() throws {
    let signals = StopSignals()
    let log = LogSink()
    let logger = Logger(label: "fastlinkit-sender") { JSONLogHandler(label: $0, sink: log) }
    do {
      let app = try App(settings: Settings.load(file: config), logger: logger, log: log)
      if status {
        for line in try app.sendingStatus(at: .now) { print(line) }
        return
      }
      let sender = try Sender(app: app, logger: logger, shouldStop: { signals.came })
      let progress = ProgressLine(of: sender)
      progress?.begin()
      defer { progress?.end() }
      let report = try sender.run(for: .seconds(maxSeconds))
      let counts = [
        ("messages", report.messages), ("mails", report.mails), ("webhooks", report.webhooks),
        ("clicks", report.clicks), ("bounces", report.bounces), ("imports", report.imports),
      ]
      if counts.contains(where: { $0.1 > 0 }) {
        logger.info(
          "sender", metadata: Logger.Metadata(uniqueKeysWithValues: counts.map { ($0.0, "\($0.1)") }))
      }
    } catch {
      logger.error("the sender could not do its work", metadata: ["reason": "\(error.loggable)"])
      throw ExitCode.failure
    }
  }
}

/// SIGTERM and SIGINT, taken by a thread of its own: so that they end no message halfway.
final class StopSignals: Sendable {
  private let flag = Atomic<Bool>(false)

  /// Whether one came.
  var came: Bool { flag.load(ordering: .relaxed) }

  /// Blocks the signals in this thread and those that it begins later, and waits for them in one.
  init() {
    var set = sigset_t()
    sigemptyset(&set)
    sigaddset(&set, SIGTERM)
    sigaddset(&set, SIGINT)
    pthread_sigmask(SIG_BLOCK, &set, nil)
    let thread = Thread { [self] in
      var set = sigset_t()
      sigemptyset(&set)
      sigaddset(&set, SIGTERM)
      sigaddset(&set, SIGINT)
      var number: Int32 = 0
      sigwait(&set, &number)
      flag.store(true, ordering: .relaxed)
    }
    thread.start()
  }
}

/// One line on the terminal that tells how many messages went out, and how fast.
final class ProgressLine: Sendable {
  private let sender: Sender
  private let isOver = Atomic<Bool>(false)

  /// The line of a run; nil where standard error is no terminal.
  init?(of sender: Sender) {
    guard isatty(2) == 1 else { return nil }
    self.sender = sender
  }

  /// Begins to show it.
  func begin() {
    Thread { [self] in
      let began = ContinuousClock.now
      while !isOver.load(ordering: .relaxed) {
        show(began.duration(to: .now))
        Thread.sleep(forTimeInterval: 0.5)
      }
    }.start()
  }

  private func show(_ time: Duration) {
    let count = sender.messagesSoFar
    let seconds = Double(time.components.seconds) + Double(time.components.attoseconds) / 1e18
    let rate = seconds > 0 ? Int(Double(count) / seconds) : 0
    FileHandle.standardError.write(
      Data("\r\(count) messages sent, \(rate) a second, \(Int(seconds)) s ".utf8))
  }

  /// Ends the line.
  func end() {
    isOver.store(true, ordering: .relaxed)
    FileHandle.standardError.write(Data("\n".utf8))
  }
}
