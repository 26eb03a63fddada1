import CCurl
import Glibc

/// Why there is no connection to a mail server; nothing was sent.
public enum MailConnectionFailure: Error, Sendable, Equatable, CustomStringConvertible {
  /// The host's name is not known, or it takes no connections.
  case unreachable
  /// It took longer than the limits.
  case timeout
  /// The server's certificate does not hold.
  case untrusted
  /// Encryption is required, and the server does not offer it.
  case notEncrypted
  /// The server does not take the credentials, or offers no way to tell them; with what it said.
  case notAuthenticated(String)
  /// The server does not want to talk, or said what is no reply; with what it said.
  case refused(String)
  /// Something else, with libcurl's number and sentence.
  case broken(code: Int, text: String)

  /// A sentence for the operator.
  public var description: String {
    switch self {
    case .unreachable: "The mail server can't be reached."
    case .timeout: "The mail server took too long."
    case .untrusted: "The mail server's certificate is not trusted."
    case .notEncrypted: "The mail server offers no encryption, which is required."
    case .notAuthenticated(let said): "The mail server does not let in: \(said)"
    case .refused(let said): "The mail server refused the connection: \(said)"
    case .broken(_, let text): "The connection to the mail server failed: \(text)."
    }
  }
}

/// A point on the clock that never jumps, in milliseconds.
struct Deadline {
  let instant: Int

  static var now: Int {
    var time = timespec()
    unsafe _ = clock_gettime(CLOCK_MONOTONIC, &time)
    return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
  }

  init(milliseconds: Int) { instant = Self.now + max(0, min(milliseconds, 86_400_000)) }

  private init(instant: Int) { self.instant = instant }

  /// What is left, at least 0.
  var left: Int { max(0, instant - Self.now) }

  /// The earlier of this one and one that is so many milliseconds from now.
  func within(milliseconds: Int) -> Deadline {
    Deadline(instant: min(instant, Deadline(milliseconds: milliseconds).instant))
  }
}

/// A connection that libcurl has opened, encrypted and authenticated, and on which lines are said by hand: blocking,
/// each call within a limit of time.
final class MailConnection {
  /// Why it can't be used any more.
  enum Failure: Error, Equatable {
    case closed
    case timeout
    /// Something came that the protocol does not know, or too much.
    case garbage
    case broken(String)
  }

  /// How it is opened.
  struct Way {
    var url: String
    var user: String?
    var password: String?
    var encryption: MailEncryption
    var authorities: String?
    var connectMilliseconds: Int
    var replyMilliseconds: Int
  }

  private let handle: CurlHandle
  private let socket: Int32
  /// What the server said while the connection was opened, line by line.
  let greeting: [[UInt8]]
  /// Whether waiting for the server is to end before its time.
  var isOver: () -> Bool = { false }

  private var input = [UInt8](repeating: 0, count: 16_384)
  private var inputStart = 0
  private var inputEnd = 0

  private init(handle: CurlHandle, socket: Int32, greeting: [[UInt8]]) {
    (self.handle, self.socket, self.greeting) = (handle, socket, greeting)
  }

  /// What the server says while libcurl talks to it.
  private final class Transcript {
    private var bytes: [UInt8] = []

    func append(_ line: UnsafeRawBufferPointer) {
      // The last words are those that count.
      if bytes.count + line.count > 65_536 { bytes.removeAll() }
      unsafe bytes.append(contentsOf: line.prefix(4096))
    }

    var lines: [[UInt8]] {
      bytes.split(separator: 10).map { Array($0.last == 13 ? $0.dropLast() : $0) }
    }

    var lastWords: String {
      let line = lines.last ?? Array("nothing".utf8)
      return String(SMTPReply.plain(line[...]).prefix(SMTPReply.mostText))
    }
  }

  static func open(_ way: Way) throws(MailConnectionFailure) -> MailConnection {
    guard let handle = CurlHandle() else {
      throw .broken(code: Int(CURLE_FAILED_INIT.rawValue), text: "libcurl is not there")
    }
    let transcript = Transcript()
    handle.set(CURLOPT_URL, way.url)
    handle.set(CURLOPT_PROTOCOLS_STR, "smtp,smtps,pop3,pop3s,imap,imaps")
    handle.set(CURLOPT_NOSIGNAL, 1)
    handle.set(CURLOPT_PROXY, "")
    handle.set(CURLOPT_CONNECT_ONLY, 1)
    if let user = way.user { handle.set(CURLOPT_USERNAME, user) }
    if let password = way.password { handle.set(CURLOPT_PASSWORD, password) }
    let level =
      switch way.encryption {
      case .none: CURLUSESSL_NONE
      case .opportunistic: CURLUSESSL_TRY
      case .required: CURLUSESSL_ALL
      }
    handle.set(CURLOPT_USE_SSL, Int(level.rawValue))
    if let authorities = way.authorities { handle.set(CURLOPT_CAINFO, authorities) }
    // libcurl's limit of connecting includes the greeting and all that follows.
    handle.set(connectingMilliseconds: way.connectMilliseconds)
    handle.set(
      CURLOPT_CONNECTTIMEOUT_MS, milliseconds: way.connectMilliseconds + way.replyMilliseconds)
    handle.set(CURLOPT_SERVER_RESPONSE_TIMEOUT, max(1, (way.replyMilliseconds + 999) / 1000))
    unsafe handle.set(
      writer: { bytes, size, count, context in
        guard let bytes = unsafe bytes, let context = unsafe context else { return 0 }
        let transcript = unsafe Unmanaged<Transcript>.fromOpaque(context).takeUnretainedValue()
        unsafe transcript.append(UnsafeRawBufferPointer(start: bytes, count: size * count))
        return size * count
      }, ofHeaders: true, context: transcript)
    // Nothing is a body here.
    unsafe handle.set(writer: { _, size, count, _ in size * count }, context: transcript)
    let code = withExtendedLifetime(transcript) { handle.perform() }
    guard code == CURLE_OK else { throw failure(code, handle, transcript.lastWords) }
    let socket = handle.socket
    guard socket >= 0 else { throw failure(CURLE_COULDNT_CONNECT, handle, "") }
    fl_curl_end_connecting_limit(socket)
    return MailConnection(handle: handle, socket: socket, greeting: transcript.lines)
  }

