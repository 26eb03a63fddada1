import FLHTTP
public import FLMariaDB
public import FLValues

/// The queue of deliveries as the sender works on it: whose turn it is, one attempt at a time, and what came of it.
///
/// Any number of senders may work at once. A delivery that is taken has a lease: where its sender dies it is tried
/// again after that, so that a receiver may see it twice, and tells by the `webhook-id`.
public struct WebhookQueue: Sendable {
  /// How long an attempt may take before another sender makes it: longer than its time limit.
  public static let lease = Duration.seconds(60)
  /// How many attempts at an endpoint run at once.
  public static let inFlight = 2

  private let database: Database
  private let secrets: WebhookSecrets
  private let mail: MailOutbox

  /// The queue in `database`.
  public init(settings: Settings, database: Database) {
    self.database = database
    secrets = WebhookSecrets(settings: settings)
    mail = MailOutbox(settings: settings)
  }

  /// An endpoint that something waits for.
  public struct Turn: Sendable {
    /// The endpoint.
    public let endpoint: WebhookEndpointID
    /// Its account.
    public let account: AccountID
    /// It was slow or failed the last time: others are not to wait behind it.
    public let isDoubtful: Bool
  }

  /// The endpoints for which something is due: the healthy ones first, by age, then those in doubt, by when they were
  /// tried last. It costs one step in an index for each endpoint, however much waits for it. (A grouped minimum does
  /// too, but MariaDB reads all that waits from the second run of the prepared statement on.)
  /// - Throws: `DatabaseError`.
  public func turns(at now: Timestamp) throws -> [Turn] { try Self.turns(at: now, on: database) }

  static func turns(at now: Timestamp, on queries: some Queries) throws -> [Turn] {
    try queries.rows(
      """
      SELECT e.id, e.account_id, e.is_slow OR e.failing_since IS NOT NULL AS is_doubtful,
        (SELECT d.due_at FROM webhook_deliveries d FORCE INDEX (webhook_deliveries_due)
          WHERE d.endpoint_id = e.id AND d.status = 'pending' ORDER BY d.due_at LIMIT 1) AS due_at
      FROM webhook_endpoints e WHERE e.deleted_at IS NULL AND (e.held_until IS NULL OR e.held_until <= \(now))
      HAVING due_at <= \(now) ORDER BY is_doubtful, e.doubted_at, due_at LIMIT 10000
      """
    ).map {
      try Turn(endpoint: $0["id"], account: $0["account_id"], isDoubtful: $0["is_doubtful"])
    }
  }

  /// Takes the oldest delivery that is due for an endpoint; nil where there is none, enough is under way, or it wants to
  /// be left alone. What it does not want, or would get although it is disabled, is given up, a batch at a time.
  /// - Throws: `DatabaseError`.
  public func claim(for endpoint: WebhookEndpointID, at now: Timestamp) throws -> WebhookAttempt? {
    try database.transaction { try claim(for: endpoint, on: $0, at: now) }
  }

  func claim(for id: WebhookEndpointID, on queries: some Queries, at now: Timestamp) throws -> WebhookAttempt?
  {
    let flying: Int =
      try queries.row(
        "SELECT COUNT(*) AS n FROM webhook_deliveries WHERE endpoint_id = \(id) AND leased_until > \(now)")?[
        "n"]
      ?? 0
    guard flying < Self.inFlight,
      let taken = try queries.row(
        """
        SELECT id, event_id, attempts, attempts_before, is_asked_for FROM webhook_deliveries
        WHERE status = 'pending' AND endpoint_id = \(id) AND due_at <= \(now)
        ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
        """),
      let endpoint = try queries.row(
        """
        SELECT account_id, url, secret, IF(previous_secret_until > \(now), previous_secret, NULL) AS previous,
          is_enabled, COALESCE(held_until > \(now), FALSE) AS is_held
        FROM webhook_endpoints WHERE id = \(id) AND deleted_at IS NULL
        """)
    else { return nil }
    let isAskedFor: Bool = try taken["is_asked_for"]
    let waiting = WebhookDeliveryRows(endpoint: id, reach: .all, queries: queries)
    guard try endpoint["is_enabled"] || isAskedFor else {
      _ = try waiting.giveUpWaiting(at: now)
      return nil
    }
    guard try !endpoint["is_held"] || isAskedFor else { return nil }
    let (delivery, event): (WebhookDeliveryID, ID<WebhookEventRow>) = (try taken["id"], try taken["event_id"])
    guard
      let message = try queries.row(
        "SELECT id, event, data, created_at FROM webhook_events WHERE id = \(event)"
      ).map(WebhookMessage.init)
    else { return nil }
    let account: AccountID = try endpoint["account_id"]
    // An endpoint that was narrowed gets nothing that waited from before.
    guard
      try message.event == WebhookEvent.test
        || wants(message.event, endpoint: id, account: account, on: queries)
    else {
      _ = try waiting.giveUpUnwanted(at: now)
      return nil
    }
    let lease = now + Self.lease
    _ = try queries.run(
      """
      UPDATE webhook_deliveries SET leased_until = \(lease), due_at = \(lease), attempted_at = \(now),
        attempts = attempts + 1
      WHERE id = \(delivery)
      """)
    let sealed: [[UInt8]?] = [try endpoint["secret"], try endpoint["previous"]]
    let attempts: Int = try taken["attempts"]
    return try WebhookAttempt(
      delivery: delivery, endpoint: id, account: account, url: endpoint["url"],
      event: message.event, eventID: event, body: message.bytes,
      number: attempts + 1 - taken["attempts_before"],
      lease: lease,
      secrets: sealed.compactMap { $0.flatMap { secrets.open($0, of: id) } })
  }

