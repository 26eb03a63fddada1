/// The addresses in a plain text, of which mail programs make links.
public enum TextAddresses {
  /// The most letters of a scheme.
  private static let longestScheme = 12
  /// How far a placeholder reaches at most, in bytes.
  private static let longestPlaceholder = 300

  /// Every address of `text` in its order, as often as it stands there: whatever begins with a scheme and `//`, and what
  /// a program would run. Placeholders stand in it as in the text. The time it takes grows with the length alone.
  public static func found(in text: String) -> [String] {
    let bytes = Array(text.utf8)
    var found: [String] = []
    var done = 0
    while let colon = bytes[done...].firstIndex(of: UInt8(ascii: ":")) {
      guard let start = beginning(bytes, from: done, before: colon), isAddress(bytes, start, colon) else {
        done = colon + 1
        continue
      }
      let end = end(bytes, from: colon + 1)
      let address = trimmed(String(decoding: bytes[start..<end], as: UTF8.self))
      found.append(address)
      done = max(colon + 1, start + address.utf8.count)
    }
    return found
  }

  /// Where the letters before a colon begin; nil where there are none, or too many for a scheme.
  private static func beginning(_ bytes: [UInt8], from first: Int, before colon: Int) -> Int? {
    var start = colon
    while start > first, isLetter(bytes[start - 1]) {
      guard colon - start < longestScheme else { return nil }
      start -= 1
    }
    return start == colon ? nil : start
  }

  private static func isLetter(_ byte: UInt8) -> Bool { (97...122).contains(byte | 0x20) }

  private static func isAddress(_ bytes: [UInt8], _ start: Int, _ colon: Int) -> Bool {
    let rest = bytes[(colon + 1)...]
    if rest.starts(with: "//".utf8) { return rest.count > 2 && !isEnd(bytes, colon + 3) }
    switch String(decoding: bytes[start..<colon], as: UTF8.self).lowercased() {
    case "javascript", "vbscript": return !rest.isEmpty && !isEnd(bytes, colon + 1)
    case "data":
      // `data:text/html,…` and not a word with a colon behind it.
      let type = rest.prefix(100).prefix { isLetter($0) || $0 == UInt8(ascii: "/") }
      return type.contains(UInt8(ascii: "/"))
        && [",", ";", "+", "-", "."].contains {
          bytes.indices.contains(type.endIndex) && bytes[type.endIndex] == UInt8(ascii: $0)
        }
    default: return false
    }
  }

  /// Whether an address ends before a byte: white space, also one that does not break lines, quotes and angle brackets.
  private static func isEnd(_ bytes: [UInt8], _ index: Int) -> Bool {
    switch bytes[index] {
    case 0...0x20, 0x7F, UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "\""), UInt8(ascii: "`"): true
    case 0xC2: index + 1 < bytes.count && bytes[index + 1] == 0xA0
    default: false
    }
  }

  private static func end(_ bytes: [UInt8], from start: Int) -> Int {
    var index = start
    while index < bytes.count, !isEnd(bytes, index) {
      index = placeholderEnd(bytes, at: index) ?? index + 1
    }
    return index
  }

  /// Where a placeholder ends that begins at `index`, with its fallback, which may have blanks; nil where none does.
  private static func placeholderEnd(_ bytes: [UInt8], at index: Int) -> Int? {
    guard bytes[index...].starts(with: "{{".utf8) else { return nil }
    let last = min(bytes.count, index + longestPlaceholder) - 1
    var place = index + 2
    while place < last, bytes[place] != UInt8(ascii: "\n") {
      if bytes[place] == UInt8(ascii: "}"), bytes[place + 1] == UInt8(ascii: "}") { return place + 2 }
      place += 1
    }
    return nil
  }

  /// An address without what ends a sentence, and without brackets that were opened before it.
  private static func trimmed(_ address: String) -> String {
    var scalars = address.unicodeScalars[...]
    var surplus: [Unicode.Scalar: Int] = [:]
    for scalar in scalars {
      switch scalar {
      case "(", ")": surplus[")", default: 0] += scalar == ")" ? 1 : -1
      case "[", "]": surplus["]", default: 0] += scalar == "]" ? 1 : -1
      default: break
      }
    }
    while let last = scalars.last {
      switch last {
      case ".", ",", ";", ":", "!", "?", "'", "*", "_", "…", "”", "’", "»", "“": break
      case ")", "]":
        guard surplus[last, default: 0] > 0 else { return String(scalars) }
        surplus[last, default: 0] -= 1
      default: return String(scalars)
      }
      scalars.removeLast()
    }
    return String(scalars)
  }
}
