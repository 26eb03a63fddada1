public import FLValues
import Foundation

/// The length of a point of a series, in the local time of a zone.
public enum StatisticsInterval: String, Sendable, CaseIterable {
  /// An hour.
  case hour
  /// A day.
  case day
  /// A week, from Monday on (ISO 8601).
  case week
  /// A calendar month.
  case month
}

/// What statistics are asked for: a stretch of time, and how it is cut into points.
public struct ClickStatisticsQuery: Sendable {
  /// Why there can be no such statistics.
  public enum Refusal: Error, Sendable, Equatable {
    /// Not a name of the IANA time zone database.
    case unknownTimeZone
    /// `from` is not before `to`.
    case emptyRange
    /// Outside of the years 1970 to 9999.
    case outOfRange
    /// The series would have more points than this.
    case tooManyPoints(limit: Int)
  }

  /// The most points of a series.
  public static let pointLimit = 2000

  /// The start, rounded down to a quarter of an hour, which is what clicks are counted by.
  public let from: Timestamp
  /// The end, rounded up likewise and excluded.
  public let to: Timestamp
  /// The length of a point.
  public let interval: StatisticsInterval
  /// The IANA name of the zone whose hours and days are meant.
  public let timeZone: String
  /// Where the points start, in order and without gaps. The first may start before `from`: it is named by its
  /// period, and counts from `from` on.
  public let points: [Timestamp]

  /// A query; without `to` it ends now, without `from` it starts 30 days before its end.
  public init(
    from: Timestamp? = nil, to: Timestamp? = nil, interval: StatisticsInterval = .day,
    timeZone: String = "UTC",
    now: Timestamp = .now
  ) throws(Refusal) {
    guard Self.isKnown(timeZone), let zone = TimeZone(identifier: timeZone) else { throw .unknownTimeZone }
    let end = to ?? now
    let start = from ?? end - .seconds(30 * 86_400)
    guard start < end else { throw .emptyRange }
    guard start >= Timestamp(seconds: 0), end < Timestamp(seconds: 253_402_000_000) else { throw .outOfRange }
    self.from = start.roundedDown(toSeconds: 900)
    self.to = Timestamp(microseconds: end.microseconds + 899_999_999).roundedDown(toSeconds: 900)
    self.interval = interval
    self.timeZone = timeZone
    let periods = LocalPeriods(zone: zone, interval: interval)
    guard let points = periods.starts(from: self.from, to: self.to, limit: Self.pointLimit) else {
      throw .tooManyPoints(limit: Self.pointLimit)
    }
    self.points = points
  }

  private static let zones = Set(TimeZone.knownTimeZoneIdentifiers + ["UTC"])

  /// Whether this is the name of a time zone of the IANA database.
  ///
  /// Foundation lists one name of each zone and understands the others too (`Asia/Kolkata` besides
  /// `Asia/Calcutta`), but also what is no name (`GMT+5`): hence the look at the form.
  public static func isKnown(_ timeZone: String) -> Bool {
    if zones.contains(timeZone) { return true }
    guard timeZone.utf8.count <= 64, timeZone.utf8.contains(47) else { return false }
    let isName = timeZone.utf8.allSatisfy { byte in
      switch byte {
      case 48...57, 65...90, 97...122, 43, 45, 47, 95: true
      default: false
      }
    }
    return isName && TimeZone(identifier: timeZone) != nil
  }
}

/// The clicks on a link, or on all links of an account, in a stretch of time.
public struct ClickStatistics: Sendable, Equatable {
  /// One point of the series.
  public struct Point: Sendable, Equatable {
    /// When it starts; it ends where the next one starts.
    public let start: Timestamp
    /// Clicks without bots.
    public var clicks: Int
    /// Clicks that were a visitor's first on a link on a UTC day.
    public var uniqueClicks: Int
  }

  /// One line of a breakdown.
  public struct Entry: Sendable, Equatable {
    /// The value; `(direct)`, `(unknown)` and `(other)` stand for none, unknown, and those past the 100th.
    public let key: String
    /// Clicks without bots.
    public let clicks: Int

    /// A line.
    public init(key: String, clicks: Int) { (self.key, self.clicks) = (key, clicks) }
  }

  /// How many lines a breakdown has at most; the rest is summed up in one more, `(other)`.
  public static let entryLimit = 100

  /// Clicks without bots; the sum of the series.
  public internal(set) var totalClicks = 0
  /// Clicks that were a visitor's first on a link on a UTC day; the sum of the series. (The salt of the digests
  /// changes each day, so no visitor is known across days, nor across links.)
  public internal(set) var uniqueClicks = 0
  /// Requests of programs, which are counted nowhere else.
  public internal(set) var botClicks = 0
  /// The points, without gaps.
  public internal(set) var series: [Point]
  /// The breakdowns that have clicks, the most clicks first and then by key, `(other)` last.
  public internal(set) var breakdowns: [ClickDimension: [Entry]] = [:]

  /// A breakdown; empty where nothing is known.
  public subscript(dimension: ClickDimension) -> [Entry] { breakdowns[dimension] ?? [] }

  /// Nothing but the points.
  init(points: [Timestamp]) {
    series = points.map { Point(start: $0, clicks: 0, uniqueClicks: 0) }
  }
}
