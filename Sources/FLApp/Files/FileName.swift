/// A file's name that every system can take: no path, no control or invisible sign, no reserved word, at most 255
/// bytes, never empty.
struct FileName: Sendable, Hashable {
  /// The name.
  let text: String

  /// The most bytes of UTF-8, which is what file systems take.
  static let mostBytes = 255

  /// Makes a name safe, whatever it is.
  init(_ raw: String) {
    // Some clients send a path: only its end is the name.
    let last = raw.split { $0 == "/" || $0 == "\\" }.last ?? ""
    var scalars = String.UnicodeScalarView()
    for scalar in last.unicodeScalars where !Self.isInvisible(scalar) {
      // Windows takes none of these.
      scalars.append("<>:\"|?*/\\".unicodeScalars.contains(scalar) ? "_" : scalar)
    }
    var name = Self.withoutEnds(String(scalars))
    // A file that begins with a dot is a hidden one.
    if name.unicodeScalars.first == "." {
      name = "_" + name.unicodeScalars.dropFirst().map(String.init).joined()
    }
    if Self.isReserved(name) { name = "_" + name }
    name = Self.shortened(name)
    text = name.isEmpty ? "file" : name
  }

  /// Signs that do not show, or that change how those around them show.
  private static func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0...0x1F, 0x7F...0x9F: true  // control characters
    // Soft hyphens, spaces without width, and those that change the direction.
    case 0xAD, 0x61C, 0x180E, 0x200B, 0x200E, 0x200F, 0x2028...0x202E, 0x2060...0x206F: true
    case 0xFEFF, 0xFFF0...0xFFFD, 0xE0000...0xE0FFF: true
    default: scalar.value & 0xFFFE == 0xFFFE || (0xFDD0...0xFDEF).contains(scalar.value)  // no characters
    }
  }

  /// Without white space at both ends, and without dots at the end, which Windows takes away.
  private static func withoutEnds(_ name: String) -> String {
    var scalars = name.unicodeScalars[...]
    while let first = scalars.first, first.properties.isWhitespace { scalars.removeFirst() }
    while let last = scalars.last, last.properties.isWhitespace || last == "." { scalars.removeLast() }
    return String(String.UnicodeScalarView(scalars))
  }

  /// Names of devices under Windows, with any ending.
  private static func isReserved(_ name: String) -> Bool {
    let stem = String(name.unicodeScalars.prefix { $0 != "." }.filter { $0 != " " }.map(Character.init))
      .uppercased()
    if ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"].contains(stem) { return true }
    guard stem.hasPrefix("COM") || stem.hasPrefix("LPT") else { return false }
    return ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "¹", "²", "³"].contains(stem.dropFirst(3))
  }

  /// At most `mostBytes`, with the ending kept where there is a short one.
  private static func shortened(_ name: String) -> String {
    guard name.utf8.count > mostBytes else { return name }
    var ending = ""
    if let dot = name.lastIndex(of: "."), dot != name.startIndex, name[dot...].utf8.count <= 20 {
      ending = String(name[dot...])
    }
    var stem = String.UnicodeScalarView()
    var room = mostBytes - ending.utf8.count
    for scalar in name.unicodeScalars {
      room -= scalar.utf8.count
      if room < 0 { break }
      stem.append(scalar)
    }
    return withoutEnds(String(stem)) + ending
  }

  /// The ending in lower case, without its dot; empty where there is none.
  var ending: String {
    guard let dot = text.lastIndex(of: "."), dot != text.startIndex else { return "" }
    return text[text.index(after: dot)...].lowercased()
  }
}
