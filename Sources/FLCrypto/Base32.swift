/// Base32 in lower case and without padding (RFC 4648, section 6), for what must survive a change of case, as the local
/// part of a mail address must.
public enum Base32 {
  private static let symbols = Array("abcdefghijklmnopqrstuvwxyz234567".utf8)

  /// `bytes` as text, not padded.
  public static func encode(_ bytes: [UInt8]) -> String {
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count * 8 + 4) / 5)
    var (bits, width) = (0, 0)
    for byte in bytes {
      (bits, width) = ((bits << 8 | Int(byte)) & 0xFFF, width + 8)
      while width >= 5 {
        width -= 5
        text.append(symbols[bits >> width & 31])
      }
    }
    if width > 0 { text.append(symbols[bits << (5 - width) & 31]) }
    return String(decoding: text, as: UTF8.self)
  }

  /// The bytes that `text` stands for, in either case; nil for padding, foreign characters, and trailing bits that are
  /// not zero.
  public static func decode(_ text: some StringProtocol) -> [UInt8]? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.utf8.count * 5 / 8)
    var (bits, width) = (0, 0)
    for symbol in text.utf8 {
      let value: Int
      switch symbol {
      case 97...122: value = Int(symbol) - 97
      case 65...90: value = Int(symbol) - 65
      case 50...55: value = Int(symbol) - 24
      default: return nil
      }
      (bits, width) = ((bits << 5 | value) & 0xFFF, width + 5)
      if width >= 8 {
        width -= 8
        bytes.append(UInt8(bits >> width & 255))
      }
    }
    return width < 5 && bits & (1 << width - 1) == 0 ? bytes : nil
  }
}
