/// Plain text that is put together word by word, with white space folded and lines wrapped.
struct PlainTextLines {
  /// The width in characters that lines are wrapped at; a longer word, such as an address, stays whole.
  private static let width = 78
  /// How deep lists and quotations are indented at most.
  private static let depthLimit = 8

  private(set) var output = [UInt8]()
  private var word = [UInt8]()
  private var wordWidth = 0
  /// Characters of the line that are written; 0 before its first word.
  private var column = 0
  /// Line ends that are due before the next word.
  private var breaks = 0
  /// Blanks that are due before the next word.
  private var blanks = 0
  /// What each line begins with.
  private var prefixes: [[UInt8]] = []
  /// What the next line begins with in place of the last prefix: a list's bullet.
  private var bullet: [UInt8]?

  /// Adds one character of text.
  mutating func add(_ scalar: Unicode.Scalar) {
    switch scalar.value {
    case 9...13, 0x20, 0xA0: addSpace()
    // Signs that are not seen, which fill up previews.
    case 0...0x1F, 0x7F...0x9F, 0xAD, 0x34F, 0x200B, 0x2060, 0xFEFF: break
    case let value:
      if value < 0x80 {
        // What was `&#123;` is no start of a placeholder.
        if value == 0x7B, word.last == 0x7B { addSpace() }
        word.append(UInt8(value))
      } else {
        word.append(scalar)
      }
      // Joiners have no width, and are nothing by themselves.
      if value != 0x200C, value != 0x200D { wordWidth += 1 }
    }
  }

  /// Adds bytes that are never broken or folded.
  mutating func addWhole(_ bytes: some Collection<UInt8>) {
    word.append(contentsOf: bytes)
    wordWidth += bytes.reduce(0) { $0 + ($1 & 0xC0 == 0x80 ? 0 : 1) }
  }

  /// Ends the word; one blank at least stands before the next on the line.
  mutating func addSpace(_ count: Int = 1) {
    endWord()
    blanks = max(blanks, count)
  }

  /// Ends the line.
  mutating func breakLine() {
    endWord()
    breaks = min(breaks + 1, 2)
  }

  /// Ends the line, and leaves `blankLines` blank ones before the next, if there is anything before.
  mutating func endBlock(blankLines: Int) {
    endWord()
    breaks = max(breaks, blankLines + 1)
  }

  /// Lines begin with `prefix`, too, until `outdent`; the first of them with `bullet` in its place.
  mutating func indent(_ prefix: [UInt8], bullet: [UInt8]? = nil) {
    endWord()
    prefixes.append(prefix)
    self.bullet = bullet
  }

  /// Takes back the last `indent`.
  mutating func outdent() {
    endWord()
    if !prefixes.isEmpty { prefixes.removeLast() }
    bullet = nil
  }

  /// The text, with a line end behind the last line if there is any.
  mutating func finish() -> [UInt8] {
    endWord()
    if !output.isEmpty { output.append(0x0A) }
    return output
  }

  private mutating func endWord() {
    defer {
      word.removeAll(keepingCapacity: true)
      wordWidth = 0
    }
    guard wordWidth > 0 else { return }
    if breaks == 0, column > 0, blanks > 0, column + blanks + wordWidth > Self.width { breaks = 1 }
    if breaks > 0 || output.isEmpty {
      beginLine()
    } else {
      output.append(contentsOf: repeatElement(0x20, count: blanks))
      column += blanks
    }
    output.append(contentsOf: word)
    column += wordWidth
    (breaks, blanks) = (0, 0)
  }

  private mutating func beginLine() {
    if !output.isEmpty {
      for _ in 0..<max(breaks, 1) {
        while output.last == 0x20 { output.removeLast() }
        output.append(0x0A)
      }
    }
    column = 0
    for (number, prefix) in prefixes.suffix(Self.depthLimit).enumerated() {
      let isLast = number == min(prefixes.count, Self.depthLimit) - 1
      let bytes = isLast ? bullet ?? prefix : prefix
      output.append(contentsOf: bytes)
      column += bytes.count
    }
    bullet = nil
  }
}
