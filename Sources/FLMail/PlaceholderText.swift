/// A text with placeholders, read once and then written for each contact: the pieces of it in order.
///
/// `{{FirstName}}` becomes the value, `{{FirstName|there}}` the value or, where it is nil or blank, the word after
/// the bar. White space inside the braces is no part of either. Values and fallbacks are data: they are escaped for
/// the place that they stand in, and never looked through for placeholders.
public struct PlaceholderText: Sendable, Hashable {
  /// What a text is, and so how values are escaped in it.
  public enum Place: Sendable {
    /// HTML: values are text of it, whatever they hold. In a style, a script, an event handler and in most of an
    /// address they are percent-encoded. A value that is the whole of an address stays as it is if it is an http,
    /// https or mailto address.
    case html
    /// Plain text: values stand as they are, but percent-encoded inside an http or https address.
    case text
    /// A header field: control characters become spaces, so that no value begins a line.
    case header
    /// An address: values are percent-encoded, but for one that is the whole of it and is an http, https or mailto
    /// address, and for the address to unsubscribe at.
    case url
  }

  /// One thing that is wrong with a source text.
  public enum Problem: Sendable, Hashable, CustomStringConvertible {
    /// There is no placeholder of this name.
    case unknown(String)
    /// `{{` that begins no placeholder; up to 40 bytes from there.
    case malformed(String)
    /// There are more placeholders than a text may have: each recipient's copy is made in memory.
    case tooMany

    /// A sentence for whoever wrote the text.
    public var description: String {
      switch self {
      case .unknown(let name):
        "{{\(name)}} is no placeholder. There are "
          + Placeholder.allCases.map { "{{\($0.rawValue)}}" }.joined(separator: ", ") + "."
      case .malformed(let text):
        "“\(text)” begins no placeholder, such as {{FirstName}} or {{FirstName|there}}."
      case .tooMany: "A text may have at most \(PlaceholderText.mostPlaceholders) placeholders."
      }
    }
  }

  /// Why a source text was refused: everything that is wrong with it, each thing once, up to 50.
  public struct Failure: Error, Equatable, CustomStringConvertible {
    /// In the order of the source; never empty.
    public let problems: [Problem]

    /// All problems in words.
    public var description: String { problems.map(\.description).joined(separator: " ") }
  }

  /// The most placeholders in one text.
  public static let mostPlaceholders = 1000

  enum Piece: Sendable, Hashable {
    case literal([UInt8])
    /// A value, or the fallback, which is escaped already.
    case value(Placeholder, fallback: [UInt8], Escaping)
    /// The address that stands for the tracked one with this number, in a quoted attribute.
    case link(Int)
    /// The picture that tells of opening.
    case openImage
  }

  private(set) var pieces: [Piece] = []
  /// How many bytes the literal pieces have.
  private(set) var literalCount = 0

  /// A text of no pieces.
  init() {}

  /// A text without placeholders: braces in it are nothing but braces. Where it is a header field, control characters
  /// become spaces.
  public init(literal: String, in place: Place) { appendLiteral(Array(literal.utf8)[...], in: place) }

  /// Reads `source`.
  /// - Throws: a `Failure` that names every unknown or malformed placeholder.
  public init(_ source: String, in place: Place) throws(Failure) {
    self =
      switch place {
      case .html: try HTMLBody(source).placeholderText()
      case .text, .header, .url: try PlaceholderText(plain: Array(source.utf8), in: place)
      }
  }

  /// The placeholders that stand in the text.
  public var placeholders: Set<Placeholder> {
    pieces.reduce(into: []) { if case .value(let placeholder, _, _) = $1 { $0.insert(placeholder) } }
  }

