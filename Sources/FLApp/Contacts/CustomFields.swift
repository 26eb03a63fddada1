import FLHTTP
import FLMariaDB
import FLValues

/// What an account notes about a contact under names of its own: texts, numbers, truth values.
struct CustomFields: Sendable, Equatable {
  /// How many a contact may have.
  static let most = 50

  /// The values by their names; in a change, null takes one away.
  var members: JSONObject = [:]

  var isEmpty: Bool { members.members.isEmpty }
  var count: Int { members.members.count }

  /// These with `changes` made to them (RFC 7396): null takes a name away.
  func merged(with changes: CustomFields) -> CustomFields {
    var result = self
    for member in changes.members.members {
      result.members[member.name] = member.unlessNull
    }
    return result
  }

  /// These without the names whose value is null.
  var withoutNulls: CustomFields {
    guard members.members.contains(where: { $0.value == .null }) else { return self }
    return CustomFields().merged(with: self)
  }

  /// Tells a problem where these are too many.
  func check(_ reading: inout Reading) -> Bool {
    guard count > Self.most else { return true }
    reading.refuse("too_long", "A contact may have at most \(Self.most) of these; it would have \(count).")
    return false
  }
}

extension JSONObject.Member {
  /// What a merge patch has of this member; nil where it takes it away. (In an expression of type `JSON`, `nil` is null.)
  var unlessNull: JSON? { if value == .null { Optional.none } else { value } }
}

/// As the JSON text that a column holds; none are NULL there.
extension CustomFields: SQLConvertible {
  /// How many bytes they take in a statement at most: in JSON a character may become two.
  var bytes: Int {
    members.members.reduce(0) { $0 + 2 * ($1.name.utf8.count + ($1.value.string?.utf8.count ?? 24)) }
  }

  var sqlValue: SQLValue { isEmpty ? .null : .text(JSON.object(members).text) }

  static func read(_ value: SQLValue) throws -> CustomFields {
    if case .null = value { return CustomFields() }
    let text = try String.read(value)
    guard let object = try? JSON(reading: Array(text.utf8)).object else {
      throw DatabaseError.mismatch(value, CustomFields.self)
    }
    return CustomFields(members: object)
  }
}

extension Shape where Value == CustomFields {
  private static var text: Shape<String> { .text(0...1000, lines: true) }
  private static var name: Shape<String> { .text(1...64) }

  /// An object of up to 50 texts, numbers and truth values; null takes a name away.
  static var customFields: Shape {
    let (text, name) = (text, name)
    return Shape(
      schema: Schema([
        "type": "object", "maxProperties": .integer(Int64(CustomFields.most)),
        "propertyNames": ["type": "string", "minLength": 1, "maxLength": 64],
        "additionalProperties": [
          "type": ["string", "number", "boolean", "null"], "maxLength": 1000,
        ],
        "examples": [["favouriteColour": "green", "orders": 3, "isPartner": true]],
      ]),
      read: { json, reading in
        guard let object = json.object else {
          reading.refuseType("an object")
          return nil
        }
        guard object.members.count <= CustomFields.most else {
          reading.refuse("too_long", "This may have at most \(CustomFields.most) members.")
          return nil
        }
        var fields = CustomFields()
        var isGood = true
        for member in object.members {
          reading.member(member.name) { reading in
            guard let name = name.read(.string(member.name), into: &reading) else {
              isGood = false
              return
            }
            switch member.value {
            case .string:
              let value = text.read(member.value, into: &reading)
              isGood = isGood && value != nil
              fields.members[name] = value.map { .string($0) }
            case .integer, .number, .bool, .null: fields.members[name] = member.value
            case .array, .object:
              reading.refuseType("a text, a number, true or false")
              isGood = false
            }
          }
        }
        return isGood ? fields : nil
      },
      write: { $1.value(.object($0.members)) })
  }
}
