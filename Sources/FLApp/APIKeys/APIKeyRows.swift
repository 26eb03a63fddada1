import FLMariaDB
import FLValues

/// Every SQL statement about API keys.
struct APIKeyRows {
  let queries: any Queries

  private static let columns: SQL =
    "id, name, prefix, scopes, expires_at, last_used_at, created_at, revoked_at, version"

  /// What a request needs to know of the key that it carries.
  struct Found {
    let id: APIKeyID
    let grants: [Grant]
    var lastUsedAt: Timestamp?
    let expiresAt: Timestamp?
    let holder: Holder
  }

  /// The key with this digest and its account, while it holds.
  func find(digest: [UInt8], at now: Timestamp) throws -> Found? {
    try queries.row(
      """
      SELECT k.id AS key_id, k.scopes, k.last_used_at, k.expires_at, a.id AS account_id, a.plan
      FROM api_keys k JOIN accounts a ON a.id = k.account_id
      WHERE k.digest = \(digest) AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > \(now))
      """
    ).map {
      try Found(
        id: $0["key_id"], grants: readGrants($0["scopes"]), lastUsedAt: $0["last_used_at"],
        expiresAt: $0["expires_at"], holder: Holder($0))
    }
  }

  /// Notes that the key was used; to the minute, since it is a write.
  func touch(_ id: APIKeyID, at now: Timestamp) throws {
    _ = try queries.run(
      """
      UPDATE api_keys SET last_used_at = \(now)
      WHERE id = \(id) AND (last_used_at IS NULL OR last_used_at < \(now - .seconds(60)))
      """)
  }

  func insert(_ key: APIKey, digest: [UInt8], account: AccountID) throws {
    _ = try queries.run(
      """
      INSERT INTO api_keys (id, account_id, name, prefix, digest, scopes, expires_at, created_at)
      VALUES (\(key.id), \(account), \(key.name), \(key.prefix), \(digest), \(text(key.grants)),
              \(key.expiresAt), \(key.createdAt))
      """)
  }

  func find(_ id: APIKeyID, account: AccountID) throws -> APIKey? {
    try queries.row("SELECT \(Self.columns) FROM api_keys WHERE id = \(id) AND account_id = \(account)").map(
      APIKey.init)
  }

  /// Keys from the newest on, those before `cursor`.
  func list(account: AccountID, before cursor: APIKeyID?, limit: Int) throws -> [APIKey] {
    try queries.rows(
      """
      SELECT \(Self.columns) FROM api_keys
      WHERE account_id = \(account) AND (\(cursor) IS NULL OR id < \(cursor))
      ORDER BY id DESC LIMIT \(limit)
      """
    ).map(APIKey.init)
  }

  func count(account: AccountID) throws -> Int {
    try queries.row("SELECT COUNT(*) AS n FROM api_keys WHERE account_id = \(account)")?["n"] ?? 0
  }

  func update(_ key: APIKey) throws -> Bool {
    try queries.run(
      """
      UPDATE api_keys SET name = \(key.name), scopes = \(text(key.grants)), expires_at = \(key.expiresAt),
        version = version + 1
      WHERE id = \(key.id) AND version = \(key.version)
      """) == 1
  }

  func revoke(_ id: APIKeyID, at now: Timestamp) throws {
    _ = try queries.run(
      "UPDATE api_keys SET revoked_at = \(now), version = version + 1 WHERE id = \(id) AND revoked_at IS NULL"
    )
  }

  private func text(_ grants: [Grant]) -> String { grants.map(\.description).joined(separator: ",") }
}

/// The grants in a column. One that this program does not know gives nothing, and does not make the key a full one.
private func readGrants(_ text: String) -> [Grant] {
  let known = text.split(separator: ",").compactMap { Grant($0) }
  return known.isEmpty && !text.isEmpty ? Grant("geoip:read").map { [$0] } ?? [] : known
}

extension APIKey {
  init(_ row: Row) throws {
    try self.init(
      id: row["id"], name: row["name"], prefix: row["prefix"], grants: readGrants(row["scopes"]),
      expiresAt: row["expires_at"], lastUsedAt: row["last_used_at"], createdAt: row["created_at"],
      revokedAt: row["revoked_at"], version: row["version"])
  }
}
