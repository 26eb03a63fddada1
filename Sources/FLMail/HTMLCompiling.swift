/// HTML ready to be sent: the text, and the addresses that its clicks are counted for.
public struct TrackedHTML: Sendable {
  /// The HTML. `PlaceholderValues.links` has an address for each of `links`.
  public let text: PlaceholderText
  /// The addresses that are tracked, each once, in the order in which they stand first. Those with placeholders are
  /// to be read with `PlaceholderText(_:in: .url)` and rendered when somebody clicks.
  public let links: [String]
}

extension HTMLBody {
  /// Reads the placeholders, and nothing more.
  /// - Throws: a `PlaceholderText.Failure` that names all that are none.
  func placeholderText() throws(PlaceholderText.Failure) -> PlaceholderText {
    try compiled(isTracked: { _ in false }).text
  }

  /// The HTML as it is sent.
  ///
  /// Only absolute http and https addresses of `a` and `area` are tracked, and none with the address to unsubscribe
  /// at. Links for Outlook alone, in conditional comments, are tracked like others.
  /// - Parameters:
  ///   - previewText: What mail programs show behind the subject, plain and with placeholders; it is put in
  ///     front of everything else that can be seen, and hidden.
  ///   - tracksOpens: Whether a picture that tells of opening is put at the end.
  ///   - isTracked: Called once for each distinct address, in the order in which they stand first.
  /// - Throws: a `PlaceholderText.Failure` that names every placeholder that is none.
  public func compiled(
    previewText: String? = nil, tracksOpens: Bool = false, isTracked: (String) -> Bool
  ) throws(PlaceholderText.Failure) -> TrackedHTML {
    var preview: PlaceholderText?
    var problems = scan.problems
    if let previewText, !previewText.utf8.allSatisfy(\.isWhitespace) {
      do throws(PlaceholderText.Failure) {
        preview = try PlaceholderText(plainAsHTML: previewText)
      } catch {
        problems += error.problems.filter { !problems.contains($0) }
      }
    }
    guard problems.isEmpty else { throw PlaceholderText.Failure(problems: problems) }

    var compiler = HTMLCompiler(source: source, scan: scan)
    let previewPosition = preview == nil ? nil : positionAfterHead
    let openPosition = tracksOpens ? positionBeforeEnd : nil
    for token in tokens {
      if token.range.lowerBound == previewPosition, let preview { compiler.insert(preview, at: token.range) }
      if token.range.lowerBound == openPosition { compiler.insertOpenImage(at: token.range) }
      compiler.add(token, isTracked: isTracked)
    }
    let end = source.count..<source.count
    compiler.copy(to: source.count, .html)
    if previewPosition == source.count, let preview { compiler.insert(preview, at: end) }
    if openPosition == source.count { compiler.insertOpenImage(at: end) }
    return TrackedHTML(text: compiler.text, links: compiler.links)
  }

  /// Behind the start of the body; without one behind the head, the start of all, the doctype, or in front.
  private var positionAfterHead: Int {
    var position = 0
    for token in tokens where !token.isConditional {
      switch (token.kind, token.name) {
      case (.startTag, "body"): return token.range.upperBound
      case (.startTag, "html"), (.endTag, "head"), (.comment, "!doctype"): position = token.range.upperBound
      default: break
      }
    }
    return position
  }

  /// Before the end of the body, or of all.
  private var positionBeforeEnd: Int {
    let ends = tokens.filter { $0.kind == .endTag && !$0.isConditional }
    let end = ends.last { $0.name == "body" } ?? ends.last { $0.name == "html" }
    return end?.range.lowerBound ?? source.count
  }
}

/// Makes a `PlaceholderText` of tokens in their order.
private struct HTMLCompiler {
  let source: [UInt8]
  let scan: PlaceholderScan
  var text = PlaceholderText()
  /// The addresses that are tracked.
  var links: [String] = []
  /// The number of each distinct address; nil for one that is not tracked.
  private var numbers: [[UInt8]: Int?] = [:]
  /// Up to where the source is in `text`.
  private var position = 0
  /// The first placeholder behind.
  private var next = 0

  init(source: [UInt8], scan: PlaceholderScan) {
    self.source = source
    self.scan = scan
  }

  /// The source up to `end`, with its placeholders escaped by `escaping`.
  mutating func copy(to end: Int, _ escaping: Escaping) { copy(to: end) { _ in escaping } }

