import FLDNS
import Foundation
import Glibc
import Synchronization
import Testing

/// A DNS server on the loopback interface, by UDP and TCP, that answers what a test tells it to: of each question the
/// bytes of the answer, or none. Without TCP it truncates nothing.
private final class AnsweringServer: Sendable {
  let place: String
  private let end: @Sendable () -> Void

  init(
    udp: @escaping @Sendable (Question) -> [UInt8]?,
    tcp: @escaping @Sendable (Question) -> [UInt8]? = { _ in nil }
  ) throws {
    // The number that is free for UDP may be taken for TCP.
    var open = Self.open()
    for _ in 0..<50 where open == nil { open = Self.open() }
    guard let (stream, datagram, port) = open else { throw POSIXError(.EADDRNOTAVAIL) }
    place = "127.0.0.1:\(port)"
    let isOver = Atomic<Bool>(false)
    end = {
      for socket in [stream, datagram] { shutdown(socket, Int32(SHUT_RDWR)) }
      // Only now: whoever sees it closes the socket.
      isOver.store(true, ordering: .releasing)
    }
    // Each thread closes its own: a number that was closed under it would be another server's next.
    Thread.detachNewThread {
      defer { close(datagram) }
      while true {
        var buffer = [UInt8](repeating: 0, count: 1024)
        var from = sockaddr_in()
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let got = withUnsafeMutablePointer(to: &from) {
          $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            recvfrom(datagram, &buffer, buffer.count, 0, $0, &size)
          }
        }
        if got <= 0, isOver.load(ordering: .acquiring) { return }
        // What is shorter than a header is no question; an empty datagram is none either.
        guard got >= 12, let answer = udp(Question(Array(buffer.prefix(got)))) else { continue }
        _ = withUnsafeMutablePointer(to: &from) {
          $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            sendto(datagram, answer, answer.count, 0, $0, size)
          }
        }
      }
    }
    Thread.detachNewThread {
      defer { close(stream) }
      while true {
        let peer = accept(stream, nil, nil)
        guard peer >= 0 else {
          // Nothing but the end is one: without a descriptor others come later.
          if errno == EINVAL || errno == EBADF { return }
          usleep(10_000)
          continue
        }
        var buffer = [UInt8](repeating: 0, count: 1024)
        let got = read(peer, &buffer, buffer.count)
        if got >= 14, let answer = tcp(Question(Array(buffer[2..<got]))) {
          let message = [UInt8(answer.count >> 8), UInt8(answer.count & 255)] + answer
          _ = send(peer, message, message.count, Int32(MSG_NOSIGNAL))
        } else {
          Thread.sleep(forTimeInterval: 2)
        }
        close(peer)
      }
    }
  }

  deinit { end() }

  private static func open() -> (stream: Int32, datagram: Int32, port: UInt16)? {
    let stream = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
    let datagram = socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | O_CLOEXEC, 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isReady = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(datagram, $0, size) == 0 && getsockname(datagram, $0, &size) == 0 && bind(stream, $0, size) == 0
          && listen(stream, 8) == 0
      }
    }
    if isReady { return (stream, datagram, UInt16(bigEndian: address.sin_port)) }
    close(stream)
    close(datagram)
    return nil
  }
}

private struct Question {
  let bytes: [UInt8]

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// An answer to it with these records.
  func answer(_ records: [[UInt8]], code: UInt8 = 0, truncated: Bool = false, count: Int? = nil) -> [UInt8] {
    var answer = bytes
    answer[2] = truncated ? 0x87 : 0x85
    answer[3] = 0x80 | code
    let count = count ?? records.count
    answer[6...7] = [UInt8(count >> 8), UInt8(count & 255)]
    return answer + records.flatMap(\.self)
  }
}

/// A record; its owner is the name that was asked for, unless told.
private func record(_ type: UInt8, _ data: [UInt8], owner: [UInt8] = [0xC0, 12], length: Int? = nil)
  -> [UInt8]
{
  let length = length ?? data.count
  return owner + [0, type, 0, 1, 0, 0, 0, 60, UInt8(length >> 8), UInt8(length & 255)] + data
}

private func txt(_ strings: [String], owner: [UInt8] = [0xC0, 12]) -> [UInt8] {
  record(16, strings.flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) }, owner: owner)
}

private func name(_ text: String) -> [UInt8] {
  text.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
}

