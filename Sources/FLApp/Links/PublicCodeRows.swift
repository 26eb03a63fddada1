import FLMariaDB
import FLValues

/// Every SQL statement about the one namespace of public codes.
struct PublicCodeRows {
  /// How long a code that was given up stays its account's.
  static let retirement = Duration.seconds(366 * 86_400)

  let queries: any Queries

  /// Takes a code for `subject`; false where it is taken, also in other case.
  ///
  /// What the same account has given up it may take again.
  func take<Subject>(
    _ code: ShortCode, kind: String, subject: ID<Subject>, account: AccountID, at now: Timestamp
  ) throws -> Bool {
    do {
      _ = try queries.run(
        """
        INSERT INTO public_codes (code, kind, subject_id, account_id, changed_at)
        VALUES (\(code.text), \(kind), \(subject), \(account), \(now))
        """)
      return true
    } catch DatabaseError.duplicate {
      // Looked at without a lock first: the failed insert left a shared one on the row, and of many that ask for
      // a taken code each would wait for the others' to go.
      let isOwn =
        try queries.row(
          """
          SELECT 1 AS found FROM public_codes
          WHERE code = \(code.text) AND kind = 'retired' AND account_id = \(account)
          """) != nil
      guard isOwn else { return false }
      return try queries.run(
        """
        UPDATE public_codes SET code = \(code.text), kind = \(kind), subject_id = \(subject), changed_at = \(now)
        WHERE code = \(code.text) AND kind = 'retired' AND account_id = \(account)
        """) == 1
    }
  }

  /// Gives a code up.
  func retire(_ code: ShortCode, account: AccountID, at now: Timestamp) throws {
    _ = try queries.run(
      """
      UPDATE public_codes SET kind = 'retired', changed_at = \(now)
      WHERE code = \(code.text) AND account_id = \(account)
      """)
  }

  /// Those of `codes` that `account` can't take, in lower case.
  func taken(_ codes: [ShortCode], account: AccountID) throws -> Set<String> {
    let rows = try queries.rows(
      """
      SELECT code FROM public_codes
      WHERE code IN (\(codes.map(\.text))) AND NOT (kind = 'retired' AND account_id = \(account))
      """)
    return Set(try rows.map { row in (try row["code"] as String).lowercased() })
  }

  /// Frees codes that were given up long ago.
  func purge(at now: Timestamp) throws {
    _ = try queries.run(
      "DELETE FROM public_codes WHERE kind = 'retired' AND changed_at < \(now - Self.retirement) LIMIT 1000")
  }
}
