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
    case .contactCreated, .contactUpdated: Contact.shape.schema
    case .contactUnsubscribed, .contactBounced: Self.contactWithReason
    case .mailingSent: Mailing.shape.schema
    case .mailingOpened: Schema(Self.reaction).named("MailingOpened")
    case .mailingClicked:
      Schema(Self.object(Self.reaction, with: ["url": ["type": "string"]])).named("MailingClicked")
    case .linkCreated: Link.shape(baseURL: baseURL).schema
    case .linkClicked: ClickNews.shape(baseURL: baseURL).schema
    case .paymentSucceeded, .paymentFailed, .paymentRefunded, .paymentDisputed, .bookingCreated,
      .bookingConfirmed, .bookingCancelled:
      Self.object
    }
  }

  /// A contact, and why it gets no mailings any more (`Contact.told`).
  private static let contactWithReason: Schema = {
    let contact = Contact.shape.schema
    let whole = object(contact.named["Contact"], with: ["reason": ["type": "string"]])
    return Schema(whole, named: contact.named).named("ContactWithReason")
  }()

  /// What somebody did with a message of a mailing (`MailingVisits.note`).
  private static let reaction: JSON = object(
    with: [
      "mailingId": id, "subject": ["type": "string"], "contactId": id, "email": ["type": ["string", "null"]],
    ])
  private static let id: JSON = ["type": "string", "format": "uuid"]

  /// An object with these members besides those that it has; there are always all of them.
  private static func object(_ old: JSON? = nil, with members: JSONObject) -> JSON {
    var object = old?.object ?? ["type": "object", "additionalProperties": false]
    var properties = object["properties"]?.object ?? [:]
    for member in members.members { properties[member.name] = member.value }
    object["properties"] = .object(properties)
    object["required"] = .array(properties.members.map { .string($0.name) })
    return .object(object)
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
    case .mailingSent: "A mailing has finished: it is done with all of its recipients"
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
