import Synchronization

/// Keeps answers that took long to work out, for twenty times as long as that took: numbers of large mailings, which are
/// looked at again and again. What is worked out quickly is never kept, and so never out of date.
final class CostlyAnswers<Key: Hashable & Sendable, Value: Sendable>: Sendable {
  /// What takes less is asked for each time.
  private static var quick: Duration { .milliseconds(25) }
  private static var longest: Duration { .seconds(60) }
  private static var most: Int { 1000 }

  private let kept = Mutex<[Key: (value: Value, until: ContinuousClock.Instant)]>([:])

  /// The answers for `keys`, those that are not kept from `work`, which may leave some out.
  func values(for keys: [Key], _ work: ([Key]) throws -> [Key: Value]) rethrows -> [Key: Value] {
    let now = ContinuousClock.now
    var found: [Key: Value] = kept.withLock { kept in
      keys.reduce(into: [:]) { found, key in
        if let entry = kept[key], entry.until > now { found[key] = entry.value }
      }
    }
    let missing = keys.filter { found[$0] == nil }
    guard !missing.isEmpty else { return found }
    let worked = try work(missing)
    let end = ContinuousClock.now
    let time = now.duration(to: end)
    if time > Self.quick {
      let until = end + min(time * 20, Self.longest)
      kept.withLock { kept in
        if kept.count + worked.count > Self.most { kept = kept.filter { $0.value.until > end } }
        guard kept.count + worked.count <= Self.most else { return }
        for (key, value) in worked { kept[key] = (value, until) }
      }
    }
    found.merge(worked) { $1 }
    return found
  }

  /// Has the answer for `key` worked out anew.
  func forget(_ key: Key) { _ = kept.withLock { $0.removeValue(forKey: key) } }
}
