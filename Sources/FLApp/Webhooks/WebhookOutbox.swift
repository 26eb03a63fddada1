import FLHTTP
import FLMariaDB
import FLValues

/// The event that a webhook is told of, as it is queued.
public enum WebhookEventRow {}

/// Where whatever happens is noted for webhooks, in the transaction in which it happens: a row for the event and one for
/// each endpoint that wants it. The sender delivers them.
public struct WebhookOutbox: Sendable {
  private static let (rowsAtOnce, bytesAtOnce) = (500, 4 << 20)

  /// An outbox.
  public init() {}

  /// The enabled endpoints of `account` that want `event`. They are locked against being deleted until the transaction
  /// ends: what is told of must not fail because an endpoint goes meanwhile.
  private func endpoints(wanting event: WebhookEvent, of account: AccountID, on queries: any Queries) throws
    -> [ID<WebhookEndpoint>]
  {
    try queries.rows(
      """
      SELECT DISTINCT e.id FROM webhook_subscriptions s JOIN webhook_endpoints e ON e.id = s.endpoint_id
      WHERE s.account_id = \(account) AND s.event IN (\([event.rawValue, "*"])) AND e.is_enabled
      LOCK IN SHARE MODE
      """
    ).map { try $0["id"] }
  }

  /// Notes that `event` happened once for each of `subjects`, of which `data` makes what is told; it is called only
  /// where somebody wants to know.
  /// - Throws: `DatabaseError`.
  public func tell<Subject>(
    _ event: WebhookEvent, of subjects: [Subject], account: AccountID, on queries: any Queries,
    at now: Timestamp, data: (Subject) throws -> JSON
  ) throws {
    guard !subjects.isEmpty else { return }
    let endpoints = try endpoints(wanting: event, of: account, on: queries)
    guard !endpoints.isEmpty else { return }
    // Of large ones only some are in memory at a time.
    var waiting: [Event] = []
    var bytes = 0
    for (index, subject) in subjects.enumerated() {
      // Each a microsecond behind the one before, so that they are delivered in their order.
      let happened = Event(at: now + .microseconds(index), data: try data(subject).text)
      waiting.append(happened)
      bytes += happened.data.utf8.count
      guard waiting.count == Self.rowsAtOnce || bytes > Self.bytesAtOnce else { continue }
      try insert(waiting, event, of: account, for: endpoints, on: queries, at: now)
      (waiting, bytes) = ([], 0)
    }
    try insert(waiting, event, of: account, for: endpoints, on: queries, at: now)
  }

  private struct Event {
    let at: Timestamp
    let data: String
    let id: ID<WebhookEventRow>

    init(at: Timestamp, data: String) { (self.at, self.data, id) = (at, data, ID(at: at)) }
  }

  private func insert(
    _ events: [Event], _ event: WebhookEvent, of account: AccountID, for endpoints: [ID<WebhookEndpoint>],
    on queries: any Queries, at now: Timestamp
  ) throws {
    try events.inBatches(weighing: \.data.utf8.count) { events in
      let rows = events.map { row -> SQL in "(\(row.id), \(account), \(event), \(row.data), \(now))" }
      _ = try queries.run(
        "INSERT INTO webhook_events (id, account_id, event, data, created_at) VALUES \(rows.joined(by: ", "))"
      )
      for endpoint in endpoints {
        let deliveries = events.map { row -> SQL in
          "(\(WebhookDeliveryID(at: row.at)), \(endpoint), \(row.id), \(now), \(now))"
        }
        _ = try queries.run(
          """
          INSERT INTO webhook_deliveries (id, endpoint_id, event_id, due_at, created_at)
          VALUES \(deliveries.joined(by: ", "))
          """)
      }
    }
  }

  /// Those of `accounts` that want to be told of `event`.
  /// - Throws: `DatabaseError`.
  func accounts(among accounts: [AccountID], wanting event: WebhookEvent, on queries: any Queries) throws
    -> Set<AccountID>
  {
    let rows = try queries.rows(
      """
      SELECT DISTINCT s.account_id FROM webhook_subscriptions s JOIN webhook_endpoints e ON e.id = s.endpoint_id
      WHERE s.account_id IN (\(accounts)) AND s.event IN (\([event.rawValue, "*"])) AND e.is_enabled
      """)
    return Set(try rows.map { try $0["account_id"] })
  }

  /// Notes that `event` happened.
  /// - Throws: `DatabaseError`.
  public func tell(
    _ event: WebhookEvent, account: AccountID, on queries: any Queries, at now: Timestamp,
    data: () throws -> JSON
  ) throws {
    try tell(event, of: [()], account: account, on: queries, at: now) { _ in try data() }
  }
}
