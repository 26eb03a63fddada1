import FLMariaDB
import FLValues
import Synchronization

/// Keeps strangers from growing `click_breakdowns` by inventing referrers, languages and campaigns: of a subject, a
/// dimension and a UTC day so many different values are counted by themselves, and what comes then as `(other)`.
///
/// To look at a day's rows for each batch would cost more than to add to them. So it is remembered how many values
/// may still come without a look; they are few enough that several loaders do not add up to much more than the
/// limit.
final class DistinctValues: Sendable {
  /// How many values are counted by themselves.
  static let limit = 1000
  /// The value that stands for the others.
  static let other = "(other)"
  /// How many values this loader lets in between two looks at most.
  private static let stride = 128
  /// For how many groups that is remembered: about a megabyte.
  private static let capacity = 10_000

  private let allowances = Mutex<[ClickTally.Group: Int]>([:])

  /// The values of `tally` that are too many. It is to be asked in the transaction that adds the tally, before.
  /// Throws `DatabaseError`.
  func surplus(of tally: ClickTally, on connection: some Queries) throws -> [ClickTally.Group: Set<String>] {
    let groups = tally.openValues
    let doubtful = allowances.withLock { allowances in
      groups.filter { group, values in
        guard let left = allowances[group], values.count <= left else { return true }
        allowances[group] = left - values.count
        return false
      }
    }
    var surplus: [ClickTally.Group: Set<String>] = [:]
    var left: [ClickTally.Group: Int] = [:]
    for (day, groups) in Dictionary(grouping: doubtful.keys, by: \.day).sorted(by: { $0.key < $1.key }) {
      let known = try ClickLoading.values(
        of: day, dimensions: groups.map(\.dimension).sorted(), on: connection)
      for group in groups {
        let values = doubtful[group] ?? [:]
        let known = known[group.dimension] ?? []
        let new = values.filter { !known.contains(Array($0.key.utf8)) }
        let room = max(0, Self.limit - known.count)
        if new.count > room {
          // The rows are for what is clicked most.
          let sorted = new.sorted { $0.value == $1.value ? $0.key < $1.key : $0.value > $1.value }
          surplus[group] = Set(sorted.dropFirst(room).map(\.key))
        }
        left[group] = min(max(0, room - new.count), Self.stride)
      }
    }
    allowances.withLock { allowances in
      if allowances.count + left.count > Self.capacity { allowances = [:] }
      if left.count <= Self.capacity { allowances.merge(left) { _, new in new } }
    }
    return surplus
  }
}
