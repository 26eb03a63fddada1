import FLValues
import Foundation

/// The hours, days, weeks and months of a time zone, as points in time.
struct LocalPeriods {
  let zone: TimeZone
  let interval: StatisticsInterval

  /// The starts of all periods that have a part in `from..<to`, in order, at most `limit` of them; nil when
  /// there are more. They leave no gap: each lasts until the next begins.
  ///
  /// A day begins at its first instant, at 01:00 where 00:00 is left out; a day that a zone leaves out has no
  /// point. An hour that comes twice is two points, so that a day has 23 to 25 of them.
  func starts(from: Timestamp, to: Timestamp, limit: Int) -> [Timestamp]? {
    var starts: [Timestamp] = []
    var start = interval == .hour ? hour(of: from.seconds) : unit(day(of: from.seconds))
    while start.seconds < to.seconds {
      if starts.count == limit { return nil }
      starts.append(Timestamp(seconds: start.seconds))
      start = interval == .hour ? hour(after: start.seconds) : unit(after: start.day)
    }
    return starts
  }

  private struct Start {
    var seconds: Int64
    /// The local day since 1970-01-01, where that matters.
    var day: Int64
  }

  private func offset(_ seconds: Int64) -> Int64 {
    Int64(zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(seconds))))
  }

  // MARK: Hours

  private func isHour(_ seconds: Int64) -> Bool { (seconds + offset(seconds)) % 3600 == 0 }

  /// The last instant up to `seconds` at which a local hour began. Zones that are not whole quarters of an hour
  /// off (none since 1972) fall back to hours of UTC.
  private func hour(of seconds: Int64) -> Start {
    let quarter = Timestamp(seconds: seconds).roundedDown(toSeconds: 900).seconds
    for back in 0..<8 where isHour(quarter - Int64(back) * 900) {
      return Start(seconds: quarter - Int64(back) * 900, day: 0)
    }
    return Start(seconds: Timestamp(seconds: seconds).roundedDown(toSeconds: 3600).seconds, day: 0)
  }

  private func hour(after seconds: Int64) -> Start {
    // Where a zone moves by half an hour, the period at the change lasts half an hour or one and a half.
    for step in 1...8 where isHour(seconds + Int64(step) * 900) {
      return Start(seconds: seconds + Int64(step) * 900, day: 0)
    }
    return Start(seconds: seconds + 3600, day: 0)
  }

  // MARK: Days, weeks, months

  private func day(of seconds: Int64) -> Int64 {
    Timestamp(seconds: seconds + offset(seconds)).roundedDown(toSeconds: 86_400).seconds / 86_400
  }

  /// The period that this local day is in.
  private func unit(_ day: Int64) -> Start {
    let first: Int64
    switch interval {
    case .hour, .day: first = day
    case .week: first = day - ((day + 3) % 7 + 7) % 7  // 1970-01-01 was a Thursday.
    case .month:
      first = day - Int64(Timestamp(seconds: day * 86_400).civil.day - 1)
    }
    return Start(seconds: firstInstant(of: first), day: first)
  }

  private func unit(after day: Int64) -> Start {
    var next = day
    var start = Start(seconds: .min, day: next)
    let last = firstInstant(of: day)
    repeat {
      switch interval {
      case .hour, .day: next += 1
      case .week: next += 7
      case .month:
        let civil = Timestamp(seconds: next * 86_400).civil
        next += Int64(CivilTime.days(in: civil.month, of: civil.year))
      }
      start = Start(seconds: firstInstant(of: next), day: next)
    } while start.seconds <= last
    return start
  }

  /// The first instant whose local day is `day` or later.
  private func firstInstant(of day: Int64) -> Int64 {
    let midnight = day * 86_400
    // No zone is further from UTC than this, so local time is before midnight at one end and past it at the
    // other, and a change of offset between them is the only reason to look closer.
    let before = offset(midnight - 86_400)
    let after = offset(midnight + 86_400)
    for candidate in [before, after].map({ midnight - $0 }).sorted()
    where candidate + offset(candidate) == midnight {
      return candidate
    }
    // Midnight is left out: the day begins with the change.
    var low = midnight - 86_400
    var high = midnight + 86_400
    while high - low > 1 {
      let middle = low + (high - low) / 2
      if middle + offset(middle) < midnight { low = middle } else { high = middle }
    }
    return high
  }
}
