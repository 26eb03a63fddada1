import FLValues

/// A value as it travels to the database or back.
///
/// What columns become: integers, `BIT` and `DECIMAL` without decimals are `integer` where they fit into 64 bits
/// with a sign, else `double`; `FLOAT`, `DOUBLE` and `DECIMAL` with decimals are `double`; `DATE`, `DATETIME` and
/// `TIMESTAMP` are `time` in UTC; columns with a character set, and `TIME`, are `text`; the rest is `bytes`.
public enum SQLValue: Sendable, Hashable {
  case null
  case integer(Int64)
  case double(Double)
  case text(String)
  case bytes([UInt8])
  case time(Timestamp)

  /// What it is, without saying what is in it: values are other people's secrets.
  var kind: String {
    switch self {
    case .null: "NULL"
    case .integer: "an integer"
    case .double: "a number that is no 64-bit integer"
    case .text: "text"
    case .bytes: "bytes"
    case .time: "a time"
    }
  }
}

/// A type whose values can be parameters of a statement and be read from columns.
///
/// An enum with raw values needs no more than the conformance: `enum State: String, SQLConvertible { … }`.
public protocol SQLConvertible {
  /// The value as a parameter.
  var sqlValue: SQLValue { get }

  /// The value that `value` stands for. Throws `DatabaseError.mismatch(_:_:)` for one that it cannot be.
  static func read(_ value: SQLValue) throws -> Self
}

/// As it is, for values whose types are known elsewhere.
extension SQLValue: SQLConvertible {
  /// The value as a parameter.
  public var sqlValue: SQLValue { self }
  /// The value of a column.
  public static func read(_ value: SQLValue) throws -> SQLValue { value }
}

extension FixedWidthInteger {
  /// Also from a double that is a whole number, for what `SUM()` and `AVG()` answer.
  fileprivate static func integer(from value: SQLValue) throws -> Self {
    switch value {
    case .integer(let number):
      if let exact = Self(exactly: number) { return exact }
      throw DatabaseError.conversion(column: "", detail: "the integer does not fit into \(Self.self)")
    case .double(let number) where abs(number) <= 0x1p53:
      if let exact = Self(exactly: number) { return exact }
      throw DatabaseError.mismatch(value, Self.self)
    default:
      throw DatabaseError.mismatch(value, Self.self)
    }
  }
}

extension Int: SQLConvertible {
  /// The value as a parameter.
  public var sqlValue: SQLValue { .integer(Int64(self)) }
  /// The value of a column.
  public static func read(_ value: SQLValue) throws -> Int { try integer(from: value) }
}

extension Int64: SQLConvertible {
  /// The value as a parameter.
  public var sqlValue: SQLValue { .integer(self) }
  /// The value of a column.
  public static func read(_ value: SQLValue) throws -> Int64 { try integer(from: value) }
}

extension Int32: SQLConvertible {
  /// The value as a parameter.
  public var sqlValue: SQLValue { .integer(Int64(self)) }
  /// The value of a column.
  public static func read(_ value: SQLValue) throws -> Int32 { try integer(from: value) }
}

extension UInt32: SQLConvertible {
  /// The value as a parameter.
  public var sqlValue: SQLValue { .integer(Int64(self)) }
  /// The value of a column.
  public static func read(_ value: SQLValue) throws -> UInt32 { try integer(from: value) }
}

/// As `TINYINT`: 0 and 1 when written; anything but 0 is true when read.
extension Bool: SQLConvertible {
  /// The value as a parameter.
  public var sqlValue: SQLValue { .integer(self ? 1 : 0) }
  /// The value of a column.
  public static func read(_ value: SQLValue) throws -> Bool {
    guard case .integer(let number) = value else { throw DatabaseError.mismatch(value, Bool.self) }
    return number != 0
  }
}

extension Double: SQLConvertible {
  /// The value as a parameter.
  public var sqlValue: SQLValue { .double(self) }
  /// The value of a column.
  public static func read(_ value: SQLValue) throws -> Double {
    switch value {
    case .double(let number): return number
    case .integer(let number): return Double(number)
    default: throw DatabaseError.mismatch(value, Double.self)
    }
  }
}

extension String: SQLConvertible {
  /// The value as a parameter.
  public var sqlValue: SQLValue { .text(self) }
  /// The value of a column.
  public static func read(_ value: SQLValue) throws -> String {
    guard case .text(let text) = value else { throw DatabaseError.mismatch(value, String.self) }
    return text
  }
}

/// Bytes, for `BINARY`, `VARBINARY` and `BLOB` columns.
extension Array: SQLConvertible where Element == UInt8 {
  /// The value as a parameter.
  public var sqlValue: SQLValue { .bytes(self) }
  /// The value of a column.
  public static func read(_ value: SQLValue) throws -> [UInt8] {
    guard case .bytes(let bytes) = value else { throw DatabaseError.mismatch(value, [UInt8].self) }
    return bytes
  }
}

/// As `DATETIME(6)`, which holds the years 1 to 9999; a parameter outside of them is refused.
extension Timestamp: SQLConvertible {
  /// The value as a parameter.
  public var sqlValue: SQLValue { .time(self) }
  /// The value of a column.
  public static func read(_ value: SQLValue) throws -> Timestamp {
    guard case .time(let time) = value else { throw DatabaseError.mismatch(value, Timestamp.self) }
    return time
  }
}

/// As `BINARY(16)`.
extension ID: SQLConvertible {
  /// The value as a parameter.
  public var sqlValue: SQLValue { .bytes(bytes) }
  /// The value of a column.
  public static func read(_ value: SQLValue) throws -> ID {
    guard case .bytes(let bytes) = value else { throw DatabaseError.mismatch(value, ID.self) }
    guard bytes.count == 16 else {
      throw DatabaseError.conversion(column: "", detail: "\(bytes.count) bytes are no identifier")
    }
    // Not by `ID(bytes:)`, whose generic loop over any collection cost more than the rest of a row.
    var high: UInt64 = 0
    var low: UInt64 = 0
    for index in 0..<8 {
      high = high << 8 | UInt64(bytes[index])
      low = low << 8 | UInt64(bytes[index + 8])
    }
    return ID(high: high, low: low)
  }
}

/// `nil` is `NULL`.
extension Optional: SQLConvertible where Wrapped: SQLConvertible {
  /// The value as a parameter.
  public var sqlValue: SQLValue { self?.sqlValue ?? .null }
  /// The value of a column.
  public static func read(_ value: SQLValue) throws -> Wrapped? {
    if case .null = value { return nil }
    return try Wrapped.read(value)
  }
}

extension SQLConvertible where Self: RawRepresentable, RawValue: SQLConvertible {
  /// The raw value as a parameter.
  public var sqlValue: SQLValue { rawValue.sqlValue }

  /// The case with this raw value; throws when there is none.
  public static func read(_ value: SQLValue) throws -> Self {
    guard let known = Self(rawValue: try RawValue.read(value)) else {
      throw DatabaseError.conversion(column: "", detail: "no \(Self.self) has this raw value")
    }
    return known
  }
}
