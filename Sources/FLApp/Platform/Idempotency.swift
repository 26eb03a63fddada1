import FLCrypto
import FLHTTP
import FLMariaDB
import FLValues
import HTTPTypes

/// The marker of an owner of an idempotency key.
enum IdempotentRequest {}

/// Makes a POST with an `Idempotency-Key` safe to repeat: for 24 hours the same key with the same request is
/// answered as it was the first time. Every SQL statement about it is here.
struct Idempotency: Sendable {
  private static let lifetime = Duration.seconds(86_400)
  /// After this a request that has not ended is taken for dead.
  private static let patience = Duration.seconds(120)

  let database: Database
  private let sealer: Sealer

  init(database: Database, settings: Settings) {
    self.database = database
    sealer = Sealer(
      key: settings.secret.key(for: "idempotency"),
      previous: settings.previousSecrets.map { $0.key(for: "idempotency") })
  }

  /// A key that this request holds until it is answered.
  struct Hold: Sendable {
    fileprivate let account: AccountID
    fileprivate let name: [UInt8]
    fileprivate let owner: ID<IdempotentRequest>
    fileprivate var context: String { "\(account) \(Hex.encode(name))" }
  }

  enum Outcome {
    /// The request came without a key: run it.
    case notAsked
    /// Run it, and then settle.
    case run(Hold)
    /// It ran before: this is its answer.
    case replay(Response)
  }

  /// Looks whether `request`, whose operation takes a body of `bodyLimit` bytes, ran before. `content` is what tells
  /// its body from others where that is not its bytes.
  /// - Throws: `Problem` 413 for a larger body, 422 for a key that is none or went with another request, 409 while
  ///   the first still runs.
  func begin(
    _ request: Request, content: [UInt8]? = nil, bodyLimit: Int, account: AccountID, at now: Timestamp
  ) throws -> Outcome {
    guard request.method == .post, let key = request.headers[.idempotencyKey] else { return .notAsked }
    guard (1...255).contains(key.utf8.count), key.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
      throw Problem.invalid(
        "Idempotency-Key", "invalid_key", "This must be 1 to 255 printable ASCII characters.")
    }
    let hold = Hold(account: account, name: SHA256.digest(key), owner: ID(at: now))
    let fingerprint = try fingerprint(request, content: content, bodyLimit: bodyLimit)
    _ = try database.run(
      """
      INSERT INTO idempotency_keys (account_id, name, fingerprint, owner, created_at)
      VALUES (\(account), \(hold.name), \(fingerprint), \(hold.owner), \(now))
      ON DUPLICATE KEY UPDATE
        status = IF(created_at < \(now - Self.lifetime), NULL, status),
        response = IF(created_at < \(now - Self.lifetime), NULL, response),
        fingerprint = IF(created_at < \(now - Self.lifetime), \(fingerprint), fingerprint),
        owner = IF(created_at < \(now - Self.lifetime) OR (status IS NULL AND created_at < \(now - Self.patience)
          AND fingerprint = \(fingerprint)), \(hold.owner), owner),
        created_at = IF(owner = \(hold.owner), \(now), created_at)
      """)
    guard
      let row = try database.row(
        """
        SELECT fingerprint, owner, status, response FROM idempotency_keys
        WHERE account_id = \(account) AND name = \(hold.name)
        """)
    else { throw Problem.unavailable("The idempotency key could not be kept.") }
    if try row["owner"] == hold.owner { return .run(hold) }
    guard try row["fingerprint"] == fingerprint else {
      throw Problem(
        422, "idempotency_key_reused", "This Idempotency-Key went with another request.",
        detail: "Use a new key for a new request.")
    }
    guard let status: Int = try row["status"], let sealed: [UInt8] = try row["response"] else {
      throw Problem(
        409, "idempotency_in_progress", "The first request with this Idempotency-Key still runs.",
        headers: [.retryAfter: "1"])
    }
    return .replay(try replay(status, sealed, hold))
  }

  /// Keeps what the request was answered, unless it should be tried again: then the key is free anew.
  func settle(_ hold: Hold, _ response: Response) throws {
    guard response.status < 500, ![401, 403, 429].contains(response.status) else { return try release(hold) }
    let headers = response.headers.map { JSON.array([.string($0.name.rawName), .string($0.value)]) }
    let kept = JSON.array([.array(headers), .string(Base64.encode(response.bytes))]).bytes
    _ = try database.run(
      """
      UPDATE idempotency_keys SET status = \(response.status), response = \(sealer.seal(kept, context: hold.context))
      WHERE account_id = \(hold.account) AND name = \(hold.name) AND owner = \(hold.owner)
      """)
  }

  /// Frees the key.
  func release(_ hold: Hold) throws {
    _ = try database.run(
      """
      DELETE FROM idempotency_keys
      WHERE account_id = \(hold.account) AND name = \(hold.name) AND owner = \(hold.owner)
      """)
  }

  /// Takes away keys older than 24 hours.
  func purge(at now: Timestamp) throws {
    _ = try database.run("DELETE FROM idempotency_keys WHERE created_at < \(now - Self.lifetime) LIMIT 10000")
  }

  private func fingerprint(_ request: Request, content: [UInt8]?, bodyLimit: Int) throws -> [UInt8] {
    // An operation without a body passes over a small one.
    let body = try content ?? request.bodyBytes(limit: max(bodyLimit, 65_536))
    let line = "\(request.method.rawValue) \(request.path)?\(request.query ?? "")\n"
    return SHA256.digest(Array(line.utf8) + body)
  }

  private func replay(_ status: Int, _ sealed: [UInt8], _ hold: Hold) throws -> Response {
    let kept = try JSON(reading: sealer.open(sealed, context: hold.context))
    var headers: HTTPFields = [.idempotencyReplayed: "true"]
    for field in kept[0]?.array ?? [] {
      if let name = field[0]?.string.flatMap({ HTTPField.Name($0) }), let value = field[1]?.string {
        headers[name] = value
      }
    }
    let body = kept[1]?.string.flatMap(Base64.decode) ?? []
    return Response(status: status, headers: headers, body: body.isEmpty ? .empty : .bytes(body))
  }
}
