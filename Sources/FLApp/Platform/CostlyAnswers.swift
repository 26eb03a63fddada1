import Synchronization

/// Keeps answers that took long to work out, for twenty times as long as that took: numbers of large mailings, which are
/// looked at again and again. What its user does not want kept is worked out each time.
final class CostlyAnswers<Key: Hashable & Sendable, Value: Sendable>: Sendable {
  private static var longest: Duration { .seconds(60) }
  private static var most: Int { 1000 }

  private let quick: Duration
  private let mayKeep: @Sendable (Value) -> Bool
  private let kept = Mutex<[Key: (value: Value, until: ContinuousClock.Instant)]>([:])

  /// Answers that take longer than `quick` to work out are kept; what takes less is asked for each time. `mayKeep` tells
  /// whether an answer may be out of date for a while.
  init(quick: Duration = .milliseconds(25), keeping mayKeep: @escaping @Sendable (Value) -> Bool) {
    (self.quick, self.mayKeep) = (quick, mayKeep)
  }

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
    let keeping = time > quick ? worked.filter { mayKeep($0.value) } : [:]
    if !keeping.isEmpty {
      let until = end + min(time * 20, Self.longest)
      kept.withLock { kept in
        if kept.count + keeping.count > Self.most { kept = kept.filter { $0.value.until > end } }
        guard kept.count + keeping.count <= Self.most else { return }
        for (key, value) in keeping { kept[key] = (value, until) }
      }
    }
    found.merge(worked) { $1 }
    return found
  }
}
