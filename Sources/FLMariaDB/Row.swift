/// The names of a statement's columns, kept with the cached statement and shared by all its rows.
final class Columns: Sendable {
  let names: [String]
  /// Where a name stands; -1 for one that two columns have.
  let positions: [String: Int]

  init(names: [String]) {
    self.names = names
    positions = Dictionary(
      names.enumerated().map { ($0.element, $0.offset) }, uniquingKeysWith: { _, _ in -1 })
  }
}

/// One row of a result.
public struct Row: Sendable {
  let columns: Columns
  let values: [SQLValue]

  /// The value of the column of this name, as the statement calls it (case matters). Throws
  /// `DatabaseError.conversion` when there is no such column or two of them, or when its value is no `Value`.
  public subscript<Value: SQLConvertible>(_ column: String) -> Value {
    get throws {
      guard let position = columns.positions[column] else {
        throw DatabaseError.conversion(column: column, detail: "there is no such column")
      }
      guard position >= 0 else {
        throw DatabaseError.conversion(column: column, detail: "two columns have this name")
      }
      return try read(position)
    }
  }

  /// The value of the column at this place, counted from 0. Throws as the look-up by name does.
  public subscript<Value: SQLConvertible>(_ column: Int) -> Value {
    get throws {
      guard values.indices.contains(column) else {
        throw DatabaseError.conversion(column: "\(column)", detail: "there is no such column")
      }
      return try read(column)
    }
  }

  @inline(__always)
  private func read<Value: SQLConvertible>(_ position: Int) throws -> Value {
    do {
      return try Value.read(values[position])
    } catch DatabaseError.conversion(_, let detail) {
      throw DatabaseError.conversion(column: columns.names[position], detail: detail)
    }
  }
}

/// What statements can be run on: a `Database` (each on a connection of its own) or a `Connection`.
public protocol Queries {
  /// Runs `sql` and answers its rows, all of them. Throws `DatabaseError`.
  func rows(_ sql: SQL) throws -> [Row]

  /// Runs `sql` and answers how many rows it matched (changed or not), inserted or deleted. Throws
  /// `DatabaseError`.
  @discardableResult
  func run(_ sql: SQL) throws -> Int
}

extension Queries {
  /// Runs `sql` and answers its first row. Throws `DatabaseError`.
  public func row(_ sql: SQL) throws -> Row? { try rows(sql).first }
}
