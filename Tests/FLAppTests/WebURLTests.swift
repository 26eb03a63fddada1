import FLValues
import Foundation
import Testing

@testable import FLApp

@Suite struct WebURLTests {
  @Test(
    "What could lead elsewhere than it says is refused",
    arguments: [
      "", "example.org", "//example.org/", "javascript:alert(1)", "javascript://example.org/%0Aalert(1)",
      "data:text/html,x", "ftp://example.org/", "file:///etc/passwd", "http:example.org", "http:/example.org",
      "http://", "https:///path", "https://?q", "https://#f", "https://user@example.org/",
      "https://user:pw@example.org/", "https://example.org@evil.example/",
      "https://example.org\\@evil.example/",
      "https://example.org\\.evil.example/", "https://exa mple.org/", " https://example.org/",
      "https://example.org/ ", "https://example.org/\r\nSet-Cookie: a=b", "https://example.org/\n",
      "https://example.org/\t", "https://example.org/\u{0}", "https://example.org/\u{7F}",
      "https://example.org/\u{85}", "https://example.org/\u{A0}", "https://example.org/\u{2028}",
      "https://example.org/\u{202E}gpj", "https://example.org/\u{200B}", "https://example.org/\u{FEFF}",
      "https://example.org:0/", "https://example.org:65536/", "https://example.org:/",
      "https://example.org:8x/",
      "https://example.org:-1/", "https://a..b/", "https://.example.org/", "https://./",
      "https://exa%6Dple.org/",
      "https://example.org%00.evil.example/", "https://exa<mple.org/", "https://[::1/", "https://[zz]/",
      "https://::1/", "https://[::1]x/", "https://" + String(repeating: "a", count: 64) + ".org/",
      "https://" + String(repeating: "a.", count: 127) + "org/",
      // A combining mark makes another character of the one before, and hides it from nobody.
      "https://good.example@\u{301}evil.example/", "https://good.example:\u{301}80/",
      "https\u{301}://a.example/",
      "https:/\u{301}/a.example/",
    ])
  func refused(text: String) { #expect(WebURL(text) == nil, "\(WebURL(text)?.location() ?? "")") }

  @Test(
    "What is an address is taken, and sent in ASCII",
    arguments: [
      ("https://example.org", "https://example.org"), ("HTTP://Example.ORG/A", "http://Example.ORG/A"),
      ("https://example.org?q", "https://example.org?q"), ("https://example.org#f", "https://example.org#f"),
      ("https://example.org:8443/a/../b?x=1&y=%20#f?#", "https://example.org:8443/a/../b?x=1&y=%20#f?#"),
      ("https://127.0.0.1/", "https://127.0.0.1/"),
      ("https://[2001:DB8::1]:80/", "https://[2001:db8::1]:80/"),
      ("https://a_b.example./", "https://a_b.example./"),
      ("https://bücher.example/", "https://xn--bcher-kva.example/"),
      ("https://例え.jp/", "https://xn--r8jz45g.jp/"),
      ("https://example.org/käse?q=grün#größe", "https://example.org/k%C3%A4se?q=gr%C3%BCn#gr%C3%B6%C3%9Fe"),
      ("https://example.org/\"<>^`{|}", "https://example.org/%22%3C%3E%5E%60%7B%7C%7D"),
      ("https://example.org/100%", "https://example.org/100%"),
      ("https://example.org/\u{301}a?\u{301}b#\u{301}c", "https://example.org/%CC%81a?%CC%81b#%CC%81c"),
      ("https://example.org/a?x=1&\u{301}y=2", "https://example.org/a?x=1&%CC%81y=2"),
      (
        "https://example.org/?u=https://user@evil.example/",
        "https://example.org/?u=https://user@evil.example/"
      ),
    ])
  func taken(text: String, location: String) throws {
    let url = try #require(WebURL(text))
    #expect(url.text == text)
    #expect(url.location() == location)
    #expect(url.location().utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F })
  }

  @Test(
    "Host names have the A-labels that others know",
    arguments: [
      ("b\u{fc}cher", "xn--bcher-kva"), ("B\u{DC}CHER", "xn--bcher-kva"), ("bu\u{308}cher", "xn--bcher-kva"),
      ("m\u{fc}nchen-\u{f6}st", "xn--mnchen-st-67a3d"), ("\u{4F8B}\u{3048}", "xn--r8jz45g"),
      ("\u{43F}\u{440}\u{438}\u{43C}\u{435}\u{440}", "xn--e1afmkfd"), ("\u{1F4A9}", "xn--ls8h"),
      ("\u{645}\u{62B}\u{627}\u{644}", "xn--mgbh0fb"), ("\u{FF41}\u{FF42}\u{FF43}", "abc"),
      ("\u{4F8B}\u{3002}jp", "xn--fsq.jp"), ("a.\u{fc}.c", "a.xn--tda.c"),
      ("\u{7AE0}\u{5B50}\u{6021}x\u{5DE5}", "xn--x-q71b89el5cdy7c"),
    ])
  func labels(name: String, ascii: String) {
    #expect(Punycode.ascii(name) == ascii)
    #expect(URLComponents(string: "http://\(name)/")?.encodedHost == ascii)
  }

  @Test(
    "No sign of an address comes out of the mapping",
    arguments: [
      "a\u{FF0F}b", "a\u{FF20}b", "a\u{FF1A}80", "a\u{2100}b", "a\u{FF03}b", "\u{301}a", "a\u{E000}",
      "a\u{AD}b",
    ])
  func mapping(host: String) { #expect(WebURL("https://\(host).example/") == nil) }

  @Test func isOf2048CharactersAtMost() {
    let start = "https://example.org/"
    #expect(WebURL(start + String(repeating: "ä", count: 2048 - start.count)) != nil)
    #expect(WebURL(start + String(repeating: "ä", count: 2049 - start.count)) == nil)
  }

  @Test(
    "Parameters are put into the query, and nothing else changes",
    arguments: [
      ("https://example.org", "https://example.org?utm_source=mail"),
      ("https://example.org/#f", "https://example.org/?utm_source=mail#f"),
      ("https://example.org/?", "https://example.org/?utm_source=mail"),
      ("https://example.org/?a=1&a=2&b#f", "https://example.org/?a=1&a=2&b&utm_source=mail#f"),
      ("https://example.org/?utm_source=old&a=%26", "https://example.org/?a=%26&utm_source=mail"),
      ("https://example.org/?utm%5Fsource=old", "https://example.org/?utm_source=mail"),
      ("https://example.org/?utm_source", "https://example.org/?utm_source=mail"),
      ("https://example.org/?utm_sourced=x", "https://example.org/?utm_sourced=x&utm_source=mail"),
      ("https://example.org/?a&&b", "https://example.org/?a&&b&utm_source=mail"),
      ("https://example.org/?%zz=1", "https://example.org/?%zz=1&utm_source=mail"),
      ("https://example.org/?a=1&\u{301}b", "https://example.org/?a=1&%CC%81b&utm_source=mail"),
    ])
  func adding(text: String, location: String) throws {
    #expect(
      try #require(WebURL(text)).location(adding: [QueryParameter(name: "utm_source", value: "mail")])
        == location)
  }

  @Test func valuesAreEncoded() throws {
    let url = try #require(WebURL("https://example.org/"))
    #expect(
      url.location(adding: [QueryParameter(name: "a&b", value: "c=d #ä\r\n+")])
        == "https://example.org/?a%26b=c%3Dd%20%23%C3%A4%0D%0A%2B")
  }
}
