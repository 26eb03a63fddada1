/// The special-purpose addresses, which are nobody's place: IANA's registries after RFC 6890 and its updates, and
/// multicast (RFC 5771, RFC 4291).
extension IPAddress {
  /// The address by which a place is looked up: the IPv4 address inside of a translated one (NAT64's well-known
  /// prefix `64:ff9b::/96`, RFC 6052) or a 6to4 one (`2002::/16`, RFC 3056), else the address itself. A Teredo address
  /// has an IPv4 address too, but says nothing that could be trusted of who is behind it: it is reserved.
  public var located: IPAddress {
    guard !isIPv4 else { return self }
    if high == 0x0064_FF9B_0000_0000 && low >> 32 == 0 { return IPAddress(ipv4: UInt32(low)) }
    if high >> 48 == 0x2002 { return IPAddress(ipv4: UInt32(truncatingIfNeeded: high >> 16)) }
    return self
  }

  /// Whether it is reserved: private, loopback, link-local, shared (CGNAT), documentation, benchmarking, multicast,
  /// or not given out. A translated address is what the IPv4 address inside of it is.
  ///
  /// AS112 and AMT, which are special but reachable all over the world, are not reserved.
  public var isReserved: Bool {
    let address = located
    if address.isIPv4 {
      let bits = UInt32(address.low)
      return Self.reservedIPv4.contains { bits >> (32 - $0.length) == $0.bits >> (32 - $0.length) }
    }
    // IPv6 addresses of the public internet are in 2000::/3 (RFC 4291, section 2.4 and IANA's registry).
    guard address.high >> 61 == 1 else { return true }
    return Self.reservedIPv6.contains { address.high >> (64 - $0.length) == $0.bits >> (64 - $0.length) }
  }

  private static let reservedIPv4: [(bits: UInt32, length: UInt32)] = [
    (0x0000_0000, 8),  // this network, RFC 791
    (0x0A00_0000, 8),  // private, RFC 1918
    (0x6440_0000, 10),  // shared, RFC 6598
    (0x7F00_0000, 8),  // loopback, RFC 1122
    (0xA9FE_0000, 16),  // link-local, RFC 3927
    (0xAC10_0000, 12),  // private, RFC 1918
    (0xC000_0000, 24),  // protocol assignments, RFC 6890
    (0xC000_0200, 24),  // documentation, RFC 5737
    (0xC058_6300, 24),  // 6to4 relays, RFC 7526
    (0xC0A8_0000, 16),  // private, RFC 1918
    (0xC612_0000, 15),  // benchmarking, RFC 2544
    (0xC633_6400, 24),  // documentation, RFC 5737
    (0xCB00_7100, 24),  // documentation, RFC 5737
    (0xE000_0000, 4),  // multicast, RFC 5771
    (0xF000_0000, 4),  // reserved, RFC 1112; limited broadcast, RFC 919
  ]

  private static let reservedIPv6: [(bits: UInt64, length: UInt64)] = [
    (0x2001_0000_0000_0000, 23),  // protocol assignments, RFC 2928: Teredo, benchmarking, ORCHID and others
    (0x2001_0DB8_0000_0000, 32),  // documentation, RFC 3849
    (0x3FFF_0000_0000_0000, 20),  // documentation, RFC 9637
  ]
}
