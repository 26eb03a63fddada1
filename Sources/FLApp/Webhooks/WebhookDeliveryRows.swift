import FLHTTP
import FLMariaDB
import FLValues

/// Every SQL statement about the deliveries of an endpoint as its owner sees them. That the account has the endpoint
/// is for whoever calls to know.
struct WebhookDeliveryRows {
  let endpoint: WebhookEndpointID
  let reach: WebhookReach
  let queries: any Queries

  /// Rows that one statement gives up: a lock lasts for no longer.
  static let batch = 5000

  private func columns(at now: Timestamp) -> SQL {
    """
    d.id, d.event_id, ev.event, d.status, d.attempts, d.status_code, d.error, d.response, d.duration_ms,
    d.created_at, d.attempted_at, d.delivered_at,
    IF(d.status = 'pending' AND (d.leased_until IS NULL OR d.leased_until <= \(now)), GREATEST(d.due_at,
      COALESCE((SELECT e.held_until FROM webhook_endpoints e WHERE e.id = d.endpoint_id), d.due_at)), NULL)
      AS next_attempt_at
    """
  }
  private static let source: SQL = "webhook_deliveries d JOIN webhook_events ev ON ev.id = d.event_id"

  private func condition(_ status: WebhookDelivery.Status? = nil) -> SQL {
    var condition: SQL = "d.endpoint_id = \(endpoint)"
    if let status { condition = condition + " AND d.status = \(status)" }
    // An endpoint that is of payments now may have been of more before.
    if case .payments = reach {
      condition = condition + " AND (ev.event LIKE 'payment.%' OR ev.event = \(WebhookEvent.test))"
    }
    return condition
  }

  /// Deliveries from the newest on, those before `cursor`.
  func list(
    _ status: WebhookDelivery.Status?, before cursor: WebhookDeliveryID?, limit: Int, at now: Timestamp
  ) throws -> [WebhookDelivery] {
    var condition = condition(status)
    if let cursor { condition = condition + " AND d.id < \(cursor)" }
    // In their order by the index, and not sorted, however many there are.
    let index: SQL = status == nil ? "webhook_deliveries_endpoint" : "webhook_deliveries_status"
    return try queries.rows(
      """
      SELECT \(columns(at: now))
      FROM webhook_deliveries d FORCE INDEX (\(index))
      STRAIGHT_JOIN webhook_events ev ON ev.id = d.event_id
      WHERE \(condition) ORDER BY d.id DESC LIMIT \(limit)
      """
    ).map(WebhookDelivery.init)
  }

  func count(_ status: WebhookDelivery.Status?) throws -> Int {
    let source: SQL = if case .all = reach { "webhook_deliveries d" } else { Self.source }
    return try queries.row("SELECT COUNT(*) AS n FROM \(source) WHERE \(condition(status))")?["n"] ?? 0
  }

  func find(_ id: WebhookDeliveryID, at now: Timestamp) throws -> WebhookDelivery? {
    try queries.row("SELECT \(columns(at: now)) FROM \(Self.source) WHERE d.id = \(id) AND \(condition())")
      .map(WebhookDelivery.init)
  }

  /// What a delivery sends.
  func message(of delivery: WebhookDelivery) throws -> WebhookMessage? {
    try queries.row(
      "SELECT id, event, data, created_at FROM webhook_events WHERE id = \(delivery.eventID)"
    ).map(WebhookMessage.init)
  }

  /// Has an event delivered once more, from now on and by the whole schedule; false where it is in hand just now.
  func askAgain(_ id: WebhookDeliveryID, at now: Timestamp) throws -> Bool {
    try queries.run(
      """
      UPDATE webhook_deliveries SET status = 'pending', attempts_before = attempts, is_asked_for = TRUE,
        due_at = \(now), leased_until = NULL
      WHERE id = \(id) AND endpoint_id = \(endpoint) AND (leased_until IS NULL OR leased_until <= \(now))
      """) == 1
  }

  /// Queues a test for this endpoint alone.
  func insertTest(account: AccountID, data: JSON, at now: Timestamp) throws -> WebhookDeliveryID {
    let (id, event) = (WebhookDeliveryID(at: now), ID<WebhookEventRow>(at: now))
    _ = try queries.run(
      """
      INSERT INTO webhook_events (id, account_id, event, data, created_at)
      VALUES (\(event), \(account), \(WebhookEvent.test), \(data.text), \(now))
      """)
    _ = try queries.run(
      """
      INSERT INTO webhook_deliveries (id, endpoint_id, event_id, is_asked_for, due_at, created_at)
      VALUES (\(id), \(endpoint), \(event), TRUE, \(now), \(now))
      """)
    return id
  }

  /// Gives up a batch of those that wait for an endpoint that is disabled, but for what was asked for; answers how many.
  func giveUpWaiting(at now: Timestamp) throws -> Int {
    try queries.run(
      """
      UPDATE webhook_deliveries SET status = 'failed', error = \(WebhookDelivery.endpointDisabled),
        leased_until = NULL
      WHERE status = 'pending' AND endpoint_id = \(endpoint) AND NOT is_asked_for
        AND (leased_until IS NULL OR leased_until <= \(now))
      LIMIT \(Self.batch)
      """)
  }

  /// Gives up those of the batch that waits longest with events that the endpoint does not want any more; answers how many.
  func giveUpUnwanted(at now: Timestamp) throws -> Int {
    let ids: [WebhookDeliveryID] = try queries.rows(
      """
      SELECT d.id FROM (
        SELECT id, event_id, leased_until FROM webhook_deliveries FORCE INDEX (webhook_deliveries_due)
        WHERE endpoint_id = \(endpoint) AND status = 'pending' ORDER BY due_at LIMIT \(Self.batch)
      ) d JOIN webhook_events ev ON ev.id = d.event_id
      WHERE (d.leased_until IS NULL OR d.leased_until <= \(now)) AND ev.event <> \(WebhookEvent.test)
        AND NOT EXISTS (SELECT 1 FROM webhook_subscriptions s WHERE s.account_id = ev.account_id
          AND s.event IN (ev.event, '*') AND s.endpoint_id = \(endpoint))
      """
    ).map { try $0["id"] }
    guard !ids.isEmpty else { return 0 }
    return try queries.run(
      """
      UPDATE webhook_deliveries SET status = 'failed', error = \(WebhookDelivery.unwanted), leased_until = NULL
      WHERE id IN (\(ids)) AND status = 'pending' AND (leased_until IS NULL OR leased_until <= \(now))
      """)
  }
}

extension WebhookDelivery {
  /// The error of those that waited when their endpoint was disabled.
  static let endpointDisabled = "The endpoint is disabled."
  /// The error of those that waited when their endpoint stopped wanting their event.
  static let unwanted = "The endpoint does not want this event any more."

  init(_ row: Row) throws {
    try self.init(
      id: row["id"], eventID: row["event_id"], event: row["event"], status: row["status"],
      attempts: row["attempts"], statusCode: row["status_code"], error: row["error"],
      response: row["response"], durationMilliseconds: row["duration_ms"], createdAt: row["created_at"],
      attemptedAt: row["attempted_at"], deliveredAt: row["delivered_at"],
      nextAttemptAt: row["next_attempt_at"])
  }
}

extension WebhookMessage {
  init(_ row: Row) throws {
    try self.init(id: row["id"], event: row["event"], happenedAt: row["created_at"], data: row["data"])
  }
}
