import Foundation
import Testing

@testable import FLQRCode

/// Symbols, and what a logo may hide of them.
@Suite struct SymbolTests {
  /// A text that needs this version at level H.
  private func symbol(version: Int) throws -> QRSymbol {
    for length in stride(from: 1, through: 1300, by: 1) {
      let symbol = try QRSymbol(String(repeating: "a", count: length), correction: .high)
      if symbol.version == version { return symbol }
    }
    throw QRSymbol.TooLong()
  }

  /// If placement, blocks or interleaving were other than the symbol's, its blocks would be no Reed-Solomon code
  /// words: their syndromes would not be zero.
  @Test("The blocks of every version are right", arguments: 1...40)
  func blocks(version: Int) throws {
    let symbol = try symbol(version: version)
    let codewords = QRCodewords(of: symbol)
    try #require(codewords.blocks.count == codewords.modules.count)
    var blocks: [[UInt8]] = Array(repeating: [], count: (codewords.blocks.max() ?? 0) + 1)
    for (codeword, modules) in codewords.modules.enumerated() {
      var byte: UInt8 = 0
      for module in modules {
        let bit = symbol.isDark(module.column, module.row) != mask(symbol, module.column, module.row)
        byte = byte << 1 | (bit ? 1 : 0)
      }
      blocks[codewords.blocks[codeword]].append(byte)
    }
    for block in blocks {
      for power in 0..<codewords.correctable * 2 {
        // Horner's scheme at the generator's root.
        let root = Galois.power(power)
        #expect(block.reduce(0) { Galois.multiply($0, root) ^ $1 } == 0)
      }
    }
  }

  /// Whether the symbol's mask turns this module (ISO/IEC 18004, 7.8.2).
  private func mask(_ symbol: QRSymbol, _ column: Int, _ row: Int) -> Bool {
    // The mask's number is in the format information beside the first finder pattern, itself masked with 101.
    let bits = [2, 3, 4].map { symbol.isDark($0, 8) ? 1 : 0 }
    let (i, j) = (row, column)
    return switch (bits[0] << 2 | bits[1] << 1 | bits[2]) ^ 0b101 {
    case 0: (i + j) % 2 == 0
    case 1: i % 2 == 0
    case 2: j % 3 == 0
    case 3: (i + j) % 3 == 0
    case 4: (i / 2 + j / 3) % 2 == 0
    case 5: (i * j) % 2 + (i * j) % 3 == 0
    case 6: ((i * j) % 2 + (i * j) % 3) % 2 == 0
    default: ((i + j) % 2 + (i * j) % 3) % 2 == 0
    }
  }

  private enum Galois {
    static func multiply(_ left: UInt8, _ right: UInt8) -> UInt8 {
      var (left, right, product) = (UInt16(left), right, UInt16(0))
      while right > 0 {
        if right & 1 == 1 { product ^= left }
        left <<= 1
        if left & 0x100 != 0 { left ^= 0x11D }
        right >>= 1
      }
      return UInt8(product)
    }

    static func power(_ exponent: Int) -> UInt8 {
      (0..<exponent).reduce(UInt8(1)) { value, _ in multiply(value, 2) }
    }
  }

  @Test func theUsualLogoSizeIsSafeInEveryVersion() throws {
    let logo = try Logo(Pictures.png(width: 100, height: 100))
    for version in 3...40 {
      #expect(
        LogoSpace(try symbol(version: version), logo).box(percent: QRStyle().logoSize) != nil, "\(version)")
    }
  }

  @Test func whatALogoHidesIsLimited() throws {
    let logo = try Logo(Pictures.png(width: 100, height: 100))
    var style = QRStyle(logoSize: 40)
    #expect(throws: QRDrawing.Refusal.self) {
      try QRDrawing("https://example.org/abcdefg?qr=1", correction: .low, style: style, logo: logo)
    }
    let fitted = try QRDrawing(
      "https://example.org/abcdefg?qr=1", correction: .low, style: style, logo: logo, fitting: true)
    #expect(fitted.symbol.correction == .high)
    style.logoSize = 10
    let small = try QRDrawing("https://example.org/abcdefg?qr=1", correction: .low, style: style, logo: logo)
    #expect(try #require(small.hidden).columns.count < #require(fitted.hidden).columns.count)
  }

  @Test func aTextThatIsTooLongIsRefused() {
    #expect(throws: QRSymbol.TooLong.self) {
      try QRSymbol(String(repeating: "a", count: 1300), correction: .high)
    }
  }
}

