/// Quoted-printable (RFC 2045, section 6.7): lines of at most 76 characters of ASCII.
enum QuotedPrintable {
  /// Which bytes stand as they are wherever they are: printable but for `=`.
  private static let isPlain: [Bool] = (0..<256).map { (0x21...0x7E).contains($0) && $0 != 0x3D }

  /// Appends `=3D` for `=`.
  static func appendEscape(_ byte: UInt8, to output: inout [UInt8]) {
    output.append(UInt8(ascii: "="))
    output.append(digit(byte >> 4))
    output.append(digit(byte & 15))
  }

  private static func digit(_ value: UInt8) -> UInt8 { value < 10 ? 48 + value : 55 + value }

  /// Appends a text with any line ends, which become CR and LF; NUL is dropped. It ends with a line end, unless it is
  /// empty.
  ///
  /// A dot or `From ` at the start of a line is encoded, since both have been altered on the way.
  static func append(_ text: [UInt8], to output: inout [UInt8]) {
    output.reserveCapacity(output.count + text.count + text.count / 8)
    text.withUnsafeBufferPointer { text in
      isPlain.withUnsafeBufferPointer { isPlain in
        var index = 0
        var column = 0
        while index < text.count {
          let byte = text[index]
          if isPlain[Int(byte)], column > 0 || (byte != 0x2E && byte != 0x46) {
            // As many as there is room for, with one character left for a soft line break.
            let start = index
            let end = min(text.count, index + 75 - column)
            while index < end, isPlain[Int(text[index])] { index += 1 }
            if index == start {
              softBreak(&output, &column)
            } else {
              output.append(contentsOf: UnsafeBufferPointer(rebasing: text[start..<index]))
              column += index - start
            }
            continue
          }
          switch byte {
          case 0x0D, 0x0A:
            if byte == 0x0D, index + 1 < text.count, text[index + 1] == 0x0A { index += 1 }
            output.append(0x0D)
            output.append(0x0A)
            column = 0
          case 0: break
          case 0x20, 0x09:
            let isLast = index + 1 == text.count || text[index + 1] == 0x0D || text[index + 1] == 0x0A
            add(byte, isEscaped: isLast, &output, &column)
          case 0x46 where !isFrom(text, index): add(byte, isEscaped: false, &output, &column)
          default: add(byte, isEscaped: true, &output, &column)
          }
          index += 1
        }
        if column > 0 { output.append(contentsOf: [0x0D, 0x0A]) }
      }
    }
  }

  /// Whether `From ` stands at `index`.
  private static func isFrom(_ text: UnsafeBufferPointer<UInt8>, _ index: Int) -> Bool {
    index + 5 <= text.count && text[index + 1] == 0x72 && text[index + 2] == 0x6F && text[index + 3] == 0x6D
      && text[index + 4] == 0x20
  }

  private static func add(_ byte: UInt8, isEscaped: Bool, _ output: inout [UInt8], _ column: inout Int) {
    let width = isEscaped ? 3 : 1
    if column + width > 75 { softBreak(&output, &column) }
    if isEscaped { appendEscape(byte, to: &output) } else { output.append(byte) }
    column += width
  }

  private static func softBreak(_ output: inout [UInt8], _ column: inout Int) {
    output.append(0x3D)
    output.append(0x0D)
    output.append(0x0A)
    column = 0
  }
}
