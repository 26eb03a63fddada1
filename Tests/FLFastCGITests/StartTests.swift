import FLFastCGI
import Foundation
import Testing

/// The ways of being started, and of ending.
@Suite(.timeLimit(.minutes(60)))
struct StartTests {
  typealias Client = FastCGIClient

  @Test func answersOnceAsCGI() throws {
    let directory = try TemporaryDirectory()
    let input = directory.file("input")
    try Data("hello, and more than was announced".utf8).write(to: URL(fileURLWithPath: input))
    let file = open(input, O_RDONLY)
    defer { close(file) }
    let program = try Program(
      Program.echo, [],
      environment: [
        "GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "POST", "REQUEST_URI": "/cgi?x",
        "CONTENT_LENGTH": "5", "HTTP_X_ONE": "1", "REMOTE_ADDR": "2001:db8::1", "REQUEST_SCHEME": "https",
      ], standardInput: file)
    #expect(program.exitCode() == 0)
    let text = String(decoding: program.output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    #expect(text.hasPrefix("Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: "))
    #expect(line("path", in: text) == "/cgi")
    #expect(line("header x-one", in: text) == "1")
    #expect(line("client", in: text) == "2001:db8::1")
    #expect(line("secure", in: text) == "true")
    #expect(line("body", in: text) == "memory 5 \(digest(Array("hello".utf8)))")
  }

  @Test func asCGIAStreamHasALength() throws {
    func answer(_ target: String) throws -> String {
      let program = try Program(
        Program.echo, [],
        environment: [
          "GATEWAY_INTERFACE": "CGI/1.1", "REQUEST_METHOD": "GET", "REQUEST_URI": target,
          "REMOTE_ADDR": "::1",
        ])
      let text = String(decoding: program.output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
      #expect(program.exitCode() == 0)
      return text
    }
    let whole = try answer("/stream?30")
    #expect(whole.hasPrefix("Status: 200 OK\r\nContent-Length: 300000\r\n\r\n"))
    #expect(whole.utf8.count > 300_000)
    #expect(try answer("/stream?30!").hasPrefix("Status: 503 Service Unavailable\r\n"))
  }

  @Test func startsFromSpawnFCGI() throws {
    let directory = try TemporaryDirectory()
    let socket = directory.file("s")
    let program = try Program(
      "/usr/bin/spawn-fcgi", ["-n", "-s", socket, "--", Program.echo, "--threads", "2"])
    try waitUntilListening(socket)
    #expect(try Client(unix: socket).ask(Client.request("GET", "/")).status == 200)
    program.signal(SIGTERM)
    #expect(program.exitCode() == 0)
  }

  @Test func startsFromSystemdSocket() throws {
    let directory = try TemporaryDirectory()
    let listener = try Listener.unix(path: directory.file("s"), mode: 0o600)
    let script = "exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \(Program.echo)"
    let program = try Program("/bin/sh", ["-c", script], standardInput: listener.descriptor)
    #expect(try Client(unix: directory.file("s")).ask(Client.request("GET", "/")).status == 200)
    program.signal(SIGTERM)
    #expect(program.exitCode() == 0)
    #expect(FileManager.default.fileExists(atPath: directory.file("s")))  // it is not the program's own
  }

  @Test(arguments: ["127.0.0.1", "::1"])
  func listensOnTCP(address: String) throws {
    let probe = try Listener.tcp(address: address, port: 0)
    let port = try #require(probe.name.split(separator: " ").last.flatMap { UInt16($0) })
    #expect(port != 0)
    #expect(throws: TransportError.self) { try Listener.tcp(address: address, port: port) }
    #expect(throws: TransportError.self) { try Listener.tcp(address: "localhost", port: 0) }
    guard address == "127.0.0.1" else { return }
    let program = try Program(Program.echo, ["--threads", "2"], standardInput: probe.descriptor)
    let client = try Client(port: port)
    for _ in 0..<10 { #expect(try client.ask(Client.request("GET", "/")).status == 200) }
    program.signal(SIGINT)
    #expect(program.exitCode() == 0)
  }

  @Test func replacesStaleSocketFilesOnly() throws {
    let directory = try TemporaryDirectory()
    let path = directory.file("s")
    let first = try Listener.unix(path: path, mode: 0o600)
    #expect(throws: TransportError.self) { try Listener.unix(path: path, mode: 0o600) }
    var found = stat()
    #expect(lstat(path, &found) == 0 && found.st_mode & 0o777 == 0o600)
    withExtendedLifetime(first) {}

    let program = try Program(Program.echo, ["--unix", path + "2"])
    try waitUntilListening(path + "2")
    program.signal(SIGKILL)
    _ = program.exitCode()
    #expect(FileManager.default.fileExists(atPath: path + "2"))
    _ = try Listener.unix(path: path + "2", mode: 0o600)

    _ = FileManager.default.createFile(atPath: directory.file("file"), contents: nil)
    #expect(throws: TransportError.self) {
      try Listener.unix(path: directory.file("file"), mode: 0o600)
    }
    #expect(FileManager.default.fileExists(atPath: directory.file("file")))
    #expect(throws: TransportError.self) {
      try Listener.unix(path: "/tmp/" + String(repeating: "x", count: 120), mode: 0o600)
    }
  }

  @Test func finishesWhatIsInFlight() throws {
    let echo = try Echo("--threads", "2")
    let idle = try echo.connect()
    _ = try idle.ask(Client.request("GET", "/"))
    let busy = try (0..<2).map { _ in
      let client = try echo.connect()
      client.send(Client.request("GET", "/slow?ms=700"))
      return client
    }
    usleep(200_000)
    let waiting = try echo.connect()  // both workers are busy: this one waits in the queue
    waiting.send(Client.request("GET", "/waiting"))
    echo.program.signal(SIGTERM)
    for client in busy { #expect(client.answer()?.status == 200) }
    #expect(line("path", in: try #require(waiting.answer()).text) == "/waiting")
    #expect(idle.isClosed())
    #expect(echo.program.exitCode() == 0)
    #expect(!FileManager.default.fileExists(atPath: echo.socket))
  }
}
