/// Reads what a database has on an address into a `GeoRecord`, in whichever form it is written: MaxMind's nested maps
/// (DB-IP writes the same), or flat members as IPinfo and the converted lists of autonomous systems have them.
@safe struct RecordReader {
  private var section: DataSection
  private var record = GeoRecord()
  /// Where the addresses are registered, which counts where nothing says where they are used.
  private var registeredCode: String?
  private var registeredName: String?
  private var names = Names()

  /// Flat members that mean different things in different files, until all are read.
  private struct Names {
    var country: String?
    var continent: String?
    var name: String?
    var asText: String?
  }

  private init(_ section: DataSection) { self.section = section }

  /// The record at `offset`. A member of a wrong type or with nonsense in it is left out.
  static func read(_ section: DataSection, at offset: Int) throws(DataSection.Failure) -> GeoRecord {
    var reader = RecordReader(section)
    let top = try reader.section.value(at: offset)
    try reader.read(top, in: .top, depth: 0)
    reader.settle()
    return reader.record
  }

  private enum Place {
    case top, continent, country, registered, city, subdivision, postal, location, traits
  }

  private mutating func read(_ map: DataSection.Value, in place: Place, depth: Int) throws(DataSection
    .Failure)
  {
    guard case .map(let size) = map.content else { return }
    guard depth < DataSection.maximumDepth else { throw .tooMuch }
    var offset = map.inside
    for _ in 0..<size {
      let key = try section.value(at: offset)
      guard case .text(let range) = key.content else { throw .malformed }
      let value = try section.value(at: key.next)
      if let name = section.text(range) {
        switch place {
        case .top, .traits: try readTop(name, value, depth)
        default: try readNested(name, value, place, depth)
        }
      }
      offset = try section.end(of: value, depth: depth + 1)
    }
  }

  private mutating func readTop(_ name: String, _ value: DataSection.Value, _ depth: Int)
    throws(DataSection.Failure)
  {
    switch value.content {
    case .map:
      let inner: Place
      switch name {
      case "continent": inner = .continent
      case "country": inner = .country
      case "registered_country": inner = .registered
      case "city": inner = .city
      case "postal": inner = .postal
      case "location": inner = .location
      case "traits": inner = .traits
      default: return
      }
      try read(value, in: inner, depth: depth + 1)
    case .array(let size):
      guard name == "subdivisions", size > 0 else { return }
      // The first is the largest.
      try read(section.value(at: value.inside), in: .subdivision, depth: depth + 1)
    case .bool(let flag): readFlag(name, flag)
    default: readFlat(name, value)
    }
  }

  private mutating func readNested(
    _ name: String, _ value: DataSection.Value, _ place: Place, _ depth: Int
  ) throws(DataSection.Failure) {
    if name == "names" {
      guard let english = try english(value, depth) else { return }
      switch place {
      case .continent: record.continent = english
      case .country: record.country = english
      case .registered: registeredName = english
      case .city: record.city = english
      case .subdivision: record.region = english
      default: break
      }
      return
    }
    switch (place, name) {
    case (.continent, "code"): record.continentCode = text(value)
    case (.country, "iso_code"): record.countryCode = text(value)
    case (.country, "is_in_european_union"): record.isEU = bool(value)
    case (.registered, "iso_code"): registeredCode = text(value)
    case (.subdivision, "iso_code"): record.regionCode = text(value)
    case (.postal, "code"): record.postalCode = text(value)
    case (.location, "latitude"): record.latitude = number(value)
    case (.location, "longitude"): record.longitude = number(value)
    case (.location, "time_zone"): record.timeZone = text(value)
    default: break
    }
  }

  private mutating func readFlag(_ name: String, _ flag: Bool) {
    switch name {
    case "is_anonymous": record.isAnonymous = flag
    case "is_anonymous_vpn", "vpn", "is_vpn": record.isVPN = flag
    case "is_public_proxy", "is_residential_proxy", "proxy", "is_proxy":
      record.isProxy = flag || record.isProxy == true
    case "is_tor_exit_node", "tor", "is_tor": record.isTor = flag
    case "is_hosting_provider", "hosting", "is_hosting": record.isHosting = flag
    case "is_in_european_union": record.isEU = flag
    default: break
    }
  }

