import FLMariaDB
import FLValues

/// Every SQL statement about sessions and their refresh tokens.
struct SessionRows {
  let queries: any Queries

  func insert(
    _ id: SessionID, account: AccountID, cookieDigest: [UInt8]?, at now: Timestamp, expiresAt: Timestamp
  ) throws {
    _ = try queries.run(
      """
      INSERT INTO sessions (id, account_id, cookie_digest, created_at, expires_at)
      VALUES (\(id), \(account), \(cookieDigest), \(now), \(expiresAt))
      """)
  }

  func insertRefreshToken(digest: [UInt8], session: SessionID) throws {
    _ = try queries.run("INSERT INTO refresh_tokens (digest, session_id) VALUES (\(digest), \(session))")
  }

  /// Uses up a refresh token; false when that was done before, or there is none.
  func useRefreshToken(digest: [UInt8], at now: Timestamp) throws -> Bool {
    try queries.run(
      "UPDATE refresh_tokens SET used_at = \(now) WHERE digest = \(digest) AND used_at IS NULL") == 1
  }

  /// The session and the account that a refresh token is of, used or not, while the session holds.
  func session(ofRefreshToken digest: [UInt8], at now: Timestamp) throws -> (SessionID, AccountID)? {
    try queries.row(
      """
      SELECT s.id, s.account_id FROM refresh_tokens r JOIN sessions s ON s.id = r.session_id
      WHERE r.digest = \(digest) AND s.expires_at > \(now)
      """
    ).map { (try $0["id"], try $0["account_id"]) }
  }

  func extend(_ id: SessionID, to expiresAt: Timestamp) throws {
    _ = try queries.run("UPDATE sessions SET expires_at = \(expiresAt) WHERE id = \(id)")
  }

  func delete(_ id: SessionID) throws {
    _ = try queries.run("DELETE FROM sessions WHERE id = \(id)")
  }

  func deleteAll(of account: AccountID, except kept: SessionID? = nil) throws {
    _ = try queries.run(
      "DELETE FROM sessions WHERE account_id = \(account) AND (\(kept) IS NULL OR id <> \(kept))")
  }

  /// Who a session is of, while it holds.
  func holder(of id: SessionID, at now: Timestamp) throws -> Holder? {
    try queries.row(
      """
      SELECT a.id AS account_id, a.plan FROM sessions s JOIN accounts a ON a.id = s.account_id
      WHERE s.id = \(id) AND s.expires_at > \(now)
      """
    ).map(Holder.init)
  }

  /// Who the session with this cookie is of, while it holds.
  func holder(ofCookie digest: [UInt8], at now: Timestamp) throws -> (SessionID, Holder)? {
    try queries.row(
      """
      SELECT s.id, a.id AS account_id, a.plan FROM sessions s JOIN accounts a ON a.id = s.account_id
      WHERE s.cookie_digest = \(digest) AND s.expires_at > \(now)
      """
    ).map { (try $0["id"], try Holder($0)) }
  }

  /// Takes away sessions that have expired, and their tokens with them.
  func purge(at now: Timestamp) throws {
    _ = try queries.run("DELETE FROM sessions WHERE expires_at < \(now) LIMIT 10000")
    // A used token is kept for as long as it could still be shown, to end its session then.
    _ = try queries.run(
      "DELETE FROM refresh_tokens WHERE used_at < \(now - Tokens.sessionLifetime) LIMIT 10000")
  }
}

/// Whose a credential is, and on which plan that account is.
struct Holder {
  let account: AccountID
  let plan: String

  init(_ row: Row) throws {
    account = try row["account_id"]
    plan = try row["plan"]
  }
}
