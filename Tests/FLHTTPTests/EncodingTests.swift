import Testing

@testable import FLHTTP

struct EncodingTests {
  @Test(arguments: [
    ("", ""), ("abc", "abc"), ("%41%62", "Ab"), ("a+b", "a+b"), ("%C3%a9", "é"), ("%2F%25", "/%"),
    ("%00", "\0"),
  ])
  func decodes(encoded: String, text: String) { #expect(PercentEncoding.decodeText(encoded) == text) }

  @Test(arguments: ["%", "%4", "a%", "%zz", "%4g", "%%41", "%+1", "%C3", "%C0%AF", "%ED%A0%80", "%FF"])
  func refuses(encoded: String) { #expect(PercentEncoding.decodeText(encoded) == nil) }

  @Test func encodesAllButUnreservedCharacters() {
    #expect(PercentEncoding.encode("aZ09-._~ /?&=+%é") == "aZ09-._~%20%2F%3F%26%3D%2B%25%C3%A9")
    let text = String(String.UnicodeScalarView((0..<0x800).compactMap { Unicode.Scalar(UInt32($0)) }))
    #expect(PercentEncoding.decodeText(PercentEncoding.encode(text)) == text)
  }

  @Test func readsFormValues() {
    let form = FormValues(reading: "a=1&b=x+y%2B&&c&d=&e=1=2&a=3&%66=%zz&%zz=1&=v")
    #expect(form.pairs.map(\.name) == ["a", "b", "c", "d", "e", "a", "f", "%zz", ""])
    #expect(form.pairs.map(\.value) == ["1", "x y+", "", "", "1=2", "3", nil, "1", "v"])
    #expect(form["a"] == "1")
    #expect(form["f"] == nil)
    #expect(form["none"] == nil)
    #expect(FormValues(reading: "").pairs.isEmpty)
    #expect(FormValues(reading: "&&").pairs.isEmpty)
  }
}
