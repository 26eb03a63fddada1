import FLValues
public import HTTPTypes

/// An error as the API tells it: problem details (RFC 9457) with a stable `code` that programs switch on.
///
/// Throw one anywhere below the router; it leaves by the one door that adds `instance` and `requestId`.
public struct Problem: Error, Sendable, Equatable {
  /// The HTTP status, 400 to 599.
  public var status: Int
  /// The stable name of the kind of error, snake_case.
  public var code: String
  /// What this kind of error is, for a person; the same each time.
  public var title: String
  /// What happened this time, for a person; the title is answered where there is none.
  public var detail: String?
  /// Every field that is wrong, where the input is (422).
  public var errors: [FieldProblem]
  /// Header fields that go with it (`Retry-After`, `Allow`, `WWW-Authenticate`).
  public var headers: HTTPFields
  /// More members of the body (`requiredScope`, `limit`, …).
  public var members: JSONObject

  /// A problem.
  public init(
    _ status: Int, _ code: String, _ title: String, detail: String? = nil, errors: [FieldProblem] = [],
    headers: HTTPFields = [:], members: JSONObject = [:]
  ) {
    self.status = status
    self.code = code
    self.title = title
    self.detail = detail
    self.errors = errors
    self.headers = headers
    self.members = members
  }

  /// The response for the request at `instance`, which had `requestID`.
  public func response(instance: String, requestID: String) -> Response {
    var writer = JSONWriter()
    writer.object { writer in
      writer.name("type")
      writer.string("urn:fastlinkit:problem:\(code)")
      writer.name("title")
      writer.string(title)
      writer.name("status")
      writer.integer(status)
      writer.name("detail")
      writer.string(detail ?? title)
      writer.name("instance")
      writer.string(instance)
      writer.name("code")
      writer.string(code)
      writer.name("requestId")
      writer.string(requestID)
      if !errors.isEmpty || status == 422 {
        writer.name("errors")
        writer.array { for error in errors { FieldProblem.shape.write(error, into: &$0) } }
      }
      for member in members.members {
        writer.name(member.name)
        writer.value(member.value)
      }
    }
    var headers = headers
    headers[.contentType] = "application/problem+json"
    headers[.cacheControl] = "no-store"
    return Response(status: status, headers: headers, body: .bytes(writer.bytes))
  }
}

/// One field of the input that is wrong.
public struct FieldProblem: Sendable, Equatable {
  /// Where it is: `destinationUrl`, `phones[2].number`, or a query parameter's name.
  public var field: String
  /// The stable name of what is wrong: `required`, `invalid_type`, `too_long`, `unknown_field`, …
  public var code: String
  /// What is wrong, for a person.
  public var message: String

  /// A problem with `field`.
  public init(_ field: String, _ code: String, _ message: String) {
    self.field = field
    self.code = code
    self.message = message
  }

  /// The wire form.
  public static let shape = Shape<FieldProblem>.output(
    "FieldProblem",
    [
      .init("field", \.field, .string), .init("code", \.code, .string), .init("message", \.message, .string),
    ])
}

extension Problem {
  /// 404: nothing is there, or nothing that this caller may know of.
  public static let notFound = Problem(404, "not_found", "There is nothing at this address.")

  /// 401: no credential, or one that does not hold (any more).
  public static func unauthenticated(_ detail: String) -> Problem {
    Problem(
      401, "unauthenticated", "This needs a valid credential.", detail: detail,
      headers: [.wwwAuthenticate: "Bearer realm=\"FastLinkIt\""])
  }

  /// 409: the wish and what is stored exclude each other.
  public static func conflict(_ detail: String, field: String? = nil, code: String = "taken") -> Problem {
    Problem(
      409, "conflict", "This conflicts with what is there already.", detail: detail,
      errors: field.map { [FieldProblem($0, code, detail)] } ?? [])
  }

  /// 412: the resource is not (any more) the one that `If-Match` names.
  public static let preconditionFailed = Problem(
    412, "precondition_failed", "The resource has changed since it was read.",
    detail: "Read it again and repeat the change with its present ETag.")

  /// 422: these fields are wrong.
  public static func invalid(_ errors: [FieldProblem]) -> Problem {
    let unknown = !errors.isEmpty && errors.allSatisfy { $0.code == "unknown_field" }
    return Problem(
      422, unknown ? "unknown_field" : "invalid",
      unknown ? "The request has members that are not known here." : "The request has fields that are wrong.",
      detail: errors.first.map { "\($0.field): \($0.message)" }, errors: errors)
  }

  /// 422: one field is wrong.
  public static func invalid(_ field: String, _ code: String, _ message: String) -> Problem {
    invalid([FieldProblem(field, code, message)])
  }

  /// 429: too much of something; `Retry-After` says when to come back.
  public static func rateLimited(retryAfter: Duration, _ detail: String) -> Problem {
    let seconds = max(1, (retryAfter.wholeMicroseconds + 999_999) / 1_000_000)
    return Problem(
      429, "rate_limited", "Too many requests.", detail: detail, headers: [.retryAfter: String(seconds)])
  }

  /// 503: something that this needs is away for a while.
  public static func unavailable(_ detail: String, retryAfter seconds: Int = 5) -> Problem {
    Problem(
      503, "unavailable", "The service is not available for the moment.", detail: detail,
      headers: [.retryAfter: String(seconds)])
  }
}
