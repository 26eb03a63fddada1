import FLCrypto

/// A message as a reader takes it apart: fields unfolded, encoded words and quoted-printable decoded.
struct ParsedMessage {
  var fields: [(name: String, value: String)] = []
  var body = ""

  /// Reads what has CR and LF at the end of each line, and neither anywhere else; nil otherwise.
  init?(_ bytes: [UInt8]) {
    let text = String(decoding: bytes, as: UTF8.self)
    guard Self.hasWholeLines(bytes), let blank = text.firstRange(of: "\r\n\r\n") else { return nil }
    for line in text[..<blank.lowerBound].split(separator: "\r\n" as Character) {
      if line.hasPrefix(" ") {
        guard !line.allSatisfy({ $0 == " " }), !fields.isEmpty else { return nil }
        fields[fields.count - 1].value += line
      } else {
        guard let colon = line.firstIndex(of: ":") else { return nil }
        let value = line[line.index(after: colon)...]
        fields.append(
          (String(line[..<colon]), value.hasPrefix(" ") ? String(value.dropFirst()) : String(value)))
      }
    }
    body = String(text[blank.upperBound...])
  }

  /// Whether each CR is followed by LF, each LF has a CR before it, and no line has more than 998 bytes or a byte that
  /// is not ASCII or NUL.
  static func hasWholeLines(_ bytes: [UInt8]) -> Bool {
    var column = 0
    for (index, byte) in bytes.enumerated() {
      let isBeforeLF = index + 1 < bytes.count && bytes[index + 1] == 10
      if (byte == 13) != isBeforeLF || byte == 0 || byte >= 0x80 { return false }
      column = byte == 10 ? 0 : column + 1
      if column > 999 { return false }
    }
    return bytes.last == 10
  }

  /// The values of all fields with this name, as they stand.
  subscript(_ name: String) -> [String] { fields.filter { $0.name == name }.map(\.value) }

  /// The value of the only field with this name, encoded words decoded.
  func text(_ name: String) -> String? {
    let values = self[name]
    return values.count == 1 ? Self.decoded(values[0]) : nil
  }

  /// Text with its encoded words decoded; each of them has to be whole UTF-8.
  static func decoded(_ value: String) -> String {
    var output = ""
    var wasEncoded = false
    for word in value.split(separator: " ", omittingEmptySubsequences: false) {
      guard word.hasPrefix("=?utf-8?"), word.hasSuffix("?="), word.count <= 75 else {
        if !output.isEmpty || wasEncoded { output += " " }
        output += word
        wasEncoded = false
        continue
      }
      let content = word.dropFirst(10).dropLast(2)
      let bytes =
        word.hasPrefix("=?utf-8?B?")
        ? Base64.decode(String(content)) ?? []
        : Array(quoted(content.replacing("_", with: " ")).utf8)
      if !wasEncoded, !output.isEmpty { output += " " }
      output += String(validating: bytes, as: UTF8.self) ?? "<broken>"
      wasEncoded = true
    }
    return output
  }

  /// Quoted-printable decoded.
  static func quoted(_ text: some StringProtocol) -> String {
    var bytes = [UInt8]()
    let source = Array(text.utf8)
    var index = 0
    while index < source.count {
      if source[index] == UInt8(ascii: "="), index + 2 < source.count {
        if source[index + 1] == 13 {
          index += 3
          continue
        }
        bytes += Hex.decode(String(decoding: source[index + 1...index + 2], as: UTF8.self)) ?? []
        index += 3
      } else {
        bytes.append(source[index])
        index += 1
      }
    }
    return String(validating: bytes, as: UTF8.self) ?? "<broken>"
  }

  /// The parts of a multipart body, between its boundaries.
  var parts: [ParsedMessage] {
    guard let boundary = self["Content-Type"].first?.split(separator: "\"").dropFirst().first else {
      return []
    }
    let pieces = ("\r\n" + body).components(separatedBy: "\r\n--\(boundary)")
    guard pieces.first == "\r\n" || pieces.first == "", pieces.last == "--\r\n" else { return [] }
    return pieces.dropFirst().dropLast().compactMap { ParsedMessage(Array(($0.dropFirst(1) + "\r\n").utf8)) }
  }

  /// The body decoded.
  var content: String {
    self["Content-Transfer-Encoding"] == ["quoted-printable"] ? Self.quoted(body) : body
  }
}

extension String {
  /// What stands between occurrences of `separator`.
  func components(separatedBy separator: String) -> [String] {
    split(separator: separator, omittingEmptySubsequences: false).map(String.init)
  }
}
