import FLGeoIP
public import FLHTTP
import FLMariaDB
import FLQRCode
public import FLValues
import Foundation
import HTTPTypes
public import Logging

/// The whole application: it answers a request with a response, without a socket.
///
/// Begin reading here: `routes` is the list of all operations, `respond` is what happens to each request.
public final class App: Sendable {
  /// The product's version.
  public static let version = "0.1.0"

  /// How this copy is set up.
  public let settings: Settings
  /// The database.
  public let database: Database
  /// The changes of the database that this program brings.
  public let migrations: Migrations
  /// Registering, logging in, and passwords.
  public let accounts: AccountService
  /// Files, their rows and their bytes.
  let files: FileService
  /// Files of contacts that are imported.
  let imports: ContactImportService
  /// Where the redirects of this process note their clicks.
  public let spool: ClickSpool

  /// What the sender delivers to webhooks.
  public let webhooks: WebhookQueue

  private let geoDatabases: GeoDatabases
  /// Made when the API is called first: it holds every route and schema, and a process of plain CGI that answers a
  /// redirect needs none of them.
  private let router: Lazy<Router<Caller>>
  private let gate: Gate
  private let limits: RateLimits
  private let idempotency: Idempotency
  private let optIn: DoubleOptIn
  private let site: Site
  private let salts: ClickSalts
  private let locate: ClickLoader.Locate
  private let requestIDs = RequestIDs()
  private let clock: @Sendable () -> Timestamp
  private let log: LogSink
  let logger: Logger
  /// From whom mail comes, and what signs it.
  let sendingDomains: SendingDomains
  /// The signed names of recipients' messages.
  let mailingTokens: MailingTokens

