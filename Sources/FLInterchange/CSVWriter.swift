/// Writes rows as CSV (RFC 4180): UTF-8, commas, CR LF, quotes where they are needed. What a spreadsheet would run is
/// made inert by `FormulaGuard`.
public struct CSVWriter {
  /// What was written and not taken yet.
  public private(set) var bytes: [UInt8] = []

  /// A writer. With `mark` the file begins with the mark of UTF-8, without which Excel takes it for Windows-1252.
  public init(mark: Bool = false) { if mark { bytes = [0xEF, 0xBB, 0xBF] } }

  /// Writes a row.
  public mutating func row(_ cells: [String]) {
    var isFirst = true
    for cell in cells {
      if !isFirst { bytes.append(UInt8(ascii: ",")) }
      isFirst = false
      append(FormulaGuard.guarded(cell))
    }
    // An empty line would be no row.
    if cells.count == 1 && cells[0].isEmpty {
      bytes.append(contentsOf: [UInt8(ascii: "\""), UInt8(ascii: "\"")])
    }
    bytes.append(contentsOf: [13, 10])
  }

  /// Takes what was written so far.
  public mutating func take() -> [UInt8] {
    defer { bytes.removeAll(keepingCapacity: true) }
    return bytes
  }

  private mutating func append(_ text: String) {
    let needsQuotes =
      text.utf8.contains {
        switch $0 {
        case UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "\""), 0x09, 0x0A, 0x0D: true
        default: false
        }
      } || text.utf8.first == UInt8(ascii: " ") || text.utf8.last == UInt8(ascii: " ")
    guard needsQuotes else {
      bytes.append(contentsOf: text.utf8)
      return
    }
    bytes.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      if byte == UInt8(ascii: "\"") { bytes.append(byte) }
      bytes.append(byte)
    }
    bytes.append(UInt8(ascii: "\""))
  }
}
