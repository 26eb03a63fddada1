import FLMariaDB
import FLValues

/// Every SQL statement about accounts, their passwords and password resets.
struct AccountRows {
  let queries: any Queries

  private static let columns: SQL = "a.id, a.email, a.name, a.plan, a.version, a.created_at, a.updated_at"

  func find(_ id: AccountID) throws -> Account? {
    try queries.row("SELECT \(Self.columns) FROM accounts a WHERE a.id = \(id)").map(Account.init)
  }

  /// The account with this address and its password's hash.
  func find(emailKey: String) throws -> (account: Account, passwordHash: String)? {
    try queries.row("SELECT \(Self.columns), a.password_hash FROM accounts a WHERE a.email_key = \(emailKey)")
      .map { (try Account($0), try $0["password_hash"]) }
  }

  func passwordHash(of id: AccountID) throws -> String? {
    try queries.row("SELECT password_hash FROM accounts WHERE id = \(id)").map { try $0["password_hash"] }
  }

  /// The account's version; the row stays locked for the transaction.
  func lockVersion(of id: AccountID) throws -> Int? {
    try queries.row("SELECT version FROM accounts WHERE id = \(id) FOR UPDATE").map { try $0["version"] }
  }

  func insert(_ account: Account, passwordHash: String) throws {
    _ = try queries.run(
      """
      INSERT INTO accounts (id, email, email_key, name, password_hash, plan, created_at, updated_at)
      VALUES (\(account.id), \(account.email), \(account.email.lowercased()), \(account.name), \(passwordHash),
              \(account.plan), \(account.createdAt), \(account.updatedAt))
      """)
  }

  /// Changes the account if it is still of `version`.
  func update(_ id: AccountID, name: String, email: String, version: Int, at now: Timestamp) throws -> Bool {
    try queries.run(
      """
      UPDATE accounts SET name = \(name), email = \(email), email_key = \(email.lowercased()),
        version = version + 1, updated_at = \(now)
      WHERE id = \(id) AND version = \(version)
      """) == 1
  }

  func setPasswordHash(_ hash: String, of id: AccountID, at now: Timestamp) throws {
    _ = try queries.run(
      "UPDATE accounts SET password_hash = \(hash), version = version + 1, updated_at = \(now) WHERE id = \(id)"
    )
  }

  /// Puts an account on another plan; false where there is no such account.
  func setPlan(_ plan: String, emailKey: String, at now: Timestamp) throws -> Bool {
    try queries.run(
      """
      UPDATE accounts SET plan = \(plan), version = version + 1, updated_at = \(now)
      WHERE email_key = \(emailKey)
      """) == 1
  }

  /// Keeps a reset token for the account with this address, if there is one; an older one holds no longer. The same
  /// statements run either way, so that the time they take does not tell which.
  func insertReset(digest: [UInt8], emailKey: String, expiresAt: Timestamp) throws {
    _ = try queries.run(
      """
      DELETE r FROM password_resets r JOIN accounts a ON a.id = r.account_id WHERE a.email_key = \(emailKey)
      """)
    _ = try queries.run(
      """
      INSERT INTO password_resets (digest, account_id, expires_at)
      SELECT \(digest), a.id, \(expiresAt) FROM accounts a WHERE a.email_key = \(emailKey)
      """)
  }

  /// The account that a reset token is for, while it holds. The row stays locked for the transaction.
  func resetAccount(digest: [UInt8], at now: Timestamp) throws -> AccountID? {
    try queries.row(
      "SELECT account_id FROM password_resets WHERE digest = \(digest) AND expires_at > \(now) FOR UPDATE"
    ).map { try $0["account_id"] }
  }

  func deleteResets(of id: AccountID) throws {
    _ = try queries.run("DELETE FROM password_resets WHERE account_id = \(id)")
  }

  /// Takes away reset tokens that have expired.
  func purge(at now: Timestamp) throws {
    _ = try queries.run("DELETE FROM password_resets WHERE expires_at < \(now) LIMIT 10000")
  }
}

extension Account {
  init(_ row: Row) throws {
    try self.init(
      id: row["id"], email: row["email"], name: row["name"], plan: row["plan"], version: row["version"],
      createdAt: row["created_at"], updatedAt: row["updated_at"])
  }
}