  /// Builds the application for a process that answers `workers` requests at a time.
  ///
  /// It does not ask the database: a process starts while that is away.
  /// - Throws: `Settings.Failure` and errors of the templates, where a file that is needed is not there.
  public init(
    settings: Settings, logger: Logger, log: LogSink, workers: Int = 64,
    clock: @escaping @Sendable () -> Timestamp = { .now }
  ) throws {
    try settings.makeDirectories()
    self.settings = settings
    self.logger = logger
    self.log = log
    self.clock = clock
    database = Database(settings.database, logger: logger)
    migrations = Migrations(directory: settings.share + "/sql")
    spool = try ClickSpool(directory: settings.state + "/spool", logger: logger)
    salts = ClickSalts()
    sendingDomains = SendingDomains(settings: settings)
    mailingTokens = MailingTokens(settings: settings)
    let generations = try Generations(settings: settings)
    let tokens = Tokens(settings: settings)
    let lane = Lane(workers: workers)
    let passwords = Passwords(lane: lane)
    let attempts = Attempts(database: database, secret: settings.secret)
    let mail = MailOutbox(settings: settings)
    accounts = AccountService(
      database: database, tokens: tokens, attempts: attempts, mail: mail, passwords: passwords,
      baseURL: settings.baseURL)
    optIn = DoubleOptIn(database: database, mail: mail, baseURL: settings.baseURL)
    gate = Gate(
      database: database, tokens: tokens, plans: Plans(database: database),
      memory: APIKeyMemory(generations: generations, settings: settings), origin: settings.baseURL)
    idempotency = Idempotency(database: database, settings: settings)
    limits = RateLimits(table: try SharedTable(path: settings.state + "/run/limits", count: 1 << 16))

    files = FileService(database: database, directory: settings.state + "/files", lane: lane)
    imports = ContactImportService(database: database, directory: settings.state + "/imports", lane: lane)
    let delivery = FileDelivery(store: files.store, accel: settings.accel)

    let qrCodes = QRCodeMaker(
      logos: Logos(database: database, store: files.store), font: Lazy { CaptionFont(path: settings.font) },
      baseURL: settings.baseURL)
    let links = LinkService(
      database: database, generations: generations, passwords: passwords, qrCodes: qrCodes,
      baseURL: settings.baseURL)
    webhooks = WebhookQueue(settings: settings, database: database)
    let clicks = ClickRoutes(database: database)
    geoDatabases = GeoDatabases(
      directory: settings.geoIPDirectory, copies: settings.state + "/run/geoip", logger: logger)
    // Where the clicks come from, by the local databases alone: no visitor's address goes to anybody else.
    locate = { [geoDatabases] address in geoDatabases.place(of: address) }
    let geo = try GeoService(
      settings: settings, database: database, databases: geoDatabases, workers: workers)

    let assets = try Assets(share: settings.share, scalar: settings.scalar)
    let pages = try Pages(directory: settings.share + "/web/pages", assetVersion: assets.version)
    let mailings = MailingService(
      database: database, audience: MailingAudience(database: database),
      domains: sendingDomains, lookups: try SenderLookups(settings: settings, lane: lane),
      baseURL: settings.baseURL)
    let domainService = try SendingDomainService(settings: settings, database: database, lane: lane)

    router = Lazy { [accounts, database, migrations, spool, files, imports, optIn] in
      let openAPI = Documents.OpenAPIBytes()
      // All operations of the API, service by service.
      let routes: [Route] = [
        AccountRoutes(database: database, accounts: accounts, tokens: tokens).routes,
        PlanRoutes(database: database).routes,
        APIKeyRoutes(database: database, generations: generations).routes,
        LinkRoutes(database: database, links: links, baseURL: settings.baseURL).routes,
        QRCodeRoutes(
          database: database,
          codes: QRCodeService(database: database, links: links, generations: generations, maker: qrCodes),
          clicks: clicks
        ).routes,
        ContactRoutes(database: database).routes,
        TagRoutes(database: database).routes,
        ContactGroupRoutes(
          database: database, service: ContactGroupService(database: database, optIn: optIn),
          baseURL: settings.baseURL
        ).routes,
        clicks.routes,
        FileRoutes(database: database, files: files, delivery: delivery).routes,
        ContactFileRoutes(database: database, imports: imports, logger: logger).routes,
        GeoRoutes(service: geo).routes,
        WebhookRoutes(
          database: database,
          webhooks: WebhookService(database: database, secrets: WebhookSecrets(settings: settings))
        ).routes,
        MailingRoutes(database: database, mailings: mailings, pages: pages).routes,
        MailingTemplateRoutes(database: database, mailings: mailings).routes,
        SendingDomainRoutes(
          database: database, service: domainService,
          host: WebURL(settings.baseURL)?.host ?? settings.baseURL
        ).routes,
        Documents(database: database, migrations: migrations, spool: spool, openAPI: openAPI).routes,
      ].flatMap { $0 }
      openAPI.set { Self.document(settings, routes) }
      return Router(routes)
    }

    site = Site(
      pages: pages, assets: assets,
      redirects: Redirects(
        database: database, generations: generations, spool: spool, salts: salts, attempts: attempts,
        passwords: passwords, delivery: delivery, pages: pages, baseURL: settings.baseURL),
      accounts: accounts,
      mail: MailSite(
        confirmations: ConfirmationSite(optIn: optIn, pages: pages),
        subscriptions: SubscriptionSite(
          service: SubscriptionService(database: database, attempts: attempts, optIn: optIn),
          stamps: FormStamp(settings: settings), pages: pages),
        visits: MailingVisits(
          database: database, tokens: mailingTokens, webhooks: WebhookOutbox(), pages: pages)),
      baseURL: settings.baseURL, version: App.version)
  }

