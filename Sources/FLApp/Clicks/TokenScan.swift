/// Finds which of a fixed set of ASCII tokens stand in a text, in one pass and without regard to case
/// (Aho and Corasick, "Efficient string matching", 1975).
struct TokenScan<Found: OptionSet & Sendable>: Sendable where Found.RawValue: FixedWidthInteger & Sendable {
  /// The class of each byte: equal for a letter's two cases, 0 for a byte that no token has.
  private var classes = [UInt8](repeating: 0, count: 256)
  /// How many classes there are.
  private var width = 1
  /// The state after a state and a class.
  private var next: [UInt16] = []
  /// What is found on reaching a state.
  private var found: [Found.RawValue] = []

  /// Prepares to look for `tokens`, given in lower case; together they may have at most 65,535 characters.
  init(_ tokens: [(token: String, means: Found)]) {
    for byte in tokens.flatMap({ Array($0.token.utf8) }) where classes[Int(byte)] == 0 {
      classes[Int(byte)] = UInt8(width)
      if (97...122).contains(byte) { classes[Int(byte - 32)] = UInt8(width) }
      width += 1
    }
    addState()
    for (token, meaning) in tokens {
      var state = 0
      for byte in token.utf8 {
        let cell = state * width + Int(classes[Int(byte)])
        if next[cell] == 0 {
          next[cell] = UInt16(found.count)
          addState()
        }
        state = Int(next[cell])
      }
      found[state] |= meaning.rawValue
    }
    // Breadth first, so that the state a failure leads to is complete before it is copied from.
    var failure = [Int](repeating: 0, count: found.count)
    var queue = (0..<width).map { Int(next[$0]) }.filter { $0 != 0 }
    var head = 0
    while head < queue.count {
      let state = queue[head]
      head += 1
      found[state] |= found[failure[state]]
      for column in 0..<width {
        let cell = state * width + column
        let fallback = next[failure[state] * width + column]
        if next[cell] == 0 {
          next[cell] = fallback
        } else {
          failure[Int(next[cell])] = Int(fallback)
          queue.append(Int(next[cell]))
        }
      }
    }
  }

  private mutating func addState() {
    next.append(contentsOf: repeatElement(0, count: width))
    found.append(0)
  }

  /// What stands in the first `limit` bytes of `text`.
  func callAsFunction(_ text: String, limit: Int) -> Found {
    var text = text
    return text.withUTF8 { bytes in
      var state = 0
      var result: Found.RawValue = 0
      for byte in bytes.prefix(limit) {
        state = Int(next[state * width + Int(classes[Int(byte)])])
        result |= found[state]
      }
      return Found(rawValue: result)
    }
  }
}
