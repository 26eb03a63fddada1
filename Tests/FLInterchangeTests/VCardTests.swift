import Testing

@testable import FLInterchange

/// What comes out of `bytes`, pushed in pieces of `size`.
func events(_ bytes: [UInt8], pieces size: Int = 1 << 20) throws -> [VCard.Event] {
  var reader = VCardReader()
  var events: [VCard.Event] = []
  for start in stride(from: 0, to: bytes.count, by: size) {
    try reader.push(Array(bytes[start..<min(start + size, bytes.count)])) { events.append($0) }
  }
  try reader.finish { events.append($0) }
  return events
}

func cards(_ text: String) throws -> [VCard] { try cards(Array(text.utf8)) }

func cards(_ bytes: [UInt8]) throws -> [VCard] {
  try events(bytes).compactMap { if case .card(let card, _, _) = $0 { card } else { nil } }
}

func card(_ version: String, _ lines: String...) throws -> VCard {
  let text = (["BEGIN:VCARD", "VERSION:" + version] + lines + ["END:VCARD"]).joined(separator: "\r\n")
  return try #require(try cards(text).first)
}

@Suite struct VCardReaderTests {
  @Test func aCardOfVersion4() throws {
    let card = try card(
      "4.0", "UID:urn:uuid:4fbe8971-0bc3-424c-9c26-36c3e1eff6b1", "FN:Dr. Anna Müller",
      "N:Müller;Anna;Maria,Luise;Dr.;", "EMAIL;TYPE=home:private@example.org",
      "EMAIL;TYPE=work;PREF=1:mailto:anna@example.org",
      "TEL;VALUE=uri;TYPE=\"cell,work\":tel:+49-30-123", "TEL;TYPE=voice:0301",
      "ADR;TYPE=work;CC=de;LABEL=\"a, b: c\":;Hinterhaus;Hauptstr. 1\\, links;Berlin;BE;10115;Germany",
      "URL:https://example.org/a?b=c;d", "ORG:Beispiel\\; Söhne;Vertrieb", "TITLE:Leiterin",
      "BDAY:19800229", "NOTE:Zeile 1\\nZeile 2\\, \\\\ Ende", "CATEGORIES:a,b\\,c, d",
      "X-Own;X-NAME=shoe^'size^':38", "PHOTO:data:image/png;base64,AAAA", "KIND:individual")
    #expect(card.uid == "urn:uuid:4fbe8971-0bc3-424c-9c26-36c3e1eff6b1" && card.fullName == "Dr. Anna Müller")
    #expect(card.name?.family == "Müller" && card.name?.given == "Anna" && card.name?.prefix == "Dr.")
    #expect(card.name?.additional == "Maria,Luise")
    #expect(
      card.emails == [.init("anna@example.org", label: "work"), .init("private@example.org", label: "home")])
    #expect(card.phones == [.init("+49-30-123", label: "cell work"), .init("0301")])
    let address = try #require(card.addresses.first)
    #expect(address.extended == "Hinterhaus" && address.street == "Hauptstr. 1, links")
    #expect(address.code == "10115" && address.countryCode == "de" && address.label == "work")
    #expect(card.urls == [.init("https://example.org/a?b=c;d")])
    #expect(card.organization == ["Beispiel; Söhne", "Vertrieb"] && card.title == "Leiterin")
    #expect(card.birthday == .init(year: 1980, month: 2, day: 29))
    #expect(card.notes == ["Zeile 1\nZeile 2, \\ Ende"] && card.categories == ["a", "b,c", "d"])
    #expect(card.extensions == [.init("X-OWN", "38", parameters: ["X-NAME": "shoe\"size\""])])
  }

  @Test func aCardOfVersion3AsApplesAndGooglesAre() throws {
    let card = try card(
      "3.0", "N:Doe;John;;;", "FN:John Doe", "item1.EMAIL;type=INTERNET:second@example.org",
      "EMAIL;TYPE=INTERNET,PREF:first@example.org", "item1.X-ABLabel:Büro", "item2.TEL:1",
      "item2.X-ABLabel:_$!<Work>!$_", "TEL;type=CELL;type=VOICE;type=pref:2", "ORG:;",
      "BDAY;X-APPLE-OMIT-YEAR=1604:1604-04-15", "NOTE:a\\Nb", "X-PHONETIC-FIRST-NAME:x")
    #expect(card.emails == [.init("first@example.org"), .init("second@example.org", label: "Büro")])
    #expect(card.phones == [.init("1", label: "Work"), .init("2", label: "cell")])
    #expect(card.organization.isEmpty && card.birthday == .init(year: nil, month: 4, day: 15))
    #expect(card.notes == ["a\nb"])
  }

  @Test func aCardOfVersion21() throws {
    let card = try card(
      "2.1", "N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BC=", "ller;J=C3=BCrgen",
      "FN;QUOTED-PRINTABLE:J=FCrgen",
      "TEL;CELL;PREF:123",
      "ADR;HOME;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:;;Stra=DFe 1=0D=0AHof;Ort;;1;",
      "NOTE:C:\\new\\; x", "AGENT:", "BEGIN:VCARD", "FN:Somebody else", "END:VCARD",
      "EMAIL;INTERNET:j@example.org",
      "PHOTO;ENCODING=BASE64;TYPE=JPEG:", " /9j/4AAQSkZJRg==", "")
    #expect(card.name?.family == "Müller" && card.name?.given == "Jürgen" && card.fullName == "Jürgen")
    #expect(card.phones == [.init("123", label: "cell")])
    #expect(card.addresses.first?.street == "Straße 1\r\nHof" && card.addresses.first?.label == "home")
    #expect(card.notes == ["C:\\new; x"] && card.emails == [.init("j@example.org")])
  }

  @Test(
    "Birthdays",
    arguments: [
      ("1996-04-15", 1996, 4, 15), ("19960415", 1996, 4, 15), ("1996-04-15T00:00:00Z", 1996, 4, 15),
      ("19531015T231000Z", 1953, 10, 15), ("--0415", nil, 4, 15), ("--04-15", nil, 4, 15),
    ] as [(String, Int?, Int, Int)])
  func birthdays(text: String, year: Int?, month: Int, day: Int) throws {
    #expect(try card("4.0", "FN:x", "BDAY:" + text).birthday == .init(year: year, month: month, day: day))
  }

  @Test(
    "What names no day is no birthday",
    arguments: ["1996", "1996-04", "---15", "circa 1800", "", "19961341", "１９９６０４１５", "0"])
  func noBirthdays(text: String) throws {
    #expect(try card("4.0", "FN:x", "BDAY:" + text).birthday == nil)
  }

  @Test func linesAreUnfoldedWhateverTheirEnds() throws {
    for end in ["\r\n", "\n", "\r"] {
      let text = ["BEGIN:VCARD", "FN:Jü", " rgen", "\t Müller", "NOTE:", " a", "", "END:VCARD", ""].joined(
        separator: end)
      for size in [1, 2, 3, 1000] {
        let all = try events(Array(text.utf8), pieces: size)
        guard case .card(let card, let line, let next)? = all.first, all.count == 1 else {
          Issue.record("\(all)")
          return
        }
        #expect(card.fullName == "Jürgen Müller" && card.notes == ["a"] && line == 1)
        #expect(next == FilePlace(offset: text.utf8.count, line: 9))
      }
    }
    // A character that was split by whoever folded the line.
    let split = Array("BEGIN:VCARD\nFN:J".utf8) + [0xC3, 0x0A, 0x20, 0xBC] + Array("r\nEND:VCARD".utf8)
    #expect(try cards(split).first?.fullName == "Jür")
  }

  @Test func encodingsAreRecognized() throws {
    let text = "BEGIN:VCARD\r\nFN:Jürgen 𝄞\r\nEND:VCARD\r\n"
    let little = utf16(text)
    for bytes in [Array(text.utf8), [0xEF, 0xBB, 0xBF] + Array(text.utf8), little] {
      for size in [1, 5, 1000] {
        let all = try events(bytes, pieces: size)
        #expect(all.count == 1 && all.first?.next == FilePlace(offset: bytes.count, line: 4))
      }
      #expect(try cards(bytes).first?.fullName == "Jürgen 𝄞")
    }
    let latin = Array("BEGIN:VCARD\nFN:J".utf8) + [0xFC] + Array("r\nEND:VCARD".utf8)
    #expect(try cards(latin).first?.fullName == "Jür")
  }

  @Test func cardsThatAreBrokenStopNoOthers() throws {
    let text =
      "junk\nBEGIN:VCARD\nFN:a\nBEGIN:VCARD\nFN:b\nEND:VCARD\nEND:VCARD\nx\n begin:vcard\nBegin:vCard\nfn:c\nend:vcard\nBEGIN:VCARD\nFN:d"
    let all = try events(Array(text.utf8))
    let told = all.map { event in
      switch event {
      case .card(let card, let line, _): "\(card.fullName ?? "") \(line)"
      case .fault(let flaw, let line, _): "\(flaw.rawValue) \(line)"
      }
    }
    #expect(told == ["unclosed_card 2", "b 4", "c 10", "unclosed_card 13"])
    // Reading goes on at each place.
    for (index, event) in all.dropLast().enumerated() {
      var reader = VCardReader(.utf8, from: event.next)
      var rest: [VCard.Event] = []
      try reader.push(Array(text.utf8.dropFirst(event.next.offset))) { rest.append($0) }
      try reader.finish { rest.append($0) }
      #expect(rest == Array(all[(index + 1)...]))
    }
    #expect(try cards("").isEmpty && cards("END:VCARD\nFN:x\n").isEmpty)
  }

  @Test func largeValuesAreTold() throws {
    let large = String(repeating: "x", count: 100_000)
    func first(_ line: String) throws -> VCard.Event? {
      try events(Array("BEGIN:VCARD\nFN:a\n\(line)\nEND:VCARD\nBEGIN:VCARD\nFN:b\nEND:VCARD".utf8)).first
    }
    for line in ["PHOTO;ENCODING=b:" + large, "X-PICTURE:" + large, large, "SOUND:" + large] {
      guard case .card(let card, _, _)? = try first(line) else {
        Issue.record("not a card")
        continue
      }
      #expect(card.fullName == "a" && card.extensions.isEmpty)
    }
    let many = String(repeating: "NOTE:" + String(repeating: "y", count: 60_000) + "\n", count: 80)
    for line in ["NOTE:" + large, many, String(repeating: "NOTE:x\n", count: 1001)] {
      guard case .fault(.tooLarge, line: 1, _)? = try first(line) else {
        Issue.record("not told")
        continue
      }
    }
  }

  @Test func hostileFilesTakeLinearTime() throws {
    let begin = "BEGIN:VCARD\n"
    let patterns = [
      begin, "BEGIN:VCARD\nAGENT:\n", "A;", "FN;ENCODING=QUOTED-PRINTABLE:=\n", "=\n", " \n", "\"", "a.",
      "FN;=\n=\n",
      "N:;", "X-A;B=\"", "\\", "NOTE:\\\n",
    ]
    for pattern in patterns {
      let bytes = Array((begin + String(repeating: pattern, count: 1_000_000 / pattern.utf8.count)).utf8)
      var count = 0
      let spent = try ContinuousClock().measure {
        var reader = VCardReader()
        try reader.push(bytes) { _ in count += 1 }
        try reader.finish { _ in count += 1 }
      }
      #expect(spent < .seconds(30), "\(pattern.debugDescription)")
    }
  }

  @Test func whateverComesDoesNoHarm() throws {
    var random = Lottery(seed: 3)
    let signs = [
      "BEGIN:VCARD\n", "END:VCARD\n", "VERSION:2.1\n", "N", "FN", ":", ";", ",", "=", "\"", "\\", "\n", " ",
      "\r", "ü",
      "CHARSET=", "QUOTED-PRINTABLE", "EMAIL", "TYPE=", "^", "BDAY:", "1",
    ]
    for _ in 0..<2000 {
      let text = (0..<30).map { _ in signs.randomElement(using: &random) ?? "" }.joined()
      let whole = try events(Array(text.utf8))
      #expect(try events(Array(text.utf8), pieces: 1) == whole, "\(text.debugDescription)")
    }
  }
}

