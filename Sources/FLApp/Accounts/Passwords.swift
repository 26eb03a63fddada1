import FLCrypto
import FLHTTP

/// Hashes and checks passwords, which takes a core for some twenty milliseconds, in a part of a process's workers
/// alone: however many log in at once, a worker is left for redirects.
struct Passwords: Sendable {
  private let lane: Lane

  /// Passwords for a process with this lane.
  init(lane: Lane) { self.lane = lane }

  /// The text to store for a password.
  /// - Throws: `Problem` 503 while all places are taken.
  func hash(_ password: String) throws -> String {
    try inLane { try PasswordHash.hash(password) }
  }

  /// Whether `password` is the one that `hash` was made of; without a hash the work is done all the same, so that
  /// an unknown account can't be told by the time.
  /// - Throws: `Problem` 503 while all places are taken: nothing was looked at.
  func verify(_ password: String, against hash: String?) throws -> Bool {
    try inLane {
      guard let hash else {
        PasswordHash.waste(password)
        return false
      }
      return PasswordHash.verify(password, against: hash)
    }
  }

  /// Whether a stored hash should be made anew when its password is at hand.
  func needsRehash(_ hash: String) -> Bool { PasswordHash.needsRehash(hash) }

  private func inLane<Result>(_ work: () throws -> Result) throws -> Result {
    try lane.enter(
      .passwords, or: .unavailable("Too many passwords are being checked at once.", retryAfter: 1), work)
  }
}
