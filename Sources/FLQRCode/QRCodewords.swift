/// Which codeword each module of a symbol at level H belongs to, and which block of error correction that is in.
///
/// It tells what a logo costs: each block corrects as many wrong codewords as half of its correction codewords
/// (ISO/IEC 18004, 7.5), wherever in the symbol they are.
struct QRCodewords {
  /// The modules of each codeword, in the order in which codewords are placed.
  let modules: [[(column: Int, row: Int)]]
  /// The block of each codeword.
  let blocks: [Int]
  /// Wrong codewords that a block corrects.
  let correctable: Int

  /// Error correction codewords of a block at level H, by version (ISO/IEC 18004, table 9).
  private static let correctionOfBlock = [
    17, 28, 22, 16, 22, 28, 26, 26, 24, 28, 24, 28, 22, 24, 24, 30, 28, 28, 26, 28,
    30, 24, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30,
  ]
  /// Blocks at level H, by version (ISO/IEC 18004, table 9).
  private static let blockCount = [
    1, 1, 2, 4, 4, 4, 5, 6, 8, 8, 11, 11, 16, 16, 18, 16, 19, 21, 25, 25,
    25, 34, 30, 32, 35, 37, 40, 42, 45, 48, 51, 54, 57, 60, 63, 66, 70, 74, 77, 81,
  ]

  init(of symbol: QRSymbol) {
    precondition(symbol.correction == .high)
    let bits = Self.placement(in: symbol)
    modules = stride(from: 0, to: bits.count / 8 * 8, by: 8).map { Array(bits[$0..<$0 + 8]) }
    let correction = Self.correctionOfBlock[symbol.version - 1]
    let count = Self.blockCount[symbol.version - 1]
    correctable = correction / 2
    // The blocks' codewords are interleaved: first those of data, of which the later blocks may have one more.
    let shortest = modules.count / count
    let long = modules.count % count
    let data = (0...shortest - correction).flatMap { index in
      index < shortest - correction ? 0..<count : count - long..<count
    }
    blocks = data + (0..<correction).flatMap { _ in 0..<count }
  }

  /// The modules that carry data, in the order of their bits: in pairs of columns from the right, upwards and
  /// downwards in turn, the column of the vertical timing pattern left out (ISO/IEC 18004, 7.7.3).
  private static func placement(in symbol: QRSymbol) -> [(column: Int, row: Int)] {
    var bits: [(column: Int, row: Int)] = []
    var isUpwards = true
    var right = symbol.width - 1
    while right > 0 {
      if right == 6 { right = 5 }
      for step in 0..<symbol.width {
        let row = isUpwards ? symbol.width - 1 - step : step
        for column in [right, right - 1] where symbol.isData(column, row) { bits.append((column, row)) }
      }
      isUpwards.toggle()
      right -= 2
    }
    return bits
  }

  /// The largest share of what a block corrects that is gone when these modules are hidden, each codeword that
  /// has one of them counted as wrong.
  func hiddenShare(columns: Range<Int>, rows: Range<Int>) -> Double {
    var wrong = [Int](repeating: 0, count: (blocks.max() ?? 0) + 1)
    for (codeword, modules) in modules.enumerated()
    where modules.contains(where: { columns.contains($0.column) && rows.contains($0.row) }) {
      wrong[blocks[codeword]] += 1
    }
    return Double(wrong.max() ?? 0) / Double(correctable)
  }
}
