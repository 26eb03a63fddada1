import Testing

@testable import FLValues

@Suite("Points in time") struct TimestampTests {
  @Test("every day of 3200 years round the epoch follows the one before")
  func days() throws {
    var (year, month, day) = (370, 1, 1)
    let first = try #require(CivilTime(year: year, month: month, day: day)).timestamp
    for index in 0..<Int64(1_168_776) {  // eight times the 146,097 days of 400 years
      let time = Timestamp(seconds: first.seconds + index * 86_400)
      let civil = time.civil
      // One comparison, for a failed expectation is what costs time here.
      guard (civil.year, civil.month, civil.day) == (year, month, day), civil.timestamp == time else {
        Issue.record("day \(index): \(civil) is not \(year)-\(month)-\(day)")
        return
      }
      day += 1
      if day > CivilTime.days(in: month, of: year) { (month, day) = (month + 1, 1) }
      if month > 12 { (year, month) = (year + 1, 1) }
    }
    #expect((year, month, day) == (3570, 1, 1))
  }

  @Test(
    "known points",
    arguments: [
      (0, "1970-01-01T00:00:00Z"), (-1, "1969-12-31T23:59:59Z"), (951_782_400, "2000-02-29T00:00:00Z"),
      (-2_203_891_200, "1900-03-01T00:00:00Z"), (-2_203_891_201, "1900-02-28T23:59:59Z"),
      (2_147_483_648, "2038-01-19T03:14:08Z"), (1_709_164_800, "2024-02-29T00:00:00Z"),
      (-62_135_596_800, "0001-01-01T00:00:00Z"), (253_402_300_799, "9999-12-31T23:59:59Z"),
      (4_107_542_400, "2100-03-01T00:00:00Z"), (4_107_542_399, "2100-02-28T23:59:59Z"),
    ] as [(Int64, String)])
  func known(seconds: Int64, text: String) {
    #expect(Timestamp(seconds: seconds).description == text)
    #expect(Timestamp(rfc3339: text) == Timestamp(seconds: seconds))
    #expect(Timestamp(seconds: seconds).civil.timestamp.seconds == seconds)
  }

  @Test("microseconds before the epoch belong to the second before")
  func negatives() {
    let time = Timestamp(microseconds: -1)
    #expect(time.seconds == -1)
    #expect(time.civil.microsecond == 999_999)
    #expect(time.civil.second == 59)
    #expect(time.civil.timestamp == time)
    #expect(time.description == "1969-12-31T23:59:59Z")
    #expect(Timestamp(microseconds: -1_000_000).seconds == -1)
    #expect(Timestamp(microseconds: -1_000_001).seconds == -2)
    #expect(time.roundedDown(toSeconds: 86_400) == Timestamp(seconds: -86_400))
  }

