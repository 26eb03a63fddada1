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
    // A name of 255 characters has at most four times as many bytes.
    var form = try UploadForm(
      request, into: store, fields: ["name": 1020], mostBytes: mostBytes, refuse: refuse)
    let wish = form.read("name", .fileName)
    (file, sha256) = try form.finish()
    name = wish ?? FileName(form.fileName ?? "")
  }
}
