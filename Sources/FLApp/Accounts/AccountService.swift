import FLCrypto
import FLHTTP
import FLMariaDB
import FLValues

/// Registering, logging in and out, and passwords.
public struct AccountService: Sendable {
  let database: Database
  let tokens: Tokens
  let attempts: Attempts
  package let mail: MailOutbox
  let passwords: Passwords
  let baseURL: String

  /// Makes an account on `plan`.
  /// - Throws: `Problem` 409 when the address is taken: nothing of that account changes.
  func register(_ registration: Registration, plan: String = "free", at now: Timestamp) throws -> Account {
    let account = Account(
      id: AccountID(at: now), email: registration.email.text, name: registration.name, plan: plan, version: 1,
      createdAt: now, updatedAt: now)
    let hash = try passwords.hash(registration.password)
    do {
      try AccountRows(queries: database).insert(account, passwordHash: hash)
    } catch DatabaseError.duplicate(constraint: "accounts_email") {
      throw Problem.conflict("There is an account with this address already.", field: "email")
    }
    return account
  }

  /// The account with this address, if the password is its own.
  /// - Throws: `Problem` 401, the same for an unknown address and a wrong password; 429 after too many of either.
  func authenticate(_ credentials: Credentials, from address: String, at now: Timestamp) throws -> Account {
    let key = credentials.email.lowercased()
    let client = clientNetwork(address)
    let clientSubject = attempts.subject("client \(client)", free: 20)
    let accountSubject = attempts.subject("account \(key)", free: 5)
    let pairSubject = attempts.subject("pair \(client) \(key)", free: 5)
    // Failures from elsewhere lock nobody out of an account from where it was used before.
    let isKnown = try attempts.knows(client: client, emailKey: key, at: now)
    let subjects = [clientSubject, isKnown ? pairSubject : accountSubject]
    try attempts.check(subjects, at: now)
    let found = try AccountRows(queries: database).find(emailKey: key)
    guard try passwords.verify(credentials.password, against: found?.passwordHash),
      var (account, hash) = found
    else {
      try attempts.failed(subjects, at: now)
      throw Self.wrongCredentials
    }
    try attempts.succeeded(isKnown ? pairSubject : accountSubject)
    try attempts.remember(client: client, emailKey: key, account: account.id, at: now)
    if passwords.needsRehash(hash) {
      hash = try passwords.hash(credentials.password)
      try AccountRows(queries: database).setPasswordHash(hash, of: account.id, at: now)
      account.version += 1
    }
    return account
  }

  private static let wrongCredentials = Problem.unauthenticated("The address or the password is wrong.")

  /// Begins a session of tokens.
  func logIn(_ account: Account, at now: Timestamp) throws -> TokenPair {
    let session = SessionID(at: now)
    let refresh = SecureRandom.token()
    try database.transaction { connection in
      try checkUnchanged(account, on: connection)
      let rows = SessionRows(queries: connection)
      try rows.insert(
        session, account: account.id, cookieDigest: nil, at: now, expiresAt: now + Tokens.sessionLifetime)
      try rows.insertRefreshToken(digest: SHA256.digest(refresh), session: session)
    }
    return pair(account, session, refresh, at: now)
  }

  private func pair(_ account: Account, _ session: SessionID, _ refresh: String, at now: Timestamp)
    -> TokenPair
  {
    TokenPair(
      token: tokens.jwt(account: account.id, session: session, at: now),
      expiresIn: Int(Tokens.jwtLifetime.components.seconds), refreshToken: refresh, user: account)
  }

  /// New tokens for a refresh token, which is used up by this.
  /// - Throws: `Problem` 401 for one that does not hold; when it was used before, its whole session ends.
  func refresh(_ token: String, at now: Timestamp) throws -> TokenPair {
    let digest = SHA256.digest(token)
    let next = SecureRandom.token()
    let outcome = try database.transaction { connection -> (Account, SessionID)? in
      let rows = SessionRows(queries: connection)
      guard let (session, account) = try rows.session(ofRefreshToken: digest, at: now),
        let account = try AccountRows(queries: connection).find(account)
      else { return nil }
      guard try rows.useRefreshToken(digest: digest, at: now) else {
        try rows.delete(session)
        return nil
      }
      try rows.insertRefreshToken(digest: SHA256.digest(next), session: session)
      try rows.extend(session, to: now + Tokens.sessionLifetime)
      return (account, session)
    }
    guard let (account, session) = outcome else {
      throw Problem.unauthenticated("The refresh token is not known, was used before or has expired.")
    }
    return pair(account, session, next, at: now)
  }

  /// Begins a session of the web UI; answers its cookie.
  func beginCookieSession(_ account: Account, at now: Timestamp) throws -> String {
    let cookie = SecureRandom.token()
    try database.transaction { connection in
      try checkUnchanged(account, on: connection)
      try SessionRows(queries: connection).insert(
        SessionID(at: now), account: account.id, cookieDigest: SHA256.digest(cookie), at: now,
        expiresAt: now + Tokens.sessionLifetime)
    }
    return cookie
  }

