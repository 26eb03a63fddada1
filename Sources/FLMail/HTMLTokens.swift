/// One token of HTML, as ranges of bytes of the source.
struct HTMLToken {
  enum Kind: Equatable {
    /// Text in which character references count.
    case text
    /// What is inside of `script` and `style`, where nothing is a tag or a reference.
    case rawText
    case startTag
    case endTag
    /// A comment, a doctype, or what the standard makes a comment of.
    case comment
  }

  /// One attribute of a start tag.
  struct Attribute {
    /// In lower case.
    let name: String
    /// The value without quotes; empty where there is none.
    let value: Range<Int>
    /// The value with its quotes.
    let whole: Range<Int>
    /// Whether the value is in quotes.
    let isQuoted: Bool
  }

  var kind: Kind
  var range: Range<Int>
  /// A tag's name in lower case; of text that a tag holds (`title`), that tag's.
  var name = ""
  var attributes: [Attribute] = []
  /// Whether only Outlook reads it: it is inside a conditional comment, `<!--[if mso]> … <![endif]-->`.
  var isConditional = false

  /// The first attribute with this name.
  func attribute(_ name: String) -> Attribute? { attributes.first { $0.name == name } }
}

/// The tokens of an HTML source, after the tokenizer of the WHATWG HTML standard (section 13.2.5).
///
/// No source is an error, and every byte is looked at a bounded number of times. What is inside of a conditional
/// comment is tokens, too, up to the end that every other reader sees.
struct HTMLTokens: Sequence, IteratorProtocol {
  private let source: [UInt8]
  private var index = 0
  /// Where the conditional comment ends, or the source.
  private var limit: Int
  /// Where the rest goes on after it; nil outside of one.
  private var conditionalEnd: Int?
  /// The element whose end tag alone ends the text.
  private var textElement: String?

  private static let rawElements: Set<String> = [
    "script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes",
  ]

  init(_ source: [UInt8]) {
    self.source = source
    limit = source.count
  }

  mutating func next() -> HTMLToken? {
    if let end = conditionalEnd, index >= limit {
      conditionalEnd = nil
      let start = index
      index = end
      limit = source.count
      textElement = nil
      if index > start { return HTMLToken(kind: .comment, range: start..<index) }
    }
    guard index < limit else { return nil }
    var token: HTMLToken
    if let element = textElement {
      textElement = nil
      let start = index
      index = endTag(of: element, from: index) ?? limit
      if index > start {
        let isRaw = element != "title" && element != "textarea"
        token = HTMLToken(kind: isRaw ? .rawText : .text, range: start..<index, name: element)
        token.isConditional = conditionalEnd != nil
        return token
      }
      guard index < limit else { return next() }
    }
    let wasConditional = conditionalEnd != nil
    token = source[index] == UInt8(ascii: "<") ? markup() : text()
    token.isConditional = wasConditional
    if token.kind == .startTag, Self.rawElements.contains(token.name) { textElement = token.name }
    return token
  }

  private func byte(_ offset: Int) -> UInt8? { index + offset < limit ? source[index + offset] : nil }

  private mutating func text() -> HTMLToken {
    let start = index
    index += 1
    while index < limit, source[index] != UInt8(ascii: "<") { index += 1 }
    return HTMLToken(kind: .text, range: start..<index)
  }

  private mutating func markup() -> HTMLToken {
    switch byte(1) {
    case UInt8(ascii: "!"): return declaration()
    case UInt8(ascii: "?"): return bogusComment()
    case UInt8(ascii: "/"):
      guard let first = byte(2) else { return text() }
      return first.isLetter ? tag(.endTag, nameAt: 2) : bogusComment()
    case let first?: return first.isLetter ? tag(.startTag, nameAt: 1) : text()
    case nil: return text()
    }
  }

  /// A doctype, `<![CDATA[` or anything else up to the next `>`.
  private mutating func bogusComment() -> HTMLToken {
    let start = index
    while index < limit, source[index] != UInt8(ascii: ">") { index += 1 }
    index = Swift.min(index + 1, limit)
    let name = source[start..<index].prefix(9).map(\.lowercased) == Array("<!doctype".utf8) ? "!doctype" : ""
    return HTMLToken(kind: .comment, range: start..<index, name: name)
  }

