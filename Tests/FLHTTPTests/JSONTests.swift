import Testing

@testable import FLHTTP

struct JSONTests {
  private func read(_ text: String) -> JSON? { try? JSON(reading: Array(text.utf8)) }

  private static let valid: [(String, JSON)] = [
    ("null", JSON.null), (" true ", true), ("\t\r\nfalse\n", false), ("0", 0), ("-0", 0), ("-12", -12),
    ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
    ("9223372036854775808", .number(9_223_372_036_854_775_808)), ("1.0", .number(1)), ("1e2", .number(100)),
    ("1E+2", .number(100)), ("1e-2", .number(0.01)), ("-0.5e1", .number(-5)), ("0e0", .number(0)),
    ("1e-400", .number(0)), (#""""#, ""), (#""a""#, "a"), (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"),
    (#""\u0041\u00e9\u20AC""#, "Aé€"), (#""\ud83d\uDE00""#, "😀"), (#""\u0000""#, "\0"),
    ("\"\u{2028}\u{7F}\"", "\u{2028}\u{7F}"), ("[]", []), ("[ ]", []), ("[1 , 2]", [1, 2]), ("{}", [:]),
    (#"{ "b" : 1 , "a" : [ { } ] }"#, ["b": 1, "a": [[:]]]), (#"{"":0}"#, ["": 0]),
  ]

  @Test(arguments: valid)
  func reads(text: String, value: JSON) throws {
    #expect(try JSON(reading: Array(text.utf8)) == value)
  }

  @Test(arguments: [
    "", " ", "nul", "nulll", "True", "NaN", "Infinity", "-", "+1", "01", "-01", "1.", ".5", "1.e1", "1e",
    "1e+", "0x1",
    "1 2", "1,", "--1", "1e400", "-1e400", "'a'", "\"", "\"a", #""\"#, #""\""#, #""\x41""#, #""\u12""#,
    #""\u12G4""#,
    #""\u+123""#, #""\ud800""#, #""\ud800x""#, #""\ud800\n""#, #""\ud800\u0041""#, #""\udc00""#,
    #""\udc00\ud800""#,
    "\"a\nb\"", "\"a\tb\"", "\"\0\"", "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1}", "{", "}",
    "{\"a\"}",
    "{\"a\":}", "{\"a\":1", "{\"a\":1,}", "{,}", "{a:1}", "{1:1}", "{\"a\" 1}", "{\"a\":1 \"b\":2}",
    "{\"a\":1]",
    #"{"a":1,"a":1}"#, #"{"a":1,"\u0061":2}"#, "{}{}", "[]x", "/**/1", "1//", "\u{FEFF}1", "\u{A0}1",
    "\u{2028}1",
  ])
  func refuses(text: String) {
    #expect {
      _ = try JSON(reading: Array(text.utf8))
    } throws: { error in
      let problem = error as? Problem
      return problem?.status == 400 && problem?.code == "malformed_json"
        && problem?.detail?.hasPrefix("At byte ") == true
    }
  }

  @Test(
    arguments: [
      [0x80], [0xC3], [0xC0, 0xAF], [0xC1, 0x81], [0xE0, 0x80, 0xAF], [0xED, 0xA0, 0x80], [0xED, 0xB0, 0x80],
      [0xF0, 0x80, 0x80, 0xAF], [0xF4, 0x90, 0x80, 0x80], [0xF8, 0x88, 0x80, 0x80, 0x80], [0xFE], [0xFF],
      [0xE2, 0x82], [0xF0, 0x9F, 0x98],
    ] as [[UInt8]])
  func refusesWhatIsNoUTF8(bytes: [UInt8]) {
    #expect(throws: Problem.self) { try JSON(reading: [0x22] + bytes + [0x22]) }
    #expect(throws: Problem.self) { try JSON(reading: [0x22, 0x5C, 0x6E] + bytes + [0x22]) }
    #expect(throws: Problem.self) { try JSON(reading: [0x7B, 0x22] + bytes + Array("\":1}".utf8)) }
    #expect(throws: Problem.self) { try JSON(reading: bytes) }
  }

  @Test func nestsToSixtyFourLevels() {
    func nested(_ open: String, _ close: String, _ depth: Int) -> JSON? {
      read(String(repeating: open, count: depth) + "1" + String(repeating: close, count: depth))
    }
    #expect(nested("[", "]", 64) != nil)
    #expect(nested("[", "]", 65) == nil)
    #expect(nested(#"{"a":"#, "}", 64) != nil)
    #expect(nested(#"{"a":"#, "}", 65) == nil)
    #expect(nested("[", "]", 500_000) == nil)
    #expect(read(String(repeating: "[", count: 1_000_000)) == nil)
    #expect(read("[" + String(repeating: "[],", count: 100) + "[]]")?.array?.count == 101)
  }

  @Test(arguments: [2, 15, 16, 17, 18, 40, 3000])
  func refusesANameTwiceAmongMany(count: Int) {
    let members = (0..<count).map { "\"m\($0)\":\($0)" }
    #expect(read("{\(members.joined(separator: ","))}")?.object?.members.count == count)
    for again in [0, count / 2, count - 1] {
      #expect(read("{\(members.joined(separator: ",")),\"m\(again)\":0}") == nil)
    }
  }

  @Test func takesVeryLongNumbers() {
    #expect(read(String(repeating: "9", count: 300)) != nil)
    #expect(read(String(repeating: "9", count: 400)) == nil)
    #expect(read("0." + String(repeating: "3", count: 100_000)) == .number(1.0 / 3))
    #expect(read("1e" + String(repeating: "9", count: 1000)) == nil)
  }

  @Test func writesWhatIsShortestAndSafe() {
    let value: JSON = [
      "z": .null, "a": [true, false, -1, .number(0.1), .number(1e100)],
      "q\"": "\u{0}\u{1F}\n\r\t\"\\/\u{7F}\u{2028}é😀",
      "o": [:], "n": [[], [[:]]],
    ]
    #expect(
      value.text == #"{"z":null,"a":[true,false,-1,0.1,1e+100],"q\"":"\u0000\u001f\n\r\t\"\\/"#
        + "\u{7F}\u{2028}é😀"
        + #"","o":{},"n":[[],[{}]]}"#)
    var writer = JSONWriter()
    writer.number(.infinity)
    #expect(writer.bytes == Array("null".utf8))
  }

  @Test func everyScalarBelow0x3000ComesBack() throws {
    let text = String(String.UnicodeScalarView((0..<0x3000).compactMap { Unicode.Scalar(UInt32($0)) }))
    let back = try JSON(reading: JSON.string(text).bytes).string
    #expect(back.map { Array($0.utf8) } == Array(text.utf8))
  }

  @Test func membersKeepTheirOrderAndCanBeTakenAway() {
    var object: JSONObject = ["c": 1, "a": 2, "b": 3]
    object["a"] = 4
    object["c"] = nil
    object["c"] = 5
    #expect(JSON.object(object).text == #"{"a":4,"b":3,"c":5}"#)
  }

  /// Valid texts with a few bytes changed: nothing crashes, and what is taken comes back from the writer.
  @Test(arguments: [1, 2, 3, 4] as [UInt64])
  func mutatedTextsAreRefusedOrComeBack(seed: UInt64) throws {
    let texts = [
      #"{"a":[1,-2.5e3,true,false,null,"x\u00e9\ud83d\ude00\n"],"b":{"c":{},"d":[]},"é":"\"\\\/"}"#,
      #"[[[[{"k":[0,0.1,1E-5,9223372036854775807]}]]],"long text without escapes","",{"a":1,"b":2,"c":3}]"#,
      #" { "destinationUrl" : "https://example.com/?a=b&c=%20" , "tags" : [ "one" , "two" ] } "#,
    ].map { Array($0.utf8) }
    let alphabet =
      Array("{}[]\",:\\u0123456789eE+-.truefalsn \n\u{0}\u{7F}".utf8) + [0xC3, 0x80, 0xFF, 0xED, 0xF0]
    var random = SplitMix(state: seed)
    var taken = 0
    for round in 0..<5000 {
      var bytes = texts[round % texts.count]
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let place = Int.random(in: 0..<max(1, bytes.count), using: &random)
        switch Int.random(in: 0..<4, using: &random) {
        case 0 where !bytes.isEmpty: bytes[place] = alphabet.randomElement(using: &random) ?? 0
        case 1 where !bytes.isEmpty: bytes.remove(at: place)
        case 2: bytes.removeLast(min(bytes.count, Int.random(in: 0..<8, using: &random)))
        default: bytes.insert(alphabet.randomElement(using: &random) ?? 0, at: min(place, bytes.count))
        }
      }
      guard let value = try? JSON(reading: bytes) else { continue }
      taken += 1
      let written = value.bytes
      #expect(try JSON(reading: written) == value)
      #expect(try JSON(reading: written).bytes == written)
    }
    #expect(taken > 100)
  }
}

/// A small generator of numbers that are the same in each run (Steele, Lea and Flood, 2014).
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
