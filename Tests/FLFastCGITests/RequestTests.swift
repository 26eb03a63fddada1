import Foundation
import Glibc
import Testing

/// How requests arrive: variables, targets, header fields and bodies, record by record.
@Suite(.timeLimit(.minutes(60)))
struct RequestTests {
  typealias Client = FastCGIClient

  @Test func keepsAConnectionForManyRequests() throws {
    let echo = try Echo()
    let client = try echo.connect()
    for number in 0..<200 {
      let answer = try client.ask(Client.request("GET", "/n?\(number)"))
      #expect(answer.status == 200)
      #expect(line("query", in: answer.text) == "\(number)")
    }
    _ = try client.ask(Client.request("GET", "/", keep: false))
    #expect(client.isClosed())
  }

  @Test(arguments: [
    ("/a%2Fb%00c", "/a%2Fb%00c", "nil"), ("/a?b=1?c", "/a", "b=1?c"), ("/a?", "/a", ""), ("?x", "/", "x"),
    ("http://host.example/p?q", "/p", "q"), ("HTTPS://host.example", "/", "nil"),
    ("http://host.example?q", "/", "q"), ("*", "/*", "nil"), ("/ü b", "/%C3%BC%20b", "nil"),
    ("/%c3%bc", "/%c3%bc", "nil"), ("//evil.example/..", "//evil.example/..", "nil"),
    ("/a#b", "/a%23b", "nil"), ("/q?ü", "/q", "%C3%BC"),
  ])
  func readsTarget(uri: String, path: String, query: String) throws {
    let echo = try Echo()
    let text = try echo.connect().ask(Client.request("GET", uri)).text
    #expect(line("path", in: text) == path)
    #expect(text.contains("\nquery: \(query)\n"))
  }

  @Test func encodesBytesThatAreNoText() throws {
    let echo = try Echo()
    let records =
      Client.begin(keep: true)
      + Client.parameters([
        ("REQUEST_METHOD", Array("GET".utf8)), ("REQUEST_URI", [47, 0xFF, 0xC0, 10, 97]),
        ("HTTP_X_BYTES", [97, 0xFF, 10, 13, 98]), ("HTTP_X_EMPTY", []),
      ]) + Client.records(.input, [])
    let text = try echo.connect().ask(records).text
    #expect(line("path", in: text) == "/%FF%C0%0Aa")
    #expect(line("header x-bytes", in: text) == "a\u{FFFD}  b")
    #expect(text.contains("header x-empty: \n"))
  }

  @Test func buildsTargetWithoutRequestURI() throws {
    let echo = try Echo()
    let records =
      Client.begin(keep: true)
      + Client.parameters([
        ("REQUEST_METHOD", Array("GET".utf8)), ("SCRIPT_NAME", Array("/app".utf8)),
        ("PATH_INFO", Array("/50% of?ü".utf8)), ("QUERY_STRING", Array("a=%20".utf8)),
      ]) + Client.records(.input, [])
    let text = try echo.connect().ask(records).text
    #expect(line("path", in: text) == "/app/50%25%20of%3F%C3%BC")
    #expect(line("query", in: text) == "a=%20")
  }

