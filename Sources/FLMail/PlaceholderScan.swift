/// The placeholders of a source text, found in one pass: what is between `{{` and `}}`.
struct PlaceholderScan {
  /// One placeholder in the source.
  struct Found {
    /// From the first brace to the last.
    let range: Range<Int>
    let placeholder: Placeholder
    /// What stands in place of a value that is missing.
    let fallback: [UInt8]
  }

  /// In the order of the source.
  private(set) var found: [Found] = []
  /// What is wrong with the source, each thing once, in the order of the source.
  private(set) var problems: [PlaceholderText.Problem] = []

  /// More problems than these are not told.
  private static let problemLimit = 50
  private static let names = Dictionary(
    uniqueKeysWithValues: Placeholder.allCases.map { (Array($0.rawValue.utf8), $0) })

  init(_ source: [UInt8]) {
    var index = 0
    while let start = Self.pair(UInt8(ascii: "{"), in: source, from: index) {
      // What is inside has no `{{` of its own, so that every byte is looked at once.
      var end = start + 2
      while end + 1 < source.count {
        if source[end] == UInt8(ascii: "}"), source[end + 1] == UInt8(ascii: "}") { break }
        if source[end] == UInt8(ascii: "{"), source[end + 1] == UInt8(ascii: "{") { break }
        end += 1
      }
      guard end + 1 < source.count, source[end] == UInt8(ascii: "}") else {
        let stop = end + 1 < source.count ? end : source.count
        note(.malformed(Self.text(source[start..<min(stop, start + 40)])))
        index = stop
        continue
      }
      read(source, start..<end + 2)
      index = end + 2
    }
  }

  private mutating func read(_ source: [UInt8], _ range: Range<Int>) {
    let inside = source[range.lowerBound + 2..<range.upperBound - 2]
    let bar = inside.firstIndex(of: UInt8(ascii: "|"))
    let name = Array(Self.trimmed(inside[..<(bar ?? inside.endIndex)]))
    if let placeholder = Self.names[name] {
      let fallback = bar.map { Array(Self.trimmed(inside[($0 + 1)...])) } ?? []
      found.append(Found(range: range, placeholder: placeholder, fallback: fallback))
      if found.count > PlaceholderText.mostPlaceholders { note(.tooMany) }
    } else if !name.isEmpty, name.count <= 64, name.allSatisfy({ Self.isOfName($0) }) {
      note(.unknown(String(decoding: name, as: UTF8.self)))
    } else {
      note(.malformed(Self.text(source[range].prefix(40))))
    }
  }

  private mutating func note(_ problem: PlaceholderText.Problem) {
    if problems.count < Self.problemLimit, !problems.contains(problem) { problems.append(problem) }
  }

  private static func isOfName(_ byte: UInt8) -> Bool {
    byte.isLetter || byte.isDigit || byte >= 0x80 || " ._-".utf8.contains(byte)
  }

  /// Where `byte` stands twice in a row first.
  private static func pair(_ byte: UInt8, in source: [UInt8], from start: Int) -> Int? {
    var index = start
    while index + 1 < source.count {
      if source[index + 1] != byte {
        index += 2
      } else if source[index] == byte {
        return index
      } else {
        index += 1
      }
    }
    return nil
  }

  private static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    guard let first = bytes.firstIndex(where: { !$0.isWhitespace }),
      let last = bytes.lastIndex(where: { !$0.isWhitespace })
    else { return [] }
    return bytes[first...last]
  }

  private static func text(_ bytes: ArraySlice<UInt8>) -> String {
    // A cut character would show as U+FFFD.
    var bytes = bytes
    while let last = bytes.last, last >= 0x80, String(validating: bytes, as: UTF8.self) == nil {
      bytes.removeLast()
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}

extension UInt8 {
  /// An ASCII letter.
  var isLetter: Bool { (self | 0x20) &- 97 < 26 }
  /// An ASCII digit.
  var isDigit: Bool { self &- 48 < 10 }
  /// White space as HTML has it, and the vertical tab.
  var isWhitespace: Bool { self == 0x20 || self &- 9 < 5 }
  /// An ASCII letter in lower case; any other byte as it is.
  var lowercased: UInt8 { self &- 65 < 26 ? self | 0x20 : self }
}
