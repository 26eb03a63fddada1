/// Makes text inert that a spreadsheet would run when it opens the file, so that the very same text can be had back.
///
/// A piece of text is *dangerous* if, behind white space, invisible signs, control characters and quotes, it begins
/// with `=`, `+`, `-`, `@` or one of their full-width forms, or if it is the empty one before a tab or a CR that the
/// text begins with. A dangerous piece, and one that itself begins with an apostrophe, gets an apostrophe before it,
/// which spreadsheets take for "this is text".
/// On the way back an apostrophe goes exactly where what follows it is dangerous or begins with an apostrophe. So
/// `restored(guarded(text)) == text` for every text, and `'s-Gravenhage` out of another program's file stays as it is.
///
/// The pieces are what stands between semicolons, tabs and line ends: a spreadsheet that takes one of those for the end
/// of a cell, as those of half of Europe do with semicolons, would run what is behind it.
public enum FormulaGuard {
  /// The text as it may stand in a cell.
  public static func guarded(_ text: String) -> String {
    guard mayMatter(text) else { return text }
    return pieces(text) { piece, isBeforeTab in needsGuard(piece, isBeforeTab) ? .add : .keep }
  }

  /// The text that `guarded` was given.
  public static func restored(_ text: String) -> String {
    guard text.utf8.contains(UInt8(ascii: "'")) else { return text }
    return pieces(text) { piece, isBeforeTab in
      piece.first == "'" && needsGuard(piece.dropFirst(), isBeforeTab) ? .remove : .keep
    }
  }

  private enum Apostrophe { case add, keep, remove }

  /// A quick look whether there is anything in the text that the rule is about.
  private static func mayMatter(_ text: String) -> Bool {
    text.utf8.contains {
      switch $0 {
      case UInt8(ascii: "="), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "@"), UInt8(ascii: "'"): true
      case 0x09, 0x0D, 0xEF: true  // 0xEF begins the full-width forms
      default: false
      }
    }
  }

  /// Goes over the pieces, and changes the apostrophe before each as `change` says. That is told whether the piece is
  /// the first one and a tab or a CR ends it.
  private static func pieces(
    _ text: String, _ change: (Substring.UnicodeScalarView, Bool) -> Apostrophe
  ) -> String {
    var result = String.UnicodeScalarView()
    let scalars = text.unicodeScalars
    var start = scalars.startIndex
    while true {
      let end = scalars[start...].firstIndex(where: isSeparator) ?? scalars.endIndex
      let isBeforeTab =
        start == scalars.startIndex && end < scalars.endIndex
        && (scalars[end] == "\t" || scalars[end] == "\r")
      let piece = scalars[start..<end]
      switch change(piece, isBeforeTab) {
      case .add:
        result.append("'")
        result.append(contentsOf: piece)
      case .keep: result.append(contentsOf: piece)
      case .remove: result.append(contentsOf: piece.dropFirst())
      }
      guard end < scalars.endIndex else { return String(result) }
      result.append(scalars[end])
      start = scalars.index(after: end)
    }
  }

  private static func isSeparator(_ scalar: Unicode.Scalar) -> Bool {
    scalar == ";" || scalar == "\t" || scalar == "\n" || scalar == "\r"
  }

  private static func needsGuard(_ piece: Substring.UnicodeScalarView, _ isBeforeTab: Bool) -> Bool {
    guard let first = piece.first else { return isBeforeTab }
    if first == "'" { return true }
    for scalar in piece {
      switch scalar {
      case "=", "+", "-", "@", "\u{FF1D}", "\u{FF0B}", "\u{FF0D}", "\u{FF20}": return true
      case "\"": continue
      default: if !passesUnseen(scalar) { return false }
      }
    }
    return false
  }

  private static func passesUnseen(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0...0x20, 0x7F...0xA0, 0xAD, 0x200B...0x200F, 0x202A...0x202E, 0x2060...0x2064, 0xFEFF: true
    default: scalar.properties.isWhitespace
    }
  }
}
