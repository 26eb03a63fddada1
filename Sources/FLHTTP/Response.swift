public import HTTPTypes

/// One HTTP response. The transport adds `Content-Length` where it is known, and leaves the body out of an answer to HEAD.
public struct Response: Sendable {
  /// The status code, 200 to 599.
  public var status: Int
  /// The header fields, in the order in which they are sent.
  public var headers: HTTPFields
  /// The body.
  public var body: Body

  /// A response.
  public init(status: Int, headers: HTTPFields = [:], body: Body = .empty) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  /// What a response carries.
  public enum Body: Sendable {
    /// Nothing (204, 304, redirects).
    case empty
    /// Bytes in memory.
    case bytes([UInt8])
    /// An open file or a part of one, however large.
    case file(FileBody)
    /// What is made while it is sent.
    case stream(StreamBody)

    /// How many bytes it has; nil where nobody knows yet.
    public var count: Int? {
      switch self {
      case .empty: 0
      case .bytes(let bytes): bytes.count
      case .file(let file): file.count
      case .stream: nil
      }
    }
  }

  /// The body's bytes; none where it is empty. A file is read into memory, a stream is made there.
  public var bytes: [UInt8] {
    switch body {
    case .empty: []
    case .bytes(let bytes): bytes
    case .file(let file): file.bytes
    case .stream(let stream): stream.bytes
    }
  }
}
