import FLApp
import Synchronization

/// Counts, by mailing, the messages in a row that were refused for what they are or where they come from: a mailing of
/// which nothing is taken is stopped, rather than given up for one recipient after the other.
final class RefusedInARow: Sendable {
  /// So many are too many.
  static let most = 50

  private struct State {
    var counts: [MailingID: Int] = [:]
    var stopped: Set<MailingID> = []
  }

  private let state = Mutex(State())

  /// A message was taken.
  func taken(of mailing: MailingID) {
    state.withLock { state in
      if !state.counts.isEmpty { state.counts[mailing] = nil }
    }
  }

  /// A message was refused; true where there are too many now.
  func refused(of mailing: MailingID) -> Bool {
    state.withLock { state in
      let count = state.counts[mailing, default: 0] + 1
      state.counts[mailing] = count
      return count >= Self.most
    }
  }

  /// The mailing is paused: who is in the line waits again.
  func stop(_ mailing: MailingID) { _ = state.withLock { $0.stopped.insert(mailing) } }

  /// Whether it was stopped, and does not go on yet.
  func isStopped(_ mailing: MailingID) -> Bool { state.withLock { $0.stopped.contains(mailing) } }

  /// The mailing goes on, and gets as many chances as before.
  func goesOn(_ mailing: MailingID) {
    state.withLock { state in
      if state.stopped.remove(mailing) != nil { state.counts[mailing] = nil }
    }
  }
}
