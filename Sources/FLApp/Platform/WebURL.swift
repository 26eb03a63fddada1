import FLHTTP
import FLValues
import Foundation

/// An http or https address (RFC 3986) that is safe to send a visitor to: it has a host, and no credentials,
/// white space, control characters or backslashes. It is kept as it was written.
public struct WebURL: Sendable, Hashable {
  /// The most characters that are taken (code points).
  public static let maximumLength = 2048

  /// As it was written.
  public let text: String
  /// The host as it was written, without port.
  public let host: String
  /// From the first slash after the authority to the query.
  public let path: String
  /// Without the `?`; nil without one.
  public let query: String?
  /// Without the `#`; nil without one.
  public let fragment: String?
  private let scheme: String
  private let asciiHost: String
  private let port: Int?

  /// Reads an address; nil when it is none, or one that could lead elsewhere than it says.
  public init?(_ text: String) {
    // By bytes: a combining mark behind a delimiter makes another `Character` of it, and hides it from nobody else.
    let bytes = text.utf8
    guard text.unicodeScalars.count <= Self.maximumLength,
      !text.unicodeScalars.contains(where: Self.isRefused),
      let colon = bytes.firstIndex(of: UInt8(ascii: ":")), bytes[colon...].starts(with: "://".utf8)
    else { return nil }
    scheme = Self.text(bytes[..<colon]).lowercased()
    guard scheme == "http" || scheme == "https" else { return nil }
    let rest = bytes[colon...].dropFirst(3)
    let authority = rest.prefix { !"/?#".utf8.contains($0) }
    guard let (host, port) = Self.split(authority), let asciiHost = Self.ascii(host) else { return nil }
    let beforeFragment = rest[authority.endIndex...].prefix { $0 != UInt8(ascii: "#") }
    let path = beforeFragment.prefix { $0 != UInt8(ascii: "?") }
    self.text = text
    self.host = host
    self.port = port
    self.asciiHost = asciiHost
    self.path = Self.text(path)
    query =
      path.endIndex == beforeFragment.endIndex ? nil : Self.text(beforeFragment[path.endIndex...].dropFirst())
    fragment =
      beforeFragment.endIndex == rest.endIndex ? nil : Self.text(rest[beforeFragment.endIndex...].dropFirst())
  }

  private static func text(_ bytes: Substring.UTF8View) -> String { String(Substring(bytes)) }

  /// Scheme, host and port as browsers write them in `Origin` (RFC 6454, section 6.2).
  var origin: String {
    let isUsual = port == nil || port == (scheme == "https" ? 443 : 80)
    return "\(scheme)://\(asciiHost.lowercased())\(isUsual ? "" : port.map { ":\($0)" } ?? "")"
  }

  /// The address in ASCII as it goes into a `Location`, with `parameters` put into its query: a parameter that the
  /// address has already is replaced, everything else of it stays as it stands.
  public func location(adding parameters: [QueryParameter] = []) -> String {
    var query = query
    if !parameters.isEmpty {
      let names = Set(parameters.map(\.name))
      let own = QueryParameter.all(in: self.query ?? "").filter { !names.contains($0.name) }
      query = (own + parameters).map(\.text).joined(separator: "&")
    }
    return "\(scheme)://\(asciiHost)\(port.map { ":\($0)" } ?? "")" + Self.encoded(path)
      + (query.map { "?" + Self.encoded($0) } ?? "")
      + (fragment.map { "#" + Self.encoded($0) } ?? "")
  }

  private static func isRefused(_ scalar: Unicode.Scalar) -> Bool {
    scalar.value <= 0x20 || (0x7F...0xA0).contains(scalar.value) || scalar == "\\"
      || scalar.properties.isWhitespace
      || scalar.properties.isBidiControl || scalar.value == 0xFEFF || (0x200B...0x200D).contains(scalar.value)
  }

  private static func split(_ authority: Substring.UTF8View) -> (host: String, port: Int?)? {
    guard !authority.contains(UInt8(ascii: "@")) else { return nil }
    var host = authority
    var port: Int?
    let bracket = authority.lastIndex(of: UInt8(ascii: "]"))
    if let colon = authority.lastIndex(of: UInt8(ascii: ":")), bracket.map({ $0 < colon }) ?? true {
      let digits = authority[colon...].dropFirst()
      guard digits.allSatisfy({ (48...57).contains($0) }), let number = Int(text(digits)),
        (1...65_535).contains(number)
      else { return nil }
      port = number
      host = authority[..<colon]
    }
    return host.isEmpty ? nil : (text(host), port)
  }

