/// A JSON Schema (2020-12, as OpenAPI 3.1 uses it) and the named schemas that it refers to.
public struct Schema: Sendable, Equatable {
  /// The schema itself, or a `$ref` to one of `named`.
  public var json: JSON
  /// The schemas that go under `#/components/schemas`, by name.
  public var named: [String: JSON]

  /// A schema that stands where it is used.
  public init(_ json: JSON, named: [String: JSON] = [:]) {
    self.json = json
    self.named = named
  }

  /// The same schema as a component called `name`; every use is a reference to it.
  public func named(_ name: String) -> Schema {
    var named = named
    named[name] = json
    return Schema(["$ref": .string("#/components/schemas/\(name)")], named: named)
  }

  /// The same schema, or null.
  public var nullable: Schema {
    guard var object = json.object, object["$ref"] == nil, let type = object["type"]?.string else {
      return Schema(["anyOf": [json, ["type": "null"]]], named: named)
    }
    object["type"] = [.string(type), "null"]
    if let cases = object["enum"]?.array { object["enum"] = .array(cases + [.null]) }
    return Schema(.object(object), named: named)
  }

  /// The same schema with more keywords (`description`, `examples`, `default`, …).
  public func with(_ keywords: JSONObject) -> Schema {
    var object = json.object ?? [:]
    for member in keywords.members { object[member.name] = member.value }
    return Schema(.object(object), named: named)
  }

  /// An array of these.
  public func array(limits: JSONObject = [:]) -> Schema {
    Schema(["type": "array", "items": json], named: named).with(limits)
  }

  /// An object with these members.
  static func object(_ members: [(name: String, schema: Schema, isRequired: Bool)]) -> Schema {
    var properties = JSONObject()
    var named: [String: JSON] = [:]
    for member in members {
      properties[member.name] = member.schema.json
      named.merge(member.schema.named) { old, _ in old }
    }
    var json: JSONObject = ["type": "object", "properties": .object(properties)]
    let required = members.filter(\.isRequired).map { JSON.string($0.name) }
    if !required.isEmpty { json["required"] = .array(required) }
    json["additionalProperties"] = false
    return Schema(.object(json), named: named)
  }
}
