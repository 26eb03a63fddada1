import FLHTTP
import FLValues

/// The identifier of an API key.
public typealias APIKeyID = ID<APIKey>

/// A key with which a program calls the API.
public struct APIKey: Sendable {
  /// What every key begins with.
  static let start = "fli_"

  var id: APIKeyID
  var name: String
  var prefix: String
  var grants: [Grant]
  var expiresAt: Timestamp?
  var lastUsedAt: Timestamp?
  var createdAt: Timestamp
  var revokedAt: Timestamp?
  var version: Int

  static let shape = Shape<APIKey>.output("APIKey", members())

  var tag: EntityTag { EntityTag(version: version, state: lastUsedAt.map { String($0.seconds) } ?? "") }

  fileprivate static func members() -> [Shape<APIKey>.Member] {
    [
      .init("id", \.id, .id()), .init("name", \.name, .string), .init("prefix", \.prefix, .string),
      .init("scopes", \.grants, .list(of: .grant)), .init("expiresAt", \.expiresAt, .optional(.timestamp)),
      .init("lastUsedAt", \.lastUsedAt, .optional(.timestamp)), .init("createdAt", \.createdAt, .timestamp),
      .init("revokedAt", \.revokedAt, .optional(.timestamp)),
    ]
  }
}

/// A key that was just made, with what is never shown again.
struct NewlyMadeAPIKey: Sendable {
  let apiKey: APIKey
  let key: String

  static let shape = Shape<NewlyMadeAPIKey>.output(
    "NewlyMadeAPIKey",
    APIKey.members().map { $0.lifted(from: \.apiKey) } + [
      .init("key", \.key, Shape.string.described("The key itself; it is never shown again."))
    ])
}

/// A key that is to be made.
struct NewAPIKey: Sendable {
  let name: String
  let grants: [Grant]?
  let expiresAt: Timestamp?

  static let shape = Shape(
    NewAPIKey.init(name:grants:expiresAt:),
    Field("name", \.name, .text(1...255)),
    Field(
      "scopes", \.grants,
      .optional(.list(of: .grant, atMost: 40)).described("What the key may do. None given: everything.")),
    Field("expiresAt", \.expiresAt, .optional(.timestamp))
  ).named("NewAPIKey")
}

/// What may be changed of a key.
struct APIKeyChanges: Sendable {
  let name: String?
  let grants: Change<[Grant]>
  let expiresAt: Change<Timestamp>

  static let shape = Shape(
    APIKeyChanges.init(name:grants:expiresAt:),
    Field("name", \.name, .maybe(.text(1...255))),
    Field("scopes", \.grants, .change(.list(of: .grant, atMost: 40))),
    Field("expiresAt", \.expiresAt, .change(.timestamp))
  ).named("APIKeyChanges")
}

extension Shape where Value == Grant {
  static var grant: Shape {
    let names = Scope.allCases.flatMap { [$0.rawValue, $0.rawValue + ":read"] }
    return Shape(
      schema: Schema(["type": "string", "enum": .array(names.map { .string($0) })]),
      readText: { text, reading in
        guard let grant = Grant(text) else {
          reading.refuse("invalid_scope", "This must be one of: \(names.joined(separator: ", ")).")
          return nil
        }
        return grant
      },
      write: { $1.string($0.description) })
  }
}
