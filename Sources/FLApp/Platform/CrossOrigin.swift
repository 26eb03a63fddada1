import FLHTTP
import HTTPTypes

/// What browsers on other origins may do (Fetch, section 3.2): any origin may call with a key or a token, none with
/// the cookie.
enum CrossOrigin {
  private static let exposed =
    "ETag, Location, Retry-After, X-Request-Id, RateLimit, RateLimit-Policy, Idempotency-Replayed, "
    + "Content-Disposition, Content-Range, Accept-Ranges"
  private static let accepted =
    "Authorization, X-Api-Key, Content-Type, Accept, Idempotency-Key, If-Match, If-None-Match, Range, If-Range, X-Request-Id, X-FastLinkIt-Source"

  /// The answer to OPTIONS: what the address takes, and for a preflight what may be sent.
  static func preflight(_ request: Request, methods: [String]) -> Response {
    var headers: HTTPFields = [.allow: methods.joined(separator: ", ")]
    if request.headers[.accessControlRequestMethod] != nil {
      headers[.accessControlAllowMethods] = methods.joined(separator: ", ")
      headers[.accessControlAllowHeaders] = accepted
      headers[.accessControlMaxAge] = "86400"
    }
    return Response(status: 204, headers: headers)
  }

  /// Lets the page at whatever origin asks read the answer. What else it may read is said to pages alone.
  static func allow(_ request: Request, _ headers: inout HTTPFields) {
    headers.append(HTTPField(name: .accessControlAllowOrigin, value: "*"))
    guard request.headers[.origin] != nil else { return }
    headers.append(HTTPField(name: .accessControlExposeHeaders, value: exposed))
  }
}
