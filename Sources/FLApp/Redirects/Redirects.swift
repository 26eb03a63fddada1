import FLCrypto
import FLHTTP
import FLMariaDB
import FLValues
import HTTPTypes

/// What is at `/{shortCode}`: the redirect, and the pages that stand in its place.
struct Redirects: Sendable {
  let database: Database
  let cache = RedirectCache()
  let generations: Generations
  let spool: ClickSpool
  let salts: ClickSalts
  let attempts: Attempts
  let passwords: Passwords
  let delivery: FileDelivery
  let pages: Pages
  let baseURL: String

  /// Answers a request for a public code.
  func respond(to request: Request, at now: Timestamp) throws -> Response {
    var name = request.path.dropFirst()
    let isPreview = name.last == "+"
    if isPreview { name = name.dropLast() }
    guard let code = ShortCode(name) else { throw Problem.notFound }
    guard [.get, .head, .post].contains(request.method), !(isPreview && request.method == .post) else {
      throw Problem(
        405, "method_not_allowed", "This address does not take this method.",
        headers: [.allow: isPreview ? "GET, HEAD" : "GET, HEAD, POST"])
    }
    guard let target = try target(of: code, at: now) else {
      return pages.render(NotFoundPage(shortCode: code.text))
    }
    if isPreview { return try preview(target, at: now) }
    if let closed = closed(target, at: now) { return closed }
    // Nobody is asked for a password where it would open nothing.
    if target.passwordHash != nil, target.maxClicks != nil,
      try RedirectRows(queries: database).isUsedUp(target.link)
    {
      return gone(target, .usedUp)
    }
    if request.method == .post { return try passwordForm(target, request, at: now) }
    if target.passwordHash != nil {
      return pages.render(PasswordPage(action: action(request), state: .asking))
    }
    return try follow(target, request, at: now)
  }

  /// Sends the visitor on, or the file, and notes the click before the answer leaves.
  private func follow(_ target: RedirectTarget, _ request: Request, at now: Timestamp) throws -> Response {
    let visit = Visit(request)
    var isRecorded = visit.isRecorded
    var response: Response
    switch target.destination {
    case .url(let url, let plain):
      response = target.redirect(to: url, plain: plain, query: visit.query)
      // After a form the visitor's next request is a GET.
      if request.method == .post { response.status = 303 }
    case .file(let id):
      let rows = FileRows(account: target.account, queries: database)
      guard let file = try rows.find(id) else { throw Problem.notFound }
      response = try delivery.respond(
        file, to: request, asAttachment: true, isPublic: target.passwordHash == nil)
      // A download that goes on is no other click.
      isRecorded = isRecorded && !visit.isContinuation
    }
    if target.maxClicks != nil {
      let rows = RedirectRows(queries: database)
      let isOpen = visit.usesClick ? try rows.admit(target.link) : try !rows.isUsedUp(target.link)
      guard isOpen else { return gone(target, .usedUp) }
    }
    if isRecorded {
      spool.append(
        visit.record(
          of: target.link, account: target.account, qrCode: target.qrCode(of: visit.mark), salts: salts,
          at: now))
    }
    return response
  }

  /// The link at `code`, from this process's memory while that holds.
  private func target(of code: ShortCode, at now: Timestamp) throws -> RedirectTarget? {
    let generation = generations.current(.code(code))
    let entry = cache[code]
    // What nobody on this host has changed since is still true while the database is away.
    if let entry, entry.generation == generation, now < entry.freshUntil || cache.isDatabaseAway(at: now) {
      return entry.target
    }
    do {
      guard let target = try RedirectRows(queries: database).find(code) else {
        cache.remove(code)
        return nil
      }
      cache.keep(
        .init(target: target, generation: generation, freshUntil: now + RedirectCache.lifetime), for: code)
      return target
    } catch let error as DatabaseError where error.isAbsence {
      cache.databaseIsAway(at: now)
      guard let entry, entry.generation == generation else { throw error }
      return entry.target
    }
  }

  /// What stands in the place of a link that leads nowhere (any more).
  private func closed(_ target: RedirectTarget, at now: Timestamp) -> Response? {
    if !target.isEnabled { return gone(target, .disabled) }
    if let expiry = target.expiresAt, expiry <= now { return gone(target, .expired) }
    return nil
  }

  private func gone(_ target: RedirectTarget, _ reason: GonePage.Reason) -> Response {
    target.expired ?? pages.render(GonePage(reason: reason, title: target.title))
  }

  private func preview(_ target: RedirectTarget, at now: Timestamp) throws -> Response {
    var isAvailable = closed(target, at: now) == nil
    if isAvailable && target.maxClicks != nil {
      isAvailable = try !RedirectRows(queries: database).isUsedUp(target.link)
    }
    let destination: PreviewPage.Destination
    switch target.destination {
    case .url(let url, _): destination = .url(target.location(of: url))
    case .file(let id):
      guard let file = try FileRows(account: target.account, queries: database).find(id) else {
        throw Problem.notFound
      }
      destination = .file(
        name: file.name.text, details: "\(file.contentType.text), \(ByteCount.words(file.size))")
    }
    return pages.render(
      PreviewPage(
        shortUrl: "\(baseURL)/\(target.code)", destination: destination, title: target.title,
        createdAt: target.createdAt.dayInWords, isPasswordProtected: target.passwordHash != nil,
        isAvailable: isAvailable))
  }

  private func passwordForm(_ target: RedirectTarget, _ request: Request, at now: Timestamp) throws
    -> Response
  {
    guard let hash = target.passwordHash else {
      throw Problem(
        405, "method_not_allowed", "This address does not take this method.", headers: [.allow: "GET, HEAD"])
    }
    let subject = attempts.subject("link \(target.link) \(clientNetwork(request.clientAddress))", free: 5)
    do {
      try attempts.check([subject], at: now)
    } catch let problem as Problem where problem.status == 429 {
      let seconds = problem.headers[.retryAfter].flatMap(Int.init) ?? 1
      return pages.render(
        PasswordPage(action: action(request), state: .throttled(retryAfterSeconds: seconds)))
    }
    let form = FormValues(reading: String(decoding: try request.bodyBytes(limit: 8192), as: UTF8.self))
    guard let password = form["password"], try passwords.verify(password, against: hash) else {
      try attempts.failed([subject], at: now)
      return pages.render(PasswordPage(action: action(request), state: .wrong))
    }
    try attempts.succeeded(subject)
    return try follow(target, request, at: now)
  }

  /// Where the form goes: the same address, so that a query that came along is forwarded and a scan stays one.
  private func action(_ request: Request) -> String { request.path + (request.query.map { "?" + $0 } ?? "") }
}

extension DatabaseError {
  /// Whether the database could not be asked at all.
  var isAbsence: Bool {
    switch self {
    case .unavailable, .exhausted: true
    default: false
    }
  }
}

extension Timestamp {
  /// The day (UTC) as a person writes it: `22 November 2026`.
  fileprivate var dayInWords: String {
    let months = [
      "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
      "November",
      "December",
    ]
    return "\(civil.day) \(months[civil.month - 1]) \(civil.year)"
  }
}
