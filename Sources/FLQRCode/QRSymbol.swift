import CQREncode

/// How much of a symbol may be unreadable (ISO/IEC 18004, 7.5.1): about 7, 15, 25 or 30 per cent of its codewords.
public enum QRCorrection: String, Sendable, CaseIterable {
  /// About 7 %.
  case low = "L"
  /// About 15 %.
  case medium = "M"
  /// About 25 %.
  case quartile = "Q"
  /// About 30 %.
  case high = "H"

  fileprivate var level: QRecLevel {
    switch self {
    case .low: QR_ECLEVEL_L
    case .medium: QR_ECLEVEL_M
    case .quartile: QR_ECLEVEL_Q
    case .high: QR_ECLEVEL_H
    }
  }
}

/// The modules of a QR code (ISO/IEC 18004): which are dark, and which of them carry data.
public struct QRSymbol: Sendable {
  /// The text does not fit into the largest symbol.
  public struct TooLong: Error {}

  /// The version, 1 to 40.
  public let version: Int
  /// Modules on each side, without quiet zone: 21 to 177.
  public let width: Int
  /// The level of error correction.
  public let correction: QRCorrection
  /// A byte for each module, row by row, as libqrencode has it: bit 0 is dark, bit 7 is no data.
  private let modules: [UInt8]

  /// The smallest symbol for `text` in UTF-8 at just this level.
  /// - Throws: `TooLong`.
  public init(_ text: String, correction: QRCorrection) throws(TooLong) {
    guard let code = unsafe QRcode_encodeString(text, 0, correction.level, QR_MODE_8, 1) else {
      throw TooLong()
    }
    defer { unsafe QRcode_free(code) }
    version = unsafe Int(code.pointee.version)
    width = unsafe Int(code.pointee.width)
    self.correction = correction
    modules = unsafe Array(UnsafeBufferPointer(start: code.pointee.data, count: width * width))
  }

  /// Whether the module in this column and row is dark; outside of the symbol none is.
  public func isDark(_ column: Int, _ row: Int) -> Bool {
    guard (0..<width).contains(column), (0..<width).contains(row) else { return false }
    return modules[row * width + column] & 1 != 0
  }

  /// Whether the module carries data or error correction, and no pattern that readers look for.
  func isData(_ column: Int, _ row: Int) -> Bool { modules[row * width + column] & 0x80 == 0 }

  /// Whether the module is part of one of the three finder patterns, 7 by 7 modules in the corners.
  func isFinder(_ column: Int, _ row: Int) -> Bool {
    let isLeft = column < 7
    let isTop = row < 7
    return (isLeft && isTop) || (isTop && column >= width - 7) || (isLeft && row >= width - 7)
  }

  /// Where the three finder patterns begin.
  var finders: [(column: Int, row: Int)] { [(0, 0), (width - 7, 0), (0, width - 7)] }
}
