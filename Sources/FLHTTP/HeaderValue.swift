/// A header field's value with parameters, as `Content-Type` and `Content-Disposition` have it: `value; name="…"`
/// (RFC 9110, section 5.6.6; RFC 6266).
public struct HeaderValue: Sendable, Equatable {
  /// What stands before the first `;`, in lower case.
  public let value: String
  /// The parameters in their order, their names in lower case.
  public let parameters: [(name: String, value: String)]

  /// Reads a field's value; nil where a quotation mark has no end or a parameter has no name.
  ///
  /// In a quoted text `\"` and `\\` stand for the sign behind the backslash. Any other backslash is itself: browsers
  /// never escaped by it, and some send `C:\dir\name`.
  public init?(_ text: String) {
    var rest = Array(text.utf8)[...]
    value = Self.text(rest.prefix { $0 != UInt8(ascii: ";") }).trimmed.lowercased()
    rest = rest.drop { $0 != UInt8(ascii: ";") }
    var parameters: [(name: String, value: String)] = []
    while let sign = rest.first {
      guard sign == UInt8(ascii: ";") else { return nil }
      rest = rest.dropFirst().drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
      if rest.isEmpty || rest.first == UInt8(ascii: ";") { continue }
      let name = Self.text(rest.prefix { $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: ";") }).trimmed
      rest = rest.drop { $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: ";") }
      guard !name.isEmpty, rest.first == UInt8(ascii: "=") else { return nil }
      rest = rest.dropFirst().drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
      let value: String
      if rest.first == UInt8(ascii: "\"") {
        guard let quoted = Self.quoted(&rest) else { return nil }
        value = quoted
        rest = rest.drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
      } else {
        value = Self.text(rest.prefix { $0 != UInt8(ascii: ";") }).trimmed
        rest = rest.drop { $0 != UInt8(ascii: ";") }
      }
      parameters.append((name.lowercased(), value))
    }
    self.parameters = parameters
  }

  /// The parameter `name`; nil where it is not there, or is there more than once.
  public subscript(name: String) -> String? {
    let values = parameters.filter { $0.name == name }
    return values.count == 1 ? values[0].value : nil
  }

  /// Whether a parameter is there more than once.
  public var repeats: Bool { Set(parameters.map(\.name)).count != parameters.count }

  /// Reads `"…"` from the beginning of `rest`, which then begins behind it.
  private static func quoted(_ rest: inout ArraySlice<UInt8>) -> String? {
    var bytes: [UInt8] = []
    var index = rest.startIndex + 1
    while index < rest.endIndex {
      let byte = rest[index]
      let next = index + 1 < rest.endIndex ? rest[index + 1] : 0
      if byte == UInt8(ascii: "\"") {
        rest = rest[(index + 1)...]
        return text(bytes)
      }
      if byte == UInt8(ascii: "\\"), next == UInt8(ascii: "\"") || next == UInt8(ascii: "\\") {
        bytes.append(next)
        index += 2
      } else {
        bytes.append(byte)
        index += 1
      }
    }
    return nil
  }

  private static func text(_ bytes: some Collection<UInt8>) -> String {
    String(decoding: bytes, as: UTF8.self)
  }

  /// The text of an extended parameter (RFC 8187): `UTF-8''na%C3%AFve`; nil for another character set or bad encoding.
  public static func extended(_ text: String) -> String? {
    let parts = text.split(separator: "'", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0].lowercased() == "utf-8" else { return nil }
    return PercentEncoding.decodeText(parts[2])
  }

  /// Whether the two say the same.
  public static func == (left: HeaderValue, right: HeaderValue) -> Bool {
    left.value == right.value && left.parameters.elementsEqual(right.parameters) { $0 == $1 }
  }
}
