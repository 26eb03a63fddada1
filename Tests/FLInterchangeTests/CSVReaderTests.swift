import Testing

@testable import FLInterchange

/// What comes out of `bytes`, pushed in pieces of `size`.
func csv(_ bytes: [UInt8], pieces size: Int = 1 << 20, delimiter: UInt8? = nil) throws -> [CSV.Event] {
  var reader = CSVReader(delimiter: delimiter)
  var events: [CSV.Event] = []
  for start in stride(from: 0, to: bytes.count, by: size) {
    try reader.push(Array(bytes[start..<min(start + size, bytes.count)])) { events.append($0) }
  }
  try reader.finish { events.append($0) }
  return events
}

/// The cells of all rows; a row that could not be read is its flaw in angle brackets.
func cells(_ events: [CSV.Event]) -> [[String]] {
  events.map {
    switch $0 {
    case .row(let row): row.cells
    case .fault(let fault): ["<\(fault.flaw.rawValue)>"]
    }
  }
}

func cells(_ text: String) throws -> [[String]] { try cells(csv(Array(text.utf8))) }

/// A text in UTF-16 with its mark.
func utf16(_ text: String, isBigEndian: Bool = false) -> [UInt8] {
  var bytes: [UInt8] = []
  for unit in [0xFEFF] + Array(text.utf16) {
    let halves = [UInt8(unit >> 8), UInt8(unit & 255)]
    bytes += isBigEndian ? halves : halves.reversed()
  }
  return bytes
}

extension CSV.Event {
  var line: Int {
    switch self {
    case .row(let row): row.line
    case .fault(let fault): fault.line
    }
  }
}

