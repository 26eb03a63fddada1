public import FLMariaDB
public import FLValues

/// What clicks are counted by. A link and a QR code must be the account's own.
public enum ClickSubject: Hashable, Sendable {
  /// All links of the account.
  case account
  /// One link.
  case link(LinkID)
  /// One QR code: the scans of it alone.
  case qrCode(QRCodeID)
}

/// Every question that is asked of an account's clicks.
public struct ClickRows {
  private let account: AccountID
  private let database: any Queries

  /// The clicks of this account.
  public init(of account: AccountID, on database: any Queries) {
    self.account = account
    self.database = database
  }

  /// What a link shows of its clicks, or a QR code of its scans.
  public struct Total: Sendable, Equatable {
    /// Without bots.
    public let clicks: Int
    /// By no bot.
    public let lastClickedAt: Timestamp
  }

  /// The totals of these links, or of these QR codes, of those that were ever clicked. They must be the account's
  /// own.
  public func totals<Subject>(of subjects: [ID<Subject>]) throws -> [ID<Subject>: Total] {
    var totals: [ID<Subject>: Total] = [:]
    // The column has the bytes of either: identifiers are unique across both.
    for row in try database.rows(
      "SELECT link_id, clicks, last_clicked_at FROM link_click_totals WHERE link_id IN (\(subjects))")
    {
      totals[try row["link_id"]] = Total(clicks: try row["clicks"], lastClickedAt: try row["last_clicked_at"])
    }
    return totals
  }

  /// Single clicks on a link, the newest first: up to `limit` of those that are older than `before`. Bots are
  /// among them.
  public func clicks(on link: LinkID, before: ID<Click>? = nil, limit: Int) throws -> [Click] {
    let last = before ?? ID(high: .max, low: .max)
    return try database.rows(
      """
      SELECT id, link_id, account_id, at, visitor, is_bot, is_unique, source, qrcode_id, device, browser, system,
      referrer_host, language, country, city, utm_source, utm_medium, utm_campaign, utm_term, utm_content
      FROM clicks WHERE link_id = \(link) AND id < \(last) AND account_id = \(account)
      ORDER BY id DESC LIMIT \(limit)
      """
    ).map(Click.init)
  }

  /// How many single clicks on a link there are, bots among them.
  public func count(on link: LinkID) throws -> Int {
    // From the roll-up: counting rows would cost the more the more there are.
    try database.row(
      """
      SELECT CAST(COALESCE(SUM(clicks + bot_clicks), 0) AS SIGNED) AS count
      FROM click_buckets WHERE subject = \(link)
      """
    ).map { try $0["count"] } ?? 0
  }

  // MARK: Statistics

  /// The statistics of a link or of a QR code, which must be the account's own, or of all links of the account.
  ///
  /// Read from the roll-ups: what it costs depends on the length of the stretch and on how many different
  /// values there are, not on how many clicks.
  public func statistics(of subject: ClickSubject, _ query: ClickStatisticsQuery) throws -> ClickStatistics {
    let key =
      switch subject {
      case .account: ID<ClickTally>(subject: account)
      case .link(let link): ID<ClickTally>(subject: link)
      case .qrCode(let code): ID<ClickTally>(subject: code)
      }
    var statistics = ClickStatistics(points: query.points)
    // Clicks that are loaded between the two statements are in one of them alone: then both are read again.
    for _ in 0..<3 {
      statistics = ClickStatistics(points: query.points)
      let breakdowns = try breakdowns(of: key, query)
      try addSeries(of: key, query, to: &statistics)
      statistics.breakdowns = breakdowns.entries(total: statistics.totalClicks)
      if breakdowns.clicks == statistics.totalClicks { break }
    }
    return statistics
  }

  private func addSeries(
    of subject: ID<ClickTally>, _ query: ClickStatisticsQuery, to statistics: inout ClickStatistics
  ) throws {
    let rows = try database.rows(
      """
      SELECT start, clicks, unique_clicks, bot_clicks FROM click_buckets
      WHERE subject = \(subject) AND start >= \(query.from) AND start < \(query.to) ORDER BY start
      """)
    var index = 0
    for row in rows {
      let start: Timestamp = try row[0]
      while index + 1 < query.points.count, query.points[index + 1] <= start { index += 1 }
      let clicks: Int = try row[1]
      let uniqueClicks: Int = try row[2]
      let botClicks: Int = try row[3]
      statistics.series[index].clicks += clicks
      statistics.series[index].uniqueClicks += uniqueClicks
      statistics.totalClicks += clicks
      statistics.uniqueClicks += uniqueClicks
      statistics.botClicks += botClicks
    }
  }

