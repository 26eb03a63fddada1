import FLValues
public import HTTPTypes

/// One HTTP request as the transport hands it over: nothing is decoded yet, and nothing may be trusted.
public struct Request {
  /// The method, as sent.
  public var method: HTTPRequest.Method
  /// The path as the client sent it: percent-encoded, beginning with `/`, without the query.
  public var path: String
  /// What stood behind the first `?`, as sent; nil without a `?`.
  public var query: String?
  /// The header fields. CGI gives each name once: repeated ones arrive joined by `, ` (cookies by `; `).
  public var headers: HTTPFields
  /// The body: in memory, or still to be read.
  public var body: Body
  /// The client's address as the web server saw it (`REMOTE_ADDR`), never from a header.
  public var clientAddress: String
  /// Whether the client's connection was encrypted, as the web server says.
  public var isSecure: Bool

  /// A request; what a test does not care about has a default.
  public init(
    method: HTTPRequest.Method = .get, path: String, query: String? = nil, headers: HTTPFields = [:],
    body: Body = .empty, clientAddress: String = "127.0.0.1", isSecure: Bool = false
  ) {
    self.method = method
    self.path = path
    self.query = query
    self.headers = headers
    self.body = body
    self.clientAddress = clientAddress
    self.isSecure = isSecure
  }

  /// What came after the header fields.
  public enum Body {
    /// Nothing was sent.
    case empty
    /// A body small enough for memory.
    case bytes([UInt8])
    /// A body past the transport's threshold, which is read while it comes.
    case stream(BodyStream)
    /// The transport did not take the body; the application answers with an error.
    case refused(Refusal)
  }

  /// Why the transport did not take a body.
  public enum Refusal: Sendable, Equatable {
    /// It is longer than `limit` bytes: 413.
    case tooLarge(limit: Int)
    /// Fewer bytes came than were announced: 400.
    case truncated
    /// `Content-Length` is not a number: 400.
    case badLength
  }
}
