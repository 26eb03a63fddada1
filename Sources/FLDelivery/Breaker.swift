import FLValues
import Synchronization

/// Keeps senders away from a mail server that is down: after some failures in a row nobody knocks for a while, then one,
/// and where that fails the while gets longer.
final class Breaker: Sendable {
  private struct State {
    var failures = 0
    var closedUntil: ContinuousClock.Instant?
    var isProbing = false
    var trouble: String?
  }

  /// How many connections in a row must fail.
  static let tolerance = 3
  private static let firstPause = Duration.seconds(2)
  private static let longestPause = Duration.seconds(60)

  private let state = Mutex(State())

  /// Whether the server is being left alone.
  var isOpen: Bool { state.withLock { $0.failures >= Self.tolerance } }

  /// Whether a connection may be tried now; while the server is left alone one caller may, now and then.
  func mayConnect(at now: ContinuousClock.Instant = .now) -> Bool {
    state.withLock { state in
      guard state.failures >= Self.tolerance else { return true }
      guard !state.isProbing, let until = state.closedUntil, until <= now else { return false }
      state.isProbing = true
      return true
    }
  }

  /// The server has answered.
  func succeeded() { state.withLock { $0 = State() } }

  /// What is wrong with the server, as it was told last; nil where nothing is.
  var trouble: String? { state.withLock { $0.trouble } }

  /// The server could not be reached, hung up, or takes nothing; `trouble` says it for the operator.
  func failed(_ trouble: String, at now: ContinuousClock.Instant = .now) {
    state.withLock { state in
      state.trouble = trouble
      // While the server is left alone, what becomes of the one who knocks counts: connections that break together, as
      // when it starts anew, are one failure.
      guard state.failures < Self.tolerance || state.isProbing else { return }
      state.failures += 1
      state.isProbing = false
      guard state.failures >= Self.tolerance else { return }
      let doublings = min(state.failures - Self.tolerance, 6)
      state.closedUntil = now + min(Self.longestPause, Self.firstPause * (1 << doublings))
    }
  }
}