  @Test("points over the whole range come back from their civil time")
  func wholeRange() {
    for time in [Int64.min, .min + 1, -62_135_596_800_000_001, 253_402_300_800_000_000, .max - 1, .max] {
      #expect(Timestamp(microseconds: time).civil.timestamp.microseconds == time)
    }
    for _ in 0..<20_000 {
      let time = Timestamp(microseconds: .random(in: .min ... .max))
      let civil = time.civil
      #expect(civil.timestamp == time)
      #expect(
        (1...12).contains(civil.month)
          && (1...CivilTime.days(in: civil.month, of: civil.year)).contains(civil.day))
    }
  }

  @Test("no year is written as another")
  func strangeYears() {
    #expect(Timestamp(seconds: 253_402_300_800).description == "+010000-01-01T00:00:00Z")
    #expect(Timestamp(seconds: -62_135_596_801).description == "0000-12-31T23:59:59Z")
    #expect(Timestamp(seconds: -62_167_219_201).description == "-000001-12-31T23:59:59Z")
    #expect(Timestamp(microseconds: .min).description.hasPrefix("-290308-"))
    #expect(Timestamp(rfc3339: "+010000-01-01T00:00:00Z") == nil)
  }

  @Test(
    "RFC 3339: offsets, fractions, leap seconds",
    arguments: [
      ("1985-04-12T23:20:50.52Z", 482_196_050_520_000), ("1996-12-19T16:39:57-08:00", 851_042_397_000_000),
      ("1990-12-31T23:59:60Z", 662_688_000_000_000), ("1990-12-31T15:59:60-08:00", 662_688_000_000_000),
      ("2016-12-31T23:59:60.25Z", 1_483_228_800_250_000),
      ("1937-01-01T12:00:27.87+00:20", -1_041_337_172_130_000),
      ("1970-01-01t00:00:00z", 0), ("1970-01-01T00:00:00-00:00", 0), ("1970-01-01T23:59:00+23:59", 0),
      ("1970-01-01T00:00:00.000001Z", 1), ("1970-01-01T00:00:00.0000019999999999999999999999Z", 1),
      ("1969-12-31T23:59:59.999999Z", -1), ("0001-01-01T00:00:00Z", -62_135_596_800_000_000),
      ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
      ("0001-01-01T01:00:00+01:00", -62_135_596_800_000_000),
    ] as [(String, Int64)])
  func good(text: String, microseconds: Int64) {
    #expect(Timestamp(rfc3339: text)?.microseconds == microseconds)
  }

  @Test(
    "what is no RFC 3339 date-time is refused",
    arguments: [
      "", "2026", "2026-11-22", "2026-11-22T08:27:00", "2026-11-22T08:27Z", "2026-11-22 08:27:00Z",
      "2026-11-22T08:27:00.Z", "2026-11-22T08:27:00,5Z", "2026-11-22T08:27:00+0100", "2026-11-22T08:27:00+01",
      "2026-11-22T08:27:00+24:00", "2026-11-22T08:27:00+01:60", "2026-11-22T08:27:00Z ",
      " 2026-11-22T08:27:00Z", "2026-11-22T08:27:00ZZ", "2026-13-01T00:00:00Z", "2026-00-01T00:00:00Z",
      "2026-01-00T00:00:00Z", "2026-01-32T00:00:00Z", "2026-04-31T00:00:00Z", "2026-02-29T00:00:00Z",
      "1900-02-29T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z", "2026-01-01T00:00:61Z",
      "2026-01-01T00:00:60Z", "2026-01-15T23:59:60Z", "1990-12-31T23:59:60-08:00", "0000-01-01T00:00:00Z",
      "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "9999-12-31T23:59:60Z",
      "-001-01-01T00:00:00Z", "+2026-1-01T00:00:00Z", "2026-1-01T00:00:00Z", "20261122T082700Z",
      "2026-11-22T08:27:00+é1:00", "２０２６-11-22T08:27:00Z", "2026-11-22T08:27:00\0Z",
    ])
  func bad(text: String) { #expect(Timestamp(rfc3339: text) == nil) }

  @Test("written points are read again")
  func writtenAndRead() {
    for _ in 0..<5000 {
      let time = Timestamp(seconds: .random(in: -62_135_596_800...253_402_300_799))
      #expect(Timestamp(rfc3339: time.description) == time)
    }
  }

  @Test("civil times that do not exist are refused")
  func noSuchDay() {
    #expect(CivilTime(year: 2024, month: 2, day: 29) != nil)
    #expect(CivilTime(year: 2023, month: 2, day: 29) == nil)
    #expect(CivilTime(year: 2000, month: 2, day: 29) != nil)
    #expect(CivilTime(year: 2100, month: 2, day: 29) == nil)
    #expect(CivilTime(year: 0, month: 1, day: 1) == nil)
    #expect(CivilTime(year: 10_000, month: 1, day: 1) == nil)
    #expect(CivilTime(year: 2024, month: 1, day: 1, hour: 24) == nil)
    #expect(CivilTime(year: 2024, month: 1, day: 1, second: 60) == nil)
    #expect(CivilTime(year: 2024, month: 1, day: 1, microsecond: 1_000_000) == nil)
    #expect(CivilTime(year: 2024, month: 1, day: 1, minute: -1) == nil)
  }

  @Test("arithmetic and order")
  func arithmetic() {
    let time = Timestamp(seconds: 100)
    #expect(time + .milliseconds(1500) == Timestamp(microseconds: 101_500_000))
    #expect(time - .seconds(200) == Timestamp(seconds: -100))
    #expect(Timestamp(seconds: -100) - time == .seconds(-200))
    #expect(Timestamp(microseconds: -1) < Timestamp(microseconds: 0))
    #expect((Duration.nanoseconds(1999)).wholeMicroseconds == 1)
    #expect((Duration.nanoseconds(-1999)).wholeMicroseconds == -1)
    #expect(Timestamp(seconds: 3601).roundedDown(toSeconds: 3600) == Timestamp(seconds: 3600))
    let earlier = Timestamp.now
    #expect(earlier <= Timestamp.now)
    #expect(earlier > Timestamp(seconds: 1_700_000_000))
  }
}
