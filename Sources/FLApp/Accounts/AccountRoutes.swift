import FLHTTP
import FLMariaDB
import FLValues

/// Registering, logging in and out, and the own account.
struct AccountRoutes {
  let database: Database
  let accounts: AccountService
  let tokens: Tokens

  var routes: [Route] { signingIn + self.me + passwords }

  private var signingIn: [Route] {
    [
      Route(
        .post, "/api/auth/register", "register", access: .anyone, tag: "Authentication",
        summary: "Make an account", problems: [409], body: Registration.shape,
        reply: .created(Self.registered, at: { _ in "/api/auth/me" }),
        handler: { call, registration in try accounts.register(registration, at: call.now) }),
      Route(
        .post, "/api/auth/login", "logIn", access: .anyone, tag: "Authentication",
        summary: "Log in: get a JWT and a refresh token", problems: [401], body: Credentials.shape,
        reply: .ok(TokenPair.shape), handler: { call, credentials in try logIn(call, credentials) }),
      Route(
        .post, "/api/auth/refresh", "refreshToken", access: .anyone, tag: "Authentication",
        summary: "Exchange a refresh token for new tokens",
        description: "A refresh token works once. One that comes a second time ends its session.",
        problems: [401], body: Self.refreshToken, reply: .ok(TokenPair.shape),
        handler: { call, token in try accounts.refresh(token, at: call.now) }),
      Route(
        .post, "/api/auth/logout", "logOut", access: .person, tag: "Authentication",
        summary: "End the session: its JWT and refresh tokens hold no longer", body: Self.loggedOut,
        bodyMayBeAbsent: true, reply: .noContent, handler: { call, _ in try logOut(call) }),
      Route(
        .post, "/api/auth/session", "beginSession", access: .anyone, tag: "Authentication",
        summary: "Log in with a cookie", problems: [401], body: Credentials.shape,
        reply: .ok(CookieSession.shape), handler: { call, credentials in try beginSession(call, credentials) }
      ),
      Route(
        .get, "/api/auth/session", "getSession", access: .person, tag: "Authentication",
        summary: "Read the cookie's session and its CSRF token", problems: [404],
        reply: .ok(CookieSession.shape), handler: { call in try session(call) }),
      Route(
        .delete, "/api/auth/session", "endSession", access: .person, tag: "Authentication",
        summary: "End the cookie's session", reply: .noContent, handler: { call in try logOut(call) }),
    ]
  }

  private var me: [Route] {
    [
      Route(
        .get, "/api/auth/me", "getMe", access: .account, tag: "Authentication",
        summary: "Read the own account",
        reply: .ok(Account.shape).tagged(\.tag), handler: { call in try account(call) }),
      Route(
        .patch, "/api/auth/me", "updateMe", access: .person, tag: "Authentication",
        summary: "Change the own name or address", problems: [409, 412], body: AccountChanges.shape,
        reply: .ok(Account.shape).tagged(\.tag),
        handler: { call, changes in
          try accounts.change(call.caller.account, changes, if: call.preconditions, at: call.now)
        }),
    ]
  }

  private var passwords: [Route] {
    [
      Route(
        .post, "/api/auth/password", "changePassword", access: .person, tag: "Authentication",
        summary: "Set a new password", description: "All sessions end: log in again with the new password.",
        body: PasswordChange.shape, reply: .noContent,
        handler: { call, change in try changePassword(call, change) }),
      Route(
        .post, "/api/auth/password/forgot", "forgotPassword", access: .anyone, tag: "Authentication",
        summary: "Have a link mailed to set a new password",
        description: "Answers the same whether or not there is an account with the address.",
        body: Self.forgotten, reply: .noContent,
        handler: { call, email in
          try accounts.forgotPassword(email, from: call.request.clientAddress, at: call.now)
        }),
      Route(
        .post, "/api/auth/password/reset", "resetPassword", access: .anyone, tag: "Authentication",
        summary: "Set a new password with the mailed token", body: PasswordReset.shape, reply: .noContent,
        handler: { call, reset in try accounts.resetPassword(reset, at: call.now) }),
    ]
  }

  private static let registered = Shape<Account>.output("Registered", [.init("user", { $0 }, Account.shape)])

  private static let refreshToken = Shape<String>(
    { $0 }, Field("refreshToken", { $0 }, .text(1...255))
  ).named("RefreshToken")

  // Clients send the refresh token along by habit; the session is known without it.
  private static let loggedOut = Shape<String?>(
    { $0 }, Field("refreshToken", { $0 }, .optional(.text(1...255)))
  ).named("LogOut")

  private static let forgotten = Shape<String>({ $0 }, Field("email", { $0 }, .text(1...254)))
    .named("ForgottenPassword")

  func logIn(_ call: Call, _ credentials: Credentials) throws -> TokenPair {
    let account = try accounts.authenticate(credentials, from: call.request.clientAddress, at: call.now)
    call.headers[.cacheControl] = "no-store"
    return try accounts.logIn(account, at: call.now)
  }

  func logOut(_ call: Call) throws {
    switch call.caller.credential {
    case .token(let session): try SessionRows(queries: database).delete(session)
    case .cookie(let session):
      try SessionRows(queries: database).delete(session)
      call.headers[.setCookie] = Tokens.setCookie(nil, isSecure: isSecure(call))
    case .none, .key: break
    }
  }

  /// Whether the cookie may go over https alone; also where TLS ends before the web server.
  private func isSecure(_ call: Call) -> Bool {
    call.request.isSecure || accounts.baseURL.lowercased().hasPrefix("https:")
  }

  func beginSession(_ call: Call, _ credentials: Credentials) throws -> CookieSession {
    let account = try accounts.authenticate(credentials, from: call.request.clientAddress, at: call.now)
    let cookie = try accounts.beginCookieSession(account, at: call.now)
    call.headers[.setCookie] = Tokens.setCookie(cookie, isSecure: isSecure(call))
    call.headers[.cacheControl] = "no-store"
    return CookieSession(user: account, csrfToken: tokens.csrf(cookie: cookie))
  }

  func session(_ call: Call) throws -> CookieSession {
    guard case .cookie = call.caller.credential,
      let cookie = call.request.headers[.cookie].flatMap(Tokens.cookie)
    else { throw Problem.notFound }
    return CookieSession(user: try account(call), csrfToken: tokens.csrf(cookie: cookie))
  }

  func account(_ call: Call) throws -> Account {
    guard let account = try AccountRows(queries: database).find(call.caller.account) else {
      throw Problem.notFound
    }
    return account
  }

  func changePassword(_ call: Call, _ change: PasswordChange) throws {
    // The web UI's own session goes on; a JWT dies with the password, whoever holds it.
    var kept: SessionID?
    if case .cookie(let session) = call.caller.credential { kept = session }
    try accounts.changePassword(of: call.caller.account, change, keeping: kept, at: call.now)
  }
}
