/// A statement or a piece of one, with the values that belong to it: its interpolation binds and never splices.
///
/// The text comes from literals alone (a string made at run time does not compile), so a value can get into a
/// statement only as a parameter:
/// ```swift
/// let sql: SQL = "SELECT title FROM links WHERE id = \(id) AND state IN (\(states))"
/// ```
public struct SQL: ExpressibleByStringInterpolation, Sendable {
  var text: String
  var values: [SQLValue]

  init(text: String, values: [SQLValue]) {
    self.text = text
    self.values = values
  }

  /// The statement that this literal is, without values.
  public init(stringLiteral literal: StaticString) {
    self.init(text: literal.description, values: [])
  }

  /// The statement that this literal is, with the values interpolated into it.
  public init(stringInterpolation: Interpolation) {
    self.init(text: stringInterpolation.text, values: stringInterpolation.values)
  }

  /// The name of a database, table or column, quoted; nil unless it is 1 to 64 ASCII letters, digits and `_`.
  package init?(name: String) {
    let isPlain = name.utf8.allSatisfy {
      (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || $0 == 95
    }
    guard isPlain, (1...64).contains(name.utf8.count) else { return nil }
    self.init(text: "`\(name)`", values: [])
  }

  /// Both pieces, one directly after the other.
  public static func + (left: SQL, right: SQL) -> SQL {
    SQL(text: left.text + right.text, values: left.values + right.values)
  }

  /// Collects the text and the values of an `SQL` literal.
  public struct Interpolation: StringInterpolationProtocol {
    var text = ""
    var values: [SQLValue] = []

    /// Room for a literal of this size.
    public init(literalCapacity: Int, interpolationCount: Int) {
      text.reserveCapacity(literalCapacity + interpolationCount)
      values.reserveCapacity(interpolationCount)
    }

    /// Text of the literal, as it stands.
    public mutating func appendLiteral(_ literal: StaticString) {
      literal.withUTF8Buffer { bytes in
        text += unsafe String(decoding: bytes, as: UTF8.self)
      }
    }

    /// One parameter.
    public mutating func appendInterpolation(_ value: some SQLConvertible) {
      text += "?"
      values.append(value.sqlValue)
    }

    /// One parameter that may be NULL. (The compiler warns of an optional where no interpolation asks for one.)
    public mutating func appendInterpolation<Value: SQLConvertible>(_ value: Value?) {
      text += "?"
      values.append(value.sqlValue)
    }

    /// A parameter for each element, with commas between; `NULL` when there is none, so that `IN ()` matches
    /// nothing.
    public mutating func appendInterpolation<Value: SQLConvertible>(_ list: [Value]) {
      guard !list.isEmpty else {
        text += "NULL"
        return
      }
      text += "?"
      for _ in 1..<list.count { text += ", ?" }
      values.reserveCapacity(values.count + list.count)
      for value in list { values.append(value.sqlValue) }
    }

    /// Another piece, in this place, with its values.
    public mutating func appendInterpolation(_ piece: SQL) {
      text += piece.text
      values += piece.values
    }
  }
}

extension Sequence where Element == SQL {
  /// The pieces in their order, with `separator` between them; an empty statement when there is none.
  public func joined(by separator: SQL) -> SQL {
    var whole = SQL(text: "", values: [])
    var isFirst = true
    for piece in self {
      if !isFirst {
        whole.text += separator.text
        whole.values += separator.values
      }
      whole.text += piece.text
      whole.values += piece.values
      isFirst = false
    }
    return whole
  }
}
