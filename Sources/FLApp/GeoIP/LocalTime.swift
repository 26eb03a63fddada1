import FLValues
import Foundation
import Synchronization

/// A time zone's present offset and abbreviation, from tzdata.
struct LocalTime: Sendable {
  /// Seconds east of UTC.
  let offset: Int
  /// As people there call it: CET, CEST; numbers where tzdata has no name.
  let abbreviation: String?

  private struct Entry {
    let time: LocalTime?
    let until: Int64
  }

  private static let known = Mutex<[String: Entry]>([:])
  private static let directory = "/usr/share/zoneinfo/"

  /// The local time of the zone with this name in tzdata; nil for a name that it does not have.
  static func of(_ name: String, at now: Timestamp) -> LocalTime? {
    // Clocks change at whole quarters of an hour.
    let quarter = now.roundedDown(toSeconds: 900).seconds
    if let entry = known.withLock({ $0[name] }), entry.until == quarter { return entry.time }
    let time = read(name, at: now)
    known.withLock { known in
      if known.count > 1000 { known.removeAll() }
      known[name] = Entry(time: time, until: quarter)
    }
    return time
  }

  private static func read(_ name: String, at now: Timestamp) -> LocalTime? {
    let isName =
      name.utf8.count <= 64 && name.first?.isLetter == true && !name.contains("..")
      && name.utf8.allSatisfy {
        (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0)
          || "/_+-".utf8.contains($0)
      }
    guard isName, let zone = TimeZone(identifier: name) else { return nil }
    let date = Date(timeIntervalSince1970: Double(now.seconds))
    let offset = zone.secondsFromGMT(for: date)
    let file = FileManager.default.contents(atPath: directory + name).map { [UInt8]($0) }
    return LocalTime(
      offset: offset,
      abbreviation: file.flatMap {
        abbreviation(in: $0, offset: offset, isDST: zone.isDaylightSavingTime(for: date))
      })
  }

  /// The abbreviation of the last kind of local time in a TZif file (RFC 9636) that has this offset.
  ///
  /// The offset itself is Foundation's, which knows the rules for the years that the file does not list.
  static func abbreviation(in file: [UInt8], offset: Int, isDST: Bool) -> String? {
    func number(_ place: Int) -> Int? {
      guard place >= 0, place + 4 <= file.count else { return nil }
      return Int(Int32(bitPattern: file[place..<place + 4].reduce(0) { $0 << 8 | UInt32($1) }))
    }
    /// The header's counts: isut, isstd, leap, time, type, char.
    func counts(_ start: Int) -> [Int]? {
      guard file.count >= start + 44, file[start..<start + 4].elementsEqual("TZif".utf8) else { return nil }
      let counts = (0..<6).compactMap { number(start + 20 + 4 * $0) }
      return counts.allSatisfy { (0...100_000).contains($0) } ? counts : nil
    }
    guard let first = counts(0), file[4] >= UInt8(ascii: "2") else { return nil }
    let second = 44 + first[3] * 5 + first[4] * 6 + first[5] + first[2] * 8 + first[1] + first[0]
    guard let counts = counts(second) else { return nil }
    let indexes = second + 44 + counts[3] * 8
    let types = indexes + counts[3]
    let names = types + counts[4] * 6
    guard names + counts[5] <= file.count else { return nil }
    let order = (0..<counts[3]).reversed().map { Int(file[indexes + $0]) } + Array(0..<counts[4])
    var likely: String?
    for type in order.prefix(200) where type < counts[4] {
      let place = types + 6 * type
      guard number(place) == offset else { continue }
      let start = names + Int(file[place + 5])
      guard start < names + counts[5] else { continue }
      let text = String(decoding: file[start..<names + counts[5]].prefix { $0 != 0 }, as: UTF8.self)
      if (file[place + 4] != 0) == isDST { return text }
      likely = likely ?? text
    }
    return likely
  }

  /// The names of the time zones of countries that have a single one, by the country's code (tzdata's `zone.tab`).
  static let single: [String: String] = {
    let text = (try? String(contentsOfFile: directory + "zone.tab", encoding: .utf8)) ?? ""
    var zones: [String: [String]] = [:]
    for line in text.split(separator: "\n") where !line.hasPrefix("#") {
      let parts = line.split(separator: "\t")
      if parts.count >= 3 { zones[String(parts[0]), default: []].append(String(parts[2])) }
    }
    return zones.compactMapValues { $0.count == 1 ? $0[0] : nil }
  }()
}
