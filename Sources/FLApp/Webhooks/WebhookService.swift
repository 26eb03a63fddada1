import FLHTTP
import FLMariaDB
import FLValues

/// The rules of endpoints: how many there are, what a limited key may have, what becomes of what waits.
struct WebhookService: Sendable {
  let database: Database
  let secrets: WebhookSecrets

  /// Who asks, and how far that reaches.
  struct Owner: Sendable {
    let account: AccountID
    let reach: WebhookReach
  }

  private func rows(_ owner: Owner, _ queries: any Queries) -> WebhookEndpointRows {
    WebhookEndpointRows(account: owner.account, reach: owner.reach, queries: queries)
  }

  /// - Throws: `Problem` 403 where `owner` may be told of payments alone, and these are more.
  private func check(_ subscriptions: [WebhookSubscription], _ owner: Owner) throws(Problem) {
    guard case .payments = owner.reach, !subscriptions.allSatisfy(\.isOfPayments) else { return }
    throw .restricted("A key that is limited to scopes can have payment events sent, and no others.")
  }

  /// Makes an endpoint.
  /// - Throws: `Problem` 403, or 409 where the account has as many as it may have.
  func create(_ new: NewWebhookEndpoint, _ owner: Owner, at now: Timestamp) throws
    -> WebhookEndpointWithSecret
  {
    try check(new.subscriptions, owner)
    let secret = WebhookSecret.random()
    let endpoint = WebhookEndpoint(
      id: WebhookEndpointID(at: now), url: new.url.text, subscriptions: new.subscriptions,
      description: new.description, isEnabled: new.isEnabled, disabledReason: nil, failingSince: nil,
      version: 1, createdAt: now, updatedAt: now)
    let isMade = try database.transaction { connection in
      try rows(owner, connection).insert(endpoint, secret: secrets.seal(secret, of: endpoint.id))
    }
    guard isMade else {
      throw Problem.conflict(
        "An account may have \(WebhookEndpoint.mostPerAccount) webhooks. Delete one to make another.")
    }
    return WebhookEndpointWithSecret(endpoint: endpoint, secret: secret)
  }

  /// Changes an endpoint. Another address, and being enabled, is a new beginning: what failed before counts no more.
  /// What waits for a disabled endpoint, or for one that does not want it any more, is given up: a batch of it at once,
  /// the rest as its turn comes, and all of it before the endpoint is enabled.
  /// - Throws: `Problem` 403, 404, or 412 where `preconditions` name another version.
  func update(
    _ id: WebhookEndpointID, _ changes: WebhookEndpointChanges, _ owner: Owner,
    if preconditions: Preconditions, at now: Timestamp
  ) throws -> WebhookEndpoint {
    if let subscriptions = changes.subscriptions { try check(subscriptions, owner) }
    if changes.isEnabled == true { try giveUpBacklog(id, owner, preconditions, at: now) }
    let (old, new) = try locked(id, owner, preconditions) { rows, old in
      var endpoint = old
      endpoint.url = changes.url?.text ?? old.url
      endpoint.subscriptions = changes.subscriptions ?? old.subscriptions
      endpoint.description = changes.description.applied(to: old.description)
      if let isEnabled = changes.isEnabled, isEnabled != old.isEnabled {
        endpoint.isEnabled = isEnabled
        endpoint.disabledReason = nil
      }
      let isFresh = endpoint.url != old.url || (endpoint.isEnabled && !old.isEnabled)
      try rows.update(endpoint, isFresh: isFresh, at: now)
      if endpoint.subscriptions != old.subscriptions { try rows.resubscribe(endpoint) }
      guard let new = try rows.find(id) else { throw Problem.notFound }
      return (old, new)
    }
    let deliveries = WebhookDeliveryRows(endpoint: id, reach: .all, queries: database)
    if old.isEnabled && !new.isEnabled { _ = try deliveries.giveUpWaiting(at: now) }
    let isNarrower =
      !new.subscriptions.contains(.all) && !Set(old.subscriptions).isSubset(of: new.subscriptions)
    if isNarrower { _ = try deliveries.giveUpUnwanted(at: now) }
    return new
  }

