import CCurl
import FLValues
import Synchronization

/// Fetches what is at an address by HTTP (RFC 9110), or posts to it: blocking, within limits of time and size.
///
/// It follows no redirect, takes no proxy from the environment, and speaks nothing but http and https. Connections are
/// kept and used again, by this client only: what its guard let pass is used under no other guard.
public final class HTTPClient: Sendable {
  /// What holds for each transfer.
  public struct Limits: Sendable {
    /// How long connecting may take, in milliseconds.
    public var connectMilliseconds: Int
    /// How long all of it may take, in milliseconds.
    public var totalMilliseconds: Int
    /// The largest body that is taken, in bytes.
    public var bodyBytes: Int

    /// Limits.
    public init(connectMilliseconds: Int, totalMilliseconds: Int, bodyBytes: Int) {
      self.connectMilliseconds = connectMilliseconds
      self.totalMilliseconds = totalMilliseconds
      self.bodyBytes = bodyBytes
    }
  }

  /// What came back.
  public struct Reply: Sendable {
    /// The HTTP status; redirects as they are.
    public let status: Int
    /// The body, decoded; of a post that which came within the limits.
    public let body: [UInt8]
    /// Whether there was more of a body, or may have been: a limit was reached, or the connection broke.
    public let isCut: Bool
    /// The seconds to wait of a Retry-After (RFC 9110, section 10.2.3), also where it tells a date; nil without one.
    public let retryAfterSeconds: Int?
  }

  /// Why nothing came back.
  public enum Failure: Error, Sendable, Equatable {
    /// The address is none, or not http or https.
    case badAddress
    /// A header field has a name or a value that HTTP does not allow.
    case badHeader
    /// The host's name is not known, or it does not take connections.
    case unreachable
    /// The host has no address that the guard lets pass.
    case forbiddenAddress
    /// It took longer than the limit.
    case timeout
    /// The body is larger than the limit; not told of a post.
    case tooLarge
    /// Its certificate does not hold.
    case untrusted
    /// Something else, with libcurl's number.
    case broken(code: Int)
  }

  private let limits: Limits
  private let userAgent: String
  private let addressGuard: AddressGuard?
  private let authorities: String?
  private let idle = Mutex<[CurlHandle]>([])
  private let mostIdle: Int

  /// A client that calls itself `userAgent`.
  ///
  /// - Parameters:
  ///   - addressGuard: which addresses may be connected to; nil for all.
  ///   - authorities: the file of the certificate authorities to trust instead of the system's.
  ///   - mostIdle: how many handles are kept between transfers, each with two connections; no fewer than the threads
  ///     that use the client is good.
  public init(
    limits: Limits, userAgent: String, addressGuard: AddressGuard? = nil, authorities: String? = nil,
    mostIdle: Int = 4
  ) {
    self.limits = limits
    self.userAgent = userAgent
    self.addressGuard = addressGuard
    self.authorities = authorities
    self.mostIdle = mostIdle
  }

  /// Fetches what is at `address`.
  public func get(_ address: String) throws(Failure) -> Reply {
    let transfer = Transfer(limit: limits.bodyBytes, addressGuard: addressGuard)
    return try withHandle { handle throws(Failure) in
      prepare(handle, address, limits)
      // Any coding that libcurl knows.
      handle.set(CURLOPT_ACCEPT_ENCODING, "")
      let code = transfer.perform(handle)
      guard code == CURLE_OK else { throw transfer.isCut ? .tooLarge : transfer.failure(code, handle) }
      return transfer.reply(handle)
    }
  }

  /// Posts `body` to `address`, and takes the status and the beginning of what is answered.
  ///
  /// Once there is a status, it counts: what is then too large, too slow or breaks is cut off, and is no failure.
  ///
  /// - Parameters:
  ///   - headers: the header fields besides `Host`, `User-Agent`, `Accept` and `Content-Length`.
  ///   - limits: of this transfer; the client's where it is nil.
  public func post(
    _ address: String, headers: [(name: String, value: String)], body: [UInt8], limits: Limits? = nil
  ) throws(Failure) -> Reply {
    guard headers.allSatisfy({ Self.isHeader($0.name, $0.value) }) else { throw .badHeader }
    let limits = limits ?? self.limits
    let transfer = Transfer(limit: limits.bodyBytes, addressGuard: addressGuard)
    return try withHandle { handle throws(Failure) in
      prepare(handle, address, limits)
      let fields = CurlHandle.HeaderFields(handle)
      // A name with a semicolon is how libcurl is told of an empty value.
      for (name, value) in headers { fields.append(value.isEmpty ? "\(name);" : "\(name): \(value)") }
      // Without these libcurl would ask first whether a large body is welcome, and call it a form.
      fields.append("Expect:")
      if !headers.contains(where: { $0.name.lowercased() == "content-type" }) {
        fields.append("Content-Type:")
      }
      handle.set(fields)
      let code = unsafe body.withUnsafeBytes { bytes in
        unsafe handle.set(body: bytes)
        return transfer.perform(handle)
      }
      withExtendedLifetime(fields) {}
      guard code == CURLE_OK || transfer.isHeadComplete else { throw transfer.failure(code, handle) }
      if code != CURLE_OK { transfer.isCut = true }
      return transfer.reply(handle)
    }
  }

  private func withHandle(_ use: (CurlHandle) throws(Failure) -> Reply) throws(Failure) -> Reply {
    guard let handle = idle.withLock({ $0.popLast() }) ?? CurlHandle() else {
      throw .broken(code: Int(CURLE_FAILED_INIT.rawValue))
    }
    defer {
      // What it points to is gone after the transfer.
      handle.reset()
      idle.withLock { if $0.count < mostIdle { $0.append(handle) } }
    }
    return try use(handle)
  }

