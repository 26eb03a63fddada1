public import FLApp
import FLMail
import FLMariaDB
import FLTransfer
import FLValues
import Foundation
public import Logging
import Synchronization

/// What cron starts: it delivers what waits, takes care of what others left behind, and ends.
///
/// Several may run at once, on one host or on many: each takes what no other has. Mails, webhooks, clicks and imports
/// have threads of their own, so that none waits for another.
public final class Sender: Sendable {
  private let app: App
  private let server: SMTPServer?
  private let logger: Logger
  private let shouldStop: @Sendable () -> Bool
  private let deadline = Mutex(ContinuousClock.now)
  private let mailings = Mutex<MailingRound?>(nil)
  private let mails = Mutex<SingleMailRound?>(nil)
  private let breaker = Breaker()
  private let areMailingsDone = Flag()
  private let areMailsDone = Flag()

  /// What a run did.
  public struct Report: Sendable {
    /// Messages of mailings that servers have taken.
    public var messages = 0
    /// Messages of the system that were delivered.
    public var mails = 0
    /// Webhooks that were told something.
    public var webhooks = 0
    /// Files of contacts that were imported, in part or whole.
    public var imports = 0
    /// Clicks of dead processes that were put into the database.
    public var clicks = 0
    /// Bounces and complaints that were taken from the mailbox.
    public var bounces = 0
  }

  /// A sender for the copy of `app`, which ends early when `shouldStop` answers true: with what is in hand, and no more.
  /// - Throws: `Settings.Failure` where FL_SMTP_URL can't be used.
  public init(app: App, logger: Logger, shouldStop: @escaping @Sendable () -> Bool = { false }) throws {
    self.app = app
    self.logger = logger
    self.shouldStop = shouldStop
    do {
      server = try app.settings.smtpServer.map { try SMTPServer(url: $0) }
    } catch {
      throw Settings.Failure(description: "FL_SMTP_URL: \(error)")
    }
  }

  private func isOver() -> Bool { shouldStop() || deadline.withLock { $0 <= .now } }

  /// Messages of mailings that servers have taken in this run so far.
  public var messagesSoFar: Int { mailings.withLock { $0?.sentSoFar ?? 0 } }

  /// Works until nothing waits any more, for at most `limit`.
  /// - Throws: `DatabaseError` where the database is away at the beginning; `Settings.Failure` where the state directory
  ///   can't be written. What is not done stays for the next run.
  public func run(for limit: Duration) throws -> Report {
    deadline.withLock { $0 = .now + limit }
    let id = SenderID(at: .now)
    let directory = app.settings.state + "/run/senders"
    let journal: SenderJournal
    do {
      journal = try SenderJournal(of: id, in: directory)
    } catch {
      throw Settings.Failure(description: "\(error)")
    }
    let runs = SenderRunRows(queries: app.database)
    do {
      try runs.begin(id, host: ProcessInfo.processInfo.hostName, process: Int(getpid()), at: .now)
    } catch {
      journal.remove()
      throw error
    }

    let report = Mutex(Report())
    let threads = DispatchGroup()
    Thread.begin("clicks", in: threads) { [self] in
      attempt("clicks") {
        try app.loadClicks(within: limit / 2)
      } then: { count in
        report.withLock { $0.clicks = count }
      }
    }
    Thread.begin("imports", in: threads) { [self] in
      attempt("imports") {
        try app.runImports(within: limit)
      } then: { count in
        report.withLock { $0.imports = count }
      }
    }
    Thread.begin("bounces", in: threads) { [self] in
      attempt("the bounce mailbox") {
        try BounceMailbox(app: app, logger: logger).run(until: { self.isOver() }, within: limit)
      } then: {
        count in
        report.withLock { $0.bounces = count }
      }
    }
    Thread.begin("webhooks", in: threads) { [self] in
      let count = tellWebhooks()
      report.withLock { $0.webhooks = count }
    }
    Thread.begin("heartbeat", in: threads) { [self] in beat(id) }
    let isComplete = sendMails(id, journal, directory)
    areMailsDone.set()
    threads.wait()

    report.withLock {
      $0.messages = messagesSoFar
      $0.mails = mails.withLock { $0?.sentSoFar ?? 0 }
    }
    if isComplete {
      // Only now is nothing in hand that the journal would have to tell.
      journal.remove()
      try runs.end(id, at: .now)
    }
    try app.purge(at: .now)
    return report.withLock { $0 }
  }

  // MARK: Mails

  /// Sends the mailings and, beside them over a connection of its own, the system's mails; false where the fate of some
  /// could not be written, so that the journal has to tell it.
  private func sendMails(_ id: SenderID, _ journal: SenderJournal, _ directory: String) -> Bool {
    attempt("what senders left behind") {
      try Recovery(app: app, directory: directory, host: ProcessInfo.processInfo.hostName, logger: logger)
        .run(at: .now)
    }
    let beside = DispatchGroup()
    Thread.begin("mails of the system", in: beside) { [self] in
      attempt("mails of the system") {
        let round = try SingleMailRound(
          app: app, logger: logger, isLast: { self.areMailingsDone.isSet },
          stop: { self.isOver() })
        mails.withLock { $0 = round }
        carriers(1)[0].carry(round)
      }
    }
    let round = MailingRound(
      app: app, sender: id, journal: journal, breaker: breaker, logger: logger, stop: { self.isOver() })
    mailings.withLock { $0 = round }
    let isComplete = round.run(carriers: carriers(app.settings.sending.connections))
    areMailingsDone.set()
    beside.wait()
    return isComplete
  }

  private func carriers(_ count: Int) -> [any MailCarrier & Sendable] {
    guard let server else { return [FileCarrier(directory: app.settings.state + "/mail", logger: logger)] }
    return (0..<count).map { _ in
      SMTPCarrier(server: server, breaker: breaker, logger: logger, stop: { self.isOver() })
    }
  }

  // MARK: Beside the mails

  /// Tells webhooks until nothing is due and no mail can bring more.
  private func tellWebhooks() -> Int {
    var count = 0
    repeat {
      let isLast = areMailsDone.isSet
      count += WebhookRound(app: app, logger: logger).run(until: { self.isOver() })
      if isLast { break }
      Thread.sleep(forTimeInterval: 0.1)
    } while !isOver()
    return count
  }

  /// Shows others that this run lives, until the mails are done.
  private func beat(_ id: SenderID) {
    let runs = SenderRunRows(queries: app.database)
    var last = ContinuousClock.now
    while !areMailsDone.isSet {
      Thread.sleep(forTimeInterval: 0.1)
      guard last.duration(to: .now) > .seconds(5) else { continue }
      last = .now
      _ = try? runs.beat(id, sent: messagesSoFar, trouble: breaker.trouble, at: .now)
    }
    _ = try? runs.beat(id, sent: messagesSoFar, trouble: breaker.trouble, at: .now)
  }

  private func attempt<Result>(
    _ what: String, _ body: () throws -> Result, then: (Result) -> Void = { _ in }
  ) {
    do {
      then(try body())
    } catch {
      logger.error("\(what): it could not be done", metadata: ["error": "\(error.loggable)"])
    }
  }
}
