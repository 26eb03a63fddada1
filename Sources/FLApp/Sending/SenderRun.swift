import FLMariaDB
import FLValues
import Foundation

/// The identifier of a run of the sender.
package typealias SenderID = ID<SenderRun>

/// A run of the sender: it is known by its row while it lives, so that others can tell whether it is gone.
package struct SenderRun: Sendable {
  /// After this time without a sign of life a run is taken for dead, where its journal can't be looked at.
  package static let patience = Duration.seconds(600)

  package let id: SenderID
  package let host: String
  package let process: Int
  package let sent: Int
  package let startedAt: Timestamp
  package let seenAt: Timestamp
}

/// Every SQL statement about runs of the sender.
package struct SenderRunRows {
  let queries: any Queries

  package init(queries: any Queries) { self.queries = queries }

  /// Notes that a run begins.
  package func begin(_ id: SenderID, host: String, process: Int, at now: Timestamp) throws {
    _ = try queries.run(
      """
      INSERT INTO senders (id, host, process, started_at, seen_at)
      VALUES (\(id), \(host), \(process), \(now), \(now))
      """)
  }

  /// Notes that a run lives, how much it has sent, and what is wrong with the mail server.
  package func beat(_ id: SenderID, sent: Int, trouble: String?, at now: Timestamp) throws {
    _ = try queries.run(
      "UPDATE senders SET seen_at = \(now), sent = \(sent), trouble = \(trouble?.cut(toScalars: 500)) WHERE id = \(id)"
    )
  }

  /// What was wrong with the mail server at last, and when; nil where the last run that had to do with it had no trouble,
  /// or there was none since `start`.
  package func trouble(since start: Timestamp) throws -> (text: String, at: Timestamp)? {
    guard
      let row = try queries.row(
        """
        SELECT trouble, seen_at FROM senders WHERE started_at >= \(start) AND (trouble IS NOT NULL OR sent > 0)
        ORDER BY id DESC LIMIT 1
        """),
      let text: String = try row["trouble"]
    else { return nil }
    return try (text, row["seen_at"])
  }

  /// Notes that a run has ended, and that it has nothing in hand any more.
  package func end(_ id: SenderID, at now: Timestamp) throws {
    _ = try queries.run("UPDATE senders SET ended_at = \(now) WHERE id = \(id) AND ended_at IS NULL")
  }

  /// The runs that have not ended, the oldest first.
  package func running() throws -> [SenderRun] {
    try queries.rows(
      "SELECT id, host, process, sent, started_at, seen_at FROM senders WHERE ended_at IS NULL ORDER BY id LIMIT 1000"
    ).map(SenderRun.init)
  }

  /// Messages that runs have sent since `start`, as far as these have told.
  package func sent(since start: Timestamp) throws -> Int {
    try queries.row("SELECT COALESCE(SUM(sent), 0) AS sent FROM senders WHERE started_at >= \(start)")?[
      "sent"] ?? 0
  }

  /// Forgets runs that ended more than a week ago.
  package func purge(at now: Timestamp) throws {
    _ = try queries.run("DELETE FROM senders WHERE ended_at < \(now - .seconds(7 * 86_400)) LIMIT 10000")
  }
}

extension SenderRun {
  init(_ row: Row) throws {
    try self.init(
      id: row["id"], host: row["host"], process: row["process"], sent: row["sent"],
      startedAt: row["started_at"],
      seenAt: row["seen_at"])
  }
}
