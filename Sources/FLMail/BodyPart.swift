/// A text as the body of a message or a part of one.
enum BodyPart {
  /// Appends the fields that tell of `text`, a blank line and the text itself, which ends with a line end.
  ///
  /// Text goes as it is (7bit) where it is ASCII in lines of at most 998 bytes and has nothing that is altered on the
  /// way or could be taken for a boundary; otherwise in quoted-printable.
  static func append(_ text: [UInt8], type: String, to output: inout [UInt8]) {
    let isPlain = canGoPlain(text)
    output.append(contentsOf: "Content-Type: \(type); charset=utf-8\r\n".utf8)
    output.append(
      contentsOf: "Content-Transfer-Encoding: \(isPlain ? "7bit" : "quoted-printable")\r\n\r\n".utf8)
    if isPlain {
      appendPlain(text, to: &output)
    } else {
      QuotedPrintable.append(text, to: &output)
    }
  }

  /// Every boundary begins so. In quoted-printable there is no such thing, as `=` is followed by a digit or a line end.
  static let boundaryStart = "=_"

  static func canGoPlain(_ text: [UInt8]) -> Bool {
    text.withUnsafeBufferPointer { text in
      var lineStart = 0
      for (index, byte) in text.enumerated() {
        if byte >= 0x7F || (byte < 0x20 && byte != 0x09 && byte != 0x0A && byte != 0x0D) { return false }
        if byte == 0x0A || byte == 0x0D {
          lineStart = index + 1
          continue
        }
        let column = index - lineStart
        if column >= 998 { return false }
        // Only a line that begins with `--=_` could be a boundary, and mailboxes alter one that begins with `From `.
        if column == 3, byte == 0x5F, text[index - 1] == 0x3D, text[index - 2] == 0x2D { return false }
        if column == 4, byte == 0x20, text[index - 4] == 0x46, text[index - 3] == 0x72,
          text[index - 2] == 0x6F, text[index - 1] == 0x6D
        {
          return false
        }
      }
      return true
    }
  }

  private static func appendPlain(_ text: [UInt8], to output: inout [UInt8]) {
    output.reserveCapacity(output.count + text.count + text.count / 16 + 2)
    text.withUnsafeBufferPointer { text in
      var start = 0
      while start < text.count {
        var end = start
        while end < text.count, text[end] != 0x0A, text[end] != 0x0D { end += 1 }
        output.append(contentsOf: UnsafeBufferPointer(rebasing: text[start..<end]))
        output.append(0x0D)
        output.append(0x0A)
        if end + 1 < text.count, text[end] == 0x0D, text[end + 1] == 0x0A { end += 1 }
        start = end + 1
      }
    }
  }
}
