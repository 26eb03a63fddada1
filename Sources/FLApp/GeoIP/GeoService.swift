import FLCrypto
import FLGeoIP
import FLHTTP
import FLMariaDB
import FLValues
import Foundation
import Logging
import Synchronization

/// Looks addresses up: in memory, in the table of answers, in the databases, and at the provider for what those do not
/// know.
final class GeoService: Sendable {
  /// How long an answer holds; of a database while it is in use.
  static let lifetime = Duration.seconds(7 * 86_400)
  /// How long it holds that the provider knows nothing.
  static let missLifetime = Duration.seconds(86_400)
  /// So many answers of the databases a process puts into the table in a second: who asks for all addresses there
  /// are fills no table. What is not kept is looked up again, which costs microseconds.
  static let keptPerSecond = 50
  private static let mostInMemory = 16_384

  let databases: GeoDatabases
  let provider: GeoProvider?
  private let database: Database
  private let seconds: Int
  /// Which networks the table may have answers for, as all processes of the host see it.
  private let marks: SharedTable
  private let memory = Mutex<[IPAddress: KeptRecord]>([:])
  private let flights = Mutex<[IPAddress: Flight]>([:])
  private let asking = Atomic<Int>(0)
  private let mostAsking: Int
  private let budget = Mutex<(second: Int64, left: Int)>((0, 0))

  /// Several threads that ask the provider for one network: the first asks, the others wait.
  private final class Flight: Sendable {
    let done = DispatchGroup()
    let outcome = Mutex<Asked>(.failed)
  }

  private enum Asked: Sendable {
    case fresh(KeptRecord)
    case kept(KeptRecord)
    case failed
  }

  /// The service of a process that answers `workers` requests at a time; at most half of them wait for the provider.
  init(settings: Settings, database: Database, databases: GeoDatabases, workers: Int) throws {
    self.database = database
    self.databases = databases
    seconds = settings.geoIPTimeout
    provider = settings.geoIPProvider.map { GeoProvider(address: $0, seconds: settings.geoIPTimeout) }
    marks = try SharedTable(path: settings.state + "/run/geoip-marks", count: 1 << 16)
    mostAsking = max(1, workers / 2)
  }

  /// Reads the text of an address that has a place.
  /// - Throws: `Problem` 422 `ip_invalid` or `ip_reserved` that names `field`.
  static func read(_ text: String, field: String = "ip") throws(Problem) -> IPAddress {
    guard let address = IPAddress(text) else {
      throw refuse(field, "ip_invalid", "This is no IP address.", "Write it like 203.0.113.7 or 2001:db8::7.")
    }
    guard !address.isReserved else {
      throw refuse(
        field, "ip_reserved", "This address is reserved.",
        "\(address) is private, local, or for a special purpose: it has no place.")
    }
    return address
  }

  private static func refuse(_ field: String, _ code: String, _ title: String, _ detail: String) -> Problem {
    Problem(422, code, title, detail: detail, errors: [FieldProblem(field, code, detail)])
  }

  /// What is known of an address.
  /// - Throws: `Problem` 503 `geoip_unavailable` where there is no source, or none that answers.
  func answer(on address: IPAddress, at now: Timestamp) throws -> GeoAnswer {
    try answers(on: [address], at: now)[0].get()
  }

