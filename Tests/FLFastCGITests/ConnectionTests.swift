import Foundation
import Testing

/// How connections are shared among the workers, and what bad peers do to them.
@Suite(.timeLimit(.minutes(60)))
struct ConnectionTests {
  typealias Client = FastCGIClient

  @Test func readsRecordsInPieces() throws {
    let echo = try Echo()
    let client = try echo.connect()
    let body = Array("the body of the request".utf8)
    for byte in Client.request("POST", "/pieces", headers: [("HTTP_X", "y")], body: body) {
      client.send([byte])
      if byte == 0 { usleep(200) }
    }
    let text = try #require(client.answer()).text
    #expect(line("path", in: text) == "/pieces")
    #expect(line("body", in: text) == "memory \(body.count) \(digest(body))")
  }

  @Test func cutsOffPeersThatStall() throws {
    let echo = try Echo("--threads", "2", "--peer-timeout", "400")
    let whole = Client.request("POST", "/", body: [UInt8](repeating: 1, count: 100))
    let stalled = try [3, 20, whole.count - 50].map { count in
      let client = try echo.connect()
      client.send(Array(whole.prefix(count)))
      return client
    }
    for client in stalled { #expect(client.isClosed()) }
    #expect(try echo.connect().ask(Client.request("GET", "/")).status == 200)
  }

  @Test func survivesWhatIsNoRequest() throws {
    let echo = try Echo()
    let begin = Client.begin(keep: true)
    let method = Client.parameters([("REQUEST_METHOD", Array("POST".utf8)), ("CONTENT_LENGTH", [53])])
    let cases: [[UInt8]] = [
      Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8),
      [UInt8](repeating: 0xFF, count: 500),
      Client.begin(keep: true, role: 2) + Client.parameters([]),  // an authorizer
      Client.begin(keep: true, role: 9) + Client.parameters([]),
      begin + Client.record(.parameters, [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF])
        + Client.record(.parameters, []),
      begin + method + Client.record(.input, [1, 2]) + Client.record(.abort, []),
      begin + Client.record(.input, [1]),
    ]
    for bytes in cases {
      let client = try echo.connect()
      client.send(bytes)
      shutdown(client.descriptor, Int32(SHUT_WR))
      #expect(client.isClosed())
    }
    #expect(try echo.connect().ask(Client.request("GET", "/")).status == 200)
    #expect(echo.program.process.isRunning)
  }

  @Test func answersManagementRecords() throws {
    let echo = try Echo()
    let client = try echo.connect()
    // libfcgi answers when more bytes follow: alone, the record would wait for them.
    client.send(
      Client.record(.getValues, [15, 0] + Array("FCGI_MPXS_CONNS".utf8), id: 0) + Client.request("GET", "/"))
    let (kind, content) = try #require(client.record())
    #expect(kind == .getValuesResult)
    #expect(content == [15, 1] + Array("FCGI_MPXS_CONNS0".utf8))
    #expect(client.answer()?.status == 200)
  }

  @Test func servesManyKeptConnectionsWithFewThreads() throws {
    let echo = try Echo("--threads", "4")
    let clients = try (0..<256).map { _ in try echo.connect() }
    for round in 0..<5 {
      for client in clients { client.send(Client.request("GET", "/n?\(round)")) }
      for client in clients {
        #expect(line("query", in: try #require(client.answer()).text) == "\(round)")
      }
    }
  }

  @Test func slowHandlersHoldOnlyTheirWorkers() throws {
    let echo = try Echo("--threads", "2")
    let slow = try echo.connect()
    slow.send(Client.request("GET", "/slow?ms=8000"))
    usleep(100_000)
    let start = Date()
    let quick = try echo.connect()
    for _ in 0..<20 { #expect(try quick.ask(Client.request("GET", "/")).status == 200) }
    #expect(Date().timeIntervalSince(start) < 7)
    #expect(slow.answer()?.status == 200)
  }

  @Test func losesNoPeerThatLeavesEarly() throws {
    let echo = try Echo()
    for _ in 0..<50 {
      let client = try echo.connect()
      client.send(Client.request("GET", "/large?500000"))
    }
    #expect(try echo.connect().ask(Client.request("GET", "/")).status == 200)
    #expect(echo.program.process.isRunning)
  }

  @Test func waitsWhereNoDescriptorIsLeft() throws {
    let directory = try TemporaryDirectory()
    let socket = directory.file("s")
    let program = try Program(
      "/bin/sh", ["-c", "ulimit -n 40; exec \(Program.echo) --unix \(socket) --threads 2"])
    try waitUntilListening(socket)
    var clients = try (0..<100).map { _ in try FastCGIClient(unix: socket) }
    usleep(300_000)
    #expect(try clients[0].ask(Client.request("GET", "/")).status == 200)
    let last = clients.removeLast()
    last.send(Client.request("GET", "/"))
    clients = []
    #expect(last.answer()?.status == 200)
    program.signal(SIGTERM)
    #expect(program.exitCode() == 0)
  }
}
