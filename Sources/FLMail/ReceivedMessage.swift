/// A message that came in, taken apart (RFC 5322, RFC 2045, RFC 2046): header fields, and parts down to a bounded depth.
///
/// Nothing that comes in is refused: what does not hold to the rules is read as far as it goes. The work is bounded by
/// the size, times the depth.
public struct ReceivedMessage: Sendable {
  /// The most bytes of a message that are read.
  public static let largest = 1 << 20
  /// How many levels of parts are taken apart; what is deeper stays text.
  public static let deepest = 5
  /// The most parts that are taken apart, over all levels.
  public static let mostParts = 100
  /// The most header fields of one part.
  static let mostFields = 1000

  /// A header field: its name in lower case, its value in one line.
  public struct Field: Sendable, Equatable {
    /// The name in lower case.
    public let name: String
    /// The value, unfolded, without white space around it. What is no UTF-8 is replaced.
    public let value: String
  }

  /// The fields in their order, at most 1,000.
  public let fields: [Field]
  /// The type, `text/plain` where none is told.
  public let contentType: ContentType
  /// The body as it came.
  let body: ArraySlice<UInt8>
  /// The parts of a multipart body, or the message inside of this one (`message/rfc822`); else none.
  public let parts: [ReceivedMessage]

  /// Takes apart the first MiB of `bytes`. Lines end with CR LF or with LF alone, as a pipe gives them.
  public init(_ bytes: [UInt8]) {
    var budget = Self.mostParts
    self.init(bytes.prefix(Self.largest), depth: 0, standard: "text/plain", &budget)
  }

  private init(_ bytes: ArraySlice<UInt8>, depth: Int, standard: String, _ budget: inout Int) {
    var lines = Lines(bytes)
    // What a mailbox file or a pipe has before the header (`From sender date`).
    if depth == 0, bytes.starts(with: "From ".utf8) { _ = lines.next() }
    fields = Self.fields(&lines)
    body = lines.rest
    contentType =
      fields.first { $0.name == "content-type" }.map { ContentType($0.value) } ?? ContentType(standard)
    guard depth < Self.deepest else {
      parts = []
      return
    }
    var parts: [ReceivedMessage] = []
    if contentType.type == "multipart", let boundary = contentType["boundary"], !boundary.isEmpty {
      // The parts of a digest are messages unless they say otherwise (RFC 2046, section 5.1.5).
      let inner = contentType.subtype == "digest" ? "message/rfc822" : "text/plain"
      for piece in Self.split(body, at: boundary, atMost: budget) {
        guard budget > 0 else { break }
        budget -= 1
        parts.append(ReceivedMessage(piece, depth: depth + 1, standard: inner, &budget))
      }
    } else if contentType.isMessage, budget > 0 {
      budget -= 1
      let bytes = Self.isEncoded(fields) ? Self.decoded(body, fields)[...] : body
      parts.append(ReceivedMessage(bytes, depth: depth + 1, standard: "text/plain", &budget))
    }
    self.parts = parts
  }

  // MARK: What is in it

  /// The values of the fields of this name, which is in lower case, in their order.
  public func values(_ name: String) -> [String] { fields.filter { $0.name == name }.map(\.value) }

  /// The value of the first field of this name, which is in lower case.
  public subscript(name: String) -> String? { fields.first { $0.name == name }?.value }

  /// This message and all parts of it, the outer before the inner.
  public var all: [ReceivedMessage] { [self] + parts.flatMap(\.all) }

  /// The body decoded from its `Content-Transfer-Encoding`; of what is wrong in it, as much as can be had.
  public var content: [UInt8] { Self.decoded(body, fields) }

  /// The body as text. Of charsets other than UTF-8 the ASCII is right, and the rest is replaced.
  public var text: String { String(decoding: content, as: UTF8.self) }

  /// The blocks of header fields that the body consists of, with empty lines between them, at most 1,000: the form of
  /// `message/delivery-status` (RFC 3464, section 2.1) and `message/feedback-report` (RFC 5965, section 3.1).
  var fieldGroups: [[Field]] {
    var lines = Lines(content[...])
    var groups: [[Field]] = []
    while !lines.isAtEnd, groups.count < 1000 {
      let group = Self.fields(&lines)
      if !group.isEmpty { groups.append(group) }
    }
    return groups
  }

  // MARK: Header