  /// What is known of each of these addresses.
  func answers(on addresses: [IPAddress], at now: Timestamp) -> [Result<GeoAnswer, Problem>] {
    let generation = databases.generation
    let networks = addresses.map(\.located.network)
    var found = remembered(networks, generation, at: now).mapValues { (kept: $0, isCached: true) }
    let missing = Set(networks).subtracting(found.keys)
    let rows = missing.isEmpty ? [:] : kept(missing, generation, at: now)
    var fresh: [GeoRows.Row] = []
    // One that fails makes the next ones wait no longer: a batch must end.
    let deadline = ContinuousClock.now + .seconds(2 * seconds)
    for (address, network) in zip(addresses, networks) where found[network] == nil {
      var isCached = true
      let local: KeptRecord
      // Without databases `generation` is 0, as it is of the provider's rows: those come below.
      if !databases.isEmpty, let row = rows[network]?.first(where: { $0.generation == generation }) {
        local = row
      } else {
        isCached = false
        local = lookUp(address, generation, at: now)
      }
      var kept = local
      if let provider, local.record.city == nil || local.record.asn == nil {
        let row = rows[network]?.first { $0.generation == 0 }
        let asked =
          row.map { .kept($0) }
          ?? (ContinuousClock.now < deadline ? ask(provider, network, address, at: now) : .failed)
        switch asked {
        case .kept(let more): (kept, isCached) = (Self.merged(local, more), true)
        case .fresh(let more): (kept, isCached) = (Self.merged(local, more), false)
        case .failed:
          // What the provider could add is asked for again next time; nothing of it is kept.
          if !local.record.isEmpty { found[network] = (local, isCached) }
          continue
        }
      } else if databases.isEmpty {
        continue
      } else if !isCached {
        fresh.append(.init(network: network.networkBytes, kept: local))
      }
      found[network] = (kept, isCached)
      remember(network, kept)
    }
    keep(fresh, at: now)
    return zip(addresses, networks).map { address, network in
      guard let entry = found[network] else { return .failure(unavailable) }
      return .success(GeoAnswer(address: address, kept: entry.kept, isCached: entry.isCached, now: now))
    }
  }

  private var unavailable: Problem {
    let words =
      provider == nil
      ? "No GeoIP database is installed: \(databases.problem ?? "none can be used"). An operator sets FL_GEOIP_DIR or FL_GEOIP_URL."
      : "The GeoIP provider does not answer, and no database knows this address."
    return Problem(
      503, "geoip_unavailable", "Addresses can't be looked up here.", detail: words,
      headers: [.retryAfter: provider == nil ? "3600" : "30"])
  }

  private static func merged(_ local: KeptRecord, _ more: KeptRecord) -> KeptRecord {
    var kept = local
    kept.record.fill(from: more.record)
    kept.source = [local.source, more.source].filter { !$0.isEmpty }.joined(separator: ", ")
    kept.askedAt = more.askedAt
    kept.expiresAt = min(local.expiresAt, more.expiresAt)
    return kept
  }

  /// Looks into the databases.
  private func lookUp(_ address: IPAddress, _ generation: Int64, at now: Timestamp) -> KeptRecord {
    var finding = databases.find(address)
    if finding.record.timeZone == nil, let code = finding.record.countryCode {
      finding.record.timeZone = LocalTime.single[code]
    }
    return KeptRecord(
      record: finding.record, source: finding.sources.joined(separator: ", "), generation: generation,
      askedAt: now, expiresAt: now + Self.lifetime)
  }

  // MARK: Memory and table

  private func remembered(_ networks: [IPAddress], _ generation: Int64, at now: Timestamp)
    -> [IPAddress: KeptRecord]
  {
    memory.withLock { memory in
      var found: [IPAddress: KeptRecord] = [:]
      for network in networks {
        if let kept = memory[network], kept.generation == generation, kept.expiresAt > now {
          found[network] = kept
        }
      }
      return found
    }
  }

  private func remember(_ network: IPAddress, _ kept: KeptRecord) {
    memory.withLock { memory in
      if memory.count >= Self.mostInMemory { memory.removeAll(keepingCapacity: true) }
      memory[network] = kept
    }
  }

  /// What the table has on these networks. Without provider it is asked only for those that were put into it; a
  /// database that is away has nothing.
  private func kept(_ networks: Set<IPAddress>, _ generation: Int64, at now: Timestamp) -> [IPAddress:
    [KeptRecord]]
  {
    let asked = networks.filter { provider != nil || isMarked($0, generation) }
    guard !asked.isEmpty else { return [:] }
    let byBytes = Dictionary(asked.map { ($0.networkBytes, $0) }, uniquingKeysWith: { first, _ in first })
    let rows = try? GeoRows(queries: database).find(Array(byBytes.keys), generation: generation, at: now)
    var found: [IPAddress: [KeptRecord]] = [:]
    for row in rows ?? [] {
      if let network = byBytes[row.network] { found[network, default: []].append(row.kept) }
    }
    return found
  }

