/// Takes a `multipart/form-data` body apart while it comes (RFC 7578, RFC 2046): whatever the pieces are that it is
/// pushed in, the parts are the same. It keeps no more than one part's header fields.
///
/// Strict where it must be (line ends are CR LF; a part has a name; the last boundary has to come), and passes over
/// what stands before the first boundary and behind the last.
public struct MultipartReader {
  /// One part's header.
  public struct Part: Sendable, Equatable {
    /// The form field's name.
    public let name: String
    /// The file's name as the client told it, with whatever path and signs; nil where the part is no file.
    public let fileName: String?
    /// The type as the client told it.
    public let contentType: String?
  }

  /// What comes out.
  public enum Event {
    /// A part begins.
    case part(Part)
    /// Bytes of the part that began last. They are there only while they are handled.
    case bytes(UnsafeRawBufferPointer)
    /// The part that began last is whole.
    case end
  }

  /// The longest boundary (RFC 2046, section 5.1.1).
  public static let longestBoundary = 70
  /// The most bytes of a part's header fields.
  public static let mostHeaderBytes = 8192

  private enum State {
    /// Before the first boundary.
    case preamble
    /// In a part's bytes.
    case content
    /// Behind a boundary, in the rest of its line.
    case boundary
    /// In a part's header fields.
    case header
    /// Behind the last boundary.
    case epilogue
  }

  /// CR LF, two hyphens and the boundary. CR is nowhere in it but at its beginning.
  private let delimiter: [UInt8]
  /// How far the search may go on where a byte is the last of what was compared (Horspool).
  private let skips: [Int]
  private let mostParts: Int
  private var state = State.preamble
  /// How many bytes of the delimiter stand at the end of what was pushed: they are not handed out before it is known
  /// whether they belong to one. In the beginning as if a line had just ended.
  private var matched = 2
  private var line: [UInt8] = []
  private var parts = 0

  /// A reader of a body of this `Content-Type`, with at most `mostParts` parts.
  /// - Throws: `Problem` 415 for another type, 400 without a boundary that is one.
  public init(contentType: String?, mostParts: Int = 100) throws(Problem) {
    guard let type = contentType.flatMap({ HeaderValue($0) }), type.value == "multipart/form-data" else {
      throw Problem(
        415, "unsupported_media_type", "The body is of a type that is not taken here.",
        detail: "Send a form with Content-Type: multipart/form-data.")
    }
    guard let boundary = type["boundary"], Self.isBoundary(boundary) else {
      throw .malformedForm("Content-Type has no boundary of 1 to \(Self.longestBoundary) characters.")
    }
    let delimiter = Array("\r\n--\(boundary)".utf8)
    self.delimiter = delimiter
    self.mostParts = mostParts
    var skips = [Int](repeating: delimiter.count, count: 256)
    for (index, byte) in delimiter.dropLast().enumerated() { skips[Int(byte)] = delimiter.count - 1 - index }
    self.skips = skips
  }

