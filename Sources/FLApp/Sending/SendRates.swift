import FLMariaDB
import FLValues

/// How many messages may go out in a minute, counted in the database: over all runs of the sender on all hosts.
package struct SendRates: Sendable {
  /// What is counted by itself.
  package enum Subject: Sendable {
    /// All that goes out.
    case all
    /// What an account sends.
    case account(AccountID)
    /// What goes to a domain, in lower case.
    case domain(String)

    fileprivate var name: String {
      switch self {
      case .all: "all"
      case .account(let id): "account:\(id)"
      case .domain(let name): "domain:\(name.prefix(240).filter(\.isASCII))"
      }
    }
  }

  let queries: any Queries & Sendable

  package init(queries: any Queries & Sendable) { self.queries = queries }

  /// Takes up to `wanted` messages of this minute's `limit`; answers how many are granted. Without a limit all are, and
  /// nothing is counted.
  package func take(_ wanted: Int, of subject: Subject, limit: Int?, at now: Timestamp) throws -> Int {
    guard let limit, wanted > 0 else { return wanted }
    let minute = Int(now.seconds / 60)
    // By a conditional statement: runs that take at once can't pass the limit together.
    _ = try queries.run(
      "INSERT INTO send_rates (subject, minute) VALUES (\(subject.name), \(minute)) ON DUPLICATE KEY UPDATE taken = taken"
    )
    var granted = wanted
    // Few rounds: each asks for what it saw to be left.
    for _ in 0..<8 {
      let taken = try queries.run(
        """
        UPDATE send_rates SET taken = taken + \(granted)
        WHERE subject = \(subject.name) AND minute = \(minute) AND taken + \(granted) <= \(limit)
        """)
      if taken == 1 { return granted }
      let used: Int =
        try queries.row(
          "SELECT taken FROM send_rates WHERE subject = \(subject.name) AND minute = \(minute)")?["taken"]
        ?? 0
      guard used < limit else { return 0 }
      granted = min(wanted, limit - used)
    }
    return 0
  }

  /// Gives back what was taken and not used.
  package func giveBack(_ count: Int, of subject: Subject, limit: Int?, at now: Timestamp) throws {
    guard limit != nil, count > 0 else { return }
    _ = try queries.run(
      """
      UPDATE send_rates SET taken = GREATEST(0, taken - \(count))
      WHERE subject = \(subject.name) AND minute = \(Int(now.seconds / 60))
      """)
  }

  /// Forgets minutes that are over.
  package func purge(at now: Timestamp) throws {
    _ = try queries.run("DELETE FROM send_rates WHERE minute < \(Int(now.seconds / 60) - 60) LIMIT 10000")
  }
}
