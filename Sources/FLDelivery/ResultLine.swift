import FLApp
import FLValues
import Foundation
import Logging
import Synchronization

/// What became of messages, on its way into the database: written in batches by a thread of its own, again and again
/// while the database is away.
final class ResultLine: Sendable {
  private static let batch = 256
  /// How long a result waits for others.
  private static let patience = 0.1
  /// How long results are kept trying to be written when the run ends; after that the journal tells them.
  private static let lastPatience = Duration.seconds(15)

  private struct Entry: Sendable {
    let mailing: MailingID
    let result: RecipientResult
  }

  private let app: App
  private let sender: SenderID
  private let logger: Logger
  private let entries = WaitingLine<Entry>()
  /// Messages that are claimed and whose fate is not written yet.
  let inHand = Atomic<Int>(0)
  private let claiming = Mutex(())
  private let closed = Flag()
  private let lost = Flag()

  init(app: App, sender: SenderID, logger: Logger) {
    self.app = app
    self.sender = sender
    self.logger = logger
  }

  /// Whether all results came into the database; false after some were given up.
  var isComplete: Bool { !lost.isSet }

  /// Puts a result in.
  func append(_ result: RecipientResult, of mailing: MailingID) {
    entries.append([Entry(mailing: mailing, result: result)])
  }

  /// No more results come.
  func close() { closed.set() }

  /// Writes results until the line is closed and empty. For a thread of its own.
  func write() {
    var deadline: ContinuousClock.Instant?
    while true {
      let isLast = closed.isSet
      let some = collect()
      if some.isEmpty {
        if isLast { return }
        Thread.sleep(forTimeInterval: 0.01)
        continue
      }
      if some.contains(where: \.result.outcome.waitsAgain) {
        claiming.withLock { _ in writePersistently(some, &deadline) }
      } else {
        writePersistently(some, &deadline)
      }
      inHand.subtract(some.count, ordering: .acquiringAndReleasing)
    }
  }

  /// Runs `body` while no results are being written by which somebody waits again; nil where some are.
  ///
  /// Such a writing is repeated when its fate is not known. Were a recipient claimed between two tries, the second would
  /// give back what is in hand, and somebody else would send it as well.
  func claiming<Result: Sendable>(_ body: () throws -> Result) throws -> Result? {
    try claiming.withLockIfAvailable { _ in try body() }
  }

  private func writePersistently(_ some: [Entry], _ deadline: inout ContinuousClock.Instant?) {
    var left = Dictionary(grouping: some, by: \.mailing)
    while true {
      do {
        for (mailing, entries) in left {
          try app.markRecipients(entries.map(\.result), of: mailing, by: sender)
          left[mailing] = nil
        }
        return
      } catch {
        logger.warning(
          "results can't be written", metadata: ["error": "\(error.loggable)", "count": "\(some.count)"])
        if closed.isSet {
          deadline = deadline ?? .now + Self.lastPatience
          if let deadline, deadline < .now {
            lost.set()
            return
          }
        }
        Thread.sleep(forTimeInterval: 0.5)
      }
    }
  }

  private func collect() -> [Entry] {
    guard let first = entries.takeIfAny() else { return [] }
    var some = [first]
    let limit = Date(timeIntervalSinceNow: Self.patience)
    while some.count < Self.batch {
      if let next = entries.takeIfAny() {
        some.append(next)
      } else if closed.isSet || Date() >= limit {
        break
      } else {
        Thread.sleep(forTimeInterval: 0.005)
      }
    }
    return some
  }
}