  /// Notes what came of an attempt: delivered, due again, or given up; and how the endpoint does. `jitter` is from 0
  /// to 1.
  /// - Throws: `DatabaseError`; the attempt is then made again when its lease ends.
  public func settle(_ attempt: WebhookAttempt, _ outcome: WebhookOutcome, at now: Timestamp, jitter: Double)
    throws
  {
    try database.transaction { connection in
      if outcome.isSuccess {
        try noteSuccess(of: attempt, outcome, on: connection, at: now)
      } else {
        try noteFailure(of: attempt, outcome, on: connection, at: now, jitter: jitter)
      }
    }
  }

  private func noteSuccess(
    of attempt: WebhookAttempt, _ outcome: WebhookOutcome, on queries: some Queries, at now: Timestamp
  ) throws {
    // The endpoint goes before the delivery, here as where it is disabled: no two wait for each other.
    // It is looked at without a lock: where all was well, a success waits for nobody who has the endpoint in hand.
    let wasInDoubt =
      try queries.row(
        """
        SELECT 1 FROM webhook_endpoints WHERE id = \(attempt.endpoint) AND (is_slow OR failing_since IS NOT NULL)
        """) != nil
    if wasInDoubt || outcome.isSlow {
      // It is left alone for as long as it has asked for, by another attempt, all the same.
      let doubtedAt = outcome.isSlow ? now : nil
      _ = try queries.run(
        """
        UPDATE webhook_endpoints SET failing_since = NULL, failures = 0, is_slow = \(outcome.isSlow),
          doubted_at = \(doubtedAt)
        WHERE id = \(attempt.endpoint)
        """)
    }
    // Also where the lease is another sender's by now: it has arrived, and what that one finds does not count.
    _ = try queries.run(
      """
      UPDATE webhook_deliveries SET status = 'delivered', delivered_at = \(now), leased_until = NULL,
        status_code = \(outcome.statusCode), error = NULL, response = \(outcome.responseText),
        duration_ms = \(outcome.milliseconds), is_asked_for = FALSE
      WHERE id = \(attempt.delivery) AND status = 'pending'
      """)
  }

  private func noteFailure(
    of attempt: WebhookAttempt, _ outcome: WebhookOutcome, on queries: some Queries, at now: Timestamp,
    jitter: Double
  ) throws {
    let isGoingOn = try noteFailure(of: attempt.endpoint, outcome, on: queries, at: now)
    var next: Timestamp?
    if isGoingOn, attempt.event != WebhookEvent.test,
      try wants(attempt.event, endpoint: attempt.endpoint, account: attempt.account, on: queries)
    {
      next = WebhookRetries.delay(after: attempt.number, jitter: jitter, retryAfter: outcome.retryAfter)
        .map { now + $0 }
    }
    _ = try queries.run(
      """
      UPDATE webhook_deliveries SET status = \(next == nil ? WebhookDelivery.Status.failed : .pending),
        due_at = \(next ?? now), leased_until = NULL, status_code = \(outcome.statusCode),
        error = \(outcome.error), response = \(outcome.responseText), duration_ms = \(outcome.milliseconds),
        is_asked_for = FALSE
      WHERE id = \(attempt.delivery) AND leased_until = \(attempt.lease) AND status = 'pending'
      """)
  }

  /// Notes a failure with the endpoint; false where it is disabled, by this or before.
  private func noteFailure(
    of id: WebhookEndpointID, _ outcome: WebhookOutcome, on queries: some Queries, at now: Timestamp
  ) throws -> Bool {
    let hold = WebhookRetries.hold(outcome).map { now + $0 }
    _ = try queries.run(
      """
      UPDATE webhook_endpoints SET failing_since = COALESCE(failing_since, \(now)), failures = failures + 1,
        is_slow = \(outcome.isSlow), doubted_at = \(now), held_until = COALESCE(\(hold), held_until)
      WHERE id = \(id)
      """)
    guard
      let endpoint = try queries.row(
        "SELECT is_enabled, failures, failing_since FROM webhook_endpoints WHERE id = \(id)"),
      try endpoint["is_enabled"]
    else { return false }
    if outcome.isGone {
      try disable(id, because: .gone, on: queries, at: now)
      return false
    }
    if try WebhookRetries.isHopeless(
      failures: endpoint["failures"], since: endpoint["failing_since"], at: now)
    {
      try disable(id, because: .failing, on: queries, at: now)
      return false
    }
    return true
  }

