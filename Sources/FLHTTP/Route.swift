public import FLValues
public import HTTPTypes

/// Who may call an operation.
public enum Access: Sendable, Equatable {
  /// Everybody.
  case anyone
  /// Whoever is logged in, by whatever credential.
  case account
  /// Whoever is logged in as a person: JWT or cookie, not an API key.
  case person
  /// Whoever is logged in; an API key only where it is limited to no scopes.
  case unrestricted
  /// Whoever is logged in; an API key needs this scope. `reads` where a POST only reads.
  case scope(String, reads: Bool = false)
}

/// One request on its way through its operation.
public final class Call<Caller> {
  /// The request.
  public let request: Request
  /// The request's id, as it is answered and logged.
  public let requestID: String
  /// Who calls.
  public let caller: Caller
  /// When the request came.
  public let now: Timestamp
  /// Header fields that the response gets beside its own.
  public var headers: HTTPFields = [:]
  /// `If-Match` and `If-None-Match`.
  public let preconditions: Preconditions

  /// A call by `caller`.
  public init(_ request: Request, requestID: String, caller: Caller, now: Timestamp) {
    self.request = request
    self.requestID = requestID
    self.caller = caller
    self.now = now
    preconditions = Preconditions(request.headers)
  }
}

/// One operation of the API: dispatch, access, inputs, replies and documentation in one value.
public struct Route<Caller>: Sendable {
  /// The method.
  public let method: HTTPRequest.Method
  /// The path, with `{name}` for a segment that varies.
  public let path: String
  /// The operation's name, unique and stable: client generators make a function of it.
  public let operation: String
  /// Who may call it.
  public let access: Access
  /// What it does, in a few words.
  public let summary: String
  /// What more there is to say.
  public let description: String?
  /// The group that it stands in.
  public let tag: String
  /// The largest body that it takes, in bytes.
  public let bodyLimit: Int

  let problems: Set<Int>
  let parameters: [JSON]
  let parameterSchemas: [String: JSON]
  let queryNames: Set<String>
  let body: Schema?
  let bodyMayBeAbsent: Bool
  /// The form (`multipart/form-data`) in place of a JSON body.
  let form: Schema?
  let reply: ReplyDocument
  let prepare: @Sendable (Call<Caller>, Inputs) throws -> Prepared

  /// An operation that can run, once it is known that it did not run before.
  public struct Prepared {
    /// What tells this request from others where its body does not: a form's bytes differ each time that it is sent.
    public let fingerprint: [UInt8]?
    /// Runs the operation.
    public let respond: () throws -> Response
  }

  struct ReplyDocument: Sendable {
    let others: [(status: Int, description: String)]
    let status: Int
    let description: String
    let contentTypes: [String]
    let schema: Schema?
    let isTagged: Bool
    let hasLocation: Bool
  }

  /// An operation without a body.
  ///
  /// `problems` are statuses that it answers beside those that follow from its inputs and its access.
  public init<Output, each Value>(
    _ method: HTTPRequest.Method, _ path: String, _ operation: String, access: Access, tag: String,
    summary: String, description: String? = nil, problems: Set<Int> = [],
    _ parameters: repeat Parameter<each Value>, reply: Reply<Output>,
    handler: @escaping @Sendable (Call<Caller>, repeat each Value) throws -> Output
  ) {
    let names = Self.queryNames(repeat each parameters)
    self.init(
      method, path, operation, access, tag, summary, description, problems,
      Self.documents(repeat each parameters), Self.schemas(repeat each parameters), names, body: nil,
      bodyMayBeAbsent: true, bodyLimit: 0, reply: reply
    ) { (call: Call<Caller>, inputs: Inputs) throws -> Output in
      var reading = Reading()
      let values = (repeat try (each parameters).read(from: inputs, into: &reading))
      Self.refuseUnknown(inputs, names, into: &reading)
      guard reading.problems.isEmpty else { throw Problem.invalid(reading.problems) }
      // A body that nobody asked for is not read; one that did not come whole is told all the same.
      if case .refused = call.request.body { _ = try call.request.bodyBytes(limit: .max) }
      return try handler(call, repeat (each values).taken())
    }
  }

