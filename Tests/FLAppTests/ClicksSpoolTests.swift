import FLMariaDB
import FLValues
import Foundation
import Testing

@testable import FLApp

@Suite struct ClicksSpoolTests {
  private func records(in house: ClicksHouse) throws -> (records: [ClickRecord], torn: Int) {
    var all: [ClickRecord] = []
    var torn = 0
    for name in house.files {
      let id = try #require(ID<SpoolFile>(String(name.dropLast(6))))
      let reader = try #require(try SpoolReader(directory: house.directory, id: id))
      var position = 0
      while true {
        let batch = try reader.read(from: position, limit: 7, isGrowing: false)
        #expect(batch.end > position || batch.isAtEnd)
        all += batch.records.map(\.record)
        torn += batch.torn
        position = batch.end
        if batch.isAtEnd { break }
      }
    }
    return (all, torn)
  }

  @Test func givesBackWhatWasAppended() throws {
    let house = try ClicksHouse()
    let spool = try house.spool()
    var appended: [ClickRecord] = []
    for number in 0..<100 {
      var record = house.record(house.link(), visitor: .random(in: 0...UInt64.max), isBot: number % 3 == 0)
      record.source = ClickSource.allCases[number % 4]
      if number % 2 == 0 { record.qrCodeID = QRCodeID(at: .now) }
      if number % 5 < 2 { record.address = SealedAddress(high: .random(in: 0...UInt64.max), low: 7) }
      record.referrer = String(repeating: "r", count: number * 5)
      record.acceptLanguage = "de"
      record.campaign = Campaign(query: "utm_source=a&utm_term=%F0%9F%98%80")
      appended.append(record)
      spool.append(record)
    }
    #expect(try records(in: house).records == appended)
    #expect(spool.lostClicks == 0)
  }

  /// What a program before QR codes wrote, byte by byte.
  @Test func loadsWhatAnEarlierVersionWrote() throws {
    let house = try ClicksHouse()
    let spool = try house.spool()
    let id = try #require(spool.currentFile?.id)
    let link = house.link()
    let at = Timestamp.now
    func number(_ value: some FixedWidthInteger) -> [UInt8] {
      withUnsafeBytes(of: value.littleEndian) { Array($0) }
    }
    func frame(_ payload: [UInt8]) -> [UInt8] {
      number(id.low) + number(UInt32(payload.count)) + number(payload.withUnsafeBytes { CRC32.of($0) })
        + payload
    }
    func payload(version: UInt8, flags: UInt8) -> [UInt8] {
      var payload: [UInt8] = [version, flags, 2]
      payload += ID<Click>(at: at).bytes + link.bytes + house.account.bytes
      payload += number(at.microseconds) + number(UInt64(42))
      for text in ["curl", "https://a.example/", "de", "mail", "", "", "", "x"] {
        payload += number(UInt16(text.utf8.count)) + Array(text.utf8)
      }
      return payload
    }
    spool.finish()
    // With a flag that version 1 does not have it is none of its records.
    try Data(
      frame(payload(version: 1, flags: 1)) + frame(payload(version: 1, flags: 2))
        + frame(payload(version: 1, flags: 0))
    ).write(to: URL(fileURLWithPath: "\(house.directory)/\(id).spool"))
    let found = try records(in: house)
    #expect(found.records.count == 2 && found.torn == 1)
    let first = try #require(found.records.first)
    #expect(first.isBot && first.source == .scan && first.linkID == link && first.visitor == 42)
    #expect(first.at == at && first.userAgent == "curl" && first.acceptLanguage == "de")
    #expect(first.campaign.source == "mail" && first.campaign.content == "x" && first.campaign.term == nil)
    #expect(first.qrCodeID == nil && first.address == nil)
    let loader = house.loader(locate: { _ in ("DE", nil) })
    #expect(try loader.drain(2) == 2)
    #expect(try house.number("SELECT COUNT(*) FROM clicks WHERE country IS NULL AND qrcode_id IS NULL") == 2)
    #expect(house.files.isEmpty)
  }

  @Test func cutsWhatIsTooLongBetweenCharacters() throws {
    let house = try ClicksHouse()
    let spool = try house.spool()
    var record = house.record(house.link())
    record.userAgent = "x" + String(repeating: "😀", count: 3000)
    record.referrer = String(repeating: "é", count: 5000)
    spool.append(record)
    let read = try #require(try records(in: house).records.first)
    #expect(read.userAgent == "x" + String(repeating: "😀", count: 127))
    #expect(read.referrer == String(repeating: "é", count: 256))
  }

  @Test func readsPastEveryTornTail() throws {
    let house = try ClicksHouse()
    let spool = try house.spool()
    let first = house.record(house.link())
    let second = house.record(house.link())
    let id = try #require(spool.currentFile?.id)
    let frame = ClickFrame.encode(first, marker: id.low)
    let path = "\(house.directory)/\(id).spool"
    spool.finish()
    for length in 0..<frame.count {
      // Torn, and something whole behind it.
      let content =
        frame + frame.prefix(length) + ClickFrame.encode(second, marker: id.low) + frame.prefix(length)
      try Data(content).write(to: URL(fileURLWithPath: path))
      let found = try records(in: house)
      #expect(found.records == [first, second], "\(length)")
      #expect(found.torn == (length == 0 ? 0 : 2))
      // While somebody may still be writing, the tail waits, and what is proven torn does not.
      let reader = try #require(try SpoolReader(directory: house.directory, id: id))
      let growing = try reader.read(from: 0, limit: 10, isGrowing: true)
      #expect(growing.records.count == 2)
      #expect(growing.end == content.count - length)
    }
  }

