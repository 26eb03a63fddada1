import FLMariaDB
import FLValues

/// What of an account's webhooks a caller may see and touch.
enum WebhookReach: Sendable {
  /// All of them.
  case all
  /// Those that tell of nothing but payments: they bring a key that is limited to those nothing else.
  case payments
}

/// Every SQL statement about endpoints as their owner sees them.
struct WebhookEndpointRows {
  let account: AccountID
  let reach: WebhookReach
  let queries: any Queries

  private static let columns: SQL = """
    e.id, e.url, e.description, e.is_enabled, e.disabled_reason, e.failing_since, e.version, e.created_at,
    e.updated_at, (SELECT GROUP_CONCAT(s.event) FROM webhook_subscriptions s WHERE s.endpoint_id = e.id) AS events
    """

  private var condition: SQL {
    switch reach {
    case .all: "e.account_id = \(account) AND e.deleted_at IS NULL"
    case .payments:
      """
      e.account_id = \(account) AND e.deleted_at IS NULL AND NOT EXISTS
        (SELECT 1 FROM webhook_subscriptions s WHERE s.endpoint_id = e.id AND s.event NOT LIKE 'payment.%')
        AND EXISTS (SELECT 1 FROM webhook_subscriptions s WHERE s.endpoint_id = e.id)
      """
    }
  }

  func find(_ id: WebhookEndpointID) throws -> WebhookEndpoint? {
    try queries.row(
      "SELECT \(Self.columns) FROM webhook_endpoints e WHERE e.id = \(id) AND \(condition)"
    ).map(WebhookEndpoint.init)
  }

  /// The same, and nobody else changes it before the transaction's end.
  func lock(_ id: WebhookEndpointID) throws -> WebhookEndpoint? {
    let row = try queries.row(
      "SELECT id FROM webhook_endpoints WHERE id = \(id) AND account_id = \(account) FOR UPDATE")
    return row == nil ? nil : try find(id)
  }

  func count() throws -> Int {
    try queries.row("SELECT COUNT(*) AS n FROM webhook_endpoints e WHERE \(condition)")?["n"] ?? 0
  }

  /// Endpoints from the newest on, those before `cursor`.
  func list(before cursor: WebhookEndpointID?, limit: Int) throws -> [WebhookEndpoint] {
    try queries.rows(
      """
      SELECT \(Self.columns) FROM webhook_endpoints e
      WHERE \(condition) AND (\(cursor) IS NULL OR e.id < \(cursor)) ORDER BY e.id DESC LIMIT \(limit)
      """
    ).map(WebhookEndpoint.init)
  }

  /// Makes an endpoint, in a transaction; false, and nothing made, where the account has as many as it may have. Its
  /// row is locked first, so that parallel requests can't pass the limit together.
  func insert(_ endpoint: WebhookEndpoint, secret: [UInt8]) throws -> Bool {
    _ = try queries.rows("SELECT id FROM accounts WHERE id = \(account) FOR UPDATE")
    let made = try queries.run(
      """
      INSERT INTO webhook_endpoints (id, account_id, url, description, is_enabled, secret, created_at, updated_at)
      SELECT \(endpoint.id), \(account), \(endpoint.url), \(endpoint.description), \(endpoint.isEnabled), \(secret),
        \(endpoint.createdAt), \(endpoint.updatedAt) FROM DUAL
      WHERE (SELECT COUNT(*) FROM webhook_endpoints e WHERE e.account_id = \(account) AND e.deleted_at IS NULL)
        < \(WebhookEndpoint.mostPerAccount)
      """)
    guard made == 1 else { return false }
    try subscribe(endpoint)
    return true
  }

  private func subscribe(_ endpoint: WebhookEndpoint) throws {
    let rows = endpoint.subscriptions.map { "(\(account), \($0.rawValue), \(endpoint.id))" as SQL }
    _ = try queries.run(
      "INSERT INTO webhook_subscriptions (account_id, event, endpoint_id) VALUES \(rows.joined(by: ", "))")
  }

  /// Writes what its owner can change. `isFresh` forgets how it did lately.
  func update(_ endpoint: WebhookEndpoint, isFresh: Bool, at now: Timestamp) throws {
    let fresh: SQL =
      isFresh
      ? ", failing_since = NULL, failures = 0, held_until = NULL, is_slow = FALSE, doubted_at = NULL" : ""
    _ = try queries.run(
      """
      UPDATE webhook_endpoints SET url = \(endpoint.url), description = \(endpoint.description),
        is_enabled = \(endpoint.isEnabled), disabled_reason = \(endpoint.disabledReason), version = version + 1,
        updated_at = \(now)\(fresh)
      WHERE id = \(endpoint.id) AND account_id = \(account)
      """)
  }

  /// Replaces the events that a locked endpoint wants.
  func resubscribe(_ endpoint: WebhookEndpoint) throws {
    try unsubscribe(endpoint.id)
    try subscribe(endpoint)
  }

  private func unsubscribe(_ id: WebhookEndpointID) throws {
    _ = try queries.run(
      "DELETE FROM webhook_subscriptions WHERE endpoint_id = \(id) AND account_id = \(account)")
  }

  /// Gives a locked endpoint another secret; the one before signs along until `end`.
  func rotate(_ id: WebhookEndpointID, to secret: [UInt8], until end: Timestamp, at now: Timestamp) throws {
    _ = try queries.run(
      """
      UPDATE webhook_endpoints SET previous_secret = secret, previous_secret_until = \(end), secret = \(secret),
        version = version + 1, updated_at = \(now)
      WHERE id = \(id) AND account_id = \(account)
      """)
  }

  /// Lets a locked endpoint that asked to be left alone be tried all the same.
  func release(_ id: WebhookEndpointID) throws {
    _ = try queries.run(
      """
      UPDATE webhook_endpoints SET held_until = NULL
      WHERE id = \(id) AND account_id = \(account) AND held_until IS NOT NULL
      """)
  }

  /// Marks a locked endpoint as deleted: nobody sees it any more, and it gets nothing.
  func delete(_ id: WebhookEndpointID, at now: Timestamp) throws {
    try unsubscribe(id)
    _ = try queries.run(
      """
      UPDATE webhook_endpoints SET is_enabled = FALSE, deleted_at = \(now)
      WHERE id = \(id) AND account_id = \(account)
      """)
    // One that never had anything to deliver leaves nothing.
    _ = try queries.run(
      """
      DELETE FROM webhook_endpoints WHERE id = \(id) AND account_id = \(account)
        AND NOT EXISTS (SELECT 1 FROM webhook_deliveries d WHERE d.endpoint_id = \(id))
      """)
  }
}

extension WebhookEndpoint {
  init(_ row: Row) throws {
    // One that this version does not know is passed over.
    let names = Set((try row["events"] as String? ?? "").split(separator: ",").map(String.init))
    try self.init(
      id: row["id"], url: row["url"],
      subscriptions: WebhookSubscription.allCases.filter { names.contains($0.rawValue) },
      description: row["description"], isEnabled: row["is_enabled"], disabledReason: row["disabled_reason"],
      failingSince: row["failing_since"], version: row["version"], createdAt: row["created_at"],
      updatedAt: row["updated_at"])
  }
}
