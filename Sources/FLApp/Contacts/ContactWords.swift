import Foundation

/// The words by which a contact is found, and those of a search: in lower case, without accents.
enum ContactWords {
  /// How many a contact has at the most.
  static let most = 24
  /// How many characters a word has at the most.
  static let longest = 64

  /// The words of a contact: the e-mail address whole, then names and company, telephone numbers by their digits, and
  /// the pieces of the address.
  static func all(email: String, texts: [String?], digits: [String]) -> [String] {
    var words: [String] = []
    words.reserveCapacity(8)
    func add(_ word: String) {
      if words.count < most, !word.isEmpty, !words.contains(word) { words.append(word) }
    }
    let address = folded(email)
    add(cut(address))
    for text in texts {
      if let text { pieces(folded(text)).forEach(add) }
    }
    for number in digits {
      add(cut(number))
      if number.utf8.count > 7 { add(String(number.suffix(7))) }
    }
    pieces(address).forEach(add)
    return words
  }

  /// What of the words of `query` must each begin a word of a contact.
  static func wanted(_ query: String) -> [String] {
    let text = folded(query)
    if let number = number(text) { return [number] }
    var words: [String] = []
    for part in text.split(whereSeparator: \.isWhitespace) {
      // An address is looked for whole, so that the one who has it is found at once.
      let isAddress = part.dropFirst().utf8.contains(UInt8(ascii: "@"))
      for word in isAddress ? [cut(String(part))] : pieces(String(part)) where !words.contains(word) {
        words.append(word)
      }
    }
    // A word that begins another one says nothing more.
    return Array(words.filter { word in !words.contains { $0 != word && $0.hasPrefix(word) } }.prefix(8))
  }

  /// The digits by which the telephone number `text` is found; nil for another text. A number as it is dialled within
  /// a country is found by its end.
  private static func number(_ text: String) -> String? {
    let signs = Set("+()-./ ".utf8)
    guard text.utf8.allSatisfy({ (48...57).contains($0) || signs.contains($0) }) else { return nil }
    let digits = text.utf8.filter { (48...57).contains($0) }
    guard digits.count >= 3 else { return nil }
    let isAbroad = digits.starts(with: "00".utf8)
    let isNational = digits.first == UInt8(ascii: "0") && !isAbroad && digits.count > 7
    let kept = isNational ? digits.suffix(7) : digits.dropFirst(isAbroad ? 2 : 0)
    return cut(String(decoding: kept, as: UTF8.self))
  }

  /// `text` in lower case and without accents.
  static func folded(_ text: String) -> String {
    if text.utf8.allSatisfy({ $0 < 0x80 }) { return text.lowercased() }
    var result = String.UnicodeScalarView()
    for scalar in text.decomposedStringWithCompatibilityMapping.lowercased().unicodeScalars {
      if scalar.properties.generalCategory == .nonspacingMark { continue }
      if let letters = letters[scalar] {
        result.append(contentsOf: letters.unicodeScalars)
      } else {
        result.append(scalar)
      }
    }
    return String(result)
  }

  /// Letters with something to them that Unicode does not take apart.
  private static let letters: [Unicode.Scalar: String] = [
    "ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "ħ": "h", "ı": "i",
    "ŋ": "n", "ς": "σ",
  ]

  /// The runs of letters and digits in a folded text.
  private static func pieces(_ text: String) -> [String] {
    if text.utf8.allSatisfy({ $0 < 0x80 }) {
      return text.utf8.split { !((97...122).contains($0) || (48...57).contains($0)) }
        .map { String(Substring($0.prefix(longest))) }
    }
    return text.unicodeScalars.split { scalar in
      !(scalar.properties.isAlphabetic || scalar.properties.numericType != nil
        || scalar.properties.generalCategory == .spacingMark)
    }.map { String(String.UnicodeScalarView($0.prefix(longest))) }
  }

  private static func cut(_ text: String) -> String {
    text.utf8.count <= longest ? text : text.cut(toScalars: longest)
  }
}

extension Contact {
  /// The words by which this contact is found.
  var words: [String] {
    ContactWords.all(
      email: email, texts: [firstName, lastName, fullName, company], digits: phones.map(\.digits))
  }
}
