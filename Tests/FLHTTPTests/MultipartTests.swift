import Testing

@testable import FLHTTP

/// Forms with files, taken apart while they come.
@Suite struct MultipartTests {
  struct Seen: Equatable {
    let part: MultipartReader.Part
    var bytes: [UInt8] = []
    var isWhole = false
  }

  /// The parts of a body that is pushed in these pieces.
  private func parts(
    _ pieces: [[UInt8]], boundary: String = "xyz", mostParts: Int = 100
  ) throws -> [Seen] {
    var reader = try MultipartReader(
      contentType: "multipart/form-data; boundary=\"\(boundary)\"", mostParts: mostParts)
    var seen: [Seen] = []
    for piece in pieces {
      try piece.withUnsafeBytes { piece in
        try reader.push(piece) { event in
          let last = seen.indices.last
          switch event {
          case .part(let part): seen.append(Seen(part: part))
          case .bytes(let bytes):
            #expect(seen.last?.isWhole == false && !bytes.isEmpty)
            if let last { seen[last].bytes += bytes }
          case .end:
            #expect(last != nil)
            if let last { seen[last].isWhole = true }
          }
        }
      }
    }
    try reader.finish()
    return seen
  }

  private func parts(_ body: String, boundary: String = "xyz", mostParts: Int = 100) throws -> [Seen] {
    try parts([Array(body.utf8)], boundary: boundary, mostParts: mostParts)
  }

