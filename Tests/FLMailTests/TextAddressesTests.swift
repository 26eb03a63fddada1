import Testing

@testable import FLMail

/// Addresses in plain text.
@Suite struct TextAddressesTests {
  @Test(
    "Addresses are found as mail programs find them",
    arguments: [
      ("", []), ("Nothing: here, 12:30, a://", []), ("https://", []), ("https:// x", []), ("://x", []),
      ("See https://example.org/a.", ["https://example.org/a"]),
      ("HTTP://Example.org, and ftp://x.org!", ["HTTP://Example.org", "ftp://x.org"]),
      ("<https://example.org/a b>", ["https://example.org/a"]),
      ("(see https://example.org/a_(b)), or", ["https://example.org/a_(b)"]),
      ("[x](https://example.org/a)", ["https://example.org/a"]),
      ("“https://example.org/ü”…", ["https://example.org/ü"]), ("https://a.org/\u{A0}x", ["https://a.org/"]),
      ("https://a.org/?n={{FirstName|dear you}}&x=1.", ["https://a.org/?n={{FirstName|dear you}}&x=1"]),
      ("https://a.org/{{Name}}", ["https://a.org/{{Name}}"]), ("https://a.org/{{ x", ["https://a.org/{{"]),
      ("https://a.org/http://b.org/", ["https://a.org/http://b.org/"]),
      ("x.https://a.org/", ["https://a.org/"]), ("abcdefghijklmnop://a.org/", []),
      ("javascript:alert(1) vbscript:x", ["javascript:alert(1)", "vbscript:x"]),
      ("javascript: is a language; data: a lot", []), ("data:text/html,<b>", ["data:text/html"]),
      ("our data:base/", []), ("mailto:a@example.org tel:+41", []),
      ("https://a.org/\r\nhttps://b.org/", ["https://a.org/", "https://b.org/"]),
    ] as [(String, [String])])
  func addresses(text: String, expected: [String]) {
    #expect(TextAddresses.found(in: text) == expected)
  }

  @Test(
    "The time grows with the length alone",
    arguments: [
      ":", "a:", "https://", "https://a{{", "javascript:", "(", ")", "https://a/)", "data:a/", "{{",
    ])
  func hostileText(part: String) {
    let text = "https://a.org/" + String(repeating: part, count: 200_000 / part.utf8.count)
    let time = ContinuousClock().measure { _ = TextAddresses.found(in: text) }
    // Far less where nobody else is busy, and far more where it grew with the square.
    #expect(time < .seconds(10))
  }
}
