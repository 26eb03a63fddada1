import FLHTTP
import FLMail
import FLMariaDB
package import FLValues

/// What the sender asks of the application for mailings.
extension App {
  /// Settles who gets a mailing, as its groups and tags are now, and lets it begin. `progress` is called now and then.
  /// - Throws: `DatabaseError`, and what `progress` throws; then it can be begun anew.
  package func prepareMailing(
    _ mailing: MailingInHand, at now: Timestamp, progress: () throws -> Void = {}
  ) throws {
    let rows = MailingRows(account: mailing.account, queries: database)
    guard let whole = try rows.find(mailing.id), whole.status == .queued else { return }
    do {
      // What is resumed, or sent to some again, goes to those whom it was for.
      if whole.preparedAt == nil {
        try MailingAudience(database: database).refresh(whole, at: now, progress: progress)
      }
      // Before it begins: one that can't be made into messages can be a draft again.
      guard let message = try message(of: mailing) else { return }
      try SendingRows(queries: database).keepLinks(message.links, of: mailing.id)
      try SendingRows(queries: database).start(mailing.id, queuedAt: whole.queuedAt, at: now)
    } catch is MailingAudience.Overtaken {}
    // Who came in behind a cancelling is passed over as well.
    guard try rows.find(mailing.id)?.status == .cancelled else { return }
    try MailingAudience(database: database).passOver(mailing.id, account: mailing.account)
  }

  /// A mailing made ready to be rendered; nil where it is gone, or can't be: then it has failed, and whose it is reads why.
  /// - Throws: `DatabaseError`.
  package func message(of mailing: MailingInHand) throws -> MailingMessage? {
    guard let whole = try MailingRows(account: mailing.account, queries: database).find(mailing.id),
      let account = try AccountRows(queries: database).find(mailing.account)
    else { return nil }
    do {
      return try message(of: whole, accountName: account.name)
    } catch let failure as MailingMessage.Failure {
      logger.error(
        "a mailing can't be sent", metadata: ["mailing": "\(mailing.id)", "reason": "\(failure)"])
      try giveUpMailing(mailing.id, because: "\(failure)", at: .now)
      return nil
    }
  }

  private func message(of mailing: Mailing, accountName: String) throws -> MailingMessage {
    guard let identity = try sendingDomains.identity(of: mailing, accountName: accountName, in: database)
    else {
      throw MailingMessage.Failure(description: "The address that it comes from may not be used any more.")
    }
    do {
      return try MailingMessage(
        mailing, from: identity.from, signers: identity.signers, tokens: mailingTokens,
        accountName: accountName)
    } catch {
      throw MailingMessage.Failure(description: error.description)
    }
  }

  /// A test of a mailing; nil where it can't be made.
  /// - Throws: `DatabaseError`.
  package func mail(of test: MailingTest, at now: Timestamp) throws -> MailingMessage.Mail? {
    var mailing = test.mailing
    mailing.content.subject = MailingTest.mark + mailing.content.subject
    // A test counts nowhere, and its links lead where they say.
    mailing.content.trackOpens = false
    mailing.content.trackClicks = false
    guard let account = try AccountRows(queries: database).find(mailing.account),
      let message = try? message(of: mailing, accountName: account.name)
    else { return nil }
    let contact = try test.contact.flatMap {
      try MailingVisitRows(queries: database).name(of: $0, of: mailing.account)
    }
    // A contact that was chosen lends its words alone: the message is named, and what stands in it leads, as if it went
    // to a contact that there is not. Whoever tries the test's button unsubscribes nobody, and mail programs show the
    // next test, and the mailing itself, beside it.
    return message.mail(
      to: test.recipient, contact: ContactID(high: test.id.high, low: test.id.low),
      contact ?? .sample(test.recipient), at: now)
  }

  /// From whom the system's own mails come.
  /// - Throws: `DatabaseError`; `Settings.Failure` where FL_MAIL_FROM is no address.
  package func systemMailIdentity() throws -> SendingDomains.Identity {
    guard let identity = try sendingDomains.operatorIdentity(name: "FastLinkIt", in: database) else {
      throw Settings.Failure(description: "FL_MAIL_FROM is no address that mail can come from.")
    }
    return identity
  }

  /// What waits to go out, in lines for a terminal.
  /// - Throws: `DatabaseError`.
  package func sendingStatus(at now: Timestamp) throws -> [String] {
    try SendingStatus(in: database, at: now).lines(at: now)
  }

  /// Ends a mailing that has nothing left to send, and tells the webhooks with its numbers; whether it was this call that
  /// did.
  /// - Throws: `DatabaseError`.
  package func finishMailing(_ id: MailingID, at now: Timestamp) throws -> Bool {
    try database.transaction { connection in
      let rows = SendingRows(queries: connection)
      guard try rows.finish(id, at: now), let account = try rows.account(of: id) else { return false }
      try tellOfEnd(id, of: account, on: connection, at: now)
      return true
    }
  }

  /// Tells the webhooks, with its numbers, that nothing more of a mailing goes out.
  func tellOfEnd(
    _ id: MailingID, of account: AccountID, on connection: Connection, at now: Timestamp
  ) throws {
    try WebhookOutbox().tell(.mailingSent, account: account, on: connection, at: now) {
      guard var mailing = try MailingRows(account: account, queries: connection).find(id) else {
        return .null
      }
      mailing.counts = try RecipientRows.counts(of: [id], in: connection)[id] ?? MailingCounts()
      return try JSON(reading: Mailing.shape.bytes(mailing))
    }
  }

  /// Notes what became of messages that `sender` had in hand, and what refusals say of the contacts.
  /// - Throws: `DatabaseError`.
  package func markRecipients(_ results: [RecipientResult], of mailing: MailingID, by sender: SenderID) throws
  {
    try database.transaction { connection in
      let rows = SendingRows(queries: connection)
      try rows.mark(results, of: mailing, by: sender)
      let refusals = results.compactMap { result in result.refusal.map { (result, $0) } }
      guard !refusals.isEmpty, let account = try rows.account(of: mailing) else { return }
      for (result, refusal) in refusals {
        _ = try BounceService.note(
          refusal.classification, of: result.contact, email: refusal.email, mailing: mailing,
          account: account,
          on: connection, at: result.at)
      }
    }
  }
}
