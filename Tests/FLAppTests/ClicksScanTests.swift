import FLMariaDB
import FLValues
import Foundation
import Testing

@testable import FLApp

/// Scans of QR codes: counted with the clicks of their link, and by themselves.
@Suite struct ClicksScanTests {
  private let day = try? ClickStatisticsQuery(
    from: Timestamp.now - .seconds(86_400), to: Timestamp.now + .seconds(86_400))

  @Test func scansAreCountedByTheirCode() throws {
    let house = try ClicksHouse()
    let query = try #require(day)
    let spool = try house.spool()
    let link = house.link()
    let (first, second) = (QRCodeID(at: .now), QRCodeID(at: .now))
    let at = Timestamp.now
    for visitor in 0..<5 { spool.append(house.record(link, at: at, visitor: UInt64(visitor))) }
    // Two of them scan as well, one twice, and with somebody new.
    for visitor: UInt64 in [1, 1, 2, 9] {
      spool.append(house.scan(link, of: first, at: at, visitor: visitor))
    }
    spool.append(house.scan(link, of: second, at: at + .seconds(1), visitor: 1))
    spool.append(house.scan(link, of: nil, at: at, visitor: 3))
    spool.append(house.scan(link, of: second, at: at, isBot: true))
    // In batches of which none has all of a visitor's.
    #expect(try house.loader(batch: 2, spool: spool).drain(12) == 12)

    let rows = ClickRows(of: house.account, on: house.database)
    let scans = try rows.statistics(of: .qrCode(first), query)
    #expect(scans.totalClicks == 4 && scans.uniqueClicks == 3 && scans.botClicks == 0)
    #expect(scans[.source] == [.init(key: "scan", clicks: 4)])
    #expect(scans[.browser] == [.init(key: "Firefox", clicks: 4)])
    let others = try rows.statistics(of: .qrCode(second), query)
    #expect(others.totalClicks == 1 && others.uniqueClicks == 1 && others.botClicks == 1)
    // For the link a visitor is one, whether by click or by scan.
    for subject in [ClickSubject.link(link), .account] {
      let statistics = try rows.statistics(of: subject, query)
      #expect(statistics.totalClicks == 11 && statistics.uniqueClicks == 6 && statistics.botClicks == 1)
      #expect(statistics[.source] == [.init(key: "scan", clicks: 6), .init(key: "click", clicks: 5)])
    }
    #expect(
      try rows.totals(of: [first, second, QRCodeID(at: .now)]) == [
        first: .init(clicks: 4, lastClickedAt: at), second: .init(clicks: 1, lastClickedAt: at + .seconds(1)),
      ])
    #expect(try rows.totals(of: [link])[link]?.clicks == 11)
    let clicks = try rows.clicks(on: link, limit: 50)
    #expect(clicks.count { $0.qrCodeID == first } == 4 && clicks.count { $0.qrCodeID == second } == 2)
    #expect(clicks.count { $0.qrCodeID == nil && $0.source == .scan } == 1)
    // Digests of scanners go as those of other visitors do.
    try ClickRows.purge(on: house.database, now: at + .seconds(4 * 86_400))
    #expect(try house.number("SELECT COUNT(*) FROM click_visitors") == 0)
  }

  @Test(
    "A mark is `qr=` and one to nine digits",
    arguments: [
      ("qr=1", 1, ""), ("qr=999999999", 999_999_999, ""), ("qr=0", 0, ""), ("qr=007", 7, ""),
      ("qr=1234567890", nil, "qr=1234567890"), ("qr=", nil, "qr="), ("qr", nil, "qr"), ("", nil, ""),
      ("qr=abc", nil, "qr=abc"), ("qr=1a", nil, "qr=1a"), ("qr=-1", nil, "qr=-1"), ("qr=+1", nil, "qr=+1"),
      ("qr=%31", nil, "qr=%31"), ("%71r=1", nil, "%71r=1"), ("QR=1", nil, "QR=1"), ("xqr=1", nil, "xqr=1"),
      ("qr=\u{661}", nil, "qr=\u{661}"), ("a=qr=1", nil, "a=qr=1"), ("&&", nil, "&&"),
      ("a=%20+b&qr=3&&c=%zz;", 3, "a=%20+b&&c=%zz;"), ("qr=x&qr=4&qr=5", 4, "qr=x"), ("qr=1&", 1, ""),
    ] as [(String, Int?, String)])
  func mark(_ query: String, _ number: Int?, _ rest: String) {
    let taken = ScanMark.take(from: query)
    #expect(taken.mark?.number == number && taken.rest == rest)
  }

  // MARK: Values that strangers invent

  @Test func inventedValuesAreCountedAsOthersFromAThousandOn() throws {
    let house = try ClicksHouse()
    let link = house.link()
    let code = QRCodeID(at: .now)
    let noon = Timestamp.now.roundedDown(toSeconds: 86_400) + .seconds(43_200)
    func append(_ campaigns: some Sequence<String>, to spool: ClickSpool, at: Timestamp) {
      for campaign in campaigns {
        var record = house.scan(link, of: code, at: at)
        record.campaign.term = campaign
        spool.append(record)
      }
    }
    let early = try house.spool()
    append(repeatElement("kept", count: 30), to: early, at: noon)
    append((0..<900).map { "e\($0)" }, to: early, at: noon)
    #expect(try house.loader(batch: 100, spool: early).drain(930) == 930)
    let late = try house.spool()
    append((0..<1500).map { "l\($0)" }, to: late, at: noon + .seconds(3600))
    append(repeatElement("often", count: 3), to: late, at: noon + .seconds(3600))
    append(repeatElement("kept", count: 20), to: late, at: noon + .seconds(3600))
    // Another process, which remembers nothing, and whose batches are many.
    #expect(try house.loader(batch: 90, spool: late).drain(1523) == 1523)

    let term = ClickDimension.utmTerm.rawValue
    for subject in [ID<ClickTally>(subject: link), ID(subject: house.account), ID(subject: code)] {
      let values = try house.number(
        """
        SELECT COUNT(*) FROM click_breakdowns WHERE subject = \(subject) AND period = 1 AND dimension = \(term)
        """)
      #expect(values == DistinctValues.limit + 1)
      // Day and quarters agree.
      for value in ["kept", "(other)", "e7", "l7"] {
        let sums = try (0...1).map { period in
          try house.number(
            """
            SELECT CAST(COALESCE(SUM(clicks), 0) AS SIGNED) FROM click_breakdowns
            WHERE subject = \(subject) AND period = \(period) AND dimension = \(term) AND value = \(value)
            """)
        }
        #expect(sums[0] == sums[1])
        #expect(value != "kept" || sums[0] == 50)
        #expect(value != "(other)" || sums[0] == 2453 - 50 - 999)
      }
    }
    let rows = ClickRows(of: house.account, on: house.database)
    for (from, to) in [(noon, noon + .seconds(7200)), (noon - .seconds(86_400), noon + .seconds(86_400))] {
      let query = try ClickStatisticsQuery(from: from, to: to)
      for subject in [ClickSubject.account, .link(link), .qrCode(code)] {
        let terms = try rows.statistics(of: subject, query)[.utmTerm]
        #expect(terms.first == .init(key: "kept", clicks: 50))
        #expect(terms.last?.key == "(other)" && terms.count { $0.key == "(other)" } == 1)
        #expect(terms.map(\.clicks).reduce(0, +) == 2453)
      }
    }
    // What is within the bounds on another day, or in another dimension, is untouched by it.
    let next = try house.spool()
    append(["l1499"], to: next, at: noon + .seconds(86_400))
    #expect(try house.loader(spool: next).drain(1) == 1)
    let tomorrow = try ClickStatisticsQuery(from: noon + .seconds(50_000), to: noon + .seconds(90_000))
    #expect(try rows.statistics(of: .link(link), tomorrow)[.utmTerm] == [.init(key: "l1499", clicks: 1)])
  }

  /// Spellings that are equal to Swift, but rows of their own, do not get around the limit.
  @Test func spellingsAreValuesToo() throws {
    let house = try ClicksHouse()
    let link = house.link()
    let at = Timestamp.now
    for composed in [true, false] {
      let spool = try house.spool()
      for number in 0..<1000 {
        var record = house.record(link, at: at)
        record.campaign.source = "\(number)" + (composed ? "\u{e9}" : "e\u{301}")
        spool.append(record)
      }
      try house.loader(spool: spool).drainOnce(within: .seconds(30))
    }
    #expect(
      try house.number(
        "SELECT COUNT(*) FROM click_breakdowns WHERE subject = \(link) AND period = 1 AND dimension = 9")
        == 1001)
  }
}
