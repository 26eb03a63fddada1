/// One property of a card: `item1.EMAIL;TYPE=work:anna@example.org`.
struct VCardLine: Sendable, Equatable {
  /// What ties properties together (`item1`), in upper case; empty where there is nothing.
  let group: String
  /// The name in upper case.
  let name: String
  /// The parameters with their names in upper case; values without a name, as of version 2.1, have the empty one.
  let parameters: [(name: String, value: String)]
  /// The value in its characters, with its escapes.
  let value: String

  static func == (left: VCardLine, right: VCardLine) -> Bool {
    left.group == right.group && left.name == right.name && left.value == right.value
      && left.parameters.elementsEqual(right.parameters, by: ==)
  }

  /// Whether anything is made of properties of this name.
  static func isOfUse(_ name: String) -> Bool { known.contains(name) || name.hasPrefix("X-") }

  private static let known: Set<String> = [
    "VERSION", "UID", "FN", "N", "EMAIL", "TEL", "ADR", "URL", "ORG", "TITLE", "BDAY", "NOTE", "CATEGORIES",
    "CREATED",
  ]

  /// Whether this begins or ends a card, and nothing else.
  var isVCard: Bool { value.uppercased().filter { $0 != " " && $0 != "\t" } == "VCARD" }

  /// Reads a line; nil for one that is no property.
  init?(_ line: [UInt8]) {
    // The colon behind the parameters: outside of quotes.
    var colon = 0
    var isQuoted = false
    while colon < line.count, isQuoted || line[colon] != UInt8(ascii: ":") {
      if line[colon] == UInt8(ascii: "\"") { isQuoted.toggle() }
      colon += 1
    }
    if colon == line.count {
      // A quote that was never closed is a sign like any other.
      guard let first = line.firstIndex(of: UInt8(ascii: ":")) else { return nil }
      colon = first
    }
    let parts = Self.split(line[..<colon], at: UInt8(ascii: ";"))
    guard let head = parts.first else { return nil }
    let names = TextEncoding.text(head).uppercased().split(
      separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    group = names.count == 2 ? String(names[0]).trimmed : ""
    name = (names.last.map(String.init) ?? "").trimmed
    guard !name.isEmpty, name.utf8.count <= 200 else { return nil }
    var parameters: [(name: String, value: String)] = []
    for part in parts.dropFirst().prefix(100) {
      let sign = part.firstIndex(of: UInt8(ascii: "="))
      let parameter = sign.map { TextEncoding.text(part[..<$0]).uppercased().trimmed } ?? ""
      for value in Self.split(part[(sign.map { $0 + 1 } ?? part.startIndex)...], at: UInt8(ascii: ",")) {
        parameters.append((parameter, Self.unquoted(TextEncoding.text(value))))
      }
    }
    self.parameters = parameters
    let bytes = line[(colon + 1)...]
    func says(_ wanted: String) -> Bool {
      parameters.contains {
        ($0.name.isEmpty || $0.name == "ENCODING") && $0.value.uppercased() == wanted
      }
    }
    let decoded = says("QUOTED-PRINTABLE") ? Self.quotedPrintable(bytes)[...] : bytes
    let charset = parameters.first { $0.name == "CHARSET" }?.value.uppercased()
    switch charset {
    case "ISO-8859-1", "ISO-8859-15", "WINDOWS-1252", "CP1252", "LATIN1":
      value = TextEncoding.windows1252(decoded)
    default: value = TextEncoding.text(decoded)
    }
  }

  /// The kinds that a value is of (`TYPE`), in lower case.
  var types: [String] {
    // Some put several into one pair of quotes.
    parameters.filter { $0.name == "TYPE" || $0.name.isEmpty }
      .flatMap { $0.value.lowercased().split(separator: ",").map { String($0).trimmed } }
      .filter { !["quoted-printable", "base64", "8bit", "7bit", "b"].contains($0) }
  }

  /// How much the value is preferred, from 1, the most, to 100; 101 where nothing is said (RFC 6350, section 5.3).
  var preference: Int {
    if let text = parameters.first(where: { $0.name == "PREF" })?.value, let number = Int(text) {
      return min(100, max(1, number))
    }
    return types.contains("pref") ? 1 : 101
  }

  // MARK: Text

  /// Splits at a sign, outside of quotes.
  private static func split(_ bytes: ArraySlice<UInt8>, at sign: UInt8) -> [ArraySlice<UInt8>] {
    var parts: [ArraySlice<UInt8>] = []
    var start = bytes.startIndex
    var isQuoted = false
    for index in bytes.indices {
      if bytes[index] == UInt8(ascii: "\"") { isQuoted.toggle() }
      if !isQuoted && bytes[index] == sign {
        parts.append(bytes[start..<index])
        start = index + 1
      }
    }
    parts.append(bytes[start...])
    return parts
  }

  /// A parameter's value without its quotes, and with the signs that it can't hold (RFC 6868).
  private static func unquoted(_ text: String) -> String {
    let plain = text.utf8.contains(UInt8(ascii: "\"")) ? text.filter { $0 != "\"" } : text
    guard plain.utf8.contains(UInt8(ascii: "^")) else { return plain }
    var result = String.UnicodeScalarView()
    var isEscaped = false
    for scalar in plain.unicodeScalars {
      guard isEscaped else {
        if scalar == "^" { isEscaped = true } else { result.append(scalar) }
        continue
      }
      isEscaped = false
      switch scalar {
      case "n": result.append("\n")
      case "'": result.append("\"")
      case "^": result.append("^")
      default: result.append(contentsOf: ["^", scalar])
      }
    }
    if isEscaped { result.append("^") }
    return String(result)
  }

  /// Decodes quoted-printable (RFC 2045, section 6.7); what is none of it stays as it is.
  static func quotedPrintable(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
    func digit(_ index: Int) -> UInt8? {
      guard index < bytes.endIndex else { return nil }
      switch bytes[index] {
      case 48...57: return bytes[index] - 48
      case 65...70: return bytes[index] - 55
      case 97...102: return bytes[index] - 87
      default: return nil
      }
    }
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    var index = bytes.startIndex
    while index < bytes.endIndex {
      if bytes[index] == UInt8(ascii: "="), let high = digit(index + 1), let low = digit(index + 2) {
        result.append(high << 4 | low)
        index += 3
      } else {
        result.append(bytes[index])
        index += 1
      }
    }
    return result
  }
}

/// A value with escapes (RFC 6350, section 3.4).
enum VCardText {
  /// The text. In version 2.1 a backslash stands before a semicolon alone, and else for itself.
  static func text(_ value: some StringProtocol, isOld: Bool) -> String {
    parts(value, at: nil, isOld: isOld).first ?? ""
  }