  @Test func misreadsNoDamage() throws {
    let house = try ClicksHouse()
    let spool = try house.spool()
    let id = try #require(spool.currentFile?.id)
    let all = (0..<20).map { _ in house.record(house.link()) }
    var content = all.flatMap { ClickFrame.encode($0, marker: id.low) }
    spool.finish()
    for _ in 0..<300 {
      let place = Int.random(in: 0..<content.count)
      let before = content[place]
      content[place] = before ^ UInt8.random(in: 1...255)
      try Data(content).write(to: URL(fileURLWithPath: "\(house.directory)/\(id).spool"))
      let found = try records(in: house)
      #expect(found.records.count == 19)
      #expect(Set(found.records).isSubset(of: all))
      content[place] = before
    }
  }

  @Test func isNotFooledByAVisitorsBytes() throws {
    let house = try ClicksHouse()
    let spool = try house.spool()
    let id = try #require(spool.currentFile?.id)
    // A record of another spool inside of a header, and the record around it torn.
    let inner = ClickFrame.encode(house.record(house.link()), marker: 42)
    var outer = house.record(house.link())
    outer.referrer = String(decoding: inner, as: UTF8.self)
    let frame = ClickFrame.encode(outer, marker: id.low)
    spool.finish()
    let whole = house.record(house.link())
    try Data(inner + frame.dropLast(3) + ClickFrame.encode(whole, marker: id.low))
      .write(to: URL(fileURLWithPath: "\(house.directory)/\(id).spool"))
    #expect(try records(in: house).records == [whole])
  }

  @Test func losesNothingToThreadsAndRotation() throws {
    let house = try ClicksHouse()
    let spool = try house.spool(rotateAfter: 20_000)
    let link = house.link()
    DispatchQueue.concurrentPerform(iterations: 8) { _ in
      for _ in 0..<500 { spool.append(house.record(link)) }
    }
    let found = try records(in: house)
    #expect(Set(found.records.map(\.id)).count == 4000)
    #expect(found.torn == 0)
    #expect(house.files.count > 10)
    #expect(house.loader(spool: spool).tornRecords == 0)
    #expect(try house.loader(spool: spool).drain(4000) == 4000)
    #expect(house.files.isEmpty)
  }

  @Test func countsAndTellsWhatCannotBeWritten() throws {
    let house = try ClicksHouse()
    let spool = try house.spool()
    let link = house.link()
    spool.append(house.record(link))
    // Every further write fails as on a full disk: the descriptor now leads to /dev/full.
    let file = try #require(spool.currentFile)
    let full = open("/dev/full", O_WRONLY | O_APPEND | O_CLOEXEC)
    try #require(full >= 0)
    defer { close(full) }
    let saved = dup(file.descriptor)
    try #require(saved >= 0)
    defer { close(saved) }
    try #require(dup2(full, file.descriptor) >= 0)
    for _ in 0..<50 { spool.append(house.record(link)) }
    #expect(spool.lostClicks == 50)
    var lost: [String] { house.log.all.filter { $0.contains("clicks were lost") } }
    // They are told of once a second.
    #expect(try #require(lost.first).contains("error=No space left on device"))
    // And as it has space again:
    try #require(dup2(saved, file.descriptor) >= 0)
    spool.append(house.record(link))
    usleep(1_100_000)
    spool.reportLosses()
    #expect(lost.last?.contains("lostInAll=50") == true)
    #expect(try records(in: house).records.count == 2)
  }

  @Test func leavesNothingTornBehindAShortWrite() throws {
    let house = try ClicksHouse()
    let marker = house.record(house.link())
    // A limit on the file's size makes the kernel write a part (setrlimit(2)), in a process of its own.
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    let spooler = try Spooler.program()
    process.arguments = [
      "-c", "ulimit -f 8; trap '' XFSZ; exec \"$0\" append \"$1\" \"$2\" \"$3\" 400", spooler,
      house.directory,
      "\(marker.linkID)", "\(house.account)",
    ]
    process.standardOutput = FileHandle(forWritingAtPath: "/dev/null")
    try process.run()
    process.waitUntilExit()
    let size = try house.files.map {
      try FileManager.default.attributesOfItem(atPath: "\(house.directory)/\($0)")[.size] as? Int ?? 0
    }
    #expect(size.contains { $0 == 4096 || $0 == 8192 })
    let found = try records(in: house)
    #expect(found.torn >= 1)
    #expect(found.records.count >= 10)
    #expect(found.records.allSatisfy { $0.linkID == marker.linkID })
    let loader = house.loader()
    #expect(try loader.drain(found.records.count) == found.records.count)
    #expect(house.files.isEmpty)
  }

  @Test func refusesADirectoryThatCannotBe() throws {
    let house = try ClicksHouse()
    #expect(throws: ClickSpoolError.self) {
      _ = try ClickSpool(directory: "/dev/null/spool", logger: house.logger)
    }
  }
}
