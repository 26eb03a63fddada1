package import FLHTTP
import FLMail
import FLMariaDB
package import FLValues

/// What the sender asks of the application for mailings.
extension App {
  /// Settles who gets a mailing, as its groups and tags are now, and lets it begin.
  /// - Throws: `DatabaseError`.
  package func prepareMailing(_ mailing: MailingInHand, at now: Timestamp) throws {
    guard let whole = try MailingRows(account: mailing.account, queries: database).find(mailing.id) else { return }
    // What is resumed, or sent to some again, goes to those whom it was for.
    if whole.preparedAt == nil { try MailingAudience(account: mailing.account, database: database).refresh(whole, at: now) }
    if whole.content.trackClicks, let message = try message(of: mailing) {
      try SendingRows(queries: database).keepLinks(message.links, of: mailing.id)
    }
    try SendingRows(queries: database).start(mailing.id, at: now)
  }

  /// A mailing made ready to be rendered; nil where it is gone, or can't be: then it is failed, with the reason in the
  /// log.
  /// - Throws: `DatabaseError`.
  package func message(of mailing: MailingInHand) throws -> MailingMessage? {
    guard let whole = try MailingRows(account: mailing.account, queries: database).find(mailing.id),
      let account = try AccountRows(queries: database).find(mailing.account)
    else { return nil }
    let origin = try sendingDomains.origin(of: whole, accountName: account.name)
    do {
      return try MailingMessage(
        whole, from: origin.from, signers: origin.signers, tokens: mailingTokens, accountName: account.name)
    } catch {
      logger.error(
        "a mailing can't be sent", metadata: ["mailing": "\(mailing.id)", "reason": "\(error)"])
      try SendingRows(queries: database).giveUp(mailing.id, at: .now)
      return nil
    }
  }

  /// Ends a mailing that has nothing left to send, and tells the webhooks; whether it was this call that did.
  /// - Throws: `DatabaseError`.
  package func finishMailing(_ id: MailingID, at now: Timestamp) throws -> Bool {
    try database.transaction { connection in
      let rows = SendingRows(queries: connection)
      guard try rows.finish(id, at: now), let account = try rows.account(of: id) else { return false }
      try WebhookOutbox().tell(.mailingSent, account: account, on: connection, at: now) {
        guard let mailing = try MailingRows(account: account, queries: connection).found(id) else { return .null }
        return try JSON(reading: Mailing.shape.bytes(mailing))
      }
      return true
    }
  }

  /// Notes what became of messages that `sender` had in hand, and what that says of the contacts; `delivered` are those
  /// whose bounces in a row have ended.
  /// - Throws: `DatabaseError`.
  package func markRecipients(
    _ results: [RecipientResult], of mailing: MailingID, by sender: SenderID, delivered: [ContactID]
  ) throws {
    try database.transaction { connection in
      let rows = SendingRows(queries: connection)
      try rows.mark(results, of: mailing, by: sender)
      let bounces = results.filter(\.isBounce)
      guard !bounces.isEmpty || !delivered.isEmpty, let account = try rows.account(of: mailing) else { return }
      let consent = ContactConsent(account: account, queries: connection)
      if !delivered.isEmpty { try consent.delivered(delivered) }
      for bounce in bounces {
        let reason = bounce.reply ?? "The mail server refused the address."
        if case .bounced = bounce.outcome {
          _ = try consent.bounce(bounce.contact, reason: reason, at: bounce.at)
        } else {
          _ = try consent.softBounce(bounce.contact, reason: reason, at: bounce.at)
        }
      }
    }
  }
}

extension RecipientResult {
  /// Whether it says something of the address.
  fileprivate var isBounce: Bool {
    switch outcome {
    case .bounced, .failed(isSoftBounce: true): true
    default: false
    }
  }
}
