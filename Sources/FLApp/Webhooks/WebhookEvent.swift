import FLHTTP
import FLMariaDB
import FLValues

/// What webhooks are told of.
public enum WebhookEvent: String, Sendable, CaseIterable, SQLConvertible {
  case paymentSucceeded = "payment.succeeded"
  case paymentFailed = "payment.failed"
  case paymentRefunded = "payment.refunded"
  case paymentDisputed = "payment.disputed"
  case contactCreated = "contact.created"
  case contactUpdated = "contact.updated"
  case contactUnsubscribed = "contact.unsubscribed"
  case contactBounced = "contact.bounced"
  case mailingSent = "mailing.sent"
  case mailingOpened = "mailing.opened"
  case mailingClicked = "mailing.clicked"
  case bookingCreated = "booking.created"
  case bookingConfirmed = "booking.confirmed"
  case bookingCancelled = "booking.cancelled"
  case linkCreated = "link.created"
  case linkClicked = "link.clicked"

  /// The event that a test is; nobody subscribes to it.
  static let test = "webhook.test"

  /// Whether it tells of nothing but payments.
  var isOfPayments: Bool { rawValue.hasPrefix("payment.") }
}

/// Which events an endpoint wants.
enum WebhookSubscription: Hashable, Sendable {
  /// All, also those of later versions.
  case all
  case event(WebhookEvent)

  /// Whether it brings nothing but payments.
  var isOfPayments: Bool { if case .event(let event) = self { event.isOfPayments } else { false } }
}

extension WebhookSubscription: RawRepresentable, CaseIterable {
  static let allCases = [WebhookSubscription.all] + WebhookEvent.allCases.map { .event($0) }

  init?(rawValue: String) {
    guard rawValue != "*" else {
      self = .all
      return
    }
    guard let event = WebhookEvent(rawValue: rawValue) else { return nil }
    self = .event(event)
  }

  var rawValue: String { if case .event(let event) = self { event.rawValue } else { "*" } }
}
