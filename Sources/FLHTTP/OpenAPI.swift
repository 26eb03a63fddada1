/// The OpenAPI 3.1 document of a list of routes: what is dispatched and what is documented cannot differ.
public struct OpenAPI {
  /// What the document says of itself.
  public struct Info: Sendable {
    /// The product's name.
    public var title: String
    /// The product's version.
    public var version: String
    /// What there is to know before the first call, in CommonMark.
    public var description: String
    /// The groups of operations in their order, with a sentence each.
    public var tags: [(name: String, description: String)]

    /// What the document says of itself.
    public init(
      title: String, version: String, description: String, tags: [(name: String, description: String)]
    ) {
      self.title = title
      self.version = version
      self.description = description
      self.tags = tags
    }
  }

  /// A message that the product sends by itself to an address of the client's.
  public struct Webhook: Sendable {
    /// Its name.
    public var name: String
    /// What it tells, in a few words.
    public var summary: String
    /// The group that it stands in.
    public var tag: String
    /// The body.
    public var body: Schema

    /// A message.
    public init(name: String, summary: String, tag: String, body: Schema) {
      self.name = name
      self.summary = summary
      self.tag = tag
      self.body = body
    }
  }

  /// The document for `routes`, reached at `server`, and for the messages that it sends by itself.
  public static func document<Caller>(
    _ info: Info, server: String, routes: [Route<Caller>], webhooks: [Webhook] = []
  ) -> JSON {
    var paths = JSONObject()
    var schemas: [String: JSON] = ["Problem": problemSchema]
    schemas.merge(FieldProblem.shape.schema.named) { old, _ in old }
    for route in routes {
      var item = paths[route.path]?.object ?? [:]
      item[route.method.rawValue.lowercased()] = operation(route)
      paths[route.path] = .object(item)
      schemas.merge(route.named) { old, _ in old }
    }
    var messages = JSONObject()
    for webhook in webhooks {
      messages[webhook.name] = message(webhook)
      schemas.merge(webhook.body.named) { old, _ in old }
    }
    var components = JSONObject()
    for name in schemas.keys.sorted() { components[name] = schemas[name] }
    var document: JSONObject = [
      "openapi": "3.1.0",
      "info": [
        "title": .string(info.title), "version": .string(info.version),
        "description": .string(info.description),
      ],
      "servers": [["url": .string(server)]],
      "tags": .array(info.tags.map { ["name": .string($0.name), "description": .string($0.description)] }),
      "paths": .object(paths),
      "components": [
        "securitySchemes": securitySchemes, "schemas": .object(components),
        "responses": .object(problemResponses),
        "headers": headers, "parameters": conditionParameters,
      ],
    ]
    if !webhooks.isEmpty { document["webhooks"] = .object(messages) }
    return .object(document)
  }

  private static func message(_ webhook: Webhook) -> JSON {
    [
      "post": [
        "tags": [.string(webhook.tag)], "summary": .string(webhook.summary),
        "requestBody": [
          "required": true, "content": ["application/json": ["schema": webhook.body.json]],
        ],
        "responses": [
          "2XX": ["description": "Taken. Anything else is tried again."],
          "410": ["description": "Nothing more is wanted: the webhook is disabled."],
        ],
      ]
    ]
  }

  private static func operation<Caller>(_ route: Route<Caller>) -> JSON {
    var operation: JSONObject = [
      "operationId": .string(route.operation), "tags": [.string(route.tag)],
      "summary": .string(route.summary),
    ]
    if let description = route.description { operation["description"] = .string(description) }
    if let scope = route.requiredScope { operation["x-required-scope"] = .string(scope) }
    operation["security"] = security(route)
    let conditions = conditionNames(route).map {
      JSON.object(["$ref": .string("#/components/parameters/\($0)")])
    }
    let parameters = route.parameters + conditions
    if !parameters.isEmpty { operation["parameters"] = .array(parameters) }
    if let body = route.body {
      let type =
        route.method == .patch ? ["application/json", "application/merge-patch+json"] : ["application/json"]
      var content = JSONObject()
      for name in type { content[name] = ["schema": body.json] }
      operation["requestBody"] = ["required": .bool(!route.bodyMayBeAbsent), "content": .object(content)]
    }
    if let form = route.form {
      operation["requestBody"] = [
        "required": true, "content": ["multipart/form-data": ["schema": form.json]],
      ]
    }
    operation["responses"] = .object(responses(route))
    return .object(operation)
  }

