import FLMariaDB
import FLValues

/// What is done only so often over all hosts, and by one process at a time.
struct Rounds {
  let queries: any Queries

  /// Takes the round `name` if it is due; until `end` nobody else gets it. Whoever takes it and dies holds it up for
  /// `lease`.
  /// - Throws: `DatabaseError`.
  func begin(_ name: String, for lease: Duration, at now: Timestamp) throws -> Bool {
    // By conditional statements: of many that ask at once one gets it.
    let until = now + lease
    let isFirst =
      try queries.run("INSERT IGNORE INTO rounds (name, due_at) VALUES (\(name), \(until))") == 1
    if isFirst { return true }
    return try queries.run(
      "UPDATE rounds SET due_at = \(until) WHERE name = \(name) AND due_at <= \(now)") == 1
  }

  /// Gives the round back: it is due again at `time`.
  /// - Throws: `DatabaseError`.
  func end(_ name: String, nextAt time: Timestamp) throws {
    try queries.run("UPDATE rounds SET due_at = \(time) WHERE name = \(name)")
  }
}
