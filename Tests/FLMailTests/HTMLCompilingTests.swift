import Testing

@testable import FLMail

@Suite("HTML with placeholders and tracked links") struct HTMLCompilingTests {
  @Test("a value is text wherever it stands")
  func injection() throws {
    let hostile = #"<img src=x onerror=alert(1)>"' --></title></style>`=&"#
    let values = PlaceholderValues(
      name: hostile, firstName: "javascript:alert(1)", lastName: "b", company: "https://c.example/?a=1&b='",
      unsubscribeURL: "https://u.example/?a&b")
    let escaped = "&lt;img src=x onerror=alert(1)&gt;&quot;&#39; --&gt;&lt;/title&gt;&lt;/style&gt;`=&amp;"
    func html(_ source: String) throws -> String { try render(source, .html, values) }

    #expect(try html("<p>{{Name}}</p>") == "<p>\(escaped)</p>")
    #expect(try html(#"<p title="{{Name}}">"#) == #"<p title="\#(escaped)">"#)
    #expect(try html("<title>{{Name}}</title>") == "<title>\(escaped)</title>")
    // Where white space ends a value, nothing but letters and digits stands as it is.
    let bare = try html("<p title={{Name}}>")
    #expect(bare.hasPrefix("<p title=&#60;img&#32;src&#61;x&#32;onerror&#61;alert&#40;1&#41;&#62;"))
    #expect(try html("<p {{Name}}>").hasPrefix("<p &#60;img&#32;src&#61;x"))
    #expect(!(try html("<!-- {{Name}} -->")).dropLast(3).contains("-->"))
    // What is no tag in the source is none with a letter behind the bracket.
    #expect(try html("mail <{{LastName}}> or <{{Email|img src=x}}>") == "mail &lt;b> or &lt;img src=x>")
    #expect(try html("a <</{{LastName}}>") == "a <</b>")
    for place in [
      "<style>{{Name}}</style>", "<p style='{{Name}}'>", "<p onclick=\"{{Name}}\">",
      "<iframe srcdoc='{{Name}}'>",
    ] {
      #expect(try html(place).contains("%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E"))
    }
    // Of an address a value is never the scheme.
    for source in [
      "<a href='{{FirstName}}'>", "<a href=\"{{FirstName}}\">", "<img src={{FirstName}}>",
      "<form action=' {{FirstName}} '>",
    ] {
      #expect(try html(source).contains("javascript%3Aalert%281%29"))
    }
    #expect(try html("<a href='{{FirstName}}#'>") == "<a href='javascript%3Aalert%281%29#'>")
    #expect(try html("<a href='{{Company}}'>") == "<a href='https://c.example/?a=1&amp;b=&#39;'>")
    #expect(try html("<a href='{{Company}}x'>") == "<a href='https%3A%2F%2Fc.example%2F%3Fa%3D1%26b%3D%27x'>")
    #expect(try html("<a href=\"{{UnsubscribeUrl}}\">") == "<a href=\"https://u.example/?a&amp;b\">")
    #expect(try html("<a href='{{LastName|\"'>}}'>{{Email|\"'>}}") == "<a href='b'>&quot;&#39;&gt;")
    #expect(
      try html("<!--[if mso]><v:rect href=\"{{FirstName}}\">{{Name}}<![endif]-->")
        == "<!--[if mso]><v:rect href=\"javascript%3Aalert%281%29\">\(escaped)<![endif]-->")
  }

  @Test("what has no placeholder stays byte for byte")
  func untouched() throws {
    let source =
      "<!DOCTYPE html>\r\n<a href=\"https://a.example/?b&c\">é &amp; </a ><br/><p x='\"'>< {a} <![CDATA["
    #expect(try render(source, .html, PlaceholderValues()) == source)
    #expect(try PlaceholderText(source, in: .html).pieces == [.literal(Array(source.utf8))])
  }

  @Test("the addresses that are tracked are numbered, and each is asked for once")
  func tracked() throws {
    let source = """
      <a href="https://a.example/?x=1&amp;y=2">1</a><a href=HTTP://b.example/>2</a><a class=c href='https://a.example/?x=1&#38;y=2'>3</a>
      <a href="mailto:x@y.example">4</a><a href="#top">5</a><a href="tel:1">6</a><a href="/relative">7</a>
      <a href="{{UnsubscribeUrl}}">8</a><a href="https://c.example/?n={{ FirstName | a&amp;b }}">9</a>
      <a href="https://c.example/?u={{UnsubscribeUrl}}">10</a><a href="https://not.example/">11</a>
      <img src="https://a.example/?x=1&amp;y=2"><a href="{{Company}}">12</a>
      <!--[if mso]><a href="https://a.example/?x=1&amp;y=2">13</a><![endif]-->
      """
    var asked: [String] = []
    let html = try HTMLBody(source).compiled { url in
      asked.append(url)
      return url != "https://not.example/"
    }
    let tracked = [
      "https://a.example/?x=1&y=2", "HTTP://b.example/", "https://c.example/?n={{ FirstName | a&amp;b }}",
    ]
    try #require(html.links == tracked)
    #expect(asked == tracked + ["https://not.example/"])
    let values = PlaceholderValues(
      firstName: "Jo Ü", company: "https://d.example/", unsubscribeURL: "https://u.example/",
      links: ["https://l.example/0?s=\"&'", "https://l.example/1", "https://l.example/2"])
    let first = "\"https://l.example/0?s=&quot;&amp;&#39;\""
    #expect(
      html.text.rendered(values) == """
        <a href=\(first)>1</a><a href="https://l.example/1">2</a><a class=c href=\(first)>3</a>
        <a href="mailto:x@y.example">4</a><a href="#top">5</a><a href="tel:1">6</a><a href="/relative">7</a>
        <a href="https://u.example/">8</a><a href="https://l.example/2">9</a>
        <a href="https://c.example/?u=https%3A%2F%2Fu.example%2F">10</a><a href="https://not.example/">11</a>
        <img src="https://a.example/?x=1&amp;y=2"><a href="https://d.example/">12</a>
        <!--[if mso]><a href=\(first)>13</a><![endif]-->
        """)
    let third = try PlaceholderText(html.links[2], in: .url)
    #expect(third.rendered(values) == "https://c.example/?n=Jo%20%C3%9C")
    #expect(html.text.rendered(PlaceholderValues()).contains("<a href=\"#\">1</a>"))
  }

  @Test("braces that are references begin no placeholder in a tracked address")
  func braces() throws {
    let html = try HTMLBody("<a href='https://x.example/&#123;&#123;Nick}}'>").compiled { _ in true }
    try #require(html.links == ["https://x.example/{%7BNick}}"])
    #expect(throws: Never.self) { try PlaceholderText(html.links[0], in: .url) }
  }

  @Test(
    "the picture stands at the end and the preview at the start of what is shown",
    arguments: [
      (
        "<html><head></head><body class=a>x</body></html>",
        "<html><head></head><body class=a>PxO</body></html>"
      ),
      ("x", "PxO"), ("", "PO"), ("<!DOCTYPE html><p>x", "<!DOCTYPE html>P<p>xO"),
      ("<html><head><title>t</title></head>x</html>", "<html><head><title>t</title></head>PxO</html>"),
      ("<body>a</body>b</body>", "<body>Pa</body>bO</body>"), ("<body>", "<body>PO"),
      ("<!--<body>--><body>x", "<!--<body>--><body>PxO"), ("</body>", "PO</body>"),
    ])
  func inserted(source: String, result: String) throws {
    let html = try HTMLBody(source).compiled(previewText: "Hi <{{FirstName}}> & all", tracksOpens: true) {
      _ in true
    }
    let image = #"<img src="https://o.example/?a&amp;b" width="1" height="1" alt="" style="border:0">"#
    let rendered = html.text.rendered(PlaceholderValues(firstName: "<b>", openURL: "https://o.example/?a&b"))
    let start = #"<div style="display:none;"#
    let end = "mso-hide:all\">Hi &lt;&lt;b&gt;&gt; &amp; all</div>"
    #expect(rendered.contains(start) && rendered.contains(end) && rendered.contains(image))
    var short = rendered.replacing(image, with: "O")
    if let from = short.firstRange(of: start), let to = short.firstRange(of: end) {
      short.replaceSubrange(from.lowerBound..<to.upperBound, with: "P")
    }
    #expect(short == result)
    #expect(!html.text.rendered(PlaceholderValues()).contains("<img"))
    let bare = try HTMLBody(source).compiled(previewText: " \n") { _ in true }
    #expect(bare.text.rendered(PlaceholderValues()) == source)
  }

  @Test("problems of body and preview are told together")
  func problems() {
    let failure = #expect(throws: PlaceholderText.Failure.self) {
      try HTMLBody("{{A}}").compiled(previewText: "{{B}} {{A}}") { _ in true }
    }
    #expect(failure?.problems == [.unknown("A"), .unknown("B")])
    #expect(HTMLBody("{{A}}").problems == [.unknown("A")])
  }
}
