import FLCrypto
import FLMariaDB
import FLValues
import Foundation
import Synchronization
import Testing

@testable import FLApp

/// Where clicks come from: the address is sealed at the redirect, opened and dropped by the loader.
@Suite struct ClicksPlaceTests {
  /// An error that tells what it should not.
  private struct Telling: Error { let address: String }

  private func salts(_ house: ClicksHouse) throws -> ClickSalts {
    let salts = ClickSalts()
    try salts.refresh(house.database)
    return salts
  }

  private func record(
    _ house: ClicksHouse, _ link: LinkID, from address: String, _ salts: ClickSalts, at: Timestamp = .now
  ) -> ClickRecord {
    var record = house.record(link, at: at)
    record.address = salts.sealed(address, of: record.id, at: at)
    return record
  }

  @Test(
    "An address comes back as it was, whatever its form",
    arguments: [
      ("192.0.2.1", "192.0.2.1"), ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"),
      ("2001:DB8::8:800:200C:417A", "2001:db8:0:0:8:800:200c:417a"), ("::1", "0:0:0:0:0:0:0:1"),
      ("::ffff:198.51.100.7", "198.51.100.7"), ("::198.51.100.7", "0:0:0:0:0:0:c633:6407"),
    ])
  func addressComesBack(_ address: String, _ text: String) throws {
    let key = SealedAddress.key(salt: SecureRandom.bytes(32))
    let (click, other) = (ID<Click>(at: .now), ID<Click>(at: .now))
    let sealed = try #require(SealedAddress(address, of: click, key: key))
    #expect(sealed.opened(of: click, key: key) == text)
    #expect(SealedAddress(text, of: click, key: key) == sealed)
    // A pad is of one click and of one day.
    #expect(SealedAddress(address, of: other, key: key) != sealed)
    #expect(sealed.opened(of: other, key: key) != text)
    #expect(sealed.opened(of: click, key: SealedAddress.key(salt: SecureRandom.bytes(32))) != text)
  }

  @Test(arguments: [
    "", "unix:", "localhost", "1.2.3", "1.2.3.4.5", "1.2.3.4:80", "::1%eth0", "::g",
  ])
  func whatIsNoAddressIsNotSealed(_ text: String) {
    #expect(SealedAddress(text, of: ID(at: .now), key: [1]) == nil)
  }

