extension HTMLBody {
  /// The HTML as plain text, with line feeds and with its placeholders, to be read with
  /// `PlaceholderText(_:in: .text)`.
  ///
  /// Paragraphs and headings stand apart, lists have bullets or numbers, quotations `> `; a link is `text <address>`,
  /// a picture its alternative text. Lines are wrapped at 78 characters, but never inside an address. Styles, scripts,
  /// comments and elements with `display:none` are left out.
  public var plainText: String {
    var writer = PlainTextWriter(source: source, scan: scan)
    for token in tokens where !token.isConditional { writer.add(token) }
    return String(decoding: writer.lines.finish(), as: UTF8.self)
  }
}

/// Makes plain text of tokens in their order.
private struct PlainTextWriter {
  let source: [UInt8]
  let scan: PlaceholderScan
  var lines = PlainTextLines()

  /// The address of the link that is open, and what of its text was written.
  private var link: (address: [UInt8], text: [UInt8])?
  /// The lists that are open: the number of the next entry, or nil for bullets.
  private var lists: [Int?] = []
  /// For each entry that is open, how many lists were.
  private var entries: [Int] = []
  private var quotations = 0
  private var preformatted = 0
  /// The element that is not shown, and how many of its name are open in it.
  private var hidden: (name: String, depth: Int)?

  init(source: [UInt8], scan: PlaceholderScan) {
    self.source = source
    self.scan = scan
  }

  mutating func add(_ token: HTMLToken) {
    if let element = hidden {
      guard token.name == element.name else { return }
      let depth = element.depth + (token.kind == .startTag ? 1 : token.kind == .endTag ? -1 : 0)
      hidden = depth > 0 ? (element.name, depth) : nil
      return
    }
    switch token.kind {
    case .text:
      if token.name != "title", token.name != "textarea" { addText(token.range) }
    case .startTag: start(token)
    case .endTag: end(token.name)
    case .rawText, .comment: break
    }
  }

  private mutating func addText(_ range: Range<Int>) {
    var index = range.lowerBound
    for found in scan.found(in: range) {
      addCharacters(index..<found.range.lowerBound)
      lines.addWhole(source[found.range])
      link?.text.append(contentsOf: source[found.range])
      index = found.range.upperBound
    }
    addCharacters(index..<range.upperBound)
  }

  private mutating func addCharacters(_ range: Range<Int>) {
    let text = source[range]
    var index = range.lowerBound
    while index < range.upperBound {
      if text[index] == UInt8(ascii: "&"),
        let (scalar, end) = CharacterReference.read(text, at: index, inAttribute: false)
      {
        add(scalar)
        index = end
      } else if text[index] < 0x80 {
        if text[index] == 0x0A, preformatted > 0 { lines.breakLine() }
        add(Unicode.Scalar(text[index]))
        index += 1
      } else {
        // The source came of a `String`, and no token ends inside of a character.
        var iterator = text[index...].makeIterator()
        var decoder = UTF8()
        guard case .scalarValue(let scalar) = decoder.decode(&iterator) else { return }
        add(scalar)
        index += UTF8.width(scalar)
      }
    }
  }

  private mutating func add(_ scalar: Unicode.Scalar) {
    lines.add(scalar)
    if link != nil { link?.text.append(scalar) }
  }

  private mutating func start(_ token: HTMLToken) {
    if Self.canBeHidden.contains(token.name), isHidden(token) {
      hidden = (token.name, 1)
      return
    }
    switch token.name {
    case "br": lines.breakLine()
    case "hr":
      lines.endBlock(blankLines: 1)
      lines.addWhole(repeatElement(UInt8(ascii: "-"), count: 40))
      lines.endBlock(blankLines: 1)
    case "img": addImage(token)
    case "a": startLink(token)
    case "td", "th": lines.addSpace(2)
    case "ul", "ol":
      lines.endBlock(blankLines: lists.isEmpty ? 1 : 0)
      lists.append(token.name == "ol" ? 1 : nil)
    case "li": startEntry()
    case "blockquote":
      lines.endBlock(blankLines: 1)
      quotations += 1
      lines.indent(Array("> ".utf8))
    case "pre":
      lines.endBlock(blankLines: 1)
      preformatted += 1
    default:
      if Self.paragraphs.contains(token.name) {
        lines.endBlock(blankLines: 1)
      } else if Self.blocks.contains(token.name) {
        lines.endBlock(blankLines: 0)
      }
    }
  }

