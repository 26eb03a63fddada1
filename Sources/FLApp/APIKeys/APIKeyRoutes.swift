import FLCrypto
import FLHTTP
import FLMariaDB
import FLValues

/// API keys: made, listed, changed and revoked by people.
struct APIKeyRoutes {
  let database: Database
  let generations: Generations

  var routes: [Route] {
    [
      Route(
        .get, "/api/api-keys", "listApiKeys", access: .person, tag: "API keys", summary: "List the API keys",
        .limit, .cursor, reply: .list(APIKey.shape, named: "APIKey"),
        handler: { call, limit, cursor in try list(call, limit, cursor) }),
      Route(
        .post, "/api/api-keys", "createApiKey", access: .person, tag: "API keys", summary: "Make an API key",
        description: "The answer alone holds the key itself: it is kept as a digest.", body: NewAPIKey.shape,
        reply: .created(NewlyMadeAPIKey.shape, at: { "/api/api-keys/\($0.apiKey.id)" }),
        handler: { call, new in try create(new, account: call.caller.account, at: call.now) }),
      Route(
        .get, "/api/api-keys/{id}", "getApiKey", access: .person, tag: "API keys", summary: "Read an API key",
        .path("id", .id(), "The key's id."), reply: .ok(APIKey.shape).tagged(\.tag),
        handler: { call, id in try find(call, id) }),
      Route(
        .patch, "/api/api-keys/{id}", "updateApiKey", access: .person, tag: "API keys",
        summary: "Change an API key's name, scopes or expiry", problems: [412],
        .path("id", .id(), "The key's id."),
        body: APIKeyChanges.shape, reply: .ok(APIKey.shape).tagged(\.tag),
        handler: { call, changes, id in try update(call, changes, id) }),
      Route(
        .delete, "/api/api-keys/{id}", "revokeApiKey", access: .person, tag: "API keys",
        summary: "Revoke an API key",
        description: "It is refused from the next request on. The key stays in the list with `revokedAt`.",
        problems: [412], .path("id", .id(), "The key's id."), reply: .noContent,
        handler: { call, id in try revoke(call, id) }),
    ]
  }

  func list(_ call: Call, _ limit: Int, _ cursor: Cursor?) throws -> Page<APIKey> {
    let account = try call.caller.account
    let rows = APIKeyRows(queries: database)
    let keys = try rows.list(account: account, before: cursor?.id(), limit: limit + 1)
    return try Page(keys, limit: limit, total: rows.count(account: account)) { Cursor(id: $0.id) }
  }

  func create(_ new: NewAPIKey, account: AccountID, at now: Timestamp) throws -> NewlyMadeAPIKey {
    if let expiry = new.expiresAt, expiry <= now {
      throw Problem.invalid("expiresAt", "in_the_past", "This must be in the future.")
    }
    let secret = APIKey.start + SecureRandom.token()
    let key = APIKey(
      id: APIKeyID(at: now), name: new.name, prefix: String(secret.prefix(12)), grants: new.grants ?? [],
      expiresAt: new.expiresAt, lastUsedAt: nil, createdAt: now, revokedAt: nil, version: 1)
    try APIKeyRows(queries: database).insert(key, digest: SHA256.digest(secret), account: account)
    return NewlyMadeAPIKey(apiKey: key, key: secret)
  }

  func find(_ call: Call, _ id: APIKeyID) throws -> APIKey {
    guard let key = try APIKeyRows(queries: database).find(id, account: call.caller.account) else {
      throw Problem.notFound
    }
    return key
  }

  func update(_ call: Call, _ changes: APIKeyChanges, _ id: APIKeyID) throws -> APIKey {
    var key = try find(call, id)
    try call.preconditions.check(key.tag)
    key.name = changes.name ?? key.name
    key.grants = changes.grants.applied(to: key.grants) ?? []
    key.expiresAt = changes.expiresAt.applied(to: key.expiresAt)
    guard try APIKeyRows(queries: database).update(key) else { throw Problem.preconditionFailed }
    generations.changed(.credentials)
    return try find(call, id)
  }

  func revoke(_ call: Call, _ id: APIKeyID) throws {
    let key = try find(call, id)
    try call.preconditions.check(key.tag)
    try APIKeyRows(queries: database).revoke(id, at: call.now)
    generations.changed(.credentials)
  }
}
