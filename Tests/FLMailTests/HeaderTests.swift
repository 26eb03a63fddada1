import Testing

@testable import FLMail

@Suite("Fields of a head") struct HeaderTests {
  /// The field `X: text` as it is written.
  private func field(_ text: String, name: String = "X") -> String {
    var cleaned = [UInt8]()
    Escaping.header.append(text, to: &cleaned)
    var head = HeaderWriter()
    head.add(name, text: cleaned)
    return String(decoding: head.output, as: UTF8.self)
  }

  private func mailbox(_ name: String?, _ address: String) -> String? {
    Mailbox(name: name, address: address).map { mailbox in
      var head = HeaderWriter()
      head.add("To", mailbox)
      return String(decoding: head.output.dropLast(2), as: UTF8.self)
    }
  }

  @Test(
    "an address is taken in ASCII",
    arguments: [
      ("anna@example.org", "anna@example.org"), ("A.b+c@Example.ORG", "A.b+c@example.org"),
      ("x@b\u{FC}cher.example", "x@xn--bcher-kva.example"),
      ("x@\u{43F}.\u{440}\u{444}", "x@xn--o1a.xn--p1ai"),
      ("a..b@docomo.example", "\"a..b\"@docomo.example"), (".a@x.example", "\".a\"@x.example"),
      ("\"a b\"@x.example", "\"a b\"@x.example"), ("a@localhost", "a@localhost"),
      ("!#$%&'*+-/=?^_`{|}~@x.example", "!#$%&'*+-/=?^_`{|}~@x.example"),
    ])
  func address(given: String, written: String) { #expect(Mailbox(address: given)?.address == written) }

  @Test(
    "what no mail can go to is refused",
    arguments: [
      "", "a", "@", "a@", "@b", "\u{FC}@x.example", "a b@x.example", "a@b@x.example", "a\r\nb@x.example",
      "a@x.example\r\nBcc: y", "a@x..example", "a@.x", "a@x.", "a@-x.example", "a@x-.example",
      "a@x_\u{0}.example",
      "a@[127.0.0.1]", "<a@x.example>", "a,b@x.example", "a@x.example>", "\"a\"b\"@x.example",
      "\"a\\\"@x.example",
      "\"a\r\n\"@x.example", "a;b@x.example", "a@x/y", "a@x\u{FF0F}y.example", "a@x\u{E000}.example",
    ])
  func refused(address: String) { #expect(Mailbox(address: address) == nil) }

  @Test func addressesAreLimited() {
    let local = String(repeating: "a", count: 64)
    let label = String(repeating: "b", count: 63)
    #expect(Mailbox(address: "\(local)@\(label).example") != nil)
    #expect(Mailbox(address: "\(local)a@\(label).example") == nil)
    #expect(Mailbox(address: "a@\(label)b.example") == nil)
    #expect(Mailbox(address: "\(local)@\(label).\(label).\(label)") == nil)
    #expect(Mailbox(address: "a@" + String(repeating: "\u{FC}", count: 100_000)) == nil)
  }

  @Test(
    "a name is atoms, a quoted string or encoded words",
    arguments: [
      (nil, "To: a@x.example"), (" \r\n", "To: a@x.example"), ("Anna Berg", "To: Anna Berg <a@x.example>"),
      ("Berg, Anna", "To: \"Berg, Anna\" <a@x.example>"), ("A. B.", "To: \"A. B.\" <a@x.example>"),
      ("a \"b\" \\c", "To: \"a \\\"b\\\" \\\\c\" <a@x.example>"),
      ("a@b.example", "To: \"a@b.example\" <a@x.example>"),
      ("Jörg", "To: =?utf-8?Q?J=C3=B6rg?= <a@x.example>"),
      ("Jörg, (a) \"b\"", "To: =?utf-8?Q?J=C3=B6rg=2C_=28a=29_=22b=22?= <a@x.example>"),
      ("Анна", "To: =?utf-8?B?0JDQvdC90LA=?= <a@x.example>"),
      ("=?utf-8?Q?a?=", "To: =?utf-8?Q?=3D=3Futf-8=3FQ=3Fa=3F=3D?= <a@x.example>"),
      ("a\r\nBcc: b@c.example", "To: \"a  Bcc: b@c.example\" <a@x.example>"),
    ] as [(String?, String)])
  func name(name: String?, written: String) { #expect(mailbox(name, "a@x.example") == written) }

  @Test(
    "any text comes back from its field, in lines of 78 characters",
    arguments: [
      "", "a", "Is dinner ready?", String(repeating: "word ", count: 50) + "end", "a  b   c", "tab\tand more",
      String(repeating: "a", count: 200), String(repeating: "a", count: 950),
      String(repeating: "long ", count: 1) + String(repeating: "b", count: 3000),
      String(repeating: "ä", count: 200), String(repeating: "Grüße aus Köln, ", count: 20),
      String(repeating: "日本語の件名", count: 30),
      String(repeating: "😀👩‍👩‍👧‍👦", count: 20), "=?utf-8?B?YQ==?=", "a =?b", "\u{1F600}",
      "a\u{301}" + String(repeating: "\u{301}", count: 100),
      "x" + String(repeating: " ", count: 300) + "y",
      String(repeating: " x", count: 40) + String(repeating: " ", count: 80) + "é",
    ])
  func text(text: String) throws {
    for name in ["X", "Subject", String(repeating: "N", count: 70)] {
      let written = field(text, name: name)
      let message = try #require(ParsedMessage(Array((written + "\r\n").utf8)))
      // Spaces at the ends say nothing.
      let spaced = text.replacing("\t", with: " ").drop { $0 == " " }
      let expected = String(spaced.reversed().drop { $0 == " " }.reversed())
      #expect(message.fields.count == 1)
      #expect(message.text(name) == expected || (message[name] == [""] && expected.isEmpty))
      let longest = expected.split(separator: " ").map(\.utf8.count).max() ?? 0
      for line in written.split(separator: "\r\n" as Character) {
        #expect(line.utf8.count <= (line.contains("=?utf-8?") ? 76 : max(78, longest + 72)) || longest < 2)
        #expect(line.utf8.count <= 998)
      }
    }
  }

  @Test("a subject that is encoded fills its lines")
  func lines() {
    let lines = field(String(repeating: "ü", count: 60), name: "Subject").split(
      separator: "\r\n" as Character)
    #expect(lines.count == 3)
    #expect(lines.first?.hasPrefix("Subject: =?utf-8?B?") == true)
    #expect(lines.dropFirst().allSatisfy { $0.hasPrefix(" =?utf-8?B?") && $0.hasSuffix("?=") })
  }

  @Test("a field's name is one")
  func names() {
    #expect(HeaderField(name: "X-Campaign", value: "a\r\nb") != nil)
    for name in ["", "a b", "a:", "a\r\n", "ä", String(repeating: "a", count: 77)] {
      #expect(HeaderField(name: name, value: "") == nil)
    }
  }
}
