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
  /// How many values of a day this loader lets in between two looks at most.
  private static let stride = 128
  /// For how many days of subjects that is remembered: about two megabytes.
  private static let capacity = 20_000

  /// How many new values each dimension of a day may get before the next look.
  private let allowances = Mutex<[ClickTally.Day: Int]>([:])

  /// The values of `tally` that are too many. It is to be asked in the transaction that adds the tally, between the
  /// buckets and the breakdowns. Throws `DatabaseError`.
  func surplus(of tally: ClickTally, on connection: some Queries) throws -> [ClickTally.Group: Set<String>] {
    let days = tally.openValues
    let doubtful = allowances.withLock { allowances in
      days.filter { day, dimensions in
        let most = dimensions.values.map(\.count).max() ?? 0
        guard let left = allowances[day], most <= left else { return true }
        allowances[day] = left - most
        return false
      }
    }
    var surplus: [ClickTally.Group: Set<String>] = [:]
    var left: [ClickTally.Day: Int] = [:]
    let looked = try ClickLoading.openValues(of: doubtful.keys.sorted(), on: connection)
    for (day, dimensions) in doubtful {
      let known = looked[day] ?? [:]
      var least = min(Self.stride, Self.limit - (known.values.map(\.count).max() ?? 0))
      for (dimension, values) in dimensions {
        let known = known[dimension] ?? []
        let new = values.filter { !known.contains(Array($0.key.utf8)) }
        let room = max(0, Self.limit - known.count)
        if new.count > room {
          // The rows are for what is clicked most.
          let sorted = new.sorted { $0.value == $1.value ? $0.key < $1.key : $0.value > $1.value }
          surplus[.init(day: day, dimension: dimension)] = Set(sorted.dropFirst(room).map(\.key))
        }
        least = min(least, room - new.count)
      }
      left[day] = max(0, least)
    }
    allowances.withLock { allowances in
      if allowances.count + left.count > Self.capacity { allowances = [:] }
      allowances.merge(left) { _, new in new }
    }
    return surplus
  }
}
