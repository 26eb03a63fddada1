import FLCrypto
import FLMariaDB
import FLValues
import Foundation
import Testing

@testable import FLApp

@Suite struct ClicksStatisticsTests {
  private func time(_ text: String) throws -> Timestamp { try #require(Timestamp(rfc3339: text)) }

  private func query(
    _ from: String, _ to: String, _ interval: StatisticsInterval, _ zone: String
  ) throws -> ClickStatisticsQuery {
    try ClickStatisticsQuery(from: time(from), to: time(to), interval: interval, timeZone: zone)
  }

  private func points(
    _ from: String, _ to: String, _ interval: StatisticsInterval, _ zone: String
  ) throws -> [String] {
    try query(from, to, interval, zone).points.map(\.description)
  }

  @Test func cutsDaysOfTwentyThreeAndTwentyFiveHours() throws {
    // Berlin: 2026-03-29 has 23 hours, 2026-10-25 has 25.
    #expect(try points("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", .hour, "Europe/Berlin").count == 23)
    #expect(try points("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", .hour, "Europe/Berlin").count == 25)
    #expect(
      try points("2026-03-28T12:00:00Z", "2026-03-31T00:00:00Z", .day, "Europe/Berlin") == [
        "2026-03-27T23:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z", "2026-03-30T22:00:00Z",
      ])
    // Cairo leaves out midnight: the day begins at 01:00. Havana has the hour from midnight twice.
    #expect(
      try points("2026-04-23T00:00:00Z", "2026-04-25T00:00:00Z", .day, "Africa/Cairo") == [
        "2026-04-22T22:00:00Z", "2026-04-23T22:00:00Z", "2026-04-24T21:00:00Z",
      ])
    #expect(
      try points("2026-10-31T12:00:00Z", "2026-11-03T00:00:00Z", .day, "America/Havana") == [
        "2026-10-31T04:00:00Z", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z",
      ])
    // Lord Howe moves by half an hour: 2026-04-05 has 24.5 hours.
    let howe = try query("2026-04-04T13:00:00Z", "2026-04-05T13:30:00Z", .hour, "Australia/Lord_Howe")
    #expect(howe.points.count == 24)
    #expect(
      try points("2026-04-04T13:00:00Z", "2026-04-05T14:00:00Z", .day, "Australia/Lord_Howe")
        == ["2026-04-04T13:00:00Z", "2026-04-05T13:30:00Z"])
    // Samoa left out 2011-12-30.
    #expect(
      try points("2011-12-29T10:00:00Z", "2011-12-31T20:00:00Z", .day, "Pacific/Apia") == [
        "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z",
      ])
  }

  @Test func cutsWeeksAndMonthsAndOddOffsets() throws {
    #expect(
      try points("2026-11-22T08:00:00Z", "2026-12-01T00:00:00Z", .week, "UTC") == [
        "2026-11-16T00:00:00Z", "2026-11-23T00:00:00Z", "2026-11-30T00:00:00Z",
      ])
    #expect(
      try points("2026-02-10T00:00:00Z", "2026-04-10T00:00:00Z", .month, "America/New_York") == [
        "2026-02-01T05:00:00Z", "2026-03-01T05:00:00Z", "2026-04-01T04:00:00Z",
      ])
    #expect(
      try points("2026-06-01T00:00:00Z", "2026-06-01T01:00:00Z", .hour, "Asia/Kathmandu")
        == ["2026-05-31T23:15:00Z", "2026-06-01T00:15:00Z"])
    #expect(
      try points("2026-06-01T00:00:00Z", "2026-06-01T12:00:00Z", .day, "Asia/Kolkata")
        == ["2026-05-31T18:30:00Z"])
    #expect(
      try points("1970-01-01T00:00:00Z", "1970-01-08T00:00:00Z", .week, "UTC")
        == ["1969-12-29T00:00:00Z", "1970-01-05T00:00:00Z"])
  }

  /// The points agree with Foundation's calendar, in every zone, around the changes of two years.
  @Test func agreesWithTheCalendarInEveryZone() throws {
    for name in TimeZone.knownTimeZoneIdentifiers {
      var calendar = Calendar(identifier: .gregorian)
      calendar.timeZone = try #require(TimeZone(identifier: name))
      let days = try query("2025-12-30T00:00:00Z", "2027-01-03T00:00:00Z", .day, name).points
      for (start, next) in zip(days, days.dropFirst()) {
        #expect((79_200_000_000...93_600_000_000).contains(next.microseconds - start.microseconds))
        let date = Date(timeIntervalSince1970: Double(start.seconds))
        let before = Date(timeIntervalSince1970: Double(start.seconds - 1))
        #expect(
          calendar.component(.day, from: date) != calendar.component(.day, from: before), "\(name) \(start)")
        #expect(!calendar.isDate(date, inSameDayAs: before))
      }
    }
  }

  @Test func refusesWhatCannotBe() throws {
    typealias Refusal = ClickStatisticsQuery.Refusal
    for zone in ["", "Mars/Olympus", "GMT+5", "../UTC", "Europe/Berlin\0"] {
      #expect(throws: Refusal.unknownTimeZone) { try ClickStatisticsQuery(timeZone: zone) }
    }
    for zone in ["UTC", "Europe/Berlin", "Asia/Kolkata", "America/Argentina/Buenos_Aires", "Europe/Kyiv"] {
      #expect(ClickStatisticsQuery.isKnown(zone), "\(zone)")
    }
    let now = Timestamp.now
    #expect(throws: Refusal.emptyRange) { try ClickStatisticsQuery(from: now, to: now) }
    #expect(throws: Refusal.tooManyPoints(limit: 2000)) {
      try ClickStatisticsQuery(from: now - .seconds(2001 * 3600), to: now, interval: .hour)
    }
    #expect(throws: Refusal.outOfRange) { try ClickStatisticsQuery(from: Timestamp(seconds: -1), to: now) }
    let usual = try ClickStatisticsQuery(now: time("2026-11-22T08:27:00Z"))
    #expect(usual.from == (try time("2026-10-23T08:15:00Z")))
    #expect(usual.to == (try time("2026-11-22T08:30:00Z")))
    #expect(usual.points.count == 31)
  }

  @Test func agreesWithACountOfTheClicks() throws {
    let house = try ClicksHouse()
    let links = (0..<3).map { _ in house.link() }
    let codes = links.map { QRCodeID(high: $0.high, low: $0.low + 1) }
    let salt = SecureRandom.bytes(32)
    let first = try time("2026-03-27T00:00:00Z")
    for day in 0..<6 {
      try ClickLoading.makeSalts([(first + .seconds(day * 86_400), salt)], on: house.database)
    }
    let spool = try house.spool()
    var scanners: Set<[UInt8]> = []
    var uniqueScans: Set<ID<Click>> = []
    let agents = ClicksUserAgentTests.people.map(\.header) + ClicksUserAgentTests.programs.prefix(5)
    for _ in 0..<3000 {
      let at = Timestamp(microseconds: first.microseconds + .random(in: 0..<6 * 86_400_000_000))
      let agent = agents.randomElement() ?? ""
      var record = house.record(
        links.randomElement() ?? links[0], at: at, visitor: .random(in: 0..<200),
        isBot: UserAgent.isBot(agent))
      record.userAgent = agent
      record.source = .random(in: 0..<2) == 0 ? .click : .scan
      if record.source == .scan, .random(in: 0..<4) != 0 {
        let code = QRCodeID(high: record.linkID.high, low: record.linkID.low + 1)
        record.qrCodeID = code
        let day = Array("\(at.seconds / 86_400) \(record.visitor)".utf8)
        if !record.isBot, scanners.insert(code.bytes + day).inserted { uniqueScans.insert(record.id) }
      }
      record.address = SealedAddress(
        "192.0.2.\(Int.random(in: 0..<9))", of: record.id, key: SealedAddress.key(salt: salt))
      record.referrer = ["", "https://a.example/", "https://b.example/x", "x"].randomElement() ?? ""
      record.acceptLanguage = ["de", "en-US,en", "", "*"].randomElement() ?? ""
      // Letters that differ in case and in spaces at the end are other values.
      record.campaign = Campaign(
        query: ["", "utm_source=A", "utm_source=a", "utm_source=%C3%A4&utm_medium=m"].randomElement() ?? "")
      // More values than a breakdown shows.
      record.campaign.term = "t\(Int.random(in: 0..<150))"
      spool.append(record)
    }
    let places: [(String?, String?)] = [
      ("DE", "Halle"), ("BE", "Halle"), ("DE", nil), (nil, "Atlantis"), (nil, nil),
    ]
    let loader = house.loader(batch: 170, spool: spool) { address in
      places[(address.utf8.last.map(Int.init) ?? 0) % places.count]
    }
    #expect(try loader.drain(3000) == 3000)
    let rows = ClickRows(of: house.account, on: house.database)
    let clicks = try links.flatMap { try rows.clicks(on: $0, limit: 10_000) }
    #expect(clicks.count == 3000)
    #expect(clicks.count { $0.city != nil } > 1000)
    for _ in 0..<60 {
      let subject: ClickSubject =
        [.account, .link(links[.random(in: 0..<3)]), .qrCode(codes[.random(in: 0..<3)])].randomElement()
        ?? .account
      let from = Timestamp(
        microseconds: first.microseconds + .random(in: -86_400_000_000..<5 * 86_400_000_000))
      let to = Timestamp(microseconds: from.microseconds + .random(in: 1..<6 * 86_400_000_000))
      let zone =
        ["UTC", "Europe/Berlin", "Asia/Kathmandu", "Asia/Kolkata", "America/St_Johns"].randomElement() ?? ""
      let query = try ClickStatisticsQuery(
        from: from, to: to, interval: StatisticsInterval.allCases.randomElement() ?? .day, timeZone: zone)
      let statistics = try rows.statistics(of: subject, query)
      let all = clicks.filter { click in
        guard click.at >= query.from && click.at < query.to else { return false }
        return switch subject {
        case .account: true
        case .link(let link): click.linkID == link
        case .qrCode(let code): click.qrCodeID == code
        }
      }
      func isUnique(_ click: Click) -> Bool {
        if case .qrCode = subject { uniqueScans.contains(click.id) } else { click.isUnique }
      }
      let people = all.filter { !$0.isBot }
      #expect(statistics.botClicks == all.count - people.count)
      #expect(statistics.totalClicks == people.count)
      #expect(statistics.uniqueClicks == people.count(where: isUnique))
      #expect(statistics.series.map(\.start) == query.points)
      for (index, point) in statistics.series.enumerated() {
        let end = index + 1 < query.points.count ? query.points[index + 1] : query.to
        let inside = people.filter { $0.at >= point.start && $0.at < end }
        #expect(point.clicks == inside.count)
        #expect(point.uniqueClicks == inside.count(where: isUnique))
      }
      let expected: [(ClickDimension, (Click) -> String?)] = [
        (.referrer, { $0.referrerHost ?? "(direct)" }), (.browser, { $0.browser ?? "(unknown)" }),
        (.system, { $0.system ?? "(unknown)" }), (.device, { $0.device.name }), (.source, { $0.source.name }),
        (.language, { $0.language ?? "(unknown)" }), (.utmSource, { $0.campaign.source }),
        (.utmMedium, { $0.campaign.medium }), (.utmTerm, { $0.campaign.term }), (.country, { $0.country }),
        (.city, { click in click.city.map { city in click.country.map { "\(city), \($0)" } ?? city } }),
      ]
      for (dimension, value) in expected {
        #expect(statistics[dimension] == Self.breakdown(people.compactMap(value)), "\(dimension)")
      }
    }
  }

  private static func breakdown(_ values: [String]) -> [ClickStatistics.Entry] {
    let counts = Dictionary(values.map { ($0, 1) }, uniquingKeysWith: +)
    let sorted = counts.sorted { $0.value == $1.value ? $0.key < $1.key : $0.value > $1.value }
    let shown = sorted.prefix(100).map { ClickStatistics.Entry(key: $0.key, clicks: $0.value) }
    let rest = sorted.dropFirst(100).map(\.value).reduce(0, +)
    return rest == 0 ? shown : shown + [.init(key: "(other)", clicks: rest)]
  }

  /// What a page of statistics and a page of clicks read is found by a key.
  @Test func readsByKeys() throws {
    let house = try ClicksHouse()
    let link = house.link()
    let plans: [SQL] = [
      "EXPLAIN SELECT * FROM clicks WHERE link_id = \(link) AND id < \(link) ORDER BY id DESC LIMIT 25",
      "EXPLAIN SELECT * FROM click_buckets WHERE subject = \(link) AND start >= \(Timestamp.now) ORDER BY start",
      "EXPLAIN SELECT * FROM click_breakdowns WHERE subject = \(link) AND period = 1 AND start >= \(Timestamp.now)",
      "EXPLAIN SELECT * FROM click_spools WHERE id = \(link) FOR UPDATE",
    ]
    let spool = try house.spool()
    for _ in 0..<300 { spool.append(house.record(house.link())) }
    try house.loader(spool: spool).drainOnce(within: .seconds(60))
    for plan in plans {
      let row = try #require(try house.database.row(plan))
      let kind: String? = try row["type"]
      let extra: String? = try row["Extra"]
      #expect(kind != "ALL" && kind != "index", "\(kind ?? "")")
      #expect(extra?.contains("filesort") != true)
    }
  }
}
