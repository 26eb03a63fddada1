import FLHTTP
import FLMariaDB
import FLValues

/// The statistics of links, and single clicks.
struct ClickRoutes {
  let database: Database

  var routes: [Route] {
    [
      Route(
        .get, "/api/links/stats", "getLinksStatistics", access: .scope(.links), tag: "Statistics",
        summary: "Read the statistics of all links", Self.from, Self.to, Self.interval, Self.zone,
        reply: .ok(ClickStatistics.shape),
        handler: { call, from, to, interval, zone in
          try statistics(call, of: nil, from, to, interval, zone)
        }),
      Route(
        .get, "/api/links/{id}/stats", "getLinkStatistics", access: .scope(.links), tag: "Statistics",
        summary: "Read the statistics of a link", .path("id", .id(), "The link's id."), Self.from, Self.to,
        Self.interval, Self.zone,
        reply: .ok(ClickStatistics.shape),
        handler: { call, id, from, to, interval, zone in
          try check(call, id)
          return try statistics(call, of: id, from, to, interval, zone)
        }),
      Route(
        .get, "/api/links/{id}/clicks", "listClicks", access: .scope(.links), tag: "Statistics",
        summary: "List single clicks, the newest first",
        description: "No address is kept. `total` counts the clicks of bots as well.",
        .path("id", .id(), "The link's id."), .limit,
        .cursor, reply: .list(Click.shape, named: "Click"),
        handler: { call, id, limit, cursor in try clicks(call, id, limit, cursor) }),
    ]
  }

  static let from: Parameter<Timestamp?> = .query(
    "from", .optional(.timestamp), "The start; 30 days before `to` unless given.")
  static let to: Parameter<Timestamp?> = .query(
    "to", .optional(.timestamp), "The end; now unless given.")
  static let interval: Parameter<StatisticsInterval> = .query(
    "interval", Shape<StatisticsInterval>.oneOf(StatisticsInterval.self).defaulting(to: .day),
    "The length of a point of `series`.")
  static let zone: Parameter<String> = .query(
    "timezone", Shape<String>.text(1...64).defaulting(to: "UTC"),
    "An IANA name, in whose local time points begin.")

  private func check(_ call: Call, _ id: LinkID) throws {
    guard try LinkRows(account: call.caller.account, queries: database).exists(id) else {
      throw Problem.notFound
    }
  }

  func statistics(
    _ call: Call, of link: LinkID?, _ from: Timestamp?, _ to: Timestamp?, _ interval: StatisticsInterval,
    _ zone: String
  ) throws -> ClickStatistics {
    let end = to ?? call.now
    let start = from ?? end - .seconds(30 * 86_400)
    let query: ClickStatisticsQuery
    do throws(ClickStatisticsQuery.Refusal) {
      query = try ClickStatisticsQuery(from: start, to: end, interval: interval, timeZone: zone)
    } catch {
      throw Problem.invalid([FieldProblem(error)])
    }
    return try ClickRows(of: call.caller.account, on: database).statistics(of: link, query)
  }

  func clicks(_ call: Call, _ id: LinkID, _ limit: Int, _ cursor: Cursor?) throws -> Page<Click> {
    try check(call, id)
    let rows = ClickRows(of: try call.caller.account, on: database)
    let clicks = try rows.clicks(on: id, before: cursor?.id(), limit: limit + 1)
    return try Page(clicks, limit: limit, total: rows.count(on: id)) { Cursor(id: $0.id) }
  }
}

extension FieldProblem {
  fileprivate init(_ refusal: ClickStatisticsQuery.Refusal) {
    switch refusal {
    case .unknownTimeZone:
      self.init("timezone", "unknown_timezone", "This must be an IANA name like Europe/Berlin.")
    case .emptyRange: self.init("from", "empty_range", "This must be before `to`.")
    case .outOfRange: self.init("from", "out_of_range", "The time must be in the years 1970 to 9999.")
    case .tooManyPoints(let limit):
      self.init(
        "interval", "too_many_points", "The series would have more than \(limit) points: take longer ones.")
    }
  }
}

extension ClickStatistics {
  static let shape = Shape<ClickStatistics>.output(
    "Statistics",
    [
      .init("totalClicks", \.totalClicks, .count), .init("uniqueClicks", \.uniqueClicks, .count),
      .init("botClicks", \.botClicks, .count),
      .init("series", \.series, .list(of: point, atMost: ClickStatisticsQuery.pointLimit)),
      breakdown("countries", .country), breakdown("cities", .city), breakdown("referrers", .referrer),
      breakdown("browsers", .browser), breakdown("systems", .system), breakdown("devices", .device),
      breakdown("sources", .source), breakdown("languages", .language),
      breakdown("utmSources", .utmSource), breakdown("utmMediums", .utmMedium),
      breakdown("utmCampaigns", .utmCampaign),
    ])

  private static let point = Shape<Point>.output(
    "StatisticsPoint",
    [
      .init("start", \.start, .timestamp), .init("clicks", \.clicks, .count),
      .init("uniqueClicks", \.uniqueClicks, .count),
    ])

  private static let entry = Shape<Entry>.output(
    "StatisticsEntry", [.init("key", \.key, .string), .init("clicks", \.clicks, .count)])

  private static func breakdown(_ name: String, _ dimension: ClickDimension) -> Shape<ClickStatistics>.Member
  {
    .init(name, { $0[dimension] }, .list(of: entry, atMost: ClickStatistics.entryLimit + 1))
  }
}

extension Click {
  static let shape = Shape<Click>.output(
    "Click",
    [
      .init("id", \.id, .id()), .init("at", \.at, .timestamp), .init("isBot", \.isBot, .bool),
      .init("isUnique", \.isUnique, .bool), .init("source", \.source.name, .string),
      .init("country", \.country, .optional(.string)), .init("city", \.city, .optional(.string)),
      .init("browser", \.browser, .optional(.string)), .init("system", \.system, .optional(.string)),
      .init("device", { String(describing: $0.device) }, .string),
      .init("referrer", \.referrerHost, .optional(.string)),
      .init("language", \.language, .optional(.string)),
      .init("utmSource", \.campaign.source, .optional(.string)),
      .init("utmMedium", \.campaign.medium, .optional(.string)),
      .init("utmCampaign", \.campaign.name, .optional(.string)),
      .init("utmTerm", \.campaign.term, .optional(.string)),
      .init("utmContent", \.campaign.content, .optional(.string)),
    ])
}
