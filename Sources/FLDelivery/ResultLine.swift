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
  private let isClosed = Atomic<Bool>(false)
  private let wasLost = Atomic<Bool>(false)

  init(app: App, sender: SenderID, logger: Logger) {
    self.app = app
    self.sender = sender
    self.logger = logger
  }

  /// Whether all results came into the database; false after some were given up.
  var isComplete: Bool { !wasLost.load(ordering: .acquiring) }

  /// Puts a result in.
  func append(_ result: RecipientResult, of mailing: MailingID) {
    entries.append([Entry(mailing: mailing, result: result)])
  }

  /// No more results come.
  func close() { isClosed.store(true, ordering: .releasing) }

  /// Writes results until the line is closed and empty. For a thread of its own.
  func write() {
    var deadline: ContinuousClock.Instant?
    while true {
      let isLast = isClosed.load(ordering: .acquiring)
      let some = collect()
      if some.isEmpty {
        if isLast { return }
        Thread.sleep(forTimeInterval: 0.01)
        continue
      }
      while true {
        do {
          try write(some)
          break
        } catch {
          logger.warning(
            "results can't be written", metadata: ["error": "\(error.loggable)", "count": "\(some.count)"])
          if isClosed.load(ordering: .acquiring) {
            deadline = deadline ?? .now + Self.lastPatience
            if let deadline, deadline < .now {
              wasLost.store(true, ordering: .releasing)
              break
            }
          }
          Thread.sleep(forTimeInterval: 0.5)
        }
      }
      inHand.subtract(some.count, ordering: .acquiringAndReleasing)
    }
  }

  private func collect() -> [Entry] {
    guard let first = entries.takeIfAny() else { return [] }
    var some = [first]
    let limit = Date(timeIntervalSinceNow: Self.patience)
    while some.count < Self.batch {
      if let next = entries.takeIfAny() {
        some.append(next)
      } else if isClosed.load(ordering: .acquiring) || Date() >= limit {
        break
      } else {
        Thread.sleep(forTimeInterval: 0.005)
      }
    }
    return some
  }

  private func write(_ entries: [Entry]) throws {
    for (mailing, some) in Dictionary(grouping: entries, by: \.mailing) {
      try app.markRecipients(some.map(\.result), of: mailing, by: sender)
    }
  }
}
