/// Percent-encoding (RFC 3986) and what HTML forms make of it.
public enum PercentEncoding {
  /// The bytes that `text` encodes; nil when a `%` is not followed by two hexadecimal digits.
  /// - Parameter plusIsSpace: whether `+` stands for a space, as in queries and forms (WHATWG URL, section 5).
  public static func decode(_ text: some StringProtocol, plusIsSpace: Bool = false) -> [UInt8]? {
    var bytes: [UInt8] = []
    var iterator = text.utf8.makeIterator()
    while let byte = iterator.next() {
      switch byte {
      case UInt8(ascii: "%"):
        guard let high = iterator.next().flatMap(hexadecimal), let low = iterator.next().flatMap(hexadecimal)
        else { return nil }
        bytes.append(high << 4 | low)
      case UInt8(ascii: "+") where plusIsSpace: bytes.append(UInt8(ascii: " "))
      default: bytes.append(byte)
      }
    }
    return bytes
  }

  /// The text that `text` encodes; nil when it is badly encoded or no UTF-8.
  public static func decodeText(_ text: some StringProtocol, plusIsSpace: Bool = false) -> String? {
    // Most texts hold nothing encoded, and are what they say.
    let isPlain = !text.utf8.contains { $0 == UInt8(ascii: "%") || (plusIsSpace && $0 == UInt8(ascii: "+")) }
    if isPlain { return String(text) }
    return decode(text, plusIsSpace: plusIsSpace).flatMap { String(validating: $0, as: UTF8.self) }
  }

  /// `text` with everything but unreserved characters (RFC 3986, section 2.3) encoded.
  public static func encode(_ text: some StringProtocol) -> String {
    let digits = Array("0123456789ABCDEF".utf8)
    var bytes: [UInt8] = []
    for byte in text.utf8 {
      switch byte {
      case 48...57, 65...90, 97...122, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "~"):
        bytes.append(byte)
      default: bytes.append(contentsOf: [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]])
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  static func hexadecimal(_ byte: UInt8) -> UInt8? {
    switch byte {
    case 48...57: byte - 48
    case 65...70: byte - 55
    case 97...102: byte - 87
    default: nil
    }
  }
}

/// Names and values of a query or a form (`application/x-www-form-urlencoded`), in their order.
public struct FormValues: Sendable {
  /// One name and its value; nil stands for a name or value that is badly encoded.
  public struct Pair: Sendable {
    /// The decoded name.
    public let name: String
    /// The decoded value.
    public let value: String?
  }

  /// The pairs.
  public let pairs: [Pair]

  /// Reads `name=value&…`; a name that is badly encoded is kept as it stands.
  public init(reading text: String) {
    pairs = text.split(separator: "&", omittingEmptySubsequences: true).map { pair in
      let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let name = PercentEncoding.decodeText(halves[0], plusIsSpace: true) ?? String(halves[0])
      let value = halves.count == 2 ? PercentEncoding.decodeText(halves[1], plusIsSpace: true) : ""
      return Pair(name: name, value: value)
    }
  }

  /// The first value of `name`.
  public subscript(name: String) -> String? { pairs.first { $0.name == name }?.value }
}