  /// An operation with a JSON body of at most `bodyLimit` bytes.
  public init<Body, Output, each Value>(
    _ method: HTTPRequest.Method, _ path: String, _ operation: String, access: Access, tag: String,
    summary: String, description: String? = nil, problems: Set<Int> = [],
    _ parameters: repeat Parameter<each Value>, body: Shape<Body>, bodyLimit: Int = 1_048_576,
    bodyMayBeAbsent: Bool = false, reply: Reply<Output>,
    handler: @escaping @Sendable (Call<Caller>, Body, repeat each Value) throws -> Output
  ) {
    let names = Self.queryNames(repeat each parameters)
    self.init(
      method, path, operation, access, tag, summary, description, problems,
      Self.documents(repeat each parameters), Self.schemas(repeat each parameters), names, body: body.schema,
      bodyMayBeAbsent: bodyMayBeAbsent, bodyLimit: bodyLimit, reply: reply
    ) { (call: Call<Caller>, inputs: Inputs) throws -> Output in
      var reading = Reading()
      let values = (repeat try (each parameters).read(from: inputs, into: &reading))
      Self.refuseUnknown(inputs, names, into: &reading)
      let json = try call.request.json(limit: bodyLimit, mayBeAbsent: bodyMayBeAbsent)
      let content = body.read(json, into: &reading)
      guard let content, reading.problems.isEmpty else { throw Problem.invalid(reading.problems) }
      return try handler(call, content, repeat (each values).taken())
    }
  }

  /// An operation that takes a form (`multipart/form-data`) with a file in it.
  ///
  /// `stage` reads the body, and puts what it may not keep in memory where it goes with what it answers. Whether the
  /// operation ran before is told by `fingerprint` of that, and only then `handler` is called.
  public init<Staged, Output>(
    _ method: HTTPRequest.Method, _ path: String, _ operation: String, access: Access, tag: String,
    summary: String, description: String? = nil, problems: Set<Int> = [], form: Schema, reply: Reply<Output>,
    stage: @escaping @Sendable (Call<Caller>) throws -> Staged,
    fingerprint: @escaping @Sendable (Staged) -> [UInt8],
    handler: @escaping @Sendable (Call<Caller>, Staged) throws -> Output
  ) {
    self.init(
      method, path, operation, access, tag, summary, description, problems, [], [:], [], body: nil,
      bodyMayBeAbsent: false, form: form, bodyLimit: .max, reply: reply,
      prepare: { call, inputs in
        var reading = Reading()
        Self.refuseUnknown(inputs, [], into: &reading)
        guard reading.problems.isEmpty else { throw Problem.invalid(reading.problems) }
        let staged = try stage(call)
        return Prepared(fingerprint: fingerprint(staged)) {
          try Self.respond(reply, to: call, reads: false, try handler(call, staged))
        }
      })
  }

  private init<Output>(
    _ method: HTTPRequest.Method, _ path: String, _ operation: String, _ access: Access, _ tag: String,
    _ summary: String, _ description: String?, _ problems: Set<Int>, _ parameters: [JSON],
    _ parameterSchemas: [String: JSON], _ queryNames: Set<String>, body: Schema?, bodyMayBeAbsent: Bool,
    bodyLimit: Int, reply: Reply<Output>,
    _ run: @escaping @Sendable (Call<Caller>, Inputs) throws -> Output
  ) {
    let reads = method == .get
    self.init(
      method, path, operation, access, tag, summary, description, problems, parameters, parameterSchemas,
      queryNames, body: body, bodyMayBeAbsent: bodyMayBeAbsent, form: nil, bodyLimit: bodyLimit, reply: reply,
      prepare: { call, inputs in
        Prepared(fingerprint: nil) { try Self.respond(reply, to: call, reads: reads, try run(call, inputs)) }
      })
  }

  private init<Output>(
    _ method: HTTPRequest.Method, _ path: String, _ operation: String, _ access: Access, _ tag: String,
    _ summary: String, _ description: String?, _ problems: Set<Int>, _ parameters: [JSON],
    _ parameterSchemas: [String: JSON], _ queryNames: Set<String>, body: Schema?, bodyMayBeAbsent: Bool,
    form: Schema?, bodyLimit: Int, reply: Reply<Output>,
    prepare: @escaping @Sendable (Call<Caller>, Inputs) throws -> Prepared
  ) {
    self.method = method
    self.path = path
    self.operation = operation
    self.access = access
    self.tag = tag
    self.summary = summary
    self.description = description
    self.problems = problems
    self.parameters = parameters
    self.parameterSchemas = parameterSchemas
    self.queryNames = queryNames
    self.body = body
    self.bodyMayBeAbsent = bodyMayBeAbsent
    self.form = form
    self.bodyLimit = bodyLimit
    self.reply = ReplyDocument(
      others: reply.others, status: reply.status, description: reply.description,
      contentTypes: reply.contentTypes,
      schema: reply.schema, isTagged: reply.tag != nil, hasLocation: reply.hasLocation)
    self.prepare = prepare
  }

