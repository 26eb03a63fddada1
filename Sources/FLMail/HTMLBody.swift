/// The HTML of a message, read once: what it links to, what mail programs drop of it, and what is made of it.
///
/// Every source is HTML, as in a browser; nothing that it holds is refused here but placeholders that are none.
public struct HTMLBody: Sendable {
  /// The address of a link or a picture.
  public struct Address: Sendable, Hashable {
    /// Decoded and without white space around; placeholders stand in it as in the source.
    public let url: String
    /// The attribute's value in the UTF-8 of the source, without quotes.
    public let range: Range<Int>
    /// Whether only Outlook sees it, in a conditional comment.
    public let isConditional: Bool
  }

  /// Something that mail programs drop or that makes spam filters suspicious.
  public enum Warning: String, Sendable, Hashable, CaseIterable {
    /// A `script` element.
    case script
    /// An attribute such as `onclick`.
    case eventHandler
    /// An address that begins with `javascript:`, `vbscript:` or `data:text`.
    case scriptURL
    /// A form or a field of one.
    case form
    /// A `frame`, `iframe`, `object`, `embed` or `applet`.
    case embedded
    /// A style sheet or another file that is loaded: `link`, `base`, `meta` with `http-equiv="refresh"`.
    case external
    /// `audio` or `video`.
    case media
  }

  /// What every `a` and `area` links to, in the order of the source.
  public let links: [Address]
  /// What every `img` shows, in the order of the source.
  public let images: [Address]
  /// What it has of those things.
  public let warnings: Set<Warning>

  let source: [UInt8]
  let tokens: [HTMLToken]
  let scan: PlaceholderScan

  /// Reads `source`, in a time that its length bounds.
  public init(_ source: String) {
    let source = Array(source.utf8)
    let scan = PlaceholderScan(source)
    // A placeholder is text of HTML wherever it stands, also with a quote or a bracket in its fallback.
    var masked = source
    for found in scan.found {
      for index in found.range { masked[index] = UInt8(ascii: "{") }
    }
    let tokens = Array(HTMLTokens(masked))
    var links: [Address] = []
    var images: [Address] = []
    var warnings: Set<Warning> = []
    for token in tokens where token.kind == .startTag {
      Self.note(token, of: source, in: &warnings)
      let isLink = token.name == "a" || token.name == "area"
      guard isLink || token.name == "img", let attribute = token.attribute(isLink ? "href" : "src") else {
        continue
      }
      let address = Address(
        url: String(decoding: Self.url(source, attribute.value, scan), as: UTF8.self),
        range: attribute.value, isConditional: token.isConditional)
      if isLink {
        links.append(address)
      } else {
        images.append(address)
      }
    }
    (self.source, self.tokens, self.scan) = (source, tokens, scan)
    (self.links, self.images, self.warnings) = (links, images, warnings)
  }

  /// What is wrong with the placeholders; empty when nothing is.
  public var problems: [PlaceholderText.Problem] { scan.problems }

  private static func note(_ token: HTMLToken, of source: [UInt8], in warnings: inout Set<Warning>) {
    switch token.name {
    case "script": warnings.insert(.script)
    case "form", "input", "button", "select", "textarea": warnings.insert(.form)
    case "frame", "iframe", "object", "embed", "applet": warnings.insert(.embedded)
    case "link", "base": warnings.insert(.external)
    case "audio", "video": warnings.insert(.media)
    case "meta":
      if let attribute = token.attribute("http-equiv"),
        source[attribute.value].lazy.map(\.lowercased).elementsEqual("refresh".utf8)
      {
        warnings.insert(.external)
      }
    default: break
    }
    for attribute in token.attributes {
      if attribute.name.hasPrefix("on"), attribute.name.utf8.count > 2 { warnings.insert(.eventHandler) }
      if urlAttributes.contains(attribute.name) {
        // A browser takes tabs and line ends out of an address, and controls off its start.
        let value = CharacterReference.decodedAttribute(source[attribute.value])
          .filter { !(9...13).contains($0) }.drop { $0 <= 0x20 }.prefix(12).map(\.lowercased)
        if value.starts(with: "javascript:".utf8) || value.starts(with: "vbscript:".utf8)
          || value.starts(with: "data:text".utf8)
        {
          warnings.insert(.scriptURL)
        }
      }
    }
  }

  /// The attributes that hold an address.
  static let urlAttributes: Set<String> = [
    "href", "src", "action", "formaction", "background", "poster", "cite", "data", "longdesc", "xlink:href",
    "srcset", "ping", "lowsrc", "dynsrc", "usemap",
  ]

  /// An attribute's value as an address: decoded outside of placeholders, trimmed, without tabs and line ends.
  static func url(_ source: [UInt8], _ range: Range<Int>, _ scan: PlaceholderScan) -> [UInt8] {
    var output = [UInt8]()
    var index = range.lowerBound
    func appendDecoded(_ part: Range<Int>) {
      for byte in CharacterReference.decodedAttribute(source[part]) where !(9...13).contains(byte) {
        // Decoded braces begin no placeholder.
        if byte == UInt8(ascii: "{"), output.last == byte {
          output.append(contentsOf: "%7B".utf8)
        } else {
          output.append(byte)
        }
      }
    }
    for found in scan.found(in: range) {
      appendDecoded(index..<found.range.lowerBound)
      output.append(contentsOf: source[found.range])
      index = found.range.upperBound
    }
    appendDecoded(index..<range.upperBound)
    guard let first = output.firstIndex(where: { $0 > 0x20 }),
      let last = output.lastIndex(where: { $0 > 0x20 })
    else { return [] }
    return Array(output[first...last])
  }
}

extension PlaceholderScan {
  /// The placeholders that begin in `range`.
  func found(in range: Range<Int>) -> ArraySlice<Found> {
    let start = index(from: range.lowerBound)
    return found[start..<Swift.max(start, index(from: range.upperBound))]
  }

  /// The number of placeholders that begin before `position`.
  private func index(from position: Int) -> Int {
    var (low, high) = (0, found.count)
    while low < high {
      let middle = (low + high) / 2
      if found[middle].range.lowerBound < position { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
