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
    let place = try place(kind, atMost: most, or: problem())
    defer { withExtendedLifetime(place) {} }
    return try work()
  }

  /// Takes a place for what goes on after this.
  /// - Throws: `problem` while all places are taken, or `most` of them for this kind.
  func place(_ kind: Work, atMost most: Int = .max, or problem: @autoclosure () -> Problem) throws -> Place {
    let place = Place(self, kind)
    guard place.isFree(limit: limit, most: most) else { throw problem() }
    return place
  }

  /// A place inside, which is given back with the last reference.
  final class Place: Sendable {
    private let lane: Lane
    private let kind: Work
    /// How many were inside with this one: of all, and of its kind.
    private let count: Int
    private let ofKind: Int

    fileprivate init(_ lane: Lane, _ kind: Work) {
      (self.lane, self.kind) = (lane, kind)
      count = lane.inside.add(1, ordering: .relaxed).newValue
      switch kind {
      case .passwords, .keys, .lookups: ofKind = 0
      case .uploads: ofKind = lane.uploading.add(1, ordering: .relaxed).newValue
      case .exports: ofKind = lane.exporting.add(1, ordering: .relaxed).newValue
      }
    }

    deinit {
      lane.inside.subtract(1, ordering: .relaxed)
      switch kind {
      case .passwords, .keys, .lookups: break
      case .uploads: lane.uploading.subtract(1, ordering: .relaxed)
      case .exports: lane.exporting.subtract(1, ordering: .relaxed)
      }
    }

    fileprivate func isFree(limit: Int, most: Int) -> Bool { count <= limit && ofKind <= most }
  }

  /// Half of the workers, for what waits for others: logging in has room beside it.
  var half: Int { max(1, (limit + 1) / 2) }
}