  /// The texts between signs that are not escaped: `;` or `,`.
  static func parts(_ value: some StringProtocol, at sign: Unicode.Scalar?, isOld: Bool) -> [String] {
    var parts: [String] = []
    var part = String.UnicodeScalarView()
    var isEscaped = false
    for scalar in value.unicodeScalars {
      if isEscaped {
        isEscaped = false
        switch scalar {
        case "n" where !isOld, "N" where !isOld: part.append("\n")
        case ";", ",", "\\", ":": part.append(scalar)
        default: part.append(contentsOf: ["\\", scalar])
        }
      } else if scalar == "\\" {
        isEscaped = true
      } else if scalar == sign {
        parts.append(String(part))
        part = .init()
      } else {
        part.append(scalar)
      }
    }
    if isEscaped { part.append("\\") }
    parts.append(String(part))
    return parts
  }

  /// The value of a text.
  static func escaped(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    var lastWasReturn = false
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\", ",", ";": result.append(contentsOf: ["\\", scalar])
      case "\r": result.append(contentsOf: ["\\", "n"])
      case "\n": if !lastWasReturn { result.append(contentsOf: ["\\", "n"]) }
      default: result.append(scalar)
      }
      lastWasReturn = scalar == "\r"
    }
    return String(result)
  }
}

extension String {
  /// This text without white space at both ends.
  var trimmed: String {
    guard let first = unicodeScalars.first, let last = unicodeScalars.last,
      first.properties.isWhitespace || last.properties.isWhitespace
    else { return self }
    let scalars = unicodeScalars.drop { $0.properties.isWhitespace }
    guard let end = scalars.lastIndex(where: { !$0.properties.isWhitespace }) else { return "" }
    return String(scalars[...end])
  }
}