  static let info = OpenAPI.Info(
    title: "FastLinkIt", version: version,
    description: """
      Short links, and what was clicked. Log in for a JWT, or make an API key and send it in `X-Api-Key`.

      Errors are problem details (RFC 9457) with a stable `code`. Lists are paged by `cursor`. `PATCH` is a merge \
      patch (RFC 7396). A `POST` with an `Idempotency-Key` is safe to repeat. What is public is at `/{shortCode}`: \
      the redirect, and with a `+` behind it a preview.
      """,
    tags: [
      ("Links", "Short links and their tags."), ("QR codes", "Symbols that lead to links."),
      ("Contacts", "People by their e-mail addresses, whether mailings may go to them, imports and exports."),
      ("Tags", "Labels of links and contacts."),
      ("Statistics", "Who followed the links."),
      ("Contact groups", "Lists of contacts, and the forms to subscribe to them."),
      ("Files", "Files to download, and to lead links to."),
      ("GeoIP", "Where addresses are."),
      ("Webhooks", "Addresses of yours that are told of what happens."),
      (
        "Mailings",
        "Messages to many contacts, their recipients and templates, and the domains they come from."
      ),
      ("Authentication", "Accounts, log-ins and passwords."), ("API keys", "Scoped keys for programs."),
      ("Account", "Plans, and what was used of them."),
      ("Documents", "This document, and the health of the service."),
    ])

  /// Every operation, for tests that go over all of them.
  var routes: [Route] { router.value.routes }

  /// The OpenAPI document.
  public var openAPIDocument: JSON {
    Self.document(settings, router.value.routes)
  }

  private static func document(_ settings: Settings, _ routes: [Route]) -> JSON {
    OpenAPI.document(
      info, server: settings.baseURL, routes: routes,
      webhooks: WebhookDocuments(baseURL: settings.baseURL).webhooks)
  }

  // MARK: One request

  /// Answers a request.
  public func respond(to request: Request) -> Response {
    let started = ContinuousClock.now
    let now = clock()
    let requestID = requestIDs.id(of: request)
    var record = RequestRecord(
      method: request.method.rawValue, route: "", requestID: requestID, started: started, time: now)
    var response =
      Self.isForAPI(request.path)
      ? answerAPI(request, requestID, at: now, &record) : answerSite(request, requestID, at: now, &record)
    response.headers.append(HTTPField(name: .requestID, value: requestID))
    record.status = response.status
    log.append(record.line(at: .now))
    return response
  }

  private static func isForAPI(_ path: String) -> Bool {
    path.hasPrefix("/api/") || path == "/health" || path == "/api" || path.hasPrefix("/openapi/")
  }

  private func answerSite(
    _ request: Request, _ requestID: String, at now: Timestamp, _ record: inout RequestRecord
  )
    -> Response
  {
    record.route = "/{shortCode}"
    do {
      // A password to check costs more than all redirects of a second.
      if request.method == .post {
        var limit: RateLimits.State?
        try countAnonymous(request, at: now, &limit)
      }
      return try site.respond(to: request, requestID: requestID, at: now)
    } catch {
      return site.page(problem(error, requestID), requestID: requestID)
    }
  }

  private func answerAPI(
    _ request: Request, _ requestID: String, at now: Timestamp, _ record: inout RequestRecord
  )
    -> Response
  {
    var limit: RateLimits.State?
    var response: Response
    do {
      if request.method == .options {
        let methods = router.value.methods(of: request)
        guard !methods.isEmpty else { throw Problem.notFound }
        response = CrossOrigin.preflight(request, methods: methods)
      } else {
        let match = try match(request, at: now, &limit)
        record.route = match.route.path
        let caller = try identify(request, for: match.route, at: now, &limit)
        record.account = caller.member?.account
        try caller.check(match.route)
        let call = Call(request, requestID: requestID, caller: caller, now: now)
        response = try run(match, call)
      }
    } catch {
      response = problem(error, requestID).response(instance: request.path, requestID: requestID)
    }
    limit?.write(to: &response.headers)
    CrossOrigin.allow(request, &response.headers)
    return response
  }

  /// Finds the operation; asking for what there is not is counted as well.
  private func match(_ request: Request, at now: Timestamp, _ limit: inout RateLimits.State?) throws
    -> Router<Caller>.Match
  {
    do throws(Problem) {
      return try router.value.match(request)
    } catch {
      try countAnonymous(request, at: now, &limit)
      throw error
    }
  }