  private static func security<Caller>(_ route: Route<Caller>) -> JSON {
    switch route.access {
    case .anyone: []
    case .person: [["bearer": []], ["cookie": []]]
    case .account, .unrestricted: [["bearer": []], ["apiKey": []], ["cookie": []]]
    case .scope: [["bearer": []], ["apiKey": [.string(route.requiredScope ?? "")]], ["cookie": []]]
    }
  }

  private static func conditionNames<Caller>(_ route: Route<Caller>) -> [String] {
    var names: [String] = []
    if route.reply.isTagged && route.method == .get { names.append("IfNoneMatch") }
    if route.problems.contains(412) { names.append("IfMatch") }
    if route.method == .post && route.access != .anyone { names.append("IdempotencyKey") }
    return names
  }

  private static func responses<Caller>(_ route: Route<Caller>) -> JSONObject {
    var headers: JSONObject = ["X-Request-Id": ["$ref": "#/components/headers/X-Request-Id"]]
    if route.reply.isTagged { headers["ETag"] = ["$ref": "#/components/headers/ETag"] }
    if route.reply.hasLocation { headers["Location"] = ["$ref": "#/components/headers/Location"] }
    var success: JSONObject = ["description": .string(route.reply.description), "headers": .object(headers)]
    var content = JSONObject()
    for type in route.reply.contentTypes {
      content[type] = route.reply.schema.map { ["schema": $0.json] } ?? [:]
    }
    if !content.members.isEmpty { success["content"] = .object(content) }
    var responses: JSONObject = [String(route.reply.status): .object(success)]
    for (status, description) in route.reply.others {
      success["description"] = .string(description)
      // What the client has already is not sent once more.
      if status == 304 { success["content"] = nil }
      responses[String(status)] = .object(success)
    }
    if route.reply.isTagged && route.method == .get {
      responses["304"] = ["description": "The client has this representation already."]
    }
    for status in statuses(route).sorted() {
      // A status without a description of its own is what `default` says.
      let name = titles.contains { $0.0 == status } ? String(status) : "default"
      responses[String(status)] = ["$ref": .string("#/components/responses/\(name)")]
    }
    responses["default"] = ["$ref": "#/components/responses/default"]
    return responses
  }

  private static func statuses<Caller>(_ route: Route<Caller>) -> Set<Int> {
    var statuses = route.problems.union([429, 503])
    if route.access != .anyone { statuses.formUnion([401, 403]) }
    if route.path.contains("{") { statuses.insert(404) }
    // Every operation refuses query parameters that it does not know.
    statuses.insert(422)
    if route.body != nil || route.form != nil { statuses.formUnion([400, 413, 415]) }
    if route.form != nil { statuses.insert(408) }
    if route.method == .post && route.access != .anyone { statuses.insert(409) }
    return statuses
  }

  private static let titles: [(Int, String)] = [
    (400, "Malformed: the body is not valid JSON, or did not come whole."),
    (401, "`unauthenticated`: no valid credential."),
    (
      403,
      "`scope_missing` (with `requiredScope`) or `plan_limit` (with `limit`, `used`, `plan`, `upgradeTo`)."
    ),
    (404, "`not_found`: nothing is here, or nothing that the caller may know of."),
    (408, "`too_slow`: the body came slower than a worker can wait for."),
    (409, "`conflict` with what is there, or `idempotency_in_progress`."),
    (412, "`precondition_failed`: `If-Match` names another version."),
    (413, "`body_too_large`."),
    (415, "`unsupported_media_type`."),
    (416, "`range_not_satisfiable`: the file ends before the range begins; `Content-Range` tells its size."),
    (422, "`invalid` or `unknown_field`, with every bad field in `errors`; or `idempotency_key_reused`."),
    (429, "`rate_limited`: come back after `Retry-After` seconds."),
    (503, "`unavailable`: come back after `Retry-After` seconds."),
  ]

