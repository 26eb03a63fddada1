/// The identifier of a `Subject`: a UUID of version 7 (RFC 9562), which sorts in the order of creation. As text it is
/// 36 lower-case characters, in the database 16 bytes.
public struct ID<Subject>: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The most and the least significant eight bytes.
  public let high: UInt64
  /// See `high`.
  public let low: UInt64

  /// The identifier with these two halves, whatever its version.
  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// A new identifier of `time`, with 62 random bits of the system's random source.
  public init(at time: Timestamp) {
    var random = SystemRandomNumberGenerator()
    self.init(at: time, using: &random)
  }

  /// A new identifier that takes its 62 random bits from `random`.
  ///
  /// The time is there to a quarter of a microsecond (RFC 9562, section 6.2, method 3), so that what is made one
  /// after the other also sorts so.
  public init(at time: Timestamp, using random: inout some RandomNumberGenerator) {
    let milliseconds = UInt64(max(0, time.microseconds / 1000))
    let fraction = UInt64(max(0, time.microseconds) % 1000) << 12 / 1000
    high = milliseconds << 16 | 0x7000 | fraction
    low = 0x8000_0000_0000_0000 | random.next() >> 2
  }

  /// The identifier that these 16 bytes are, in network order; nil unless there are 16.
  public init?(bytes: some Collection<UInt8>) {
    guard bytes.count == 16 else { return nil }
    var halves: (UInt64, UInt64) = (0, 0)
    for (index, byte) in bytes.enumerated() {
      if index < 8 {
        halves.0 = halves.0 << 8 | UInt64(byte)
      } else {
        halves.1 = halves.1 << 8 | UInt64(byte)
      }
    }
    (high, low) = halves
  }

  /// Reads the 36-character form in either case; nil for anything else.
  public init?(_ text: String) {
    var halves: (UInt64, UInt64) = (0, 0)
    var index = 0
    for character in text.utf8 {
      defer { index += 1 }
      if index == 8 || index == 13 || index == 18 || index == 23 {
        guard character == UInt8(ascii: "-") else { return nil }
        continue
      }
      let digit: UInt8
      switch character {
      case 48...57: digit = character - 48
      case 97...102: digit = character - 87
      case 65...70: digit = character - 55
      default: return nil
      }
      if index < 18 {
        halves.0 = halves.0 << 4 | UInt64(digit)
      } else {
        halves.1 = halves.1 << 4 | UInt64(digit)
      }
    }
    guard index == 36 else { return nil }
    (high, low) = halves
  }

  /// The 16 bytes in network order.
  public var bytes: [UInt8] {
    [UInt8](unsafeUninitializedCapacity: 16) { buffer, count in
      for index in 0..<8 {
        buffer[index] = UInt8(truncatingIfNeeded: high >> UInt64(56 - index * 8))
        buffer[index + 8] = UInt8(truncatingIfNeeded: low >> UInt64(56 - index * 8))
      }
      count = 16
    }
  }

  /// The canonical text: 36 characters, lower-case.
  public var description: String {
    let digits = Array("0123456789abcdef".utf8)
    return String(unsafeUninitializedCapacity: 36) { buffer in
      var position = 0
      for (index, byte) in bytes.enumerated() {
        if index == 4 || index == 6 || index == 8 || index == 10 {
          buffer[position] = UInt8(ascii: "-")
          position += 1
        }
        buffer[position] = digits[Int(byte >> 4)]
        buffer[position + 1] = digits[Int(byte & 15)]
        position += 2
      }
      return position
    }
  }

  /// When it was made, to the millisecond (meaningful for version 7 only).
  public var timestamp: Timestamp { Timestamp(microseconds: Int64(high >> 16) * 1000) }

  /// The order of the bytes, which for version 7 is that of creation.
  public static func < (left: ID, right: ID) -> Bool {
    (left.high, left.low) < (right.high, right.low)
  }
}
