/// A request target made safe: ASCII without spaces and controls, the path beginning with `/`.
struct RequestTarget: Equatable {
  var path: String
  var query: String?

  /// The longest target that is answered, in bytes; a longer one gets 414.
  static let maxBytes = 8192

  /// Reads `REQUEST_URI`: origin form, or absolute form, whose scheme and host are cut off (RFC 9112, 3.2).
  ///
  /// Percent-encoding stays as it was sent. Bytes that may not stand in a target (controls, space, `#` and
  /// whatever is not ASCII) are percent-encoded, so that no byte changes its meaning later.
  init(uri: UnsafeBufferPointer<UInt8>) {
    let rest = unsafe RequestTarget.withoutOrigin(uri)
    let mark = unsafe rest.firstIndex(of: UInt8(ascii: "?"))
    let path = unsafe UnsafeBufferPointer(rebasing: rest[..<(mark ?? rest.endIndex)])
    let text = unsafe RequestTarget.safe(path, encoding: RequestTarget.mustEncode)
    self.path = text.utf8.first == UInt8(ascii: "/") ? text : "/" + text
    query = mark.map { mark in
      unsafe RequestTarget.safe(
        UnsafeBufferPointer(rebasing: rest[(mark + 1)...]), encoding: RequestTarget.mustEncode)
    }
  }

  /// Builds the target from `SCRIPT_NAME` and `PATH_INFO`, which the server has decoded, and `QUERY_STRING`.
  init(
    script: UnsafeBufferPointer<UInt8>, pathInfo: UnsafeBufferPointer<UInt8>,
    query: UnsafeBufferPointer<UInt8>
  ) {
    // A decoded `%` or `?` has to be encoded anew, or it would begin an escape or a query.
    let path = unsafe [script, pathInfo]
      .map { unsafe RequestTarget.safe($0, encoding: RequestTarget.mustEncodeDecoded) }.joined()
    self.path = path.utf8.first == UInt8(ascii: "/") ? path : "/" + path
    self.query =
      unsafe query.isEmpty
      ? nil : RequestTarget.safe(query, encoding: RequestTarget.mustEncode)
  }

  private static func mustEncode(_ byte: UInt8) -> Bool {
    byte <= 0x20 || byte >= 0x7F || byte == UInt8(ascii: "#")
  }

  private static func mustEncodeDecoded(_ byte: UInt8) -> Bool {
    mustEncode(byte) || byte == UInt8(ascii: "%") || byte == UInt8(ascii: "?")
  }

  private static func safe(
    _ bytes: UnsafeBufferPointer<UInt8>, encoding mustEncode: (UInt8) -> Bool
  ) -> String {
    guard unsafe bytes.contains(where: mustEncode) else {
      return unsafe String(decoding: bytes, as: UTF8.self)
    }
    let digits = Array("0123456789ABCDEF".utf8)
    var text = [UInt8]()
    for index in bytes.indices {
      let byte = unsafe bytes[index]
      if mustEncode(byte) {
        text += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
      } else {
        text.append(byte)
      }
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// The target behind `http://host`; the target itself in origin form.
  private static func withoutOrigin(_ uri: UnsafeBufferPointer<UInt8>) -> UnsafeBufferPointer<UInt8> {
    guard let first = unsafe uri.first, first | 0x20 == UInt8(ascii: "h") else { return unsafe uri }
    for scheme in ["http://", "https://"] {
      let length = scheme.utf8.count
      guard uri.count >= length,
        unsafe zip(uri, scheme.utf8).allSatisfy({ byte, expected in
          byte == expected || byte | 0x20 == expected
        })
      else { continue }
      let afterScheme = unsafe uri[length...]
      let end = unsafe afterScheme.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") }
      return unsafe UnsafeBufferPointer(rebasing: uri[(end ?? uri.endIndex)...])
    }
    return unsafe uri
  }
}
