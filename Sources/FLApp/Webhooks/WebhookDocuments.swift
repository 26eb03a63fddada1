import FLHTTP

/// What the OpenAPI document says of the events that are sent.
struct WebhookDocuments {
  let baseURL: String

  var webhooks: [OpenAPI.Webhook] {
    WebhookEvent.allCases.map { webhook($0.rawValue, summary($0), data($0)) } + [
      webhook(WebhookEvent.test, "A test that was asked for", Self.object)
    ]
  }

  private func webhook(_ event: String, _ summary: String, _ data: Schema) -> OpenAPI.Webhook {
    .init(
      name: event, summary: summary, tag: "Webhooks",
      body: WebhookMessage.schema(event: ["type": "string", "const": .string(event)], data: data))
  }

  private static let object = Schema(["type": "object"])

  /// What the event tells: the thing as the API shows it, where there is a shape of it here.
  private func data(_ event: WebhookEvent) -> Schema {
    switch event {
    case .linkCreated: Link.shape(baseURL: baseURL).schema
    case .linkClicked: ClickNews.shape(baseURL: baseURL).schema
    default: Self.object
    }
  }

  private func summary(_ event: WebhookEvent) -> String {
    switch event {
    case .paymentSucceeded: "A payment has succeeded"
    case .paymentFailed: "A payment has failed"
    case .paymentRefunded: "A payment was refunded, in full or in part"
    case .paymentDisputed: "A payment is disputed"
    case .contactCreated: "A contact was made"
    case .contactUpdated: "A contact was changed"
    case .contactUnsubscribed: "A contact has unsubscribed"
    case .contactBounced: "Mail to a contact came back"
    case .mailingSent: "A message of a mailing was sent"
    case .mailingOpened: "A message of a mailing was opened"
    case .mailingClicked: "A link in a mailing was followed"
    case .bookingCreated: "A booking was made"
    case .bookingConfirmed: "A booking was confirmed"
    case .bookingCancelled: "A booking was cancelled"
    case .linkCreated: "A link was made"
    case .linkClicked: "A person followed a link"
    }
  }
}
