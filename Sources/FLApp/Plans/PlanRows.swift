import FLMariaDB
import FLValues

/// Every SQL statement about plans and what was used of them.
struct PlanRows {
  let queries: any Queries

  private static let columns: SQL = """
    p.code AS plan_code, p.name AS plan_name, p.links_per_month, p.qrcodes_per_month, p.requests_per_minute,
    p.max_upload_bytes, p.storage_bytes, p.has_contacts, p.has_mailings, p.has_organizer, p.has_payments,
    (SELECT n.code FROM plans n WHERE n.position > p.position ORDER BY n.position LIMIT 1) AS next_plan
    """

  /// All plans, the smallest first.
  func all() throws -> [Plan] {
    try queries.rows("SELECT \(Self.columns) FROM plans p ORDER BY p.position").map(Plan.init)
  }

  /// What `account` has made in the month that begins at `month`.
  func usage(of account: AccountID, in month: Timestamp) throws -> (links: Int, qrcodes: Int) {
    let row = try queries.row(
      "SELECT links, qrcodes FROM usage_months WHERE account_id = \(account) AND month = DATE(\(month))")
    return (try row?["links"] ?? 0, try row?["qrcodes"] ?? 0)
  }

  /// What is counted by the month.
  enum Allowance {
    case links, qrcodes

    fileprivate var column: SQL {
      switch self {
      case .links: "links"
      case .qrcodes: "qrcodes"
      }
    }
  }

  /// Takes one of the month's allowance; false, and nothing taken, where none is left.
  ///
  /// In the transaction that makes it, so that what fails gives back what it took.
  func take(_ allowance: Allowance, of account: AccountID, in month: Timestamp, limit: Int?) throws -> Bool {
    // Not INSERT IGNORE, whose shared lock on a row that is there two creates would hold at once, and each wait
    // for the other's to go.
    _ = try queries.run(
      """
      INSERT INTO usage_months (account_id, month) VALUES (\(account), DATE(\(month)))
      ON DUPLICATE KEY UPDATE links = links
      """)
    return try queries.run(
      """
      UPDATE usage_months SET \(allowance.column) = \(allowance.column) + 1
      WHERE account_id = \(account) AND month = DATE(\(month))
        AND (\(limit) IS NULL OR \(allowance.column) < \(limit))
      """) == 1
  }
}

extension Plan {
  init(_ row: Row) throws {
    var features: Set<Feature> = []
    for (feature, column) in [
      (Feature.contacts, "has_contacts"), (.mailings, "has_mailings"), (.organizer, "has_organizer"),
      (.payments, "has_payments"),
    ] where try row[column] { features.insert(feature) }
    try self.init(
      code: row["plan_code"], name: row["plan_name"], linksPerMonth: row["links_per_month"],
      qrcodesPerMonth: row["qrcodes_per_month"], requestsPerMinute: row["requests_per_minute"],
      maxUploadBytes: row["max_upload_bytes"], storageBytes: row["storage_bytes"], features: features,
      next: row["next_plan"])
  }
}