  private mutating func end(_ name: String) {
    switch name {
    case "a": endLink()
    case "td", "th": lines.addSpace(2)
    case "ul", "ol":
      guard !lists.isEmpty else { return }
      endEntries(upTo: lists.count)
      lists.removeLast()
      lines.endBlock(blankLines: lists.isEmpty ? 1 : 0)
    case "li":
      endEntries(upTo: max(lists.count, 1))
      lines.endBlock(blankLines: 0)
    case "blockquote":
      guard quotations > 0 else { return }
      quotations -= 1
      lines.endBlock(blankLines: 1)
      lines.outdent()
    case "pre":
      lines.endBlock(blankLines: 1)
      preformatted = max(0, preformatted - 1)
    default:
      if Self.paragraphs.contains(name) {
        lines.endBlock(blankLines: 1)
      } else if Self.blocks.contains(name) {
        lines.endBlock(blankLines: 0)
      }
    }
  }

  private mutating func startEntry() {
    let depth = max(lists.count, 1)
    endEntries(upTo: depth)
    lines.endBlock(blankLines: 0)
    entries.append(depth)
    var bullet = Array("- ".utf8)
    if let last = lists.indices.last, let number = lists[last] {
      bullet = Array("\(number). ".utf8)
      lists[last] = number + 1
    }
    lines.indent([UInt8](repeating: 0x20, count: bullet.count), bullet: bullet)
  }

  /// Ends the entries of this list and of those inside of it.
  private mutating func endEntries(upTo depth: Int) {
    while let last = entries.last, last >= depth {
      entries.removeLast()
      lines.outdent()
    }
  }

  private mutating func startLink(_ token: HTMLToken) {
    endLink()
    guard let attribute = token.attribute("href") else { return }
    let address = HTMLBody.url(source, attribute.value, scan)
    let start = address.prefix(10).map(\.lowercased)
    let isPlaceholder = scan.found(in: attribute.value).first?.range.count == address.count
    if isPlaceholder
      || ["http://", "https://", "mailto:", "tel:"].contains(where: { start.starts(with: $0.utf8) })
    {
      link = (address, [])
    }
  }

  private mutating func endLink() {
    guard let (address, text) = link else { return }
    link = nil
    // The address itself says nothing more.
    let scheme = ["https://", "http://", "mailto:", "tel:"].first { address.starts(with: $0.utf8) } ?? ""
    let bare = Self.trimmed(address[scheme.utf8.count...])
    let shown = Self.trimmed(text[...])
    if shown == Self.trimmed(address[...]) || (!bare.isEmpty && shown == bare) { return }
    if !text.isEmpty { lines.addSpace() }
    // White space and brackets would end it for whoever reads it.
    lines.addWhole("<".utf8)
    lines.addWhole(Self.closed(address))
    lines.addWhole(">".utf8)
  }

  private mutating func addImage(_ token: HTMLToken) {
    guard let alternative = token.attribute("alt")?.value, !alternative.isEmpty else { return }
    lines.addSpace()
    addText(alternative)
    lines.addSpace()
  }

  /// The address without white space and angle brackets outside of placeholders.
  private static func closed(_ address: [UInt8]) -> [UInt8] {
    var output = [UInt8]()
    var isInside = false
    for (index, byte) in address.enumerated() {
      if index > 0, byte == address[index - 1] {
        if byte == UInt8(ascii: "{") { isInside = true }
        if byte == UInt8(ascii: "}") { isInside = false }
      }
      if isInside || (byte > 0x20 && byte != UInt8(ascii: "<") && byte != UInt8(ascii: ">")) {
        output.append(byte)
      }
    }
    return output
  }

  private static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var bytes = bytes.drop(while: \.isWhitespace)
    while let last = bytes.last, last.isWhitespace || last == UInt8(ascii: "/") { bytes.removeLast() }
    return bytes
  }

  private func isHidden(_ token: HTMLToken) -> Bool {
    if token.attributes.contains(where: { $0.name == "hidden" }) { return true }
    guard let style = token.attribute("style") else { return false }
    let text = source[style.value].filter { !$0.isWhitespace }.map(\.lowercased)
    return String(decoding: text, as: UTF8.self).contains("display:none")
  }

  private static let canBeHidden: Set<String> = ["div", "span", "table", "section"]
  private static let paragraphs: Set<String> = [
    "p", "h1", "h2", "h3", "h4", "h5", "h6", "table", "dl", "figure",
  ]
  private static let blocks: Set<String> = [
    "address", "article", "aside", "body", "caption", "center", "dd", "details", "div", "dt", "fieldset",
    "figcaption",
    "footer", "form", "header", "main", "nav", "option", "section", "summary", "tbody", "tfoot", "thead",
    "tr",
  ]
}