  private func keep(_ rows: [GeoRows.Row], at now: Timestamp) {
    let room = budget.withLock { budget in
      if budget.second != now.seconds { budget = (now.seconds, Self.keptPerSecond) }
      let taken = min(budget.left, rows.count)
      budget.left -= taken
      return taken
    }
    let rows = Array(rows.prefix(room))
    // A cache: an answer that could not be kept is an answer all the same.
    guard !rows.isEmpty, (try? GeoRows(queries: database).keep(rows)) != nil else { return }
    for row in rows { mark(row.network, row.kept.generation) }
  }

  private func mark(of bytes: [UInt8], _ generation: Int64) -> (cell: Int, value: UInt64) {
    let hash = spread(bytes + withUnsafeBytes(of: generation.littleEndian) { Array($0) })
    return (Int(truncatingIfNeeded: hash & 0xFFFF), hash | 1)
  }

  private func mark(_ bytes: [UInt8], _ generation: Int64) {
    let mark = mark(of: bytes, generation)
    _ = marks.exchange(mark.cell, marks.load(mark.cell), mark.value)
  }

  private func isMarked(_ network: IPAddress, _ generation: Int64) -> Bool {
    let mark = mark(of: network.networkBytes, generation)
    return marks.load(mark.cell) == mark.value
  }

  // MARK: The provider

  /// Asks the provider, once for all who want to know the same at the same time.
  private func ask(_ provider: GeoProvider, _ network: IPAddress, _ address: IPAddress, at now: Timestamp)
    -> Asked
  {
    let (flight, isFirst) = flights.withLock { flights -> (Flight, Bool) in
      if let flight = flights[network] { return (flight, false) }
      let flight = Flight()
      flight.done.enter()
      flights[network] = flight
      return (flight, true)
    }
    guard isFirst else {
      guard flight.done.wait(timeout: .now() + .seconds(2 * seconds + 1)) == .success else { return .failed }
      return flight.outcome.withLock { outcome in
        if case .fresh(let kept) = outcome { .kept(kept) } else { outcome }
      }
    }
    let outcome = askAlone(provider, network, address, at: now)
    flight.outcome.withLock { $0 = outcome }
    flights.withLock { $0[network] = nil }
    flight.done.leave()
    return outcome
  }

  private func askAlone(
    _ provider: GeoProvider, _ network: IPAddress, _ address: IPAddress, at now: Timestamp
  )
    -> Asked
  {
    guard !provider.isLeftAlone(at: now) else { return .failed }
    // Workers that all wait for the provider would answer nothing else.
    defer { asking.subtract(1, ordering: .relaxed) }
    guard asking.add(1, ordering: .relaxed).newValue <= mostAsking else { return .failed }
    let name = "fl-geoip-" + Hex.encode(network.networkBytes)
    do {
      return try database.connection { connection in
        // Other processes ask the same provider; whoever comes second finds the row.
        let got: Int? = try connection.row("SELECT GET_LOCK(\(name), \(seconds + 1)) AS got")?["got"]
        defer { _ = try? connection.row("SELECT RELEASE_LOCK(\(name)) AS done") }
        let rows = GeoRows(queries: connection)
        if let row = try rows.find([network.networkBytes], generation: 0, at: now).first {
          return .kept(row.kept)
        }
        guard got == 1 else { return .failed }
        let asked = fetch(provider, address, at: now)
        if case .fresh(let kept) = asked {
          try? rows.keep([.init(network: network.networkBytes, kept: kept)])
        }
        return asked
      }
    } catch {
      // Without the database there is no telling who else asks.
      return fetch(provider, address, at: now)
    }
  }

  private func fetch(_ provider: GeoProvider, _ address: IPAddress, at now: Timestamp) -> Asked {
    guard case .answered(let record) = provider.ask(address.located, at: now) else { return .failed }
    return .fresh(
      KeptRecord(
        record: record, source: record.isEmpty ? "" : provider.host, generation: 0, askedAt: now,
        expiresAt: now + (record.isEmpty ? Self.missLifetime : Self.lifetime)))
  }
}
