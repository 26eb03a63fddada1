import FLValues

/// What the statistics break clicks down by. (The table has the raw values, and one for `browser`, `system` and
/// `device` together: `ClickTally.clientDimension`.)
public enum ClickDimension: Int, Sendable, CaseIterable {
  /// ISO 3166-1 alpha-2.
  case country = 1
  /// The city's name and its country: `Paris, FR`, since names come twice.
  case city
  /// The host that led here, `(direct)` for none.
  case referrer
  /// The browser's name.
  case browser
  /// The operating system's name.
  case system
  /// `UserAgent.Device`.
  case device
  /// `ClickSource`.
  case source
  /// The primary language subtag.
  case language
  /// `utm_source` of the visitor's query.
  case utmSource
  /// `utm_medium`.
  case utmMedium
  /// `utm_campaign`.
  case utmCampaign
  /// `utm_term`.
  case utmTerm
  /// `utm_content`.
  case utmContent
}

/// The periods that breakdowns are kept for.
enum BreakdownPeriod: Int {
  case quarter = 0
  case day = 1

  /// Seconds. The zones of the world differ by whole quarters of an hour, so that the hours and days of each
  /// are sums of UTC quarters.
  var length: Int64 { self == .quarter ? 900 : 86_400 }
}

/// The sums of a batch of clicks, as they are added to the roll-ups.
struct ClickTally {
  /// A row of `click_buckets`. `subject` has the bytes of a link's, an account's or a QR code's id.
  struct Bucket {
    var subject: ID<ClickTally>
    var start: Timestamp
    var clicks = 0
    var uniqueClicks = 0
    var botClicks = 0
  }

  /// A row of `click_breakdowns`.
  struct Breakdown {
    var key: BreakdownKey
    var clicks: Int
  }

  struct BreakdownKey: Hashable, Comparable {
    var subject: ID<ClickTally>
    var period: Int
    var start: Timestamp
    var dimension: Int
    var value: String

    static func < (left: Self, right: Self) -> Bool {
      if left.subject != right.subject { return left.subject < right.subject }
      if left.period != right.period { return left.period < right.period }
      if left.start != right.start { return left.start < right.start }
      if left.dimension != right.dimension { return left.dimension < right.dimension }
      return left.value < right.value
    }
  }

  /// A row of `link_click_totals`, of a link or of a QR code.
  struct Total {
    var subject: ID<ClickTally>
    var clicks: Int
    var lastClickedAt: Timestamp
  }

  /// In the order of their keys, as all that follow: loaders that lock rows in one order do not deadlock.
  let buckets: [Bucket]
  private(set) var breakdowns: [Breakdown]
  let totals: [Total]

  /// A subject's UTC day.
  struct Day: Hashable, Comparable {
    var subject: ID<ClickTally>
    var start: Timestamp

    static func < (left: Self, right: Self) -> Bool {
      left.subject == right.subject ? left.start < right.start : left.subject < right.subject
    }
  }

  /// The values of a dimension on a subject's day.
  struct Group: Hashable {
    var day: Day
    var dimension: Int
  }

  private struct SlotKey: Hashable {
    var linkID: LinkID
    var accountID: AccountID
    var quarter: Timestamp
  }

  private struct ScanKey: Hashable {
    var code: QRCodeID
    var quarter: Timestamp
  }

  private struct DimensionValue: Hashable {
    var dimension: Int
    var value: String
  }

  /// The clicks on one link, or the scans of one QR code, in one quarter of an hour.
  private struct Slot {
    var clicks = 0
    var uniqueClicks = 0
    var botClicks = 0
    var values: [DimensionValue: Int] = [:]

    mutating func count(_ dimension: ClickDimension, _ value: String) {
      values[DimensionValue(dimension: dimension.rawValue, value: value), default: 0] += 1
    }
  }