  /// Whether a failed delivery is to be tried again: a test is not, nor what its endpoint has stopped to want.
  private func wants(
    _ event: String, endpoint: WebhookEndpointID, account: AccountID, on queries: some Queries
  ) throws -> Bool {
    try queries.row(
      """
      SELECT 1 FROM webhook_subscriptions WHERE account_id = \(account)
        AND event IN (\([event, "*"])) AND endpoint_id = \(endpoint) LIMIT 1
      """) != nil
  }

  /// Disables an endpoint, gives up what waits for it, and tells its owner by mail.
  private func disable(
    _ id: WebhookEndpointID, because reason: WebhookEndpoint.DisabledReason, on queries: some Queries,
    at now: Timestamp
  ) throws {
    let isDisabled =
      try queries.run(
        """
        UPDATE webhook_endpoints SET is_enabled = FALSE, disabled_reason = \(reason), version = version + 1,
          updated_at = \(now)
        WHERE id = \(id) AND is_enabled
        """) == 1
    guard isDisabled,
      let row = try queries.row(
        """
        SELECT e.url, e.failing_since, a.email_key FROM webhook_endpoints e JOIN accounts a ON a.id = e.account_id
        WHERE e.id = \(id)
        """)
    else { return }
    // What is left is given up as its turn comes.
    _ = try WebhookDeliveryRows(endpoint: id, reach: .all, queries: queries).giveUpWaiting(at: now)
    let since: Timestamp? = try row["failing_since"]
    let why =
      switch reason {
      case .gone: "It answered 410 (Gone), which says that it wants nothing more."
      case .failing:
        "It has taken nothing since \(since ?? now), through \(WebhookRetries.attempts) attempts or more."
      }
    try mail.queue(
      toAccountWithEmailKey: row["email_key"], subject: "A webhook was disabled",
      body: """
        Events are not sent any more to your webhook

            \(try row["url"] as String)

        \(why)

        What waited for it was given up. When it works again, enable it:

            PATCH /api/webhooks/\(id) {"isEnabled": true}

        and redeliver what was missed, which its deliveries show.

        """,
      on: queries, at: now)
  }

  /// Takes away deleted endpoints with the log of their deliveries, and events of more than 30 days with theirs, a
  /// bounded part of either. What waits for an endpoint that is there stays.
  func purge(at now: Timestamp) throws {
    try purgeDeleted(steps: 100, limit: 1000)
    for _ in 0..<20 where try Self.purge(limit: 1000, on: database, at: now) < 1000 { break }
  }

  private func purgeDeleted(steps: Int, limit: Int) throws {
    let deleted: [WebhookEndpointID] = try database.rows(
      "SELECT id FROM webhook_endpoints WHERE deleted_at IS NOT NULL ORDER BY deleted_at LIMIT \(steps)"
    ).map { try $0["id"] }
    var left = steps
    for id in deleted {
      var taken = limit
      while taken == limit {
        guard left > 0 else { return }
        left -= 1
        taken = try database.run("DELETE FROM webhook_deliveries WHERE endpoint_id = \(id) LIMIT \(limit)")
      }
      _ = try database.run("DELETE FROM webhook_endpoints WHERE id = \(id) AND deleted_at IS NOT NULL")
    }
  }

  static func purge(limit: Int, on queries: some Queries, at now: Timestamp) throws -> Int {
    let end = now - .seconds(30 * 86_400)
    // Identifiers sort by their time: the lowest one of that millisecond.
    let first = ID<WebhookEventRow>(high: UInt64(max(0, end.microseconds / 1000)) << 16, low: 0)
    return try queries.run(
      """
      DELETE FROM webhook_events WHERE id < \(first) AND NOT EXISTS
        (SELECT 1 FROM webhook_deliveries d WHERE d.event_id = webhook_events.id AND d.status = 'pending')
      ORDER BY id LIMIT \(limit)
      """)
  }
}

/// One attempt at a delivery, which its sender has in hand.
public struct WebhookAttempt: Sendable {
  /// The delivery.
  public let delivery: WebhookDeliveryID
  /// Where it goes.
  public let endpoint: WebhookEndpointID
  /// Whose it is.
  public let account: AccountID
  /// The endpoint's address, as its owner wrote it.
  let url: String
  let event: String
  let eventID: ID<WebhookEventRow>
  /// What is sent, JSON.
  public let body: [UInt8]
  /// Counted from 1, since it was asked for.
  let number: Int
  let lease: Timestamp
  /// The secret, and the one before while that signs along; none where they can't be opened.
  let secrets: [WebhookSecret]

  /// The address in ASCII, as it is connected to; nil where it is none.
  public var address: String? { WebURL(url)?.location() }

  /// The header fields of an attempt at `now`; nil where its secret can't be opened.
  public func headers(at now: Timestamp) -> [(name: String, value: String)]? {
    guard !secrets.isEmpty else { return nil }
    let signatures = secrets.map { $0.signature(of: eventID.description, at: now, body: body) }
    return [
      ("Content-Type", "application/json"), ("webhook-id", eventID.description),
      ("webhook-timestamp", String(now.seconds)), ("webhook-signature", signatures.joined(separator: " ")),
    ]
  }
}
