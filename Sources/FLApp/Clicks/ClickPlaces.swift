import FLMariaDB
import FLValues

/// Where a click came from, as far as that is known. What asks for a place is told by data of others: what does not
/// look like a country or a city is left out.
struct ClickPlace: Hashable, Sendable {
  /// ISO 3166-1 alpha-2, in capitals.
  let country: String?
  /// At most 190 bytes, without control characters.
  let city: String?

  static let unknown = ClickPlace(country: nil, city: nil)

  init(country: String?, city: String?) {
    self.country = country.flatMap { country in
      country.utf8.count == 2 && country.utf8.allSatisfy { (65...90).contains($0) } ? country : nil
    }
    self.city = city.flatMap { city in
      let isText =
        (1...ClickLimits.text).contains(city.utf8.count)
        && city.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
        && city.unicodeScalars.contains { !$0.properties.isWhitespace }
      return isText ? city : nil
    }
  }

  /// What the statistics count a city by: its name and its country, `Paris, FR`, for there is more than one Paris.
  static func cityKey(_ city: String, country: String?) -> String {
    guard let country else { return city }
    return "\(city.cut(toBytes: ClickLimits.text - 2 - country.utf8.count)), \(country)"
  }
}

/// Finds the places of the clicks of a batch: opens the sealed addresses, asks for each address once, and drops it.
struct ClickPlaces {
  private let locate: ClickLoader.Locate
  /// The keys of the days whose salt is still there.
  private let keys: [Timestamp: [UInt8]]
  private let deadline: ContinuousClock.Instant
  private var known: [String: ClickPlace] = [:]
  /// How many addresses could not be asked for.
  private(set) var failures = 0
  /// How many clicks were left without a place as the time was up.
  private(set) var late = 0

  /// Looks up for at most about `limit`. Throws `DatabaseError` where the salts can't be had.
  init(
    of records: [ClickRecord], by locate: @escaping ClickLoader.Locate, within limit: Duration,
    on database: some Queries
  ) throws {
    self.locate = locate
    let days = Set(records.lazy.filter { $0.address != nil }.map { Self.day(of: $0) })
    keys =
      days.isEmpty
      ? [:]
      : try ClickLoading.salts(of: days.sorted(), on: database).mapValues { SealedAddress.key(salt: $0) }
    deadline = .now + limit
  }

  /// The place of a click; unknown where its address is not there, or can't be opened any more.
  mutating func place(of record: ClickRecord) -> ClickPlace {
    guard let sealed = record.address, let key = keys[Self.day(of: record)] else { return .unknown }
    let address = sealed.opened(of: record.id, key: key)
    if let place = known[address] { return place }
    guard ContinuousClock.now < deadline else {
      late += 1
      return .unknown
    }
    var place = ClickPlace.unknown
    do {
      let answer = try locate(address)
      place = ClickPlace(country: answer.country, city: answer.city)
    } catch {
      failures += 1
    }
    known[address] = place
    return place
  }

  private static func day(of record: ClickRecord) -> Timestamp {
    record.at.roundedDown(toSeconds: BreakdownPeriod.day.length)
  }
}
