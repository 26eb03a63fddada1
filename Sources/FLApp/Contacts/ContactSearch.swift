import FLHTTP
import FLMariaDB
import FLValues

/// The search for contacts by the beginnings of words: a walk over the range of one word in the table's own order.
///
/// It takes the rarest of the words, and looks for each contact of its range whether it has the others too; so the work
/// is that for a page, and does not grow with the account.
struct ContactSearch {
  /// Up to how many of the contacts that are found are counted.
  static let mostCounted = 1000
  /// What a cursor of a search has in place of an order.
  static let order = "search"

  let account: AccountID
  let queries: any Queries
  /// Each must begin a word of the contact.
  let words: [String]
  let filter: ContactFilter

  /// A word of a contact by which it was found.
  struct Hit {
    let word: String
    let contact: ContactID
  }

  /// What is known of the range of words that begin with one of `words`.
  private struct Range {
    let word: String
    /// How many rows it has, counted up to a bound.
    var rows = 0
    /// How many contacts those are of.
    var contacts = 0
    /// Whether all rows have one word, so that no contact is there twice.
    var isOneWord = false
  }

  /// Contacts that match, in the order of their words, behind `cursor`; one more than `limit` where there are more. And
  /// how many there are at all, where one more than `mostCounted` stands for more.
  func page(behind cursor: Cursor?, limit: Int) throws -> (hits: [Hit], total: Int) {
    var ranges = try ranges().sorted { $0.rows < $1.rows }
    guard let first = ranges.first, first.rows > 0 else { return ([], 0) }
    ranges.removeFirst()
    let others = ranges.map(\.word)
    let isCounted = first.rows <= Self.mostCounted || first.contacts > Self.mostCounted
    if others.isEmpty && filter.isEmpty && isCounted {
      return (try walk(first, [], behind: cursor, limit: limit + 1), first.contacts)
    }
    let all = try walk(first, others, behind: nil, limit: Self.mostCounted + 1)
    guard cursor != nil else { return (Array(all.prefix(limit + 1)), all.count) }
    return (try walk(first, others, behind: cursor, limit: limit + 1), all.count)
  }

  private func ranges() throws -> [Range] {
    var ranges = words.map { Range(word: $0) }
    guard !ranges.isEmpty else { return [] }
    let parts = words.enumerated().map { index, word -> SQL in
      let condition: SQL = "FROM contact_words w WHERE w.account_id = \(account) AND \(range("w", word))"
      return """
        SELECT \(index) AS position, COUNT(*) AS n, COUNT(DISTINCT contact_id) AS contacts,
          (SELECT w.word \(condition) ORDER BY w.word LIMIT 1)
            = (SELECT w.word \(condition) ORDER BY w.word DESC LIMIT 1) AS is_one
        FROM (SELECT w.contact_id \(condition) LIMIT \(Self.mostCounted + 1)) r
        """
    }
    for row in try queries.rows(parts.joined(by: " UNION ALL ")) {
      let position: Int = try row["position"]
      ranges[position].rows = try row["n"]
      ranges[position].contacts = try row["contacts"]
      ranges[position].isOneWord = try row["is_one"] ?? false
    }
    return ranges
  }

  /// The scalar subqueries have a LIMIT, so that the optimizer leaves them where they are: made into joins, one of them
  /// could come to stand first, and its whole range be read.
  private func walk(_ first: Range, _ others: [String], behind cursor: Cursor?, limit: Int) throws -> [Hit] {
    var conditions: [SQL] = ["w.account_id = \(account)", range("w", first.word)]
    if !first.isOneWord {
      // A contact may be in the range by several of its words, and is found by the first.
      conditions.append(
        """
        (SELECT e.word FROM contact_words e WHERE e.contact_id = w.contact_id AND e.word >= \(first.word)
         AND e.word < w.word LIMIT 1) IS NULL
        """)
    }
    for word in others {
      conditions.append(
        """
        (SELECT o.word FROM contact_words o WHERE o.contact_id = w.contact_id AND \(range("o", word)) LIMIT 1)
        IS NOT NULL
        """)
    }
    if let cursor, let id: ContactID = cursor.id() {
      conditions.append("w.word >= \(cursor.value) AND (w.word > \(cursor.value) OR w.contact_id > \(id))")
    }
    let join: SQL = filter.isEmpty ? "" : "STRAIGHT_JOIN contacts c ON c.id = w.contact_id"
    conditions += filter.rowConditions(of: account)
    return try queries.rows(
      """
      SELECT w.word, w.contact_id FROM contact_words w \(join) WHERE \(conditions.joined(by: " AND "))
      ORDER BY w.word, w.contact_id LIMIT \(limit)
      """
    ).map { try Hit(word: $0["word"], contact: $0["contact_id"]) }
  }

  /// The words that `word` begins.
  private func range(_ table: SQL, _ word: String) -> SQL {
    // Nothing that is a word has the last of all code points in it.
    "\(table).word BETWEEN \(word) AND \(word + "\u{10FFFF}")"
  }
}
