import FLCrypto
import FLHTTP

/// A form with one file in it, as it comes: the file goes to the disk at once, and what else is in the form is checked.
struct FileUpload {
  /// The file's bytes, not kept yet.
  let file: StagedFile
  /// The name: the form's field `name`, else the file's own.
  let name: FileName
  /// The digest of the bytes.
  let sha256: [UInt8]

  /// What tells this upload from another: not its bytes, which differ with each boundary.
  var fingerprint: [UInt8] { Array(name.text.utf8) + [0] + sha256 }

  /// The slowest uploader that is waited for, since each holds a worker: 16 KiB a second, after a quarter of a minute.
  static let pace = BodyStream.Pace(bytesPerSecond: 16_384, grace: .seconds(15))
  /// What a form may have around its file, in bytes: boundaries, header fields, the name.
  static let mostAround = 65_536

  /// The form, for the OpenAPI document.
  static let schema = Schema([
    "type": "object",
    "properties": [
      "file": ["type": "string", "format": "binary", "description": "The file."],
      "name": [
        "type": "string", "minLength": 1, "maxLength": 255,
        "description": "The name to keep it under; the file's own where this is absent.",
      ],
    ],
    "required": ["file"], "additionalProperties": false,
  ]).named("NewFile")

  /// Reads the form of a request; `refuse` is called as soon as the file is larger than `mostBytes`.
  /// - Throws: `Problem` 400, 408, 413, 415, 422 for a form that is none or not this one; what `refuse` throws.
  init(_ request: Request, into store: FileStore, mostBytes: Int, refuse: (Int) throws -> Void) throws {
    var reader = try MultipartReader(contentType: request.headers[.contentType], mostParts: 20)
    let least = request.announcedBytes - Self.mostAround
    if least > mostBytes { try refuse(least) }
    var form = Form(store: store)
    try request.readBody(limit: .max, pace: Self.pace) { piece in
      try reader.push(piece) { event in
        try form.take(event)
        if let size = form.file?.size, size > mostBytes { try refuse(size) }
      }
    }
    try reader.finish()
    (file, name) = try form.whole()
    sha256 = try file.finish()
  }

  /// What came of the form so far, and what is wrong with it.
  private struct Form {
    let store: FileStore
    var file: StagedFile?
    private var fileName: String?
    private var name: [UInt8]?
    private var problems = Reading()
    private var part = Part.unknown

    private enum Part { case file, name, unknown }

    init(store: FileStore) { self.store = store }

    mutating func take(_ event: MultipartReader.Event) throws {
      switch event {
      case .part(let part): try begin(part)
      case .bytes(let bytes):
        switch part {
        case .file: try file?.append(bytes)
        // A name of 255 characters has at most four times as many bytes; of more, one is enough to be too many.
        case .name:
          let room = max(0, 1021 - (name?.count ?? 0))
          name?.append(contentsOf: bytes.prefix(room))
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
      case "name" where name == nil:
        name = []
        self.part = .name
      case "file", "name":
        problems.member(part.name) { $0.refuse("repeated", "This may be in the form only once.") }
      default:
        problems.member(String(part.name.prefix(100))) {
          $0.refuse("unknown_field", "There is no such field in this form; known are: file, name.")
        }
      }
    }

    mutating func whole() throws -> (StagedFile, FileName) {
      let wish = name.flatMap { bytes in
        problems.member("name") { reading -> FileName? in
          guard let text = String(validating: bytes, as: UTF8.self) else {
            reading.refuse("invalid_encoding", "This is no UTF-8.")
            return nil
          }
          return Shape<FileName>.fileName.read(.string(text), into: &reading)
        }
      }
      // A browser sends an empty file without a name where none was chosen.
      if file == nil || (file?.size == 0 && (fileName ?? "").isEmpty) {
        problems.member("file") { $0.refuse("required", "The form has no file.") }
      }
      guard let file, problems.problems.isEmpty else { throw Problem.invalid(problems.problems) }
      return (file, wish ?? FileName(fileName ?? ""))
    }
  }
}