  private static func isBoundary(_ text: String) -> Bool {
    let others = Array("'()+_,-./:=? ".utf8)
    return (1...longestBoundary).contains(text.utf8.count) && text.utf8.last != UInt8(ascii: " ")
      && text.utf8.allSatisfy {
        (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || others.contains($0)
      }
  }

  /// Takes the next bytes of the body, and hands out what they complete.
  /// - Throws: `Problem` 400 for what is no form, 413 for too many parts or too long a header; and what `handle` throws.
  public mutating func push(_ bytes: UnsafeRawBufferPointer, _ handle: (Event) throws -> Void) throws {
    var index = 0
    while index < bytes.count {
      switch state {
      case .preamble, .content: index = try readContent(bytes, from: index, handle)
      case .boundary: try readBoundary(bytes[index], &index)
      case .header: try readHeader(bytes[index], &index, handle)
      case .epilogue: return
      }
    }
  }

  /// Tells that the body has ended.
  /// - Throws: `Problem` 400 where the last boundary is missing.
  public func finish() throws(Problem) {
    // Two hyphens behind a boundary may be the last bytes there are.
    guard state == .epilogue else { throw .malformedForm("The last boundary is missing.") }
  }

  // MARK: Content

  /// Hands out content up to the next delimiter or the end of what there is; answers where to go on.
  private mutating func readContent(
    _ bytes: UnsafeRawBufferPointer, from start: Int, _ handle: (Event) throws -> Void
  ) throws -> Int {
    var index = start
    // A delimiter that began in what was pushed before.
    while matched > 0 {
      guard index < bytes.count else { return index }
      if bytes[index] == delimiter[matched] {
        matched += 1
        index += 1
        if matched == delimiter.count { return try endContent(at: index, handle) }
      } else {
        // What was held back is content. Only at its beginning could it have begun a delimiter.
        let held = matched
        matched = 0
        try delimiter.withUnsafeBytes {
          try handOut(UnsafeRawBufferPointer(rebasing: $0[..<held]), handle)
        }
      }
    }
    if let found = find(in: bytes, from: index) {
      try handOut(UnsafeRawBufferPointer(rebasing: bytes[index..<found]), handle)
      return try endContent(at: found + delimiter.count, handle)
    }
    let held = beginning(atEndOf: bytes, from: index)
    try handOut(UnsafeRawBufferPointer(rebasing: bytes[index..<bytes.count - held]), handle)
    matched = held
    return bytes.count
  }

  private func handOut(_ bytes: UnsafeRawBufferPointer, _ handle: (Event) throws -> Void) throws {
    if state == .content, !bytes.isEmpty { try handle(.bytes(bytes)) }
  }

  private mutating func endContent(at index: Int, _ handle: (Event) throws -> Void) throws -> Int {
    matched = 0
    if state == .content { try handle(.end) }
    state = .boundary
    line.removeAll(keepingCapacity: true)
    return index
  }

  /// Where a whole delimiter begins (Horspool's search).
  private func find(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
    let last = delimiter.count - 1
    return delimiter.withUnsafeBufferPointer { delimiter in
      skips.withUnsafeBufferPointer { skips in
        var end = start + last
        while end < bytes.count {
          let byte = bytes[end]
          if byte == delimiter[last] {
            var index = 0
            while index < last, bytes[end - last + index] == delimiter[index] { index += 1 }
            if index == last { return end - last }
          }
          end += skips[Int(byte)]
        }
        return nil
      }
    }
  }

  /// How many bytes at the end could begin a delimiter.
  private func beginning(atEndOf bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
    var from = max(start, bytes.count - delimiter.count + 1)
    while from < bytes.count {
      if bytes[from] == delimiter[0] {
        let count = bytes.count - from
        if (0..<count).allSatisfy({ bytes[from + $0] == delimiter[$0] }) { return count }
      }
      from += 1
    }
    return 0
  }

  // MARK: Between the parts

  /// Behind a boundary: two hyphens end the body, else the line ends and a header begins.
  private mutating func readBoundary(_ byte: UInt8, _ index: inout Int) throws(Problem) {
    index += 1
    line.append(byte)
    if line == [UInt8(ascii: "-"), UInt8(ascii: "-")] {
      state = .epilogue
      return
    }
    // Transport padding, which nobody sends, is small.
    let isPadding = line.dropLast().allSatisfy { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
    switch byte {
    case UInt8(ascii: "-") where line.count == 1: return
    case UInt8(ascii: " "), UInt8(ascii: "\t"): if isPadding, line.count <= 200 { return }
    case UInt8(ascii: "\r"): if isPadding { return }
    case UInt8(ascii: "\n"):
      let isEnd =
        line.dropLast().last == UInt8(ascii: "\r")
        && line.dropLast(2).allSatisfy { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
      guard isEnd else { break }
      parts += 1
      guard parts <= mostParts else {
        throw Problem(
          413, "body_too_large", "The form has too many parts.", detail: "At most \(mostParts) are taken.")
      }
      state = .header
      line.removeAll(keepingCapacity: true)
      return
    default: break
    }
    throw .malformedForm("Behind a boundary the line does not end.")
  }

  private mutating func readHeader(
    _ byte: UInt8, _ index: inout Int, _ handle: (Event) throws -> Void
  ) throws {
    index += 1
    line.append(byte)
    guard line.count <= Self.mostHeaderBytes else {
      throw Problem(
        413, "body_too_large", "A part's header is too long.",
        detail: "At most \(Self.mostHeaderBytes) bytes are taken.")
    }
    guard byte == UInt8(ascii: "\n"),
      line.count == 2 ? line == [13, 10] : line.suffix(4) == [13, 10, 13, 10]
    else { return }
    try handle(.part(try Self.part(line)))
    state = .content
  }

  private static func part(_ header: [UInt8]) throws(Problem) -> Part {
    // Folded lines (RFC 5322, section 2.2.3) are one; a line end alone is a part of none.
    let text = String(decoding: header, as: UTF8.self).replacing("\r\n ", with: " ").replacing(
      "\r\n\t", with: " ")
    var fields: [String: String] = [:]
    for line in text.split(separator: "\r\n") {
      guard let colon = line.firstIndex(of: ":"), colon != line.startIndex else {
        throw .malformedForm("A part's header has a line without a name.")
      }
      let name = line[..<colon].lowercased()
      guard fields.updateValue(String(line[line.index(after: colon)...]).trimmed, forKey: name) == nil else {
        throw .malformedForm("A part's header has the same field twice.")
      }
    }
    guard let disposition = fields["content-disposition"].flatMap({ HeaderValue($0) }),
      disposition.value == "form-data", !disposition.repeats, let name = disposition["name"]
    else { throw .malformedForm("A part has no Content-Disposition: form-data with one name.") }
    let encoding = fields["content-transfer-encoding"]?.lowercased() ?? "binary"
    guard ["7bit", "8bit", "binary"].contains(encoding) else {
      throw .malformedForm("A part has a Content-Transfer-Encoding (RFC 7578, section 4.7).")
    }
    let plain = disposition["filename"].map(unescaped)
    return Part(
      name: unescaped(name),
      fileName: disposition["filename*"].flatMap(HeaderValue.extended) ?? plain,
      contentType: fields["content-type"])
  }

  /// Takes back what browsers do to the three signs that a quoted name can't hold (HTML, section 4.10.21.8).
  private static func unescaped(_ text: String) -> String {
    guard text.utf8.contains(UInt8(ascii: "%")) else { return text }
    return text.replacing("%22", with: "\"").replacing("%0D", with: "\r").replacing("%0A", with: "\n")
  }
}

extension Problem {
  static func malformedForm(_ detail: String) -> Problem {
    Problem(400, "malformed_form", "The body is no form (multipart/form-data).", detail: detail)
  }
}