@Suite(.timeLimit(.minutes(60))) struct DNSResolverTests {
  private static func texts(
    milliseconds: Int = 20_000, of asked: String = "a.example.org",
    tcp: @escaping @Sendable (Question) -> [UInt8]? = { _ in nil },
    _ udp: @escaping @Sendable (Question) -> [UInt8]?
  ) throws -> [String] {
    let server = try AnsweringServer(udp: udp, tcp: tcp)
    defer { withExtendedLifetime(server) {} }
    return try DNSResolver(server: server.place, milliseconds: milliseconds).txt(asked)
  }

  @Test func textsAreReadWithTheirStringsTogether() throws {
    #expect(
      try Self.texts { $0.answer([txt(["v=spf1 ", "-all"]), txt(["", "ü"]), txt([])]) } == [
        "v=spf1 -all", "ü", "",
      ])
    #expect(try Self.texts(of: "_dmarc.A.example.org.") { $0.answer([txt(["x"])]) } == ["x"])
    #expect(try Self.texts { $0.answer([record(16, [2, 0xFF, 65])]) } == ["\u{FFFD}A"])
  }

  @Test func noSuchNameAndNoTextAreEmpty() throws {
    #expect(try Self.texts { $0.answer([], code: 3) } == [])
    #expect(try Self.texts { $0.answer([]) } == [])
    #expect(try Self.texts { $0.answer([record(1, [1, 2, 3, 4])]) } == [])
  }

  @Test func otherNamesAreFollowed() throws {
    let first = name("b.example.org")
    let second = name("C.example.net")
    #expect(
      try Self.texts {
        $0.answer([
          txt(["c"], owner: name("c.example.net")), record(5, second, owner: name("B.example.org")),
          record(5, first),
        ])
      } == ["c"])
    // What nobody asked for is not taken, and a circle ends.
    #expect(try Self.texts { $0.answer([txt(["evil"], owner: name("other.example"))]) } == [])
    #expect(try Self.texts { $0.answer([record(5, [0xC0, 12])]) } == [])
  }

  @Test("A server that fails", arguments: [1, 2, 4, 5, 9] as [UInt8])
  func refusal(code: UInt8) {
    #expect(throws: DNSResolver.Failure.refused(code: Int(code))) {
      try Self.texts { $0.answer([], code: code) }
    }
  }

  @Test func silenceEndsInTime() throws {
    let start = Date()
    #expect(throws: DNSResolver.Failure.unanswered) { try Self.texts(milliseconds: 300) { _ in nil } }
    // Truncated, and then TCP is silent.
    #expect(throws: DNSResolver.Failure.unanswered) {
      try Self.texts(milliseconds: 300) { $0.answer([], truncated: true) }
    }
    // Answers to something else are none.
    #expect(throws: DNSResolver.Failure.unanswered) {
      try Self.texts(milliseconds: 300) {
        var answer = $0.answer([txt(["evil"])])
        answer[0] ^= 1
        return answer
      }
    }
    #expect(throws: DNSResolver.Failure.unanswered) {
      try Self.texts(milliseconds: 300) {
        var answer = $0.answer([txt(["evil"])])
        answer[13] ^= 1
        return answer
      }
    }
    #expect(throws: DNSResolver.Failure.unanswered) {
      try DNSResolver(server: "127.0.0.1:1", milliseconds: 300).txt("example.org")
    }
    #expect(Date().timeIntervalSince(start) < 30)
  }

  @Test func aLongAnswerComesByTCP() throws {
    let long = String(repeating: "x", count: 200)
    let texts = try Self.texts(tcp: { $0.answer((0..<150).map { _ in txt([long, long]) }) }) {
      $0.answer([], truncated: true)
    }
    #expect(texts.count == 150 && texts.allSatisfy { $0 == long + long })
  }

  @Test func hostileAnswersAreGarbage() throws {
    let answers: [@Sendable (Question) -> [UInt8]] = [
      { $0.answer([record(16, [200, 65])]) },
      { $0.answer([record(16, [1, 65], length: 60_000)]) },
      { $0.answer([txt(["a"])], count: 65_535) },
      // A name that points to itself.
      { $0.answer([record(5, [0xC0, UInt8($0.bytes.count + 12)])]) },
      { $0.answer([record(5, [0xFF, 0xFF])]) },
      { $0.answer([record(5, [])]) },
      { $0.answer([record(5, [0, 0])]) },
      { $0.answer([record(15, [1])]) },
    ]
    for answer in answers {
      #expect(throws: DNSResolver.Failure.self) { try Self.texts(milliseconds: 300) { answer($0) } }
    }
    for _ in 0..<100 {
      let noise = (0..<Int.random(in: 0...80)).map { _ in UInt8.random(in: 0...255) }
      _ = try? Self.texts(milliseconds: 20) { $0.answer([noise], count: .random(in: 1...3)) }
    }
  }

  @Test func mailExchangersAreSorted() throws {
    let server = try AnsweringServer(udp: {
      $0.answer([record(15, [0, 20] + name("b.example.org")), record(15, [0, 10, 1, 97, 0xC0, 12])])
    })
    let found = try DNSResolver(server: server.place).mx("example.org")
    #expect(found.map(\.preference) == [10, 20] && found.map(\.host) == ["a.example.org", "b.example.org"])
    let none = try AnsweringServer(udp: { $0.answer([record(15, [0, 0, 0])]) })
    #expect(try DNSResolver(server: none.place).mx("example.org").map(\.host) == [""])
  }

  @Test(
    "What is no name is not asked for",
    arguments: [
      "", ".", "a..b", ".a", "a b", "ä.example", "a\0b", String(repeating: "a", count: 64), "a/b", "a\\.b",
    ])
  func badName(_ name: String) {
    #expect(throws: DNSResolver.Failure.badName) { try DNSResolver(server: "127.0.0.1:1").txt(name) }
  }

  @Test(
    "What is no server is refused",
    arguments: [
      "", "localhost", "1.2.3.4:", "1.2.3.4:0", "1.2.3.4:+5", "1.2.3.4:65536", "[::1", "[::1]:x", "::1:99999",
    ])
  func badServer(_ server: String) {
    #expect(throws: DNSResolver.BadServer.self) { try DNSResolver(server: server) }
  }

  @Test("Servers", arguments: ["127.0.0.1", "127.0.0.1:5353", "::1", "[::1]", "[::1]:5353"])
  func goodServer(_ server: String) throws { _ = try DNSResolver(server: server) }
}
