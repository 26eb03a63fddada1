import FLHTTP
import HTTPTypes

/// The bytes of a CGI response before its body (RFC 3875, section 6), in a buffer that is used again.
struct ResponseHead {
  private(set) var bytes: [UInt8] = []

  /// Fills `bytes` for `response`; returns whether its body follows (not after HEAD, 204 and 304).
  mutating func fill(_ response: Response, for method: HTTPRequest.Method?) -> Bool {
    bytes.removeAll(keepingCapacity: true)
    let status = (200...599).contains(response.status) ? response.status : 500
    put("Status: ")
    put(number: status)
    put(ResponseHead.reason(status))
    for field in response.headers where !ResponseHead.isOurs(field.name) {
      bytes.append(contentsOf: field.name.rawName.utf8)
      put(": ")
      unsafe field.withUnsafeBytesOfValue { value in
        // HTTPField has cleaned the value already; a second line here would be a header of its own.
        let clean = unsafe !value.contains { $0 == 10 || $0 == 13 || $0 == 0 }
        if clean { unsafe bytes.append(contentsOf: value) }
      }
      put("\r\n")
    }
    guard status != 204 && status != 304 else {
      put("\r\n")
      return false
    }
    let count = response.body.count
    if let count {
      put("Content-Length: ")
      put(number: count)
      put("\r\n")
    }
    put("\r\n")
    return count != 0 && method != .head
  }

  /// Fields that belong to the transport: the status line, the length and what is said hop by hop.
  private static func isOurs(_ name: HTTPField.Name) -> Bool {
    let text = name.canonicalName
    switch text.utf8.count {
    case 6: return text == "status"
    case 10: return text == "connection"
    case 14: return text == "content-length"
    case 17: return text == "transfer-encoding"
    default: return false
    }
  }

  private mutating func put(_ text: StaticString) {
    unsafe bytes.append(
      contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  private mutating func put(number: Int) {
    if number >= 10 { put(number: number / 10) }
    bytes.append(UInt8(48 + number % 10))
  }

  /// The reason phrases of RFC 9110, section 15, and RFC 6585; HTTP/2 knows none.
  private static func reason(_ status: Int) -> StaticString {
    switch status {
    case 200: " OK\r\n"
    case 201: " Created\r\n"
    case 202: " Accepted\r\n"
    case 204: " No Content\r\n"
    case 206: " Partial Content\r\n"
    case 301: " Moved Permanently\r\n"
    case 302: " Found\r\n"
    case 303: " See Other\r\n"
    case 304: " Not Modified\r\n"
    case 307: " Temporary Redirect\r\n"
    case 308: " Permanent Redirect\r\n"
    case 400: " Bad Request\r\n"
    case 401: " Unauthorized\r\n"
    case 402: " Payment Required\r\n"
    case 403: " Forbidden\r\n"
    case 404: " Not Found\r\n"
    case 405: " Method Not Allowed\r\n"
    case 406: " Not Acceptable\r\n"
    case 408: " Request Timeout\r\n"
    case 409: " Conflict\r\n"
    case 410: " Gone\r\n"
    case 411: " Length Required\r\n"
    case 412: " Precondition Failed\r\n"
    case 413: " Content Too Large\r\n"
    case 414: " URI Too Long\r\n"
    case 415: " Unsupported Media Type\r\n"
    case 416: " Range Not Satisfiable\r\n"
    case 422: " Unprocessable Content\r\n"
    case 428: " Precondition Required\r\n"
    case 429: " Too Many Requests\r\n"
    case 431: " Request Header Fields Too Large\r\n"
    case 500: " Internal Server Error\r\n"
    case 501: " Not Implemented\r\n"
    case 502: " Bad Gateway\r\n"
    case 503: " Service Unavailable\r\n"
    case 504: " Gateway Timeout\r\n"
    default: " Status\r\n"
    }
  }
}

extension RequestHead.Rejection {
  /// The transport's own answer: a problem (RFC 9457) like those of the application, with a request id of its own,
  /// since the request was not read to where a client's would be.
  var response: Response {
    let problem =
      switch status {
      case 414: Problem(414, "uri_too_long", "The address is too long.")
      case 431: Problem(431, "headers_too_large", "The header fields are too many or too large.")
      default: Problem(400, "malformed_request", "This is no request.")
      }
    let id = String(UInt64.random(in: .min ... .max), radix: 16)
    var response = problem.response(instance: "urn:request:\(id)", requestID: id)
    if let name = HTTPField.Name("x-request-id") { response.headers[name] = id }
    return response
  }
}
