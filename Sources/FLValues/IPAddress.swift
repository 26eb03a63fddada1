/// An IPv4 or IPv6 address.
///
/// An IPv4 address that is written as an IPv6 one (`::ffff:192.0.2.1`, RFC 4291, section 2.5.5.2) is that IPv4
/// address.
public struct IPAddress: Sendable, Hashable, CustomStringConvertible {
  /// The upper 64 bits of an IPv6 address; 0 for IPv4.
  public let high: UInt64
  /// The lower 64 bits of an IPv6 address, or the 32 bits of an IPv4 one.
  public let low: UInt64
  /// Whether it is an IPv4 address.
  public let isIPv4: Bool

  /// The IPv4 address of these 32 bits.
  public init(ipv4 bits: UInt32) { (high, low, isIPv4) = (0, UInt64(bits), true) }

  /// The address of these 128 bits.
  public init(high: UInt64, low: UInt64) {
    let isMapped = high == 0 && low >> 32 == 0xFFFF
    (self.high, self.low, isIPv4) = (high, isMapped ? low & 0xFFFF_FFFF : low, isMapped)
  }

  /// Reads the text of an address; nil for what is none.
  ///
  /// IPv4 is four decimal numbers without leading zeros; IPv6 is as in RFC 4291, section 2.2. Zones (`%eth0`),
  /// brackets, ports, networks and white space are refused.
  public init?(_ text: String) {
    // The longest: six groups of four, and an IPv4 address.
    guard (2...45).contains(text.utf8.count) else { return nil }
    let bytes = Array(text.utf8)
    let read =
      bytes.contains(UInt8(ascii: ":"))
      ? Self.ipv6(bytes) : Self.ipv4(bytes[...]).map { IPAddress(ipv4: $0) }
    guard let read else { return nil }
    self = read
  }

  private static func ipv4(_ bytes: ArraySlice<UInt8>) -> UInt32? {
    let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var bits: UInt32 = 0
    for part in parts {
      guard (1...3).contains(part.count), part.count == 1 || part.first != UInt8(ascii: "0") else {
        return nil
      }
      var number: UInt32 = 0
      for byte in part {
        guard (48...57).contains(byte) else { return nil }
        number = number * 10 + UInt32(byte - 48)
      }
      guard number <= 255 else { return nil }
      bits = bits << 8 | number
    }
    return bits
  }

  private static func ipv6(_ bytes: [UInt8]) -> IPAddress? {
    let colon = UInt8(ascii: ":")
    var groups: [UInt16] = []
    var gap: Int?
    var index = 0
    // A colon at the beginning is the first of two.
    if bytes[0] == colon {
      guard bytes[1] == colon else { return nil }
      gap = 0
      index = 2
    }
    while index < bytes.count {
      guard groups.count < 8 else { return nil }
      let end = bytes[index...].firstIndex(of: colon) ?? bytes.count
      let part = bytes[index..<end]
      if part.contains(UInt8(ascii: ".")) {
        guard end == bytes.count, groups.count <= 6, let bits = ipv4(part) else { return nil }
        groups += [UInt16(bits >> 16), UInt16(bits & 0xFFFF)]
        break
      }
      guard (1...4).contains(part.count), let group = hexadecimal(part) else { return nil }
      groups.append(group)
      guard end < bytes.count else { break }
      index = end + 1
      // A single colon at the end is none; a second one is the gap, of which there is one.
      guard index < bytes.count else { return nil }
      if bytes[index] == colon {
        guard gap == nil else { return nil }
        gap = groups.count
        index += 1
      }
    }
    if let gap {
      // RFC 4291: "::" stands for one or more groups.
      guard groups.count < 8 else { return nil }
      groups.insert(contentsOf: repeatElement(0, count: 8 - groups.count), at: gap)
    }
    guard groups.count == 8 else { return nil }
    let halves = [groups[..<4], groups[4...]].map { $0.reduce(UInt64(0)) { $0 << 16 | UInt64($1) } }
    return IPAddress(high: halves[0], low: halves[1])
  }

  private static func hexadecimal(_ digits: ArraySlice<UInt8>) -> UInt16? {
    var number: UInt16 = 0
    for digit in digits {
      switch digit {
      case 48...57: number = number << 4 | UInt16(digit - 48)
      case 65...70: number = number << 4 | UInt16(digit - 55)
      case 97...102: number = number << 4 | UInt16(digit - 87)
      default: return nil
      }
    }
    return number
  }

  /// The text of the address; for IPv6 the canonical one of RFC 5952.
  public var description: String {
    if isIPv4 { return (0..<4).map { String(low >> (24 - 8 * UInt64($0)) & 255) }.joined(separator: ".") }
    let groups = (0..<8).map { UInt16(truncatingIfNeeded: ($0 < 4 ? high : low) >> (48 - 16 * ($0 % 4))) }
    // The longest run of two or more zeros, the first of those of the same length.
    var best = 0..<0
    var start = 0
    while start < 8 {
      guard groups[start] == 0 else {
        start += 1
        continue
      }
      let end = groups[start...].firstIndex { $0 != 0 } ?? 8
      if end - start > max(best.count, 1) { best = start..<end }
      start = end
    }
    func text(_ part: ArraySlice<UInt16>) -> String {
      part.map { String($0, radix: 16) }.joined(separator: ":")
    }
    if best.isEmpty { return text(groups[...]) }
    return text(groups[..<best.lowerBound]) + "::" + text(groups[best.upperBound...])
  }

  /// The network that is one customer's: an IPv4 address by itself, of an IPv6 address the /64 (with zeros behind).
  public var network: IPAddress { isIPv4 ? self : IPAddress(high: high, low: 0) }

  /// The bytes of `network`: four of an IPv4 address, the first eight of an IPv6 one.
  public var networkBytes: [UInt8] {
    let (bits, count) = isIPv4 ? (low << 32, 4) : (high, 8)
    return (0..<count).map { UInt8(truncatingIfNeeded: bits >> (56 - 8 * UInt64($0))) }
  }
}
