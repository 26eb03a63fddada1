import FLHTTP
import FLMariaDB
public import FLValues

/// The identifier of an import.
public typealias ContactImportID = ID<ContactImport>

/// A file of contacts that is being imported, or was.
public struct ContactImport: Sendable {
  var id: ContactImportID
  var account: AccountID
  var fileName: String
  var format: ContactFileFormat
  var options: ContactImportOptions
  var status: Status
  /// Bytes of the file.
  var size: Int
  /// Bytes of it that are in the database.
  var position: Int
  var counts = Counts()
  /// The first 1,000 rows that could not be taken.
  var errors: [Failure]
  /// Why the whole could not be imported.
  var failure: String?
  var createdAt: Timestamp
  var startedAt: Timestamp?
  var finishedAt: Timestamp?

  /// How far an import is.
  enum Status: String, Sendable, CaseIterable, SQLConvertible {
    case queued, running, done, failed, cancelled
  }

  /// What became of the rows so far.
  struct Counts: Sendable, Equatable {
    var submitted = 0
    var created = 0
    var updated = 0
    var skipped = 0
    var failed = 0
  }

  /// What is wrong with a row.
  struct Failure: Sendable {
    /// The row's number, or the card's, from 1.
    let index: Int
    let email: String?
    let problem: FieldProblem

    static let shape = Shape<Failure>.output(
      "ContactImportError",
      [
        .init("index", \.index, Shape.count.described("The number of the row or the card, from 1.")),
        .init("email", \.email, .optional(.string)), .init("field", \.problem.field, .string),
        .init("code", \.problem.code, .string), .init("message", \.problem.message, .string),
      ])
  }

  /// The most errors that are kept.
  static let mostErrors = 1000
  /// Up to this size a file is imported while its sender waits.
  static let smallSize = 1_048_576

  static let shape = Shape<ContactImport>.output(
    "ContactImport",
    [
      .init("id", \.id, .id()), .init("fileName", \.fileName, .string),
      .init("format", \.format, .oneOf(ContactFileFormat.self)),
      .init("status", \.status, .oneOf(Status.self)), .init("size", \.size, .count),
      .init("position", \.position, Shape.count.described("Bytes of the file that are done.")),
      .init(
        "totalSubmitted", \.counts.submitted, Shape.count.described("Rows or cards that were read so far.")),
      .init("created", \.counts.created, .count), .init("updated", \.counts.updated, .count),
      .init("skipped", \.counts.skipped, Shape.count.described("Rows that changed nothing.")),
      .init("failed", \.counts.failed, Shape.count.described("Rows that could not be taken.")),
      .init("errors", \.errors, .list(of: Failure.shape, atMost: mostErrors)),
      .init("failure", \.failure, .optional(.string)),
      .init("createdAt", \.createdAt, .timestamp), .init("startedAt", \.startedAt, time),
      .init("finishedAt", \.finishedAt, time),
    ])

  private static let time: Shape<Timestamp?> = .optional(.timestamp)
}

/// How contacts are written into a file.
enum ContactFileFormat: String, Sendable, CaseIterable, SQLConvertible { case csv, vcard }

/// What an account says of a file that it imports.
struct ContactImportOptions: Sendable {
  /// What columns are, by their names.
  var mapping: [String: ContactColumn] = [:]
  /// The tags that all its contacts get.
  var tags: [TagName] = []
  /// The group that all its contacts go into.
  var group: ID<ContactMembership>?
  /// What stands between cells; found out where it is nil.
  var delimiter: UInt8?

  /// The most columns that a mapping may be about.
  static let mostColumns = 500

  static let mapping = Shape<[String: ContactColumn]>(
    schema: Schema([
      "type": "object", "additionalProperties": ["type": "string"],
      "maxProperties": .integer(Int64(mostColumns)),
    ]),
    read: { json, reading in
      guard let object = json.object, object.members.count <= mostColumns else {
        reading.refuseType("an object of at most \(mostColumns) columns' names, each with what it is")
        return nil
      }
      var mapping: [String: ContactColumn] = [:]
      for member in object.members {
        reading.member(String(member.name.prefix(100))) { reading in
          guard let column = member.value.string.flatMap({ ContactColumn(name: $0) }) else {
            reading.refuse("unknown_member", "A column can be one of: \(ContactColumn.known).")
            return
          }
          mapping[member.name] = column
        }
      }
      return mapping.count == object.members.count ? mapping : nil
    },
    write: { mapping, writer in
      writer.object { writer in
        for (name, column) in mapping.sorted(by: { $0.key < $1.key }) {
          writer.name(name)
          writer.string(column.name)
        }
      }
    })

  static let delimiter = Shape<UInt8>(
    schema: Schema(["type": "string", "enum": [",", ";", "\t", "tab"]]),
    readText: { text, reading in
      let sign = text == "tab" ? "\t" : text
      guard sign.utf8.count == 1, let byte = sign.utf8.first, [44, 59, 9].contains(byte) else {
        reading.refuse("invalid_choice", "This must be a comma, a semicolon, or a tab (also spelled tab).")
        return nil
      }
      return byte
    }, write: { $1.string(String(Unicode.Scalar($0))) })

  static let tags: Shape<[TagName]> = .list(of: .tagName, atMost: TagName.most)
}

/// As the JSON text that a column holds.
extension ContactImportOptions: SQLConvertible {
  var sqlValue: SQLValue {
    var object = JSONObject()
    object["mapping"] = try? JSON(reading: Self.mapping.bytes(mapping))
    object["tags"] = .array(tags.map { .string($0.text) })
    object["groupId"] = group.map { .string($0.description) }
    object["delimiter"] = delimiter.map { .integer(Int64($0)) }
    return .text(JSON.object(object).text)
  }

  static func read(_ value: SQLValue) throws -> ContactImportOptions {
    guard let json = try? JSON(reading: Array(try String.read(value).utf8)) else {
      throw DatabaseError.mismatch(value, ContactImportOptions.self)
    }
    var reading = Reading()
    return ContactImportOptions(
      mapping: mapping.read(json["mapping"] ?? [:], into: &reading) ?? [:],
      tags: json["tags"]?.array?.compactMap { $0.string.map { TagName(text: $0) } } ?? [],
      group: json["groupId"]?.string.flatMap { ID($0) },
      delimiter: json["delimiter"]?.integer.flatMap { UInt8(exactly: $0) })
  }
}