  private func one(_ disposition: String) throws -> MultipartReader.Part {
    try #require(
      try parts("--xyz\r\nContent-Disposition: \(disposition)\r\n\r\nv\r\n--xyz--\r\n").first
    ).part
  }

  private func refusal(_ body: () throws -> Void) -> Problem? {
    do {
      try body()
      return nil
    } catch {
      return error as? Problem
    }
  }

  /// A body with everything in it that could be taken for a boundary.
  private let nasty: [UInt8] =
    Array("preamble\r\n--xy\r\n--xyz \t\r\n".utf8)
    + Array("Content-Disposition: form-data; name=\"a\"\r\n\r\n".utf8)
    + Array("\r\n--xy\r\r\n\r\n--\r\n--x--xyz\r\r\n-".utf8)
    + Array(
      "\r\n--xyz\r\nContent-Disposition: form-data;\r\n name=file; filename=\"f\"\r\ncontent-type: a/b\r\n\r\n"
        .utf8)
    + [0, 13, 10, 45, 255, 13, 10, 45, 45, 120, 121, 13, 10, 45, 45]
    + Array(
      "\r\n--xyz\r\nContent-Disposition: form-data; name=empty\r\n\r\n\r\n--xyz--\r\n--xyz\r\nepilogue".utf8)

  @Test func everySplitGivesTheSameParts() throws {
    let whole = try parts([nasty])
    try #require(whole.map(\.part.name) == ["a", "file", "empty"])
    #expect(whole.map(\.isWhole) == [true, true, true])
    #expect(String(decoding: whole[0].bytes, as: UTF8.self) == "\r\n--xy\r\r\n\r\n--\r\n--x--xyz\r\r\n-")
    #expect(whole[1].bytes == [0, 13, 10, 45, 255, 13, 10, 45, 45, 120, 121, 13, 10, 45, 45])
    #expect(whole[1].part.fileName == "f" && whole[1].part.contentType == "a/b" && whole[2].bytes.isEmpty)
    for first in 0...nasty.count {
      #expect(try parts([Array(nasty[..<first]), Array(nasty[first...])]) == whole, "\(first)")
    }
    for size in 1...40 {
      let pieces = stride(from: 0, to: nasty.count, by: size).map {
        Array(nasty[$0..<min($0 + size, nasty.count)])
      }
      #expect(try parts(pieces) == whole, "\(size)")
    }
    var random = SystemRandomNumberGenerator()
    for _ in 0..<500 {
      var rest = nasty[...]
      var pieces: [[UInt8]] = []
      while !rest.isEmpty {
        let count = Int.random(in: 0...25, using: &random)
        pieces.append(Array(rest.prefix(count)))
        rest = rest.dropFirst(count)
      }
      #expect(try parts(pieces) == whole)
    }
  }

  @Test func randomContentComesBackAsItWas() throws {
    var random = SystemRandomNumberGenerator()
    for round in 0..<300 {
      let boundary = String(
        (0..<Int.random(in: 1...70)).map { _ in Character(["-", "a"].randomElement() ?? "-") })
      let delimiter = "\r\n--" + boundary
      var content: [UInt8] = []
      while content.count < Int.random(in: 0...400, using: &random) {
        content += Array(delimiter.utf8.prefix(Int.random(in: 0..<delimiter.utf8.count)))
        if Bool.random() { content.append(UInt8.random(in: 0...255)) }
      }
      // What by chance holds the delimiter is no content that this boundary can carry.
      let text = Array(delimiter.utf8)
      let whole = Array("\r\n".utf8) + content + text
      let first = (0...(whole.count - text.count)).first { Array(whole[$0..<$0 + text.count]) == text }
      guard first == whole.count - text.count else { continue }
      let body =
        Array("--\(boundary)\r\nContent-Disposition: form-data; name=f\r\n\r\n".utf8) + content
        + Array("\(delimiter)--".utf8)
      let size = Int.random(in: 1...60)
      let pieces = stride(from: 0, to: body.count, by: size).map {
        Array(body[$0..<min($0 + size, body.count)])
      }
      let seen = try parts(pieces, boundary: boundary)
      #expect(seen.count == 1 && seen[0].bytes == content, "round \(round)")
    }
  }

  @Test func namesAreReadAsBrowsersSendThem() throws {
    #expect(try one("form-data; name=\"a b\"; filename=\"x.txt\"").fileName == "x.txt")
    #expect(try one("form-data; name=a").fileName == nil)
    #expect(try one("form-data; name=\"a\"; filename=\"\"").fileName == "")
    #expect(try one("form-data; name=\"q%22q\"").name == "q\"q")
    #expect(try one("form-data; name=f; filename=\"a%0D%0Ab%22c\"").fileName == "a\r\nb\"c")
    #expect(try one("form-data; name=f; filename=\"a\\\"b\"").fileName == "a\"b")
    #expect(try one("form-data; name=f; filename=\"C:\\dir\\x.txt\"").fileName == "C:\\dir\\x.txt")
    #expect(try one("form-data; name=f; filename=\"ünï;=.txt\"").fileName == "ünï;=.txt")
    #expect(try one("Form-Data; NAME=f; FileName=x").fileName == "x")
    #expect(
      try one("form-data; name=f; filename=\"x\"; filename*=UTF-8''na%C3%AFve%20%22.txt").fileName
        == "naïve \".txt")
    #expect(try one("form-data; name=f; filename=\"x\"; filename*=latin1''na%EFve").fileName == "x")
    #expect(try one("form-data; name=f; filename=\"x\"; filename*=UTF-8''%FF").fileName == "x")
    #expect(try one("form-data; name=f; filename*=utf-8'en'y").fileName == "y")
  }

  @Test(
    "What is no form is refused",
    arguments: [
      "", "--xyz", "--xyz--x", "nothing", "--xyz\r\n", "--xyz\r\n\r\nv\r\n--xyz--",
      "--xyz\r\nContent-Disposition: form-data; name=a\r\n\r\nv",
      "--xyz\r\nContent-Disposition: form-data; name=a\r\n\r\nv\r\n--xyz",
      "--xyz\r\nContent-Disposition: form-data; name=a\r\n\r\nv\r\n--xyz-",
      "--xyz\r\nContent-Disposition: form-data; name=a\r\n\r\nv\n--xyz--",
      "--xyz\r\nContent-Disposition: form-data\r\n\r\nv\r\n--xyz--",
      "--xyz\r\nContent-Disposition: attachment; name=a\r\n\r\nv\r\n--xyz--",
      "--xyz\r\nContent-Disposition: form-data; name=a; name=b\r\n\r\nv\r\n--xyz--",
      "--xyz\r\nContent-Disposition: form-data; name=\"a\r\n\r\nv\r\n--xyz--",
      "--xyz\r\nContent-Type: a/b\r\n\r\nv\r\n--xyz--", "--xyz\r\nno colon\r\n\r\nv\r\n--xyz--",
      "--xyz\r\nContent-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b\r\n\r\nv\r\n--xyz--",
      "--xyz\r\nContent-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: base64\r\n\r\ndg==\r\n--xyz--",
      "--xyzz\r\nContent-Disposition: form-data; name=a\r\n\r\nv\r\n--xyz--",
    ])
  func malformed(body: String) throws {
    // A last boundary without its hyphens, or nothing at all, is no whole form either.
    if body == "--xyz--x" {
      #expect(try parts(body).isEmpty)
    } else {
      let problem = refusal { _ = try parts(body) }
      #expect(problem?.status == 400 && problem?.code == "malformed_form", "\(body.debugDescription)")
    }
  }

  @Test func headersAndPartsAreBounded() throws {
    let long = String(repeating: "x", count: 9000)
    let header = "--xyz\r\nContent-Disposition: form-data; name=a\r\nX: \(long)\r\n\r\nv\r\n--xyz--"
    #expect(refusal { _ = try parts(header) }?.status == 413)
    let part = "\r\n--xyz\r\nContent-Disposition: form-data; name=a\r\n\r\nv"
    let five = String(repeating: part, count: 5) + "\r\n--xyz--"
    #expect(try parts(five, mostParts: 5).count == 5)
    #expect(refusal { _ = try parts(five, mostParts: 4) }?.status == 413)
  }

  @Test func theTypeAndItsBoundaryAreChecked() throws {
    func status(_ type: String?) -> Int? { refusal { _ = try MultipartReader(contentType: type) }?.status }
    #expect(status(nil) == 415)
    #expect(status("application/json") == 415)
    #expect(status("multipart/mixed; boundary=a") == 415)
    #expect(status("multipart/form-data") == 400)
    #expect(status("multipart/form-data; boundary=") == 400)
    #expect(status("multipart/form-data; boundary=a; boundary=b") == 400)
    #expect(status("multipart/form-data; boundary=\"a b\\\"\"") == 400)
    #expect(status("multipart/form-data; boundary=\"a \"") == 400)
    #expect(status("multipart/form-data; boundary=" + String(repeating: "a", count: 71)) == 400)
    #expect(status("multipart/form-data; boundary=" + String(repeating: "a", count: 70)) == nil)
    #expect(status("Multipart/Form-Data; charset=utf-8; Boundary=\"a'()+_,-./:=? b\"") == nil)
  }

  @Test func streamsAreReadOnceAndWithinTheirLimit() throws {
    func stream(_ count: Int, there: Int) -> Request {
      var left = there
      let stream = BodyStream(count: count) { buffer in
        let got = min(left, buffer.count, 1000)
        for index in 0..<got { buffer[index] = UInt8(truncatingIfNeeded: index) }
        left -= got
        return got
      }
      return Request(method: .post, path: "/", body: .stream(stream))
    }
    let whole = stream(2500, there: 2500)
    #expect(try whole.bodyBytes(limit: 2500).count == 2500)
    #expect(try whole.bodyBytes(limit: 2500).count == 2500)
    #expect(refusal { _ = try whole.bodyBytes(limit: 2499) }?.status == 413)
    #expect(refusal { _ = try stream(2500, there: 2499).bodyBytes(limit: 9999) }?.code == "incomplete_body")
    var sizes: [Int] = []
    try stream(600_000, there: 600_000).readBody(limit: 600_000) { sizes.append($0.count) }
    #expect(sizes == [262_144, 262_144, 75_712])
    #expect(refusal { try stream(9, there: 9).readBody(limit: 8) { _ in } }?.status == 413)
    let slow = BodyStream.Pace(bytesPerSecond: 1 << 40, grace: .zero)
    #expect(
      refusal { try stream(2500, there: 2500).readBody(limit: 9999, pace: slow) { _ in } }?.status == 408)
  }
}
