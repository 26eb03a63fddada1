import FLValues
import Synchronization

/// The API keys that this process was shown lately, by their digests.
///
/// A key that is revoked or changed, or whose account gets another plan, is asked for anew from the next request on,
/// in every process of the host. Other hosts would not be told: where there are several, nothing is remembered.
final class APIKeyMemory: Sendable {
  /// How long a key holds without another look at the database; for what is changed there by hand.
  static let lifetime = Duration.seconds(10)
  private static let capacity = 4096

  private struct Entry {
    var found: APIKeyRows.Found
    let generation: UInt64
    let freshUntil: Timestamp
  }

  private let generations: Generations
  private let isOff: Bool
  private let entries = Mutex<[[UInt8]: Entry]>([:])

  init(generations: Generations, settings: Settings) {
    self.generations = generations
    isOff = settings.hosts > 1
  }

  /// The key with this digest, from memory or by `find`.
  func key(_ digest: [UInt8], at now: Timestamp, find: () throws -> APIKeyRows.Found?) rethrows -> APIKeyRows
    .Found?
  {
    if isOff { return try find() }
    let generation = generations.current(.credentials)
    if let entry = entries.withLock({ $0[digest] }), entry.generation == generation, now < entry.freshUntil {
      return entry.found.expiresAt.map { $0 > now } ?? true ? entry.found : nil
    }
    guard let found = try find() else { return nil }
    entries.withLock { entries in
      if entries.count >= Self.capacity { entries.removeAll(keepingCapacity: true) }
      entries[digest] = Entry(found: found, generation: generation, freshUntil: now + Self.lifetime)
    }
    return found
  }

  /// Remembers that the use of a key was noted.
  func noteUse(_ digest: [UInt8], at now: Timestamp) {
    entries.withLock { $0[digest]?.found.lastUsedAt = now }
  }
}
