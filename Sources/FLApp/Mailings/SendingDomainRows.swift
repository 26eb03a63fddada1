import FLMariaDB
import FLValues

/// Every SQL statement about the domains that mail comes from: an account's, or with nil the operator's own.
struct SendingDomainRows {
  let account: AccountID?
  let queries: any Queries

  private static let columns: SQL = """
    id, account_id, domain, rsa_selector, rsa_key, rsa_public, ed25519_selector, ed25519_key, ed25519_public,
    verified_at, checked_at, has_rsa, has_ed25519, has_spf, has_dmarc, version, created_at
    """

  private var owner: SQL { "account_id <=> \(account)" }

  func find(_ id: SendingDomainID) throws -> SendingDomain? {
    try queries.row("SELECT \(Self.columns) FROM sending_domains WHERE id = \(id) AND \(owner)")
      .map(SendingDomain.init)
  }

  func find(_ domain: DomainName) throws -> SendingDomain? {
    try queries.row("SELECT \(Self.columns) FROM sending_domains WHERE domain = \(domain.text) AND \(owner)")
      .map(SendingDomain.init)
  }

  /// The account's domain of this name, or the operator's, one that is verified first.
  func usable(_ domain: DomainName) throws -> SendingDomain? {
    try queries.row(
      """
      SELECT \(Self.columns) FROM sending_domains
      WHERE domain = \(domain.text) AND (account_id = \(account) OR account_id IS NULL)
      ORDER BY verified_at IS NULL, account_id IS NULL LIMIT 1
      """
    ).map(SendingDomain.init)
  }

  func count() throws -> Int {
    try queries.row("SELECT COUNT(*) AS n FROM sending_domains WHERE \(owner)")?["n"] ?? 0
  }

  /// Domains from the newest on, those behind `cursor`.
  func list(behind cursor: Cursor?, limit: Int) throws -> [SendingDomain] {
    let before: SendingDomainID? = cursor?.id()
    let more: SQL = before.map { "AND id < \($0)" } ?? ""
    return try queries.rows(
      """
      SELECT \(Self.columns) FROM sending_domains WHERE \(owner) \(more) ORDER BY id DESC LIMIT \(limit)
      """
    ).map(SendingDomain.init)
  }

  /// Puts a domain in; false where there are `most` already.
  func insert(_ domain: SendingDomain, atMost most: Int) throws -> Bool {
    try queries.run(
      """
      INSERT INTO sending_domains (id, account_id, domain, rsa_selector, rsa_key, rsa_public, ed25519_selector,
        ed25519_key, ed25519_public, created_at)
      SELECT \(domain.id), \(account), \(domain.domain), \(domain.rsa.selector), \(domain.rsa.sealed),
        \(domain.rsa.publicKey), \(domain.ed25519.selector), \(domain.ed25519.sealed),
        \(domain.ed25519.publicKey), \(domain.createdAt)
      FROM (SELECT COUNT(*) AS n FROM sending_domains WHERE \(owner)) present WHERE n < \(most)
      """) == 1
  }

  /// Writes what DNS had.
  func update(_ domain: SendingDomain) throws {
    _ = try queries.run(
      """
      UPDATE sending_domains SET verified_at = \(domain.verifiedAt), checked_at = \(domain.checkedAt),
        has_rsa = \(domain.rsa.isPresent), has_ed25519 = \(domain.ed25519.isPresent),
        has_spf = \(domain.hasSPF), has_dmarc = \(domain.hasDMARC), version = version + 1
      WHERE id = \(domain.id) AND \(owner)
      """)
  }

  /// Whether there was one to delete.
  func delete(_ id: SendingDomainID) throws -> Bool {
    try queries.run("DELETE FROM sending_domains WHERE id = \(id) AND \(owner)") == 1
  }
}

extension SendingDomain {
  init(_ row: Row) throws {
    try self.init(
      id: row["id"], account: row["account_id"], domain: row["domain"],
      rsa: Key(
        selector: row["rsa_selector"], sealed: row["rsa_key"], publicKey: row["rsa_public"],
        isPresent: row["has_rsa"]),
      ed25519: Key(
        selector: row["ed25519_selector"], sealed: row["ed25519_key"], publicKey: row["ed25519_public"],
        isPresent: row["has_ed25519"]),
      verifiedAt: row["verified_at"], checkedAt: row["checked_at"], hasSPF: row["has_spf"],
      hasDMARC: row["has_dmarc"], version: row["version"], createdAt: row["created_at"])
  }
}
