import FLValues

/// Which addresses a transfer may connect to, where somebody else says where it goes: those of the public internet,
/// and the networks that the operator allows.
///
/// It is asked for the very address that is connected to, so a name that leads elsewhere at the next lookup (DNS
/// rebinding) gets nobody into the operator's own network.
public struct AddressGuard: Sendable {
  /// The networks that are allowed though they are not public.
  public let allowed: AddressNetworks

  /// A guard that lets pass what is public and what is in `allowed`.
  public init(allowing allowed: AddressNetworks = AddressNetworks()) { self.allowed = allowed }

  /// Whether `address` may be connected to.
  ///
  /// What carries an IPv4 address inside (6to4, NAT64) is judged by that one; it is allowed by a network that it is
  /// in itself, not by one that the IPv4 address is in.
  public func allows(_ address: IPAddress) -> Bool { !address.isReserved || allowed.contains(address) }
}
