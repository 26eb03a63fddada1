import FLValues

/// What the statistics break clicks down by. (The table has the raw values, and one for `browser`, `system` and
/// `device` together: `ClickTally.clientDimension`.)
public enum ClickDimension: Int, Sendable, CaseIterable {
  /// ISO 3166-1 alpha-2.
  case country = 1
  /// The city's name.
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
  /// A row of `click_buckets`. `subject` has the bytes of a link's or an account's id.
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

  /// A row of `link_click_totals`.
  struct Total {
    var linkID: LinkID
    var clicks: Int
    var lastClickedAt: Timestamp
  }

  /// In the order of their keys, as all that follow: loaders that lock rows in one order do not deadlock.
  let buckets: [Bucket]
  let breakdowns: [Breakdown]
  let totals: [Total]

  private struct SlotKey: Hashable {
    var linkID: LinkID
    var accountID: AccountID
    var quarter: Timestamp
  }

  private struct DimensionValue: Hashable {
    var dimension: Int
    var value: String
  }

  /// The clicks on one link in one quarter of an hour.
  private struct Slot {
    var clicks = 0
    var uniqueClicks = 0
    var botClicks = 0
    var values: [DimensionValue: Int] = [:]

    mutating func count(_ dimension: ClickDimension, _ value: String) {
      values[DimensionValue(dimension: dimension.rawValue, value: value), default: 0] += 1
    }
  }

  /// Sums up `clicks`.
  init(_ clicks: [Click]) {
    var slots: [SlotKey: Slot] = [:]
    var last: [LinkID: (clicks: Int, at: Timestamp)] = [:]
    for click in clicks {
      let key = SlotKey(
        linkID: click.linkID, accountID: click.accountID,
        quarter: click.at.roundedDown(toSeconds: BreakdownPeriod.quarter.length))
      Self.count(click, in: &slots[key, default: Slot()])
      guard !click.isBot else { continue }
      let before = last[click.linkID] ?? (0, click.at)
      last[click.linkID] = (before.clicks + 1, max(before.at, click.at))
    }

    var buckets: [BreakdownKey: Bucket] = [:]
    var breakdowns: [BreakdownKey: Int] = [:]
    for (key, slot) in slots {
      for subject in [
        ID<ClickTally>(subject: key.linkID), ID<ClickTally>(subject: key.accountID),
      ] {
        let bucket = BreakdownKey(subject: subject, period: 0, start: key.quarter, dimension: 0, value: "")
        buckets[bucket, default: Bucket(subject: subject, start: key.quarter)].add(
          slot.clicks, slot.uniqueClicks, slot.botClicks)
        for period in [BreakdownPeriod.quarter, .day] {
          var row = bucket
          row.period = period.rawValue
          row.start = key.quarter.roundedDown(toSeconds: period.length)
          for (entry, count) in slot.values {
            (row.dimension, row.value) = (entry.dimension, entry.value)
            breakdowns[row, default: 0] += count
          }
        }
      }
    }
    self.buckets = buckets.sorted { $0.key < $1.key }.map(\.value)
    self.breakdowns = breakdowns.sorted { $0.key < $1.key }.map { Breakdown(key: $0.key, clicks: $0.value) }
    totals = last.sorted { $0.key < $1.key }.map {
      Total(linkID: $0.key, clicks: $0.value.clicks, lastClickedAt: $0.value.at)
    }
  }

  /// Browser, system and device are one value, `Firefox|Linux|desktop`, and so one row for what would be three:
  /// their combinations are few. For the same reason the usual value has no row where it can be had by
  /// subtraction: no referrer, no language, and the source `click`.
  static let clientDimension = 14

  /// Bots are counted, and in nothing else.
  private static func count(_ click: Click, in slot: inout Slot) {
    guard !click.isBot else {
      slot.botClicks += 1
      return
    }
    slot.clicks += 1
    slot.uniqueClicks += click.isUnique ? 1 : 0
    if let country = click.country { slot.count(.country, country) }
    if let city = click.city { slot.count(.city, city) }
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
