public import FLApp
import FLMariaDB
import FLValues
import Foundation
public import Logging

/// What cron starts: it delivers what waits, takes care of what others left behind, and ends.
///
/// Several may run at once, on one host or on many: each takes what no other has.
public struct Sender {
  private let app: App
  private let mail: MailOutbox
  private let delivery: MailFiles
  private let logger: Logger

  /// What a run did.
  public struct Report: Sendable {
    /// Messages that were delivered.
    public var mails = 0
    /// Clicks of dead processes that were put into the database.
    public var clicks = 0
    /// Files of contacts that were imported, in part or whole.
    public var imports = 0
  }

  /// A sender for the copy of `app`.
  public init(app: App, logger: Logger) {
    self.app = app
    self.logger = logger
    mail = MailOutbox(settings: app.settings)
    delivery = MailFiles(directory: app.settings.state + "/mail", host: app.settings.mailHost)
  }

  /// Works until nothing waits any more, for at most `limit`.
  /// - Throws: `DatabaseError`; what is not done stays for the next run.
  public func run(for limit: Duration) throws -> Report {
    let deadline = ContinuousClock.now + limit
    var report = Report()
    report.clicks = try app.loadClicks(within: limit / 2)
    while ContinuousClock.now < deadline {
      let mails = try mail.claim(50, for: .seconds(120), from: app.database, at: .now)
      if mails.isEmpty { break }
      for message in mails {
        do {
          try delivery.deliver(message)
        } catch {
          logger.error(
            "a message could not be delivered",
            metadata: ["mail": "\(message.id)", "error": "\(error.loggable)"])
          continue
        }
        try mail.markSent(message.id, in: app.database, at: .now)
        report.mails += 1
      }
    }
    // Responders do the same beside their requests: mails go first.
    report.imports = try app.runImports(within: max(.zero, deadline - .now))
    try app.purge(at: .now)
    return report
  }
}

extension Settings {
  /// The host of the public address, which messages are from.
  var mailHost: String { URL(string: baseURL)?.host() ?? "localhost" }
}