  /// Sums up `clicks`. `uniqueScans` are those that were their visitor's first of their QR code on their day.
  init(_ clicks: [Click], uniqueScans: Set<ID<Click>> = []) {
    var slots: [SlotKey: Slot] = [:]
    var scans: [ScanKey: Slot] = [:]
    var last: [ID<ClickTally>: (clicks: Int, at: Timestamp)] = [:]
    for click in clicks {
      let quarter = click.at.roundedDown(toSeconds: BreakdownPeriod.quarter.length)
      let key = SlotKey(linkID: click.linkID, accountID: click.accountID, quarter: quarter)
      Self.count(click, isUnique: click.isUnique, in: &slots[key, default: Slot()])
      var subjects = [ID<ClickTally>(subject: click.linkID)]
      if let code = click.qrCodeID {
        let key = ScanKey(code: code, quarter: quarter)
        Self.count(click, isUnique: uniqueScans.contains(click.id), in: &scans[key, default: Slot()])
        subjects.append(ID(subject: code))
      }
      guard !click.isBot else { continue }
      for subject in subjects {
        let before = last[subject] ?? (0, click.at)
        last[subject] = (before.clicks + 1, max(before.at, click.at))
      }
    }

    var buckets: [BreakdownKey: Bucket] = [:]
    var breakdowns: [BreakdownKey: Int] = [:]
    func add(_ slot: Slot, to subject: ID<ClickTally>, _ quarter: Timestamp) {
      let bucket = BreakdownKey(subject: subject, period: 0, start: quarter, dimension: 0, value: "")
      buckets[bucket, default: Bucket(subject: subject, start: quarter)].add(
        slot.clicks, slot.uniqueClicks, slot.botClicks)
      for period in [BreakdownPeriod.quarter, .day] {
        var row = bucket
        row.period = period.rawValue
        row.start = quarter.roundedDown(toSeconds: period.length)
        for (entry, count) in slot.values {
          (row.dimension, row.value) = (entry.dimension, entry.value)
          breakdowns[row, default: 0] += count
        }
      }
    }
    for (key, slot) in slots {
      add(slot, to: ID(subject: key.linkID), key.quarter)
      add(slot, to: ID(subject: key.accountID), key.quarter)
    }
    for (key, slot) in scans { add(slot, to: ID(subject: key.code), key.quarter) }
    self.buckets = buckets.sorted { $0.key < $1.key }.map(\.value)
    self.breakdowns = Self.sorted(breakdowns)
    totals = last.sorted { $0.key < $1.key }.map {
      Total(subject: $0.key, clicks: $0.value.clicks, lastClickedAt: $0.value.at)
    }
  }

  private static func sorted(_ breakdowns: [BreakdownKey: Int]) -> [Breakdown] {
    breakdowns.sorted { $0.key < $1.key }.map { Breakdown(key: $0.key, clicks: $0.value) }
  }

  // MARK: Too many values

  /// The dimensions whose values strangers can invent, or that have too many to be bounded by themselves.
  static let openDimensions = Set(
    [
      ClickDimension.city, .referrer, .language, .utmSource, .utmMedium, .utmCampaign, .utmTerm, .utmContent,
    ].map(\.rawValue))

  /// The values of the open dimensions by day and dimension, each with its clicks on the day.
  var openValues: [Day: [Int: [String: Int]]] {
    var values: [Day: [Int: [String: Int]]] = [:]
    for row in breakdowns
    where row.key.period == BreakdownPeriod.day.rawValue && Self.openDimensions.contains(row.key.dimension) {
      let day = Day(subject: row.key.subject, start: row.key.start)
      values[day, default: [:]][row.key.dimension, default: [:]][row.key.value] = row.clicks
    }
    return values
  }

  /// Counts these values as others, in the day and in its quarters of an hour.
  mutating func fold(_ surplus: [Group: Set<String>]) {
    guard !surplus.isEmpty else { return }
    var folded: [BreakdownKey: Int] = [:]
    for row in breakdowns {
      var key = row.key
      let day = Day(subject: key.subject, start: key.start.roundedDown(toSeconds: BreakdownPeriod.day.length))
      if surplus[Group(day: day, dimension: key.dimension)]?.contains(key.value) == true {
        key.value = DistinctValues.other
      }
      folded[key, default: 0] += row.clicks
    }
    breakdowns = Self.sorted(folded)
  }

  /// Browser, system and device are one value, `Firefox|Linux|desktop`, and so one row for what would be three:
  /// their combinations are few. For the same reason the usual value has no row where it can be had by
  /// subtraction: no referrer, no language, and the source `click`.
  static let clientDimension = 14

  /// Bots are counted, and in nothing else.
  private static func count(_ click: Click, isUnique: Bool, in slot: inout Slot) {
    guard !click.isBot else {
      slot.botClicks += 1
      return
    }
    slot.clicks += 1
    slot.uniqueClicks += isUnique ? 1 : 0
    if let country = click.country { slot.count(.country, country) }
    if let city = click.city { slot.count(.city, ClickPlace.cityKey(city, country: click.country)) }
    if let host = click.referrerHost { slot.count(.referrer, host) }
    if let language = click.language { slot.count(.language, language) }
    if click.source != .click { slot.count(.source, click.source.name) }
    let client = "\(click.browser ?? "")|\(click.system ?? "")|\(click.device.name)"
    slot.values[DimensionValue(dimension: Self.clientDimension, value: client), default: 0] += 1
    if let source = click.campaign.source { slot.count(.utmSource, source) }
    if let medium = click.campaign.medium { slot.count(.utmMedium, medium) }
    if let name = click.campaign.name { slot.count(.utmCampaign, name) }
    if let term = click.campaign.term { slot.count(.utmTerm, term) }
    if let content = click.campaign.content { slot.count(.utmContent, content) }
  }
}

extension ID<ClickTally> {
  /// The key of a roll-up: the bytes of a link's, an account's or a QR code's identifier.
  init<Other>(subject: ID<Other>) { self.init(high: subject.high, low: subject.low) }
}

extension ClickTally.Bucket {
  fileprivate mutating func add(_ clicks: Int, _ uniqueClicks: Int, _ botClicks: Int) {
    self.clicks += clicks
    self.uniqueClicks += uniqueClicks
    self.botClicks += botClicks
  }
}
