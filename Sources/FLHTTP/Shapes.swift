public import FLValues

/// What a merge patch (RFC 7396) says of a member that may be null: nothing, null, or a new value.
public enum Change<Value> {
  /// The member is absent: leave it as it is.
  case keep
  /// The member is null: clear it.
  case clear
  /// The new value.
  case set(Value)

  /// The same change of something made of the value.
  public func map<Other>(_ transform: (Value) -> Other) -> Change<Other> {
    switch self {
    case .keep: .keep
    case .clear: .clear
    case .set(let value): .set(transform(value))
    }
  }

  /// The value after the change, where it was `old` before.
  public func applied(to old: Value?) -> Value? {
    switch self {
    case .keep: old
    case .clear: nil
    case .set(let value): value
    }
  }
}

extension Change: Sendable where Value: Sendable {}
extension Change: Equatable where Value: Equatable {}

extension Shape {
  /// A member that may be absent or null; both are nil.
  public static func optional<Wrapped>(_ shape: Shape<Wrapped>) -> Shape where Value == Wrapped? {
    var optional = Shape(
      schema: shape.schema.nullable, lexical: shape.lexical,
      read: { json, reading in
        // An optional in an optional: the outer nil is a problem, the inner one the value null.
        if json == .null { return .some(nil) }
        return shape.read(json, into: &reading).map { .some($0) }
      },
      write: { value, writer in
        if let value { shape.write(value, into: &writer) } else { writer.null() }
      })
    optional.elementLexical = shape.elementLexical
    return optional.absent(as: { nil })
  }

  /// A member of a merge patch that can be left alone, but not cleared.
  public static func maybe<Wrapped>(_ shape: Shape<Wrapped>) -> Shape where Value == Wrapped? {
    var maybe = Shape(
      schema: shape.schema, lexical: shape.lexical,
      read: { json, reading in shape.read(json, into: &reading).map { .some($0) } },
      write: { value, writer in
        if let value { shape.write(value, into: &writer) } else { writer.null() }
      })
    maybe.elementLexical = shape.elementLexical
    return maybe.absent(as: { nil })
  }

  /// A member of a merge patch that can be left alone, set, or cleared with null.
  public static func change<Wrapped>(_ shape: Shape<Wrapped>) -> Shape where Value == Change<Wrapped> {
    Shape(
      schema: shape.schema.nullable,
      read: { json, reading in
        if json == .null { return .clear }
        return shape.read(json, into: &reading).map { .set($0) }
      },
      write: { value, writer in
        if case .set(let value) = value { shape.write(value, into: &writer) } else { writer.null() }
      }
    ).absent(as: { .keep })
  }

  /// A member that has a value of its own when it is absent.
  public func defaulting(to value: Value) -> Shape where Value: Sendable {
    var shape = absent(as: { value })
    var writer = JSONWriter()
    write(value, into: &writer)
    if let json = try? JSON(reading: writer.bytes) { shape.schema = schema.with(["default": json]) }
    return shape
  }

  /// An array of up to `limit` of these.
  public static func list<Element>(of shape: Shape<Element>, atMost limit: Int = 100, atLeast least: Int = 0)
    -> Shape
  where Value == [Element] {
    var limits: JSONObject = ["maxItems": .integer(Int64(limit))]
    if least > 0 { limits["minItems"] = .integer(Int64(least)) }
    var list = Shape(
      schema: shape.schema.array(limits: limits), lexical: .list,
      read: { json, reading in
        guard let array = json.array else {
          reading.refuseType("an array")
          return nil
        }
        guard array.count <= limit else {
          reading.refuse("too_long", "This may have at most \(limit) elements; it has \(array.count).")
          return nil
        }
        guard array.count >= least else {
          reading.refuse("too_short", "This must have at least \(least) elements.")
          return nil
        }
        var values: [Element] = []
        for (index, element) in array.enumerated() {
          if let value = reading.element(index, { shape.read(element, into: &$0) }) { values.append(value) }
        }
        return values.count == array.count ? values : nil
      },
      write: { values, writer in
        writer.array { for value in values { shape.write(value, into: &$0) } }
      })
    list.elementLexical = shape.lexical
    return list
  }

  /// An object with one value of `shape` a name (custom names; up to `limit`).
  public static func dictionary<Element>(of shape: Shape<Element>, atMost limit: Int = 100) -> Shape
  where Value == [String: Element] {
    Shape(
      schema: Schema(
        [
          "type": "object", "additionalProperties": shape.schema.json,
          "maxProperties": .integer(Int64(limit)),
        ], named: shape.schema.named),
      read: { json, reading in
        guard let object = json.object else {
          reading.refuseType("an object")
          return nil
        }
        guard object.members.count <= limit else {
          reading.refuse(
            "too_long", "This may have at most \(limit) members; it has \(object.members.count).")
          return nil
        }
        var values: [String: Element] = [:]
        for member in object.members {
          values[member.name] = reading.member(member.name) { shape.read(member.value, into: &$0) }
        }
        return values.count == object.members.count ? values : nil
      },
      write: { values, writer in
        writer.object { writer in
          for (name, value) in values.sorted(by: { $0.key < $1.key }) {
            writer.name(name)
            shape.write(value, into: &writer)
          }
        }
      })
  }

  /// One of the names of an enumeration.
  public static func oneOf(_ type: Value.Type) -> Shape
  where Value: RawRepresentable<String> & CaseIterable & Sendable {
    let names = Value.allCases.map(\.rawValue)
    return Shape(
      schema: Schema(["type": "string", "enum": .array(names.map { .string($0) })]),
      readText: { text, reading in
        guard let choice = Value(rawValue: text) else {
          reading.refuse("invalid_choice", "This must be one of: \(names.joined(separator: ", ")).")
          return nil
        }
        return choice
      },
      write: { $1.string($0.rawValue) })
  }

