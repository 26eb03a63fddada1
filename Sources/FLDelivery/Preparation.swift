import FLApp
import FLMariaDB
import FLValues
import Foundation
import Logging
import Synchronization

/// Settles the recipients of queued mailings, in threads beside the sending: with a million of them it takes a while, for
/// which no other account waits.
final class Preparation: Sendable {
  /// How many mailings at once, each of another account.
  private static let mostThreads = 4

  private struct State {
    var waiting: [MailingInHand] = []
    var accounts: Set<AccountID> = []
    var threads = 0
  }

  /// Why a preparation was left: the next run of the sender goes on with it.
  private struct Stopped: Error {}

  private let app: App
  private let logger: Logger
  private let stop: @Sendable () -> Bool
  private let state = Mutex(State())
  private let threads = DispatchGroup()

  init(app: App, logger: Logger, stop: @escaping @Sendable () -> Bool) {
    (self.app, self.logger, self.stop) = (app, logger, stop)
  }

  /// Takes over the mailings that are to be prepared: all there are, the longest waiting first.
  func begin(_ mailings: [MailingInHand]) {
    let more = state.withLock { state in
      state.waiting = mailings
      let accounts = Set(mailings.map(\.account)).subtracting(state.accounts)
      let more = min(Self.mostThreads - state.threads, accounts.count)
      state.threads += more
      return more
    }
    for _ in 0..<more {
      Thread.begin("prepare", in: threads) { [self] in
        while let mailing = next() {
          prepare(mailing)
          state.withLock { state in
            // Meanwhile it may have been found waiting once more.
            state.waiting.removeAll { $0.id == mailing.id }
            state.accounts.remove(mailing.account)
          }
        }
      }
    }
  }

  /// Waits until nothing is under way.
  func wait() { threads.wait() }

  /// The next one of an account that has none under way; nil where there is none, and then the thread ends.
  private func next() -> MailingInHand? {
    state.withLock { state in
      guard !stop(), let index = state.waiting.firstIndex(where: { !state.accounts.contains($0.account) })
      else {
        state.threads -= 1
        return nil
      }
      let mailing = state.waiting.remove(at: index)
      state.accounts.insert(mailing.account)
      return mailing
    }
  }

  private func prepare(_ mailing: MailingInHand) {
    do {
      try app.prepareMailing(mailing, at: .now) { if stop() { throw Stopped() } }
    } catch is Stopped {
    } catch {
      logger.warning("a mailing can't be prepared", metadata: ["error": "\(error.loggable)"])
    }
  }
}
