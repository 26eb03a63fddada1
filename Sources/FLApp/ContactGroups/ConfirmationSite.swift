import FLHTTP
import FLValues
import HTTPTypes

/// What is at `/m/confirm/{token}`: the page with the button, and what the button does.
struct ConfirmationSite: Sendable {
  let optIn: DoubleOptIn
  let pages: Pages

  /// Answers a request with `token`. Only POST changes something: programs that guard mailboxes follow every link.
  func respond(to request: Request, _ token: Substring, at now: Timestamp) throws -> Response {
    let token = String(token)
    switch request.method {
    case .get, .head:
      return page(request, try optIn.confirmation(of: token, at: now), .asking)
    case .post:
      return page(request, try optIn.confirm(token, at: now), .done)
    default:
      throw Problem(
        405, "method_not_allowed", "This address does not take this method.",
        headers: [.allow: "GET, HEAD, POST"])
    }
  }

  private func page(_ request: Request, _ confirmation: Confirmation?, _ state: ConfirmPage.State) -> Response
  {
    pages.render(ConfirmPage(action: request.path, confirmation: confirmation, state: state))
  }
}