  /// Lines of a text, one after the other, without their ends.
  struct Lines {
    private(set) var rest: ArraySlice<UInt8>
    var isAtEnd: Bool { rest.isEmpty }

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    mutating func next() -> ArraySlice<UInt8>? {
      guard !rest.isEmpty else { return nil }
      guard let end = rest.firstIndex(of: 10) else {
        defer { rest = rest[rest.endIndex...] }
        return rest
      }
      let line = rest[rest.startIndex..<end]
      rest = rest[(end + 1)...]
      return line.last == 13 ? line.dropLast() : line
    }
  }

  /// Reads fields up to the empty line, which is taken too. A line that is none is passed over.
  private static func fields(_ lines: inout Lines) -> [Field] {
    var fields: [Field] = []
    var name: String?
    var value: [UInt8] = []
    func finish() {
      guard let known = name, fields.count < mostFields else { return }
      fields.append(Field(name: known, value: Self.line(value)))
    }
    while let line = lines.next(), !line.isEmpty {
      if line.first == 32 || line.first == 9 {
        if name != nil { value += line }
        continue
      }
      finish()
      name = nil
      guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex,
        colon - line.startIndex <= 200
      else { continue }
      // White space before the colon is of an old form (RFC 5322, section 4.5).
      let bytes = trimmed(line[..<colon])
      guard bytes.allSatisfy({ $0 > 32 && $0 < 127 }) else { continue }
      name = String(decoding: bytes, as: UTF8.self).lowercased()
      value = Array(line[(colon + 1)...])
    }
    finish()
    return fields
  }

  private static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var bytes = bytes
    while let first = bytes.first, first == 32 || first == 9 { bytes.removeFirst() }
    while let last = bytes.last, last == 32 || last == 9 { bytes.removeLast() }
    return bytes
  }

  /// One line of readable characters: each run of white space and control characters is one space.
  private static func line(_ bytes: [UInt8]) -> String {
    var line: [UInt8] = []
    line.reserveCapacity(bytes.count)
    for byte in bytes {
      if byte > 32 && byte != 127 {
        line.append(byte)
      } else if let last = line.last, last != 32 {
        line.append(32)
      }
    }
    if line.last == 32 { line.removeLast() }
    return String(decoding: line, as: UTF8.self)
  }

  // MARK: Parts

  /// What stands between lines of two hyphens and the boundary, at most `most` pieces. What is before the first such
  /// line and behind the last is no part; where the last is missing, the last part goes to the end.
  private static func split(_ body: ArraySlice<UInt8>, at boundary: String, atMost most: Int)
    -> [ArraySlice<UInt8>]
  {
    let delimiter = Array("--\(boundary)".utf8)
    var pieces: [ArraySlice<UInt8>] = []
    var start: Int?
    var lines = Lines(body)
    while pieces.count < most {
      let place = lines.rest.startIndex
      guard let line = lines.next() else { break }
      guard line.starts(with: delimiter) else { continue }
      let behind = line.dropFirst(delimiter.count)
      let isLast = behind.starts(with: "--".utf8)
      // A longer boundary that begins like this one is another one's.
      guard isLast || behind.allSatisfy({ $0 == 32 || $0 == 9 }) else { continue }
      if let start { pieces.append(withoutLineEnd(body[start..<max(start, place)])) }
      start = isLast ? nil : lines.rest.startIndex
      if isLast { break }
    }
    if let start, pieces.count < most { pieces.append(body[start...]) }
    return pieces
  }

  /// The line end before a boundary is the boundary's (RFC 2046, section 5.1.1).
  private static func withoutLineEnd(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    guard bytes.last == 10 else { return bytes }
    let bytes = bytes.dropLast()
    return bytes.last == 13 ? bytes.dropLast() : bytes
  }

  // MARK: Transfer encodings

  private static func encoding(_ fields: [Field]) -> String {
    fields.first { $0.name == "content-transfer-encoding" }?.value.lowercased() ?? "7bit"
  }

  private static func isEncoded(_ fields: [Field]) -> Bool {
    ["base64", "quoted-printable"].contains(encoding(fields))
  }

  private static func decoded(_ body: ArraySlice<UInt8>, _ fields: [Field]) -> [UInt8] {
    switch encoding(fields) {
    case "base64": base64(body)
    case "quoted-printable": quotedPrintable(body)
    default: Array(body)
    }
  }

  /// What is no symbol is passed over (RFC 2045, section 6.8); padding ends it.
  private static func base64(_ body: ArraySlice<UInt8>) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(body.count * 3 / 4)
    var (bits, width) = (0, 0)
    for symbol in body {
      let value: Int
      switch symbol {
      case 65...90: value = Int(symbol) - 65
      case 97...122: value = Int(symbol) - 71
      case 48...57: value = Int(symbol) + 4
      case UInt8(ascii: "+"): value = 62
      case UInt8(ascii: "/"): value = 63
      case UInt8(ascii: "="): return bytes
      default: continue
      }
      (bits, width) = ((bits << 6 | value) & 0xFFFF, width + 6)
      if width >= 8 {
        width -= 8
        bytes.append(UInt8(bits >> width & 255))
      }
    }
    return bytes
  }

  /// An equals sign that is followed by no two digits and no line end stays (RFC 2045, section 6.7).
  private static func quotedPrintable(_ body: ArraySlice<UInt8>) -> [UInt8] {
    func digit(_ byte: UInt8) -> UInt8? {
      switch byte {
      case 48...57: byte - 48
      case 65...70: byte - 55
      case 97...102: byte - 87
      default: nil
      }
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(body.count)
    var index = body.startIndex
    while index < body.endIndex {
      let byte = body[index]
      index += 1
      guard byte == UInt8(ascii: "=") else {
        bytes.append(byte)
        continue
      }
      // Blanks behind a soft line end were added on the way.
      let end = body[index...].prefix(100).firstIndex { $0 != 32 && $0 != 9 && $0 != 13 }
      if let end, body[end] == 10 {
        index = end + 1
      } else if index + 1 < body.endIndex, let high = digit(body[index]), let low = digit(body[index + 1]) {
        bytes.append(high << 4 | low)
        index += 2
      } else {
        bytes.append(byte)
      }
    }
    return bytes
  }
}

