import ArgumentParser
import FLApp
import FLDelivery
import Foundation
import Logging

/// The sender, which cron starts every minute.
@main
struct FastLinkItSender: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fastlinkit-sender",
    abstract: "Deliver what waits, take care of what others left behind, and end.", version: App.version)

  @Option(help: ArgumentHelp("The settings file.", valueName: "file"))
  var config: String?
  @Option(help: "How long it may work, in seconds.")
  var maxSeconds = 50

  func validate() throws {
    guard (1...3600).contains(maxSeconds) else {
      throw ValidationError("--max-seconds must be from 1 to 3600.")
    }
  }

  func run() throws {
    let log = LogSink()
    let logger = Logger(label: "fastlinkit-sender") { JSONLogHandler(label: $0, sink: log) }
    do {
      let app = try App(settings: Settings.load(file: config), logger: logger, log: log)
      let report = try Sender(app: app, logger: logger).run(for: .seconds(maxSeconds))
      if report.mails + report.clicks > 0 {
        logger.info("sender", metadata: ["mails": "\(report.mails)", "clicks": "\(report.clicks)"])
      }
    } catch {
      logger.error("the sender could not do its work", metadata: ["reason": "\(error.loggable)"])
      throw ExitCode.failure
    }
  }
}