  /// An identifier.
  public static func id<Subject>() -> Shape where Value == ID<Subject> {
    Shape(
      schema: Schema(["type": "string", "format": "uuid"]),
      readText: { text, reading in
        guard let id = ID<Subject>(text) else {
          reading.refuse(
            "invalid_id", "This must be an identifier like 019b3c5e-7a3f-7cc2-8d1e-3f6a2b9c4d5e.")
          return nil
        }
        return id
      },
      write: { $1.string(plain: $0.text) })
  }
}

extension Shape where Value == String {
  /// Any string; for what is only answered.
  public static let string = Shape(
    schema: Schema(["type": "string"]),
    read: { json, reading in
      if json.string == nil { reading.refuseType("a string") }
      return json.string
    },
    write: { $1.string($0) })

  /// A text of so many code points without control characters; `lines` allows tabs and line ends in it.
  ///
  /// White space at both ends is not kept; what is then too short is refused.
  public static func text(_ length: ClosedRange<Int>, lines: Bool = false) -> Shape {
    let kept = lines ? "[^\\u0000-\\u0008\\u000B\\u000C\\u000E-\\u001F\\u007F]" : "[^\\u0000-\\u001F\\u007F]"
    var keywords: JSONObject = [
      "type": "string", "minLength": .integer(Int64(length.lowerBound)),
      "maxLength": .integer(Int64(length.upperBound)), "pattern": .string("^\(kept)*$"),
    ]
    // With a lower bound the text must hold more than white space.
    if length.lowerBound > 0 {
      keywords["pattern"] = .string("^\(kept)*[^\\s\\u0000-\\u001F\\u007F]\(kept)*$")
    }
    return Shape(
      schema: Schema(.object(keywords)),
      readText: { raw, reading in
        let hasControl = raw.utf8.contains { byte in
          (byte < 0x20 && !(lines && (byte == 0x0A || byte == 0x0D || byte == 0x09))) || byte == 0x7F
        }
        if hasControl {
          reading.refuse("control_character", "This may not contain control characters.")
          return nil
        }
        let text = raw.trimmed
        let count = text.utf8.count { $0 & 0xC0 != 0x80 }
        guard count <= length.upperBound else {
          reading.refuse(
            "too_long", "This may have at most \(length.upperBound) characters; it has \(count).")
          return nil
        }
        guard count >= length.lowerBound else {
          reading.refuse("too_short", "This must have at least \(length.lowerBound) characters.")
          return nil
        }
        return text
      },
      write: { $1.string($0) })
  }

  /// The same text, if it also passes `rule`; the rule answers what is wrong, or nil.
  public func satisfying(_ code: String, _ rule: @escaping @Sendable (String) -> String?) -> Shape {
    map(
      to: { text, reading in
        guard let message = rule(text) else { return text }
        reading.refuse(code, message)
        return nil
      }, from: { $0 })
  }
}

extension Shape where Value == Int {
  /// A whole number in a range.
  public static func integer(_ range: ClosedRange<Int>) -> Shape {
    Shape(
      schema: Schema([
        "type": "integer", "minimum": .integer(Int64(range.lowerBound)),
        "maximum": .integer(Int64(range.upperBound)),
      ]), lexical: .literal,
      read: { json, reading in
        let number: Int?
        switch json {
        case .integer(let integer): number = Int(integer)
        case .number(let double): number = Int(exactly: double)
        default: number = nil
        }
        guard let number else {
          reading.refuseType("a whole number")
          return nil
        }
        guard range.contains(number) else {
          reading.refuse("out_of_range", "This must be from \(range.lowerBound) to \(range.upperBound).")
          return nil
        }
        return number
      },
      write: { $1.integer($0) })
  }

  /// A number of things; for what is only answered.
  public static let count = Shape.integer(0...Int(1) << 53)
}

extension Shape where Value == Bool {
  /// `true` or `false`.
  public static let bool = Shape(
    schema: Schema(["type": "boolean"]), lexical: .literal,
    read: { json, reading in
      if json.bool == nil { reading.refuseType("true or false") }
      return json.bool
    },
    write: { $1.bool($0) })
}

extension Shape where Value == Timestamp {
  /// A point in time, RFC 3339; written in UTC with whole seconds.
  public static let timestamp = Shape(
    schema: Schema(["type": "string", "format": "date-time"]),
    readText: { text, reading in
      guard let time = Timestamp(rfc3339: text) else {
        reading.refuse("invalid_time", "This must be a time like 2026-11-22T08:27:00Z (RFC 3339).")
        return nil
      }
      return time
    },
    write: { $1.string(plain: $0.civil.rfc3339) })
}

extension Shape where Value == JSON {
  /// Any JSON value.
  public static let any = Shape(
    schema: Schema([:]), read: { json, _ in json }, write: { $1.value($0) })
}

extension ID {
  /// The canonical text in ASCII.
  var text: [UInt8] { Array(description.utf8) }
}

extension String {
  /// This text without white space at both ends.
  var trimmed: String {
    // Mostly there is none, which two bytes tell.
    if let first = utf8.first, let last = utf8.last, (0x21...0x7E).contains(first),
      (0x21...0x7E).contains(last)
    {
      return self
    }
    guard let first = unicodeScalars.first, let last = unicodeScalars.last,
      first.properties.isWhitespace || last.properties.isWhitespace
    else { return self }
    let scalars = unicodeScalars.drop { $0.properties.isWhitespace }
    let end = scalars.lastIndex { !$0.properties.isWhitespace }
    guard let end else { return "" }
    return String(scalars[...end])
  }
}