  private static var problemResponses: JSONObject {
    var responses = JSONObject()
    let content: JSON = ["application/problem+json": ["schema": ["$ref": "#/components/schemas/Problem"]]]
    for (status, description) in titles {
      var response: JSONObject = ["description": .string(description), "content": content]
      if status == 429 || status == 503 {
        response["headers"] = ["Retry-After": ["$ref": "#/components/headers/Retry-After"]]
      }
      responses[String(status)] = .object(response)
    }
    responses["default"] = ["description": "Any other problem.", "content": content]
    return responses
  }

  private static let problemSchema: JSON = [
    "type": "object",
    "description": "Problem details (RFC 9457). Switch on `code`, which is stable.",
    "properties": [
      "type": ["type": "string"], "title": ["type": "string"], "status": ["type": "integer"],
      "detail": ["type": "string"], "instance": ["type": "string"], "code": ["type": "string"],
      "requestId": ["type": "string"],
      "errors": ["type": "array", "items": ["$ref": "#/components/schemas/FieldProblem"]],
      "requiredScope": ["type": "string"], "limit": ["type": "integer"], "used": ["type": "integer"],
      "plan": ["type": "string"], "upgradeTo": ["type": ["string", "null"]],
    ],
    "required": ["type", "title", "status", "detail", "instance", "code", "requestId"],
  ]

  private static let securitySchemes: JSON = [
    "bearer": [
      "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
      "description": "The `token` that `POST /api/auth/login` answers.",
    ],
    "apiKey": [
      "type": "apiKey", "in": "header", "name": "X-Api-Key",
      "description": "A scoped key that begins with `fli_`.",
    ],
    "cookie": [
      "type": "apiKey", "in": "cookie", "name": "fl_session",
      "description": "The web UI's session. Writes also need its token in `X-CSRF-Token`.",
    ],
  ]

  private static let headers: JSON = [
    "X-Request-Id": [
      "description": "The request's id; a sane one from the client is kept.", "schema": ["type": "string"],
    ],
    "ETag": ["description": "The version of the resource, for `If-Match`.", "schema": ["type": "string"]],
    "Location": ["description": "The address of what was made.", "schema": ["type": "string"]],
    "Retry-After": ["description": "Seconds.", "schema": ["type": "integer"]],
  ]

  private static let conditionParameters: JSON = [
    "IfNoneMatch": [
      "name": "If-None-Match", "in": "header", "required": false,
      "description": "An ETag that the client has: 304 where it still holds.", "schema": ["type": "string"],
    ],
    "IfMatch": [
      "name": "If-Match", "in": "header", "required": false,
      "description": "The ETag that the change builds on: 412 where the resource has changed since.",
      "schema": ["type": "string"],
    ],
    "IdempotencyKey": [
      "name": "Idempotency-Key", "in": "header", "required": false,
      "description":
        "Makes the request safe to repeat: for 24 hours the same key with the same body replays the first answer.",
      "schema": ["type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x20-\\x7E]+$"],
    ],
  ]
}

extension Route {
  /// The scope that an API key needs: `links:read` for what only reads, `*` for what needs full access.
  fileprivate var requiredScope: String? {
    if access == .unrestricted { return "*" }
    guard case .scope(let scope, let reads) = access else { return nil }
    return reads || method == .get ? "\(scope):read" : scope
  }

  fileprivate var named: [String: JSON] {
    var named = parameterSchemas
    for schema in [body, form, reply.schema] { named.merge(schema?.named ?? [:]) { old, _ in old } }
    return named
  }
}