  private mutating func declaration() -> HTMLToken {
    guard byte(2) == UInt8(ascii: "-"), byte(3) == UInt8(ascii: "-") else { return bogusComment() }
    let start = index
    index += 4
    if byte(0) == UInt8(ascii: ">") {
      index += 1
      return HTMLToken(kind: .comment, range: start..<index)
    }
    if byte(0) == UInt8(ascii: "-"), byte(1) == UInt8(ascii: ">") {
      index += 2
      return HTMLToken(kind: .comment, range: start..<index)
    }
    let inside = index
    let (end, after) = commentEnd()
    if conditionalEnd == nil, source[inside..<end].starts(with: "[if ".utf8),
      let open = source[inside..<end].firstIndex(of: UInt8(ascii: ">"))
    {
      index = open + 1
      limit = end
      conditionalEnd = after
      return HTMLToken(kind: .comment, range: start..<index)
    }
    index = after
    return HTMLToken(kind: .comment, range: start..<index)
  }

  /// Where the comment's `-->` or `--!>` begins and ends, or the source's end.
  private func commentEnd() -> (Int, Int) {
    var end = index
    while end + 2 < limit {
      if source[end] == UInt8(ascii: "-"), source[end + 1] == UInt8(ascii: "-") {
        if source[end + 2] == UInt8(ascii: ">") { return (end, end + 3) }
        if source[end + 2] == UInt8(ascii: "!"), end + 3 < limit, source[end + 3] == UInt8(ascii: ">") {
          return (end, end + 4)
        }
      }
      end += 1
    }
    return (limit, limit)
  }

  private mutating func tag(_ kind: HTMLToken.Kind, nameAt offset: Int) -> HTMLToken {
    let start = index
    index += offset
    let name = word { $0.isWhitespace || $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: ">") }
    var token = HTMLToken(kind: kind, range: start..<index, name: name)
    while index < limit, source[index] != UInt8(ascii: ">") {
      if source[index].isWhitespace || source[index] == UInt8(ascii: "/") {
        index += 1
      } else {
        let attribute = attribute()
        if kind == .startTag { token.attributes.append(attribute) }
      }
    }
    // A tag that does not end is no tag to a browser; it is dropped.
    if index >= limit { token.kind = .comment }
    index = Swift.min(index + 1, limit)
    token.range = start..<index
    return token
  }

  private mutating func attribute() -> HTMLToken.Attribute {
    let start = index
    // A name may begin with `=`.
    index += 1
    while index < limit, !Self.endsName(source[index]) { index += 1 }
    let name = lowercased(start..<index)
    let nameEnd = index
    while index < limit, source[index].isWhitespace { index += 1 }
    guard byte(0) == UInt8(ascii: "=") else {
      return HTMLToken.Attribute(
        name: name, value: nameEnd..<nameEnd, whole: nameEnd..<nameEnd, isQuoted: false)
    }
    index += 1
    while index < limit, source[index].isWhitespace { index += 1 }
    let whole = index
    if let quote = byte(0), quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") {
      index += 1
      while index < limit, source[index] != quote { index += 1 }
      let value = whole + 1..<index
      index = Swift.min(index + 1, limit)
      return HTMLToken.Attribute(name: name, value: value, whole: whole..<index, isQuoted: true)
    }
    while index < limit, !source[index].isWhitespace, source[index] != UInt8(ascii: ">") { index += 1 }
    return HTMLToken.Attribute(name: name, value: whole..<index, whole: whole..<index, isQuoted: false)
  }

  private static func endsName(_ byte: UInt8) -> Bool {
    byte.isWhitespace || byte == UInt8(ascii: "/") || byte == UInt8(ascii: ">") || byte == UInt8(ascii: "=")
  }

  private mutating func word(until isEnd: (UInt8) -> Bool) -> String {
    let start = index
    while index < limit, !isEnd(source[index]) { index += 1 }
    return lowercased(start..<index)
  }

  private func lowercased(_ range: Range<Int>) -> String {
    String(decoding: source[range].lazy.map(\.lowercased), as: UTF8.self)
  }

  /// Where `</element` stands, with nothing of a longer name behind.
  private func endTag(of element: String, from start: Int) -> Int? {
    let name = Array(element.utf8)
    var at = start
    while at + 2 + name.count <= limit {
      if source[at] == UInt8(ascii: "<"), source[at + 1] == UInt8(ascii: "/"),
        source[at + 2..<at + 2 + name.count].lazy.map(\.lowercased).elementsEqual(name)
      {
        let after = at + 2 + name.count
        if after >= limit || source[after].isWhitespace || source[after] == UInt8(ascii: "/")
          || source[after] == UInt8(ascii: ">")
        {
          return at
        }
      }
      at += 1
    }
    return nil
  }
}
