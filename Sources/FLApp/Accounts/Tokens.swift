import FLCrypto
import FLHTTP
import FLValues

/// Makes and reads what shows who somebody is: JWTs, session cookies, CSRF tokens, API keys.
struct Tokens: Sendable {
  /// How long a JWT holds.
  static let jwtLifetime = Duration.seconds(900)
  /// How long a session lives that is not used.
  static let sessionLifetime = Duration.seconds(30 * 86_400)
  /// The name of the session cookie.
  static let cookieName = "fl_session"

  private let signer: JWTSigner
  private let csrfKey: [UInt8]
  private let issuer: String

  init(settings: Settings) {
    signer = JWTSigner(
      secret: settings.secret.key(for: "jwt"), previous: settings.previousSecrets.map { $0.key(for: "jwt") })
    csrfKey = settings.secret.key(for: "csrf")
    issuer = settings.baseURL
  }

  /// A JWT (RFC 7519) of `session`.
  func jwt(account: AccountID, session: SessionID, at now: Timestamp) -> String {
    let expiry = now + Self.jwtLifetime
    let claims: JSON = [
      "iss": .string(issuer), "sub": .string(account.description), "sid": .string(session.description),
      "iat": .integer(now.seconds), "exp": .integer(expiry.seconds),
    ]
    return signer.sign(claims.bytes)
  }

  /// The session that a JWT is of.
  /// - Throws: `Problem` 401 for one that is not ours, or has expired.
  func session(ofJWT token: String, at now: Timestamp) throws(Problem) -> SessionID {
    guard let bytes = try? signer.verify(token), let claims = try? JSON(reading: bytes) else {
      throw .unauthenticated("The bearer token is not valid.")
    }
    guard let expiry = claims["exp"]?.integer, let session = claims["sid"]?.string.flatMap(SessionID.init)
    else {
      throw .unauthenticated("The bearer token is not valid.")
    }
    guard now.seconds < expiry else { throw .unauthenticated("The bearer token has expired.") }
    return session
  }

  /// The token that writes under this cookie must carry.
  func csrf(cookie: String) -> String {
    Base64URL.encode(HMACSHA256.code(Array(cookie.utf8), key: csrfKey))
  }

  /// Whether `token` goes with `cookie`.
  func isCSRF(_ token: String, of cookie: String) -> Bool {
    constantTimeEqual(Array(token.utf8), Array(csrf(cookie: cookie).utf8))
  }

  /// The session cookie in a `Cookie` field (RFC 6265, section 5.4).
  static func cookie(in field: String) -> String? {
    for pair in field.split(separator: ";") {
      let trimmed = pair.drop { $0 == " " }
      if trimmed.hasPrefix(cookieName + "=") { return String(trimmed.dropFirst(cookieName.count + 1)) }
    }
    return nil
  }

  /// The `Set-Cookie` that keeps `cookie`, or with nil the one that takes it away.
  static func setCookie(_ cookie: String?, isSecure: Bool) -> String {
    let lifetime = cookie == nil ? 0 : Self.sessionLifetime.components.seconds
    return "\(cookieName)=\(cookie ?? ""); Path=/; Max-Age=\(lifetime); HttpOnly; SameSite=Lax"
      + (isSecure ? "; Secure" : "")
  }
}