  /// A password that was changed after it was checked begins no session any more.
  private func checkUnchanged(_ account: Account, on connection: Connection) throws {
    guard try AccountRows(queries: connection).lockVersion(of: account.id) == account.version else {
      throw Self.wrongCredentials
    }
  }

  /// Changes the own name or address.
  /// - Throws: `Problem` 409, 412, or 422 where the address is to change and the password is wrong.
  func change(_ id: AccountID, _ changes: AccountChanges, if preconditions: Preconditions, at now: Timestamp)
    throws
    -> Account
  {
    if changes.email != nil {
      let hash = try AccountRows(queries: database).passwordHash(of: id) ?? ""
      guard let password = changes.currentPassword else {
        throw Problem.invalid("currentPassword", "required", "This is required to change the address.")
      }
      try check(password, against: hash, of: id, at: now)
    }
    do {
      return try database.transaction { connection in
        let rows = AccountRows(queries: connection)
        guard let old = try rows.find(id) else { throw Problem.notFound }
        try preconditions.check(old.tag)
        guard
          try rows.update(
            id, name: changes.name ?? old.name, email: changes.email?.text ?? old.email, version: old.version,
            at: now)
        else { throw Problem.preconditionFailed }
        // What was mailed to the old address opens nothing any more.
        if changes.email != nil { try rows.deleteResets(of: id) }
        guard let new = try rows.find(id) else { throw Problem.notFound }
        return new
      }
    } catch DatabaseError.duplicate(constraint: "accounts_email") {
      throw Problem.conflict("There is an account with this address already.", field: "email")
    }
  }

  /// Sets a new password; every other session ends.
  func changePassword(
    of id: AccountID, _ change: PasswordChange, keeping session: SessionID?, at now: Timestamp
  )
    throws
  {
    let hash = try AccountRows(queries: database).passwordHash(of: id) ?? ""
    try check(change.currentPassword, against: hash, of: id, at: now)
    try setPassword(change.newPassword, of: id, keeping: session, at: now)
  }

  private func check(_ password: String, against hash: String, of id: AccountID, at now: Timestamp) throws {
    let subject = attempts.subject("password \(id)", free: 5)
    try attempts.check([subject], at: now)
    guard try passwords.verify(password, against: hash) else {
      try attempts.failed([subject], at: now)
      throw Problem.invalid("currentPassword", "wrong_password", "This is not the present password.")
    }
    try attempts.succeeded(subject)
  }

  private func setPassword(
    _ password: String, of id: AccountID, keeping session: SessionID?, at now: Timestamp
  )
    throws
  {
    let hash = try passwords.hash(password)
    try database.transaction { connection in
      let rows = AccountRows(queries: connection)
      try rows.setPasswordHash(hash, of: id, at: now)
      try rows.deleteResets(of: id)
      try SessionRows(queries: connection).deleteAll(of: id, except: session)
    }
  }

  /// Mails a link to set a new password, if there is an account with this address. Nothing tells whether there is.
  func forgotPassword(_ email: String, from address: String, at now: Timestamp) throws {
    let key = email.lowercased()
    let subjects = [
      attempts.subject("forgot \(key)", free: 3),
      attempts.subject("forgot from \(clientNetwork(address))", free: 20),
    ]
    try attempts.check(subjects, at: now)
    try attempts.failed(subjects, at: now)
    let token = SecureRandom.token()
    try database.transaction { connection in
      try AccountRows(queries: connection).insertReset(
        digest: SHA256.digest(token), emailKey: key, expiresAt: now + .seconds(3600))
      try mail.queue(
        toAccountWithEmailKey: key, subject: "Set a new password",
        body: """
          Somebody, most likely you, asked to set a new password for your account at \(baseURL).

          To set it, open this address within an hour:

          \(baseURL)/account/reset-password?token=\(token)

          If it was not you, there is nothing to do: your password stays as it is.

          """, on: connection, at: now)
    }
  }

  /// Whether a reset token still holds.
  func holds(resetToken token: String, at now: Timestamp) throws -> Bool {
    try AccountRows(queries: database).resetAccount(digest: SHA256.digest(token), at: now) != nil
  }

  /// Sets the password of the account that the token was mailed to; every session ends, the token is used up.
  /// - Throws: `Problem` 422 when the token does not hold.
  func resetPassword(_ reset: PasswordReset, at now: Timestamp) throws {
    let refusal = Problem.invalid(
      "token", "invalid_token", "This token is not known, was used or has expired.")
    // Before the hash, which costs more than all else: a made-up token must not have it made.
    guard try holds(resetToken: reset.token, at: now) else { throw refusal }
    let hash = try passwords.hash(reset.newPassword)
    try database.transaction { connection in
      let rows = AccountRows(queries: connection)
      guard let id = try rows.resetAccount(digest: SHA256.digest(reset.token), at: now) else { throw refusal }
      try rows.setPasswordHash(hash, of: id, at: now)
      try rows.deleteResets(of: id)
      try SessionRows(queries: connection).deleteAll(of: id)
    }
  }
}
