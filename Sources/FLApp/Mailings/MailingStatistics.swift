import FLHTTP
import FLMariaDB
import FLValues

/// What became of a mailing, in numbers.
struct MailingStatistics: Sendable {
  /// An address that it links to.
  struct Link: Sendable {
    let url: String
    /// All clicks.
    let clicks: Int
    /// The people who clicked.
    let uniqueClicks: Int

    static let shape = Shape<Link>.output(
      "MailingLink",
      [
        .init("url", \.url, .string), .init("clicks", \.clicks, .count),
        .init("uniqueClicks", \.uniqueClicks, .count),
      ])
  }

  /// A domain that it went to.
  struct Domain: Sendable {
    let domain: String
    let recipients: Int
    let sent: Int
    let failed: Int
    let bounced: Int

    static let shape = Shape<Domain>.output(
      "MailingDomain",
      [
        .init("domain", \.domain, .string), .init("recipients", \.recipients, .count),
        .init("sent", \.sent, .count), .init("failed", \.failed, .count), .init("bounced", \.bounced, .count),
      ])
  }

  /// Why messages did not arrive, as servers said it.
  struct Failure: Sendable {
    let smtpCode: Int?
    let smtpReply: String?
    let count: Int

    static let shape = Shape<Failure>.output(
      "MailingFailure",
      [
        .init("smtpCode", \.smtpCode, .optional(.count)), .init("smtpReply", \.smtpReply, .optional(.string)),
        .init("count", \.count, .count),
      ])
  }

  /// What happened in one hour.
  struct Hour: Sendable {
    let start: Timestamp
    var sent = 0
    var opened = 0
    var clicked = 0

    static let shape = Shape<Hour>.output(
      "MailingHour",
      [
        .init("start", \.start, .timestamp), .init("sent", \.sent, .count), .init("opened", \.opened, .count),
        .init("clicked", \.clicked, .count),
      ])
  }

  let counts: MailingCounts
  let links: [Link]
  let domains: [Domain]
  let failures: [Failure]
  let series: [Hour]

  /// The part of those who got it; 0 where nobody did.
  private func rate(_ number: Int) -> Double {
    // Who opened it had it, whatever the server said later.
    let reached = max(counts.sent, number)
    return reached == 0 ? 0 : (Double(number) / Double(reached) * 100).rounded() / 100
  }

  static let shape = Shape<MailingStatistics>.output(
    "MailingStatistics",
    [
      .init("counts", \.counts, MailingCounts.shape),
      .init(
        "openRate", { $0.rate($0.counts.opened) },
        Shape<Double>.share.described("Of those who got it, from 0 to 1, with two decimals.")),
      .init("clickRate", { $0.rate($0.counts.clicked) }, .share),
      .init(
        "links", \.links, Shape<[Link]>.list(of: Link.shape).described("Up to 500, where clicks are tracked.")
      ),
      .init("domains", \.domains, Shape<[Domain]>.list(of: Domain.shape).described("The 20 largest.")),
      .init(
        "failures", \.failures, Shape<[Failure]>.list(of: Failure.shape).described("The 20 most common.")),
      .init(
        "series", \.series,
        Shape<[Hour]>.list(of: Hour.shape, atMost: 168).described(
          "Hour by hour from the first message on, for at most seven days; hours without anything are left out."
        )),
    ])
}

extension Shape where Value == Double {
  /// A part of a whole, from 0 to 1.
  fileprivate static let share = Shape(
    schema: Schema(["type": "number", "minimum": 0, "maximum": 1]),
    read: { json, reading in
      if case .number(let number) = json { return number }
      if case .integer(let number) = json { return Double(number) }
      reading.refuseType("a number")
      return nil
    },
    write: { $1.number($0) })
}

/// Every SQL statement about the statistics of one mailing, which must be the caller's.
struct MailingStatisticsRows {
  let mailing: Mailing
  let queries: any Queries

  func statistics() throws -> MailingStatistics {
    try MailingStatistics(
      counts: mailing.counts, links: links(), domains: domains(), failures: failures(), series: series())
  }

  private func links() throws -> [MailingStatistics.Link] {
    try queries.rows(
      """
      SELECT l.url, l.clicks, COUNT(v.contact_id) AS visitors
      FROM (SELECT position, url, clicks FROM mailing_links WHERE mailing_id = \(mailing.id)
        ORDER BY position LIMIT 500) l
      LEFT JOIN mailing_link_visitors v ON v.mailing_id = \(mailing.id) AND v.position = l.position
      GROUP BY l.position, l.url, l.clicks ORDER BY l.clicks DESC, l.position
      """
    ).map { try .init(url: $0["url"], clicks: $0["clicks"], uniqueClicks: $0["visitors"]) }
  }

  private func domains() throws -> [MailingStatistics.Domain] {
    try queries.rows(
      """
      SELECT LOWER(SUBSTRING_INDEX(email, '@', -1)) AS domain, COUNT(*) AS n,
        CAST(SUM(status = 'sent') AS INTEGER) AS sent, CAST(SUM(status = 'failed') AS INTEGER) AS failed,
        CAST(SUM(status = 'bounced') AS INTEGER) AS bounced
      FROM mailing_recipients WHERE mailing_id = \(mailing.id)
      GROUP BY 1 ORDER BY n DESC, domain LIMIT 20
      """
    ).map {
      try .init(
        domain: $0["domain"], recipients: $0["n"], sent: $0["sent"], failed: $0["failed"],
        bounced: $0["bounced"])
    }
  }

  private func failures() throws -> [MailingStatistics.Failure] {
    try queries.rows(
      """
      SELECT smtp_code, smtp_reply, COUNT(*) AS n FROM mailing_recipients
      WHERE mailing_id = \(mailing.id) AND status IN ('failed', 'bounced')
      GROUP BY smtp_code, smtp_reply ORDER BY n DESC LIMIT 20
      """
    ).map { try .init(smtpCode: $0["smtp_code"], smtpReply: $0["smtp_reply"], count: $0["n"]) }
  }

  private func series() throws -> [MailingStatistics.Hour] {
    guard let start = mailing.startedAt?.roundedDown(toSeconds: 3600) else { return [] }
    let end = start + .seconds(7 * 86_400)
    func part(_ what: SQL, _ column: SQL, _ condition: SQL) -> SQL {
      """
      SELECT \(what) AS what, TIMESTAMPDIFF(HOUR, \(start), \(column)) AS hour, COUNT(*) AS n
      FROM mailing_recipients WHERE mailing_id = \(mailing.id) AND \(condition)
        AND \(column) >= \(start) AND \(column) < \(end) GROUP BY hour
      """
    }
    // Openings and clicks are looked for among those who did something alone.
    let parts = [
      part("'sent'", "sent_at", "sent_at IS NOT NULL"), part("'opened'", "opened_at", "reactions > 0"),
      part("'clicked'", "clicked_at", "reactions > 0"),
    ]
    var hours: [Int: MailingStatistics.Hour] = [:]
    for row in try queries.rows(parts.joined(by: " UNION ALL ")) {
      let number: Int = try row["hour"]
      var hour = hours[number] ?? .init(start: start + .seconds(number * 3600))
      switch try row["what"] as String {
      case "sent": hour.sent = try row["n"]
      case "opened": hour.opened = try row["n"]
      default: hour.clicked = try row["n"]
      }
      hours[number] = hour
    }
    return hours.sorted { $0.key < $1.key }.map(\.value)
  }
}