@Suite struct VCardWriterTests {
  func written(_ card: VCard) -> String {
    var writer = VCardWriter()
    writer.card(card)
    return String(decoding: writer.take(), as: UTF8.self)
  }

  @Test func aCardIsWrittenAsTheStandardHasIt() {
    var card = VCard()
    card.fullName = "Anna, Müller"
    card.emails = [.init("anna@example.org")]
    card.phones = [.init("+49", label: "cell"), .init("1", label: "Büro; 2")]
    card.birthday = .init(year: 980, month: 2, day: 1)
    #expect(
      written(card) == """
        BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Anna\\, Müller\r\nEMAIL:anna@example.org\r\nTEL;TYPE=cell:+49\r\n\
        item1.TEL:1\r\nitem1.X-ABLabel:Büro\\; 2\r\nBDAY:09800201\r\nEND:VCARD\r\n
        """)
    var nameless = VCard()
    nameless.emails = [.init("x@example.org")]
    #expect(written(nameless).contains("\r\nFN:x@example.org\r\n"))
  }

  @Test func linesAreFoldedBetweenCharacters() throws {
    for sign in ["a", "ü", "€", "𝄞"] {
      for shift in 0..<5 {
        var card = VCard()
        card.fullName = String(repeating: "a", count: shift) + String(repeating: sign, count: 200)
        let text = written(card)
        for line in text.split(separator: "\r\n") { #expect(line.utf8.count <= 75) }
        #expect(try cards(text).first?.fullName == card.fullName)
      }
    }
  }

  @Test func everyCardComesBackAsItWas() throws {
    var random = Lottery(seed: 11)
    let signs = [
      "a", "B", "ü", "𝄞", ",", ";", ":", "\\", "\"", "^", "'", "\n", " ", "=", "n", "N", "%", "x", "y", "z",
    ]
    func text(_ most: Int = 90) -> String {
      "q"
        + (0..<Int.random(in: 0...most, using: &random)).map { _ in signs.randomElement(using: &random) ?? ""
        }
        .joined() + "q"
    }
    func label() -> String? {
      ["work", "home", "cell", "work fax", nil, text(8).replacing("\n", with: "")].randomElement(
        using: &random) ?? nil
    }
    for _ in 0..<500 {
      var card = VCard()
      (card.uid, card.fullName, card.title) = (text(), text(), text())
      var name = VCard.Name()
      (name.family, name.given, name.additional, name.prefix, name.suffix) = (
        text(), text(), text(), text(), text()
      )
      card.name = name
      card.emails = (0..<3).map { _ in .init(text(20), label: label()) }
      card.phones = (0..<3).map { _ in .init(text(20), label: label()) }
      card.urls = [.init(text(), label: label())]
      var address = VCard.Address()
      (address.street, address.code, address.country, address.label) = (text(), text(), text(), label())
      address.countryCode = "DE"
      card.addresses = [address]
      card.organization = [text(), text()]
      card.notes = [text(500), text()]
      card.categories = [text(), text()]
      card.birthday = .init(year: Int.random(in: 1...9999, using: &random), month: 12, day: 31)
      card.extensions = [.init("X-OWN", text(), parameters: ["X-NAME": text(30)])]
      #expect(try cards(written(card)) == [card])
    }
  }

  @Test func lineEndsBecomeOneKind() throws {
    var card = VCard()
    card.fullName = "x"
    card.notes = ["a\r\nb\rc\nd"]
    #expect(try cards(written(card)).first?.notes == ["a\nb\nc\nd"])
  }
}
