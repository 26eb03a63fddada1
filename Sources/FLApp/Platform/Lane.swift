import FLHTTP
import Synchronization

/// The workers of a process that may be held by what takes long: one fewer than there are, so that whatever comes in,
/// a worker is left for redirects.
final class Lane: Sendable {
  /// What takes long.
  enum Work: Sendable {
    /// Hashing passwords, which holds a core.
    case passwords
    /// Making keys, which holds a core.
    case keys
    /// Asking DNS, which waits for others.
    case lookups
    /// Taking files, which waits for their senders.
    case uploads
    /// Writing out all that an account has of something, which waits for the database.
    case exports
  }

  /// How many may be inside at once.
  let limit: Int
  private let inside = Atomic<Int>(0)
  private let uploading = Atomic<Int>(0)
  private let exporting = Atomic<Int>(0)

  /// The lane of a process with so many workers.
  init(workers: Int) { limit = max(1, workers - 1) }

  /// Runs `work` inside.
  /// - Throws: `problem` while all places are taken, or `most` of them for this kind; and what `work` throws.
  func enter<Result>(
    _ kind: Work, atMost most: Int = .max, or problem: @autoclosure () -> Problem, _ work: () throws -> Result
  ) throws -> Result {
    defer { inside.subtract(1, ordering: .relaxed) }
    guard inside.add(1, ordering: .relaxed).newValue <= limit else { throw problem() }
    switch kind {
    case .passwords, .keys, .lookups: return try work()
    case .uploads:
      defer { uploading.subtract(1, ordering: .relaxed) }
      guard uploading.add(1, ordering: .relaxed).newValue <= most else { throw problem() }
      return try work()
    case .exports:
      defer { exporting.subtract(1, ordering: .relaxed) }
      guard exporting.add(1, ordering: .relaxed).newValue <= most else { throw problem() }
      return try work()
    }
  }

  /// Half of the workers, for what waits for others: logging in has room beside it.
  var half: Int { max(1, (limit + 1) / 2) }
}
