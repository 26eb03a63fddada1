/// What a picture says of itself, read without decoding it, and the bytes that are worth decoding.
///
/// The decoders are C code that was not made for enemies: what reaches them has been walked through from its
/// beginning to its end, has one set of dimensions, and lacks what no logo needs.
struct LogoHeader {
  let format: GDImage.Format
  let width: Int
  let height: Int
  /// How the picture is to be turned, 1 to 8 (Exif).
  let orientation: Int
  /// What is decoded.
  let bytes: [UInt8]

  init(_ bytes: [UInt8]) throws(Logo.Refusal) {
    let input = ByteReader(bytes)
    if input.has([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A], at: 0) {
      self = try PNGWalk(input).header()
    } else if input.has([0xFF, 0xD8, 0xFF], at: 0) {
      self = try JPEGWalk(input).header()
    } else if input.has(Array("RIFF".utf8), at: 0), input.has(Array("WEBP".utf8), at: 8) {
      self = try WebPWalk(input).header()
    } else {
      throw .unsupported
    }
  }

  fileprivate init(
    _ format: GDImage.Format, width: Int, height: Int, orientation: Int = 1, bytes: [UInt8]
  ) throws(Logo.Refusal) {
    guard width > 0, height > 0 else { throw .broken }
    self.format = format
    self.width = width
    self.height = height
    self.orientation = orientation
    self.bytes = bytes
  }
}

/// Bytes that are read with a look at where they end.
struct ByteReader {
  let bytes: [UInt8]
  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var count: Int { bytes.count }

  func has(_ expected: [UInt8], at place: Int) -> Bool {
    place >= 0 && place <= count - expected.count
      && bytes[place..<place + expected.count].elementsEqual(expected)
  }

  /// An unsigned number of so many bytes.
  func number(_ place: Int, _ size: Int, isBigEndian: Bool = true) throws(Logo.Refusal) -> Int {
    guard place >= 0, place <= count - size else { throw .broken }
    var value = 0
    for index in 0..<size {
      value = value << 8 | Int(bytes[isBigEndian ? place + index : place + size - 1 - index])
    }
    return value
  }
}

/// The chunks of a PNG (ISO/IEC 15948, 5). Only those that make the picture are kept: no profile, text or date.
private struct PNGWalk {
  private static let kept = Set(["IHDR", "PLTE", "tRNS", "IDAT", "IEND"])
  let input: ByteReader
  init(_ input: ByteReader) { self.input = input }

  func header() throws(Logo.Refusal) -> LogoHeader {
    var kept = Array(input.bytes[..<8])
    var place = 8
    var seen = 0
    while true {
      let length = try input.number(place, 4)
      guard length <= input.count - place - 12 else { throw .broken }
      let name = String(decoding: input.bytes[place + 4..<place + 8], as: UTF8.self)
      guard (seen == 0) == (name == "IHDR"), name != "IHDR" || length == 13 else { throw .broken }
      if name == "acTL" { throw .animated }
      if Self.kept.contains(name) { kept += input.bytes[place..<place + 12 + length] }
      if name == "IEND" { break }
      place += 12 + length
      seen += 1
    }
    return try LogoHeader(.png, width: input.number(16, 4), height: input.number(20, 4), bytes: kept)
  }
}

/// The marker segments of a JPEG (ITU-T T.81, annex B).
private struct JPEGWalk {
  /// How many pixels all scans of a progressive picture may go over together: each goes over all of them,
  /// however few bytes it has.
  private static let mostScanned = 100_000_000
  let input: ByteReader
  init(_ input: ByteReader) { self.input = input }

