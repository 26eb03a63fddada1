/// How a value is written in the place that it stands in.
enum Escaping: Sendable, Hashable {
  /// As it is.
  case none
  /// As text of HTML or of a quoted attribute of it.
  case html
  /// The same where white space or `=` would end the value: in an attribute without quotes, in a comment.
  case bareHTML
  /// A header field's value: control characters become spaces.
  case header
  /// Percent-encoded but for the unreserved characters of RFC 3986, section 2.3; safe in HTML, too.
  case percent
  /// As it is for an http, https or mailto address, otherwise percent-encoded.
  case wholeURL
  /// The same in an attribute of HTML.
  case wholeURLInHTML

  /// Appends `value` to `output`.
  func append(_ value: String, to output: inout [UInt8]) {
    var value = value
    value.withUTF8 { bytes in
      switch self {
      case .none: output.append(contentsOf: bytes)
      case .html: Self.appendHTML(bytes, to: &output)
      case .bareHTML: Self.appendBareHTML(bytes, to: &output)
      case .header: Self.appendHeader(bytes, to: &output)
      case .percent: Self.appendPercent(bytes, to: &output)
      case .wholeURL:
        if Self.isSafeURL(bytes) {
          output.append(contentsOf: bytes)
        } else {
          Self.appendPercent(bytes, to: &output)
        }
      case .wholeURLInHTML:
        if Self.isSafeURL(bytes) {
          Self.appendHTML(bytes, to: &output)
        } else {
          Self.appendPercent(bytes, to: &output)
        }
      }
    }
  }

  private static func appendHTML(_ bytes: UnsafeBufferPointer<UInt8>, to output: inout [UInt8]) {
    for byte in bytes {
      switch byte {
      case UInt8(ascii: "&"): output.append(contentsOf: "&amp;".utf8)
      case UInt8(ascii: "<"): output.append(contentsOf: "&lt;".utf8)
      case UInt8(ascii: ">"): output.append(contentsOf: "&gt;".utf8)
      case UInt8(ascii: "\""): output.append(contentsOf: "&quot;".utf8)
      case UInt8(ascii: "'"): output.append(contentsOf: "&#39;".utf8)
      default: output.append(byte)
      }
    }
  }

  private static func appendBareHTML(_ bytes: UnsafeBufferPointer<UInt8>, to output: inout [UInt8]) {
    for byte in bytes {
      if byte.isLetter || byte.isDigit || byte >= 0x80 {
        output.append(byte)
      } else {
        output.append(contentsOf: "&#\(byte);".utf8)
      }
    }
  }

  private static func appendHeader(_ bytes: UnsafeBufferPointer<UInt8>, to output: inout [UInt8]) {
    var index = 0
    while index < bytes.count {
      let byte = bytes[index]
      // U+0080 to U+009F are C2 80 to C2 9F; U+2028 and U+2029, which some take for line ends, E2 80 A8 and A9.
      if byte < 0x20 || byte == 0x7F {
        output.append(0x20)
      } else if byte == 0xC2, index + 1 < bytes.count, bytes[index + 1] < 0xA0 {
        output.append(0x20)
        index += 1
      } else if byte == 0xE2, index + 2 < bytes.count, bytes[index + 1] == 0x80,
        bytes[index + 2] & 0xFE == 0xA8
      {
        output.append(0x20)
        index += 2
      } else {
        output.append(byte)
      }
      index += 1
    }
  }

  private static let hexadecimal = Array("0123456789ABCDEF".utf8)

  /// Appends `%2F` for `/`.
  static func appendPercent(_ byte: UInt8, to output: inout [UInt8]) {
    output.append(UInt8(ascii: "%"))
    output.append(hexadecimal[Int(byte >> 4)])
    output.append(hexadecimal[Int(byte & 15)])
  }

  private static func appendPercent(_ bytes: UnsafeBufferPointer<UInt8>, to output: inout [UInt8]) {
    for byte in bytes {
      if byte.isLetter || byte.isDigit || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
        || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "~")
      {
        output.append(byte)
      } else {
        appendPercent(byte, to: &output)
      }
    }
  }

  /// Whether this is an http, https or mailto address without white space, control characters, quotes or brackets.
  private static func isSafeURL(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    let start = bytes.prefix(8).map(\.lowercased)
    guard
      start.starts(with: "http://".utf8) || start.starts(with: "https://".utf8)
        || start.starts(with: "mailto:".utf8)
    else { return false }
    return bytes.allSatisfy { $0 > 0x20 && $0 != 0x7F && !"\"<>\\`".utf8.contains($0) }
  }
}
