import FLValues

/// Somebody's address with or without a name (RFC 5322, section 3.4), as the field of a message and a mail server's
/// command have it: in ASCII.
public struct Mailbox: Sendable, Hashable {
  /// The name as it was given; nil when there is none or it is blank.
  public let name: String?
  /// The address in ASCII, `local@domain`: the domain in A-labels, a local part that is no dot-atom in quotes.
  public let address: String
  /// The domain in ASCII and in lower case.
  public let domain: String

  /// The name as it is written.
  enum Phrase: Sendable, Hashable {
    /// Atoms or a quoted string.
    case words([UInt8])
    /// Text for encoded words.
    case encoded([UInt8])
  }

  let phrase: Phrase?

  /// Somebody's mailbox; nil for an address that no mail can be sent to: without one `@` between its parts, with a
  /// local part that is not ASCII or has white space or control characters (SMTPUTF8, RFC 6531, is not used), with a
  /// domain that is no host name, or longer than 64, 253 and 254 bytes in its parts and in all.
  ///
  /// - Parameter name: Any text; control characters in it become spaces.
  public init?(name: String? = nil, address: String) {
    let bytes = Array(address.utf8)
    guard let at = bytes.lastIndex(of: UInt8(ascii: "@")), let local = Self.local(bytes[..<at]),
      let domain = Self.domain(bytes[(at + 1)...])
    else { return nil }
    self.domain = domain
    self.address = local + "@" + domain
    guard self.address.utf8.count <= 254 else { return nil }
    phrase = name.flatMap(Self.phrase)
    self.name = phrase == nil ? nil : name
  }

  private static func local(_ bytes: ArraySlice<UInt8>) -> String? {
    guard (1...64).contains(bytes.count) else { return nil }
    let text = String(decoding: bytes, as: UTF8.self)
    if isDotAtom(bytes) { return text }
    // A quoted string that is one already, without escapes of more than itself.
    if bytes.count > 2, bytes.first == UInt8(ascii: "\""), bytes.last == UInt8(ascii: "\"") {
      return isQuotable(bytes.dropFirst().dropLast()) ? text : nil
    }
    // Dots in a row or at the end, as some Japanese carriers gave them out, need the quotes.
    let isDotted = bytes.allSatisfy { isAtom($0) || $0 == UInt8(ascii: ".") }
    return isDotted && bytes.count <= 62 ? "\"\(text)\"" : nil
  }

  private static func domain(_ bytes: ArraySlice<UInt8>) -> String? {
    var name = String(decoding: bytes, as: UTF8.self)
    if bytes.contains(where: { $0 >= 0x80 }) {
      guard bytes.count <= 512, let ascii = Punycode.ascii(name) else { return nil }
      name = ascii
    }
    guard (1...253).contains(name.utf8.count) else { return nil }
    var lowercased = [UInt8]()
    lowercased.reserveCapacity(name.utf8.count)
    var label = 0
    for byte in name.utf8 {
      if byte == UInt8(ascii: ".") {
        guard label > 0, lowercased.last != UInt8(ascii: "-") else { return nil }
        label = 0
      } else {
        label += 1
        guard
          byte.isLetter || byte.isDigit || byte == UInt8(ascii: "_")
            || (byte == UInt8(ascii: "-") && label > 1),
          label <= 63
        else { return nil }
      }
      lowercased.append(byte.lowercased)
    }
    guard label > 0, lowercased.last != UInt8(ascii: "-") else { return nil }
    return String(decoding: lowercased, as: UTF8.self)
  }

  /// The name as a phrase; nil when it is blank.
  static func phrase(_ name: String) -> Phrase? {
    var cleaned = [UInt8]()
    Escaping.header.append(name, to: &cleaned)
    guard let first = cleaned.firstIndex(where: { $0 != 0x20 }),
      let last = cleaned.lastIndex(where: { $0 != 0x20 })
    else { return nil }
    let text = cleaned[first...last]
    if EncodedWords.areNeeded(for: text) || text.count > 400 { return .encoded(Array(text)) }
    if text.allSatisfy({ isAtom($0) || $0 == 0x20 }) { return .words(Array(text)) }
    var quoted: [UInt8] = [UInt8(ascii: "\"")]
    for byte in text {
      if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { quoted.append(UInt8(ascii: "\\")) }
      quoted.append(byte)
    }
    return .words(quoted + [UInt8(ascii: "\"")])
  }

  private static func isDotAtom(_ bytes: ArraySlice<UInt8>) -> Bool {
    var previous = UInt8(ascii: ".")
    for byte in bytes {
      guard isAtom(byte) || (byte == UInt8(ascii: ".") && previous != byte) else { return false }
      previous = byte
    }
    return previous != UInt8(ascii: ".")
  }

  private static func isQuotable(_ bytes: ArraySlice<UInt8>) -> Bool {
    bytes.allSatisfy { (0x20...0x7E).contains($0) && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }
  }

  /// A character of an atom (RFC 5322, section 3.2.3).
  static func isAtom(_ byte: UInt8) -> Bool {
    byte.isLetter || byte.isDigit || "!#$%&'*+-/=?^_`{|}~".utf8.contains(byte)
  }
}
