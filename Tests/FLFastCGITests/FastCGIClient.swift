import Glibc

/// A web server's side of FastCGI, record by record, so that a test can also say what no server would.
///
/// FastCGI Specification 1.0, section 3.3 and following.
final class FastCGIClient {
  let descriptor: Int32

  init(unix path: String) throws {
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
    let code = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    try ready(code)
  }

  init(port: UInt16) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let code = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    try ready(code)
  }

  private func ready(_ code: Int32) throws {
    guard code == 0 else { throw Failure("connect: errno \(errno)") }
    var limit = timeval(tv_sec: 60, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  }

  deinit { close(descriptor) }

  enum Kind: UInt8 {
    case begin = 1
    case abort, end, parameters, input, output, error, data, getValues, getValuesResult, unknown
  }

  static func record(_ kind: Kind, _ content: [UInt8], id: UInt16 = 1, padding: UInt8 = 0) -> [UInt8] {
    [
      1, kind.rawValue, UInt8(id >> 8), UInt8(id & 255), UInt8(content.count >> 8),
      UInt8(content.count & 255), padding, 0,
    ] + content + [UInt8](repeating: 0, count: Int(padding))
  }

  static func begin(keep: Bool, role: UInt8 = 1) -> [UInt8] {
    record(.begin, [0, role, keep ? 1 : 0, 0, 0, 0, 0, 0])
  }

  static func parameters(_ pairs: [(String, [UInt8])]) -> [UInt8] {
    func length(_ count: Int) -> [UInt8] {
      count < 128
        ? [UInt8(count)]
        : [
          UInt8(count >> 24) | 128, UInt8(count >> 16 & 255), UInt8(count >> 8 & 255), UInt8(count & 255),
        ]
    }
    var stream: [UInt8] = []
    for (name, value) in pairs {
      stream += length(name.utf8.count) + length(value.count) + Array(name.utf8) + value
    }
    return records(.parameters, stream)
  }

  /// A stream in records of at most 65,535 bytes, and the empty one that ends it.
  static func records(_ kind: Kind, _ stream: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    var rest = stream[...]
    while !rest.isEmpty {
      bytes += record(kind, Array(rest.prefix(65_535)))
      rest = rest.dropFirst(65_535)
    }
    return bytes + record(kind, [])
  }

  /// All records of one request. `length` is what `CONTENT_LENGTH` claims, the truth unless told.
  static func request(
    _ method: String = "GET", _ uri: String, headers: [(String, String)] = [], body: [UInt8] = [],
    length: String? = nil, keep: Bool = true, more: [(String, [UInt8])] = []
  ) -> [UInt8] {
    var pairs: [(String, [UInt8])] = [
      ("REQUEST_METHOD", Array(method.utf8)), ("REQUEST_URI", Array(uri.utf8)),
      ("REMOTE_ADDR", Array("192.0.2.7".utf8)),
      ("CONTENT_LENGTH", Array((length ?? (body.isEmpty ? "" : String(body.count))).utf8)),
    ]
    pairs += headers.map { ($0.0, Array($0.1.utf8)) } + more
    return begin(keep: keep) + parameters(pairs) + records(.input, body)
  }

  /// Sends all; false when the other side does not take it.
  @discardableResult
  func send(_ bytes: [UInt8]) -> Bool {
    var done = 0
    while done < bytes.count {
      let wrote = bytes.withUnsafeBytes {
        Glibc.send(
          descriptor, $0.baseAddress?.advanced(by: done), bytes.count - done, Int32(MSG_NOSIGNAL))
      }
      guard wrote > 0 else { return false }
      done += wrote
    }
    return true
  }

  private func read(_ count: Int) -> [UInt8]? {
    var bytes: [UInt8] = []
    while bytes.count < count {
      var part = [UInt8](repeating: 0, count: count - bytes.count)
      let got = Glibc.read(descriptor, &part, part.count)
      guard got > 0 else { return nil }
      bytes += part.prefix(got)
    }
    return bytes
  }

  /// Whether the other side closes the connection, and sends nothing before.
  func isClosed() -> Bool {
    var byte: UInt8 = 0
    let got = Glibc.read(descriptor, &byte, 1)
    return got == 0 || (got < 0 && errno == ECONNRESET)
  }

  struct Answer {
    var status: Int
    var head: String
    var body: [UInt8]
    var text: String { String(decoding: body, as: UTF8.self) }
  }

  /// The next record: its kind and content.
  func record() -> (Kind, [UInt8])? {
    guard let header = read(8), let kind = Kind(rawValue: header[1]),
      let content = read(Int(header[4]) << 8 | Int(header[5])), read(Int(header[6])) != nil
    else { return nil }
    return (kind, content)
  }

  /// Reads records to the end of the request; nil when the connection ends before.
  func answer() -> Answer? {
    var output: [UInt8] = []
    while let (kind, content) = record() {
      if kind == .output { output += content }
      guard kind == .end else { continue }
      let separator = Array("\r\n\r\n".utf8)
      guard
        let split = (0..<max(0, output.count - 3)).first(where: { Array(output[$0..<$0 + 4]) == separator })
      else { return nil }
      let head = String(decoding: output[..<split], as: UTF8.self)
      let status = head.split(separator: " ").dropFirst().first.flatMap { Int($0) }
      return Answer(status: status ?? 0, head: head, body: Array(output[(split + 4)...]))
    }
    return nil
  }

  /// Sends a request and reads its answer.
  func ask(_ request: [UInt8]) throws -> Answer {
    guard send(request), let answer = answer() else { throw Failure("no answer") }
    return answer
  }
}
