import FLCrypto
import FLMariaDB
import FLValues

/// Asks people by mail whether they want to be in a group, and takes their answer.
///
/// The mail leads to a page with a button: programs that follow every link of a mail confirm nothing.
struct DoubleOptIn: Sendable {
  /// How long a token holds.
  static let lifetime = Duration.seconds(30 * 86_400)
  /// How long an address is not asked for the same group again.
  static let pause = Duration.seconds(86_400)
  /// How many are asked by one request.
  static let mostAtOnce = 10_000
  /// The path that the mails lead to, with the token behind it.
  static let path = "/m/confirm/"

  let database: Database
  let mail: MailOutbox
  let baseURL: String

  /// A group, as far as a mail says something of it.
  struct Group: Sendable {
    let id: ContactGroupID
    let account: AccountID
    let name: String
  }

  /// Queues a mail with a token to those of `contacts` who may be asked now, in the caller's transaction.
  /// - Parameter subscribing: whether the people asked for it themselves. Then those are mailed as well who have
  ///   unsubscribed; where an account adds people, these stay as they are.
  /// - Returns: how many mails there are. None goes to an address that bounced, or was asked within `pause`.
  @discardableResult
  func ask(
    _ contacts: [ContactID], into group: Group, subscribing: Bool, on connection: Connection,
    at now: Timestamp
  ) throws -> Int {
    let rows = ConfirmationRows(queries: connection)
    let recipients = try rows.claim(
      contacts, for: group.id, of: group.account, subscribing: subscribing, unlessSince: now - Self.pause,
      at: now)
    guard !recipients.isEmpty else { return 0 }
    let name = try rows.name(of: group.account)
    let tokens = recipients.map { _ in SecureRandom.token() }
    try rows.insert(
      tokens.map { SHA256.digest($0) }, for: recipients, in: group.id, expiresAt: now + Self.lifetime, at: now
    )
    let subject = Self.subject(group.name)
    // An address that no mail can go to is left out: contacts may be older than the rule.
    let drafts = zip(recipients, tokens).compactMap { recipient, token in
      EmailAddress(recipient.email).map {
        MailOutbox.Draft(
          recipient: $0, subject: subject,
          body: body(asking: $0, for: group.name, from: name, token: token, subscribing: subscribing))
      }
    }
    try mail.queue(drafts, of: group.account, on: connection, at: now)
    return drafts.count
  }

  private static func subject(_ group: String) -> String {
    let most = 200
    let start = group.unicodeScalars.prefix(most)
    return "Please confirm: " + String(String.UnicodeScalarView(start))
      + (start.count < group.unicodeScalars.count ? "…" : "")
  }

  /// What a person reads. It holds nothing that a stranger typed into the form but the address: whoever subscribes
  /// others would else have words of their own delivered by us.
  private func body(
    asking address: EmailAddress, for group: String, from account: String, token: String, subscribing: Bool
  ) -> String {
    let opening =
      subscribing
      ? "Somebody, most likely you, asked for mails to \(address.text) from this list:"
      : "\(account) would like to send mails to \(address.text) from this list:"
    return """
      \(opening)

          \(group)
          by \(account)

      If you want them, open this address and press the button there:

      \(baseURL)\(Self.path)\(token)

      It works once, within 30 days. If you do not want them, there is nothing to do: without
      that button nobody sends you any, and this mail is all you hear of it.

      """
  }

  /// What a token is about; nil for one that does not hold (any more). Nothing changes.
  func confirmation(of token: String, at now: Timestamp) throws -> Confirmation? {
    try ConfirmationRows(queries: database).find(digest: SHA256.digest(token), at: now)
  }

  /// Makes the member confirmed to whom `token` was mailed. That person asks for mail with this, so that an
  /// unsubscribe from before is lifted. The membership's tokens are gone then.
  /// - Returns: what was confirmed; nil for a token that does not hold (any more).
  func confirm(_ token: String, at now: Timestamp) throws -> Confirmation? {
    let digest = SHA256.digest(token)
    return try database.transaction { connection in
      let rows = ConfirmationRows(queries: connection)
      try rows.lock(digest: digest)
      guard let confirmation = try rows.find(digest: digest, at: now),
        // Whoever gives the contact another address meanwhile waits, or is seen here.
        let contact = try ContactRows(account: confirmation.account, queries: connection).lock(
          confirmation.contact),
        contact.email.lowercased() == confirmation.email.lowercased()
      else { return nil }
      try GroupMemberRows(account: confirmation.account, group: confirmation.group, queries: connection)
        .confirm(confirmation.contact, at: now)
      try ContactConsent(account: confirmation.account, queries: connection).subscribeAgain(
        confirmation.contact, at: now)
      try rows.deleteAll(of: confirmation.contact, in: confirmation.group)
      return confirmation
    }
  }

  /// Takes away a bounded part of what is too old to matter.
  func purge(at now: Timestamp) throws {
    try ConfirmationRows(queries: database).purge(unlessSince: now - Self.pause, at: now)
  }
}