  @Test func clicksGetTheirPlace() throws {
    let house = try ClicksHouse()
    let salts = try salts(house)
    let link = house.link()
    let spool = try house.spool()
    let code = QRCodeID(at: .now)
    for number in 0..<600 {
      var record = record(house, link, from: "192.0.2.\(number % 3)", salts)
      if number < 3 { (record.source, record.qrCodeID) = (.scan, code) }
      spool.append(record)
    }
    // Nobody can read them there.
    let name = try #require(house.files.first)
    let file = try Data(contentsOf: URL(fileURLWithPath: house.directory + "/" + name))
    #expect(file.range(of: Data("192.0.2.".utf8)) == nil)
    // Four bytes may stand among random ones by chance, but not those of two addresses.
    let seen = (0..<3).filter { number in
      let bytes = [0xC0, 0, 2, UInt8(number)]
      return file.range(of: Data(bytes)) != nil || file.range(of: Data(bytes.reversed())) != nil
    }
    #expect(seen.count < 2)
    let asked = Mutex<[String]>([])
    let loader = house.loader(spool: spool) { address in
      asked.withLock { $0.append(address) }
      return ["192.0.2.0": ("FR", "Paris"), "192.0.2.1": ("US", "Paris")][address] ?? (nil, nil)
    }
    #expect(try loader.drain(600) == 600)
    #expect(asked.withLock { $0.sorted() } == ["192.0.2.0", "192.0.2.1", "192.0.2.2"])
    let rows = ClickRows(of: house.account, on: house.database)
    let query = try ClickStatisticsQuery(to: .now + .seconds(900))
    for (subject, count) in [(ClickSubject.link(link), 200), (.account, 200), (.qrCode(code), 1)] {
      let statistics = try rows.statistics(of: subject, query)
      #expect(statistics.totalClicks == 3 * count)
      #expect(statistics[.country] == [.init(key: "FR", clicks: count), .init(key: "US", clicks: count)])
      #expect(
        statistics[.city] == [.init(key: "Paris, FR", clicks: count), .init(key: "Paris, US", clicks: count)])
    }
    let clicks = try rows.clicks(on: link, limit: 1000)
    #expect(clicks.count { $0.country == "US" && $0.city == "Paris" } == 200)
    #expect(clicks.count { $0.country == nil && $0.city == nil } == 200)
  }

  /// What tells places is made by others, and may tell anything.
  @Test func whatIsNoPlaceIsLeftOut() throws {
    let house = try ClicksHouse()
    let salts = try salts(house)
    let link = house.link()
    let long = String(repeating: "\u{e9}", count: 95)
    let answers: [(country: String?, city: String?)] = [
      ("de", "Ulm"), ("DEU", ""), ("", " "), ("D", "a\nb"), ("ÄÖ", "a\0"), ("D1", "\u{9b}2J"),
      ("\u{1F1E9}\u{1F1EA}", String(repeating: "x", count: 191)), ("DE", long), ("D\0", long + "x"),
    ]
    let spool = try house.spool()
    for number in answers.indices { spool.append(record(house, link, from: "192.0.2.\(number)", salts)) }
    let loader = house.loader(spool: spool) { address in
      let number = address.split(separator: ".").last.flatMap { Int($0) } ?? 0
      return answers.indices.contains(number) ? answers[number] : (nil, nil)
    }
    #expect(try loader.drain(answers.count) == answers.count)
    #expect(loader.refusedClicks == 0)
    let clicks = try ClickRows(of: house.account, on: house.database).clicks(on: link, limit: 100)
    #expect(clicks.compactMap(\.country) == ["DE"])
    #expect(clicks.compactMap(\.city).sorted() == ["Ulm", long])
    let cities = try ClickRows(of: house.account, on: house.database)
      .statistics(of: .link(link), try ClickStatisticsQuery(to: .now + .seconds(900)))[.city]
    // The key keeps its country, whatever the length of the name.
    #expect(cities.map(\.key) == ["Ulm", String(repeating: "\u{e9}", count: 93) + ", DE"])
  }

  @Test func noClickIsLostToALookUp() throws {
    let house = try ClicksHouse()
    let salts = try salts(house)
    let link = house.link()
    let failing = try house.spool()
    for number in 0..<20 { failing.append(record(house, link, from: "203.0.113.\(number)", salts)) }
    #expect(
      try house.loader(spool: failing) { throw Telling(address: $0) }.drain(20) == 20)
    let slow = try house.spool()
    for number in 0..<20 { slow.append(record(house, link, from: "203.0.113.\(number)", salts)) }
    let loader = house.loader(spool: slow, placing: .milliseconds(1000)) { _ in
      usleep(100_000)
      return ("DE", nil)
    }
    #expect(try loader.drain(20) == 20)
    #expect(try house.number("SELECT COUNT(*) FROM clicks") == 40)
    // Those that were asked for in time have it.
    #expect((1..<20).contains(try house.number("SELECT COUNT(*) FROM clicks WHERE country = 'DE'")))
    #expect(house.log.all.count { $0.contains("without their place") } == 2)
    #expect(!house.log.all.contains { $0.contains("203.0.113") })
  }

  @Test func nobodyOpensAnAddressWithoutTheDaysSalt() throws {
    let house = try ClicksHouse()
    let link = house.link()
    let spool = try house.spool()
    let asked = Atomic<Int>(0)
    let locate: ClickLoader.Locate = { _ in
      asked.add(1, ordering: .relaxed)
      return ("DE", nil)
    }
    // A process that has no salt for the day keeps nothing of the address.
    #expect(ClickSalts().sealed("192.0.2.1", of: ID(at: .now), at: .now) == nil)
    let salts = try salts(house)
    spool.append(record(house, link, from: "192.0.2.1", salts))
    // The spool lay around until the salt was deleted.
    try ClickRows.purge(on: house.database, now: .now + .seconds(4 * 86_400))
    #expect(try house.loader(spool: spool, locate: locate).drain(1) == 1)
    #expect(asked.load(ordering: .relaxed) == 0)
    #expect(try house.number("SELECT COUNT(*) FROM clicks WHERE country IS NULL") == 1)
    // Nor does a process keep it: not even while the database is away.
    let later = Timestamp.now + .seconds(3 * 86_400)
    let away = Database(.init(socket: "/nonexistent", name: "x"), logger: house.logger)
    #expect(throws: DatabaseError.self) { try salts.refresh(away, now: later) }
    #expect(!salts.isReady(for: .now) && salts.sealed("192.0.2.1", of: ID(at: .now), at: .now) == nil)
  }
}
