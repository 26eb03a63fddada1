/// Why a statement or a transaction failed, in the terms that a service decides by.
public enum DatabaseError: Error, Sendable, Equatable {
  /// The database cannot be reached, the connection was lost and not to be had back, or the statement took
  /// longer than `queryTimeout`.
  case unavailable(String)
  /// No connection of the pool came free within `poolWait`.
  case exhausted
  /// A row with this key exists (1062): the key's name, without its table.
  case duplicate(constraint: String)
  /// A row that is referred to is missing or still needed (1451, 1452): the name of the foreign key.
  case foreignKey(constraint: String)
  /// A `CHECK` refused the row (4025): its name.
  case check(constraint: String)
  /// A deadlock, a lock not had in time, or a failed certification (Galera) that outlived its retries.
  case conflict
  /// The value is too long for, or out of the range of, the column (1406, 1264).
  case tooLong(column: String)
  /// A column, or a parameter, is not of the type that the program took it for; `detail` never holds the value.
  case conversion(column: String, detail: String)
  /// A statement the server refused: a bug. `message` is the server's and may quote values.
  case failed(code: Int, state: String, message: String)

  /// What `SQLConvertible.read` throws for a value that its type cannot be.
  public static func mismatch<Wanted>(_ value: SQLValue, _ wanted: Wanted.Type) -> DatabaseError {
    .conversion(column: "", detail: "\(value.kind) cannot be read as \(wanted)")
  }
}

/// A failure as the server or the client library reported it.
struct ServerError: Error {
  /// How far the statement had come.
  enum Stage { case connect, prepare, execute, fetch }

  /// What is to be done about it.
  enum Kind { case lost, notReady, conflict, staleStatement, statementLimit, timeout, other }

  var code: Int
  var state: String
  var message: String
  var stage: Stage

  var kind: Kind {
    switch code {
    // Errors of the client library, then what a server says before it hangs up.
    case 2002, 2003, 2006, 2012, 2013, 2014, 2026, 2027, 2055, 5013, 5014: .lost
    case 1053, 1152, 1153, 1158, 1159, 1160, 1161, 1184, 1927: .lost
    case 1047 where message.contains("WSREP"): .notReady
    case 1205, 1213: .conflict
    case 1243, 1615, 2057: .staleStatement
    case 1461: .statementLimit
    case 1969, 3024: .timeout
    default: stage == .connect ? .lost : .other
    }
  }

  /// Whether the server surely did not run the statement: it was still being prepared, or could not be sent
  /// (2006: the library got no whole packet out), or the node refuses every statement.
  var surelyDidNotRun: Bool {
    switch stage {
    case .connect, .prepare: true
    case .execute: code == 2006 || kind == .notReady
    case .fetch: false
    }
  }

  /// The same in the callers' terms.
  var translated: DatabaseError {
    switch kind {
    case .lost, .notReady: return .unavailable("\(message) (\(code))")
    case .timeout: return .unavailable("the statement took too long (\(code))")
    case .conflict: return .conflict
    case .staleStatement, .statementLimit, .other: break
    }
    switch code {
    case 1062, 1586:
      // The value that comes before may hold quotes of its own, the key's name comes last.
      let key = message.between("for key '", "'", backwards: true) ?? ""
      return .duplicate(constraint: key.split(separator: ".").last.map(String.init) ?? key)
    case 1451, 1452, 1216, 1217:
      return .foreignKey(constraint: message.between("CONSTRAINT `", "`") ?? "")
    case 4025:
      let name = message.between("CONSTRAINT `", "`") ?? ""
      return .check(constraint: name.split(separator: ".").last.map(String.init) ?? name)
    case 1406, 1264:
      return .tooLong(column: message.between("column '", "' at row", backwards: true) ?? "")
    default:
      return .failed(code: code, state: state, message: message)
    }
  }
}

extension String {
  /// What stands between the first (or last) `start` and the first `end` after it.
  fileprivate func between(_ start: String, _ end: String, backwards: Bool = false) -> String? {
    let text = Array(utf8)
    let opening = Array(start.utf8)
    let closing = Array(end.utf8)
    func found(_ wanted: [UInt8], at index: Int) -> Bool {
      index + wanted.count <= text.count && text[index..<index + wanted.count].elementsEqual(wanted)
    }
    let places = text.indices.filter { found(opening, at: $0) }
    guard let place = backwards ? places.last : places.first else { return nil }
    let first = place + opening.count
    guard let last = (first..<text.endIndex).first(where: { found(closing, at: $0) }) else { return nil }
    return String(decoding: text[first..<last], as: UTF8.self)
  }
}
