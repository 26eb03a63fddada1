import FLHTTP
import FLMariaDB
import FLValues

/// The search for contacts by the beginnings of words: a walk over the range of one word in the table's own order.
///
/// It takes the rarest of the words, and looks for each contact of its range whether it has the others too; so the work
/// is that for a page, and does not grow with the account.
struct ContactSearch {
  /// Up to how many of the contacts that are found by one word are counted: by the range of the word alone.
  static let mostCounted = 1000
  /// The same where each contact has to be looked at: for its other words, or for a filter.
  static let mostLookedAt = 100
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
  /// how many there are at all, or at least.
  func page(behind cursor: Cursor?, limit: Int) throws -> (hits: [Hit], total: Int, isLowerBound: Bool) {
    var ranges = try ranges()
    guard !ranges.contains(where: { $0.rows == 0 }), let index = try place(in: ranges, behind: cursor) else {
      return ([], 0, false)
    }
    let first = ranges.remove(at: index)
    let others = ranges.map(\.word)
    let isCounted = first.rows <= Self.mostCounted || first.contacts > Self.mostCounted
    if others.isEmpty && filter.isEmpty && isCounted {
      return (
        try walk(first, [], behind: cursor, limit: limit + 1), min(first.contacts, Self.mostCounted),
        first.contacts > Self.mostCounted
      )
    }
    // One word whose contacts have several words of its range is counted by looking as well.
    let most = others.isEmpty && filter.isEmpty ? Self.mostCounted : Self.mostLookedAt
    let all = try walk(first, others, behind: nil, limit: max(most, limit) + 1)
    let hits =
      cursor == nil ? Array(all.prefix(limit + 1)) : try walk(first, others, behind: cursor, limit: limit + 1)
    return (hits, min(all.count, most), all.count > most)
  }

  /// Which range is walked: that of the page before, whose word the cursor has, else the one with the fewest rows. Of
  /// several with more than are counted the server's estimate tells, which costs two steps in the index each.
  private func place(in ranges: [Range], behind cursor: Cursor?) throws -> Int? {
    if let cursor, let same = ranges.firstIndex(where: { cursor.value.hasPrefix($0.word) }) { return same }
    guard let fewest = ranges.indices.min(by: { ranges[$0].rows < ranges[$1].rows }) else { return nil }
    guard ranges.count > 1, ranges[fewest].rows > Self.mostCounted else { return fewest }
    let estimates = try ranges.map { range -> Int in
      let plan = try queries.row(
        """
        EXPLAIN SELECT w.contact_id FROM contact_words w FORCE INDEX (PRIMARY)
        WHERE w.account_id = \(account) AND \(self.range("w", range.word))
        """)
      let rows: String? = try plan?["rows"]
      return rows.flatMap { Int($0) } ?? .max
    }
    return ranges.indices.min { estimates[$0] < estimates[$1] }
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
