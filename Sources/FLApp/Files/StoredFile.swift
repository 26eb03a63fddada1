import FLCrypto
import FLHTTP
public import FLValues

/// The identifier of a file.
public typealias FileID = ID<StoredFile>

/// A file of an account: what is known of its bytes, which lie in the `FileStore`.
public struct StoredFile: Sendable {
  var id: FileID
  var name: FileName
  var contentType: ContentType
  /// In bytes.
  var size: Int
  var sha256: [UInt8]
  var version: Int
  var createdAt: Timestamp
  var updatedAt: Timestamp

  var tag: EntityTag { EntityTag(version: version) }

  static let shape = Shape<StoredFile>.output(
    "File",
    [
      .init("id", \.id, .id()), .init("name", \.name.text, .string),
      .init("contentType", \.contentType.text, .string), .init("size", \.size, .count),
      .init("sha256", { Hex.encode($0.sha256) }, .string), .init("createdAt", \.createdAt, .timestamp),
      .init("updatedAt", \.updatedAt, .timestamp),
    ])
}

/// What may be changed of a file.
struct FileChanges: Sendable {
  let name: FileName?

  static let shape = Shape<FileChanges>(
    FileChanges.init(name:), Field("name", \.name, .maybe(.fileName))
  ).named("FileChanges")
}

extension Shape where Value == FileName {
  /// A name, which is made safe.
  static var fileName: Shape {
    Shape<String>.text(1...255).map(to: { text, _ in FileName(text) }, from: \.text)
  }
}
