import FLValues

/// An address that an account has events sent to.
public struct WebhookEndpoint: Sendable {}

/// One event on its way to one endpoint, or there.
public struct WebhookDelivery: Sendable {}
