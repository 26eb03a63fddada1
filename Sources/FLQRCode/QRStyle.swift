import Foundation

/// A colour in sRGB without transparency.
public struct QRColor: Sendable, Hashable, CustomStringConvertible {
  /// Red, 0 to 255.
  public let red: UInt8
  /// Green, 0 to 255.
  public let green: UInt8
  /// Blue, 0 to 255.
  public let blue: UInt8

  /// A colour from its parts.
  public init(red: UInt8, green: UInt8, blue: UInt8) {
    (self.red, self.green, self.blue) = (red, green, blue)
  }

  /// Reads `#rgb` or `#rrggbb` in either case; nil for anything else.
  public init?(_ text: String) {
    var digits = Array(text.utf8)
    guard digits.first == UInt8(ascii: "#") else { return nil }
    digits.removeFirst()
    let values = digits.compactMap { Character(Unicode.Scalar($0)).hexDigitValue.map { UInt8($0) } }
    guard values.count == digits.count else { return nil }
    switch values.count {
    case 3: self.init(red: values[0] * 17, green: values[1] * 17, blue: values[2] * 17)
    case 6:
      self.init(
        red: values[0] << 4 | values[1], green: values[2] << 4 | values[3], blue: values[4] << 4 | values[5])
    default: return nil
    }
  }

  /// `#rrggbb` in lower case.
  public var description: String {
    "#"
      + [red, green, blue].map { String(UInt32($0) + 256, radix: 16).dropFirst() }.joined()
  }

  /// The relative luminance, 0 to 1 (WCAG 2.2).
  public var luminance: Double {
    func linear(_ part: UInt8) -> Double {
      let value = Double(part) / 255
      return value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4)
    }
    return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
  }
}

/// How the modules are drawn.
public enum QRModuleShape: String, Sendable, CaseIterable {
  /// Squares that touch.
  case square
  /// Squares whose free corners are round.
  case rounded
  /// A dot for each module.
  case dots
}

/// How a QR code is drawn.
public struct QRStyle: Sendable, Hashable {
  /// How many modules the quiet zone may have; ISO/IEC 18004, 9.1, wants 4.
  public static let margins = 4...40
  /// How many per cent of the symbol's width the longer side of a logo may have.
  public static let logoSizes = 10...40
  /// How many characters a caption may have.
  public static let captionLength = 1...60
  /// The least ratio of contrast (WCAG 2.2), 1 to 21.
  public static let leastContrast = 3.0
  /// The least difference of the luminances: grade C of ISO/IEC 15415's symbol contrast.
  public static let leastDifference = 0.4

  /// The colour of the dark modules.
  public var foreground: QRColor
  /// The colour behind them.
  public var background: QRColor
  /// Whether the background is left out: the image will stand on something of about that colour.
  public var isTransparent: Bool
  /// The quiet zone, in modules.
  public var margin: Int
  /// How the modules are drawn.
  public var shape: QRModuleShape
  /// What stands below the symbol.
  public var caption: String?
  /// The longer side of the logo, in per cent of the symbol's width.
  public var logoSize: Int

  /// A style; without more it is black on white.
  public init(
    foreground: QRColor = QRColor(red: 0, green: 0, blue: 0),
    background: QRColor = QRColor(red: 255, green: 255, blue: 255), isTransparent: Bool = false,
    margin: Int = 4, shape: QRModuleShape = .square, caption: String? = nil, logoSize: Int = 22
  ) {
    (self.foreground, self.background, self.isTransparent) = (foreground, background, isTransparent)
    (self.margin, self.shape, self.caption, self.logoSize) = (margin, shape, caption, logoSize)
  }

  /// Why these colours can't be read.
  public enum ColorProblem: Sendable, Equatable {
    /// The foreground is lighter than the background: many readers take no such symbol.
    case lightOnDark
    /// The two are too alike; the ratio is WCAG's.
    case lowContrast(ratio: Double)
  }

  /// What is wrong with the colours; nil where readers can tell them apart. A transparent image is judged by the
  /// background that it is meant for.
  public var colorProblem: ColorProblem? {
    let dark = foreground.luminance
    let light = background.luminance
    if dark > light { return .lightOnDark }
    let ratio = (light + 0.05) / (dark + 0.05)
    return ratio < Self.leastContrast || light - dark < Self.leastDifference
      ? .lowContrast(ratio: ratio) : nil
  }
}
