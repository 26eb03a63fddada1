/// Where in a file a row or a card begins: reading can go on from there.
public struct FilePlace: Sendable, Equatable {
  /// Bytes of the file before it.
  public var offset: Int
  /// The line's number, from 1.
  public var line: Int

  /// A place.
  public init(offset: Int, line: Int) {
    self.offset = offset
    self.line = line
  }
}

/// How the bytes of a text file stand for characters.
public enum TextEncoding: String, Sendable, CaseIterable {
  /// UTF-8. What is no UTF-8 is read as Windows-1252, each value by itself: a file of either kind comes out right,
  /// and so does one that was pasted together of both.
  case utf8
  /// UTF-16, the smaller byte first. It is known by its mark.
  case utf16LittleEndian
  /// UTF-16, the larger byte first. It is known by its mark.
  case utf16BigEndian

  /// What the mark at the beginning of a file tells, and how many bytes the mark has. Three bytes are enough.
  static func told(by bytes: [UInt8]) -> (encoding: TextEncoding, mark: Int) {
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { return (.utf8, 3) }
    if bytes.starts(with: [0xFF, 0xFE]) { return (.utf16LittleEndian, 2) }
    if bytes.starts(with: [0xFE, 0xFF]) { return (.utf16BigEndian, 2) }
    return (.utf8, 0)
  }

  /// How many bytes of the file a character took whose UTF-8 begins with this byte; 0 for the bytes behind the first.
  /// Over all bytes of a character that is its place in the file, whatever the encoding.
  func width(of byte: UInt8) -> Int {
    if self == .utf8 { return 1 }
    if byte & 0xC0 == 0x80 { return 0 }
    return byte >= 0xF0 ? 4 : 2
  }

  /// The text of bytes that are UTF-8 or else Windows-1252.
  static func text(_ bytes: ArraySlice<UInt8>) -> String {
    String(validating: bytes, as: UTF8.self) ?? windows1252(bytes)
  }

  /// The text of bytes of Windows-1252, which is ISO 8859-1 with signs where that has control characters.
  static func windows1252(_ bytes: ArraySlice<UInt8>) -> String {
    var scalars = String.UnicodeScalarView()
    for byte in bytes {
      if (0x80...0x9F).contains(byte) {
        scalars.append(Unicode.Scalar(signs[Int(byte) - 0x80]) ?? "\u{FFFD}")
      } else {
        scalars.append(Unicode.Scalar(byte))
      }
    }
    return String(scalars)
  }

  /// 0x80 to 0x9F of Windows-1252 (the Encoding standard, but for the five that it leaves as control characters).
  private static let signs: [UInt16] = [
    0x20AC, 0xFFFD, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152,
    0xFFFD, 0x017D, 0xFFFD, 0xFFFD, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122,
    0x0161, 0x203A, 0x0153, 0xFFFD, 0x017E, 0x0178,
  ]
}

/// Makes UTF-8 of whatever encoding while it comes, in pieces of any size.
struct Transcoder {
  let encoding: TextEncoding
  private var first: UInt8?
  private var high: UInt32?

  init(_ encoding: TextEncoding) { self.encoding = encoding }

  /// Adds the UTF-8 of `bytes` to `utf8`. What is no UTF-16 becomes U+FFFD.
  mutating func append(_ bytes: UnsafeRawBufferPointer, to utf8: inout [UInt8]) {
    guard encoding != .utf8 else {
      utf8.append(contentsOf: bytes)
      return
    }
    utf8.reserveCapacity(utf8.count + bytes.count * 3 / 2 + 4)
    for byte in bytes {
      guard let first else {
        first = byte
        continue
      }
      self.first = nil
      let unit =
        encoding == .utf16BigEndian
        ? UInt32(first) << 8 | UInt32(byte) : UInt32(byte) << 8 | UInt32(first)
      append(unit, to: &utf8)
    }
  }

  /// Adds what an end in the middle of a character leaves.
  mutating func finish(to utf8: inout [UInt8]) {
    if high != nil { Self.encode(0xFFFD, to: &utf8) }
    (high, first) = (nil, nil)
  }

  private mutating func append(_ unit: UInt32, to utf8: inout [UInt8]) {
    if let high {
      self.high = nil
      if (0xDC00...0xDFFF).contains(unit) {
        Self.encode(0x10000 + (high - 0xD800) << 10 + (unit - 0xDC00), to: &utf8)
        return
      }
      Self.encode(0xFFFD, to: &utf8)
    }
    switch unit {
    case 0xD800...0xDBFF: high = unit
    case 0xDC00...0xDFFF: Self.encode(0xFFFD, to: &utf8)
    default: Self.encode(unit, to: &utf8)
    }
  }

  private static func encode(_ value: UInt32, to utf8: inout [UInt8]) {
    if let scalar = Unicode.Scalar(value) { utf8.append(contentsOf: UTF8.encode(scalar) ?? .init()) }
  }
}
