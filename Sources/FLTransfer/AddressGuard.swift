import FLValues
import Glibc

/// Which addresses a transfer may connect to, where somebody else says where it goes: those of the public internet, of
/// this host's own only what it serves to everybody (the ports 80 and 443), and the networks that the operator allows.
///
/// It is asked for the very address that is connected to, so a name that leads elsewhere at the next lookup (DNS
/// rebinding) gets nobody into the operator's own network.
public struct AddressGuard: Sendable {
  /// The networks that are allowed though they are not public, or are this host's.
  public let allowed: AddressNetworks
  private let isOwn: @Sendable (IPAddress) -> Bool

  /// A guard that lets pass what is public, of this host's own the web alone, and what is in `allowed`.
  public init(allowing allowed: AddressNetworks = AddressNetworks()) {
    self.init(allowing: allowed, isOwn: Self.isOfThisHost)
  }

  init(allowing allowed: AddressNetworks, isOwn: @escaping @Sendable (IPAddress) -> Bool) {
    self.allowed = allowed
    self.isOwn = isOwn
  }

  /// Ports that are open to everybody where anything is: a shop on the same host is told of what is paid for.
  private static let webPorts: Set<Int> = [80, 443]

  /// Whether `port` of `address` may be connected to.
  ///
  /// What carries an IPv4 address inside (6to4, NAT64) is judged by that one; it is allowed by a network that it is
  /// in itself, not by one that the IPv4 address is in.
  public func allows(_ address: IPAddress, port: Int) -> Bool {
    if allowed.contains(address) { return true }
    guard !address.isReserved else { return false }
    return Self.webPorts.contains(port)
      || !isOwn(address) && (address.located == address || !isOwn(address.located))
  }

  /// Whether `address` is one of this host's: from here, where no firewall stands between, it leads to services that
  /// nobody outside is to reach.
  ///
  /// The kernel is asked, and nothing is sent: to its own address it sends from that address, but for a second one of a
  /// network; and it lets a socket have its own addresses alone, but where `ip_nonlocal_bind` is set. (A list of the
  /// interfaces' addresses would have to be kept, and asks for a kind of socket that a service may be denied.)
  static func isOfThisHost(_ address: IPAddress) -> Bool {
    if unsafe name(of: address, { unsafe connect($0, $1, $2) }) == address { return true }
    func canHave(_ address: IPAddress) -> Bool {
      unsafe name(of: address, { unsafe bind($0, $1, $2) }) != nil
    }
    return canHave(address) && !canHave(address.isIPv4 ? nobodysIPv4 : nobodysIPv6)
  }

  /// Addresses that no host has (RFC 5737, RFC 3849).
  private static let nobodysIPv4 = IPAddress(ipv4: 0xC000_0201)
  private static let nobodysIPv6 = IPAddress(high: 0x2001_0DB8_0000_0000, low: 1)

  private typealias Naming = (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32

  /// The address of a datagram socket after `call` with `address`, any port; nil where that fails.
  private static func name(of address: IPAddress, _ call: Naming) -> IPAddress? {
    if address.isIPv4 {
      var place = sockaddr_in()
      place.sin_family = sa_family_t(AF_INET)
      place.sin_addr.s_addr = UInt32(address.low).bigEndian
      guard let name = unsafe name(of: place, AF_INET, call) else { return nil }
      return IPAddress(ipv4: UInt32(bigEndian: name.sin_addr.s_addr))
    }
    var place = sockaddr_in6()
    place.sin6_family = sa_family_t(AF_INET6)
    unsafe withUnsafeMutableBytes(of: &place.sin6_addr) {
      unsafe $0.storeBytes(of: address.high.bigEndian, as: UInt64.self)
      unsafe $0.storeBytes(of: address.low.bigEndian, toByteOffset: 8, as: UInt64.self)
    }
    guard let name = unsafe name(of: place, AF_INET6, call) else { return nil }
    return unsafe withUnsafeBytes(of: name.sin6_addr) {
      unsafe IPAddress(
        high: UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)),
        low: UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
    }
  }

  private static func name<Address>(of address: Address, _ family: Int32, _ call: Naming) -> Address? {
    let descriptor = socket(family, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var (place, length) = (address, socklen_t(MemoryLayout<Address>.size))
    let isNamed = unsafe withUnsafeMutablePointer(to: &place) {
      unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe call(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
      }
    }
    return isNamed ? place : nil
  }
}