  private func breakdowns(
    of subject: ID<ClickTally>, _ query: ClickStatisticsQuery
  ) throws -> ClickBreakdowns {
    var breakdowns = ClickBreakdowns()
    let pieces = Self.stretches(from: query.from, to: query.to).map {
      """
      SELECT dimension, value, clicks FROM click_breakdowns
      WHERE subject = \(subject) AND period = \($0.period.rawValue)
      AND start >= \($0.from) AND start < \($0.to)
      """ as SQL
    }.joined(by: " UNION ALL ")
    let limit = ClickStatistics.entryLimit
    let client = ClickTally.clientDimension
    let rows = try database.rows(
      """
      WITH sums AS (SELECT dimension, value, SUM(clicks) AS clicks FROM (\(pieces)) AS pieces
        GROUP BY dimension, value),
      ranked AS (SELECT dimension, value, clicks,
        ROW_NUMBER() OVER (PARTITION BY dimension ORDER BY clicks DESC, value) AS place FROM sums)
      SELECT dimension, MIN(IF(dimension = \(client) OR place <= \(limit), value, NULL)) AS entry, CAST(SUM(clicks) AS SIGNED) AS clicks,
        MIN(place) AS place
      FROM ranked GROUP BY dimension, IF(dimension = \(client), place, LEAST(place, \(limit + 1)))
      """)
    for row in rows {
      let code: Int = try row["dimension"]
      let value: String? = try row["entry"]
      breakdowns.add(try row["clicks"], of: value, dimension: code)
    }
    return breakdowns
  }

  /// Whole UTC days, and the quarters of an hour before and after them.
  private static func stretches(
    from: Timestamp, to: Timestamp
  ) -> [(period: BreakdownPeriod, from: Timestamp, to: Timestamp)] {
    let day = BreakdownPeriod.day.length
    let firstDay = Timestamp(seconds: from.seconds + day - 1).roundedDown(toSeconds: day)
    let lastDay = to.roundedDown(toSeconds: day)
    guard firstDay < lastDay else { return [(.quarter, from, to)] }
    return [(.quarter, from, firstDay), (.day, firstDay, lastDay), (.quarter, lastDay, to)].filter {
      $0.1 < $0.2
    }
  }

  // MARK: Purging

  /// Deletes the salts and the visitors' digests of days that ended more than `keepingDays` days ago, of all
  /// accounts: nobody can compute a digest again after that. Answers how many digests it deleted; at most
  /// `limit` in one go, so call it again while it answers that many.
  ///
  /// A click that is loaded later than this (its host was away for days) counts as a unique one once more.
  @discardableResult
  public static func purge(
    on database: some Queries, now: Timestamp = .now, keepingDays: Int = 2, limit: Int = 10_000
  ) throws -> Int {
    let oldest = now.roundedDown(toSeconds: 86_400) - .seconds(keepingDays * 86_400)
    try database.run("DELETE FROM click_salts WHERE day < \(oldest)")
    return try database.run("DELETE FROM click_visitors WHERE day < \(oldest) ORDER BY day LIMIT \(limit)")
  }
}

extension Click {
  /// Reads a row of `clicks`.
  fileprivate init(_ row: Row) throws {
    id = try row["id"]
    linkID = try row["link_id"]
    accountID = try row["account_id"]
    at = try row["at"]
    visitor = UInt64(bitPattern: try row["visitor"] as Int64)
    isBot = try row["is_bot"]
    isUnique = try row["is_unique"]
    source = ClickSource(rawValue: UInt8(truncatingIfNeeded: try row["source"] as Int)) ?? .click
    qrCodeID = try row["qrcode_id"]
    device = UserAgent.Device(rawValue: UInt8(truncatingIfNeeded: try row["device"] as Int)) ?? .other
    browser = try row["browser"]
    system = try row["system"]
    referrerHost = try row["referrer_host"]
    language = try row["language"]
    campaign = Campaign()
    campaign.source = try row["utm_source"]
    campaign.medium = try row["utm_medium"]
    campaign.name = try row["utm_campaign"]
    campaign.term = try row["utm_term"]
    campaign.content = try row["utm_content"]
    country = try row["country"]
    city = try row["city"]
  }
}
