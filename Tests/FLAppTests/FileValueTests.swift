import FLHTTP
import FLValues
import HTTPTypes
import Testing

@testable import FLApp

/// Names, types, ranges and header fields of files.
@Suite struct FileValueTests {
  @Test(
    "Names are made safe",
    arguments: [
      ("report.pdf", "report.pdf"), ("Ünïcödé 🙂.txt", "Ünïcödé 🙂.txt"), ("../../etc/passwd", "passwd"),
      ("C:\\Users\\x\\a.txt", "a.txt"), ("/", "file"), ("", "file"), (".", "file"), ("..", "file"),
      ("...", "file"),
      ("a\u{0}b\u{7}c\r\n.txt", "abc.txt"), (".htaccess", "_htaccess"), ("  a.txt  ", "a.txt"),
      ("a.txt. . .", "a.txt"),
      ("evil\u{202E}gpj.exe", "evilgpj.exe"), ("a\u{200B}b\u{FEFF}", "ab"), ("\u{2066}x\u{2069}", "x"),
      ("a<b>c:d\"e|f?g*h", "a_b_c_d_e_f_g_h"), ("CON", "_CON"), ("con.txt", "_con.txt"),
      ("nul .tar.gz", "_nul .tar.gz"),
      ("LPT9.log", "_LPT9.log"), ("COM¹", "_COM¹"), ("COM10", "COM10"), ("console", "console"),
      ("a/b\\", "b"),
      ("\u{FFFD}x\u{FFFE}", "x"), ("a\u{301}.txt", "a\u{301}.txt"), ("x.\u{E0041}y", "x.y"),
    ])
  func names(raw: String, safe: String) { #expect(FileName(raw).text == safe) }

  @Test func longNamesKeepTheirEnding() {
    let long = FileName(String(repeating: "ä", count: 300) + ".tar.gz").text
    #expect(long.utf8.count <= 255 && long.utf8.count > 250 && long.hasSuffix("ä.gz"))
    let without = FileName(String(repeating: "🙂", count: 100)).text
    #expect(without.utf8.count == 252)
    let all = FileName("a." + String(repeating: "b", count: 400)).text
    #expect(all.utf8.count == 255)
    let spaces = FileName("a" + String(repeating: " ", count: 300) + "b.txt").text
    #expect(spaces == "a.txt")
    for raw in ["a" + String(repeating: "\u{301}", count: 500), String(repeating: ".", count: 400) + "a"] {
      let name = FileName(raw)
      #expect(name.text.utf8.count <= 255 && FileName(name.text) == name)
    }
  }

  @Test func aSafeNameStaysAsItIs() {
    var random = SystemRandomNumberGenerator()
    let signs = Array("aB.. /\\\u{202E}\u{301}\"<con>nul:*?🙂\u{0}\n\u{85}é\u{FFFF}%".unicodeScalars)
    for _ in 0..<5000 {
      var scalars = String.UnicodeScalarView()
      for _ in 0..<Int.random(in: 0...12, using: &random) {
        signs.randomElement(using: &random).map { scalars.append($0) }
      }
      let name = FileName(String(scalars))
      #expect(FileName(name.text) == name, "\(String(scalars).debugDescription)")
      #expect(!name.text.isEmpty && !name.text.contains("/") && !name.text.contains("\\"))
    }
  }

  private func type(_ head: [UInt8], _ name: String = "x") -> String {
    ContentType(of: head, name: FileName(name)).text
  }
  private func type(_ head: String, _ name: String = "x") -> String { type(Array(head.utf8), name) }

  @Test func typesAreToldByContent() {
    #expect(type([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0], "a.html") == "image/png")
    #expect(type([0xFF, 0xD8, 0xFF, 0xE0]) == "image/jpeg")
    #expect(type("GIF89a..") == "image/gif")
    #expect(type("RIFF....WEBPVP8 ") == "image/webp" && type("RIFF....WAVEfmt ") == "audio/wav")
    #expect(
      type([0, 0, 0, 24] + Array("ftypavif".utf8) + [0, 0, 0, 0] + Array("mif1miaf".utf8)) == "image/avif")
    #expect(
      type([0, 0, 0, 20] + Array("ftypqt  ".utf8) + [0, 0, 0, 0] + Array("qt  ".utf8)) == "video/quicktime")
    #expect(type([0, 0, 0, 20] + Array("ftypisom".utf8) + [0, 0, 2, 0] + Array("mp41".utf8)) == "video/mp4")
    #expect(type([255, 255, 255, 255] + Array("ftyp".utf8)) == "video/mp4")
    #expect(type("%PDF-1.7") == "application/pdf" && type("%PDF-1.7").isEmpty == false)
    #expect(type([0x1F, 0x8B, 8, 0]) == "application/gzip")
    #expect(type([0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C]) == "application/x-7z-compressed")
    #expect(type(Array("Rar!".utf8) + [0x1A, 7, 0]) == "application/vnd.rar")
    #expect(type("ID3\u{4}") == "audio/mpeg" && type([0xFF, 0xFB, 0x90, 0x64]) == "audio/mpeg")
    #expect(type("OggS\u{0}\u{2}vorbis") == "audio/ogg" && type("fLaC\u{0}") == "audio/flac")
    #expect(type([0x1A, 0x45, 0xDF, 0xA3] + Array("..webm".utf8)) == "video/webm")
    #expect(type("wOF2\u{0}") == "font/woff2" && type("wOFF\u{0}") == "font/woff")
    #expect(type([0x50, 0x4B, 3, 4, 20, 0]) == "application/zip")
    let local = [UInt8]([0x50, 0x4B, 3, 4]) + [UInt8](repeating: 0, count: 26)
    #expect(type(local + Array("mimetypeapplication/epub+zipPK".utf8)) == "application/epub+zip")
    #expect(
      type(local + Array("mimetypeapplication/vnd.oasis.opendocument.textPK".utf8))
        == "application/vnd.oasis.opendocument.text")
    #expect(
      type(local + Array("[Content_Types].xml....word/document.xml".utf8))
        == "application/vnd.openxmlformats-officedocument.wordprocessingml.document")
    #expect(type([0, 0, 1, 0, 1, 0]) == "image/x-icon")
    #expect(
      type(Array("BM".utf8) + [1, 1, 0, 0, 0, 0, 0, 0, 54, 0, 0, 0, 40] + [UInt8](repeating: 0, count: 20))
        == "image/bmp")
    #expect(
      type([1, 2, 3]) == "application/octet-stream"
        && type([0xFF, 0xFE, 0x41, 0]) == "application/octet-stream")
  }

  @Test func textIsToldFromMarkup() {
    #expect(type("hello\n") == "text/plain" && type("", "a.txt") == "text/plain")
    #expect(type("a,b\n", "a.CSV") == "text/csv" && type("# x", "r.md") == "text/markdown")
    #expect(type("{}", "x.json") == "application/json" && type("BEGIN:VCALENDAR", "x.ics") == "text/calendar")
    #expect(type("BEGIN:VCARD", "x.vcf") == "text/vcard")
    for html in [
      "<!DOCTYPE html>", " \n<HTML>", "\u{FEFF}<script>alert(1)</script>", "<!-- x --><p>", "<iframe src=x>",
      "<a href=x>",
    ] {
      #expect(type(html, "a.txt") == "text/html", "\(html)")
    }
    #expect(type("<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "a.png") == "image/svg+xml")
    #expect(type("<?xml version='1.0'?>\n<svg/>") == "image/svg+xml")
    #expect(
      type("<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'/>") == "application/xhtml+xml")
    #expect(type("<?xml version='1.0'?><feed/>") == "application/xml")
    #expect(type("<3 you") == "text/plain" && type("alert(1)", "a.js") == "text/javascript")
    // A character that the sample cuts is no sign of bad text.
    var cut = [UInt8](repeating: 97, count: ContentType.sample - 1)
    cut.append(0xC3)
    #expect(type(cut) == "text/plain")
    #expect(type([0x61, 0xC3]) == "application/octet-stream")
  }

  @Test func whatCouldRunIsNeverShown() {
    for type in [
      "text/html", "application/xhtml+xml", "image/svg+xml", "application/xml", "text/javascript",
      "application/pdf", "text/css", "application/json", "text/markdown",
    ] {
      #expect(!ContentType(stored: type).mayBeShown, "\(type)")
    }
    for type in ["image/png", "image/avif", "video/mp4", "audio/ogg", "text/plain"] {
      #expect(ContentType(stored: type).mayBeShown, "\(type)")
    }
  }

  @Test(
    "Ranges",
    arguments: [
      ("bytes=0-0", 10, 0..<1), ("bytes=2-", 10, 2..<10), ("bytes=-3", 10, 7..<10), ("bytes=-30", 10, 0..<10),
      ("BYTES= 5 - 99", 10, 5..<10), ("bytes=9-9", 10, 9..<10),
      ("bytes=0-99999999999999999999999", 10, 0..<10),
      ("bytes=10-", 10, nil), ("bytes=99999999999999999999999-", 10, nil), ("bytes=-0", 10, nil),
      ("bytes=0-", 0, nil),
      ("bytes=-1", 0, nil),
    ] as [(String, Int, Range<Int>?)])
  func ranges(text: String, size: Int, range: Range<Int>?) throws {
    #expect(try #require(ByteRange(text)).within(size) == range)
  }

  @Test(
    "What is no single range is passed over",
    arguments: [
      "", "bytes", "bytes=", "bytes=-", "bytes=5-2", "bytes=0-1,3-4", "items=0-1", "bytes=a-b", "bytes=0x1-2",
      "bytes=1-2-3", "bytes=--1", "bytes=+1-2",
    ])
  func noRanges(text: String) { #expect(ByteRange(text) == nil) }

  private func file(_ name: String) -> StoredFile {
    StoredFile(
      id: FileID(at: .now), name: FileName(name), contentType: ContentType(stored: "image/png"), size: 1,
      sha256: [],
      version: 1, createdAt: .now, updatedAt: .now)
  }

  private func disposition(_ name: String) -> String {
    FileDelivery.disposition(file(name), asAttachment: true)
  }

  @Test func onlyWhatIsPublicIsShownByOtherOrigins() throws {
    // What the client has already needs no bytes.
    let request = Request(path: "/x", headers: [.ifNoneMatch: "*"])
    let delivery = FileDelivery(store: FileStore(directory: "/nowhere"), accel: nil)
    for (isPublic, policy) in [(true, "cross-origin"), (false, "same-origin")] {
      let response = try delivery.respond(file("a.png"), to: request, asAttachment: false, isPublic: isPublic)
      #expect(response.status == 304 && response.headers[.resourcePolicy] == policy)
      #expect(response.headers[.contentDisposition] == "inline; filename=\"a.png\"")
    }
  }

  @Test func namesTravelInHeaderFields() {
    #expect(disposition("a b.txt") == "attachment; filename=\"a b.txt\"")
    #expect(disposition("naïve.txt") == "attachment; filename=\"na_ve.txt\"; filename*=UTF-8''na%C3%AFve.txt")
    #expect(disposition("a\";x=\r\ny") == "attachment; filename=\"a_;x=y\"")
    #expect(disposition("50%.txt") == "attachment; filename=\"50_.txt\"; filename*=UTF-8''50%25.txt")
  }
}