  private static func failure(_ code: CURLcode, _ handle: CurlHandle, _ said: String) -> MailConnectionFailure
  {
    switch code {
    case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT: .unreachable
    case CURLE_OPERATION_TIMEDOUT: .timeout
    case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE: .untrusted
    case CURLE_USE_SSL_FAILED: .notEncrypted
    case CURLE_LOGIN_DENIED: .notAuthenticated(said)
    case CURLE_WEIRD_SERVER_REPLY, CURLE_REMOTE_ACCESS_DENIED: .refused(said)
    default: .broken(code: Int(code.rawValue), text: handle.text(of: code))
    }
  }

  /// Whether something was received that nobody has read.
  var hasInput: Bool { inputStart < inputEnd }

  /// Sends all, and tells how many bytes the system took: before a failure they may have gone out or not.
  func write(_ bytes: UnsafeRawBufferPointer, by deadline: Deadline) -> (taken: Int, failure: Failure?) {
    var taken = 0
    while taken < bytes.count {
      var accepted = 0
      // TLS must be offered the same bytes again.
      let code = unsafe handle.send(UnsafeRawBufferPointer(rebasing: bytes[taken...]), accepted: &accepted)
      taken += accepted
      switch code {
      case CURLE_OK where accepted > 0: continue
      case CURLE_OK, CURLE_AGAIN:
        if let failure = wait(Int16(POLLOUT), by: deadline) { return (taken, failure) }
      case CURLE_SEND_ERROR: return (taken, .closed)
      default: return (taken, .broken(handle.text(of: code)))
      }
    }
    return (taken, nil)
  }

  /// The same of an array.
  func write(_ bytes: [UInt8], by deadline: Deadline) throws(Failure) {
    let failure = unsafe bytes.withUnsafeBytes { unsafe write($0, by: deadline).failure }
    if let failure { throw failure }
  }

  /// The next line, without its end, which is CR LF or LF alone. Of one that is longer than `most` bytes these alone where
  /// `isCut`, else it is `.garbage`.
  func line(most: Int, isCut: Bool = false, by deadline: Deadline) throws(Failure) -> [UInt8] {
    var kept: [UInt8]?
    var searched = 0
    while true {
      let from = inputStart + searched
      let found = unsafe input.withUnsafeBytes { input -> Int? in
        guard from < inputEnd, let base = input.baseAddress,
          let place = unsafe memchr(base + from, 10, inputEnd - from)
        else { return nil }
        return unsafe UnsafeRawPointer(place) - base
      }
      if let found {
        var line = input[inputStart..<found]
        inputStart = found + 1
        if line.last == 13 { line.removeLast() }
        if let kept { return kept }
        guard isCut || line.count <= most else { throw .garbage }
        return Array(line.prefix(most))
      }
      searched = inputEnd - inputStart
      // The end of the line may be a CR yet.
      if searched > most + 1 {
        guard isCut else { throw .garbage }
        kept = kept ?? Array(input[inputStart..<inputStart + most])
        (inputStart, searched) = (inputEnd, 0)
      }
      try receive(by: deadline)
    }
  }

  /// The next so many bytes, as IMAP counts them.
  func bytes(_ count: Int, by deadline: Deadline) throws(Failure) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    while bytes.count < count {
      if !hasInput { try receive(by: deadline) }
      let part = min(count - bytes.count, inputEnd - inputStart)
      bytes += input[inputStart..<inputStart + part]
      inputStart += part
    }
    return bytes
  }

  /// Receives what there is, at least one byte.
  private func receive(by deadline: Deadline) throws(Failure) {
    if inputStart == inputEnd {
      (inputStart, inputEnd) = (0, 0)
    } else if inputEnd == input.count {
      // A line is limited to a part of the room.
      input.replaceSubrange(0..<inputEnd - inputStart, with: input[inputStart..<inputEnd])
      (inputStart, inputEnd) = (0, inputEnd - inputStart)
      if inputEnd == input.count { input += [UInt8](repeating: 0, count: input.count) }
    }
    while true {
      var received = 0
      // First what is there: TLS may have decrypted more than was asked for, which no poll would tell.
      let code = unsafe input.withUnsafeMutableBytes {
        unsafe handle.receive(UnsafeMutableRawBufferPointer(rebasing: $0[inputEnd...]), received: &received)
      }
      switch code {
      case CURLE_OK where received > 0:
        inputEnd += received
        return
      case CURLE_OK, CURLE_RECV_ERROR: throw .closed
      case CURLE_AGAIN:
        if let failure = wait(Int16(POLLIN), by: deadline) { throw failure }
      default: throw .broken(handle.text(of: code))
      }
    }
  }

  private func wait(_ events: Int16, by deadline: Deadline) -> Failure? {
    while true {
      var entry = pollfd(fd: socket, events: events, revents: 0)
      let count = unsafe poll(&entry, 1, Int32(min(deadline.left, 250)))
      if count > 0 { return nil }
      if count < 0 && errno != EINTR { return .broken("poll: errno \(errno)") }
      if deadline.left == 0 || isOver() { return .timeout }
    }
  }
}
