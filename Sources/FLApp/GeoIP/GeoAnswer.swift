import FLGeoIP
import FLHTTP
import FLValues

/// What is answered of an address.
struct GeoAnswer: Sendable {
  let address: IPAddress
  let kept: KeptRecord
  /// Whether it was looked up before, and not now.
  let isCached: Bool
  let now: Timestamp

  private var record: GeoRecord { kept.record }
  private var zone: LocalTime? { record.timeZone.flatMap { LocalTime.of($0, at: now) } }

  private struct Zone: Sendable {
    let id: String?
    let time: LocalTime?
  }

  /// The full form.
  static let shape: Shape<GeoAnswer> = {
    let text: Shape<String?> = .optional(.string)
    let flag: Shape<Bool?> = .optional(.bool)
    let count: Shape<Int?> = .optional(.count)
    let zone = Shape<Zone>.output(
      "GeoTimeZone",
      [
        .init("id", \.id, text), .init("offset", { $0.time?.offset }, .optional(.seconds)),
        .init("abbreviation", { $0.time?.abbreviation }, text),
      ])
    let connection = Shape<GeoRecord>.output(
      "GeoConnection",
      [
        .init("asn", \.asn, count), .init("organization", \.organization, text), .init("isp", \.isp, text),
        .init("domain", \.domain, text), .init("type", \.connectionType, text),
      ])
    let anonymity = Shape<GeoRecord>.output(
      "GeoAnonymity",
      [
        .init("isAnonymous", \.isAnonymous, flag), .init("isVpn", \.isVPN, flag),
        .init("isProxy", \.isProxy, flag), .init("isTor", \.isTor, flag),
        .init("isHosting", \.isHosting, flag),
      ])
    var members: [Shape<GeoAnswer>.Member] = [
      .init("ip", \.address.description, .string),
      .init("type", { $0.address.isIPv4 ? "IPv4" : "IPv6" }, .string),
    ]
    members += [
      .init("continent", \.record.continent, text), .init("continentCode", \.record.continentCode, text),
      .init("country", \.record.country, text), .init("countryCode", \.record.countryCode, text),
      .init("region", \.record.region, text), .init("regionCode", \.record.regionCode, text),
      .init("city", \.record.city, text), .init("postalCode", \.record.postalCode, text),
    ]
    members += [
      .init("latitude", \.record.latitude, .optional(.degrees)),
      .init("longitude", \.record.longitude, .optional(.degrees)), .init("isEu", \.record.isEU, flag),
      .init("timezone", { Zone(id: $0.record.timeZone, time: $0.zone) }, zone),
      .init("connection", \.record, connection), .init("anonymity", \.record, anonymity),
    ]
    members += [
      .init("source", { $0.kept.source.isEmpty ? nil : $0.kept.source }, text),
      .init("cached", \.isCached, .bool), .init("askedAt", \.kept.askedAt, .timestamp),
    ]
    return .output("GeoAnswer", members)
  }()

  /// The simple form.
  static let simple: Shape<GeoAnswer> = {
    let text: Shape<String?> = .optional(.string)
    return .output(
      "GeoSimpleAnswer",
      [
        .init("ip", \.address.description, .string), .init("country", \.record.country, text),
        .init("countryCode", \.record.countryCode, text), .init("city", \.record.city, text),
        .init("isEu", \.record.isEU, .optional(.bool)),
      ])
  }()
}

/// What a look-up brought, as it is kept.
struct KeptRecord: Sendable {
  var record: GeoRecord
  /// The types of the databases that knew something and the host of the provider, with commas between; empty where
  /// nobody knew anything.
  var source: String
  /// Of the databases that were asked.
  var generation: Int64
  var askedAt: Timestamp
  var expiresAt: Timestamp
}

extension Shape where Value == Double {
  /// A number of degrees; for what is only answered.
  fileprivate static let degrees = Shape(
    schema: Schema(["type": "number", "minimum": -180, "maximum": 180]),
    read: { _, reading in
      reading.refuse("read_only", "This is only ever answered.")
      return nil
    }, write: { $1.number($0) })
}

extension Shape where Value == Int {
  /// Seconds east of UTC.
  fileprivate static let seconds = Shape.integer(-86_400...86_400)
}

extension GeoRecord {
  private static let texts: [(String, any WritableKeyPath<GeoRecord, String?> & Sendable)] = [
    ("continent", \.continent), ("continentCode", \.continentCode), ("country", \.country),
    ("countryCode", \.countryCode), ("region", \.region), ("regionCode", \.regionCode), ("city", \.city),
    ("postalCode", \.postalCode), ("timeZone", \.timeZone), ("organization", \.organization), ("isp", \.isp),
    ("domain", \.domain), ("connectionType", \.connectionType),
  ]
  private static let flags: [(String, any WritableKeyPath<GeoRecord, Bool?> & Sendable)] = [
    ("isEu", \.isEU), ("isAnonymous", \.isAnonymous), ("isVpn", \.isVPN), ("isProxy", \.isProxy),
    ("isTor", \.isTor), ("isHosting", \.isHosting),
  ]

  /// What is known, as it is kept in the database.
  var json: JSON {
    var object = JSONObject()
    for (name, member) in Self.texts { object[name] = self[keyPath: member].map { .string($0) } }
    for (name, member) in Self.flags { object[name] = self[keyPath: member].map { .bool($0) } }
    object["asn"] = asn.map { .integer(Int64($0)) }
    object["latitude"] = latitude.map { .number($0) }
    object["longitude"] = longitude.map { .number($0) }
    return .object(object)
  }

  /// Reads what was kept.
  init(kept json: JSON) {
    self.init()
    for (name, member) in Self.texts { self[keyPath: member] = json[name]?.string }
    for (name, member) in Self.flags { self[keyPath: member] = json[name]?.bool }
    asn = json["asn"]?.integer.map { Int($0) }
    latitude = json["latitude"]?.double
    longitude = json["longitude"]?.double
  }
}

extension JSON {
  /// The number, where this is one.
  var double: Double? {
    switch self {
    case .number(let number): number
    case .integer(let number): Double(number)
    default: nil
    }
  }
}
