import CCurl

/// One of libcurl's handles with the connections that it keeps; one thread at a time has it.
@safe final class CurlHandle: @unchecked Sendable {
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

  /// A handle; nil where libcurl is not there or has no memory.
  init?() {
    guard let library = Library.shared, let curl = unsafe library.functions.pointee.curl_easy_init() else {
      return nil
    }
    unsafe self.curl = unsafe curl
    unsafe self.library = library.functions
  }

  deinit { unsafe library.pointee.curl_easy_cleanup(curl) }

  /// Forgets all options; connections are kept.
  func reset() { unsafe library.pointee.curl_easy_reset(curl) }

  func set(_ option: CURLoption, _ value: Int) { unsafe _ = fl_curl_set_long(library, curl, option, value) }

  /// Sets an option that is text, of which libcurl makes a copy.
  func set(_ option: CURLoption, _ value: String) {
    unsafe _ = fl_curl_set_text(library, curl, option, value)
  }

  /// Sets a limit of time; libcurl takes 0 for none, or for its own.
  func set(_ option: CURLoption, milliseconds: Int) { set(option, max(1, min(milliseconds, 86_400_000))) }

  /// Sets the header fields; the list must live as long as the transfer.
  func set(_ fields: HeaderFields) {
    unsafe _ = fl_curl_set_pointer(library, curl, CURLOPT_HTTPHEADER, fields.list)
  }

  /// Lets `take` have each part of what is received; false ends the transfer. `context` is not kept alive.
  func set<Context: AnyObject>(
    writer: fl_curl_writer, ofHeaders: Bool = false, context: Context
  ) {
    let opaque = unsafe Unmanaged.passUnretained(context).toOpaque()
    if ofHeaders {
      unsafe fl_curl_set_header_writer(library, curl, writer, opaque)
    } else {
      unsafe fl_curl_set_writer(library, curl, writer, opaque)
    }
  }

  /// Posts these bytes, which must stay where they are until the transfer is over.
  func set(body: UnsafeRawBufferPointer) {
    unsafe fl_curl_set_body(library, curl, body.baseAddress, body.count)
  }

  /// Asks before each connection whether the address may be connected to.
  func set(guarded: UnsafeMutablePointer<fl_curl_guarded>) {
    unsafe fl_curl_set_guard(library, curl, guarded)
  }

  /// Limits how long TCP may take to connect, apart from all that comes behind.
  func set(connectingMilliseconds limit: Int) {
    unsafe fl_curl_set_connecting_limit(library, curl, UInt32(clamping: max(1, limit)))
  }

  func perform() -> CURLcode { unsafe library.pointee.curl_easy_perform(curl) }

  /// The last status of HTTP; 0 where there is none.
  var status: Int { unsafe fl_curl_status(library, curl) }
  /// Whether a request was sent.
  var hasSent: Bool { unsafe fl_curl_sent(library, curl) > 0 }
  /// The seconds of the Retry-After (RFC 9110, section 10.2.3), whichever form it has; 0 where there is none.
  var retryAfterSeconds: Int { unsafe Int(fl_curl_retry_after(library, curl)) }
  /// The socket of a handle that only connected; -1 where there is none.
  var socket: Int32 { unsafe fl_curl_socket(library, curl) }

  func send(_ bytes: UnsafeRawBufferPointer, accepted: inout Int) -> CURLcode {
    unsafe library.pointee.curl_easy_send(curl, bytes.baseAddress, bytes.count, &accepted)
  }

  func receive(_ bytes: UnsafeMutableRawBufferPointer, received: inout Int) -> CURLcode {
    unsafe library.pointee.curl_easy_recv(curl, bytes.baseAddress, bytes.count, &received)
  }

  /// libcurl's sentence for a code.
  func text(of code: CURLcode) -> String {
    guard let text = unsafe library.pointee.curl_easy_strerror(code) else { return "error \(code.rawValue)" }
    return unsafe String(cString: text)
  }

  /// The lines of header fields for one request.
  @safe final class HeaderFields {
    fileprivate private(set) var list: UnsafeMutablePointer<curl_slist>?
    private let library: UnsafePointer<fl_curl>

    init(_ handle: CurlHandle) { unsafe library = unsafe handle.library }

    deinit { unsafe library.pointee.curl_slist_free_all(list) }

    func append(_ line: String) {
      // NULL where there is no memory; the list is then what it was.
      if let longer = unsafe library.pointee.curl_slist_append(list, line) { unsafe list = longer }
    }
  }
}
