extension HTMLBody {
  /// What the text of a link says, and where it leads.
  public struct NamedLink: Sendable, Hashable {
    /// Decoded; placeholders stand in it as in the source.
    public let url: String
    /// What a reader sees of it, decoded and with single spaces; empty where it holds a picture alone.
    public let text: String
  }

  /// Every `a` with an address and what stands inside of it, in the order of the source.
  public var namedLinks: [NamedLink] {
    var found: [NamedLink] = []
    var open: (url: String, text: [UInt8])?
    func close() {
      guard let link = open else { return }
      let words = link.text.split(whereSeparator: \.isWhitespace)
      let text = words.map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ")
      found.append(NamedLink(url: link.url, text: text))
      open = nil
    }
    for token in tokens where !token.isConditional {
      switch (token.kind, token.name) {
      case (.startTag, "a"):
        close()
        if let attribute = token.attribute("href") {
          open = (String(decoding: Self.url(source, attribute.value, scan), as: UTF8.self), [])
        }
      case (.endTag, "a"): close()
      case (.text, _): open?.text.append(contentsOf: CharacterReference.decodedAttribute(source[token.range]))
      default: break
      }
    }
    close()
    return found
  }

  /// How many pictures say nothing to those who do not see them: `img` without `alt`. An empty one is well: it says
  /// that the picture is decoration.
  public var imagesWithoutAlternative: Int {
    tokens.count {
      $0.kind == .startTag && $0.name == "img" && !$0.isConditional && $0.attribute("alt") == nil
    }
  }
}
