import FLValues
import Foundation
import Synchronization
import Testing

@testable import FLTransfer

@Suite(.timeLimit(.minutes(60))) struct HTTPClientTests {
  /// In milliseconds: what is to be answered may take long on a busy machine, what is not to be ends soon.
  static let (patient, hasty) = (20_000, 1500)

  static func client(allowing networks: String? = "127.0.0.0/8", within milliseconds: Int = patient) throws
    -> HTTPClient
  {
    HTTPClient(
      limits: .init(
        connectMilliseconds: milliseconds, totalMilliseconds: milliseconds, bodyBytes: 1000),
      userAgent: "FastLinkIt-Test",
      addressGuard: try networks.map { AddressGuard(allowing: try AddressNetworks($0)) })
  }

  /// Reads a request and its body, and returns its lines.
  static func request(_ peer: ScriptedServer.Peer) -> [String]? {
    var lines: [String] = []
    while let line = peer.line(), !line.isEmpty { lines.append(line) }
    guard !lines.isEmpty else { return nil }
    let length = lines.first { $0.lowercased().hasPrefix("content-length:") }?.split(separator: " ").last
    return lines + [String(decoding: peer.bytes(length.flatMap { Int($0) } ?? 0), as: UTF8.self)]
  }

  static func post(
    _ answer: String, networks: String? = "127.0.0.0/8", within milliseconds: Int = patient,
    then: (@Sendable (ScriptedServer.Peer) -> Void)? = nil
  ) throws -> HTTPClient.Reply {
    let server = try ScriptedServer { peer in
      guard request(peer) != nil else { return }
      peer.say(answer)
      then?(peer)
    }
    return try client(allowing: networks, within: milliseconds).post(
      "http://127.0.0.1:\(server.port)/hook", headers: [], body: [])
  }

  @Test func aPostIsSentAsItIs() throws {
    let seen = Mutex<[String]>([])
    let server = try ScriptedServer { peer in
      while let request = Self.request(peer) {
        seen.withLock { $0 = request }
        peer.say("HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\nRetry-After: 7\r\n\r\nok")
      }
    }
    let client = try Self.client()
    let body = Array(repeating: UInt8(ascii: "x"), count: 5000)
    for _ in 0..<3 {
      let reply = try client.post(
        "http://127.0.0.1:\(server.port)/hook?a=b",
        headers: [("Content-Type", "application/json"), ("X-Signature", "t=1,v1=ab"), ("X-Empty", "")],
        body: body)
      #expect(
        reply.status == 202 && reply.body == Array("ok".utf8) && !reply.isCut && reply.retryAfterSeconds == 7)
    }
    let request = seen.withLock { $0 }
    #expect(request.first == "POST /hook?a=b HTTP/1.1" && request.last?.count == 5000)
    let fields = [
      "Content-Type: application/json", "X-Signature: t=1,v1=ab", "X-Empty:", "User-Agent: FastLinkIt-Test",
    ]
    for field in fields { #expect(request.contains(field)) }
    #expect(!request.contains { $0.lowercased().hasPrefix("expect") })
    #expect(server.connections == 1)
    _ = try client.post("http://127.0.0.1:\(server.port)/", headers: [], body: [])
    let empty = seen.withLock { $0 }
    #expect(
      empty.contains("Content-Length: 0") && !empty.contains { $0.lowercased().hasPrefix("content-type") })
    // A header of one request is not in the next.
    #expect(!empty.contains { $0.hasPrefix("X-Signature") })
    #expect(try client.get("http://127.0.0.1:\(server.port)/").status == 202)
    #expect(seen.withLock { $0.first } == "GET / HTTP/1.1")
  }

  @Test func redirectsAreNotFollowed() throws {
    let reply = try Self.post(
      "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")
    #expect(reply.status == 302)
  }

  @Test func alargeOrEndlessBodyIsCut() throws {
    let large = try Self.post("HTTP/1.1 500 Oops\r\nContent-Length: 99999999\r\n\r\n") { peer in
      for _ in 0..<10_000 { guard peer.say(String(repeating: "y", count: 10_000)) else { return } }
    }
    #expect(large.status == 500 && large.body.count == 1000 && large.isCut)
    let start = Date()
    let slow = try Self.post("HTTP/1.1 200 OK\r\n\r\n", within: 5000) { peer in
      for _ in 0..<1000 {
        guard peer.say("y") else { return }
        Thread.sleep(forTimeInterval: 0.1)
      }
    }
    #expect(slow.status == 200 && slow.isCut && (1..<500).contains(slow.body.count))
    #expect(Date().timeIntervalSince(start) < 60)
    let broken = try Self.post("HTTP/1.1 201 Created\r\nContent-Length: 10\r\n\r\nabc")
    #expect(broken.status == 201 && broken.isCut && broken.body == Array("abc".utf8))
    let exact = try Self.post(
      "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + String(repeating: "y", count: 1000))
    #expect(!exact.isCut && exact.body.count == 1000)
  }

  @Test func withoutAStatusThereIsAFailure() throws {
    #expect(throws: HTTPClient.Failure.timeout) {
      try Self.post("", within: Self.hasty) { _ = $0.isSilent(milliseconds: 9000) }
    }
    #expect(throws: HTTPClient.Failure.timeout) {
      try Self.post("HTTP/1.1 200 OK\r\n", within: Self.hasty) { _ = $0.isSilent(milliseconds: 9000) }
    }
    // An interim response is no answer.
    #expect(throws: HTTPClient.Failure.timeout) {
      try Self.post("HTTP/1.1 103 Early Hints\r\n\r\n", within: Self.hasty) {
        _ = $0.isSilent(milliseconds: 9000)
      }
    }
    for answer in ["", "hello\r\n\r\n"] {
      do {
        _ = try Self.post(answer)
        Issue.record("\(answer) was taken")
      } catch let failure as HTTPClient.Failure {
        guard case .broken = failure else {
          Issue.record("\(failure)")
          return
        }
      }
    }
    // Headers without end.
    do {
      _ = try Self.post("HTTP/1.1 200 OK\r\n") { peer in
        for index in 0..<100_000 {
          guard peer.say("X-\(index): \(String(repeating: "z", count: 1000))\r\n") else { return }
        }
      }
      Issue.record("it was taken")
    } catch let failure as HTTPClient.Failure {
      guard case .broken = failure else {
        Issue.record("\(failure)")
        return
      }
    }
  }

  @Test func retryAfterMayBeADate() throws {
    let format = DateFormatter()
    format.locale = Locale(identifier: "en_US_POSIX")
    format.timeZone = TimeZone(identifier: "GMT")
    format.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
    let date = format.string(from: Date().addingTimeInterval(100))
    let reply = try Self.post("HTTP/1.1 503 No\r\nRetry-After: \(date)\r\nContent-Length: 0\r\n\r\n")
    #expect((40...101).contains(reply.retryAfterSeconds ?? 0))
    for odd in ["soon", "-5", ""] {
      let reply = try Self.post("HTTP/1.1 503 No\r\nRetry-After: \(odd)\r\nContent-Length: 0\r\n\r\n")
      #expect(reply.retryAfterSeconds == nil)
    }
  }

  @Test func theAddressIsCheckedWhereItIsConnectedTo() throws {
    let ipv4 = try ScriptedServer { peer in
      guard Self.request(peer) != nil else { return }
      peer.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    }
    let guarded = try Self.client(allowing: "")
    // However loopback is written: names, numbers, mapped, or all of the host.
    for host in [
      "127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "0.0.0.0",
      "[::ffff:127.0.0.1]",
    ] {
      #expect(throws: HTTPClient.Failure.forbiddenAddress, "\(host)") {
        try guarded.post("http://\(host):\(ipv4.port)/", headers: [], body: [])
      }
    }
    #expect(ipv4.connections == 0)
    // Another client's connection is of no use to a guarded one.
    let free = try Self.client(allowing: nil)
    #expect(try free.post("http://127.0.0.1:\(ipv4.port)/", headers: [], body: []).status == 200)
    #expect(throws: HTTPClient.Failure.forbiddenAddress) {
      try guarded.get("http://127.0.0.1:\(ipv4.port)/")
    }
    let mapped = try Self.client().post("http://[::ffff:127.0.0.1]:\(ipv4.port)/", headers: [], body: [])
    #expect(mapped.status == 200)
  }

  @Test func ipv6IsCheckedToo() throws {
    guard
      let server = try? ScriptedServer(
        ipv6: true,
        { peer in
          guard Self.request(peer) != nil else { return }
          peer.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        })
    else { return }
    #expect(throws: HTTPClient.Failure.forbiddenAddress) {
      try Self.client().post("http://[::1]:\(server.port)/", headers: [], body: [])
    }
    #expect(
      try Self.client(allowing: "::1").post("http://[::1]:\(server.port)/", headers: [], body: []).status
        == 200)
  }

  @Test func failuresTellWhatIsWrong() throws {
    let client = try Self.client()
    for address in [
      "", "ftp://127.0.0.1/", "file:///etc/passwd", "gopher://127.0.0.1/", "http://", "http://a b/",
    ] {
      #expect(throws: HTTPClient.Failure.badAddress, "\(address)") {
        try client.post(address, headers: [], body: [])
      }
    }
    #expect(throws: HTTPClient.Failure.unreachable) {
      try client.post("http://127.0.0.1:1/", headers: [], body: [])
    }
    // Where the name server is silent, it is not known in time that there is none of this name.
    let unknown = #expect(throws: HTTPClient.Failure.self) {
      try Self.client(within: Self.hasty).get("http://nowhere.invalid/")
    }
    #expect(unknown == .unreachable || unknown == .timeout)
    for (name, value) in [
      ("A B", "x"), ("", "x"), ("A", "x\r\nB: y"), ("A:", "x"), ("A", "x\0"), ("A", "x\ny"),
    ] {
      #expect(throws: HTTPClient.Failure.badHeader) {
        try client.post("http://127.0.0.1:1/", headers: [(name, value)], body: [])
      }
    }
  }

  @Test(
    "What is not public is forbidden",
    arguments: [
      "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.255", "169.254.169.254",
      "172.16.0.1",
      "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1",
      "198.19.255.255",
      "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "::",
      "::1",
      "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "::8.8.8.8", "64:ff9b::127.0.0.1",
      "64:ff9b::169.254.169.254",
      "64:ff9b:1::8.8.8.8", "64:ff9b:1:ffff::1", "100::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2",
      "2001:2::1",
      "2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::", "2002:a00:1::", "2002:c0a8:101::1",
      "3fff::1", "5f00::1",
      "fc00::1", "fd12:3456::1", "fe80::1", "febf::1", "fec0::1", "ff02::1", "ff0e::1",
    ])
  func forbidden(address: String) throws {
    for port in [443, 8080] { #expect(!AddressGuard().allows(try #require(IPAddress(address)), port: port)) }
  }

  @Test(
    "What is public is allowed",
    arguments: [
      "1.1.1.1", "8.8.8.8", "172.32.0.1", "192.0.1.1", "2606:4700::1111", "2a00::1", "64:ff9b::8.8.8.8",
    ])
  func allowed(address: String) throws {
    #expect(AddressGuard().allows(try #require(IPAddress(address)), port: 81))
  }

  @Test(
    "Of the host's own addresses all but the web is forbidden, also inside of others",
    arguments: [
      ("8.8.8.8", false), ("64:ff9b::8.8.8.8", false), ("2002:808:808::1", false), ("2a00::1", false),
      ("8.8.4.4", true), ("2a00::2", true), ("1.1.1.1", true),
    ])
  func ownAddresses(address: String, isAllowed: Bool) throws {
    let own = try ["8.8.8.8", "2a00::1", "1.1.1.1"].map { try #require(IPAddress($0)) }
    let guarding = AddressGuard(allowing: try AddressNetworks("1.1.1.1")) { own.contains($0) }
    let host = try #require(IPAddress(address))
    for port in [1, 25, 79, 3306, 8080] { #expect(guarding.allows(host, port: port) == isAllowed) }
    // A shop on the same host is told, by what all can reach.
    for port in [80, 443] { #expect(guarding.allows(host, port: port)) }
  }

  @Test func theHostKnowsItsOwnAddresses() throws {
    for own in ["127.0.0.1", "127.0.0.2"] {
      #expect(AddressGuard.isOfThisHost(try #require(IPAddress(own))))
    }
    // One for documentation (RFC 5737, RFC 3849), where there is a way to it or not.
    for other in ["192.0.2.1", "2001:db8::1"] {
      #expect(!AddressGuard.isOfThisHost(try #require(IPAddress(other))))
    }
  }

  @Test func theOperatorMayAllowMore() throws {
    let opened = AddressGuard(allowing: try AddressNetworks("10.1.2.0/24,fd00::/8"))
    for (address, isAllowed) in [
      ("10.1.2.3", true), ("::ffff:10.1.2.3", true), ("10.1.3.1", false), ("64:ff9b::10.1.2.3", false),
      ("fd00::1", true),
      ("fc00::1", false), ("127.0.0.1", false), ("8.8.8.8", true),
    ] {
      #expect(opened.allows(try #require(IPAddress(address)), port: 25) == isAllowed, "\(address)")
    }
  }
}
