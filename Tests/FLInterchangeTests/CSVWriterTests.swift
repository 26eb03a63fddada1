import Testing

@testable import FLInterchange

@Suite struct CSVWriterTests {
  func written(_ rows: [[String]]) -> String {
    var writer = CSVWriter()
    for row in rows { writer.row(row) }
    return String(decoding: writer.take(), as: UTF8.self)
  }

  @Test func rowsAreWrittenAsTheStandardHasIt() {
    #expect(written([["a", "b c"], ["x,y", "q\"r"]]) == "a,b c\r\n\"x,y\",\"q\"\"r\"\r\n")
    #expect(written([["a\nb", " x"], ["", ""], [""]]) == "\"a\nb\",\" x\"\r\n,\r\n\"\"\r\n")
    var marked = CSVWriter(mark: true)
    marked.row(["ü"])
    #expect(marked.take() == [0xEF, 0xBB, 0xBF, 0xC3, 0xBC, 13, 10] && marked.bytes.isEmpty)
  }

  @Test(
    "What a spreadsheet would run gets an apostrophe",
    arguments: [
      ("=1+1", "'=1+1"), ("+49 30 1", "'+49 30 1"), ("-5", "'-5"), ("@SUM(A1)", "'@SUM(A1)"),
      ("\t=1", "'\t'=1"),
      ("\r=1", "'\r'=1"), (" =1", "' =1"), ("\"=1", "'\"=1"), ("\u{A0}\u{FEFF}=1", "'\u{A0}\u{FEFF}=1"),
      ("＝1", "'＝1"), ("＋1", "'＋1"), ("－1", "'－1"), ("＠1", "'＠1"), ("\u{0}=1", "'\u{0}=1"),
      ("a;=1", "a;'=1"), ("a\n-b", "a\n'-b"), ("a\t=1", "a\t'=1"), ("'", "''"), ("'a", "''a"),
      ("'=1", "''=1"),
      ("''", "'''"), ("\tx", "'\tx"),
      ("a=1", "a=1"), ("a@b.example", "a@b.example"), ("1-2", "1-2"), ("", ""), (" a", " a"), ("a'b", "a'b"),
    ])
  func formulas(text: String, guarded: String) {
    #expect(FormulaGuard.guarded(text) == guarded)
    #expect(FormulaGuard.restored(guarded) == text)
  }

  @Test func apostrophesOfOthersStay() {
    for text in ["'s-Gravenhage", "'t Hooft", "rock 'n' roll", "a;'b"] {
      #expect(FormulaGuard.restored(text) == text)
    }
  }

  @Test func everyValueComesBackAsItWas() throws {
    var random = Lottery(seed: 42)
    let signs: [String] = [
      "'", "'", "=", "+", "-", "@", "＝", "＠", "\"", ";", ",", "\t", "\n", "\r", " ", "a", "1", "ü",
      "\u{200B}", "𝄞",
    ]
    var rows: [[String]] = []
    for _ in 0..<5000 {
      rows.append(
        ["x"]
          + (0..<4).map { _ in
            (0..<Int.random(in: 0...8, using: &random)).map { _ in signs.randomElement(using: &random) ?? "" }
              .joined()
          })
    }
    let text = written(rows)
    let back = try csv(Array(text.utf8), pieces: 777, delimiter: UInt8(ascii: ","))
    #expect(cells(back).map { $0.map(FormulaGuard.restored) } == rows)
    // And no cell begins with what would run.
    for row in cells(back) {
      for cell in row {
        let first = cell.unicodeScalars.first {
          !$0.properties.isWhitespace && $0 != "\"" && $0 != "\u{200B}"
        }
        #expect(first.map { !"=+-@＝＠".unicodeScalars.contains($0) } ?? true)
      }
    }
  }
}
