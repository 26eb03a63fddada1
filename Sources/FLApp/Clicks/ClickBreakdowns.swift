/// The sums of `click_breakdowns` on their way to the lines that statistics show.
struct ClickBreakdowns {
  private var sums: [ClickDimension: [String: Int]] = [:]
  /// The sums of what is past the lines shown.
  private var others: [ClickDimension: Int] = [:]

  /// Adds the clicks of a value of the table's dimension `code`; nil stands for all values past the limit.
  mutating func add(_ clicks: Int, of value: String?, dimension code: Int) {
    if code == ClickTally.clientDimension {
      let parts = (value ?? "").split(separator: "|", omittingEmptySubsequences: false)
      for (dimension, part) in zip([ClickDimension.browser, .system, .device], parts) {
        sums[dimension, default: [:]][part.isEmpty ? "(unknown)" : String(part), default: 0] += clicks
      }
    } else if let dimension = ClickDimension(rawValue: code) {
      if let value, value != DistinctValues.other {
        sums[dimension, default: [:]][value, default: 0] += clicks
      } else {
        others[dimension, default: 0] += clicks
      }
    }
  }

  /// The clicks that are broken down here: each has a device.
  var clicks: Int { sums[.device]?.values.reduce(0, +) ?? 0 }

  /// The lines, after what has no row of its own was found by subtraction from `total`.
  func entries(total: Int) -> [ClickDimension: [ClickStatistics.Entry]] {
    var sums = sums
    let usual: [(ClickDimension, String)] = [
      (.referrer, "(direct)"), (.language, "(unknown)"), (.source, ClickSource.click.name),
    ]
    for (dimension, value) in usual {
      let known = (sums[dimension]?.values.reduce(0, +) ?? 0) + (others[dimension] ?? 0)
      if known < total { sums[dimension, default: [:]][value, default: 0] += total - known }
    }
    var result: [ClickDimension: [ClickStatistics.Entry]] = [:]
    for dimension in Set(sums.keys).union(others.keys) {
      let values = sums[dimension] ?? [:]
      let sorted = values.sorted { $0.value == $1.value ? $0.key < $1.key : $0.value > $1.value }
      let shown = sorted.prefix(ClickStatistics.entryLimit)
      let rest = sorted.dropFirst(ClickStatistics.entryLimit).map(\.value).reduce(others[dimension] ?? 0, +)
      result[dimension] = shown.map { ClickStatistics.Entry(key: $0.key, clicks: $0.value) }
      if rest > 0 { result[dimension, default: []].append(.init(key: DistinctValues.other, clicks: rest)) }
    }
    return result
  }
}
