import Foundation

/// The font that captions are drawn in: which characters it has, and how wide a text is.
///
/// libgd puts one glyph beside the other. Scripts whose letters join, stack or run from right to left would come
/// out wrong, and so are not taken, whatever the font has of them.
public final class CaptionFont: Sendable {
  /// Where the font file is.
  let path: String
  /// A bit for each character of the basic plane that the font has a glyph for.
  private let characters: [UInt64]

  /// Reads which characters a TrueType or OpenType font has; nil where there is no such file, or no Unicode table
  /// of format 4 (ISO/IEC 14496-22, `cmap`) in it.
  public init?(path: String) {
    guard let data = FileManager.default.contents(atPath: path),
      let characters = try? Self.characters(ByteReader(Array(data)))
    else { return nil }
    self.path = path
    self.characters = characters
  }

  /// The first character of `text` that can't be drawn; nil where all can.
  public func missing(in text: String) -> Unicode.Scalar? {
    text.unicodeScalars.first { !Self.isSimple($0) || !has($0.value) }
  }

  private func has(_ value: UInt32) -> Bool {
    value < 0x10000 && characters[Int(value >> 6)] >> UInt64(value & 63) & 1 != 0
  }

  /// Whether a character stands by itself, from left to right.
  private static func isSimple(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x20...0x7E, 0xA0...0x02FF, 0x0370...0x0482, 0x048A...0x058F, 0x10A0...0x10FF, 0x1E00...0x1FFF: true
    case 0x2010...0x2027, 0x2030...0x205E, 0x2070...0x20BF, 0x2100...0x2BFF: true
    default: false
    }
  }

  /// From the left end of a text to its right end, for each pixel of the font's size.
  func extent(of text: String) -> (start: Double, width: Double)? {
    GDImage.extent(of: text, font: path, pixels: 100).map {
      (Double($0.lowerBound) / 100, Double($0.upperBound - $0.lowerBound) / 100)
    }
  }

  private static func characters(_ font: ByteReader) throws -> [UInt64] {
    var characters = [UInt64](repeating: 0, count: 1024)
    for index in 0..<(try font.number(4, 2)) {
      let entry = 12 + index * 16
      guard font.has(Array("cmap".utf8), at: entry) else { continue }
      let cmap = try font.number(entry + 8, 4)
      for subtable in 0..<(try font.number(cmap + 2, 2)) {
        let place = cmap + 4 + subtable * 8
        let start = cmap + (try font.number(place + 4, 4))
        let isUnicode = try font.number(place, 2) == 3 && font.number(place + 2, 2) == 1
        guard isUnicode, try font.number(start, 2) == 4 else { continue }
        try addSegments(of: font, at: start, to: &characters)
        return characters
      }
    }
    throw Logo.Refusal.unsupported
  }

  private static func addSegments(of font: ByteReader, at start: Int, to characters: inout [UInt64]) throws {
    let double = try font.number(start + 6, 2)
    for segment in stride(from: 0, to: double, by: 2) {
      let last = try font.number(start + 14 + segment, 2)
      let first = try font.number(start + 16 + double + segment, 2)
      let delta = try font.number(start + 16 + 2 * double + segment, 2)
      let offsetPlace = start + 16 + 3 * double + segment
      let offset = try font.number(offsetPlace, 2)
      guard first <= last else { continue }
      for character in first...last where character != 0xFFFF {
        let glyph =
          offset == 0
          ? (character + delta) & 0xFFFF
          : try font.number(offsetPlace + offset + 2 * (character - first), 2)
        if glyph != 0 { characters[character >> 6] |= 1 << UInt64(character & 63) }
      }
    }
  }
}
