import Foundation
import Glibc
import Synchronization

/// Whoever writes to a peer that has left is told so, instead of being ended by SIGPIPE. The product's programs begin with
/// this, and a run of these tests alone does not.
let brokenPipesAreTold: Void = { _ = signal(SIGPIPE, SIG_IGN) }()

/// A server on the loopback interface that says what a test tells it to: each connection runs `script` on a thread of
/// its own, and is closed behind it.
final class ScriptedServer: Sendable {
  let port: Int
  private let listener: Int32
  private let count = Mutex(0)
  private let heard = Mutex<[String]>([])

  /// How many connections there were.
  var connections: Int { count.withLock { $0 } }
  /// The lines that were read with `Peer.line`, of all connections.
  var lines: [String] { heard.withLock { $0 } }

  init(ipv6: Bool = false, _ script: @escaping @Sendable (Peer) -> Void) throws {
    _ = brokenPipesAreTold
    let listener = socket(ipv6 ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
    var port: UInt16 = 0
    if ipv6 {
      var address = sockaddr_in6()
      address.sin6_family = sa_family_t(AF_INET6)
      address.sin6_addr = in6addr_loopback
      port = try Self.listen(listener, &address) { $0.sin6_port }
    } else {
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
      port = try Self.listen(listener, &address) { $0.sin_port }
    }
    (self.listener, self.port) = (listener, Int(UInt16(bigEndian: port)))
    Thread.detachNewThread { [weak self] in
      // By the thread that waits on it: a number that was closed under it would be another server's next.
      defer { close(listener) }
      while true {
        let socket = accept(listener, nil, nil)
        guard socket >= 0 else {
          // Nothing but `deinit` is the end: after it, as without a descriptor, others come.
          if errno == EINVAL || errno == EBADF { return }
          usleep(10_000)
          continue
        }
        guard let self else {
          close(socket)
          continue
        }
        self.count.withLock { $0 += 1 }
        let peer = Peer(socket) { line in self.heard.withLock { $0.append(line) } }
        Thread.detachNewThread {
          script(peer)
          peer.end()
        }
      }
    }
  }

  deinit { shutdown(listener, Int32(SHUT_RDWR)) }

  private static func listen<Address>(
    _ listener: Int32, _ address: inout Address, port: (Address) -> UInt16
  ) throws -> UInt16 {
    var size = socklen_t(MemoryLayout<Address>.size)
    let isReady = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, size) == 0 && Glibc.listen(listener, 64) == 0
          && getsockname(listener, $0, &size) == 0
      }
    }
    guard isReady else { throw POSIXError(.EADDRNOTAVAIL) }
    return port(address)
  }

  /// The first line that is said at `port` of the loopback interface; nil where nobody listens, or says one.
  static func greeting(port: Int) -> String? {
    let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
    let peer = Peer(client, seconds: 5) { _ in }
    defer { peer.end() }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let isConnected = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(client, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
    return isConnected ? peer.line() : nil
  }

  /// The other side of one connection.
  final class Peer: @unchecked Sendable {
    private let socket: Int32
    private let note: (String) -> Void
    private var input: [UInt8] = []

    /// `seconds` is how long it waits for each read and write.
    init(_ socket: Int32, seconds: Int = 60, note: @escaping (String) -> Void) {
      (self.socket, self.note) = (socket, note)
      var limit = timeval(tv_sec: seconds, tv_usec: 0)
      setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
      setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    /// Sends text; false when the other side is gone.
    @discardableResult
    func say(_ text: String) -> Bool {
      var rest = Array(text.utf8)[...]
      while !rest.isEmpty {
        let sent = rest.withUnsafeBytes { send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        guard sent > 0 else { return false }
        rest = rest.dropFirst(sent)
      }
      return true
    }

    /// The next line without its CR LF; nil when there is none.
    func line() -> String? {
      while true {
        if let end = input.firstIndex(of: 10) {
          var line = input[..<end]
          if line.last == 13 { line.removeLast() }
          let text = String(decoding: line, as: UTF8.self)
          input.removeSubrange(...end)
          note(text)
          return text
        }
        guard fill() else { return nil }
      }
    }

    /// So many bytes, or fewer when there are no more.
    func bytes(_ count: Int) -> [UInt8] {
      while input.count < count, fill() {}
      defer { input.removeFirst(min(count, input.count)) }
      return Array(input.prefix(count))
    }

    /// Whether nothing comes for a while.
    func isSilent(milliseconds: Int32) -> Bool {
      guard input.isEmpty else { return false }
      var entry = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
      return poll(&entry, 1, milliseconds) == 0
    }

    private func fill() -> Bool {
      var part = [UInt8](repeating: 0, count: 65_536)
      let got = read(socket, &part, part.count)
      guard got > 0 else { return false }
      input += part.prefix(got)
      return true
    }

    fileprivate func end() { close(socket) }
  }
}

extension ScriptedServer.Peer {
  /// Greets as a mail server, and answers EHLO with these extensions.
  func greetMail(_ extensions: [String]) {
    say("220 test ESMTP\r\n")
    guard line()?.hasPrefix("EHLO") == true else { return }
    let lines = ["test"] + extensions
    for (index, line) in lines.enumerated() { say("250\(index == lines.count - 1 ? " " : "-")\(line)\r\n") }
  }

  /// The lines of a message up to its end, as they are on the wire; nil when the end does not come.
  func content() -> [String]? {
    var lines: [String] = []
    while let line = line() {
      if line == "." { return lines }
      lines.append(line)
    }
    return nil
  }
}