@Suite struct CSVReaderTests {
  @Test(
    "Rows and cells",
    arguments: [
      ("a,b\nc,d", [["a", "b"], ["c", "d"]]),
      ("a,b\r\nc,d\r\n", [["a", "b"], ["c", "d"]]),
      ("a,b\rc,d\r", [["a", "b"], ["c", "d"]]),
      ("a,b\n\n\r\n\rc,d", [["a", "b"], ["c", "d"]]),
      ("a,\n,b\n,\n", [["a", ""], ["", "b"]]),
      ("\"a,\"\"x\"\"\nb\",c\n", [["a,\"x\"\nb", "c"]]),
      ("\"a\r\nb\",\"\"\r\nc,\"d\"", [["a\r\nb", ""], ["c", "d"]]),
      ("a b, c ,\"d \"", [["a b", " c ", "d "]]),
      ("5\" disk,x\"\"y\n", [["5\" disk", "x\"\"y"]]),
      (" \"a\",b\n", [[" \"a\"", "b"]]),
      ("", []), ("\n\n", []), (",,\n\"\",\n", []), ("a", [["a"]]), ("\"a\"", [["a"]]), ("\"\"\"\"", [["\""]]),
      ("a,\"\"", [["a", ""]]), ("a,", [["a", ""]]),
    ] as [(String, [[String]])])
  func rows(text: String, expected: [[String]]) throws {
    #expect(try cells(text) == expected)
    for size in 1...5 { #expect(try cells(csv(Array(text.utf8), pieces: size)) == expected) }
  }

  @Test(
    "The delimiter is told by the first line",
    arguments: [
      ("a;b\n1;2,5\n", [["a", "b"], ["1", "2,5"]]),
      ("a\tb\n1\t2;3\n", [["a", "b"], ["1", "2;3"]]),
      ("\"a,b,c\";d\n1;2\n", [["a,b,c", "d"], ["1", "2"]]),
      ("\"a\nb\";c\n", [["a\nb", "c"]]),
      ("sep=;\r\na;b,c,d\r\n", [["a", "b,c,d"]]),
      ("sep=\t\na,b\tc\n", [["a,b", "c"]]),
      ("sep=,x\n", [["sep=", "x"]]),
      ("\n\na;b\n", [["a", "b"]]),
      ("word\na,b\n", [["word"], ["a", "b"]]),
    ] as [(String, [[String]])])
  func delimiters(text: String, expected: [[String]]) throws {
    #expect(try cells(text) == expected)
    #expect(try cells(csv(Array(text.utf8), pieces: 1)) == expected)
  }

  @Test func theDelimiterCanBeGiven() throws {
    let events = try csv(Array("a;b,c\n".utf8), delimiter: UInt8(ascii: ","))
    #expect(cells(events) == [["a;b", "c"]])
  }

  @Test func encodingsAreRecognized() throws {
    let text = "name,wörd\r\nJürgen,„𝄞“\r\n"
    let expected = [["name", "wörd"], ["Jürgen", "„𝄞“"]]
    let marked = [0xEF, 0xBB, 0xBF] + Array(text.utf8)
    let little = utf16(text)
    let big = utf16(text, isBigEndian: true)
    for bytes in [Array(text.utf8), marked, little, big] {
      for size in [1, 2, 3, 7, 1000] {
        let events = try csv(bytes, pieces: size)
        #expect(cells(events) == expected)
        #expect(events.last?.next == FilePlace(offset: bytes.count, line: 3))
      }
    }
    // Windows-1252, and one cell of it in a file of UTF-8.
    #expect(
      try cells(csv([0x4A, 0xFC, 0x2C, 0x80, 0x35, 0x0A, 0xC3, 0xBC, 0x2C, 0x81])) == [
        ["Jü", "€5"], ["ü", "\u{FFFD}"],
      ])
    // Halves of pairs, and half a unit.
    #expect(
      try cells(csv([0xFF, 0xFE, 0x00, 0xD8, 0x61, 0x00, 0x00, 0xDC, 0x62])) == [["\u{FFFD}a\u{FFFD}"]])
    #expect(try cells(csv([0xFF, 0xFE, 0x00, 0xD8])) == [["\u{FFFD}"]])
    #expect(try cells(csv([0xEF, 0xBB])).count == 1 && cells(csv([0xEF, 0xBB, 0xBF])).isEmpty)
  }

  @Test(
    "A broken quote is told and costs no more than its row",
    arguments: [
      ("a,b\n\"x\"y,1\nc,d\n", [["a", "b"], ["<broken_quote>"], ["c", "d"]], [1, 2, 3]),
      ("a,b\n\"x,1\nc,d\ne,f\n", [["a", "b"], ["<broken_quote>"], ["c", "d"], ["e", "f"]], [1, 2, 3, 4]),
      ("a,b\n\"x,1\r\n\"c\",d\r\n", [["a", "b"], ["<broken_quote>"], ["c", "d"]], [1, 2, 3]),
      ("a,b\r\"x,1\r\"c\",d\r", [["a", "b"], ["<broken_quote>"], ["c", "d"]], [1, 2, 3]),
      ("a,b\n\"x", [["a", "b"], ["<broken_quote>"]], [1, 2]),
      ("\"x\ny\n\"\"", [["<broken_quote>"], ["y"]], [1, 2]),
      ("a\n\"x\ny\"z\nb\n", [["a"], ["<broken_quote>"], ["y\"z"], ["b"]], [1, 2, 3, 4]),
      // What is read again has to close its quotes line by line, and is told.
      (
        "a\n\"x\n1,\"p\nq\"z\nb\n", [["a"], ["<broken_quote>"], ["<broken_quote>"], ["q\"z"], ["b"]],
        [1, 2, 3, 4, 5]
      ),
    ] as [(String, [[String]], [Int])])
  func brokenQuotes(text: String, expected: [[String]], lines: [Int]) throws {
    for size in [1, 2, 3, 5, 1000] {
      let events = try csv(Array(text.utf8), pieces: size)
      #expect(cells(events) == expected)
      #expect(events.map(\.line) == lines)
    }
  }

  @Test func limitsAreTold() throws {
    let long = String(repeating: "x", count: CSV.mostCellBytes)
    #expect(try cells("\(long),1\na,b\n") == [[long, "1"], ["a", "b"]])
    for text in ["\(long)x,1\na,b\n", "\"\(long)x\",1\na,b\n", "1,\(long)\(long)\(long)\r\na,b\n"] {
      for size in [1000, 1 << 20] {
        #expect(try cells(csv(Array(text.utf8), pieces: size)) == [["<cell_too_long>"], ["a", "b"]])
      }
    }
    let wide = Array(repeating: "1", count: CSV.mostColumns)
    #expect(try cells(wide.joined(separator: ",") + "\n") == [wide])
    #expect(
      try cells(wide.joined(separator: ",") + ",\"a\nb\",1\na,b\n") == [["<too_many_columns>"], ["a", "b"]])
    #expect(try cells(String(repeating: ",", count: 600)) == [["<too_many_columns>"]])
    let row = Array(repeating: long, count: 17).joined(separator: ",")
    #expect(try cells(row + "\na,b\n") == [["<row_too_long>"], ["a", "b"]])
    // An open quote in a large file: the lines behind it come all the same.
    let lines = (0..<20_000).map { "row,\($0)" }
    let events = try csv(Array(("id,n\n\"oops,1\n" + lines.joined(separator: "\n")).utf8), pieces: 4096)
    #expect(events.count == 20_002)
    #expect(cells(events).dropFirst().first == ["<broken_quote>"] && cells(events).last == ["row", "19999"])
    #expect(events.last?.line == 20_002)
  }

  @Test func readingGoesOnAtEachPlace() throws {
    let text = "h;\"i\nj\"\r\n\"ä\n1\";2\r\r\n\"x\"y;3\n;;\nlast;\"4\"\r\n"
    for encoding in [TextEncoding.utf8, .utf16LittleEndian] {
      let bytes =
        encoding == .utf8
        ? Array(text.utf8) : utf16(text)
      let all = try csv(bytes)
      #expect(all.count == 4)
      for (index, event) in all.enumerated() {
        var reader = CSVReader(.init(delimiter: UInt8(ascii: ";"), encoding: encoding), from: event.next)
        var rest: [CSV.Event] = []
        try reader.push(Array(bytes.dropFirst(event.next.offset))) { rest.append($0) }
        try reader.finish { rest.append($0) }
        #expect(rest == Array(all[(index + 1)...]))
      }
    }
  }

  @Test func whateverThePiecesAreTheRowsAreTheSame() throws {
    var random = Lottery(seed: 7)
    let signs: [String] = ["a", "ü", "\"", "\"", ",", ";", "\n", "\r", "\r\n", "\"\"", "=", "'"]
    for _ in 0..<2000 {
      let text = (0..<Int.random(in: 0...40, using: &random)).map { _ in
        signs.randomElement(using: &random) ?? ""
      }.joined()
      let whole = try csv(Array(text.utf8))
      for size in 1...3 {
        #expect(try csv(Array(text.utf8), pieces: size) == whole, "\(text.debugDescription)")
      }
      // Places move on, and never beyond the end.
      let places = whole.map(\.next.offset)
      #expect(places == places.sorted() && (places.last ?? 0) <= text.utf8.count)
    }
  }

  @Test func hostileFilesTakeLinearTime() throws {
    let patterns = [
      "\"\n", "\"\n,", "x\",\"y\n", "\"", ",", "\"\"", "\"\r", "a\"\n\"", "\",\"\n", "\n", "\"a\",\"b\nc",
    ]
    for pattern in patterns {
      let bytes = Array(String(repeating: pattern, count: 2_000_000 / pattern.utf8.count).utf8)
      var count = 0
      let clock = ContinuousClock()
      let spent = try clock.measure {
        var reader = CSVReader(delimiter: UInt8(ascii: ","))
        for start in stride(from: 0, to: bytes.count, by: 65_536) {
          try reader.push(Array(bytes[start..<min(start + 65_536, bytes.count)])) { _ in count += 1 }
        }
        try reader.finish { _ in count += 1 }
      }
      // Two megabytes; unoptimized and on a busy machine.
      #expect(spent < .seconds(30), "\(pattern.debugDescription)")
    }
  }
}

/// Random numbers that are the same each time (SplitMix64).
struct Lottery: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
