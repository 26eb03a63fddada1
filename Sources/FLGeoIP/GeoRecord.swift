/// What is known of an address, from one source or merged from several.
public struct GeoRecord: Sendable, Equatable {
  /// The continent's English name.
  public var continent: String?
  /// The continent's code: AF, AN, AS, EU, NA, OC or SA.
  public var continentCode: String?
  /// The country's English name.
  public var country: String?
  /// The country's code by ISO 3166-1.
  public var countryCode: String?
  /// The name of the country's largest division that the address is in.
  public var region: String?
  /// That division's code, without the country's in front of it.
  public var regionCode: String?
  /// The city's English name.
  public var city: String?
  /// The postal code.
  public var postalCode: String?
  /// Degrees north.
  public var latitude: Double?
  /// Degrees east.
  public var longitude: Double?
  /// Whether the law of the European Union holds there.
  public var isEU: Bool?
  /// The name of the time zone in tzdata.
  public var timeZone: String?
  /// The number of the autonomous system.
  public var asn: Int?
  /// Who runs it.
  public var organization: String?
  /// Who sells it to customers.
  public var isp: String?
  /// The domain of the organization or of the host.
  public var domain: String?
  /// How customers are connected: `Cable/DSL`, `Cellular`, …
  public var connectionType: String?
  /// Whether it hides who is behind it, in whatever way.
  public var isAnonymous: Bool?
  /// Whether it is of a virtual private network for anonymity.
  public var isVPN: Bool?
  /// Whether it is a proxy that anybody may use.
  public var isProxy: Bool?
  /// Whether it is an exit of Tor.
  public var isTor: Bool?
  /// Whether it is of a hosting provider.
  public var isHosting: Bool?

  /// Nothing.
  public init() {}

  /// Whether nothing is known.
  public var isEmpty: Bool { self == GeoRecord() }

  /// Takes from `other`, which is less to be trusted, what is not known here.
  ///
  /// What belongs together is not mixed: a place in another country is left out as a whole, and so is another
  /// network's organization.
  public mutating func fill(from other: GeoRecord) {
    if countryCode == nil || other.countryCode == nil || countryCode == other.countryCode {
      fillPlace(from: other)
    }
    if asn == nil || other.asn == nil || asn == other.asn {
      take(\.asn, other)
      take(\.organization, other)
      take(\.isp, other)
      take(\.domain, other)
    }
    take(\.connectionType, other)
    for flag in [\.isAnonymous, \.isVPN, \.isProxy, \.isTor, \.isHosting]
      as [WritableKeyPath<GeoRecord, Bool?>]
    {
      take(flag, other)
    }
  }

  private mutating func fillPlace(from other: GeoRecord) {
    // A place below the country comes from one source: another's postal code may be another city's.
    let hasRegion = region != nil || regionCode != nil
    let hasCity = city != nil
    if !hasCity && (!hasRegion || region == other.region) {
      take(\.city, other)
      take(\.postalCode, other)
      if !hasRegion {
        take(\.region, other)
        take(\.regionCode, other)
      }
      if latitude == nil || city != nil {
        (latitude, longitude) = other.coordinates ?? coordinates ?? (nil, nil)
      }
    } else if city == other.city {
      take(\.postalCode, other)
      take(\.regionCode, other)
      take(\.region, other)
    }
    if latitude == nil || longitude == nil { (latitude, longitude) = other.coordinates ?? (nil, nil) }
    take(\.timeZone, other)
    take(\.country, other)
    take(\.countryCode, other)
    take(\.continent, other)
    take(\.continentCode, other)
    take(\.isEU, other)
  }

  private var coordinates: (Double?, Double?)? {
    latitude != nil && longitude != nil ? (latitude, longitude) : nil
  }

  private mutating func take<Value>(_ member: WritableKeyPath<GeoRecord, Value?>, _ other: GeoRecord) {
    if self[keyPath: member] == nil { self[keyPath: member] = other[keyPath: member] }
  }
}
