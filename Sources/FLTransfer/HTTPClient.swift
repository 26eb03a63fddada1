import CCurl
import Synchronization

/// Fetches what is at an address by HTTP (RFC 9110): blocking, within limits of time and size.
///
/// It follows no redirect, takes no proxy from the environment, and speaks nothing but http and https. Connections are
/// kept and used again.
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
    /// The body, decoded.
    public let body: [UInt8]
  }

  /// Why nothing came back.
  public enum Failure: Error, Sendable, Equatable {
    /// The address is none, or not http or https.
    case badAddress
    /// The host's name is not known, or it does not take connections.
    case unreachable
    /// It took longer than the limit.
    case timeout
    /// The body is larger than the limit.
    case tooLarge
    /// Its certificate does not hold.
    case untrusted
    /// Something else, with libcurl's number.
    case broken(code: Int)
  }

  private let limits: Limits
  private let userAgent: String
  private let idle = Mutex<[Handle]>([])
  private static let mostIdle = 4

  /// A client that calls itself `userAgent`.
  public init(limits: Limits, userAgent: String) {
    self.limits = limits
    self.userAgent = userAgent
  }

  /// Fetches what is at `address`.
  public func get(_ address: String) throws(Failure) -> Reply {
    guard let handle = idle.withLock({ $0.popLast() }) ?? Handle() else {
      throw .broken(code: Int(CURLE_FAILED_INIT.rawValue))
    }
    defer {
      idle.withLock { if $0.count < Self.mostIdle { $0.append(handle) } }
    }
    return try handle.get(address, limits, userAgent)
  }
}

/// One of libcurl's handles with the connections that it keeps; one thread at a time has it.
@safe private final class Handle: @unchecked Sendable {
  private let curl: UnsafeMutableRawPointer
  /// What is called of libcurl; Swift can't call all of it.
  private let library: UnsafePointer<fl_curl>

  /// libcurl, loaded and made ready once, when it is needed first, and never given back; nil where it is not there.
  @safe private struct Library: @unchecked Sendable {
    let functions: UnsafePointer<fl_curl>

    static let shared: Library? = {
      let place = UnsafeMutablePointer<fl_curl>.allocate(capacity: 1)
      guard unsafe fl_curl_load(place) else {
        unsafe place.deallocate()
        return nil
      }
      return unsafe Library(functions: UnsafePointer(place))
    }()
  }

  init?() {
    guard let library = Library.shared, let curl = unsafe library.functions.pointee.curl_easy_init() else {
      return nil
    }
    unsafe self.curl = unsafe curl
    unsafe self.library = library.functions
  }

  deinit { unsafe library.pointee.curl_easy_cleanup(curl) }

  /// What was received, and how much may be.
  private final class Body {
    var bytes: [UInt8] = []
    let limit: Int
    var isTooLarge = false

    init(limit: Int) { self.limit = limit }
  }

  func get(_ address: String, _ limits: HTTPClient.Limits, _ userAgent: String) throws(HTTPClient.Failure)
    -> HTTPClient.Reply
  {
    unsafe library.pointee.curl_easy_reset(curl)
    let body = Body(limit: limits.bodyBytes)
    set(CURLOPT_NOSIGNAL, 1)
    set(CURLOPT_FOLLOWLOCATION, 0)
    set(CURLOPT_CONNECTTIMEOUT_MS, limits.connectMilliseconds)
    set(CURLOPT_TIMEOUT_MS, limits.totalMilliseconds)
    set(CURLOPT_MAXCONNECTS, 2)
    set(CURLOPT_PROXY, "")
    set(CURLOPT_PROTOCOLS_STR, "http,https")
    set(CURLOPT_USERAGENT, userAgent)
    set(CURLOPT_ACCEPT_ENCODING, "")
    set(CURLOPT_URL, address)
    unsafe _ = fl_curl_set_writer(library, curl) { bytes, size, count, context in
      guard let bytes = unsafe bytes, let context = unsafe context else { return 0 }
      let body = unsafe Unmanaged<Body>.fromOpaque(context).takeUnretainedValue()
      let length = size * count
      guard length <= body.limit - body.bytes.count else {
        body.isTooLarge = true
        return 0
      }
      unsafe body.bytes.append(contentsOf: UnsafeRawBufferPointer(start: bytes, count: length))
      return length
    }
    unsafe _ = fl_curl_set_pointer(
      library, curl, CURLOPT_WRITEDATA, Unmanaged.passUnretained(body).toOpaque())
    let code = withExtendedLifetime(body) { unsafe library.pointee.curl_easy_perform(curl) }
    guard code == CURLE_OK else { throw body.isTooLarge ? .tooLarge : Self.failure(code) }
    return HTTPClient.Reply(status: unsafe fl_curl_status(library, curl), body: body.bytes)
  }

  private func set(_ option: CURLoption, _ value: Int) {
    unsafe _ = fl_curl_set_long(library, curl, option, value)
  }

  private func set(_ option: CURLoption, _ value: String) {
    unsafe _ = fl_curl_set_text(library, curl, option, value)
  }

  private static func failure(_ code: CURLcode) -> HTTPClient.Failure {
    switch code {
    case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL: .badAddress
    case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_CONNECT: .unreachable
    case CURLE_OPERATION_TIMEDOUT: .timeout
    case CURLE_PEER_FAILED_VERIFICATION: .untrusted
    default: .broken(code: Int(code.rawValue))
    }
  }
}
