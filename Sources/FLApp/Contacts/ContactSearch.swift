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

  /// Contacts that match, in the order of their words, behind `cursor`; one more than `limit` where there are more. And
  /// how many there are at all, where one more than `mostCounted` stands for more.
  func page(behind cursor: Cursor?, limit: Int) throws -> (hits: [Hit], total: Int) {
    guard !words.isEmpty else { return ([], 0) }
    let counts = try rangeCounts()
    guard let rarest = counts.indices.min(by: { counts[$0].rows < counts[$1].rows }), counts[rarest].rows > 0
    else { return ([], 0) }
    let first = words[rarest]
    let others = words.enumerated().filter { $0.offset != rarest }.map(\.element)
    if others.isEmpty && filter.isEmpty {
      let count = counts[rarest]
      let hits = try walk(first, [], behind: cursor, limit: limit + 1)
      // A contact may be in the range by two of its words.
      if count.rows <= Self.mostCounted || count.contacts > Self.mostCounted { return (hits, count.contacts) }
      return (hits, try walk(first, [], behind: nil, limit: Self.mostCounted + 1).count)
    }
    let all = try walk(first, others, behind: nil, limit: Self.mostCounted + 1)
    guard cursor != nil else { return (Array(all.prefix(limit + 1)), all.count) }
    return (try walk(first, others, behind: cursor, limit: limit + 1), all.count)
  }

  /// How many rows the range of each word has, and how many contacts they are of, counted up to a bound.
  private func rangeCounts() throws -> [(rows: Int, contacts: Int)] {
    let parts = words.enumerated().map { index, word -> SQL in
      """
      SELECT \(index) AS position, COUNT(*) AS n, COUNT(DISTINCT contact_id) AS contacts FROM
        (SELECT w.contact_id FROM contact_words w WHERE w.account_id = \(account) AND \(range("w", word))
         LIMIT \(Self.mostCounted + 1)) r
      """
    }
    var counts = Array(repeating: (rows: 0, contacts: 0), count: words.count)
    for row in try queries.rows(parts.joined(by: " UNION ALL ")) {
      counts[try row["position"]] = (try row["n"], try row["contacts"])
    }
    return counts
  }

  /// The scalar subqueries have a LIMIT, so that the optimizer leaves them where they are: made into joins, one of them
  /// could come to stand first, and its whole range be read.
  private func walk(_ first: String, _ others: [String], behind cursor: Cursor?, limit: Int) throws -> [Hit] {
    var conditions: [SQL] = [
      "w.account_id = \(account)", range("w", first),
      """
      (SELECT e.word FROM contact_words e WHERE e.contact_id = w.contact_id AND e.word >= \(first)
       AND e.word < w.word LIMIT 1) IS NULL
      """,
    ]
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
