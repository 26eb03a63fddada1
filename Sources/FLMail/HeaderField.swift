import FLCrypto

/// A field of a message's head that has no meaning here, such as `X-Campaign`.
public struct HeaderField: Sendable, Hashable {
  /// Printable ASCII without a colon.
  public let name: String
  /// Text; written folded, with control characters as spaces, and in encoded words where it is not ASCII.
  public let value: String

  /// A field; nil for a name that is none (RFC 5322, section 2.2) or has more than 76 characters.
  public init?(name: String, value: String) {
    guard (1...76).contains(name.utf8.count),
      name.utf8.allSatisfy({ (33...126).contains($0) && $0 != UInt8(ascii: ":") })
    else { return nil }
    self.name = name
    self.value = value
  }
}

/// Writes the head of a message: lines end with CR and LF, are folded at 78 characters where there is a space, and are
/// never longer than 998 (RFC 5322, section 2.1.1).
struct HeaderWriter {
  /// All that was written.
  var output = [UInt8]()
  /// Where the line began.
  private var lineStart = 0
  /// Whether the field has its name only.
  private var isAtName = true

  private static let usualLimit = 78
  private static let limit = 998

  private var column: Int { output.count - lineStart }

  /// Begins a field.
  mutating func begin(_ name: String) {
    lineStart = output.count
    output.append(contentsOf: name.utf8)
    output.append(UInt8(ascii: ":"))
    isAtName = true
  }

  /// Ends the field.
  mutating func end() { output.append(contentsOf: [0x0D, 0x0A]) }

  /// A field of text as it is: printable ASCII that is short.
  mutating func add(_ name: String, _ text: String) {
    begin(name)
    addWord(text.utf8)
    end()
  }

  /// A field of any text (RFC 5322, section 3.2.5).
  mutating func add(_ name: String, text: [UInt8]) {
    begin(name)
    addText(text)
    end()
  }

  /// A field of mailboxes.
  mutating func add(_ name: String, _ mailbox: Mailbox) {
    begin(name)
    addMailbox(mailbox)
    end()
  }

  private mutating func fold() {
    output.append(contentsOf: [0x0D, 0x0A])
    lineStart = output.count
  }

  /// A word with a space before it, on the next line where there is no room for it.
  mutating func addWord(_ word: some Collection<UInt8>) {
    let isTooLong = column + 1 + word.count > (isAtName ? Self.limit : Self.usualLimit)
    if isTooLong { fold() }
    output.append(0x20)
    output.append(contentsOf: word)
    isAtName = false
  }

  /// Bytes behind the last word without a space.
  mutating func addBytes(_ bytes: some Collection<UInt8>) { output.append(contentsOf: bytes) }

  /// Any text: in UTF-8 and without control characters.
  mutating func addText(_ text: [UInt8]) {
    guard let first = text.firstIndex(where: { $0 != 0x20 }), let last = text.lastIndex(where: { $0 != 0x20 })
    else {
      return
    }
    let text = text[first...last]
    if EncodedWords.areNeeded(for: text) { return addEncoded(text) }
    // A fold goes before all the spaces between two words, so that no line is blank and unfolding gives them back.
    var index = text.startIndex
    while index < text.endIndex {
      let start = index
      while text[index] == 0x20 { index += 1 }
      while index < text.endIndex, text[index] != 0x20 { index += 1 }
      if start == text.startIndex {
        addWord(text[start..<index])
      } else {
        if column + index - start > Self.usualLimit { fold() }
        output.append(contentsOf: text[start..<index])
      }
    }
  }

  /// Text as encoded words (RFC 2047), on as many lines as it takes.
  mutating func addEncoded(_ text: ArraySlice<UInt8>) {
    let isBase64 = EncodedWords.areBetterInBase64(text)
    var index = text.startIndex
    while index < text.endIndex {
      // Lines with encoded words have 76 characters at most.
      if 76 - column - 1 < EncodedWords.leastSize { fold() }
      output.append(0x20)
      let room = min(75, 76 - column)
      index = EncodedWords.append(text[index...], inBase64: isBase64, room: room, to: &output)
      if index < text.endIndex { fold() }
    }
    isAtName = false
  }

