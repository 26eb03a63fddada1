import FLMail
import FLMariaDB
import FLValues

/// What is done about messages that come back, and about readers who complain.
///
/// A report counts by the signed return path that it came to, or that the message has in it which it is about; never by
/// an e-mail address, which anybody can write.
public struct BounceService: Sendable {
  /// What a mail server knows of a message that it hands over.
  public struct Envelope: Sendable {
    /// The addresses that it came to, the surest first.
    public var recipients: [String]
    /// Whether its sender is known to be empty, as that of a report is.
    public var isFromNobody: Bool

    /// What is known.
    public init(recipients: [String] = [], isFromNobody: Bool = false) {
      self.recipients = recipients
      self.isFromNobody = isFromNobody
    }
  }

  private let database: Database
  private let tokens: MailingTokens

  /// Works on the copy that `settings` are of.
  public init(database: Database, settings: Settings) {
    self.database = database
    tokens = MailingTokens(settings: settings)
  }

  // MARK: What is handed in

  /// Does what the message `bytes` asks for, of which the first MiB is read. The same a second time does nothing.
  /// - Throws: `DatabaseError`; then nothing was done, and it can be handed in again.
  public func receive(_ bytes: [UInt8], _ envelope: Envelope, at now: Timestamp) throws -> BounceResult {
    let message = ReceivedMessage(bytes)
    if let report = FeedbackReport(message) {
      guard report.isComplaint else { return BounceResult(.ignored(.noComplaint)) }
      guard let subject = subject(of: report) ?? subject(of: message, envelope) else {
        return BounceResult(.ignored(.unknown))
      }
      return try complain(subject, at: now)
    }
    guard let subject = subject(of: message, envelope) else { return BounceResult(.ignored(.unknown)) }
    if let report = DeliveryReport(message) {
      return try bounce(subject, at: now, names: report.names) { report.classification(for: $0) }
    }
    guard let bounce = UnstructuredBounce(message, isFromNobody: envelope.isFromNobody) else {
      return BounceResult(.ignored(.noReport))
    }
    // It came from a mail system, and does not say what it is.
    guard bounce.classification.kind != .none else { return BounceResult(.ignored(.noReport)) }
    return try self.bounce(subject, at: now, names: { _ in false }) { _ in bounce.classification }
  }

  // MARK: Whose it is

  /// The fields in which mail servers note the address that a message came to, the surest first.
  private static let recipientFields = [
    "delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "to",
  ]

  /// Whose return path the message came to.
  private func subject(of message: ReceivedMessage, _ envelope: Envelope) -> MailingTokens.Subject? {
    let known = envelope.recipients.flatMap(ReceivedMessage.addresses)
    if let subject = known.lazy.compactMap({ tokens.subject(ofReturnPath: $0) }).first { return subject }
    return Self.recipientFields.lazy.flatMap { message.values($0).prefix(20) }
      .flatMap(ReceivedMessage.addresses).compactMap { tokens.subject(ofReturnPath: $0) }.first
  }

  /// Whose message a complaint is about, which mostly comes to an address for all of them: by the return path or the
  /// address for unsubscribing that the message had.
  private func subject(of report: FeedbackReport) -> MailingTokens.Subject? {
    let original = report.original
    let paths =
      (original?.values("return-path") ?? []).prefix(5) + [report.originalMailFrom].compactMap { $0 }
    let byPath = paths.lazy.flatMap(ReceivedMessage.addresses)
      .compactMap { tokens.subject(ofReturnPath: $0) }.first
    if let byPath { return byPath }
    return (original?.values("list-unsubscribe") ?? []).prefix(5).lazy
      .flatMap { $0.utf8.prefix(4096).split { "<>, \t/?&=".utf8.contains($0) } }
      .compactMap { tokens.subject(of: String(decoding: $0, as: UTF8.self), .unsubscribe) }.first
  }

  // MARK: What is done

