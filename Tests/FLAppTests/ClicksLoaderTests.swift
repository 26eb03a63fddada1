import FLMariaDB
import FLTestDatabase
import FLValues
import Foundation
import Synchronization
import Testing

@testable import FLApp

@Suite struct ClicksLoaderTests {
  @Test func loadsEachClickOnce() throws {
    let house = try ClicksHouse()
    let spool = try house.spool()
    let link = house.link()
    let other = house.link()
    let at = Timestamp.now
    for visitor in 0..<10 { spool.append(house.record(link, at: at, visitor: UInt64(visitor % 4))) }
    for _ in 0..<3 { spool.append(house.record(link, at: at, isBot: true)) }
    spool.append(house.record(other, at: at + .seconds(1)))
    let loader = house.loader(batch: 4, spool: spool)
    #expect(try loader.drain(14) == 14)
    #expect(try loader.drainOnce(within: .seconds(60)) == 0)
    #expect(house.files.isEmpty)
    #expect(try house.number("SELECT COUNT(*) FROM click_spools") == 0)

    let rows = ClickRows(of: house.account, on: house.database)
    let now = try ClickStatisticsQuery(from: at - .seconds(900), to: at + .seconds(900))
    let statistics = try rows.statistics(of: .link(link), now)
    #expect(statistics.totalClicks == 10)
    #expect(statistics.uniqueClicks == 4)
    #expect(statistics.botClicks == 3)
    #expect(statistics[.browser] == [.init(key: "Firefox", clicks: 10)])
    #expect(statistics[.referrer] == [.init(key: "(direct)", clicks: 10)])
    #expect(statistics[.country].isEmpty)
    let all = try rows.statistics(of: .account, now)
    #expect(all.totalClicks == 11)
    #expect(all.uniqueClicks == 5)
    let stored = Timestamp(microseconds: at.microseconds)
    #expect(
      try rows.totals(of: [link, other, house.link()]) == [
        link: .init(clicks: 10, lastClickedAt: stored),
        other: .init(clicks: 1, lastClickedAt: stored + .seconds(1)),
      ])
    #expect(try rows.count(on: link) == 13)
    let page = try rows.clicks(on: link, limit: 9)
    let next = try rows.clicks(on: link, before: page.last?.id, limit: 9)
    #expect(page.count == 9 && next.count == 4)
    #expect(Set((page + next).map(\.id)).count == 13)
    #expect((page + next).map(\.id) == (page + next).map(\.id).sorted(by: >))
    #expect((page + next).count { $0.isUnique } == 4)
    let stranger = ClickRows(of: ID(at: .now), on: house.database)
    #expect(try stranger.clicks(on: link, limit: 9).isEmpty)
  }

  @Test func loadsWhileItIsAppended() throws {
    let house = try ClicksHouse()
    let spool = try house.spool(rotateAfter: 10_000)
    let loader = house.loader(batch: 100, spool: spool)
    let stop = Atomic<Bool>(false)
    let thread = Thread { loader.run { stop.load(ordering: .relaxed) } }
    thread.start()
    let link = house.link()
    DispatchQueue.concurrentPerform(iterations: 4) { _ in
      for _ in 0..<250 {
        spool.append(house.record(link))
        usleep(200)
      }
    }
    for _ in 0..<500 where loader.loadedClicks < 1000 { usleep(20_000) }
    #expect(try house.number("SELECT COUNT(*) FROM clicks") == 1000)
    #expect(house.files.contains { $0 == spool.currentFile.map { "\($0.id).spool" } })
    // The last ones come with the stop.
    spool.append(house.record(link))
    stop.store(true, ordering: .relaxed)
    for _ in 0..<3000 where !thread.isFinished { usleep(20_000) }
    #expect(try house.number("SELECT COUNT(*) FROM clicks") == 1001)
    #expect(house.files.isEmpty)
    #expect(loader.tornRecords == 0)
  }

  @Test func leavesAnotherProcessesFileAlone() throws {
    let house = try ClicksHouse()
    let spool = try house.spool()
    spool.append(house.record(house.link()))
    #expect(try house.loader().drainOnce(within: .seconds(60)) == 0)
    #expect(house.files.count == 1)
  }

  @Test func leavesOutWhatTheDatabaseRefuses() throws {
    let house = try ClicksHouse()
    let spool = try house.spool()
    let link = house.link()
    for number in 0..<50 {
      // DATETIME ends with the year 9999.
      let at = number % 20 == 7 ? Timestamp(seconds: 400_000_000_000) : .now
      spool.append(house.record(link, at: at, visitor: UInt64(number)))
    }
    let twice = house.record(link)
    spool.append(twice)
    spool.append(twice)
    let loader = house.loader(spool: spool)
    #expect(try loader.drain(48) == 48)
    #expect(loader.refusedClicks == 4)
    #expect(house.log.all.count { $0.contains("the database refuses a click") } == 4)
    #expect(try house.number("SELECT COUNT(*) FROM clicks") == 48)
    #expect(try house.number("SELECT SUM(clicks) FROM click_buckets WHERE subject = \(link)") == 48)
    #expect(house.files.isEmpty)
  }

  @Test func goesOnWhereAKilledLoaderStopped() throws {
    let house = try ClicksHouse()
    let spool = try house.spool()
    let link = house.link()
    for _ in 0..<30 { spool.append(house.record(link)) }
    let id = try #require(spool.currentFile?.id)
    let path = "\(house.directory)/\(id).spool"
    let content = try Data(contentsOf: URL(fileURLWithPath: path))
    #expect(try house.loader(spool: spool).drain(30) == 30)
    // Killed after all was loaded and before the file was renamed:
    try house.database.run(
      "INSERT INTO click_spools (id, position, updated_at) VALUES (\(id), \(content.count), NOW(6))")
    try content.write(to: URL(fileURLWithPath: path))
    #expect(try house.loader().drainOnce(within: .seconds(60)) == 0)
    #expect(house.files.isEmpty)
    // After it was renamed, before the position was deleted:
    try house.database.run(
      "INSERT INTO click_spools (id, position, updated_at) VALUES (\(id), \(content.count), NOW(6))")
    let done = "\(house.directory)/\(id).done"
    try content.write(to: URL(fileURLWithPath: done))
    #expect(try house.loader().drainOnce(within: .seconds(60)) == 0)
    #expect(try house.number("SELECT COUNT(*) FROM click_spools") == 0)
    // And before the file was removed:
    try content.write(to: URL(fileURLWithPath: done))
    #expect(try house.loader().drainOnce(within: .seconds(60)) == 0)
    #expect(house.files.isEmpty)
    #expect(try house.number("SELECT COUNT(*) FROM clicks") == 30)
  }

  @Test func waitsForADatabaseThatIsAway() throws {
    let server = try TestServer()
    let house = try ClicksHouse(on: server)
    let spool = try house.spool()
    let loader = house.loader(spool: spool)
    let stop = Atomic<Bool>(false)
    let thread = Thread { loader.run { stop.load(ordering: .relaxed) } }
    let link = house.link()
    spool.append(house.record(link))
    thread.start()
    for _ in 0..<3000 where loader.loadedClicks < 1 { usleep(20_000) }
    server.stop(hard: true)
    for _ in 0..<20 {
      spool.append(house.record(link))
      usleep(20_000)
    }
    try server.start()
    for _ in 0..<5000 where loader.loadedClicks < 21 { usleep(20_000) }
    stop.store(true, ordering: .relaxed)
    for _ in 0..<3000 where !thread.isFinished { usleep(20_000) }
    #expect(try house.number("SELECT COUNT(*) FROM clicks") == 21)
    #expect(spool.lostClicks == 0)
    #expect(house.log.all.contains { $0.contains("clicks wait in the spool") })
  }

  @Test func loadsOneOrphanOnceThoughManyTry() throws {
    let house = try ClicksHouse()
    let links = (0..<5).map { _ in house.link() }
    let day = Timestamp.now.roundedDown(toSeconds: 86_400)
    // The same visitors in several files, so that the loaders meet over their keys.
    for _ in 0..<4 {
      let spool = try house.spool()
      for number in 0..<400 {
        spool.append(house.record(links[number % 5], at: day + .seconds(number), visitor: UInt64(number / 2)))
      }
    }
    let loaders = (0..<4).map { _ in house.loader(batch: 37) }
    DispatchQueue.concurrentPerform(iterations: 4) { index in
      for _ in 0..<10 { _ = try? loaders[index].drainOnce(within: .seconds(30)) }
    }
    #expect(loaders.map(\.loadedClicks).reduce(0, +) == 1600)
    #expect(try house.number("SELECT COUNT(*) FROM clicks") == 1600)
    #expect(
      try house.number("SELECT SUM(clicks) FROM click_buckets WHERE subject = \(house.account)") == 1600)
    // Each link and visitor once a day, whichever loader had them first.
    #expect(try house.number("SELECT COUNT(DISTINCT link_id, visitor) FROM clicks") == 400)
    #expect(try house.number("SELECT SUM(is_unique) FROM clicks") == 400)
    #expect(
      try house.number("SELECT SUM(unique_clicks) FROM click_buckets WHERE subject = \(house.account)") == 400
    )
    #expect(house.files.isEmpty)
  }

  @Test func countsUniqueVisitorsByTheUTCDay() throws {
    let house = try ClicksHouse()
    let spool = try house.spool()
    let link = house.link()
    let midnight = Timestamp.now.roundedDown(toSeconds: 86_400)
    spool.append(house.record(link, at: Timestamp(microseconds: midnight.microseconds - 1), visitor: 7))
    spool.append(house.record(link, at: midnight, visitor: 7))
    spool.append(house.record(link, at: midnight + .seconds(1), visitor: 7))
    #expect(try house.loader(spool: spool).drain(3) == 3)
    let query = try ClickStatisticsQuery(from: midnight - .seconds(86_400), to: midnight + .seconds(86_400))
    let statistics = try ClickRows(of: house.account, on: house.database).statistics(of: .link(link), query)
    #expect(statistics.series.map(\.clicks) == [1, 2])
    #expect(statistics.series.map(\.uniqueClicks) == [1, 1])
    #expect(try ClickRows.purge(on: house.database, now: midnight + .seconds(2 * 86_400)) == 1)
    #expect(try ClickRows.purge(on: house.database, now: midnight + .seconds(3 * 86_400)) == 1)
  }

  @Test func saltsEachDayAnew() throws {
    let house = try ClicksHouse()
    let link = house.link()
    let now = Timestamp.now
    func digest(
      _ salts: ClickSalts, _ at: Timestamp, _ link: LinkID, _ address: String = "192.0.2.1"
    ) -> UInt64 {
      salts.visitor(linkID: link, address: address, userAgent: "x", at: at)
    }
    let interim = ClickSalts()
    let otherInterim = ClickSalts()
    #expect(!interim.isReady(for: now))
    #expect(digest(interim, now, link) == digest(interim, now, link))
    #expect(digest(interim, now, link) != digest(otherInterim, now, link))
    #expect(digest(interim, now, link) != digest(interim, now + .seconds(86_400), link))
    let salts = (0..<4).map { _ in ClickSalts() }
    DispatchQueue.concurrentPerform(iterations: 4) { try? salts[$0].refresh(house.database, now: now) }
    #expect(salts.allSatisfy { $0.isReady(for: now) && $0.isReady(for: now + .seconds(86_400)) })
    #expect(Set(salts.map { digest($0, now, link) }).count == 1)
    #expect(digest(salts[0], now, link) != digest(salts[0], now + .seconds(86_400), link))
    #expect(digest(salts[0], now, link) != digest(salts[0], now, house.link()))
    #expect(digest(salts[0], now, link) != digest(salts[0], now, link, "192.0.2.2"))
    // Two days on they are gone from the database.
    try ClickRows.purge(on: house.database, now: now + .seconds(4 * 86_400))
    #expect(try house.number("SELECT COUNT(*) FROM click_salts") == 0)
  }

  /// Processes that append and processes that load are killed at any moment; in the end each click that was
  /// surely appended is there once.
  @Test func survivesKills() throws {
    let house = try ClicksHouse()
    try FileManager.default.createDirectory(atPath: house.directory, withIntermediateDirectories: true)
    let link = house.link()
    let socket = try #require(house.configuration.socket)
    var surely = 0
    var loader = try Spooler("load", house.directory, socket, house.configuration.name)
    for _ in 0..<25 {
      let writer = try Spooler("append", house.directory, "\(link)", "\(house.account)", "1000000")
      #expect(writer.hasBegun(withinMilliseconds: 30_000))
      usleep(.random(in: 5000...80_000))
      if Bool.random() {
        loader.kill()
        loader = try Spooler("load", house.directory, socket, house.configuration.name)
      }
      usleep(.random(in: 0...30_000))
      // The pipe is full after 64 KiB, and the writer waits then; each byte is a click that was appended.
      writer.kill()
      surely += writer.writtenBytes()
    }
    for _ in 0..<20 {
      usleep(.random(in: 1000...150_000))
      loader.kill()
      loader = try Spooler("load", house.directory, socket, house.configuration.name)
    }
    loader.kill()
    _ = try house.loader(batch: 5000).drainOnce(within: .seconds(120))
    #expect(house.files.isEmpty)
    let clicks = try house.number("SELECT COUNT(*) FROM clicks")
    // Four threads of each writer may have been killed between the click and its byte.
    #expect(surely > 1000)
    #expect((surely...surely + 25 * 4).contains(clicks), "\(clicks) of \(surely)")
    #expect(
      try house.number("SELECT SUM(clicks + bot_clicks) FROM click_buckets WHERE subject = \(link)") == clicks
    )
    #expect(
      try house.number("SELECT SUM(is_bot = 0) FROM clicks")
        == house.number("SELECT clicks FROM link_click_totals WHERE link_id = \(link)"))
    #expect(
      try house.number("SELECT COUNT(DISTINCT link_id, visitor) FROM clicks WHERE is_bot = 0")
        == house.number("SELECT SUM(is_unique) FROM clicks"))
    let code = QRCodeID(high: link.high, low: link.low + 1)
    let scans = try house.number("SELECT COUNT(*) FROM clicks WHERE qrcode_id = \(code)")
    #expect(scans > 100)
    #expect(
      try house.number("SELECT SUM(clicks + bot_clicks) FROM click_buckets WHERE subject = \(code)") == scans)
    #expect(
      try house.number("SELECT SUM(unique_clicks) FROM click_buckets WHERE subject = \(code)")
        == house.number("SELECT COUNT(DISTINCT visitor) FROM clicks WHERE qrcode_id = \(code) AND is_bot = 0")
    )
    #expect(try house.number("SELECT COUNT(*) FROM click_spools") == 0)
  }
}
