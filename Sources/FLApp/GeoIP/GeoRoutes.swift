import FLGeoIP
import FLHTTP
import FLValues

/// Where addresses are.
struct GeoRoutes {
  let service: GeoService

  var routes: [Route] {
    [
      Route(
        .get, "/api/geoip/{ip}", "lookUpAddress", access: .scope(.geoip), tag: "GeoIP",
        summary: "Look an address up",
        description: "Of an IPv6 address its /64 is looked up once. What is not known is null.",
        problems: [503], .path("ip", Shape<String>.string, "An IPv4 or IPv6 address."),
        reply: .ok(GeoAnswer.shape), handler: { call, ip in try lookUp(call, ip) }),
      Route(
        .get, "/api/geoip/{ip}/simple", "lookUpAddressSimply", access: .scope(.geoip), tag: "GeoIP",
        summary: "Look up an address's country and city", problems: [503],
        .path("ip", Shape<String>.string, "An IPv4 or IPv6 address."), reply: .ok(GeoAnswer.simple),
        handler: { call, ip in try lookUp(call, ip) }),
      Route(
        .get, "/api/geoip/me", "lookUpMe", access: .scope(.geoip), tag: "GeoIP",
        summary: "Look the own address up", problems: [422, 503], reply: .ok(GeoAnswer.shape),
        handler: { call in try lookUp(call, call.request.clientAddress) }),
      Route(
        .get, "/api/geoip/me/simple", "lookUpMeSimply", access: .scope(.geoip), tag: "GeoIP",
        summary: "Look up the own address's country and city", problems: [422, 503],
        reply: .ok(GeoAnswer.simple), handler: { call in try lookUp(call, call.request.clientAddress) }),
      Route(
        .post, "/api/geoip/batch", "lookUpAddresses", access: .scope(.geoip, reads: true), tag: "GeoIP",
        summary: "Look up to 100 addresses up",
        description: "`results` has one entry an address, in their order; a bad one stops no other.",
        body: GeoBatch.shape, reply: .ok(GeoBatchResult.shape),
        handler: { call, batch in batchResult(call, batch) }),
      Route(
        .get, "/api/geoip/databases", "listGeoDatabases", access: .scope(.geoip), tag: "GeoIP",
        summary: "See where the answers come from",
        description: "Some licences ask for the source to be named: see `attribution`.",
        reply: .ok(GeoSources.shape), handler: { call in GeoSources(service, at: call.now) }),
    ]
  }

  func lookUp(_ call: Call, _ text: String) throws -> GeoAnswer {
    try service.answer(on: GeoService.read(text), at: call.now)
  }

  func batchResult(_ call: Call, _ batch: GeoBatch) -> GeoBatchResult {
    var addresses: [IPAddress] = []
    let rows = batch.ips.enumerated().map { index, text -> Result<Int, Problem> in
      Result { () throws(Problem) in try GeoService.read(text, field: "ips[\(index)]") }.map {
        addresses.append($0)
        return addresses.count - 1
      }
    }
    let answers = service.answers(on: addresses, at: call.now)
    return GeoBatchResult(
      rows: zip(batch.ips, rows).map { text, row in .init(ip: text, answer: row.flatMap { answers[$0] }) })
  }
}

/// The addresses of a batch; each is read by itself.
struct GeoBatch: Sendable {
  let ips: [String]

  static let shape = Shape(
    GeoBatch.init(ips:), Field("ips", \.ips, .list(of: .text(0...100), atMost: 100, atLeast: 1))
  ).named("GeoBatch")
}

/// What became of each address of a batch.
struct GeoBatchResult: Sendable {
  struct Row: Sendable {
    let ip: String
    let answer: Result<GeoAnswer, Problem>

    var problem: Problem? { if case .failure(let problem) = answer { problem } else { nil } }
  }

  let rows: [Row]

  static let shape: Shape<GeoBatchResult> = {
    let row = Shape<Row>.output(
      "GeoBatchRow",
      [
        .init("ip", \.ip, .string), .init("status", { $0.problem?.status ?? 200 }, .count),
        .init("answer", { try? $0.answer.get() }, .optional(GeoAnswer.shape)),
        .init("error", \.problem, .optional(.problem)),
      ])
    return .output("GeoBatchResult", [.init("results", \.rows, .list(of: row))])
  }()
}

/// Where the answers come from.
struct GeoSources: Sendable {
  let files: [GeoDatabases.Report]
  let problem: String?
  let provider: String?
  let providerIsLeftAlone: Bool

  init(_ service: GeoService, at now: Timestamp) {
    files = service.databases.reports
    // Where the operator keeps the files is nobody else's business.
    problem = service.databases.isEmpty ? "There is no GeoIP database that can be used." : nil
    provider = service.provider?.host
    providerIsLeftAlone = service.provider?.isLeftAlone(at: now) ?? false
  }

  static let shape: Shape<GeoSources> = {
    let text: Shape<String?> = .optional(.string)
    let file = Shape<GeoDatabases.Report>.output(
      "GeoDatabase",
      [
        .init("name", \.name, .string), .init("type", { $0.database?.type }, text),
        .init("kind", { $0.database?.kind.rawValue }, text),
        .init("builtAt", { $0.database?.builtAt }, .optional(.timestamp)),
        .init("size", { $0.database?.size }, .optional(.count)),
        .init("description", { $0.database?.about }, text),
        .init("attribution", { $0.database.flatMap(attribution) }, text), .init("problem", \.problem, text),
      ])
    return .output(
      "GeoSources",
      [
        .init("databases", \.files, .list(of: file)), .init("provider", \.provider, text),
        .init("providerIsPaused", \.providerIsLeftAlone, .bool), .init("problem", \.problem, text),
      ])
  }()

  /// What the makers of free databases ask to be said of them.
  static func attribution(_ database: GeoDatabase) -> String? {
    let type = database.type.lowercased()
    if type.hasPrefix("dbip") { return "IP Geolocation by DB-IP, https://db-ip.com, CC BY 4.0" }
    if type.hasPrefix("geolite2") {
      return "This product includes GeoLite Data created by MaxMind, available from https://www.maxmind.com."
    }
    if type.hasPrefix("ipinfo") {
      return "IP address data powered by IPinfo, https://ipinfo.io, CC BY-SA 4.0"
    }
    if type.contains("ipfire") {
      return "IPFire Location database, https://www.ipfire.org/location, CC BY-SA 4.0, changed"
    }
    return nil
  }
}
