/// Base64 with `+`, `/` and padding (RFC 4648, section 4).
public enum Base64 {
  static let alphabet = Base64Alphabet("+/")

  /// `bytes` as text, padded.
  public static func encode(_ bytes: [UInt8]) -> String { alphabet.encode(bytes, padded: true) }

  /// The bytes that `text` stands for; nil for anything that `encode` does not write: wrong or missing
  /// padding, foreign characters such as line breaks, trailing bits that are not zero.
  public static func decode(_ text: String) -> [UInt8]? {
    var symbols = Array(text.utf8)
    guard symbols.count % 4 == 0 else { return nil }
    for _ in 0..<2 where symbols.last == UInt8(ascii: "=") { symbols.removeLast() }
    return alphabet.decode(symbols)
  }
}

/// Base64 with `-` and `_` and without padding, fit for addresses and file names (RFC 4648, section 5).
public enum Base64URL {
  static let alphabet = Base64Alphabet("-_")

  /// `bytes` as text, not padded.
  public static func encode(_ bytes: [UInt8]) -> String { alphabet.encode(bytes, padded: false) }

  /// The bytes that `text` stands for; nil for anything that `encode` does not write: padding, foreign
  /// characters, trailing bits that are not zero.
  public static func decode(_ text: String) -> [UInt8]? { alphabet.decode(Array(text.utf8)) }
}

/// The 64 symbols of one of the base64 encodings.
struct Base64Alphabet: Sendable {
  private let symbols: [UInt8]
  /// The value of each byte as a symbol, 255 for a byte that is none.
  private let values: [UInt8]

  /// Letters, digits and the two symbols of `last`.
  init(_ last: String) {
    let symbols = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789\(last)".utf8)
    var values = [UInt8](repeating: 255, count: 256)
    for (value, symbol) in symbols.enumerated() { values[Int(symbol)] = UInt8(value) }
    (self.symbols, self.values) = (symbols, values)
  }

  func encode(_ bytes: [UInt8], padded: Bool) -> String {
    var text = [UInt8]()
    text.reserveCapacity((bytes.count + 2) / 3 * 4)
    var (bits, width) = (0, 0)
    for byte in bytes {
      (bits, width) = ((bits << 8 | Int(byte)) & 0xFFFF, width + 8)
      while width >= 6 {
        width -= 6
        text.append(symbols[bits >> width & 63])
      }
    }
    if width > 0 { text.append(symbols[bits << (6 - width) & 63]) }
    while padded && text.count % 4 != 0 { text.append(UInt8(ascii: "=")) }
    return String(decoding: text, as: UTF8.self)
  }

  /// Without padding. A whole encoding has no lone symbol at its end, and leaves no bit set over.
  func decode(_ text: [UInt8]) -> [UInt8]? {
    guard text.count % 4 != 1 else { return nil }
    var bytes = [UInt8]()
    bytes.reserveCapacity(text.count * 3 / 4)
    var (bits, width) = (0, 0)
    for symbol in text {
      let value = values[Int(symbol)]
      guard value != 255 else { return nil }
      (bits, width) = ((bits << 6 | Int(value)) & 0xFFFF, width + 6)
      if width >= 8 {
        width -= 8
        bytes.append(UInt8(bits >> width & 255))
      }
    }
    return bits & (1 << width - 1) == 0 ? bytes : nil
  }
}
