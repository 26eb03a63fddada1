import Testing

@testable import FLMail

/// What `source` becomes as a text of this kind.
func render(_ source: String, _ place: PlaceholderText.Place, _ values: PlaceholderValues) throws -> String {
  try PlaceholderText(source, in: place).rendered(values)
}

@Suite("Placeholders") struct PlaceholderTests {
  private let anna = PlaceholderValues(
    name: "Anna Berg", email: "anna@example.org", firstName: "Anna", lastName: "Berg",
    company: "Berg & Söhne",
    unsubscribeURL: "https://l.example/u?a=1&b=2")

  @Test(
    "a value stands for its placeholder, a fallback for a value that is missing",
    arguments: [
      ("Hi {{FirstName}}!", "Hi Anna!"), ("{{ FirstName }}{{LastName}}", "AnnaBerg"),
      ("{{Name|x}}", "Anna Berg"),
      ("{{\n\tEmail\n}}", "anna@example.org"), ("{{Company}}", "Berg & Söhne"),
      ("{ {FirstName} } }}", "{ {FirstName} } }}"),
      ("{", "{"), ("a{{FirstName}", nil), ("{{UnsubscribeUrl}}", "https://l.example/u?a=1&b=2"), ("", ""),
    ] as [(String, String?)])
  func value(source: String, result: String?) throws {
    guard let result else {
      #expect(throws: PlaceholderText.Failure.self) { try render(source, .text, anna) }
      return
    }
    #expect(try render(source, .text, anna) == result)
  }

  @Test(
    "a fallback is used for nil and for what is blank",
    arguments: [nil, "", " ", "\t\r\n", "\u{A0}\u{3000}"] as [String?])
  func fallback(name: String?) throws {
    let values = PlaceholderValues(firstName: name)
    #expect(try render("Hi {{FirstName|there}},", .text, values) == "Hi there,")
    #expect(try render("Hi {{ FirstName | my dear }},", .text, values) == "Hi my dear,")
    #expect(try render("Hi {{FirstName}},", .text, values) == "Hi ,")
    #expect(try render("Hi {{FirstName|}},", .text, values) == "Hi ,")
    #expect(try render("{{FirstName|<b> & \"c\"}}", .html, values) == "&lt;b&gt; &amp; &quot;c&quot;")
    #expect(try render("{{FirstName|a|b}}", .text, values) == "a|b")
  }

  @Test("a refusal names everything that is wrong, each thing once")
  func failure() throws {
    let source =
      "{{Nick}} {{FirstName}} {{firstname|x}} {{Nick}} {{ }} {{Name {{Email}} {{#if}} {{Très}} {{Name"
    for place in [PlaceholderText.Place.text, .html, .header, .url] {
      let failure = #expect(throws: PlaceholderText.Failure.self) { try PlaceholderText(source, in: place) }
      #expect(
        failure?.problems == [
          .unknown("Nick"), .unknown("firstname"), .malformed("{{ }}"), .malformed("{{Name "),
          .malformed("{{#if}}"), .unknown("Très"), .malformed("{{Name"),
        ])
      #expect(failure?.description.contains("{{Nick}} is no placeholder.") == true)
    }
    #expect(throws: PlaceholderText.Failure.self) { try PlaceholderText("{{{Name}}}", in: .text) }
    #expect(throws: PlaceholderText.Failure.self) { try PlaceholderText("{{Name|a {{Email}} b}}", in: .text) }
  }

  @Test("hostile sources take no longer than others")
  func hostile() {
    for source in ["{{", "{{a", "{", "}}", "{{Name|", "{{x}}", "{{ü"] {
      let text = String(repeating: source, count: 200_000)
      let time = ContinuousClock().measure { _ = try? PlaceholderText(text, in: .text) }
      #expect(time < .seconds(10))
      #expect(PlaceholderScan(Array(text.utf8)).problems.count <= 50)
    }
  }

  @Test("a value is never expanded, in itself or together with the text around it")
  func once() throws {
    let values = PlaceholderValues(
      name: "{{Email}}", email: "secret@example.org", firstName: "{", lastName: "Email}}",
      company: "{{Name|x}}")
    for place in [PlaceholderText.Place.text, .header, .html] {
      #expect(try render("{{Name}}", place, values) == "{{Email}}")
      #expect(try render("{{FirstName}}{{FirstName}}{{LastName}}", place, values) == "{{Email}}")
      #expect(try render("{{Company}}", place, values) == "{{Name|x}}")
    }
  }

  @Test("no control character comes through in a header")
  func header() throws {
    let values = PlaceholderValues(name: "a\r\nBcc: x@y\u{0}\u{85}\u{2028}\u{7F}ö", company: "\n")
    #expect(try render("To {{Name}}\r\n{{Company|\r}}b", .header, values) == "To a  Bcc: x@y    ö  b")
    #expect(try render("{{Name|a\nb}}", .header, PlaceholderValues()) == "a b")
  }

  @Test("in an address values are percent-encoded")
  func address() throws {
    let url = "https://example.org/?n={{FirstName|you & me}}&c={{Company}}"
    #expect(try render(url, .url, anna) == "https://example.org/?n=Anna&c=Berg%20%26%20S%C3%B6hne")
    #expect(try render(url, .url, PlaceholderValues()) == "https://example.org/?n=you%20%26%20me&c=")
    #expect(try render("{{UnsubscribeUrl}}", .url, anna) == "https://l.example/u?a=1&b=2")
    #expect(
      try render("https://x.example/?u={{UnsubscribeUrl}}", .url, anna)
        == "https://x.example/?u=https%3A%2F%2Fl.example%2Fu%3Fa%3D1%26b%3D2")
    let site = PlaceholderValues(name: "HTTPS://a.example/?b=c&d", company: "javascript:alert(1)")
    #expect(try render("{{Name}}", .url, site) == "HTTPS://a.example/?b=c&d")
    #expect(try render("{{Company}}", .url, site) == "javascript%3Aalert%281%29")
    #expect(try render("{{Name}}", .url, PlaceholderValues(name: "https://a b")) == "https%3A%2F%2Fa%20b")
    #expect(
      try render("see (https://a.example/{{Company}}) {{Company}}", .text, anna)
        == "see (https://a.example/Berg%20%26%20S%C3%B6hne) Berg & Söhne")
  }

  @Test("a text tells which placeholders it has, and a literal one has none")
  func contents() throws {
    #expect(
      try PlaceholderText("{{Name}} {{UnsubscribeUrl}}", in: .html).placeholders == [.name, .unsubscribeURL])
    let literal = PlaceholderText(literal: "{{Name}}\r\n", in: .header)
    #expect(literal.placeholders.isEmpty)
    #expect(literal.rendered(anna) == "{{Name}}  ")
  }
}
