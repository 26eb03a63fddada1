import FLHTTP
import FLValues

/// What is at `/m/…`: the addresses that stand in mails, and the forms that lead to mails. The first word says whose
/// they are, and one type answers each.
struct MailSite: Sendable {
  static let prefix = "/m/"

  let confirmations: ConfirmationSite
  let subscriptions: SubscriptionSite
  let visits: MailingVisits

  /// Answers a request for a path that begins with `prefix`.
  func respond(to request: Request, requestID: String, at now: Timestamp) throws -> Response {
    let parts = request.path.dropFirst(Self.prefix.count).split(
      separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2 else { throw Problem.notFound }
    switch parts[0] {
    case "confirm": return try confirmations.respond(to: request, parts[1], at: now)
    case "subscribe": return try subscriptions.respond(to: request, parts[1], requestID: requestID, at: now)
    // Short, since they stand in mails and are long enough.
    case "u": return try visits.unsubscribe(parts[1], request, at: now)
    case "c": return try visits.click(parts[1], request, at: now)
    case "o": return try visits.image(parts[1], request, at: now)
    default: throw Problem.notFound
    }
  }
}