/// Colours, sizes, captions.
@Suite struct StyleTests {
  @Test(
    "Colours that can't be told apart are refused",
    arguments: [
      ("#000000", "#ffffff", true), ("#ffffff", "#000000", false), ("#777777", "#888888", false),
      ("#ffff00", "#ffffff", false), ("#000000", "#555555", false), ("#c00000", "#ffffff", true),
      ("#0000ff", "#ffff00", true), ("#ffffff", "#ffffff", false),
    ])
  func colors(foreground: String, background: String, isFine: Bool) throws {
    let style = QRStyle(
      foreground: try #require(QRColor(foreground)), background: try #require(QRColor(background)))
    #expect((style.colorProblem == nil) == isFine)
  }

  @Test func coloursAreRead() {
    #expect(QRColor("#AbC")?.description == "#aabbcc" && QRColor("#01fE9a")?.description == "#01fe9a")
    for text in ["", "#", "abc", "#ab", "#abcd", "#12345g", "#1234567", "red", "#é12"] {
      #expect(QRColor(text) == nil, "\(text)")
    }
  }

  @Test func whatIsTooSmallIsRefusedWithTheLeastSize() throws {
    let drawing = try QRDrawing("https://example.org/abcdefg?qr=1", correction: .medium, style: QRStyle())
    #expect(drawing.leastSize == drawing.total * 3)
    #expect(throws: QRDrawing.Refusal.tooSmall(least: drawing.leastSize)) {
      try drawing.png(size: drawing.leastSize - 1)
    }
    #expect(try drawing.png(size: drawing.leastSize).starts(with: [0x89, 0x50, 0x4E, 0x47]))
  }

  @Test func anSVGHoldsNothingThatWasNotMeant() throws {
    let drawing = try QRDrawing("https://example.org/abcdefg?qr=1", correction: .medium, style: QRStyle())
    let svg = String(decoding: try drawing.svg(size: 300, title: "</title><script>\u{1}&\"'"), as: UTF8.self)
    #expect(svg.contains("<title>&lt;/title&gt;&lt;script&gt;&amp;&quot;'</title>"))
    #expect(svg.hasPrefix("<svg ") && svg.hasSuffix("</svg>\n") && !svg.contains("\u{1}"))
  }

  @Test func captionsAreOfCharactersThatStandAlone() throws {
    let font = try #require(CaptionFont(path: "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"))
    for text in ["Scan me & save – 5 €", "Grüße", "Привет", "Γειά", "&amp; &#65;"] {
      #expect(font.missing(in: text) == nil, "\(text)")
    }
    for text in ["漢字", "سلام", "שלום", "e\u{301}", "a\u{200B}b", "\u{202E}x", "नमस्ते", "🙂"] {
      #expect(font.missing(in: text) != nil, "\(text)")
    }
    #expect(CaptionFont(path: "/etc/hostname") == nil && CaptionFont(path: "/nowhere") == nil)
  }
}

/// Pictures that come as logos.
@Suite struct LogoTests {
  @Test func aPictureIsMadeSmallAndKeepsItsShape() throws {
    let logo = try Logo(Pictures.png(width: 1200, height: 600))
    #expect(logo.width == 512 && logo.height == 256)
    #expect(try Logo(Pictures.png(width: 3000, height: 1)).height == 1)
  }

  @Test func everyBeginningOfAPictureIsBroken() throws {
    let whole = try Pictures.png(width: 60, height: 40)
    for count in 0..<whole.count {
      #expect(throws: Logo.Refusal.self) { try Logo(Array(whole[..<count])) }
    }
  }

  @Test func dimensionsAreReadBeforePixels() throws {
    var lying = try Pictures.png(width: 60, height: 40)
    // 100,000 by 100,000 pixels would be 40 GB.
    lying.replaceSubrange(16..<24, with: [0, 1, 0x86, 0xA0, 0, 1, 0x86, 0xA0])
    #expect(throws: Logo.Refusal.tooLarge(width: 100_000, height: 100_000)) { try Logo(lying) }
    var slightly = try Pictures.png(width: 60, height: 40)
    slightly[19] = 61
    #expect(throws: Logo.Refusal.broken) { try Logo(slightly) }
  }

  @Test(
    "What is no picture is refused",
    arguments: [
      "", "<svg xmlns=\"http://www.w3.org/2000/svg\"/>", "GIF89a", "%PDF-1.7", "BM", "RIFF....WEBP", "\u{FF}",
    ])
  func noPicture(text: String) {
    #expect(throws: Logo.Refusal.self) { try Logo(Array(text.utf8)) }
  }

  @Test func changedBytesNeverDoWorseThanBeingRefused() throws {
    let whole = try Pictures.png(width: 60, height: 40)
    for place in whole.indices {
      var changed = whole
      changed[place] ^= 0x5A
      _ = try? Logo(changed)
    }
  }

  @Test func manyThreadsDecodeAndDraw() async throws {
    let bytes = try Pictures.png(width: 300, height: 300)
    let font = CaptionFont(path: "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")
    let images = try await withThrowingTaskGroup(of: [UInt8].self) { group in
      for _ in 0..<32 {
        group.addTask {
          let style = QRStyle(shape: .rounded, caption: font == nil ? nil : "Scan me")
          return try QRDrawing(
            "https://example.org/abcdefg?qr=1", correction: .low, style: style, logo: Logo(bytes), font: font
          ).png(size: 400)
        }
      }
      return try await group.reduce(into: Set<[UInt8]>()) { $0.insert($1) }
    }
    #expect(images.count == 1)
  }
}

/// Pictures for tests.
enum Pictures {
  static func png(width: Int, height: Int) throws -> [UInt8] {
    let image = try #require(GDImage(width: width, height: height))
    for row in 0..<height {
      image.withRow(row) { line in
        for column in 0..<line.count { line[column] = Int32(column * 7919 + row * 104_729) & 0xFFFFFF }
      }
    }
    return try #require(image.png(level: 6))
  }
}