  private static func respond<Output>(
    _ reply: Reply<Output>, to call: Call<Caller>, reads: Bool, _ output: Output
  ) throws -> Response {
    guard let tag = reply.tag?(output).text else { return reply.respond(output) }
    if reads && call.preconditions.isFresh(tag) { return Response(status: 304, headers: [.eTag: tag]) }
    var response = reply.respond(output)
    response.headers.append(HTTPField(name: .eTag, value: tag))
    return response
  }

  private static func refuseUnknown(_ inputs: Inputs, _ names: Set<String>, into reading: inout Reading) {
    for pair in inputs.query.pairs where !names.contains(pair.name) {
      reading.member(pair.name) {
        $0.refuse(
          "unknown_field",
          names.isEmpty
            ? "This operation has no query parameters."
            : "There is no such query parameter; known are: \(names.sorted().joined(separator: ", ")).")
      }
    }
  }

  private static func queryNames<each Value>(_ parameters: repeat Parameter<each Value>) -> Set<String> {
    var names: Set<String> = []
    for parameter in repeat each parameters {
      if parameter.place == .query { names.insert(parameter.name) }
    }
    return names
  }

  private static func documents<each Value>(_ parameters: repeat Parameter<each Value>) -> [JSON] {
    var documents: [JSON] = []
    for parameter in repeat each parameters { documents.append(parameter.document) }
    return documents
  }

  private static func schemas<each Value>(_ parameters: repeat Parameter<each Value>) -> [String: JSON] {
    var all: [Schema] = []
    for parameter in repeat each parameters { all.append(parameter.schema) }
    return all.reduce(into: [:]) { schemas, schema in schemas.merge(schema.named) { old, _ in old } }
  }
}

extension Optional {
  /// The value of a parameter, which is there when no problem was told.
  fileprivate func taken() throws -> Wrapped {
    guard let self else { throw Problem.invalid([]) }
    return self
  }
}

extension Request {
  /// The body as JSON.
  /// - Throws: `Problem` 415 for another type, 413 above `limit` bytes, 400 for what is no JSON.
  func json(limit: Int, mayBeAbsent: Bool) throws(Problem) -> JSON {
    let bytes = try bodyBytes(limit: limit)
    if bytes.isEmpty && mayBeAbsent { return .object([:]) }
    if bytes.isEmpty && headers[.contentType] == nil {
      throw Problem(
        400, "malformed_json", "The body is not valid JSON.", detail: "A JSON body is needed here.")
    }
    guard let type = headers[.contentType].map(MediaType.init), type.isJSON(method) else {
      throw Problem(
        415, "unsupported_media_type", "The body is of a type that is not taken here.",
        detail: "Send JSON in UTF-8 with Content-Type: application/json.")
    }
    return try JSON(reading: bytes)
  }

  /// The body's bytes.
  /// - Throws: `Problem` 413 above `limit` bytes, and then nothing is read; 400 where it did not come whole.
  public func bodyBytes(limit: Int) throws(Problem) -> [UInt8] {
    switch body {
    case .empty: return []
    case .bytes(let bytes):
      guard bytes.count <= limit else { throw .bodyTooLarge(limit) }
      return bytes
    case .stream(let stream):
      guard stream.count <= limit else { throw .bodyTooLarge(limit) }
      return try stream.bytes()
    case .refused(.tooLarge(let transportLimit)): throw .bodyTooLarge(min(limit, transportLimit))
    case .refused(.truncated): throw .incompleteBody
    case .refused(.badLength):
      throw Problem(400, "invalid_content_length", "Content-Length is not a number of bytes.")
    }
  }
}

extension Problem {
  static func bodyTooLarge(_ limit: Int) -> Problem {
    Problem(
      413, "body_too_large", "The body is larger than this operation takes.",
      detail: "At most \(limit) bytes are taken.", members: ["maxBytes": .integer(Int64(limit))])
  }
}

/// A media type (RFC 9110, section 8.3.1).
public struct MediaType: Sendable, Equatable {
  /// `type/subtype` in lower case.
  public let essence: String
  /// The parameter `charset` in lower case.
  public let charset: String?

  /// Reads a `Content-Type`.
  public init(_ text: String) {
    let parts = text.split(separator: ";", omittingEmptySubsequences: false).map {
      String($0).trimmed.lowercased()
    }
    essence = parts.first ?? ""
    charset = parts.dropFirst().first { $0.hasPrefix("charset=") }
      .map { $0.dropFirst(8).filter { $0 != "\"" } }
  }

  func isJSON(_ method: HTTPRequest.Method) -> Bool {
    (essence == "application/json" || (method == .patch && essence == "application/merge-patch+json"))
      && (charset == nil || charset == "utf-8" || charset == "utf8")
  }
}
