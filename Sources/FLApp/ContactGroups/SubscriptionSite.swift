import FLHTTP
import FLValues
import HTTPTypes

/// What is at `/m/subscribe/{groupId}`: the form for people, and the same for scripts of other sites.
struct SubscriptionSite: Sendable {
  let service: SubscriptionService
  let stamps: FormStamp
  let pages: Pages

  /// Answers a request for the group called `name`.
  func respond(to request: Request, _ name: Substring, requestID: String, at now: Timestamp) throws
    -> Response
  {
    guard request.method != .options else {
      var response = CrossOrigin.preflight(request, methods: ["GET", "HEAD", "OPTIONS", "POST"])
      CrossOrigin.allow(request, &response.headers)
      return response
    }
    guard [.get, .head, .post].contains(request.method) else {
      throw Problem(
        405, "method_not_allowed", "This address does not take this method.",
        headers: [.allow: "GET, HEAD, OPTIONS, POST"])
    }
    guard request.method == .post, wantsJSON(request) else { return try page(request, name, at: now) }
    var response: Response
    do {
      let group = try group(name)
      _ = try take(try subscription(in: request), to: group, from: request, at: now)
      response = Response(
        status: 200, headers: [.contentType: "application/json", .cacheControl: "no-store"],
        body: .bytes(JSON.object(["status": "pending"]).bytes))
    } catch let problem as Problem {
      response = problem.response(instance: request.path, requestID: requestID)
    }
    CrossOrigin.allow(request, &response.headers)
    return response
  }

  private func group(_ name: Substring) throws -> PublicGroup {
    guard let id = ContactGroupID(String(name)), let group = try service.group(id) else {
      throw Problem.notFound
    }
    return group
  }

  /// Whether a script asks: a browser that sends a form prefers HTML.
  private func wantsJSON(_ request: Request) -> Bool {
    let accepted = request.headers[.accept]?.lowercased() ?? ""
    return accepted.contains("application/json") && !accepted.contains("text/html")
  }

  /// Subscribes, unless a program filled in the form: that is told nothing of it.
  private func take(
    _ subscription: Subscription, to group: PublicGroup, from request: Request, at now: Timestamp
  ) throws {
    guard subscription.trapped == nil else { return }
    if let stamp = subscription.stamp {
      switch stamps.check(stamp, for: group.stampSubject, at: now) {
      case .good: break
      case .tooYoung:
        throw Problem.invalid("stamp", "too_fast", "That was very quick. Please press the button once more.")
      case .tooOld:
        throw Problem.invalid(
          "stamp", "form_expired", "This form lay around for long. Please press the button once more.")
      }
    }
    try service.subscribe(subscription, to: group, from: request.clientAddress, at: now)
  }

  /// Reads what was sent, as a form or as JSON.
  private func subscription(in request: Request) throws -> Subscription {
    let bytes = try request.bodyBytes(limit: 8192)
    switch MediaType(request.headers[.contentType] ?? "application/x-www-form-urlencoded").essence {
    case "application/json": return try Subscription.shape.read(try JSON(reading: bytes))
    case "application/x-www-form-urlencoded":
      return try Subscription.shape.read(Subscription.members(of: form(bytes)))
    default:
      throw Problem(
        415, "unsupported_media_type", "The body is of a type that is not taken here.",
        detail: "Send application/x-www-form-urlencoded or application/json.")
    }
  }

  private func form(_ bytes: [UInt8]) -> FormValues {
    FormValues(reading: String(decoding: bytes, as: UTF8.self))
  }

  // MARK: Pages

  private func page(_ request: Request, _ name: Substring, at now: Timestamp) throws -> Response {
    let group = try group(name)
    return FormValues(reading: request.query ?? "")["embed"] == "1"
      ? try page(FramedPage.self, group, request, at: now) : try page(WholePage.self, group, request, at: now)
  }

  private func page<Place: SubscribePlace>(
    _ place: Place.Type, _ group: PublicGroup, _ request: Request, at now: Timestamp
  ) throws -> Response {
    func render(_ state: SubscribePage<Place>.State) -> Response {
      pages.render(
        SubscribePage<Place>(
          group: group, action: request.path + (Place.isFramable ? "?embed=1" : ""),
          stamp: stamps.make(for: group.stampSubject, at: now), state: state))
    }
    guard request.method == .post else { return render(.form()) }
    do {
      let subscription = try subscription(in: request)
      try take(subscription, to: group, from: request, at: now)
      return render(.done(email: subscription.email.text))
    } catch let problem as Problem where problem.status == 422 {
      return render(.form(entries(of: request), problems: Self.words(for: problem)))
    } catch let problem as Problem where problem.status == 429 {
      return render(.throttled(retryAfterSeconds: problem.headers[.retryAfter].flatMap(Int.init) ?? 1))
    }
  }

  private func entries(of request: Request) -> SubscribeEntries {
    // It was read before.
    guard let bytes = try? request.bodyBytes(limit: 8192) else { return SubscribeEntries() }
    let form = form(bytes)
    return SubscribeEntries(
      email: form["email"] ?? "", firstName: form["firstName"] ?? "", lastName: form["lastName"] ?? "")
  }

  /// What a person is told of each field that is wrong.
  private static func words(for problem: Problem) -> [String: String] {
    problem.errors.reduce(into: [:]) { words, error in
      words[error.field] =
        error.field == "email" ? "That is no e-mail address. It looks like anna@example.org." : error.message
    }
  }
}
