/// A QR code that can be drawn: its symbol, how it looks, and where everything goes.
public struct QRDrawing: Sendable {
  /// It is raised whenever the same code would come out with other bytes.
  public static let version = 1
  /// How wide an image may be, in pixels.
  public static let sizes = 64...2048
  /// The least width of a module, in pixels.
  static let leastModule = 3
  /// The least size of a caption's letters, in pixels.
  static let leastLetter = 9.0
  /// How much of what a block corrects a logo may use up. The rest is for dirt, folds and glare.
  static let mostHidden = 2.0 / 3

  /// Why this can't be drawn.
  public enum Refusal: Error, Sendable, Equatable {
    /// The text has more than a symbol holds.
    case textTooLong
    /// The logo hides too much; this is the largest size that does not, in per cent, nil where none is.
    case logoHidesTooMuch(most: Int?)
    /// The caption has a character that can't be drawn.
    case captionCharacter(Unicode.Scalar)
    /// There is no font to draw the caption in.
    case noFont
    /// An image of this size can't be read; this is the least size that can.
    case tooSmall(least: Int)
    /// There is no memory.
    case noMemory
  }

  let symbol: QRSymbol
  let style: QRStyle
  let logo: Logo?
  let font: CaptionFont?
  /// The modules that are left out for the logo.
  let hidden: Box?
  /// The caption's left end and width, for each pixel of its size.
  let captionExtent: (start: Double, width: Double)?

  /// A box of modules.
  struct Box: Sendable, Equatable {
    let columns: Range<Int>
    let rows: Range<Int>
    func contains(_ column: Int, _ row: Int) -> Bool { columns.contains(column) && rows.contains(row) }
  }

  /// Prepares a code of `text`. With a logo the error correction is H, whatever `correction` says.
  ///
  /// `fitting` draws a logo that hides too much as large as it may be, in place of refusing it: what was allowed
  /// once must come out again after the text got longer.
  /// - Throws: `Refusal`.
  public init(
    _ text: String, correction: QRCorrection, style: QRStyle, logo: Logo? = nil, font: CaptionFont? = nil,
    fitting: Bool = false
  ) throws(Refusal) {
    do {
      symbol = try QRSymbol(text, correction: logo == nil ? correction : .high)
    } catch {
      throw .textTooLong
    }
    self.style = style
    self.logo = logo
    self.font = font
    captionExtent = try Self.extent(of: style.caption, font)
    hidden = try logo.map { [symbol] logo throws(Refusal) in
      try Self.space(for: logo, in: symbol, percent: style.logoSize, fitting: fitting)
    }
  }

  private static func space(
    for logo: Logo, in symbol: QRSymbol, percent: Int, fitting: Bool
  ) throws(Refusal) -> Box {
    let space = LogoSpace(symbol, logo)
    if let box = space.box(percent: percent) { return box }
    let most = space.most
    guard fitting, let most, let box = space.box(percent: most) else {
      throw .logoHidesTooMuch(most: most)
    }
    return box
  }

  private static func extent(
    of caption: String?, _ font: CaptionFont?
  ) throws(Refusal) -> (start: Double, width: Double)? {
    guard let caption else { return nil }
    guard let font else { throw .noFont }
    if let missing = font.missing(in: caption) { throw .captionCharacter(missing) }
    guard let extent = font.extent(of: caption) else { throw .noFont }
    return extent
  }

  /// Modules from one end of the image to the other.
  var total: Int { symbol.width + 2 * style.margin }

  /// The least width in pixels at which the image can be read. It may be more than `sizes` has.
  public var leastSize: Int {
    var least = max(Self.sizes.lowerBound, total * Self.leastModule)
    if let captionExtent {
      least = max(least, Int((Self.leastLetter / Self.letterShare).rounded(.up)))
      least = max(least, Int((Self.leastLetter * captionExtent.width / Self.captionShare).rounded(.up)))
    }
    return least
  }

  /// The size of a caption's letters where there is room, as a part of the image's width.
  private static let letterShare = 0.07
  /// The most of the image's width that a caption takes.
  private static let captionShare = 0.9

  /// The size of the caption's letters in an image of this width.
  func letterSize(width: Double) -> Double {
    guard let captionExtent, captionExtent.width > 0 else { return 0 }
    return min(width * Self.letterShare, width * Self.captionShare / captionExtent.width)
  }

  /// What is added below a square image of this width for the caption: a line, and space below it.
  func captionHeight(width: Double) -> Double { letterSize(width: width) * 1.65 }

  /// Where the base line of the caption is, below the square.
  func captionBaseline(width: Double) -> Double { letterSize(width: width) * 0.85 }

  /// Whether a module is drawn.
  func isDrawn(_ column: Int, _ row: Int) -> Bool {
    symbol.isDark(column, row) && !(hidden?.contains(column, row) ?? false)
  }

  /// The place of the logo in the hidden box, in modules: half a module of it stays free on each side.
  func logoFrame(_ logo: Logo, in box: Box) -> (x: Double, y: Double, width: Double, height: Double) {
    let room = (width: Double(box.columns.count) - 1, height: Double(box.rows.count) - 1)
    let scale = min(room.width / Double(logo.width), room.height / Double(logo.height))
    let (width, height) = (Double(logo.width) * scale, Double(logo.height) * scale)
    let half = Double(symbol.width) / 2
    return (half - width / 2, half - height / 2, width, height)
  }

  func check(_ size: Int) throws(Refusal) {
    guard size >= leastSize else { throw .tooSmall(least: leastSize) }
  }
}

/// The room for a logo in the middle of a symbol.
struct LogoSpace {
  private let symbol: QRSymbol
  private let logo: Logo
  private let codewords: QRCodewords

  init(_ symbol: QRSymbol, _ logo: Logo) {
    self.symbol = symbol
    self.logo = logo
    codewords = QRCodewords(of: symbol)
  }

  /// The box of a logo whose longer side has so many per cent of the symbol's width; nil where that hides too
  /// much, or patterns that readers look for.
  func box(percent: Int) -> QRDrawing.Box? {
    let longer = Double(symbol.width * percent) / 100
    let shape = Double(logo.width) / Double(logo.height)
    let columns = middle(shape >= 1 ? longer : longer * shape)
    let rows = middle(shape >= 1 ? longer / shape : longer)
    // The timing patterns are in the seventh row and column; the finder patterns and all that tells the format
    // and the version lie outside of the square that begins behind them.
    let free = 9..<symbol.width - 8
    let isClear =
      columns.lowerBound > 6 && rows.lowerBound > 6
      && (columns.lowerBound >= free.lowerBound || rows.lowerBound >= free.lowerBound)
    guard isClear, codewords.hiddenShare(columns: columns, rows: rows) <= QRDrawing.mostHidden else {
      return nil
    }
    return QRDrawing.Box(columns: columns, rows: rows)
  }

  /// The modules in the middle of a row that come closest to this length, an odd number of them, at least three.
  private func middle(_ length: Double) -> Range<Int> {
    let half = max(1, Int((length / 2).rounded(.down)))
    return symbol.width / 2 - half..<symbol.width / 2 + half + 1
  }

  /// The largest size that does not hide too much.
  var most: Int? { QRStyle.logoSizes.last { box(percent: $0) != nil } }
}
