import FLHTTP
import FLMariaDB
import FLValues

/// Endpoints and the log of what was sent there, at two addresses: `/api/webhooks` for callers with full access,
/// `/api/payment/webhooks` for the scope `payments`.
struct WebhookRoutes {
  let database: Database
  let webhooks: WebhookService

  var routes: [Route] { [Place.all, .payments].flatMap { endpoints(at: $0) + deliveries(at: $0) } }

  /// One of the two addresses.
  private enum Place: Sendable {
    case all, payments

    var path: String { self == .all ? "/api/webhooks" : "/api/payment/webhooks" }
    var access: Access { self == .all ? .unrestricted : .scope(.payments) }

    /// The name of an operation, unique over both.
    func operation(_ name: String) -> String {
      self == .all ? name : name.replacing("Webhook", with: "PaymentWebhook")
    }

    var about: String? {
      self == .all
        ? nil
        : "The same webhooks as at `/api/webhooks`. A key that is limited to scopes has those of payment events alone."
    }
  }

  private func endpoints(at place: Place) -> [Route] {
    let (path, access) = (place.path, place.access)
    return [
      Route(
        .get, path, place.operation("listWebhooks"), access: access, tag: "Webhooks",
        summary: "List the webhooks", description: place.about, .limit, .cursor,
        reply: .list(WebhookEndpoint.shape, named: "Webhook"),
        handler: { call, limit, cursor in try list(call, limit, cursor) }),
      Route(
        .post, path, place.operation("createWebhook"), access: access, tag: "Webhooks",
        summary: "Make a webhook",
        description: """
          The answer alone holds the secret. Deliveries are signed as Standard Webhooks 1.0 has it, by `webhook-id`, \
          `webhook-timestamp` and `webhook-signature`. Only 2xx is success; redirects are not followed; what fails is \
          tried again for about three days; 410 disables.
          """, problems: [409], body: NewWebhookEndpoint.shape,
        reply: .created(WebhookEndpointWithSecret.shape, at: { "\(path)/\($0.endpoint.id)" }).tagged(
          \.endpoint.tag),
        handler: { call, new in try webhooks.create(new, owner(call), at: call.now) }),
      Route(
        .get, path + "/{id}", place.operation("getWebhook"), access: access, tag: "Webhooks",
        summary: "Read a webhook", description: place.about, .path("id", .id(), "The webhook's id."),
        reply: .ok(WebhookEndpoint.shape).tagged(\.tag),
        handler: { call, id in try find(call, id) }),
      Route(
        .patch, path + "/{id}", place.operation("updateWebhook"), access: access, tag: "Webhooks",
        summary: "Change a webhook",
        description: """
          What waits for a webhook that is disabled, or that does not want it any more, is given up. Enabling it sends \
          nothing of that by itself; redeliver what was missed.
          """, problems: [412],
        .path("id", .id(), "The webhook's id."), body: WebhookEndpointChanges.shape,
        reply: .ok(WebhookEndpoint.shape).tagged(\.tag),
        handler: { call, changes, id in
          try webhooks.update(id, changes, owner(call), if: call.preconditions, at: call.now)
        }),
      Route(
        .delete, path + "/{id}", place.operation("deleteWebhook"), access: access, tag: "Webhooks",
        summary: "Delete a webhook", description: "The log of its deliveries goes with it.", problems: [412],
        .path("id", .id(), "The webhook's id."), reply: .noContent,
        handler: { call, id in
          try webhooks.delete(id, owner(call), if: call.preconditions, at: call.now)
        }),
      Route(
        .post, path + "/{id}/rotate-secret", place.operation("rotateWebhookSecret"), access: access,
        tag: "Webhooks", summary: "Give a webhook another secret",
        description: "The one before signs along for 24 hours; of an earlier one nothing is left.",
        problems: [412], .path("id", .id(), "The webhook's id."),
        reply: .ok(WebhookEndpointWithSecret.shape).tagged(\.endpoint.tag),
        handler: { call, id in
          try webhooks.rotate(id, owner(call), if: call.preconditions, at: call.now)
        }),
      Route(
        .post, path + "/{id}/test", place.operation("testWebhook"), access: access, tag: "Webhooks",
        summary: "Send a test event",
        description: "The event is `webhook.test`. It goes out once, also where the webhook is disabled.",
        .path("id", .id(), "The webhook's id."), reply: .accepted(WebhookDelivery.shape),
        handler: { call, id in try webhooks.test(id, owner(call), at: call.now) }),
    ]
  }

