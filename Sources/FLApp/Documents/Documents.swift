import FLCrypto
import FLHTTP
import FLMariaDB
import FLValues
import HTTPTypes
import Synchronization

/// The OpenAPI document and the health of the service.
struct Documents: Sendable {
  let database: Database
  let migrations: Migrations
  let spool: ClickSpool
  let openAPI: OpenAPIBytes

  /// The document as it is served: made when it is first asked for.
  final class OpenAPIBytes: Sendable {
    private let made = Mutex<(bytes: [UInt8], tag: String)?>(nil)
    private let make = Mutex<(@Sendable () -> JSON)?>(nil)

    /// Says how the document is made; before the first request.
    func set(_ make: @escaping @Sendable () -> JSON) { self.make.withLock { $0 = make } }

    var value: (bytes: [UInt8], tag: String) {
      made.withLock { made in
        if let made { return made }
        let bytes = (make.withLock { $0 })?().bytes ?? []
        let new = (bytes, "\"\(Hex.encode(Array(SHA256.digest(bytes).prefix(12))))\"")
        made = new
        return new
      }
    }
  }

  var routes: [Route] {
    [
      Route(
        .get, "/openapi/v1.json", "getOpenApiDocument", access: .anyone, tag: "Documents",
        summary: "Read this document",
        reply: .made("application/json", description: "The OpenAPI 3.1 document."),
        handler: { call in document(call) }),
      Route(
        .get, "/health", "getHealth", access: .anyone, tag: "Documents",
        summary: "Check that the service works",
        description: "503 while the database can't be reached, or its schema is not the program's.",
        reply: .made("application/json", description: "All is well."), handler: { call in health(call) }),
    ]
  }

  private func document(_ call: Call) -> Response {
    let (bytes, tag) = openAPI.value
    if call.preconditions.isFresh(tag) { return Response(status: 304, headers: [.eTag: tag]) }
    return Response(
      status: 200, headers: [.contentType: "application/json", .eTag: tag, .cacheControl: "no-cache"],
      body: .bytes(bytes))
  }

  private func health(_ call: Call) -> Response {
    let schema = try? migrations.applied(in: database)
    let isWell = schema == migrations.latest
    let status = isWell ? "ok" : schema == nil ? "database_unreachable" : "schema_outdated"
    let body: JSON = [
      "status": .string(status), "database": .string(schema == nil ? "unreachable" : "reachable"),
      "schemaVersion": schema.map { .integer(Int64($0)) } ?? .null,
      "expectedSchemaVersion": .integer(Int64(migrations.latest)), "version": .string(App.version),
      "lostClicks": .integer(Int64(spool.lostClicks)), "time": .string(call.now.description),
    ]
    var headers: HTTPFields = [.contentType: "application/json", .cacheControl: "no-store"]
    if !isWell { headers[.retryAfter] = "5" }
    return Response(status: isWell ? 200 : 503, headers: headers, body: .bytes(body.bytes))
  }
}