extension ReceivedMessage {
  /// What a body is: `type/subtype` with parameters (RFC 2045, section 5.1), read as far as it can be.
  public struct ContentType: Sendable {
    /// The part before the stroke, in lower case.
    public let type: String
    /// The part behind the stroke, in lower case.
    public let subtype: String
    private let parameters: [(name: String, value: String)]

    /// Reads the value of a `Content-Type` field.
    init(_ text: String) {
      let bytes = Array(text.utf8)
      var index = 0
      let whole = Self.token(bytes, &index).lowercased()
      let halves = whole.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
      type = String(halves[0])
      subtype = halves.count == 2 ? String(halves[1]) : ""
      var parameters: [(name: String, value: String)] = []
      while index < bytes.count, parameters.count < 50 {
        index += 1
        let name = Self.token(bytes, &index, until: UInt8(ascii: "=")).lowercased()
        guard index < bytes.count, bytes[index] == UInt8(ascii: "=") else { continue }
        index += 1
        parameters.append((name, Self.value(bytes, &index)))
      }
      self.parameters = parameters
    }

    /// The first parameter of this name, which is in lower case.
    public subscript(name: String) -> String? { parameters.first { $0.name == name }?.value }

    /// Whether it is a message inside of another one; also one with addresses in UTF-8 (RFC 6532).
    var isMessage: Bool { type == "message" && (subtype == "rfc822" || subtype == "global") }

    /// Whether it is the header of a message, without the body.
    var isHeader: Bool {
      (type == "text" || type == "message") && ["rfc822-headers", "global-headers"].contains(subtype)
    }

    /// What stands before the next `;` (or `end`), without blanks.
    private static func token(_ bytes: [UInt8], _ index: inout Int, until end: UInt8 = UInt8(ascii: ";"))
      -> String
    {
      var token: [UInt8] = []
      while index < bytes.count, bytes[index] != UInt8(ascii: ";"), bytes[index] != end {
        if bytes[index] > 32 { token.append(bytes[index]) }
        index += 1
      }
      return String(decoding: token, as: UTF8.self)
    }

    /// A value, quoted or not; `index` is then at the next `;` or at the end.
    private static func value(_ bytes: [UInt8], _ index: inout Int) -> String {
      while index < bytes.count, bytes[index] == 32 { index += 1 }
      guard index < bytes.count, bytes[index] == UInt8(ascii: "\"") else { return token(bytes, &index) }
      index += 1
      var value: [UInt8] = []
      while index < bytes.count, bytes[index] != UInt8(ascii: "\"") {
        if bytes[index] == UInt8(ascii: "\\"), index + 1 < bytes.count { index += 1 }
        value.append(bytes[index])
        index += 1
      }
      index += 1
      _ = token(bytes, &index)
      return String(decoding: value, as: UTF8.self)
    }
  }
}
