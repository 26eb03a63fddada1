import FLFastCGI
import FLHTTP
import Foundation
import HTTPTypes
import Logging

// A responder that answers with what it received, one `name: value` a line.
//   fcgi-echo [--unix PATH | --tcp ADDRESS:PORT] [--threads N] [--processes N] [--body-limit N]
//             [--memory N] [--peer-timeout MILLISECONDS]
// Without an address: the inherited socket, or plain CGI.

func answer(_ request: Request) -> Response {
  switch request.path {
  case "/redirect":
    return Response(status: 302, headers: [.location: "https://example.com/somewhere"])
  case "/slow":
    let milliseconds = Int(request.query?.dropFirst("ms=".count) ?? "") ?? 100
    usleep(UInt32(milliseconds) * 1000)
    return text("pid: \(getpid())\n")
  case "/crash": abort()
  case "/file":
    // The file at the query's path, `from-to` of it where that follows a comma.
    let parts = (request.query ?? "").split(separator: ",")
    let descriptor = open(String(parts.first ?? ""), O_RDONLY)
    let bounds = parts.count > 1 ? parts[1].split(separator: "-").compactMap { Int($0) } : []
    let size = Int(lseek(descriptor, 0, SEEK_END))
    let range = bounds.count == 2 ? bounds[0]..<bounds[1] : 0..<size
    return Response(status: 200, body: .file(FileBody(adopting: descriptor, range: range)))
  case "/stream":
    // So many pieces of 10,000 bytes, at which it breaks off where the query ends in `!`.
    let query = request.query ?? ""
    let pieces = Int(query.filter(\.isNumber)) ?? 1
    return Response(
      status: 200,
      body: .stream(
        StreamBody { put in
          for _ in 0..<pieces { try [UInt8](repeating: 120, count: 10_000).withUnsafeBytes(put) }
          if query.hasSuffix("!") { throw Problem.unavailable("It breaks off.") }
        }))
  case "/pid": return text("pid: \(getpid())\n")
  case "/large":
    return Response(
      status: 200, body: .bytes([UInt8](repeating: 120, count: Int(request.query ?? "") ?? 1_000_000)))
  case "/status": return Response(status: Int(request.query ?? "") ?? 200, body: .bytes(Array("body".utf8)))
  case "/ours":
    var response = text("ours\n")
    response.headers[.contentLength] = "9999"
    response.headers[.connection] = "close"
    if let name = HTTPField.Name("x-cut") { response.headers[name] = "a\r\nSet-Cookie: b" }
    return response
  default: break
  }
  var lines = [
    "method: \(request.method.rawValue)", "path: \(request.path)", "query: \(request.query ?? "nil")",
    "client: \(request.clientAddress)", "secure: \(request.isSecure)",
  ]
  for field in request.headers { lines.append("header \(field.name.canonicalName): \(field.value)") }
  switch request.body {
  case .empty: lines.append("body: empty")
  case .bytes(let bytes): lines.append("body: memory \(bytes.count) \(digest(bytes))")
  case .stream(let stream):
    if request.path == "/unread" { break }
    var bytes: [UInt8] = []
    do {
      try request.readBody(limit: .max) { bytes.append(contentsOf: $0) }
      lines.append("body: stream \(stream.count) \(digest(bytes))")
    } catch {
      let status = (error as? Problem)?.status ?? 0
      lines.append("broken: \(status) after \(bytes.count)")
    }
  case .refused(let refusal): lines.append("refused: \(refusal)")
  }
  var response = text(lines.joined(separator: "\n") + "\n")
  if case .refused(let refusal) = request.body {
    response.status =
      switch refusal {
      case .tooLarge: 413
      case .truncated, .badLength: 400
      }
  }
  return response
}

func text(_ text: String) -> Response {
  Response(status: 200, headers: [.contentType: "text/plain"], body: .bytes(Array(text.utf8)))
}

/// FNV-1a, 64 bits.
func digest(_ bytes: [UInt8]) -> String {
  var hash: UInt64 = 0xcbf2_9ce4_8422_2325
  for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
  return String(hash, radix: 16)
}

func run() throws -> Int32 {
  var options: [String: String] = [:]
  var name: String?
  for argument in CommandLine.arguments.dropFirst() {
    if let known = name {
      options[known] = argument
      name = nil
    } else {
      name = argument
    }
  }
  func number(_ name: String, _ usual: Int) -> Int { options[name].flatMap { Int($0) } ?? usual }
  var settings = ResponderSettings(threads: number("--threads", 4))
  settings.maxBodyBytes = number("--body-limit", settings.maxBodyBytes)
  settings.bodyMemoryBytes = number("--memory", settings.bodyMemoryBytes)
  settings.peerTimeout = .milliseconds(number("--peer-timeout", 30_000))
  let logger = Logger(label: "fcgi-echo") { StreamLogHandler.standardError(label: $0) }

  if Invocation.detect() == .cgi {
    answerOnce(settings: settings, worker: answer)
    return 0
  }
  let listener: Listener
  if let path = options["--unix"] {
    listener = try .unix(path: path, mode: 0o660)
  } else if let address = options["--tcp"], let colon = address.lastIndex(of: ":"),
    let port = UInt16(address[address.index(after: colon)...])
  {
    listener = try .tcp(address: String(address[..<colon]), port: port)
  } else if let inherited = Listener.inherited() {
    listener = inherited
  } else {
    FileHandle.standardError.write(Data("fcgi-echo: no address\n".utf8))
    return 64
  }
  if let processes = options["--processes"].flatMap({ Int($0) }) {
    let passed = ["--threads", "--body-limit", "--memory", "--peer-timeout"]
    return Supervisor(
      listener: listener, arguments: passed.flatMap { name in options[name].map { [name, $0] } ?? [] },
      processes: processes, logger: logger
    ).run()
  }
  try serve(on: listener, settings: settings, logger: logger) { answer }
  return 0
}

do {
  exit(try run())
} catch {
  FileHandle.standardError.write(Data("fcgi-echo: \(error)\n".utf8))
  exit(1)
}