  /// - Parameter names: whether the report says that it is about this address.
  private func bounce(
    _ subject: MailingTokens.Subject, at now: Timestamp, names: (String) -> Bool,
    _ classify: (String) -> BounceClassification
  ) throws -> BounceResult {
    try database.transaction { connection in
      guard let message = try SentMessageRows(queries: connection).hold(subject) else {
        return BounceResult(.ignored(.gone))
      }
      guard let mailing = message.mailing, let recipient = message.recipient, let email = message.email else {
        // Where it went is not known any more, nor whether this was told before: what counts is that the contact's
        // present address does not exist.
        guard let contact = message.contact, let email = message.presentEmail, names(email) else {
          return BounceResult(.ignored(.gone))
        }
        let classification = classify(email)
        guard classification.kind == .hard else { return BounceResult(.ignored(.gone)) }
        let isNew = try ContactConsent(account: message.account, queries: connection)
          .bounce(contact, reason: Self.reason(classification), at: now)
        return BounceResult(.hard(isNew: isNew), contact: contact, text: classification.text)
      }
      let classification = classify(email)
      func result(_ effect: BounceResult.Effect) -> BounceResult {
        BounceResult(effect, mailing: mailing, contact: recipient, text: classification.text)
      }
      switch classification.kind {
      case .none: return result(.delivered)
      case .delayed: return result(.delayed)
      case .refused, .soft, .hard: break
      }
      let rows = BounceRows(queries: connection)
      guard try rows.bounce(mailing, to: recipient, returns: subject.returns, classification, at: now) else {
        return result(message.hasBounced ? .again : .ignored(.notSent))
      }
      return result(
        try Self.note(
          classification, of: message.contact, isStillThere: message.isStillThere, email: email,
          mailing: mailing, account: message.account, on: connection, at: now))
    }
  }

  private func complain(_ subject: MailingTokens.Subject, at now: Timestamp) throws -> BounceResult {
    try database.transaction { connection in
      guard let message = try SentMessageRows(queries: connection).hold(subject), message.knownEmail != nil
      else {
        return BounceResult(.ignored(.gone))
      }
      // Whoever complains is a person, whatever the address is now.
      let isNew = try message.unsubscribe(reason: .complaint, on: connection, at: now)
      return BounceResult(
        .complaint(isNew: isNew), mailing: message.mailing, contact: message.recipient ?? message.contact)
    }
  }

  /// Notes with a contact what the refusal of a message means for it: in the transaction in which the refusal itself is
  /// noted, with the recipient's row by whoever learned of it. `email` is where the message of `mailing` went.
  ///
  /// Soft bounces are in a row where no message between them stayed where it was sent. That a server has taken one says
  /// nothing yet: a relay takes everything, and reports later.
  ///
  /// A server that refuses at once (`RCPT`) and a report that comes later are judged by the same table.
  /// - Throws: `DatabaseError`.
  package static func note(
    _ classification: BounceClassification, of contact: ContactID, email: String, mailing: MailingID,
    account: AccountID, on queries: any Queries, at now: Timestamp
  ) throws -> BounceResult.Effect {
    let address = try queries.row(
      "SELECT email_key FROM contacts WHERE id = \(contact) AND account_id = \(account) FOR UPDATE")
    // Who has got another address since is not flagged for the old one.
    let isStillThere = try address.map { try $0["email_key"] == email.lowercased() } ?? false
    return try note(
      classification, of: contact, isStillThere: isStillThere, email: email, mailing: mailing,
      account: account,
      on: queries, at: now)
  }

  private static func note(
    _ classification: BounceClassification, of contact: ContactID?, isStillThere: Bool, email: String,
    mailing: MailingID, account: AccountID, on queries: any Queries, at now: Timestamp
  ) throws -> BounceResult.Effect {
    let consent = ContactConsent(account: account, queries: queries)
    let reason = Self.reason(classification)
    switch classification.kind {
    case .none: return .delivered
    case .delayed: return .delayed
    case .refused: return .refused
    case .soft:
      guard let contact, isStillThere else { return .soft(isBounce: false) }
      if try BounceRows(queries: queries).hasLastArrived(before: mailing, to: contact) {
        try consent.delivered([contact])
      }
      return .soft(isBounce: try consent.softBounce(contact, reason: reason, at: now))
    case .hard:
      guard let contact, isStillThere else {
        // The contact is gone or has another address: whoever has this one now is flagged.
        return .hard(isNew: try !consent.bounce(addresses: [email], reason: reason, at: now).isEmpty)
      }
      return .hard(isNew: try consent.bounce(contact, reason: reason, at: now))
    }
  }

  private static func reason(_ classification: BounceClassification) -> String {
    classification.text.isEmpty ? "undeliverable" : classification.text
  }
}
