import Testing

@testable import FLMail

@Suite("Plain text of HTML") struct PlainTextTests {
  @Test(
    "blocks, lists, links and cells",
    arguments: [
      ("", ""), ("  \n ", ""), ("a  b\n c", "a b c\n"), ("<p>a</p><p>b</p>", "a\n\nb\n"),
      ("a<p>b<p>c", "a\n\nb\n\nc\n"),
      ("<h1>T</h1>x<h2>U</h2>y", "T\n\nx\n\nU\n\ny\n"), ("a<br>b<br/><br>c<br><br><br>d", "a\nb\n\nc\n\nd\n"),
      ("<div>a</div><div>b</div>", "a\nb\n"), ("a<b>b</b>c", "abc\n"), ("a <b> b</b>", "a b\n"),
      ("x<ul><li>a<li>b</ul>y", "x\n\n- a\n- b\n\ny\n"), ("<ol><li>a</li><li>b</li></ol>", "1. a\n2. b\n"),
      ("<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>", "- a\n  - b\n- c\n"),
      ("<ul><li><p>a</p><p>b</p></li></ul>", "- a\n\n  b\n"), ("<li>a<li>b", "- a\n- b\n"),
      ("<a href='https://x.example/'>here</a>.", "here <https://x.example/>.\n"),
      ("<a href='https://x.example/'>https://x.example</a>.", "https://x.example.\n"),
      ("<a href='https://x.example/'>x.example</a>", "x.example\n"),
      ("<a href='mailto:a@b.example'>a@b.example</a>", "a@b.example\n"),
      ("<a href='mailto:a@b.example'>write</a>", "write <mailto:a@b.example>\n"),
      ("<a href='https://x.example/'><img src=y></a>", "<https://x.example/>\n"),
      ("<a href='https://x.example/'><img src=y alt='A &amp; B'></a>", "A & B <https://x.example/>\n"),
      ("<a href='#a'>b</a><a href=javascript:x>c</a><a name=d>e</a>", "bce\n"),
      ("<a href='{{UnsubscribeUrl}}'>Stop</a>", "Stop <{{UnsubscribeUrl}}>\n"),
      ("<a href='https://x.example/?a=<b c&gt;'>d</a>", "d <https://x.example/?a=bc>\n"),
      ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td><td></td><td>d</td></tr></table>", "a  b\nc  d\n"),
      ("<blockquote><p>a<p>b</blockquote>c", "> a\n\n> b\n\nc\n"),
      ("a<hr>b", "a\n\n----------------------------------------\n\nb\n"),
      ("<pre>a\n  b\n</pre>c", "a\nb\n\nc\n"),
      ("<style>a{}</style><script>b</script><title>c</title><!-- d --><textarea>e</textarea>f", "f\n"),
      ("<div style='DISPLAY : none'>a<div>b</div>c</div>d<span hidden>e</span>", "d\n"),
      ("<!--[if mso]>a<![endif]--><!--[if !mso]><!-->b<!--<![endif]-->", "b\n"),
      ("&eacute;&nbsp;&nbsp;&#8364;&hellip;&lt;b&gt;&bogus;", "é €…<b>&bogus;\n"),
      ("a&#8203;b&shy;c&zwnj;&nbsp;&zwnj; d", "abc\u{200C} d\n"),
      ("&#123;&#123;Name}} {&#123;x", "{ {Name}} { {x\n"),
    ])
  func text(source: String, expected: String) { #expect(HTMLBody(source).plainText == expected) }

  @Test("lines are wrapped at 78 characters, but no address and no placeholder is broken")
  func wrapped() throws {
    let words = String(repeating: "Wörter und ", count: 60)
    let url = "https://x.example/" + String(repeating: "a", count: 120)
    let text = HTMLBody("<ul><li>\(words)<a href='\(url)'>x</a> {{FirstName | my dear friend}} \(words)</ul>")
      .plainText
    let lines = text.split(separator: "\n")
    #expect(lines.count > 15)
    for line in lines {
      #expect(line.count <= 78 || line == "  <\(url)>")
      #expect(line.hasPrefix("  ") || line.hasPrefix("- "))
    }
    #expect(lines.contains { $0 == "  <\(url)>" })
    #expect(text.contains("{{FirstName | my dear friend}}"))
    #expect(try render(text, .text, PlaceholderValues(firstName: "Anna")).contains("Anna"))
  }

  @Test("the text is read again with the same placeholders, escaped as its addresses want it")
  func placeholders() throws {
    let text = HTMLBody(
      "<p>Hi {{FirstName|a <b>}}<p><a href='https://x.example/?n={{Name}}&amp;m'>go {{Name}}</a>"
    ).plainText
    #expect(text == "Hi {{FirstName|a <b>}}\n\ngo {{Name}} <https://x.example/?n={{Name}}&m>\n")
    #expect(
      try render(text, .text, PlaceholderValues(name: "A & B"))
        == "Hi a <b>\n\ngo A & B <https://x.example/?n=A%20%26%20B&m>\n")
  }

  @Test("deep nesting indents no further than eight times")
  func deep() {
    let source = String(repeating: "<ul><li>", count: 100) + "a"
    #expect(HTMLBody(source).plainText.count < 40)
    let quoted =
      String(repeating: "<blockquote>", count: 100) + "a" + String(repeating: "</blockquote>", count: 200)
      + "b"
    #expect(HTMLBody(quoted).plainText == String(repeating: "> ", count: 8) + "a\n\nb\n")
  }
}