  /// Appends the text with `values` in it to `output`.
  ///
  /// A tracked link that `values.links` has no address for becomes `#`.
  public func render(_ values: PlaceholderValues, into output: inout [UInt8]) {
    for piece in pieces {
      switch piece {
      case .literal(let bytes): output.append(contentsOf: bytes)
      case .value(let placeholder, let fallback, let escaping):
        if let value = values[placeholder] {
          escaping.append(value, to: &output)
        } else {
          output.append(contentsOf: fallback)
        }
      case .link(let number):
        if values.links.indices.contains(number) {
          Escaping.html.append(values.links[number], to: &output)
        } else {
          output.append(UInt8(ascii: "#"))
        }
      case .openImage:
        guard let url = values.openURL else { continue }
        output.append(contentsOf: #"<img src=""#.utf8)
        Escaping.html.append(url, to: &output)
        output.append(contentsOf: #"" width="1" height="1" alt="" style="border:0">"#.utf8)
      }
    }
  }

  /// The text with `values` in it.
  public func rendered(_ values: PlaceholderValues) -> String {
    var output = [UInt8]()
    output.reserveCapacity(literalCount + 256)
    render(values, into: &output)
    return String(decoding: output, as: UTF8.self)
  }

  /// Adds bytes that stand as they are.
  mutating func append(_ bytes: some Collection<UInt8>) {
    guard !bytes.isEmpty else { return }
    literalCount += bytes.count
    if case .literal(var last) = pieces.last {
      pieces.removeLast()
      last.append(contentsOf: bytes)
      pieces.append(.literal(last))
    } else {
      pieces.append(.literal(Array(bytes)))
    }
  }

  /// Adds a placeholder.
  mutating func append(_ found: PlaceholderScan.Found, _ escaping: Escaping) {
    var fallback = [UInt8]()
    escaping.append(String(decoding: found.fallback, as: UTF8.self), to: &fallback)
    pieces.append(.value(found.placeholder, fallback: fallback, escaping))
  }

  /// Adds a piece that is neither literal nor a value.
  mutating func append(_ piece: Piece) { pieces.append(piece) }
}

extension PlaceholderText {
  /// Reads what is not HTML.
  private init(plain source: [UInt8], in place: Place) throws(Failure) {
    let scan = PlaceholderScan(source)
    guard scan.problems.isEmpty else { throw Failure(problems: scan.problems) }
    var index = 0
    for found in scan.found {
      appendLiteral(source[index..<found.range.lowerBound], in: place)
      append(found, Self.escaping(of: found, in: place, source))
      index = found.range.upperBound
    }
    appendLiteral(source[index...], in: place)
  }

  /// Plain text as text of HTML.
  init(plainAsHTML source: String) throws(Failure) {
    let bytes = Array(source.utf8)
    let scan = PlaceholderScan(bytes)
    guard scan.problems.isEmpty else { throw Failure(problems: scan.problems) }
    var index = 0
    func escaped(_ literal: ArraySlice<UInt8>) -> [UInt8] {
      var output = [UInt8]()
      Escaping.html.append(String(decoding: literal, as: UTF8.self), to: &output)
      return output
    }
    for found in scan.found {
      append(escaped(bytes[index..<found.range.lowerBound]))
      append(found, .html)
      index = found.range.upperBound
    }
    append(escaped(bytes[index...]))
  }

  private mutating func appendLiteral(_ bytes: ArraySlice<UInt8>, in place: Place) {
    guard place == .header else { return append(bytes) }
    var cleaned = [UInt8]()
    Escaping.header.append(String(decoding: bytes, as: UTF8.self), to: &cleaned)
    append(cleaned)
  }

  private static func escaping(
    of found: PlaceholderScan.Found, in place: Place, _ source: [UInt8]
  ) -> Escaping {
    switch place {
    case .header: return .header
    case .url:
      if found.range.lowerBound == 0, found.placeholder == .unsubscribeURL { return .none }
      return found.range == 0..<source.count ? .wholeURL : .percent
    case .text, .html:
      return isInsideURL(found.range.lowerBound, of: source) ? .percent : .none
    }
  }

  /// Whether what stands before `index`, without white space, quotes or angle brackets between, begins an http or
  /// https address. An address is looked for in the 2,048 bytes before.
  private static func isInsideURL(_ index: Int, of source: [UInt8]) -> Bool {
    var start = index
    while start > max(0, index - 2048), source[start - 1] > 0x20, !"\"<>".utf8.contains(source[start - 1]) {
      start -= 1
    }
    let word = source[start..<index]
    guard let colon = word.firstIndex(of: UInt8(ascii: ":")), word[colon...].starts(with: "://".utf8) else {
      return false
    }
    // By the end of it, since an opening bracket may stand before.
    let scheme = word[..<colon].suffix(5).map(\.lowercased)
    return scheme.suffix(4) == Array("http".utf8)[...] || scheme == Array("https".utf8)
  }
}
