import FLCrypto
import FLHTTP

/// A form (`multipart/form-data`) with one file in the field `file`, and short texts in others, as it comes: the file
/// goes to the disk at once.
struct UploadForm {
  /// The file's own name, as the client told it.
  private(set) var fileName: String?

  private let store: FileStore
  /// The fields beside the file, with the most bytes of each.
  private let fields: [String: Int]
  private var file: StagedFile?
  private var values: [String: [UInt8]] = [:]
  private var problems = Reading()
  private var part = Part.unknown

  private enum Part {
    case file, unknown
    case field(String)
  }

  /// The slowest uploader that is waited for, since each holds a worker: 16 KiB a second, after a quarter of a minute.
  static let pace = BodyStream.Pace(bytesPerSecond: 16_384, grace: .seconds(15))
  /// What a form may have around its file, in bytes: boundaries, header fields, the other fields.
  static let mostAround = 65_536

  /// Reads the form of a request; `refuse` is called as soon as the file is larger than `mostBytes`.
  /// - Throws: `Problem` 400, 408, 413, 415 for a form that is none; what `refuse` throws.
  init(
    _ request: Request, into store: FileStore, fields: [String: Int], mostBytes: Int,
    refuse: (Int) throws -> Void
  ) throws {
    self.store = store
    self.fields = fields
    var reader = try MultipartReader(contentType: request.headers[.contentType], mostParts: 20)
    let least = request.announcedBytes - Self.mostAround
    if least > mostBytes { try refuse(least) }
    try request.readBody(limit: .max, pace: Self.pace) { piece in
      try reader.push(piece) { event in
        try take(event)
        if let size = file?.size, size > mostBytes { try refuse(size) }
      }
    }
    try reader.finish()
  }

  private mutating func take(_ event: MultipartReader.Event) throws {
    switch event {
    case .part(let part): try begin(part)
    case .bytes(let bytes):
      switch part {
      case .file: try file?.append(bytes)
      // Of what is too long, one byte more is enough to see it.
      case .field(let name):
        let room = max(0, (fields[name] ?? 0) + 1 - (values[name]?.count ?? 0))
        values[name]?.append(contentsOf: bytes.prefix(room))
      case .unknown: break
      }
    case .end: break
    }
  }

  private mutating func begin(_ part: MultipartReader.Part) throws {
    self.part = .unknown
    switch part.name {
    case "file" where file == nil:
      file = try store.stage()
      fileName = part.fileName
      self.part = .file
    case let name where fields[name] != nil && values[name] == nil:
      values[name] = []
      self.part = .field(name)
    case let name where name == "file" || fields[name] != nil:
      refuse(name, "repeated", "This may be in the form only once.")
    default:
      let known = (["file"] + fields.keys.sorted()).joined(separator: ", ")
      refuse(
        String(part.name.prefix(100)), "unknown_field",
        "There is no such field in this form; known are: \(known).")
    }
  }

  /// Tells a problem with a field.
  mutating func refuse(_ field: String, _ code: String, _ message: String) {
    problems.member(field) { $0.refuse(code, message) }
  }

  /// The value of a field; nil where it is not there, and after a problem was told.
  mutating func read<Value>(_ name: String, _ shape: Shape<Value>) -> Value? {
    guard let text = text(name) else { return nil }
    return problems.member(name) { shape.read(.string(text), into: &$0) }
  }

  /// The value that a field stands for by `json`, where its text is no JSON by itself.
  mutating func read<Value>(_ name: String, as json: JSON, _ shape: Shape<Value>) -> Value? {
    problems.member(name) { shape.read(json, into: &$0) }
  }

  /// The text of a field; nil where it is not there, and after a problem was told.
  mutating func text(_ name: String) -> String? {
    guard let bytes = values[name] else { return nil }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      // What was cut off in the middle of a character is too long, and that is told of it by its shape.
      if bytes.count > fields[name] ?? 0 { return String(decoding: bytes, as: UTF8.self) }
      refuse(name, "invalid_encoding", "This is no UTF-8.")
      return nil
    }
    return text
  }

  /// The file and the digest of its bytes, once all fields were read.
  /// - Throws: `Problem` 422 with all that was told, and where there is no file.
  mutating func finish() throws -> (StagedFile, sha256: [UInt8]) {
    // A browser sends an empty file without a name where none was chosen.
    if file == nil || (file?.size == 0 && (fileName ?? "").isEmpty) {
      refuse("file", "required", "The form has no file.")
    }
    guard let file, problems.problems.isEmpty else { throw Problem.invalid(problems.problems) }
    return (file, try file.finish())
  }
}