  /// Finds out who calls and counts the request against the caller's limit.
  private func identify(
    _ request: Request, for route: Route, at now: Timestamp, _ limit: inout RateLimits.State?
  ) throws -> Caller {
    guard route.access != .anyone else {
      // The health and the document are asked for by monitors and pages as often as they like.
      if route.path.hasPrefix("/api/") { try countAnonymous(request, at: now, &limit) }
      return .nobody
    }
    let caller: Caller
    do {
      caller = try gate.identify(request, at: now)
    } catch let problem as Problem {
      // Guessing keys is counted as well.
      try countAnonymous(request, at: now, &limit)
      throw problem
    }
    guard let member = caller.member else {
      try countAnonymous(request, at: now, &limit)
      return caller
    }
    let state = limits.take(member.account.bytes, limit: member.plan.requestsPerMinute, at: now)
    limit = state
    if state.isOver { throw tooMany(state) }
    return caller
  }

  private func countAnonymous(_ request: Request, at now: Timestamp, _ limit: inout RateLimits.State?) throws
  {
    let state = limits.take(
      clientNetwork(request.clientAddress).utf8, limit: RateLimits.anonymousPerMinute, at: now)
    limit = state
    if state.isOver { throw tooMany(state) }
  }

  private func tooMany(_ state: RateLimits.State) -> Problem {
    .rateLimited(
      retryAfter: .seconds(state.resetsIn), "\(state.limit ?? 0) requests a minute are allowed.")
  }

  /// Runs the operation, or replays what it answered before.
  private func run(_ match: Router<Caller>.Match, _ call: Call) throws -> Response {
    guard let account = call.caller.member?.account else { return try match.respond(to: call) }
    let operation = try match.prepare(call)
    switch try idempotency.begin(
      call.request, content: operation.fingerprint, bodyLimit: match.route.bodyLimit, account: account,
      at: call.now)
    {
    case .notAsked: return try operation.respond()
    case .replay(let response): return response
    case .run(let hold):
      let response: Response
      do {
        response = try operation.respond()
      } catch {
        response = problem(error, call.requestID).response(
          instance: call.request.path, requestID: call.requestID)
      }
      do {
        try idempotency.settle(hold, response)
      } catch {
        // The operation is done: its answer goes out, though it can't be replayed.
        logger.error("an idempotent answer could not be kept", metadata: ["requestId": "\(call.requestID)"])
      }
      return response
    }
  }

  // MARK: The door for errors

  /// What a client is told of an error.
  private func problem(_ error: any Error, _ requestID: String) -> Problem {
    switch error {
    case let problem as Problem: return problem
    case let error as DatabaseError: return problem(of: error, requestID)
    default:
      logger.error(
        "unexpected error", metadata: ["requestId": "\(requestID)", "error": "\(type(of: error))"])
      return .unexpected
    }
  }

  private func problem(of error: DatabaseError, _ requestID: String) -> Problem {
    switch error {
    case .unavailable, .exhausted: return .unavailable("The database can't be reached for the moment.")
    case .conflict: return .unavailable("Too many changed the same thing at once.", retryAfter: 1)
    case .duplicate(let constraint): return .conflict("There is one already (\(constraint)).")
    case .foreignKey: return .conflict("Something that this belongs to is gone.")
    case .tooLong(let column): return .invalid(column, "too_long", "This is too long, or out of range.")
    case .check(let constraint): return .invalid(constraint, "invalid", "This is not allowed.")
    case .conversion(let column, let detail):
      logger.error(
        "unexpected value",
        metadata: ["requestId": "\(requestID)", "column": "\(column)", "detail": "\(detail)"])
      return .unexpected
    case .failed(let code, let state, _):
      logger.error(
        "statement failed", metadata: ["requestId": "\(requestID)", "code": "\(code)", "state": "\(state)"])
      return .unexpected
    }
  }

  // MARK: Beside the requests

