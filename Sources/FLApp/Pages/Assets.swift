import FLHTTP
import Foundation
import HTTPTypes

/// The style sheet, images and scripts at `/assets/…`, for an instance without a web server that serves files.
///
/// The names are read once at start-up; a request is looked up among them and never becomes part of a path.
struct Assets: Sendable {
  /// Why the assets cannot be served.
  enum Failure: Error, Equatable {
    /// The directory could not be read.
    case unreadable(String)
  }

  /// The path below which all assets are.
  static let prefix = "/assets/"

  /// Changes with every asset; goes into their addresses as `?v=…`, 16 characters of `0-9 a-f`.
  let version: String

  /// The file of each path, such as `/assets/site.css`.
  private let files: [String: String]

  /// Lists `<share>/web/assets` as `/assets/…`, and `<share>/web/scalar` and `scalar`, `<share>/scalar` unless
  /// told (which may be absent: the API reference is then empty) as `/assets/scalar/…`. Only regular files count
  /// whose extension has a content type here.
  init(share: String, scalar: String? = nil) throws {
    var files: [String: String] = [:]
    let places = [
      (directory: share + "/web/assets", prefix: Self.prefix, isRequired: true),
      (directory: share + "/web/scalar", prefix: Self.prefix + "scalar/", isRequired: false),
      (directory: scalar ?? share + "/scalar", prefix: Self.prefix + "scalar/", isRequired: false),
    ]
    for place in places {
      guard let names = try? FileManager.default.contentsOfDirectory(atPath: place.directory) else {
        if place.isRequired { throw Failure.unreadable(place.directory) }
        continue
      }
      for name in names where !name.hasPrefix(".") && Self.contentType(of: name) != nil {
        let file = place.directory + "/" + name
        if State(of: file) != nil { files[place.prefix + name] = file }
      }
    }
    self.files = files
    version = Self.version(of: files, share: share)
  }

  /// The paths that are served, sorted.
  var paths: [String] { files.keys.sorted() }

  /// The file at `request.path`; nil where there is none of that name. GET and HEAD alone (others: 405), and 304
  /// where `If-None-Match` has the file's tag (RFC 9110 section 13.1.2).
  ///
  /// With `?v=` and the current version it may be kept for a year, else for five minutes.
  func respond(to request: Request) -> Response? {
    guard let file = files[request.path], let type = Self.contentType(of: file) else { return nil }
    guard request.method == .get || request.method == .head else {
      return Response(status: 405, headers: [.allow: "GET, HEAD"])
    }
    // The file may have been replaced since start-up; it may also be gone.
    guard let state = State(of: file) else { return nil }
    var headers: HTTPFields = [
      .contentType: type,
      .eTag: state.tag,
      .cacheControl: request.query == "v=" + version
        ? "public, max-age=31536000, immutable" : "public, max-age=300",
      .xContentTypeOptions: "nosniff",
    ]
    if let wanted = request.headers[.ifNoneMatch], Self.matches(wanted, tag: state.tag) {
      headers[.contentType] = nil
      return Response(status: 304, headers: headers)
    }
    guard let data = FileManager.default.contents(atPath: file) else { return nil }
    return Response(status: 200, headers: headers, body: .bytes(Array(data)))
  }

  /// Size and time of a regular file, which together stand for its contents.
  private struct State {
    var size: UInt64
    var modified: Int64

    /// nil unless `path` is a regular file.
    init?(of path: String) {
      guard let attributes = try? FileManager.default.attributesOfItem(atPath: path),
        attributes[.type] as? FileAttributeType == .typeRegular,
        let size = (attributes[.size] as? NSNumber)?.uint64Value,
        let date = attributes[.modificationDate] as? Date
      else { return nil }
      self.size = size
      modified = Int64(date.timeIntervalSince1970 * 1_000_000)
    }

    /// A strong entity tag (RFC 9110 section 8.8.3).
    var tag: String { "\"\(String(size, radix: 16))-\(String(modified, radix: 16))\"" }
  }

  /// Whether an `If-None-Match` names this tag; the comparison is the weak one.
  private static func matches(_ field: String, tag: String) -> Bool {
    field.split(separator: ",").contains { part in
      let wanted = part.trimmingCharacters(in: .whitespaces)
      return wanted == "*" || wanted == tag || wanted == "W/" + tag
    }
  }

  /// FNV-1a over names and contents. It is no protection against anybody; equal files give an equal version on
  /// every host. Of a large file only the size counts: a CGI process must not read megabytes to show one page,
  /// and `web/scalar/VERSION` has the large one's digest.
  private static func version(of files: [String: String], share: String) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    func add(_ bytes: some Sequence<UInt8>) {
      for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    }
    let listed = files.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    for (name, file) in listed + [("VERSION", share + "/web/scalar/VERSION")] {
      guard let state = State(of: file) else { continue }
      add("\(name)\n\(state.size)\n".utf8)
      if state.size <= 65536, let data = FileManager.default.contents(atPath: file) { add(data) }
    }
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  private static func contentType(of name: String) -> String? {
    guard let dot = name.lastIndex(of: ".") else { return nil }
    return switch name[dot...] {
    case ".css": "text/css; charset=utf-8"
    case ".js": "text/javascript; charset=utf-8"
    case ".svg": "image/svg+xml"
    case ".png": "image/png"
    case ".ico": "image/x-icon"
    case ".woff2": "font/woff2"
    case ".txt": "text/plain; charset=utf-8"
    default: nil
    }
  }
}