  private func deliveries(at place: Place) -> [Route] {
    let (path, access) = (place.path + "/{id}/deliveries", place.access)
    return [
      Route(
        .get, path, place.operation("listWebhookDeliveries"), access: access, tag: "Webhooks",
        summary: "List a webhook's deliveries",
        description: "From the newest on. They are kept for 30 days.",
        .path("id", .id(), "The webhook's id."),
        .limit, .cursor, .query("status", Self.status, "Deliveries that have come so far."),
        reply: .list(WebhookDelivery.shape, named: "WebhookDelivery"),
        handler: { call, id, limit, cursor, status in try list(call, id, status, limit, cursor) }),
      Route(
        .get, path + "/{deliveryId}", place.operation("getWebhookDelivery"), access: access, tag: "Webhooks",
        summary: "Read a delivery and what it sends", .path("id", .id(), "The webhook's id."),
        .path("deliveryId", .id(), "The delivery's id."), reply: .ok(WebhookDeliveryWithBody.shape),
        handler: { call, id, delivery in try find(call, id, delivery) }),
      Route(
        .post, path + "/{deliveryId}/redeliver", place.operation("redeliverWebhook"), access: access,
        tag: "Webhooks", summary: "Send an event once more",
        description: """
          The same event with the same `webhook-id`, also where it was delivered before. It is tried by the whole \
          schedule anew; where the webhook is disabled, once. What is being attempted just now, or is not among the \
          webhook's events any more, is refused.
          """, problems: [409], .path("id", .id(), "The webhook's id."),
        .path("deliveryId", .id(), "The delivery's id."),
        reply: .accepted(WebhookDelivery.shape),
        handler: { call, id, delivery in
          try webhooks.redeliver(delivery, of: id, owner(call), at: call.now)
        }),
    ]
  }

  private static let status: Shape<WebhookDelivery.Status?> = .optional(.oneOf(WebhookDelivery.Status.self))

  /// Whom the call is for. At `/api/webhooks` no limited key comes this far.
  private func owner(_ call: Call) throws -> WebhookService.Owner {
    .init(account: try call.caller.account, reach: call.caller.isRestricted ? .payments : .all)
  }

  private func rows(_ call: Call) throws -> WebhookEndpointRows {
    let owner = try owner(call)
    return WebhookEndpointRows(account: owner.account, reach: owner.reach, queries: database)
  }

  func list(_ call: Call, _ limit: Int, _ cursor: Cursor?) throws -> Page<WebhookEndpoint> {
    let rows = try rows(call)
    let endpoints = try rows.list(before: cursor?.id(), limit: limit + 1)
    return try Page(endpoints, limit: limit, total: rows.count()) { Cursor(id: $0.id) }
  }

  func find(_ call: Call, _ id: WebhookEndpointID) throws -> WebhookEndpoint {
    guard let endpoint = try rows(call).find(id) else { throw Problem.notFound }
    return endpoint
  }

  private func deliveries(_ call: Call, _ id: WebhookEndpointID) throws -> WebhookDeliveryRows {
    _ = try find(call, id)
    return WebhookDeliveryRows(endpoint: id, reach: try owner(call).reach, queries: database)
  }

  func list(
    _ call: Call, _ id: WebhookEndpointID, _ status: WebhookDelivery.Status?, _ limit: Int, _ cursor: Cursor?
  ) throws -> Page<WebhookDelivery> {
    let rows = try deliveries(call, id)
    let deliveries = try rows.list(status, before: cursor?.id(), limit: limit + 1, at: call.now)
    return try Page(deliveries, limit: limit, total: rows.count(status)) { Cursor(id: $0.id) }
  }

  func find(_ call: Call, _ id: WebhookEndpointID, _ delivery: WebhookDeliveryID) throws
    -> WebhookDeliveryWithBody
  {
    let rows = try deliveries(call, id)
    guard let delivery = try rows.find(delivery, at: call.now), let message = try rows.message(of: delivery)
    else {
      throw Problem.notFound
    }
    return WebhookDeliveryWithBody(delivery: delivery, body: try JSON(reading: message.bytes))
  }
}
