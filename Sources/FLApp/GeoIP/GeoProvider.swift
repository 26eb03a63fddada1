import FLGeoIP
import FLHTTP
import FLTransfer
import FLValues
import Synchronization

/// A source of answers on the network that speaks the form of ipwho.is. What it answers is not trusted.
///
/// After some failures in a row it is left alone for a while, which doubles each time; then one request tries it.
final class GeoProvider: Sendable {
  /// What became of a question.
  enum Outcome: Sendable {
    /// It knows this; nothing for a miss.
    case answered(GeoRecord)
    /// It failed, or is left alone.
    case failed
  }

  /// Failures in a row after which it is left alone.
  static let patience = 5
  static let shortestPause = Duration.seconds(30)
  static let longestPause = Duration.seconds(600)

  private struct Circuit {
    var failures = 0
    var pause = shortestPause
    var closedUntil: Timestamp?
    var isTrying = false
  }

  /// The host's name, which is told as the source. The address may hold a key and is never told.
  let host: String
  private let address: String
  private let client: HTTPClient
  private let circuit = Mutex(Circuit())

  /// The provider at `address`, in which `{ip}` stands for the address to ask for.
  init(address: String, seconds: Int) {
    self.address = address
    host = WebURL(address.replacing("{ip}", with: "ip"))?.host ?? "provider"
    client = HTTPClient(
      limits: .init(
        connectMilliseconds: min(1000, 1000 * seconds), totalMilliseconds: 1000 * seconds, bodyBytes: 65_536),
      userAgent: "FastLinkIt/\(App.version)")
  }

  /// Whether it is left alone at the moment.
  func isLeftAlone(at now: Timestamp) -> Bool {
    circuit.withLock { $0.closedUntil.map { now < $0 } ?? false }
  }

  /// Asks for an address.
  func ask(_ ip: IPAddress, at now: Timestamp) -> Outcome {
    let isTrial: Bool? = circuit.withLock { circuit in
      guard let until = circuit.closedUntil else { return false }
      guard now >= until, !circuit.isTrying else { return nil }
      circuit.isTrying = true
      return true
    }
    guard let isTrial else { return .failed }
    let record = try? fetch(ip)
    circuit.withLock { circuit in
      if record != nil {
        circuit = Circuit()
      } else if isTrial {
        circuit.isTrying = false
        circuit.pause = min(circuit.pause * 2, Self.longestPause)
        circuit.closedUntil = now + circuit.pause
      } else {
        // Questions that were under way as it was left alone change nothing about the pause.
        circuit.failures += 1
        if circuit.failures >= Self.patience && circuit.closedUntil == nil {
          circuit.closedUntil = now + circuit.pause
        }
      }
    }
    return record.map { .answered($0) } ?? .failed
  }

  private struct Nonsense: Error {}

  private func fetch(_ ip: IPAddress) throws -> GeoRecord {
    let reply = try client.get(address.replacing("{ip}", with: ip.description))
    guard reply.status == 200 else { throw Nonsense() }
    let json = try JSON(reading: reply.body)
    guard json.object != nil, let success = json["success"]?.bool else { throw Nonsense() }
    guard success else {
      // "Reserved range" is an answer; what is about limits and keys is none.
      let words = json["message"]?.string?.lowercased() ?? ""
      guard words.contains("reserved") || words.contains("not found") else { throw Nonsense() }
      return GeoRecord()
    }
    guard json["ip"]?.string.flatMap(IPAddress.init) == ip else { throw Nonsense() }
    return Self.record(of: json)
  }

  /// What an answer says; members of wrong types and nonsense are left out.
  static func record(of json: JSON) -> GeoRecord {
    func text(_ json: JSON?) -> String? { json?.string.flatMap(GeoRecord.clean) }
    var record = GeoRecord()
    record.continent = text(json["continent"])
    record.continentCode = text(json["continent_code"])
    record.country = text(json["country"])
    record.countryCode = text(json["country_code"])
    record.region = text(json["region"])
    record.regionCode = text(json["region_code"])
    record.city = text(json["city"])
    record.postalCode = text(json["postal"])
    record.latitude = json["latitude"]?.double
    record.longitude = json["longitude"]?.double
    record.isEU = json["is_eu"]?.bool
    record.timeZone = text(json["timezone"]?["id"])
    let connection = json["connection"]
    record.asn = connection?["asn"]?.integer.map { Int($0) }
    record.organization = text(connection?["org"])
    record.isp = text(connection?["isp"])
    record.domain = text(connection?["domain"])
    record.connectionType = text(connection?["type"])
    let security = json["security"]
    record.isAnonymous = security?["anonymous"]?.bool
    record.isVPN = security?["vpn"]?.bool
    record.isProxy = security?["proxy"]?.bool
    record.isTor = security?["tor"]?.bool
    record.isHosting = security?["hosting"]?.bool
    record.complete()
    return record
  }
}