  @Test func readsHeaderFields() throws {
    let echo = try Echo()
    let text = try echo.connect().ask(
      Client.request(
        "GET", "/",
        headers: [
          ("HTTP_X_API_KEY", "secret"), ("HTTP_PROXY", "http://evil.example"), ("HTTP_", "no name"),
          ("HTTP_COOKIE", "a=1; b=2"), ("HTTP_BAD(NAME", "x"), ("HTTP_X_TWICE", "one, two"),
          ("REDIRECT_HTTP_AUTHORIZATION", "Bearer abc"), ("CONTENT_TYPE", "text/plain"),
          ("HTTP_CONTENT_LENGTH", "77"), ("HTTPS", "on"),
        ])
    ).text
    let fields = text.split(separator: "\n").filter { $0.hasPrefix("header ") }.map(String.init)
    #expect(
      Set(fields) == [
        "header x-api-key: secret", "header cookie: a=1; b=2", "header x-twice: one, two",
        "header authorization: Bearer abc", "header content-type: text/plain",
      ])
    #expect(line("secure", in: text) == "true")
    #expect(line("client", in: text) == "192.0.2.7")
  }

  @Test func refusesWhatIsTooLong() throws {
    let echo = try Echo()
    let client = try echo.connect()
    let long = String(repeating: "a", count: 8191)
    #expect(try client.ask(Client.request("GET", "/" + long)).status == 200)
    let refused = try client.ask(Client.request("GET", "/a" + long))
    #expect(refused.status == 414 && refused.text.contains("\"code\":\"uri_too_long\""))
    #expect(refused.head.lowercased().contains("content-type: application/problem+json"))
    #expect(refused.head.lowercased().contains("\r\nx-request-id: "))
    let many = (0..<100).map { ("HTTP_X_\($0)", "v") }
    #expect(try client.ask(Client.request("GET", "/", headers: many)).status == 200)
    #expect(try client.ask(Client.request("GET", "/", headers: many + [("HTTP_Y", "v")])).status == 431)
    let huge = [("HTTP_X", String(repeating: "a", count: 70_000))]
    #expect(try client.ask(Client.request("GET", "/", headers: huge)).status == 431)
    #expect(try client.ask(Client.request("", "/")).status == 400)
    #expect(try client.ask(Client.request("BAD METHOD", "/")).status == 400)
    #expect(try client.ask(Client.request("GET", "/still-here")).status == 200)
  }

  @Test func takesBodiesToTheirLength() throws {
    let echo = try Echo("--memory", "1000", "--body-limit", "100000")
    let client = try echo.connect()
    for count in [1, 999, 1000, 1001, 65_536, 100_000] {
      let body = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
      let text = try client.ask(Client.request("POST", "/", body: body)).text
      let place = count > 1000 ? "stream" : "memory"
      #expect(line("body", in: text) == "\(place) \(count) \(digest(body))")
    }
    #expect(line("body", in: try client.ask(Client.request("POST", "/", length: "0")).text) == "empty")
    #expect(line("body", in: try client.ask(Client.request("POST", "/")).text) == "empty")
  }

  @Test func readsNoFurtherThanAnnounced() throws {
    let echo = try Echo()
    for (length, body) in [("3", "memory 3 \(digest(Array("abc".utf8)))"), ("0", "empty")] {
      let client = try echo.connect()
      let answer = try client.ask(Client.request("POST", "/", body: Array("abcdef".utf8), length: length))
      #expect(line("body", in: answer.text) == body)
      #expect(client.isClosed())  // the rest would stand before the next request
    }
  }

  @Test(arguments: ["abc", "-1", "+5", "5 ", "0x10", "99999999999999999999", "1.5"])
  func refusesWhatIsNoLength(length: String) throws {
    let echo = try Echo()
    let answer = try echo.connect().ask(Client.request("POST", "/", body: [1, 2, 3], length: length))
    #expect(answer.status == 400)
    #expect(line("refused", in: answer.text) == "badLength")
  }

  @Test func refusesUnannouncedAndTruncatedBodies() throws {
    let echo = try Echo("--memory", "10")
    let unannounced = try echo.connect().ask(Client.request("POST", "/", body: [1, 2, 3], length: ""))
    #expect(line("refused", in: unannounced.text) == "badLength")
    let client = try echo.connect()
    let small = try client.ask(Client.request("POST", "/", body: [1, 2, 3], length: "4"))
    #expect(line("refused", in: small.text) == "truncated")
    let large = try client.ask(Client.request("POST", "/", body: [1, 2, 3], length: "20"))
    #expect(line("broken", in: large.text) == "400 after 0")
    #expect(try client.ask(Client.request("GET", "/")).status == 200)
  }

  @Test func refusesTooLongBodiesWithoutReadingThem() throws {
    let echo = try Echo("--body-limit", "1000")
    let client = try echo.connect()
    let body = [UInt8](repeating: 7, count: 3_000_000)
    #expect(client.send(Client.request("POST", "/", body: body)))
    let answer = try #require(client.answer())
    #expect(answer.status == 413)
    #expect(line("refused", in: answer.text) == "tooLarge(limit: 1000)")
    #expect(client.isClosed())
  }

  @Test func streamsThatEndEarlyAreTold() throws {
    let echo = try Echo("--memory", "10")
    let client = try echo.connect()
    let answer = try client.ask(
      Client.request("POST", "/", body: [UInt8](repeating: 1, count: 50_000), length: "60000"))
    // The buffer of the one who reads was not full: nothing of it was handed on.
    #expect(line("broken", in: answer.text) == "400 after 0")
    #expect(try client.ask(Client.request("GET", "/")).status == 200)
    let large = [UInt8](repeating: 2, count: 600_000)
    let late = try client.ask(Client.request("POST", "/", body: large, length: "600001"))
    #expect(line("broken", in: late.text) == "400 after 524288")
    #expect(try client.ask(Client.request("GET", "/")).status == 200)
  }

  @Test func answersBeforeAStreamIsRead() throws {
    let echo = try Echo("--memory", "10")
    let client = try echo.connect()
    #expect(client.send(Client.request("POST", "/unread", body: [UInt8](repeating: 7, count: 3_000_000))))
    #expect(try #require(client.answer()).status == 200)
    #expect(client.isClosed())
  }

  @Test func aPeerThatStallsInAStreamLosesItsConnection() throws {
    let echo = try Echo("--memory", "10", "--threads", "1", "--peer-timeout", "300")
    let stalled = try echo.connect()
    let whole = Client.request("POST", "/", body: [UInt8](repeating: 7, count: 100_000))
    #expect(stalled.send(Array(whole.prefix(40_000))))
    // The one worker is free again after the time limit.
    #expect(try echo.connect().ask(Client.request("GET", "/free")).status == 200)
    #expect(stalled.isClosed())
  }

  @Test func sendsFiles() throws {
    let echo = try Echo()
    let client = try echo.connect()
    let directory = try TemporaryDirectory()
    let bytes = (0..<700_001).map { UInt8(truncatingIfNeeded: $0 &* 13 &+ $0 >> 7) }
    try Data(bytes).write(to: URL(fileURLWithPath: directory.file("f")))
    let whole = try client.ask(Client.request("GET", "/file?" + directory.file("f")))
    #expect(whole.body == bytes && whole.head.contains("\r\nContent-Length: 700001"))
    let part = try client.ask(Client.request("GET", "/file?" + directory.file("f") + ",262143-600000"))
    #expect(part.body == Array(bytes[262_143..<600_000]))
    let head = try client.ask(Client.request("HEAD", "/file?" + directory.file("f")))
    #expect(head.body.isEmpty && head.head.contains("\r\nContent-Length: 700001"))
    let none = try client.ask(Client.request("GET", "/file?" + directory.file("f") + ",5-5"))
    #expect(none.body.isEmpty && none.head.contains("\r\nContent-Length: 0"))
    // Shorter than was said: the peer learns that it is not whole.
    #expect(client.send(Client.request("GET", "/file?" + directory.file("f") + ",700000-800000")))
    #expect(client.answer() == nil)
    #expect(try echo.connect().ask(Client.request("GET", "/")).status == 200)
  }

  @Test func writesAnswersOfEveryKind() throws {
    let echo = try Echo()
    let client = try echo.connect()
    let redirect = try client.ask(Client.request("GET", "/redirect"))
    #expect(
      redirect.head
        == "Status: 302 Found\r\nLocation: https://example.com/somewhere\r\nContent-Length: 0")
    let head = try client.ask(Client.request("HEAD", "/large?70000"))
    #expect(head.head.contains("Content-Length: 70000") && head.body.isEmpty)
    let large = try client.ask(Client.request("GET", "/large?3000000"))
    #expect(large.body.count == 3_000_000 && large.body.allSatisfy { $0 == 120 })
    for status in ["204", "304"] {
      let answer = try client.ask(Client.request("GET", "/status?" + status))
      #expect(answer.head.hasPrefix("Status: \(status)"))
      #expect(!answer.head.contains("Content-Length") && answer.body.isEmpty)
    }
    #expect(try client.ask(Client.request("GET", "/status?42")).status == 500)
    let ours = try client.ask(Client.request("GET", "/ours"))
    #expect(ours.head.contains("\r\nContent-Length: 5") && !ours.head.contains("9999"))
    #expect(!ours.head.lowercased().contains("connection"))
    #expect(!ours.head.contains("\r\nSet-Cookie"))
  }
}