  /// Works beside the requests until `isStopping`: puts clicks into the database, keeps the salts of the visitor
  /// digests, and writes the log out. For threads of their own.
  public func work(until isStopping: @escaping @Sendable () -> Bool) {
    let loader = ClickLoader(
      directory: settings.state + "/spool", spool: spool, database: database, salts: salts, locate: locate,
      news: ClickNews(baseURL: settings.baseURL), logger: logger)
    loader.run(until: isStopping)
  }

  /// Writes request lines out until `isStopping`.
  public func writeLog(until isStopping: @escaping @Sendable () -> Bool) {
    while !isStopping() {
      Thread.sleep(forTimeInterval: 0.2)
      log.flush()
    }
  }

  /// Takes up GeoIP databases that were replaced, until `isStopping`.
  public func watchGeoIP(until isStopping: @escaping @Sendable () -> Bool) {
    while !isStopping() {
      geoDatabases.look()
      for _ in 0..<5 where !isStopping() { Thread.sleep(forTimeInterval: 0.2) }
    }
  }

  /// Imports the files of contacts that wait on this host, until `isStopping`; for a thread of its own.
  public func runImports(until isStopping: @escaping @Sendable () -> Bool) {
    var pause = 1.0
    while !isStopping() {
      do {
        if try imports.runNext(clock: clock, until: isStopping) {
          pause = 1
          continue
        }
        pause = 1
      } catch {
        logger.warning("imports wait", metadata: ["error": "\(error.loggable)"])
        pause = min(30, pause * 2)
      }
      let end = ContinuousClock.now + .seconds(pause)
      while !isStopping(), ContinuousClock.now < end { Thread.sleep(forTimeInterval: 0.2) }
    }
  }

  /// Imports what waits on this host, for at most `limit` and a thousand rows more.
  /// - Returns: how many files that were, in part or whole.
  /// - Throws: `DatabaseError`.
  @discardableResult
  public func runImports(within limit: Duration) throws -> Int {
    let deadline = ContinuousClock.now + limit
    var files = 0
    while ContinuousClock.now < deadline,
      try imports.runNext(clock: clock, until: { ContinuousClock.now >= deadline })
    {
      files += 1
    }
    return files
  }

  /// Ends a process: what it has noted is left to others.
  public func finish() {
    spool.finish()
    log.flush()
  }

  /// What a process of many requests has to do: make ready what the first one would else wait for.
  public func prepareForMany() { _ = router.value }

  /// What a process of one request has to do: prepare the salts before, and load its click after the answer.
  public func prepareForOne() { try? salts.refresh(database) }

  /// Takes away what is too old to matter, a bounded part of it.
  /// - Throws: `DatabaseError`.
  public func purge(at now: Timestamp) throws {
    try AccountRows(queries: database).purge(at: now)
    try SessionRows(queries: database).purge(at: now)
    try accounts.attempts.purge(at: now)
    try idempotency.purge(at: now)
    try accounts.mail.purge(in: database, at: now)
    try PublicCodeRows(queries: database).purge(at: now)
    try webhooks.purge(at: now)
    try files.sweep(at: now)
    try imports.sweep(at: now)
    try GeoRows(queries: database).purge(at: now)
    try SenderRunRows(queries: database).purge(at: now)
    try SendRates(queries: database).purge(at: now)
    try MailingTestQueue.purge(in: database, at: now)
    try optIn.purge(at: now)
    try ContactGroupService(database: database, optIn: optIn).purge()
    // The one table that grows with each visitor.
    for _ in 0..<50 where try ClickRows.purge(on: database, now: now, limit: 10_000) < 10_000 { break }
  }

  /// Loads the clicks that lie around, for at most `limit`.
  /// - Throws: `DatabaseError`.
  @discardableResult
  public func loadClicks(within limit: Duration) throws -> Int {
    spool.finish()
    return try ClickLoader(
      directory: settings.state + "/spool", spool: nil, database: database, salts: salts, locate: locate,
      news: ClickNews(baseURL: settings.baseURL), logger: logger
    ).drainOnce(within: limit)
  }
}

extension Problem {
  fileprivate static let unexpected = Problem(
    500, "internal_error", "Something went wrong here.", detail: "It is in the log under this request's id.")
}