  private mutating func copy(to end: Int, _ escaping: (PlaceholderScan.Found) -> Escaping) {
    while next < scan.found.count, scan.found[next].range.lowerBound < end {
      let found = scan.found[next]
      text.append(source[position..<found.range.lowerBound])
      text.append(found, escaping(found))
      position = found.range.upperBound
      next += 1
    }
    if position < end {
      text.append(source[position..<end])
      position = end
    }
  }

  /// Leaves the source out up to `end`.
  private mutating func skip(to end: Int) {
    position = end
    while next < scan.found.count, scan.found[next].range.lowerBound < end { next += 1 }
  }

  mutating func insert(_ preview: PlaceholderText, at range: Range<Int>) {
    copy(to: range.lowerBound, .html)
    text.append(
      #"<div style="display:none;max-height:0;max-width:0;overflow:hidden;opacity:0;font-size:1px;line-height:1px;"#
        .utf8)
    text.append(#"mso-hide:all">"#.utf8)
    for piece in preview.pieces {
      if case .literal(let bytes) = piece { text.append(bytes) } else { text.append(piece) }
    }
    text.append("</div>".utf8)
  }

  mutating func insertOpenImage(at range: Range<Int>) {
    copy(to: range.lowerBound, .html)
    text.append(.openImage)
  }

  mutating func add(_ token: HTMLToken, isTracked: (String) -> Bool) {
    switch token.kind {
    case .text: addText(token)
    case .rawText: copy(to: token.range.upperBound, .percent)
    case .endTag, .comment: copy(to: token.range.upperBound, .bareHTML)
    case .startTag: addStartTag(token, isTracked)
    }
  }

  /// `<{{Name}}` is text, and has to stay so when a letter comes after the bracket.
  private mutating func addText(_ token: HTMLToken) {
    for found in scan.found(in: token.range) where found.range.lowerBound > token.range.lowerBound {
      let bracket = found.range.lowerBound - 1
      if source[bracket] == UInt8(ascii: "<") {
        copy(to: bracket, .html)
        text.append("&lt;".utf8)
        skip(to: bracket + 1)
      }
    }
    copy(to: token.range.upperBound, .html)
  }

  private mutating func addStartTag(_ token: HTMLToken, _ isTracked: (String) -> Bool) {
    let isLink = token.name == "a" || token.name == "area"
    var isFirst = true
    for attribute in token.attributes {
      copy(to: attribute.whole.lowerBound, .bareHTML)
      if isLink, isFirst, attribute.name == "href" {
        isFirst = false
        if let number = number(of: attribute, isTracked) {
          text.append("\"".utf8)
          text.append(.link(number))
          text.append("\"".utf8)
          skip(to: attribute.whole.upperBound)
          continue
        }
      }
      addValue(of: attribute)
    }
    copy(to: token.range.upperBound, .bareHTML)
  }

  private mutating func addValue(of attribute: HTMLToken.Attribute) {
    let plain: Escaping = attribute.isQuoted ? .html : .bareHTML
    if HTMLBody.urlAttributes.contains(attribute.name) {
      let value = attribute.value
      let start = source[value].firstIndex { !$0.isWhitespace } ?? value.lowerBound
      let end = source[value].lastIndex { !$0.isWhitespace }.map { $0 + 1 } ?? value.upperBound
      copy(to: attribute.whole.upperBound) { found in
        if found.range == start..<end {
          return found.placeholder == .unsubscribeURL ? plain : .wholeURLInHTML
        }
        return found.placeholder == .unsubscribeURL && found.range.lowerBound == start ? plain : .percent
      }
    } else if attribute.name.hasPrefix("on") || ["style", "srcdoc", "content"].contains(attribute.name) {
      copy(to: attribute.whole.upperBound, .percent)
    } else {
      copy(to: attribute.whole.upperBound, plain)
    }
  }

  /// The number of the address if it is tracked.
  private mutating func number(of attribute: HTMLToken.Attribute, _ isTracked: (String) -> Bool) -> Int? {
    let url = HTMLBody.url(source, attribute.value, scan)
    if let known = numbers[url] { return known }
    let start = url.prefix(8).map(\.lowercased)
    let isAbsolute = start.starts(with: "http://".utf8) || start.starts(with: "https://".utf8)
    var number: Int?
    if isAbsolute, !scan.found(in: attribute.value).contains(where: { $0.placeholder == .unsubscribeURL }) {
      let address = String(decoding: url, as: UTF8.self)
      if isTracked(address) {
        number = links.count
        links.append(address)
      }
    }
    numbers[url] = .some(number)
    return number
  }
}
