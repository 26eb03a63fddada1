import FLHTTP
import Glibc
import HTTPTypes

/// A request before its body: what the CGI variables say (RFC 3875, section 4.1).
struct RequestHead {
  var method: HTTPRequest.Method
  var target: RequestTarget
  var headers: HTTPFields
  var clientAddress: String
  var isSecure: Bool
  var length: AnnouncedLength

  /// How long the body is said to be.
  enum AnnouncedLength: Equatable {
    /// Nothing was said.
    case none
    case bytes(Int)
    /// Something that is no length.
    case invalid

    init(_ text: UnsafeBufferPointer<UInt8>) {
      if text.isEmpty {
        self = .none
        return
      }
      var value = 0
      for index in text.indices {
        let byte = unsafe text[index]
        let (times, over) = value.multipliedReportingOverflow(by: 10)
        let (sum, overToo) = times.addingReportingOverflow(Int(byte) - 48)
        guard (48...57).contains(byte), !over, !overToo else {
          self = .invalid
          return
        }
        value = sum
      }
      self = .bytes(value)
    }
  }

  /// A request that the transport answers by itself, before a handler could see it.
  struct Rejection: Error, Equatable {
    let status: Int
    static let badRequest = Rejection(status: 400)
    static let targetTooLong = Rejection(status: 414)
    static let headersTooLarge = Rejection(status: 431)
  }

  /// The most header fields, and the most bytes of names and values, that are taken; more get 431.
  static let maxFields = 100
  static let maxFieldBytes = 65_536
}

/// Reads CGI variables; one a worker, because it remembers the header fields' names.
struct HeadReader {
  private var names = FieldNames()
  private var lastFieldCount = 16

  /// Reads a NULL-terminated array of `NAME=value`, as libfcgi and the environment have it.
  mutating func read(
    _ variables: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
  ) throws(RequestHead.Rejection) -> RequestHead {
    typealias Bytes = UnsafeBufferPointer<UInt8>
    let none = unsafe Bytes(start: nil, count: 0)
    var (method, uri, script, pathInfo, query) = unsafe (none, none, none, none, none)
    var (length, type, redirected, address) = unsafe (none, none, none, none)
    var isSecure = false
    var fieldBytes = 0
    var fields = HTTPFields()
    fields.reserveCapacity(lastFieldCount)

    var next = unsafe variables
    while let text = unsafe next.pointee {
      unsafe next += 1
      guard let mark = unsafe strchr(text, 61) else { continue }
      let nameLength = unsafe mark - text
      let raw = unsafe UnsafeRawPointer(text).assumingMemoryBound(to: UInt8.self)
      let name = unsafe Bytes(start: raw, count: nameLength)
      let value = unsafe Bytes(start: raw + nameLength + 1, count: strlen(mark + 1))
      if unsafe name.starts("HTTP_") {
        guard nameLength > 5 else { continue }
        fieldBytes += nameLength + (value.count)
        guard fieldBytes <= RequestHead.maxFieldBytes, fields.count < RequestHead.maxFields else {
          throw .headersTooLarge
        }
        if let name = unsafe names.name(for: Bytes(rebasing: name[5...])) {
          unsafe fields.append(HTTPField(name: name, value: value))
        }
        continue
      }
      switch unsafe (nameLength, name.first) {
      case (11, _):
        if unsafe name.equals("REQUEST_URI") {
          unsafe uri = value
        } else if unsafe name.equals("REMOTE_ADDR") {
          unsafe address = value
        } else if unsafe name.equals("SCRIPT_NAME") {
          unsafe script = value
        }
      case (14, _):
        if unsafe name.equals("REQUEST_METHOD") {
          unsafe method = value
        } else if unsafe name.equals("CONTENT_LENGTH") {
          unsafe length = value
        } else if unsafe name.equals("REQUEST_SCHEME"), unsafe value.equals("https") {
          isSecure = true
        }
      case (12, _):
        if unsafe name.equals("CONTENT_TYPE") {
          unsafe type = value
        } else if unsafe name.equals("QUERY_STRING") {
          unsafe query = value
        }
      case (9, _): if unsafe name.equals("PATH_INFO") { unsafe pathInfo = value }
      case (5, _):
        if unsafe name.equals("HTTPS"), unsafe value.equals("on") || value.equals("ON") { isSecure = true }
      case (27, _):
        if unsafe name.equals("REDIRECT_HTTP_AUTHORIZATION") { unsafe redirected = value }
      default: break
      }
    }

    guard let method = unsafe HeadReader.method(method) else { throw .badRequest }
    guard uri.count <= RequestTarget.maxBytes,
      script.count + pathInfo.count + query.count <= 3 * RequestTarget.maxBytes
    else { throw .targetTooLong }
    let target =
      unsafe uri.isEmpty
      ? RequestTarget(script: script, pathInfo: pathInfo, query: query) : RequestTarget(uri: uri)
    if !type.isEmpty { unsafe fields.append(HTTPField(name: .contentType, value: type)) }
    // Apache keeps Authorization from CGI; a rewrite rule brings it back under this name.
    if !redirected.isEmpty, !fields.contains(.authorization) {
      unsafe fields.append(HTTPField(name: .authorization, value: redirected))
    }
    lastFieldCount = fields.count + 2
    return unsafe RequestHead(
      method: method, target: target, headers: fields,
      clientAddress: String(decoding: address, as: UTF8.self), isSecure: isSecure,
      length: RequestHead.AnnouncedLength(length))
  }

  private static func method(_ text: UnsafeBufferPointer<UInt8>) -> HTTPRequest.Method? {
    if unsafe text.equals("GET") { return .get }
    if unsafe text.equals("POST") { return .post }
    if unsafe text.equals("HEAD") { return .head }
    return unsafe text.isEmpty ? nil : HTTPRequest.Method(rawValue: String(decoding: text, as: UTF8.self))
  }
}

extension UnsafeBufferPointer<UInt8> {
  /// Whether these bytes are `text`.
  @inline(__always)
  func equals(_ text: StaticString) -> Bool {
    unsafe count == text.utf8CodeUnitCount && starts(text)
  }

  /// Whether these bytes begin with `text`.
  @inline(__always)
  func starts(_ text: StaticString) -> Bool {
    guard let start = baseAddress, count >= text.utf8CodeUnitCount else { return false }
    return unsafe memcmp(start, text.utf8Start, text.utf8CodeUnitCount) == 0
  }
}