  /// `Anna Berg <anna@example.org>`.
  mutating func addMailbox(_ mailbox: Mailbox) {
    guard let name = mailbox.phrase else { return addWord(mailbox.address.utf8) }
    switch name {
    case .encoded(let bytes): addEncoded(bytes[...])
    case .words(let bytes): addText(bytes)
    }
    addWord("<\(mailbox.address)>".utf8)
  }

  /// One more entry of a list behind a colon, on the next line where there is no room for it.
  mutating func addListed(_ entry: some Collection<UInt8>) {
    addBytes(":".utf8)
    if column + entry.count > Self.usualLimit {
      fold()
      output.append(0x20)
    }
    addBytes(entry)
  }

  /// Text that may be broken anywhere, such as base64 of a signature.
  mutating func addBroken(_ text: [UInt8]) {
    var index = 0
    while index < text.count {
      if column >= Self.usualLimit {
        fold()
        output.append(0x20)
      }
      let end = min(text.count, index + Self.usualLimit - column)
      addBytes(text[index..<end])
      index = end
    }
  }

  /// A parameter such as `boundary` behind a `;`, in quotes.
  mutating func addParameter(_ name: String, _ value: String) {
    addBytes(";".utf8)
    addWord("\(name)=\"\(value)\"".utf8)
  }
}

/// Encoded words: text beyond ASCII in a head (RFC 2047).
enum EncodedWords {
  private static let overhead = "=?utf-8?Q??=".utf8.count
  /// Room for an encoded word with any one character.
  static let leastSize = overhead + 12

  /// Whether text can't stand as it is: beyond ASCII, what would be taken for an encoded word, or too long a word.
  static func areNeeded(for text: ArraySlice<UInt8>) -> Bool {
    var wordSize = 0
    var previous: UInt8 = 0
    for byte in text {
      if byte >= 0x7F || byte < 0x20 || (byte == UInt8(ascii: "?") && previous == UInt8(ascii: "=")) {
        return true
      }
      // The spaces before a word are on its line.
      if byte == 0x20, previous != 0x20 { wordSize = 0 }
      wordSize += 1
      if wordSize > 900 { return true }
      previous = byte
    }
    return false
  }

  /// Whether the Q encoding, which people can read, would escape more than half of it.
  static func areBetterInBase64(_ text: ArraySlice<UInt8>) -> Bool {
    text.reduce(0) { $0 + (quotedWidth($1) > 1 ? 2 : 0) } > text.count
  }

  /// Appends one encoded word of at most `room` characters with the start of `text`; gives where the rest begins.
  static func append(
    _ text: ArraySlice<UInt8>, inBase64 isBase64: Bool, room: Int, to output: inout [UInt8]
  ) -> Int {
    output.append(contentsOf: isBase64 ? "=?utf-8?B?".utf8 : "=?utf-8?Q?".utf8)
    var end = text.startIndex
    var width = 0
    while end < text.endIndex {
      // All bytes of a character go into one word.
      var next = end + 1
      while next < text.endIndex, text[next] & 0xC0 == 0x80 { next += 1 }
      let added =
        isBase64
        ? (next - text.startIndex + 2) / 3 * 4 - width : text[end..<next].reduce(0) { $0 + quotedWidth($1) }
      if width + added > room - overhead, end > text.startIndex { break }
      width += added
      end = next
    }
    let part = text[text.startIndex..<end]
    if isBase64 {
      output.append(contentsOf: Base64.encode(Array(part)).utf8)
    } else {
      for byte in part {
        switch quotedWidth(byte) {
        case 1: output.append(byte == 0x20 ? UInt8(ascii: "_") : byte)
        default: QuotedPrintable.appendEscape(byte, to: &output)
        }
      }
    }
    output.append(contentsOf: "?=".utf8)
    return end
  }

  /// What may stand in a phrase stands as it is (RFC 2047, section 5, rule 3).
  private static func quotedWidth(_ byte: UInt8) -> Int {
    byte.isLetter || byte.isDigit || byte == 0x20 || "!*+-/".utf8.contains(byte) ? 1 : 3
  }
}
