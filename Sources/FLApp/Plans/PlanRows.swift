import FLHTTP
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
  enum Counted: Sendable {
    case links, qrcodes

    fileprivate var column: SQL { self == .links ? "links" : "qrcodes" }

    /// The plan's number; nil without limit.
    func limit(of plan: Plan) -> Int? { self == .links ? plan.linksPerMonth : plan.qrcodesPerMonth }

    /// What people call it.
    var words: String { self == .links ? "links" : "QR codes" }
  }

  /// Takes one of the month's allowance, in the transaction that makes it, so that what fails gives back what it
  /// took.
  /// - Throws: `Problem` 403, and nothing taken, where none is left.
  func take(_ counted: Counted, of account: AccountID, _ plan: Plan, at now: Timestamp) throws {
    let (month, limit, column) = (now.startOfMonth, counted.limit(of: plan), counted.column)
    // Not INSERT IGNORE, whose shared lock on a row that is there two creates would hold at once, and each wait
    // for the other's to go.
    _ = try queries.run(
      """
      INSERT INTO usage_months (account_id, month) VALUES (\(account), DATE(\(month)))
      ON DUPLICATE KEY UPDATE links = links
      """)
    let isTaken =
      try queries.run(
        """
        UPDATE usage_months SET \(column) = \(column) + 1
        WHERE account_id = \(account) AND month = DATE(\(month)) AND (\(limit) IS NULL OR \(column) < \(limit))
        """) == 1
    if !isTaken { try refuseUsedUp(counted, of: account, plan, at: now) }
  }

  /// - Throws: `Problem` 403 where the plan's month is used up; a look, which reserves nothing.
  func refuseUsedUp(_ counted: Counted, of account: AccountID, _ plan: Plan, at now: Timestamp) throws {
    guard let limit = counted.limit(of: plan) else { return }
    let usage = try usage(of: account, in: now.startOfMonth)
    let used = counted == .links ? usage.links : usage.qrcodes
    guard used >= limit else { return }
    throw Problem.planLimit(
      "The plan \(plan.name) allows \(limit) \(counted.words) a month; \(used) are made.", limit: limit,
      used: used, plan: plan)
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
