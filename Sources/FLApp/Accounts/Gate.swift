import FLCrypto
import FLHTTP
import FLMariaDB
import FLValues
import HTTPTypes

/// Finds out who makes a request. What is revoked is revoked from the next request on, in every process and on every
/// host: sessions are looked up for each request, keys as `APIKeyMemory` says.
struct Gate: Sendable {
  let database: Database
  let tokens: Tokens
  let plans: Plans
  let memory: APIKeyMemory
  let origin: String

  /// Who makes `request`, by the credential that it carries; nobody without one.
  /// - Throws: `Problem` 401 for a credential that does not hold (any more), 403 for a write without CSRF token.
  func identify(_ request: Request, at now: Timestamp) throws -> Caller {
    if let key = request.headers[.apiKey] { return try identify(key: key, at: now) }
    if let authorization = request.headers[.authorization] {
      guard let token = bearer(authorization) else {
        throw Problem.unauthenticated("Authorization must be: Bearer, a space, and a token.")
      }
      return try identify(jwt: token, at: now)
    }
    if let cookie = request.headers[.cookie].flatMap(Tokens.cookie) {
      return try identify(cookie: cookie, request, at: now)
    }
    return .nobody
  }

  private func bearer(_ authorization: String) -> String? {
    let parts = authorization.split(separator: " ", maxSplits: 1)
    guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
    return String(parts[1])
  }

  private func identify(key: String, at now: Timestamp) throws -> Caller {
    let rows = APIKeyRows(queries: database)
    let digest = SHA256.digest(key)
    guard key.hasPrefix(APIKey.start), key.utf8.count <= 128,
      let found = try memory.key(digest, at: now, find: { try rows.find(digest: digest, at: now) })
    else { throw Problem.unauthenticated("The API key is not known, has expired or was revoked.") }
    if found.lastUsedAt.map({ $0 + .seconds(60) < now }) ?? true {
      try rows.touch(found.id, at: now)
      memory.noteUse(digest, at: now)
    }
    return try Caller(credential: .key(found.id, grants: found.grants), member: member(found.holder, at: now))
  }

  private func identify(jwt: String, at now: Timestamp) throws -> Caller {
    let session = try tokens.session(ofJWT: jwt, at: now)
    guard let holder = try SessionRows(queries: database).holder(of: session, at: now) else {
      throw Problem.unauthenticated("The log-in that this token is of has ended.")
    }
    return try Caller(credential: .token(session), member: member(holder, at: now))
  }

  private func identify(cookie: String, _ request: Request, at now: Timestamp) throws -> Caller {
    // The cookie counts on the own origin alone, whatever a browser thinks of SameSite.
    if let origin = request.headers[.origin], origin != self.origin { return .nobody }
    guard
      let (session, holder) = try SessionRows(queries: database).holder(
        ofCookie: SHA256.digest(cookie), at: now)
    else { throw Problem.unauthenticated("The session has ended.") }
    if request.method != .get && request.method != .head {
      guard let token = request.headers[.csrfToken], tokens.isCSRF(token, of: cookie) else {
        throw Problem(
          403, "csrf_token_missing", "Writes with the session cookie need its CSRF token.",
          detail: "Send the csrfToken of the log-in in X-CSRF-Token.")
      }
    }
    return try Caller(credential: .cookie(session), member: member(holder, at: now))
  }

  private func member(_ holder: Holder, at now: Timestamp) throws -> Caller.Member {
    Caller.Member(account: holder.account, plan: try plans.plan(holder.plan, at: now))
  }
}
