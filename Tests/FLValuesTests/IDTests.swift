import Testing

@testable import FLValues

@Suite("Identifiers") struct IDTests {
  enum Thing {}
  typealias ThingID = ID<Thing>

  @Test("the example of RFC 9562, appendix A.6")
  func example() throws {
    let id = try #require(ThingID("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"))
    #expect(id.description == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f")
    #expect(id.high == 0x017F_22E2_79B0_7CC3 && id.low == 0x98C4_DC0C_0C07_398F)
    #expect(id.timestamp.description == "2022-02-22T19:22:22Z")
    #expect(
      id.bytes == [1, 0x7f, 0x22, 0xe2, 0x79, 0xb0, 0x7c, 0xc3, 0x98, 0xc4, 0xdc, 0x0c, 0x0c, 7, 0x39, 0x8f])
  }

  @Test("text and bytes come back, with version, variant and time")
  func roundTrips() {
    for _ in 0..<2000 {
      let time = Timestamp(microseconds: .random(in: 0...253_402_300_799_999_999))
      let id = ThingID(at: time)
      #expect(ThingID(id.description) == id)
      #expect(ThingID(id.description.uppercased()) == id)
      #expect(ThingID(bytes: id.bytes) == id)
      #expect(id.bytes.count == 16 && id.description.utf8.count == 36)
      #expect(id.bytes[6] >> 4 == 7)
      #expect(id.bytes[8] >> 6 == 0b10)
      #expect(id.timestamp.microseconds == time.microseconds / 1000 * 1000)
    }
  }

  @Test("all 62 random bits are used, and no other")
  func randomBits() {
    struct Constant: RandomNumberGenerator {
      var value: UInt64
      mutating func next() -> UInt64 { value }
    }
    var (zeros, ones) = (Constant(value: 0), Constant(value: .max))
    let time = Timestamp(seconds: 1)
    #expect(ThingID(at: time, using: &zeros).description == "00000000-03e8-7000-8000-000000000000")
    #expect(ThingID(at: time, using: &ones).description == "00000000-03e8-7000-bfff-ffffffffffff")
    let last = Timestamp(microseconds: 1_000_999)
    #expect(ThingID(at: last, using: &zeros).description == "00000000-03e8-7ffb-8000-000000000000")
    #expect(ThingID(at: Timestamp(seconds: -1), using: &zeros).timestamp == Timestamp(seconds: 0))
    #expect(Set((0..<1000).map { _ in ThingID(at: time) }).count == 1000)
  }

  @Test("identifiers sort by time, as values, as text and as bytes")
  func order() {
    let times = (0..<500).map { _ in Int64.random(in: 0...4_000_000_000_000_000) }
    let ids = Set(times).map { ThingID(at: Timestamp(microseconds: $0)) }.sorted()
    for (left, right) in zip(ids, ids.dropFirst()) {
      #expect(left < right && !(right < left))
      #expect(left.timestamp <= right.timestamp)
      #expect(left.description < right.description)
      #expect(left.bytes.lexicographicallyPrecedes(right.bytes))
    }
    #expect(ThingID(high: 1, low: 2) < ThingID(high: 1, low: 3))
    #expect(ThingID(high: 1, low: .max) < ThingID(high: 2, low: 0))
    #expect(ThingID(high: 1 << 63, low: 0) > ThingID(high: 1, low: 0))
  }

  @Test(
    "texts that are no identifier are refused",
    arguments: [
      "", "-", "017f22e2-79b0-7cc3-98c4-dc0c0c07398", "017f22e2-79b0-7cc3-98c4-dc0c0c07398f0",
      "017f22e279b07cc398c4dc0c0c07398f", "{017f22e2-79b0-7cc3-98c4-dc0c0c07398f}",
      "017f22e2-79b0-7cc3-98c4-dc0c0c07398g", "017f22e2-79b0-7cc3-98c4-dc0c0c0739-f",
      "017f22e-279b0-7cc3-98c4-dc0c0c07398f", "017f22e2_79b0_7cc3_98c4_dc0c0c07398f",
      " 017f22e2-79b0-7cc3-98c4-dc0c0c07398f", "017f22e2-79b0-7cc3-98c4-dc0c0c07398f\n",
      "017f22e2-79b0-7cc3-98c4-dc0c0c0739é", "------------------------------------",
    ])
  func bad(text: String) { #expect(ThingID(text) == nil) }

  @Test("only 16 bytes are an identifier")
  func badBytes() {
    for count in 0...40 where count != 16 {
      #expect(ThingID(bytes: [UInt8](repeating: 1, count: count)) == nil)
    }
  }
}
