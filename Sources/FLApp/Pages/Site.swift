import FLHTTP
import FLMariaDB
import FLValues
import HTTPTypes

/// What people see: the home page, the API reference, the page to set a new password, assets, what mails lead to, and
/// everything at a short code.
struct Site: Sendable {
  let pages: Pages
  let assets: Assets
  let redirects: Redirects
  let accounts: AccountService
  let mail: MailSite
  let baseURL: String
  let version: String

  /// Answers a request that is not for the API.
  func respond(to request: Request, requestID: String, at now: Timestamp) throws -> Response {
    switch request.path {
    case "/": return try reading(request) { pages.render(HomePage(baseUrl: baseURL, version: version)) }
    case "/scalar/v1", "/scalar":
      return try reading(request) { pages.render(APIReferencePage(openapiUrl: "/openapi/v1.json")) }
    case "/account/reset-password": return try resetPassword(request, at: now)
    case "/robots.txt":
      return try reading(request) {
        Response(
          status: 200, headers: [.contentType: "text/plain; charset=utf-8"],
          body: .bytes(Array("User-agent: *\nDisallow: /api/\nDisallow: /account/\n".utf8)))
      }
    default:
      if request.path.hasPrefix("/assets/") {
        guard let response = assets.respond(to: request) else { throw Problem.notFound }
        return response
      }
      if request.path.hasPrefix(MailSite.prefix) {
        return try mail.respond(to: request, requestID: requestID, at: now)
      }
      return try redirects.respond(to: request, at: now)
    }
  }

  /// What a person sees of a problem.
  func page(_ problem: Problem, requestID: String) -> Response {
    if problem.status == 404 { return pages.render(NotFoundPage(shortCode: nil)) }
    let seconds = problem.headers[.retryAfter].flatMap(Int.init)
    var response = pages.render(
      ErrorPage(status: problem.status, requestId: requestID, retryAfterSeconds: seconds))
    for field in problem.headers { response.headers[field.name] = field.value }
    return response
  }

  private func reading(_ request: Request, _ response: () throws -> Response) throws -> Response {
    guard request.method == .get || request.method == .head else {
      throw Problem(
        405, "method_not_allowed", "This address does not take this method.", headers: [.allow: "GET, HEAD"])
    }
    return try response()
  }

  private func resetPassword(_ request: Request, at now: Timestamp) throws -> Response {
    let path = "/account/reset-password"
    if request.method == .post {
      let form = FormValues(reading: String(decoding: try request.bodyBytes(limit: 8192), as: UTF8.self))
      let token = form["token"] ?? ""
      do {
        let json: JSON = ["token": .string(token), "newPassword": .string(form["newPassword"] ?? "")]
        try accounts.resetPassword(try PasswordReset.shape.read(json), at: now)
        return pages.render(ResetPasswordPage(action: path, token: "", state: .done))
      } catch let problem as Problem where problem.status == 422 {
        guard problem.errors.allSatisfy({ $0.field == "newPassword" }) else {
          return pages.render(ResetPasswordPage(action: path, token: "", state: .invalid))
        }
        return pages.render(
          ResetPasswordPage(action: path, token: token, state: .form(errors: problem.errors.map(\.message))))
      }
    }
    return try reading(request) {
      let token = FormValues(reading: request.query ?? "")["token"] ?? ""
      let holds = try accounts.holds(resetToken: token, at: now)
      return pages.render(
        ResetPasswordPage(action: path, token: token, state: holds ? .form(errors: []) : .invalid))
    }
  }
}
