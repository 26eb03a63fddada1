import FLCrypto
import FLHTTP
import FLValues
import HTTPTypes

/// Sends a file's bytes: by the web server (`X-Accel-Redirect`) where there is one that does, else by itself, piece by
/// piece, with ranges.
struct FileDelivery: Sendable {
  let store: FileStore
  /// The path below which the web server finds the files; nil where it does not.
  let accel: String?

  /// The response for a file: 200, 206, 304 or 416 (RFC 9110, sections 13 and 14).
  ///
  /// What a browser could run is an attachment in any case. Several ranges at once are answered with the whole file.
  /// `isPublic` where anybody may have it: then pages of other origins may show it, too.
  /// - Throws: `Problem` 416 for a range behind the file's end, 503 where its bytes are not there.
  func respond(_ file: StoredFile, to request: Request, asAttachment: Bool, isPublic: Bool = false) throws
    -> Response
  {
    let tag = "\"\(Hex.encode(file.sha256))\""
    var headers = Self.fields(file, asAttachment: asAttachment)
    headers[.resourcePolicy] = isPublic ? "cross-origin" : "same-origin"
    headers[.eTag] = tag
    if Preconditions(request.headers).isFresh(tag) { return Response(status: 304, headers: headers) }
    headers[.contentType] = file.contentType.field

    let range = try requestedRange(of: file, tag: tag, in: request)
    // The web server knows the tag too late for the first two, and answers odd ranges with a page of its own.
    let isForProgram =
      request.headers[.ifMatch] != nil || request.headers[.ifUnmodifiedSince] != nil
      || request.headers[.range].map(ByteRange.isOdd) ?? false
    if let accel, !isForProgram {
      try store.check(file)
      headers[.accelRedirect] = accel + store.place(of: file.id)
      return Response(status: 200, headers: headers)
    }
    headers[.acceptRanges] = "bytes"
    let body = Response.Body.file(try store.open(file, range: range))
    guard let range else { return Response(status: 200, headers: headers, body: body) }
    headers[.contentRange] = "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(file.size)"
    return Response(status: 206, headers: headers, body: body)
  }

  private static func fields(_ file: StoredFile, asAttachment: Bool) -> HTTPFields {
    var headers: HTTPFields = [
      // Asked for again each time: it may be deleted, or the right to see it taken away.
      .cacheControl: "private, no-cache",
      .contentDisposition: disposition(file, asAttachment: asAttachment || !file.contentType.mayBeShown),
    ]
    headers[.contentTypeOptions] = "nosniff"
    headers[.contentSecurityPolicy] = "default-src 'none'; sandbox"
    return headers
  }

  /// `Content-Disposition` (RFC 6266): the name in ASCII for all, and as it is for those that know RFC 8187.
  static func disposition(_ file: StoredFile, asAttachment: Bool) -> String {
    let kind = asAttachment ? "attachment" : "inline"
    let name = file.name.text
    let plain = String(
      String.UnicodeScalarView(
        name.unicodeScalars.map {
          $0.isASCII && $0.value >= 32 && $0.value < 127 && !"\"\\%".unicodeScalars.contains($0) ? $0 : "_"
        }))
    guard plain != name else { return "\(kind); filename=\"\(plain)\"" }
    return "\(kind); filename=\"\(plain)\"; filename*=UTF-8''\(PercentEncoding.encode(name))"
  }

  // MARK: Ranges

  /// The one range that is asked for and can be had; nil for the whole file.
  /// - Throws: `Problem` 416.
  private func requestedRange(of file: StoredFile, tag: String, in request: Request) throws(Problem) -> Range<
    Int
  >? {
    guard request.method == .get, let text = request.headers[.range] else { return nil }
    // A part of another version would be worth nothing. Dates are not told, so none can be right.
    if let condition = request.headers[.ifRange], condition != tag { return nil }
    switch ByteRange(text) {
    case nil: return nil
    case let range?:
      guard let range = range.within(file.size) else {
        throw Problem(
          416, "range_not_satisfiable", "The file ends before this range begins.",
          detail: "It has \(file.size) bytes.", headers: [.contentRange: "bytes */\(file.size)"])
      }
      return range
    }
  }
}

/// The one range of a `Range` field (RFC 9110, section 14.1.2).
enum ByteRange: Equatable {
  /// From a byte to the end.
  case from(Int)
  /// From a byte to another, both included.
  case between(Int, Int)
  /// So many bytes at the end.
  case last(Int)

  /// Reads a `Range` field; nil for what is none, for another unit and for several ranges, which are all passed over.
  init?(_ text: String) {
    let halves = text.filter { $0 != " " && $0 != "\t" }.split(
      separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
    guard halves.count == 2, halves[0].lowercased() == "bytes" else { return nil }
    let bounds = halves[1].split(separator: "-", omittingEmptySubsequences: false).map(String.init)
    guard bounds.count == 2, bounds.allSatisfy({ $0.utf8.allSatisfy { (48...57).contains($0) } }) else {
      return nil
    }
    // A number too large for an integer is behind the end of each file.
    func number(_ text: String) -> Int { Int(text) ?? .max }
    switch (bounds[0].isEmpty, bounds[1].isEmpty) {
    case (true, true): return nil
    case (true, false): self = .last(number(bounds[1]))
    case (false, true): self = .from(number(bounds[0]))
    case (false, false):
      guard number(bounds[0]) <= number(bounds[1]) else { return nil }
      self = .between(number(bounds[0]), number(bounds[1]))
    }
  }

  /// Whether this is a field that is passed over without being several ranges, or has a number of more than 18 digits:
  /// nginx takes such for ranges behind the end.
  static func isOdd(_ text: String) -> Bool {
    guard ByteRange(text) != nil else { return !text.contains(",") }
    return text.split(whereSeparator: { !("0"..."9").contains($0) }).contains { $0.utf8.count > 18 }
  }

  /// The bytes that these are of a file of `size` bytes; nil where there are none.
  func within(_ size: Int) -> Range<Int>? {
    switch self {
    case .from(let first): first < size ? first..<size : nil
    case .between(let first, let last): first < size ? first..<(min(last, size - 1) + 1) : nil
    case .last(let count): count > 0 && size > 0 ? max(0, size - count)..<size : nil
    }
  }
}
