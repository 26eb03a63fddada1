import FLApp
import Synchronization

/// Counts, by mailing, the messages in a row that were refused for what they are or where they come from: a mailing of
/// which nothing is taken is stopped, rather than given up for one recipient after the other.
///
/// A run counts on from where the one before ended: with a low limit by the minute none of them tries that many.
final class RefusedInARow: Sendable {
  /// So many are too many.
  static let most = 50

  private struct State {
    var counts: [MailingID: Int] = [:]
    var stopped: Set<MailingID> = []
  }

  private let state = Mutex(State())

  /// A run begins with a mailing of which so many were refused by the end of the last one.
  func begin(_ mailing: MailingID, at count: Int) {
    state.withLock { state in
      if count > 0 { state.counts[mailing] = state.counts[mailing] ?? count }
    }
  }

  /// The number of each mailing, where it is not what it always was.
  var counts: [MailingID: Int] { state.withLock { $0.counts } }

  /// A message was taken.
  func taken(of mailing: MailingID) {
    state.withLock { state in
      if state.counts[mailing, default: 0] > 0 { state.counts[mailing] = 0 }
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

  /// The mailing is paused: who is in the line waits again, and when it goes on it has as many chances as before.
  func stop(_ mailing: MailingID) {
    state.withLock { state in
      state.stopped.insert(mailing)
      state.counts[mailing] = 0
    }
  }

  /// Whether it was stopped, and does not go on yet.
  func isStopped(_ mailing: MailingID) -> Bool { state.withLock { $0.stopped.contains(mailing) } }

  /// The mailing goes on.
  func goesOn(_ mailing: MailingID) { _ = state.withLock { $0.stopped.remove(mailing) } }
}
