import FLCrypto
import FLValues
import Glibc

/// A client's address as a spool holds it until its click is loaded: readable only with the day's salt, which is
/// deleted after two days.
///
/// The 16 bytes of the address (an IPv4 address is mapped, RFC 4291, section 2.5.5.2) are combined by exclusive or
/// with the first 16 of HMAC-SHA-256 over the click's identifier. As no two clicks have one identifier, each such
/// pad is used once.
public struct SealedAddress: Hashable, Sendable {
  let high: UInt64
  let low: UInt64

  init(high: UInt64, low: UInt64) { (self.high, self.low) = (high, low) }

  /// Seals an address for this click; nil for what is no IP address.
  init?(_ address: String, of click: ID<Click>, key: [UInt8]) {
    guard let halves = Self.halves(of: address) else { return nil }
    let pad = Self.pad(of: click, key: key)
    (high, low) = (halves.high ^ pad.high, halves.low ^ pad.low)
  }

  /// The address as text, given the click and the key that it was sealed with.
  func opened(of click: ID<Click>, key: [UInt8]) -> String {
    let pad = Self.pad(of: click, key: key)
    return Self.text(high: high ^ pad.high, low: low ^ pad.low)
  }

  /// The key of a day's addresses. It is another than the salt itself, so that nothing about a pad can be learnt
  /// from the digests of visitors, nor the other way round.
  static func key(salt: [UInt8]) -> [UInt8] {
    HMACSHA256.code(Array("fastlinkit: addresses of clicks".utf8), key: salt)
  }

  private static func pad(of click: ID<Click>, key: [UInt8]) -> (high: UInt64, low: UInt64) {
    let code = HMACSHA256.code(click.bytes, key: key)
    func half(_ bytes: ArraySlice<UInt8>) -> UInt64 { bytes.reduce(0) { $0 << 8 | UInt64($1) } }
    return (half(code[..<8]), half(code[8..<16]))
  }

  private static func halves(of address: String) -> (high: UInt64, low: UInt64)? {
    if address.utf8.contains(UInt8(ascii: ":")) {
      var parsed = in6_addr()
      guard inet_pton(AF_INET6, address, &parsed) == 1 else { return nil }
      return withUnsafeBytes(of: &parsed) {
        (
          UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)),
          UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        )
      }
    }
    var parsed = in_addr()
    guard inet_pton(AF_INET, address, &parsed) == 1 else { return nil }
    return (0, 0xFFFF_0000_0000 | UInt64(UInt32(bigEndian: parsed.s_addr)))
  }

  private static func text(high: UInt64, low: UInt64) -> String {
    if high == 0, low >> 32 == 0xFFFF {
      return "\(low >> 24 & 255).\(low >> 16 & 255).\(low >> 8 & 255).\(low & 255)"
    }
    return (0..<8).map { group in
      let half = group < 4 ? high : low
      return String(half >> UInt64(48 - group % 4 * 16) & 0xFFFF, radix: 16)
    }.joined(separator: ":")
  }
}