  private func prepare(_ handle: CurlHandle, _ address: String, _ limits: Limits) {
    handle.set(CURLOPT_NOSIGNAL, 1)
    // A name whose server never answers holds no thread beyond the limit of time.
    handle.set(CURLOPT_QUICK_EXIT, 1)
    handle.set(CURLOPT_FOLLOWLOCATION, 0)
    handle.set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds: limits.connectMilliseconds)
    handle.set(CURLOPT_TIMEOUT_MS, milliseconds: limits.totalMilliseconds)
    handle.set(CURLOPT_MAXCONNECTS, 2)
    handle.set(CURLOPT_PROXY, "")
    handle.set(CURLOPT_PROTOCOLS_STR, "http,https")
    handle.set(CURLOPT_USERAGENT, userAgent)
    if let authorities { handle.set(CURLOPT_CAINFO, authorities) }
    // A NUL would end the address before its end.
    handle.set(CURLOPT_URL, address.utf8.contains(0) ? "" : address)
  }

  /// Whether it is a header field (RFC 9110, sections 5.1 and 5.5): nothing in it can begin another.
  private static func isHeader(_ name: String, _ value: String) -> Bool {
    let token = Set("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)
    return !name.isEmpty && name.utf8.allSatisfy(token.contains)
      && value.utf8.allSatisfy { $0 == 9 || ($0 >= 32 && $0 != 127) }
  }
}

/// One transfer, as libcurl's callbacks see it.
private final class Transfer {
  private var body: [UInt8] = []
  private let limit: Int
  private let addressGuard: AddressGuard?
  private var headBytes = 0
  private var wasForbidden = false
  var isCut = false
  /// Whether the empty line behind the header was received, and not that of an interim response.
  var isHeadComplete = false
  private var isInterim = false

  /// More than any server says that means well.
  private static let mostHeadBytes = 65_536

  init(limit: Int, addressGuard: AddressGuard?) { (self.limit, self.addressGuard) = (limit, addressGuard) }

  func perform(_ handle: CurlHandle) -> CURLcode {
    unsafe handle.set(
      writer: { bytes, size, count, context in
        unsafe Transfer.with(bytes, size * count, context) { unsafe $0.take($1) }
      }, context: self)
    unsafe handle.set(
      writer: { bytes, size, count, context in
        unsafe Transfer.with(bytes, size * count, context) { unsafe $0.takeHead($1) }
      }, ofHeaders: true, context: self)
    return withExtendedLifetime(self) {
      guard addressGuard != nil else { return handle.perform() }
      var guarded = unsafe fl_curl_guarded(
        guard: { bytes, length, port, context in
          guard let context = unsafe context else { return false }
          let transfer = unsafe Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
          return unsafe transfer.allows(
            UnsafeRawBufferPointer(start: bytes, count: Int(length)), port: Int(port))
        }, context: Unmanaged.passUnretained(self).toOpaque())
      return unsafe withUnsafeMutablePointer(to: &guarded) {
        unsafe handle.set(guarded: $0)
        return handle.perform()
      }
    }
  }

  func reply(_ handle: CurlHandle) -> HTTPClient.Reply {
    let wait = handle.retryAfterSeconds
    return HTTPClient.Reply(
      status: handle.status, body: body, isCut: isCut, retryAfterSeconds: wait > 0 ? wait : nil)
  }

  func failure(_ code: CURLcode, _ handle: CurlHandle) -> HTTPClient.Failure {
    switch code {
    // An answer without a header is of an unsupported protocol too.
    case CURLE_UNSUPPORTED_PROTOCOL where handle.hasSent: .broken(code: Int(code.rawValue))
    case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL: .badAddress
    case CURLE_COULDNT_CONNECT where wasForbidden: .forbiddenAddress
    case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT: .unreachable
    case CURLE_OPERATION_TIMEDOUT: .timeout
    case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE: .untrusted
    default: .broken(code: Int(code.rawValue))
    }
  }

  private static func with(
    _ bytes: UnsafeMutablePointer<CChar>?, _ length: Int, _ context: UnsafeMutableRawPointer?,
    _ take: (Transfer, UnsafeRawBufferPointer) -> Bool
  ) -> Int {
    guard let bytes = unsafe bytes, let context = unsafe context else { return 0 }
    let transfer = unsafe Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
    return unsafe take(transfer, UnsafeRawBufferPointer(start: bytes, count: length)) ? length : 0
  }

  private func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
    let room = limit - body.count
    unsafe body.append(contentsOf: bytes.prefix(room))
    isCut = bytes.count > room
    return !isCut
  }

  private func takeHead(_ line: UnsafeRawBufferPointer) -> Bool {
    headBytes += line.count
    guard headBytes <= Self.mostHeadBytes else { return false }
    if unsafe line.starts(with: "HTTP/".utf8) {
      // "HTTP/1.1 100 Continue" has its status behind the first space.
      let status = unsafe line.drop { $0 != UInt8(ascii: " ") }.dropFirst().first
      isInterim = status == UInt8(ascii: "1")
    }
    if line.count <= 2 && !isInterim { isHeadComplete = true }
    return true
  }

  private func allows(_ address: UnsafeRawBufferPointer, port: Int) -> Bool {
    func bits(_ range: Range<Int>) -> UInt64 {
      range.reduce(0) { bits, index in unsafe bits << 8 | UInt64(address[index]) }
    }
    let isAllowed =
      switch address.count {
      case 4: addressGuard?.allows(IPAddress(ipv4: UInt32(bits(0..<4))), port: port) ?? true
      case 16: addressGuard?.allows(IPAddress(high: bits(0..<8), low: bits(8..<16)), port: port) ?? true
      default: false
      }
    if !isAllowed { wasForbidden = true }
    return isAllowed
  }
}
