import HTTPTypes

/// The header fields of the API that HTTPTypes does not name.
extension HTTPField.Name {
  /// Where nginx finds the file that is to be sent.
  static let accelRedirect = named("x-accel-redirect")
  /// The API key.
  static let apiKey = named("x-api-key")
  /// Whether a type may be guessed.
  static let contentTypeOptions = named("x-content-type-options")
  /// The token that writes under the session cookie must carry.
  static let csrfToken = named("x-csrf-token")
  /// Makes a POST safe to repeat (draft-ietf-httpapi-idempotency-key-header).
  static let idempotencyKey = named("idempotency-key")
  /// Tells that an answer is a replay.
  static let idempotencyReplayed = named("idempotency-replayed")
  /// Where a caller stands (draft-ietf-httpapi-ratelimit-headers).
  static let rateLimit = named("ratelimit")
  /// What a caller may do (the same draft).
  static let rateLimitPolicy = named("ratelimit-policy")
  /// Which origins may have this in their pages (Fetch, section 3.7).
  static let resourcePolicy = named("cross-origin-resource-policy")
  /// The request's id.
  static let requestID = named("x-request-id")

  private static func named(_ name: StaticString) -> HTTPField.Name {
    guard let name = HTTPField.Name("\(name)") else { preconditionFailure("no field name: \(name)") }
    return name
  }
}
