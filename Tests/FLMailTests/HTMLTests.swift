import Testing

@testable import FLMail

@Suite("HTML") struct HTMLTests {
  /// The tokens in short: `<a>`, `</a>`, `text`, `!comment`, `=raw`.
  private func tokens(_ source: String) -> [String] {
    let bytes = Array(source.utf8)
    return HTMLTokens(bytes).map { token in
      let text = String(decoding: bytes[token.range], as: UTF8.self)
      let short =
        switch token.kind {
        case .text: text
        case .rawText: "=" + text
        case .comment: "!" + text
        case .endTag: "</\(token.name)>"
        case .startTag:
          "<"
            + ([token.name]
            + token.attributes.map { attribute in
              let value = String(decoding: bytes[attribute.value], as: UTF8.self)
              return attribute.whole.isEmpty ? attribute.name : "\(attribute.name)=\(value)"
            }).joined(separator: " ") + ">"
        }
      return token.isConditional ? "?" + short : short
    }
  }

  @Test(
    "the tokens are those of the standard",
    arguments: [
      ("a<b>c</b >d", ["a", "<b>", "c", "</b>", "d"]),
      (#"<A HREF="x>y" b='"' c=d/e f g = h>"#, [#"<a href=x>y b=" c=d/e f g=h>"#]),
      ("<br/><img src=a/>", ["<br>", "<img src=a/>"]), ("a < b <3 <", ["a ", "< b ", "<3 ", "<"]),
      ("<!-- <b> --><!--><b><!--->", ["!<!-- <b> -->", "!<!-->", "<b>", "!<!--->"]),
      ("<!--a--!>b<!--c", ["!<!--a--!>", "b", "!<!--c"]), ("<!DOCTYPE html>x", ["!<!DOCTYPE html>", "x"]),
      ("<?php ?></ x><![CDATA[a]]>", ["!<?php ?>", "!</ x>", "!<![CDATA[a]]>"]),
      (
        "<script>a<b></scriptx></SCRIPT >c", ["<script>", "=a<b></scriptx>", "</script>", "c"]
      ),
      ("<style></style><title>a<b></title>", ["<style>", "</style>", "<title>", "a<b>", "</title>"]),
      ("<style>a", ["<style>", "=a"]), ("<a href='x", ["!<a href='x"]), ("<a", ["!<a"]), ("</", ["</"]),
      ("<a =b=c \"d>", ["<a =b=c \"d>"]),
      (
        "a<!--[if mso]><a href=x>b</a><![endif]-->c",
        ["a", "!<!--[if mso]>", "?<a href=x>", "?b", "?</a>", "?!<![endif]", "!-->", "c"]
      ),
      (
        "<!--[if !mso]><!--><b>x</b><!--<![endif]-->",
        ["!<!--[if !mso]>", "?!<!", "!-->", "<b>", "x", "</b>", "!<!--<![endif]-->"]
      ),
      ("<!--[if a]><style>b--><i>", ["!<!--[if a]>", "?<style>", "?=b", "!-->", "<i>"]),
    ])
  func tokens(source: String, expected: [String]) { #expect(tokens(source) == expected) }

  @Test(
    "tokens are the whole source in order, and hostile sources take no longer",
    arguments: [
      "<", "<a", "<a ", "<a href=", "<a href='", "</", "<!--", "<!--[if a]>", "<!-", "<title>", "<script>",
      "</script",
      "<style></styl", "&", "&#", "&#x", "&amp", "<a b=c ", "\0", "<!--[if a]><!--", "=\"",
      "<a href=\"&#123;{", "-->", "<li>",
      "<blockquote>", "<ul><li>", "<a href=http://a>", "<div style=display:none>", "<pre>\n", "{{Name",
      "<a {{Name}}=",
    ])
  func hostile(piece: String) {
    let source = String(repeating: piece, count: 200_000 / piece.utf8.count)
    let time = ContinuousClock().measure {
      var position = 0
      for token in HTMLTokens(Array(source.utf8)) {
        #expect(token.range.lowerBound == position && !token.range.isEmpty)
        position = token.range.upperBound
      }
      #expect(position == source.utf8.count)
      let body = HTMLBody(source)
      _ = body.plainText
      _ = try? body.compiled(previewText: "x", tracksOpens: true) { _ in true }
    }
    #expect(time < .seconds(20))
  }

  @Test("any cut of a source is read")
  func cuts() {
    let source = Array(
      "<!DOCTYPE html><!--[if mso]><a href='&#120;'><![endif]--><body onload=a><p>&eacute;<a href=\"https://x.example/{{Name|ü}}\">é</a><script>b</script>"
        .utf8)
    for end in source.indices {
      let body = HTMLBody(String(decoding: source[..<end], as: UTF8.self))
      _ = body.plainText
      _ = try? body.compiled { _ in true }
    }
  }

  @Test("links and pictures are found with their decoded addresses")
  func addresses() throws {
    let source = """
      <a href="https://a.example/?b=1&amp;c=2">x</a><AREA HREF=/d><a name=e><img src=' f.png '>
      <a href="ht\ntps://&#x41;&lt;{{Name|&amp;}}">y</a><!--<a href=no>--><title><a href=no></title>
      <!--[if mso]><a href=m></a><![endif]--><a href="?a=1&copy=2&reg;&notin;&unknown;">
      """
    let body = HTMLBody(source)
    try #require(
      body.links.map(\.url) == [
        "https://a.example/?b=1&c=2", "/d", "https://A<{{Name|&amp;}}", "m", "?a=1&copy=2®∉&unknown;",
      ])
    #expect(body.links.map(\.isConditional) == [false, false, false, true, false])
    #expect(body.images.map(\.url) == ["f.png"])
    #expect(Array(source.utf8)[body.links[0].range].elementsEqual("https://a.example/?b=1&amp;c=2".utf8))
  }

  @Test(
    "what mail programs drop is named",
    arguments: [
      ("<p style='a'>x <a href=https://x>", []), ("<SCRIPT>", [.script]), ("<b onClick=x>", [.eventHandler]),
      ("<a href='java\nscript:x'>", [.scriptURL]), ("<a href=' &#106;avascript:x'>", [.scriptURL]),
      ("<img src=data:image/png,x>", []), ("<iframe src=data:text/html,x>", [.scriptURL, .embedded]),
      ("<form><input>", [.form]), ("<object>", [.embedded]), ("<link rel=x><base>", [.external]),
      ("<meta http-equiv=Refresh>", [.external]), ("<meta charset=utf-8>", []), ("<video>", [.media]),
      ("<!-- <script> -->", []), ("<b on=x>", []),
    ] as [(String, Set<HTMLBody.Warning>)])
  func warnings(source: String, warnings: Set<HTMLBody.Warning>) {
    #expect(HTMLBody(source).warnings == warnings)
  }

  @Test(
    "character references",
    arguments: [
      ("&amp;&lt;&GT;", "&<&GT;"), ("&eacute;&eacute", "éé"),
      ("&hellip;&euro;&Omega;&hearts;&apos;", "…€Ω♥'"),
      ("&#65;&#x42;&#X43", "ABC"),
      ("&#0;&#xD800;&#x110000;&#99999999999;", "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}"),
      ("&#128;&#150;", "€–"), ("&;&#;&#x;& &x", "&;&#;&#x;& &x"), ("&ampx", "&ampx"), ("&copy=1", "&copy=1"),
    ])
  func references(source: String, result: String) {
    let decoded = CharacterReference.decodedAttribute(Array(source.utf8)[...])
    #expect(String(decoding: decoded, as: UTF8.self) == result)
  }
}
