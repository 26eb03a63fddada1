/// What a mail server replied (RFC 5321, section 4.2).
public struct SMTPReply: Sendable, Equatable, CustomStringConvertible {
  /// The code: 2xx is done, 3xx asks for more, 4xx is refused for now, 5xx for good.
  public let code: Int
  /// The enhanced status code (RFC 3463, RFC 2034), such as `5.1.1`; nil without one, or with one of another class.
  public let enhanced: String?
  /// The text behind the codes, its lines with spaces between them: at most 512 characters, without control
  /// characters. Whoever runs the server has written it.
  public let text: String
  /// Whether a server has said it; not where a message was refused here, unsent.
  public let isOfServer: Bool

  /// The longest text, in characters.
  public static let mostText = 512

  init(code: Int, enhanced: String?, text: String) {
    (self.code, self.enhanced, self.text) = (code, enhanced, text)
    isOfServer = false
  }

  /// A reply of these lines, of which `SMTPReply.part(of:)` has made sure.
  init(code: Int, lines: [[UInt8]]) {
    self.code = code
    var enhanced: String?
    var text = ""
    for (index, line) in lines.enumerated() {
      var rest = line[...]
      if let found = Self.enhancedStatus(rest), found.first == String(code).first,
        index == 0 || found == enhanced
      {
        enhanced = found
        rest = rest.dropFirst(found.utf8.count).drop { $0 == UInt8(ascii: " ") }
      }
      if index > 0 && !text.isEmpty && !rest.isEmpty { text.append(" ") }
      text += Self.plain(rest)
      // No more than can be told, however many lines there are.
      if text.unicodeScalars.count > Self.mostText { break }
    }
    isOfServer = true
    self.enhanced = enhanced
    self.text = String(text.unicodeScalars.prefix(Self.mostText))
  }

  /// The codes and the text in one line.
  public var description: String {
    ([String(code)] + [enhanced, text.isEmpty ? nil : text].compactMap(\.self)).joined(separator: " ")
  }

  /// The code of a line, whether it is the last of its reply, and its text; nil for what is no reply.
  static func part(of line: ArraySlice<UInt8>) -> (code: Int, isLast: Bool, text: ArraySlice<UInt8>)? {
    let digits = line.prefix(3)
    guard digits.count == 3, digits.allSatisfy({ (48...57).contains($0) }), let first = digits.first,
      (50...53).contains(first)
    else { return nil }
    let code = digits.reduce(0) { $0 * 10 + Int($1 - 48) }
    let rest = line.dropFirst(3)
    switch rest.first {
    case nil: return (code, true, rest)
    case UInt8(ascii: " "): return (code, true, rest.dropFirst())
    case UInt8(ascii: "-"): return (code, false, rest.dropFirst())
    default: return nil
    }
  }

  private static func enhancedStatus(_ text: ArraySlice<UInt8>) -> String? {
    let word = text.prefix { $0 != UInt8(ascii: " ") }
    guard word.count <= 9 else { return nil }
    let numbers = word.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard numbers.count == 3, numbers[0].count == 1,
      numbers.allSatisfy({ (1...3).contains($0.count) && $0.allSatisfy { (48...57).contains($0) } })
    else { return nil }
    return String(decoding: word, as: UTF8.self)
  }

  /// Text of somebody else without what could break a line, a terminal or the order in which it is read.
  static func plain(_ bytes: ArraySlice<UInt8>) -> String {
    if bytes.allSatisfy({ (32...126).contains($0) }) { return String(decoding: bytes, as: UTF8.self) }
    var text = String.UnicodeScalarView()
    for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator, .unassigned: text.append(" ")
      default: text.append(scalar)
      }
    }
    return String(text)
  }
}
