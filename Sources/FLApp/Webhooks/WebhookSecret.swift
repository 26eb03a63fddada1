import FLCrypto
import FLValues

/// The secret of an endpoint: it signs what goes there, as Standard Webhooks 1.0 has it.
struct WebhookSecret: Sendable {
  /// 32 random bytes.
  let bytes: [UInt8]

  /// As its owner gets it: `whsec_` and the bytes in base64.
  var text: String { "whsec_" + Base64.encode(bytes) }

  /// A new secret.
  static func random() -> WebhookSecret { WebhookSecret(bytes: SecureRandom.bytes(32)) }

  /// How long the secret before signs along after a rotation.
  static let overlap = Duration.seconds(86_400)

  /// The signature of a message: `v1,` and the HMAC of id, time and body with dots between.
  func signature(of id: String, at time: Timestamp, body: [UInt8]) -> String {
    "v1," + Base64.encode(HMACSHA256.code(Array("\(id).\(time.seconds).".utf8) + body, key: bytes))
  }
}

/// Seals the secrets of endpoints for the database, each for its endpoint alone.
struct WebhookSecrets: Sendable {
  private let sealer: Sealer

  init(settings: Settings) {
    sealer = Sealer(
      key: settings.secret.key(for: "webhooks"),
      previous: settings.previousSecrets.map { $0.key(for: "webhooks") })
  }

  func seal(_ secret: WebhookSecret, of endpoint: WebhookEndpointID) -> [UInt8] {
    sealer.seal(secret.bytes, context: context(endpoint))
  }

  /// The secret; nil where it was sealed under another installation's.
  func open(_ sealed: [UInt8], of endpoint: WebhookEndpointID) -> WebhookSecret? {
    (try? sealer.open(sealed, context: context(endpoint))).map(WebhookSecret.init)
  }

  private func context(_ endpoint: WebhookEndpointID) -> String { "webhook.secret:\(endpoint)" }
}
