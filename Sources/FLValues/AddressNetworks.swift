/// Networks of IP addresses, as an operator lists them: `127.0.0.0/8,10.1.2.0/24,fd00::/8`.
public struct AddressNetworks: Sendable, Hashable, CustomStringConvertible {
  private struct Network: Hashable, Sendable {
    let address: IPAddress
    let length: Int

    func contains(_ other: IPAddress) -> Bool {
      guard address.isIPv4 == other.isIPv4 else { return false }
      if address.isIPv4 { return (address.low ^ other.low) >> UInt64(32 - length) == 0 }
      // A shift by 64 and more gives 0.
      guard (address.high ^ other.high) >> UInt64(max(0, 64 - length)) == 0 else { return false }
      return length <= 64 || (address.low ^ other.low) >> UInt64(128 - length) == 0
    }
  }

  /// Why a text is no list of networks, in a sentence for the operator.
  public struct Failure: Error, Sendable, Equatable, CustomStringConvertible {
    /// The sentence.
    public let description: String
  }

  private let networks: [Network]

  /// No networks.
  public init() { networks = [] }

  /// Reads networks (RFC 4632, RFC 4291, section 2.3) with commas between them; an address without a length is by
  /// itself. Throws at the first that is none, or that has bits set behind its length, which is mostly a mistake.
  public init(_ text: String) throws(Failure) {
    var networks: [Network] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let part = part.drop { $0 == " " }
      let written = String(
        part.prefix(upTo: part.lastIndex { $0 != " " }.map(part.index(after:)) ?? part.startIndex))
      if written.isEmpty && text.allSatisfy({ $0 == " " }) { break }
      networks.append(try Self.network(written))
    }
    self.networks = networks
  }

  private static func network(_ text: String) throws(Failure) -> Network {
    let halves = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let first = halves.first, let address = IPAddress(String(first)) else {
      throw Failure(description: "\"\(text)\" is no network: write it as 10.1.2.0/24 or fd00::/8.")
    }
    let most = address.isIPv4 ? 32 : 128
    guard halves.count == 2 else { return Network(address: address, length: most) }
    let digits = halves[1]
    guard (1...3).contains(digits.utf8.count), digits.utf8.allSatisfy({ (48...57).contains($0) }),
      let length = Int(digits), length <= most
    else {
      throw Failure(
        description: "\"\(text)\" is no network: behind the slash of an \(address.isIPv4 ? "IPv4" : "IPv6")"
          + " address is a number from 0 to \(most).")
    }
    let (high, low) =
      address.isIPv4
      ? (0, length == 0 ? 0 : address.low & (UInt64(0xFFFF_FFFF) << UInt64(32 - length)))
      : (
        length == 0 ? 0 : address.high & (.max << UInt64(max(0, 64 - length))),
        length <= 64 ? 0 : address.low & (.max << UInt64(128 - length))
      )
    guard high == address.high && low == address.low else {
      let meant = address.isIPv4 ? IPAddress(ipv4: UInt32(low)) : IPAddress(high: high, low: low)
      throw Failure(
        description: "\"\(text)\" has bits set behind its length; the network is \(meant)/\(length).")
    }
    return Network(address: address, length: length)
  }

  /// Whether there are none.
  public var isEmpty: Bool { networks.isEmpty }

  /// Whether `address` is in one of them. An IPv4 address is in no IPv6 network.
  public func contains(_ address: IPAddress) -> Bool { networks.contains { $0.contains(address) } }

  /// The networks with commas between them.
  public var description: String { networks.map { "\($0.address)/\($0.length)" }.joined(separator: ",") }
}