  /// The host in ASCII: names that are not get their A-label form (IDNA, RFC 5891).
  private static func ascii(_ host: String) -> String? {
    if host.hasPrefix("[") {
      guard host.hasSuffix("]") else { return nil }
      var address = in6_addr()
      return inet_pton(AF_INET6, String(host.dropFirst().dropLast()), &address) == 1 ? host.lowercased() : nil
    }
    var name = host
    if !name.utf8.allSatisfy({ $0 < 0x80 }) {
      guard let encoded = Punycode.ascii(name) else { return nil }
      name = encoded
    }
    let labels = name.split(separator: ".", omittingEmptySubsequences: false)
    let isName = labels.enumerated().allSatisfy { index, label in
      (1...63).contains(label.utf8.count) || (label.isEmpty && index == labels.count - 1 && labels.count > 1)
    }
    let isSafe = name.utf8.allSatisfy { byte in
      (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
        || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_")
    }
    return isName && isSafe && name.utf8.count <= 254 ? name : nil
  }

  private static let refused = Set("\"<>\\^`{|}".utf8)

  /// `text` with the bytes encoded that no URI may hold as they are.
  private static func encoded(_ text: String) -> String {
    func isRefused(_ byte: UInt8) -> Bool { byte <= 0x20 || byte >= 0x7F || refused.contains(byte) }
    guard text.utf8.contains(where: isRefused) else { return text }
    return text.unicodeScalars.reduce(into: "") { result, scalar in
      let isKept = scalar.isASCII && !isRefused(UInt8(scalar.value))
      result += isKept ? String(scalar) : PercentEncoding.encode(String(scalar))
    }
  }
}

/// One parameter of a query, spelled as it stands there.
public struct QueryParameter: Sendable {
  /// The decoded name.
  public let name: String
  /// The parameter in a query: `name=value`, encoded.
  public let text: String

  /// A parameter with this name and value.
  public init(name: String, value: String) {
    self.name = name
    text = "\(PercentEncoding.encode(name))=\(PercentEncoding.encode(value))"
  }

  private init(spelled bytes: Substring.UTF8View) {
    text = String(Substring(bytes))
    let name = Substring(bytes.prefix { $0 != UInt8(ascii: "=") })
    self.name = PercentEncoding.decodeText(name, plusIsSpace: true) ?? String(name)
  }

  /// The parameters of a query, as they are spelled; between two `&` in a row there is an empty one.
  static func all(in query: String) -> [QueryParameter] {
    if query.isEmpty { return [] }
    return query.utf8.split(separator: UInt8(ascii: "&"), omittingEmptySubsequences: false)
      .map { QueryParameter(spelled: $0) }
  }
}

extension Shape where Value == WebURL {
  /// An http or https address of at most 2,048 characters.
  static var webURL: Shape {
    Shape(
      schema: Schema([
        "type": "string", "maxLength": .integer(Int64(WebURL.maximumLength)),
        "pattern":
          "^[Hh][Tt][Tt][Pp][Ss]?://[A-Za-z0-9]([A-Za-z0-9-]{0,60}[A-Za-z0-9])?(\\.[A-Za-z0-9]([A-Za-z0-9-]{0,60}[A-Za-z0-9])?)*(:[1-9][0-9]{0,3})?([/?#][\\x21-\\x5B\\x5D-\\x7E]*)?$",
        "examples": ["https://example.org/shop?item=7"],
      ]),
      readText: { text, reading in
        if text.unicodeScalars.count > WebURL.maximumLength {
          reading.refuse("too_long", "This may have at most \(WebURL.maximumLength) characters.")
          return nil
        }
        guard let url = WebURL(text) else {
          reading.refuse(
            "invalid_url",
            "This must be an http or https address without credentials, spaces, backslashes or control characters."
          )
          return nil
        }
        return url
      },
      write: { $1.string($0.text) })
  }
}
