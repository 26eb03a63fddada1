/// Takes a CSV file apart while it comes: whatever the pieces are that it is pushed in, the rows are the same.
///
/// It keeps no more than one row. Encoding and delimiter are told by the mark and the first line. Lines end with
/// CR LF, LF or CR; quoted cells may have line ends and doubled quotes in them; a quote that is not the first sign of
/// its cell is a sign like any other. Rows without any text are passed over.
///
/// A row that is broken is told, and others go on: where a quote swallowed more than its line, reading begins again at
/// the line behind the one in which the row began. What is read again must close its quotes line by line, so that no
/// byte is read more than twice, whatever the file.
public struct CSVReader {
  /// What the file turned out to be; nil until enough of it was pushed.
  public var format: CSV.Format? { core?.format }

  private var core: CSVCore?
  private var transcoder: Transcoder?
  private let wish: UInt8?
  /// What was pushed before it was known what it means.
  private var head: [UInt8] = []
  private var mark = 0
  private var scanned = 0
  private var isInQuotes = false
  private var hasText = false
  private var utf8: [UInt8] = []

  /// A reader from the beginning of a file; `delimiter` where it is known.
  public init(delimiter: UInt8? = nil) { wish = delimiter }

  /// A reader that goes on at `place`, as an earlier reader of the same file told it.
  public init(_ format: CSV.Format, from place: FilePlace) {
    wish = format.delimiter
    transcoder = Transcoder(format.encoding)
    core = CSVCore(format, from: place)
  }

  /// Takes the next bytes of the file, and hands out what they complete.
  /// - Throws: what `handle` throws; the reader is of no use after that.
  public mutating func push(_ bytes: UnsafeRawBufferPointer, _ handle: (CSV.Event) throws -> Void) throws {
    guard transcoder != nil else {
      head.append(contentsOf: bytes)
      if head.count >= 3 { try tellEncoding(handle) }
      return
    }
    try decode(bytes, handle)
  }

  /// Takes the next bytes of the file.
  /// - Throws: what `handle` throws.
  public mutating func push(_ bytes: [UInt8], _ handle: (CSV.Event) throws -> Void) throws {
    try bytes.withUnsafeBytes { try push($0, handle) }
  }

  /// Tells that the file has ended, and hands out what that completes.
  /// - Throws: what `handle` throws.
  public mutating func finish(_ handle: (CSV.Event) throws -> Void) throws {
    if transcoder == nil { try tellEncoding(handle) }
    utf8.removeAll(keepingCapacity: true)
    transcoder?.finish(to: &utf8)
    try take(utf8, handle)
    if core == nil { try tellDelimiter(handle) }
    try core?.finish(handle)
  }

  private mutating func tellEncoding(_ handle: (CSV.Event) throws -> Void) throws {
    let (encoding, mark) = TextEncoding.told(by: head)
    self.mark = mark
    transcoder = Transcoder(encoding)
    let bytes = Array(head.dropFirst(mark))
    head = []
    try bytes.withUnsafeBytes { try decode($0, handle) }
  }

  private mutating func decode(_ bytes: UnsafeRawBufferPointer, _ handle: (CSV.Event) throws -> Void) throws {
    if core != nil, transcoder?.encoding == .utf8 {
      try bytes.withMemoryRebound(to: UInt8.self) { try core?.read($0, handle) }
      return
    }
    utf8.removeAll(keepingCapacity: true)
    transcoder?.append(bytes, to: &utf8)
    try take(utf8, handle)
  }

  private mutating func take(_ bytes: [UInt8], _ handle: (CSV.Event) throws -> Void) throws {
    if core != nil {
      try bytes.withUnsafeBufferPointer { try core?.read($0, handle) }
      return
    }
    head.append(contentsOf: bytes)
    if wish != nil || firstLineIsWhole { try tellDelimiter(handle) }
  }

  /// Whether the end of the first line was seen, or there is no hope for one.
  private var firstLineIsWhole: Bool {
    mutating get {
      while scanned < head.count {
        let byte = head[scanned]
        scanned += 1
        if byte == UInt8(ascii: "\"") { isInQuotes.toggle() }
        let isLineEnd = byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
        if isLineEnd && !isInQuotes && hasText { return true }
        hasText = hasText || !isLineEnd
      }
      return head.count > CSV.mostCellBytes
    }
  }

  private mutating func tellDelimiter(_ handle: (CSV.Event) throws -> Void) throws {
    var place = FilePlace(offset: mark, line: 1)
    var bytes = head[...]
    var delimiter = wish
    let encoding = transcoder?.encoding ?? .utf8
    // Excel writes, and obeys, a first line that names the delimiter.
    if let named = Self.namedDelimiter(head) {
      delimiter = delimiter ?? named
      bytes = bytes.dropFirst(5)
      place.offset += head.prefix(5).reduce(0) { $0 + encoding.width(of: $1) }
    }
    let format = CSV.Format(
      delimiter: delimiter ?? Self.delimiter(of: bytes.prefix(CSV.mostCellBytes)), encoding: encoding)
    head = []
    core = CSVCore(format, from: place)
    try bytes.withUnsafeBufferPointer { try core?.read($0, handle) }
  }

  private static func namedDelimiter(_ head: [UInt8]) -> UInt8? {
    guard head.count >= 5, head.starts(with: Array("sep=".utf8)), CSV.Format.delimiters.contains(head[4])
    else { return nil }
    let isLine = head.count == 5 || head[5] == UInt8(ascii: "\n") || head[5] == UInt8(ascii: "\r")
    return isLine ? head[4] : nil
  }

  /// The delimiter that the first line has most often outside of quotes; the comma where it has none.
  private static func delimiter(of bytes: ArraySlice<UInt8>) -> UInt8 {
    var counts = [Int](repeating: 0, count: CSV.Format.delimiters.count)
    var isInQuotes = false
    var hasText = false
    for byte in bytes {
      if byte == UInt8(ascii: "\"") { isInQuotes.toggle() }
      // Empty lines before the first one tell nothing.
      let isLineEnd = byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
      if isLineEnd && !isInQuotes && hasText { break }
      hasText = hasText || !isLineEnd
      if isInQuotes { continue }
      if let index = CSV.Format.delimiters.firstIndex(of: byte) { counts[index] += 1 }
    }
    let most = counts.max() ?? 0
    return CSV.Format.delimiters[counts.firstIndex(of: most) ?? 0]
  }
}
