import FLHTTP
import FLMariaDB
import FLValues

/// Brings many contacts up to date at once, by their addresses: who is not there is made, of whom is there what is said
/// now is written.
///
/// What a row does not say stays as it is; custom fields are merged by name; telephone numbers, addresses, websites and
/// notes are added where they are not there; tags are added. A row that changes nothing is skipped, and a bad one stops
/// no other. Of two rows with one address the later one changes what the earlier one made. Flags that are remembered of
/// an address are taken over, and none is lifted.
struct ContactUpsert {
  /// How many rows a transaction has.
  private static let rowsAtOnce = 1000

  let account: AccountID
  let database: Database
  /// Why those unsubscribe who do so by a row.
  var reason = UnsubscribeReason.import

  /// What became of the rows.
  struct Result {
    var created = 0
    var updated = 0
    /// Rows of contacts that were as the row says.
    var skipped = 0
    var errors: [(index: Int, email: String?, problem: FieldProblem)] = []
    /// The contact of each row; nil where the row is bad.
    var ids: [ContactID?] = []
  }

  /// Writes the rows, each thousand in a transaction of its own: what is done stays done when a later one fails, and the
  /// same again does no harm.
  ///
  /// `tags` are put on all of them, and new ones come from `source` where their row says nothing else. `also` is run in
  /// each transaction with the ids of its rows, each once.
  /// - Throws: `DatabaseError`.
  func run(
    _ rows: [ContactRow], tags: [TagName], source: String?, at now: Timestamp,
    also: (Connection, [ContactID]) throws -> Void = { _, _ in }
  ) throws -> Result {
    var result = Result()
    result.ids.reserveCapacity(rows.count)
    for start in stride(from: 0, to: rows.count, by: Self.rowsAtOnce) {
      let some = rows[start..<min(start + Self.rowsAtOnce, rows.count)]
      let part = try database.transaction { connection in
        let part = try write(some, tags: tags, source: source, on: connection, at: now)
        try also(connection, part.uniqueIDs)
        return part
      }
      result.add(part)
    }
    return result
  }

  /// The same inside of another transaction, all at once.
  func run(
    on connection: Connection, _ rows: [ContactRow], tags: [TagName], source: String?, at now: Timestamp
  ) throws -> Result {
    var result = Result()
    for start in stride(from: 0, to: rows.count, by: Self.rowsAtOnce) {
      let some = rows[start..<min(start + Self.rowsAtOnce, rows.count)]
      result.add(try write(some, tags: tags, source: source, on: connection, at: now))
    }
    return result
  }

  private func write(
    _ rows: ArraySlice<ContactRow>, tags: [TagName], source: String?, on connection: Connection,
    at now: Timestamp
  ) throws -> Result {
    var batch = ContactBatch(account: account, connection: connection, now: now)
    try batch.take(rows, tags: tags, source: source)
    try batch.write(unsubscribing: reason)
    return batch.result
  }
}

extension ContactUpsert.Result {
  /// The contacts of the rows, each once.
  var uniqueIDs: [ContactID] {
    var seen: Set<ContactID> = []
    return ids.compactMap { $0 }.filter { seen.insert($0).inserted }
  }

  fileprivate mutating func add(_ other: Self) {
    created += other.created
    updated += other.updated
    skipped += other.skipped
    errors += other.errors
    ids += other.ids
  }
}
