import FLHTTP
import FLMariaDB
import FLValues

/// The identifier of an endpoint.
public typealias WebhookEndpointID = ID<WebhookEndpoint>

/// An address that an account has events sent to.
public struct WebhookEndpoint: Sendable {
  /// How many an account may have.
  static let mostPerAccount = 25

  /// Why an endpoint was disabled, where its owner did not do it.
  enum DisabledReason: String, Sendable, CaseIterable, SQLConvertible {
    /// It answered 410.
    case gone
    /// It took nothing for days.
    case failing
  }

  var id: WebhookEndpointID
  var url: String
  /// Without repeats.
  var subscriptions: [WebhookSubscription]
  var description: String?
  var isEnabled: Bool
  var disabledReason: DisabledReason?
  var failingSince: Timestamp?
  var version: Int
  var createdAt: Timestamp
  var updatedAt: Timestamp

  /// Whether it gets nothing but what tells of payments.
  var isOfPayments: Bool { !subscriptions.isEmpty && subscriptions.allSatisfy(\.isOfPayments) }

  /// Whether it is sent `event` where that happens, or is asked for.
  func wants(_ event: String) -> Bool {
    event == WebhookEvent.test
      || subscriptions.contains { $0 == .all || $0.rawValue == event }
  }

  var tag: EntityTag {
    EntityTag(version: version, state: failingSince.map { "f\($0.seconds)" } ?? "")
  }

  static let shape = Shape<WebhookEndpoint>.output("Webhook", members())

  fileprivate static func members() -> [Shape<WebhookEndpoint>.Member] {
    [
      .init("id", \.id, .id()), .init("url", \.url, .string),
      .init("events", \.subscriptions, .list(of: .oneOf(WebhookSubscription.self))),
      .init("description", \.description, .optional(.string)), .init("isEnabled", \.isEnabled, .bool),
      .init("disabledReason", \.disabledReason, reason), .init("failingSince", \.failingSince, failing),
      .init("createdAt", \.createdAt, .timestamp), .init("updatedAt", \.updatedAt, .timestamp),
    ]
  }

  private static let reason: Shape<DisabledReason?> = Shape<DisabledReason?>.optional(
    .oneOf(DisabledReason.self)
  ).described(
    "Why it was disabled: `gone` (it answered 410), `failing` (it took nothing for days). Null where you did it."
  )
  private static let failing: Shape<Timestamp?> = Shape<Timestamp?>.optional(.timestamp).described(
    "Since when it has taken nothing; null while all is well.")
}

/// An endpoint with the secret that signs what goes there, which is not shown again.
struct WebhookEndpointWithSecret: Sendable {
  let endpoint: WebhookEndpoint
  let secret: WebhookSecret

  static let shape = Shape<WebhookEndpointWithSecret>.output(
    "WebhookWithSecret",
    WebhookEndpoint.members().map { $0.lifted(from: \.endpoint) } + [
      .init(
        "secret", \.secret.text,
        Shape.string.described(
          "What signs the deliveries (Standard Webhooks 1.0); it is never shown again.",
          example: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="))
    ])
}

/// An endpoint that is to be made.
struct NewWebhookEndpoint: Sendable {
  let url: WebURL
  let subscriptions: [WebhookSubscription]
  let description: String?
  let isEnabled: Bool

  static let shape = Shape(
    NewWebhookEndpoint.init(url:subscriptions:description:isEnabled:),
    Field("url", \.url, Member.url), Field("events", \.subscriptions, Member.events),
    Field("description", \.description, Member.description),
    Field("isEnabled", \.isEnabled, Member.isEnabled)
  ).named("NewWebhook")
}

/// What is to be changed of an endpoint (a merge patch).
struct WebhookEndpointChanges: Sendable {
  let url: WebURL?
  let subscriptions: [WebhookSubscription]?
  let description: Change<String>
  let isEnabled: Bool?

  static let shape = Shape(
    WebhookEndpointChanges.init(url:subscriptions:description:isEnabled:),
    Field("url", \.url, Member.maybeURL), Field("events", \.subscriptions, Member.maybeEvents),
    Field("description", \.description, Member.descriptionChange),
    Field("isEnabled", \.isEnabled, Member.maybeIsEnabled)
  ).named("WebhookChanges")
}

/// The shapes of an endpoint's members.
private enum Member {
  static let url: Shape<WebURL> = Shape<WebURL>.webURL.described(
    "Where events go: http or https. Addresses of private networks, and the server's own but for the ports 80 and 443, are refused when it is connected to."
  )
  static let events: Shape<[WebhookSubscription]> = Shape<[WebhookSubscription]>.list(
    of: .oneOf(WebhookSubscription.self), atMost: 50, atLeast: 1
  ).described("What it wants to be told of; `*` is all there is and will be.").map(
    to: { wishes, _ in WebhookSubscription.allCases.filter { wishes.contains($0) } }, from: { $0 })
  static let description: Shape<String?> = .optional(.text(1...255))
  static let isEnabled: Shape<Bool> = Shape<Bool>.bool.defaulting(to: true)
  static let maybeURL: Shape<WebURL?> = .maybe(url)
  static let maybeEvents: Shape<[WebhookSubscription]?> = .maybe(events)
  static let descriptionChange: Shape<Change<String>> = .change(.text(1...255))
  static let maybeIsEnabled: Shape<Bool?> = .maybe(.bool)
}
