import FLGeoIP
import FLValues
import Foundation
import Synchronization
import Testing

@testable import FLApp

/// A server on loopback that answers each request with what `answer` says of its address.
private final class Answering: Sendable {
  let port: UInt16
  private let listener: Int32
  private let asked = Mutex(0)
  private let answer = Mutex<Data?>(nil)

  /// One that answers nobody before `crowd` have asked.
  init(crowd: Int = 1) throws {
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
    var place = sockaddr_in()
    place.sin_family = sa_family_t(AF_INET)
    place.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let listener = listener
    let isBound = withUnsafeMutablePointer(to: &place) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, length) == 0 && listen(listener, 64) == 0
          && getsockname(listener, $0, &length) == 0
      }
    }
    try #require(isBound)
    port = UInt16(bigEndian: place.sin_port)
    let thread = Thread { [self] in
      var waiting: [Int32] = []
      // By the thread that waits on it: a number that was closed under it would be another server's next.
      defer { for socket in waiting + [listener] { close(socket) } }
      while true {
        let client = accept(listener, nil, nil)
        guard client >= 0 else {
          // Nothing but `stop` is the end: without a descriptor others come later.
          if errno == EINVAL || errno == EBADF { return }
          usleep(10_000)
          continue
        }
        waiting.append(client)
        let count = asked.withLock { asked in
          asked += 1
          return asked
        }
        guard count >= crowd else { continue }
        for client in waiting { reply(client) }
        waiting = []
      }
    }
    thread.start()
  }

  /// Answers one request, and closes its connection.
  private func reply(_ client: Int32) {
    var buffer = [UInt8](repeating: 0, count: 4096)
    _ = recv(client, &buffer, buffer.count, 0)
    // Long enough for others to come meanwhile.
    usleep(50_000)
    if let answer = answer.withLock({ $0 }) {
      _ = answer.withUnsafeBytes { send(client, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    }
    close(client)
  }

  var count: Int { asked.withLock { $0 } }

  func say(_ body: String) {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n"
    answer.withLock { $0 = Data((head + body).utf8) }
  }

  func stop() {
    shutdown(listener, Int32(SHUT_RDWR))
  }
}

/// A provider that fails is left alone, longer each time.
@Suite struct GeoProviderTests {
  private let ip = IPAddress(ipv4: 0x0808_0808)

  private func isAnswered(_ outcome: GeoProvider.Outcome) -> Bool {
    if case .answered = outcome { true } else { false }
  }

  @Test func thePauseDoublesUntilOneTrialGoesWell() throws {
    let server = try Answering()
    defer { server.stop() }
    let provider = GeoProvider(address: "http://127.0.0.1:\(server.port)/{ip}", seconds: 20)
    var now = Timestamp(seconds: 1_800_000_000)
    for _ in 0..<GeoProvider.patience {
      #expect(!provider.isLeftAlone(at: now))
      #expect(!isAnswered(provider.ask(ip, at: now)))
    }
    var asked = GeoProvider.patience
    #expect(server.count == asked)
    for pause in [30, 60, 120, 240, 480, 600, 600] {
      #expect(provider.isLeftAlone(at: now + .seconds(pause - 1)))
      #expect(!isAnswered(provider.ask(ip, at: now + .seconds(pause - 1))) && server.count == asked)
      now = now + .seconds(pause)
      #expect(!provider.isLeftAlone(at: now))
      // Of many who come then, one tries it.
      let (at, ip) = (now, ip)
      _ = inParallel(4) { _ in provider.ask(ip, at: at) }
      asked += 1
      #expect(server.count == asked, "after \(pause) seconds")
    }
    server.say(#"{"success": true, "ip": "8.8.8.8", "country_code": "US"}"#)
    now = now + .seconds(600)
    for _ in 0..<2 { #expect(isAnswered(provider.ask(ip, at: now))) }
    // It begins anew.
    server.say("nonsense")
    for _ in 0..<GeoProvider.patience { _ = provider.ask(ip, at: now) }
    #expect(provider.isLeftAlone(at: now + .seconds(29)) && !provider.isLeftAlone(at: now + .seconds(30)))
  }

  @Test func manyThatFailAtOnceMakeThePauseNoLonger() throws {
    // None has failed before all are under way.
    let server = try Answering(crowd: 12)
    defer { server.stop() }
    let provider = GeoProvider(address: "http://127.0.0.1:\(server.port)/{ip}", seconds: 60)
    let now = Timestamp(seconds: 1_800_000_000)
    let ip = ip
    _ = inParallel(12) { _ in provider.ask(ip, at: now) }
    #expect(server.count == 12)
    #expect(provider.isLeftAlone(at: now + .seconds(29)) && !provider.isLeftAlone(at: now + .seconds(30)))
  }
}