  private mutating func readFlat(_ name: String, _ value: DataSection.Value) {
    switch name {
    case "autonomous_system_number", "asn", "as_number": record.asn = systemNumber(value) ?? record.asn
    case "autonomous_system_organization", "as_name", "as_organization", "as_description":
      names.asText = text(value) ?? names.asText
    case "organization", "org": record.organization = text(value)
    case "isp": record.isp = text(value)
    case "domain", "as_domain": record.domain = text(value) ?? record.domain
    case "connection_type": record.connectionType = text(value)
    case "country_code", "country_iso_code": record.countryCode = text(value)
    case "country_name": record.country = text(value)
    case "country": names.country = text(value)
    case "continent_code": record.continentCode = text(value)
    case "continent_name": record.continent = text(value)
    case "continent": names.continent = text(value)
    case "region", "region_name", "state", "state1", "stateprov": record.region = text(value)
    case "region_code": record.regionCode = text(value)
    case "city", "city_name": record.city = text(value)
    case "postal", "postal_code", "postcode", "zip", "zip_code": record.postalCode = text(value)
    case "latitude", "lat": record.latitude = number(value)
    case "longitude", "lng", "lon": record.longitude = number(value)
    case "timezone", "time_zone": record.timeZone = text(value)
    case "name": names.name = text(value)
    default: break
    }
  }

  /// What follows from the rest, and what nobody could use.
  private mutating func settle() {
    if let name = names.country {
      if Self.isCode(name) {
        record.countryCode = record.countryCode ?? name
      } else if record.country == nil {
        record.country = name
      }
    }
    if let name = names.continent {
      if Self.isCode(name) {
        record.continentCode = record.continentCode ?? name
      } else if record.continent == nil {
        record.continent = name
      }
    }
    record.organization = record.organization ?? names.asText ?? (record.asn == nil ? nil : names.name)
    if record.countryCode == nil && record.country == nil {
      (record.countryCode, record.country) = (registeredCode, registeredName)
    }
    record.complete()
  }

  private static func isCode(_ text: String) -> Bool {
    text.utf8.count == 2 && text.utf8.allSatisfy { (65...90).contains($0) }
  }

  /// The English one of a map of names by language.
  private mutating func english(_ value: DataSection.Value, _ depth: Int) throws(DataSection.Failure)
    -> String?
  {
    guard case .map(let size) = value.content else { return nil }
    var offset = value.inside
    for _ in 0..<size {
      let key = try section.value(at: offset)
      guard case .text(let range) = key.content else { throw .malformed }
      let name = try section.value(at: key.next)
      if section.text(range) == "en" { return text(name) }
      offset = try section.end(of: name, depth: depth + 2)
    }
    return nil
  }

  private func text(_ value: DataSection.Value) -> String? {
    guard case .text(let range) = value.content, let text = section.text(range) else { return nil }
    return GeoRecord.clean(text)
  }

  private func bool(_ value: DataSection.Value) -> Bool? {
    if case .bool(let flag) = value.content { flag } else { nil }
  }

  private func number(_ value: DataSection.Value) -> Double? {
    switch value.content {
    case .double(let number): number
    case .unsigned(let number): Double(number)
    case .signed(let number): Double(number)
    case .text: text(value).flatMap(Double.init)
    default: nil
    }
  }

  private func systemNumber(_ value: DataSection.Value) -> Int? {
    switch value.content {
    case .unsigned(let number): return Int(exactly: number)
    case .signed(let number): return Int(number)
    case .text:
      guard let text = text(value) else { return nil }
      return Int(text.uppercased().hasPrefix("AS") ? text.dropFirst(2) : text[...])
    default: return nil
    }
  }
}

extension GeoRecord {
  /// A text as it may be told: without control characters, and not empty; nil for another.
  public static func clean(_ text: String) -> String? {
    guard !text.isEmpty, text.utf8.count <= 255,
      !text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F })
    else { return nil }
    return text
  }

  /// Takes nonsense out, and adds what follows from the country's code: names, the continent, the European Union, and
  /// the time zone where the country has a single one.
  public mutating func complete() {
    if let code = countryCode?.uppercased() { countryCode = Countries[code] == nil ? nil : code }
    if let code = continentCode?.uppercased() {
      continentCode = Countries.continent(code) == nil ? nil : code
    }
    // Both, or neither; 0, 0 is what files have where they know nothing.
    if let latitude, let longitude, (-90...90).contains(latitude), (-180...180).contains(longitude),
      latitude != 0 || longitude != 0
    {
    } else {
      (latitude, longitude) = (nil, nil)
    }
    if let number = asn, !(1...Int(UInt32.max)).contains(number) { asn = nil }
    if let code = countryCode, let known = Countries[code] {
      country = country ?? known.name
      continentCode = continentCode ?? known.continent
      isEU = isEU ?? known.isEU
    }
    continent = continent ?? continentCode.flatMap { Countries.continent($0) }
  }
}
