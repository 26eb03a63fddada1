/// A JSON value (RFC 8259) whose objects keep the order of their members.
///
/// Whole numbers that fit are kept exactly; every other number is a double.
public enum JSON: Sendable, Hashable {
  /// `null`.
  case null
  /// `true` or `false`.
  case bool(Bool)
  /// A number without fraction and exponent that fits 64 bits.
  case integer(Int64)
  /// Any other number.
  case number(Double)
  /// A string.
  case string(String)
  /// An array.
  case array([JSON])
  /// An object.
  case object(JSONObject)

  /// The members, where this is an object.
  public var object: JSONObject? { if case .object(let object) = self { object } else { nil } }
  /// The elements, where this is an array.
  public var array: [JSON]? { if case .array(let array) = self { array } else { nil } }
  /// The text, where this is a string.
  public var string: String? { if case .string(let string) = self { string } else { nil } }
  /// The number, where this is a whole one.
  public var integer: Int64? { if case .integer(let integer) = self { integer } else { nil } }
  /// The truth value, where this is one.
  public var bool: Bool? { if case .bool(let bool) = self { bool } else { nil } }

  /// The member called `name`; nil where this is no object or has none.
  public subscript(name: String) -> JSON? { object?[name] }
  /// The element at `index`; nil where this is no array or it ends before.
  public subscript(index: Int) -> JSON? {
    guard let array, array.indices.contains(index) else { return nil }
    return array[index]
  }

  /// The compact text in UTF-8.
  public var bytes: [UInt8] {
    var writer = JSONWriter()
    writer.value(self)
    return writer.bytes
  }

  /// The compact text.
  public var text: String { String(decoding: bytes, as: UTF8.self) }
}

/// The members of a JSON object, in their order; each name once.
public struct JSONObject: Sendable, Hashable, ExpressibleByDictionaryLiteral {
  /// One name and its value.
  public struct Member: Sendable, Hashable {
    /// The name.
    public var name: String
    /// The value.
    public var value: JSON
  }

  /// The members, in their order.
  public private(set) var members: [Member] = []

  /// No members.
  public init() {}

  /// Reads an object literal; a name that comes twice has its last value.
  public init(dictionaryLiteral elements: (String, JSON)...) {
    for (name, value) in elements { self[name] = value }
  }

  /// The value of `name`; assigning nil takes the member away.
  public subscript(name: String) -> JSON? {
    get { members.first { $0.name == name }?.value }
    set {
      let index = members.firstIndex { $0.name == name }
      switch (index, newValue) {
      case (let index?, let value?): members[index].value = value
      case (let index?, nil): members.remove(at: index)
      case (nil, let value?): members.append(Member(name: name, value: value))
      case (nil, nil): break
      }
    }
  }

  /// Adds a member whose name is known to be new.
  mutating func append(_ name: String, _ value: JSON) {
    members.append(Member(name: name, value: value))
  }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
  /// A string.
  public init(stringLiteral value: String) { self = .string(value) }
  /// A whole number.
  public init(integerLiteral value: Int64) { self = .integer(value) }
  /// A truth value.
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  /// An array.
  public init(arrayLiteral elements: JSON...) { self = .array(elements) }
  /// An object.
  public init(dictionaryLiteral elements: (String, JSON)...) {
    var object = JSONObject()
    for (name, value) in elements { object[name] = value }
    self = .object(object)
  }
  /// null.
  public init(nilLiteral: ()) { self = .null }
}