  /// Gives up all that waits for an endpoint that is still disabled, for which nothing more is queued.
  private func giveUpBacklog(
    _ id: WebhookEndpointID, _ owner: Owner, _ preconditions: Preconditions, at now: Timestamp
  ) throws {
    var isLeft = true
    while isLeft {
      isLeft = try locked(id, owner, preconditions) { rows, endpoint in
        guard !endpoint.isEnabled else { return false }
        let deliveries = WebhookDeliveryRows(endpoint: id, reach: .all, queries: rows.queries)
        return try deliveries.giveUpWaiting(at: now) == WebhookDeliveryRows.batch
      }
    }
  }

  /// Takes an endpoint away. The log of its deliveries, of which there may be many, goes with the sender's purge.
  /// - Throws: `Problem` 404 or 412.
  func delete(_ id: WebhookEndpointID, _ owner: Owner, if preconditions: Preconditions, at now: Timestamp)
    throws
  {
    try locked(id, owner, preconditions) { rows, _ in try rows.delete(id, at: now) }
  }

  /// Gives an endpoint another secret.
  /// - Throws: `Problem` 404 or 412.
  func rotate(_ id: WebhookEndpointID, _ owner: Owner, if preconditions: Preconditions, at now: Timestamp)
    throws -> WebhookEndpointWithSecret
  {
    let secret = WebhookSecret.random()
    return try locked(id, owner, preconditions) { rows, _ in
      try rows.rotate(
        id, to: secrets.seal(secret, of: id), until: now + WebhookSecret.overlap, at: now)
      guard let new = try rows.find(id) else { throw Problem.notFound }
      return WebhookEndpointWithSecret(endpoint: new, secret: secret)
    }
  }

  /// Queues a test.
  /// - Throws: `Problem` 404.
  func test(_ id: WebhookEndpointID, _ owner: Owner, at now: Timestamp) throws -> WebhookDelivery {
    try locked(id, owner) { endpoints, _ in
      try endpoints.release(id)
      let rows = WebhookDeliveryRows(endpoint: id, reach: owner.reach, queries: endpoints.queries)
      let data: JSON = ["webhookId": .string(id.description), "message": "This is a test."]
      let delivery = try rows.insertTest(account: owner.account, data: data, at: now)
      guard let made = try rows.find(delivery, at: now) else { throw Problem.notFound }
      return made
    }
  }

  /// Has an event delivered once more.
  /// - Throws: `Problem` 404, or 409 where it is being sent just now, or the endpoint does not want it any more.
  func redeliver(_ delivery: WebhookDeliveryID, of id: WebhookEndpointID, _ owner: Owner, at now: Timestamp)
    throws -> WebhookDelivery
  {
    try locked(id, owner) { endpoints, endpoint in
      let rows = WebhookDeliveryRows(endpoint: id, reach: owner.reach, queries: endpoints.queries)
      guard let found = try rows.find(delivery, at: now) else { throw Problem.notFound }
      guard endpoint.wants(found.event) else {
        throw Problem.conflict("The webhook does not want this event any more: add it to its events first.")
      }
      guard try rows.askAgain(delivery, at: now) else {
        throw Problem.conflict("This delivery is being attempted just now.")
      }
      try endpoints.release(id)
      guard let queued = try rows.find(delivery, at: now) else { throw Problem.notFound }
      return queued
    }
  }

  private func locked<Result>(
    _ id: WebhookEndpointID, _ owner: Owner, _ preconditions: Preconditions? = nil,
    _ body: (WebhookEndpointRows, WebhookEndpoint) throws -> Result
  ) throws -> Result {
    try database.transaction { connection in
      let rows = rows(owner, connection)
      guard let endpoint = try rows.lock(id) else { throw Problem.notFound }
      try preconditions?.check(endpoint.tag)
      return try body(rows, endpoint)
    }
  }
}
