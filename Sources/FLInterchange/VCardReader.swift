/// Takes a file of vCards apart while it comes: versions 2.1, 3.0 (RFC 2426) and 4.0 (RFC 6350), whatever the pieces
/// are that it is pushed in.
///
/// It keeps no more than one card, of that only what is of use, and looks at each byte once. What stands outside of
/// cards, properties that it does not know, pictures and cards inside of cards are passed over. Lines end with CR LF,
/// LF or CR.
public struct VCardReader {
  private var transcoder: Transcoder?
  private var mark: [UInt8] = []
  private var utf8: [UInt8] = []
  /// How far was read.
  private var place: FilePlace

  /// The property that is being read, with its lines joined; of a long one the beginning.
  private var line: [UInt8] = []
  private var lineIsLong = false
  /// Where that property begins, and where the line behind it does.
  private var lineFrom: FilePlace
  private var lineTo: FilePlace
  /// Whether the lines of this property are joined as quoted-printable asks for it; nil until it is known.
  private var isQuotedPrintable: Bool?
  private var hasEnded = false
  private var lastWasReturn = false

  /// The properties of the card that is being read; nil outside of cards.
  private var properties: [VCardLine]?
  private var cardStart = 1
  private var cardBytes = 0
  private var isTooLarge = false
  /// How many cards are open inside of this one.
  private var depth = 0
  private var expectsInner = false

  /// A reader from the beginning of a file.
  public init() {
    place = FilePlace(offset: 0, line: 1)
    (lineFrom, lineTo) = (place, place)
  }

  /// A reader that goes on at `place`, as an earlier reader of the same file told it.
  public init(_ encoding: TextEncoding, from place: FilePlace) {
    transcoder = Transcoder(encoding)
    self.place = place
    (lineFrom, lineTo) = (place, place)
  }

  /// How the file's characters are written; nil until it is known.
  public var encoding: TextEncoding? { transcoder?.encoding }

  /// Takes the next bytes of the file, and hands out what they complete.
  /// - Throws: what `handle` throws; the reader is of no use after that.
  public mutating func push(_ bytes: UnsafeRawBufferPointer, _ handle: (VCard.Event) throws -> Void) throws {
    utf8.removeAll(keepingCapacity: true)
    if transcoder == nil {
      mark.append(contentsOf: bytes)
      guard mark.count >= 3 else { return }
      begin()
    } else {
      transcoder?.append(bytes, to: &utf8)
    }
    try readAll(handle)
  }

  /// Takes the next bytes of the file.
  /// - Throws: what `handle` throws.
  public mutating func push(_ bytes: [UInt8], _ handle: (VCard.Event) throws -> Void) throws {
    try bytes.withUnsafeBytes { try push($0, handle) }
  }

  /// Tells that the file has ended.
  /// - Throws: what `handle` throws.
  public mutating func finish(_ handle: (VCard.Event) throws -> Void) throws {
    utf8.removeAll(keepingCapacity: true)
    if transcoder == nil { begin() }
    transcoder?.finish(to: &utf8)
    try readAll(handle)
    if !hasEnded { lineTo = place }
    try endLine(handle)
    lineFrom = lineTo
    if properties != nil { try giveUp(handle) }
  }

  private mutating func begin() {
    let (encoding, size) = TextEncoding.told(by: mark)
    transcoder = Transcoder(encoding)
    place.offset = size
    (lineFrom, lineTo) = (place, place)
    mark.dropFirst(size).withUnsafeBytes { transcoder?.append($0, to: &utf8) }
    mark = []
  }

  // MARK: Lines

  private mutating func readAll(_ handle: (VCard.Event) throws -> Void) throws {
    let bytes = utf8
    for byte in bytes { try read(byte, handle) }
  }

  private mutating func read(_ byte: UInt8, _ handle: (VCard.Event) throws -> Void) throws {
    let isLineEnd = byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
    let isSecond = byte == UInt8(ascii: "\n") && lastWasReturn
    lastWasReturn = byte == UInt8(ascii: "\r")
    if hasEnded && !isSecond {
      hasEnded = false
      if (byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")) && !line.isEmpty {
        // A folded line: it goes on.
        place.offset += transcoder?.encoding.width(of: byte) ?? 1
        return
      }
      try endLine(handle)
      lineFrom = lineTo
    }
    place.offset += transcoder?.encoding.width(of: byte) ?? 1
    if isSecond {
      if hasEnded { lineTo = place }
      return
    }
    if isLineEnd {
      place.line += 1
      // A soft line break of quoted-printable: the next line goes on whatever it begins with.
      if line.last == UInt8(ascii: "="), !lineIsLong, isEncoded {
        line.removeLast()
      } else {
        hasEnded = true
        lineTo = place
      }
    } else if line.count < VCard.mostLineBytes {
      line.append(byte)
    } else {
      lineIsLong = true
    }
  }

  /// Whether the property that is being read says that it is quoted-printable.
  private var isEncoded: Bool {
    mutating get {
      if let isQuotedPrintable { return isQuotedPrintable }
      let head = line.prefix(1000).prefix { $0 != UInt8(ascii: ":") }
      let isEncoded =
        head.count < line.count
        && String(decoding: head, as: UTF8.self).uppercased().split(separator: ";").dropFirst().contains {
          $0 == "QUOTED-PRINTABLE" || $0 == "ENCODING=QUOTED-PRINTABLE"
        }
      isQuotedPrintable = isEncoded
      return isEncoded
    }
  }

  /// The property is whole.
  private mutating func endLine(_ handle: (VCard.Event) throws -> Void) throws {
    defer {
      line.removeAll(keepingCapacity: true)
      (lineIsLong, isQuotedPrintable, hasEnded) = (false, nil, false)
    }
    guard let property = VCardLine(line) else { return }
    if property.name == "BEGIN" && property.isVCard {
      try beginCard(handle)
    } else if property.name == "END" && property.isVCard {
      try endCard(handle)
    } else if depth == 0 && properties != nil {
      expectsInner = property.name == "AGENT" && property.value.isEmpty
      if VCardLine.isOfUse(property.name) { keep(property) }
    }
  }

  private mutating func keep(_ property: VCardLine) {
    cardBytes += line.count
    // A picture of a program's own is of no use either.
    if lineIsLong && property.name.hasPrefix("X-") { return }
    let count = properties?.count ?? 0
    if lineIsLong || cardBytes > VCard.mostBytes || count >= VCard.mostProperties {
      isTooLarge = true
      properties = []
    }
    if !isTooLarge { properties?.append(property) }
  }

  // MARK: Cards

  private mutating func beginCard(_ handle: (VCard.Event) throws -> Void) throws {
    if properties != nil {
      if expectsInner || depth > 0 {
        depth += 1
        return
      }
      try giveUp(handle)
    }
    properties = []
    (cardStart, cardBytes, isTooLarge, depth, expectsInner) = (lineFrom.line, 0, false, 0, false)
  }

  private mutating func endCard(_ handle: (VCard.Event) throws -> Void) throws {
    guard let lines = properties else { return }
    if depth > 0 {
      depth -= 1
      expectsInner = false
      return
    }
    properties = nil
    try handle(
      isTooLarge
        ? .fault(.tooLarge, line: cardStart, next: lineTo)
        : .card(VCard(lines), line: cardStart, next: lineTo))
  }

  /// Tells a card that has no end. Reading goes on with the line that was not its end.
  private mutating func giveUp(_ handle: (VCard.Event) throws -> Void) throws {
    properties = nil
    try handle(.fault(.unclosed, line: cardStart, next: lineFrom))
  }
}
