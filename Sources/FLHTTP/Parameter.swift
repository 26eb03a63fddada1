/// A value that a route takes from the path or the query.
public struct Parameter<Value>: Sendable {
  let name: String
  let place: Place
  let shape: Shape<Value>
  let description: String?

  enum Place: String, Sendable { case path, query }

  /// The segment `{name}` of the path. What does not fit `shape` is not found: 404.
  public static func path(_ name: String, _ shape: Shape<Value>, _ description: String? = nil) -> Parameter {
    Parameter(name: name, place: .path, shape: shape, description: description)
  }

  /// The query parameter `name`. It must be there unless `shape` is optional or has a default.
  public static func query(_ name: String, _ shape: Shape<Value>, _ description: String? = nil) -> Parameter {
    Parameter(name: name, place: .query, shape: shape, description: description)
  }

  /// The value; nil after a problem was told.
  func read(from inputs: Inputs, into reading: inout Reading) throws(Problem) -> Value? {
    switch place {
    case .path:
      var inner = Reading()
      guard let text = inputs.path[name], let value = shape.read(lexical(text), into: &inner) else {
        throw .notFound
      }
      return value
    case .query:
      return reading.member(name) { reading in
        let pairs = inputs.query.pairs.filter { $0.name == name }
        guard let pair = pairs.first else {
          if shape.isRequired { reading.refuse("required", "This query parameter is required.") }
          return shape.whenAbsent()
        }
        guard pairs.count == 1 else {
          reading.refuse("repeated", "This query parameter stands here more than once.")
          return nil
        }
        guard let text = pair.value else {
          reading.refuse("invalid_encoding", "This is badly percent-encoded, or no UTF-8.")
          return nil
        }
        return shape.read(lexical(text), into: &reading)
      }
    }
  }

  private func lexical(_ text: String) -> JSON {
    switch shape.lexical {
    case .text: return .string(text)
    case .literal: return Self.literal(text)
    case .list:
      let parts =
        text.isEmpty ? [] : text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
      return .array(parts.map { shape.elementLexical == .literal ? Self.literal($0) : .string($0) })
    }
  }

  private static func literal(_ text: String) -> JSON {
    if text == "true" { return .bool(true) }
    if text == "false" { return .bool(false) }
    let digits = text.utf8.drop { $0 == UInt8(ascii: "-") }
    let isNumber = !digits.isEmpty && digits.allSatisfy { (48...57).contains($0) }
    return isNumber ? Int64(text).map { .integer($0) } ?? .string(text) : .string(text)
  }

  /// Asked for through this property: `parameter.shape.schema` in a pack iteration crashes the compiler (Swift 6.3).
  var schema: Schema { shape.schema }

  var document: JSON {
    var schema = shape.schema
    // A query has no null: what is optional is simply not there.
    if case .array(let types)? = schema.json["type"], let type = types.first(where: { $0 != "null" }) {
      schema = schema.with(["type": type])
      if let cases = schema.json["enum"]?.array {
        schema = schema.with(["enum": .array(cases.filter { $0 != .null })])
      }
    }
    if let plain = schema.json["anyOf"]?.array?.first(where: { $0["type"]?.string != "null" }) {
      schema = Schema(plain, named: schema.named)
    }
    var document: JSONObject = [
      "name": .string(name), "in": .string(place.rawValue),
      "required": .bool(place == .path || shape.isRequired),
      "schema": schema.json,
    ]
    if let description { document["description"] = .string(description) }
    if shape.lexical == .list {
      document["style"] = "form"
      document["explode"] = false
    }
    return .object(document)
  }
}

/// What a request gave beside its body, decoded.
struct Inputs {
  let path: [String: String]
  let query: FormValues
}
