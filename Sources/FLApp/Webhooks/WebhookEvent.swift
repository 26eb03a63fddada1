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
}