  func header() throws(Logo.Refusal) -> LogoHeader {
    var size: (width: Int, height: Int)?
    var orientation = 1
    var scans = 0
    var place = 2
    while true {
      guard try input.number(place, 1) == 0xFF else { throw .broken }
      while try input.number(place + 1, 1) == 0xFF { place += 1 }
      let marker = try input.number(place + 1, 1)
      if marker == 0xD9 { break }
      let length = try input.number(place + 2, 2)
      guard length >= 2, place + 2 + length <= input.count else { throw .broken }
      switch marker {
      case 0xC0, 0xC1, 0xC2:
        guard size == nil, length >= 8 else { throw .broken }
        guard try input.number(place + 4, 1) == 8 else { throw .unsupported }
        size = (try input.number(place + 7, 2), try input.number(place + 5, 2))
      case 0xC3, 0xC5...0xC7, 0xC8...0xCB, 0xCC, 0xCD...0xCF, 0xDC, 0xDE, 0xDF: throw .unsupported
      case 0x00, 0x01, 0xD0...0xD8: throw .broken
      case 0xE1: orientation = (try? self.orientation(place + 4, length - 2)) ?? orientation
      case 0xDA:
        scans += 1
        guard let size, size.width * size.height * scans <= Self.mostScanned || scans == 1 else {
          throw .broken
        }
      default: break
      }
      place += 2 + length
      if marker == 0xDA { place = try endOfScan(place) }
    }
    guard let size, scans > 0 else { throw .broken }
    return try LogoHeader(
      .jpeg, width: size.width, height: size.height, orientation: orientation, bytes: input.bytes)
  }

  /// Where the marker behind a scan's data is.
  private func endOfScan(_ start: Int) throws(Logo.Refusal) -> Int {
    var place = start
    while place < input.count - 1 {
      if input.bytes[place] == 0xFF {
        let next = input.bytes[place + 1]
        if next != 0 && next != 0xFF && !(0xD0...0xD7).contains(next) { return place }
      }
      place += 1
    }
    throw .broken
  }

  /// The orientation in Exif data (CIPA DC-008, 4.6.4), 1 where there is none.
  private func orientation(_ start: Int, _ length: Int) throws(Logo.Refusal) -> Int {
    guard input.has(Array("Exif".utf8) + [0, 0], at: start) else { return 1 }
    let base = start + 6
    let end = start + length
    let isBigEndian = input.has(Array("MM".utf8), at: base)
    let table = base + (try input.number(base + 4, 4, isBigEndian: isBigEndian))
    guard table <= end - 2 else { return 1 }
    for entry in 0..<(try input.number(table, 2, isBigEndian: isBigEndian)) {
      let place = table + 2 + entry * 12
      guard place <= end - 12 else { return 1 }
      if try input.number(place, 2, isBigEndian: isBigEndian) == 0x0112 {
        return try input.number(place + 8, 2, isBigEndian: isBigEndian)
      }
    }
    return 1
  }
}

/// The chunks of a WebP file (RFC 9649, 2).
private struct WebPWalk {
  let input: ByteReader
  init(_ input: ByteReader) { self.input = input }

  func header() throws(Logo.Refusal) -> LogoHeader {
    let end = 8 + (try little(4, 4))
    guard end <= input.count else { throw .broken }
    var canvas: (Int, Int)?
    var picture: (Int, Int)?
    var place = 12
    while place + 8 <= end {
      let length = try little(place + 4, 4)
      let data = place + 8
      guard length <= end - data else { throw .broken }
      switch String(decoding: input.bytes[place..<place + 4], as: UTF8.self) {
      case "VP8X":
        guard canvas == nil, picture == nil, length >= 10 else { throw .broken }
        if input.bytes[data] & 2 != 0 { throw .animated }
        canvas = (1 + (try little(data + 4, 3)), 1 + (try little(data + 7, 3)))
      case "ANIM", "ANMF": throw .animated
      case "VP8 ":
        guard picture == nil, length >= 10, input.has([0x9D, 0x01, 0x2A], at: data + 3) else { throw .broken }
        picture = (try little(data + 6, 2) & 0x3FFF, try little(data + 8, 2) & 0x3FFF)
      case "VP8L":
        guard picture == nil, length >= 5, input.bytes[data] == 0x2F else { throw .broken }
        let bits = try little(data + 1, 4)
        picture = (1 + bits & 0x3FFF, 1 + bits >> 14 & 0x3FFF)
      default: break
      }
      place = data + length + length % 2
    }
    guard let picture, canvas.map({ $0 == picture }) ?? true else { throw .broken }
    return try LogoHeader(
      .webp, width: picture.0, height: picture.1, bytes: Array(input.bytes[..<end]))
  }

  private func little(_ place: Int, _ size: Int) throws(Logo.Refusal) -> Int {
    try input.number(place, size, isBigEndian: false)
  }
}
