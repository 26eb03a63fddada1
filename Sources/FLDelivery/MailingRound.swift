import FLApp
import FLMariaDB
import FLValues
import Foundation
import Logging
import Synchronization

/// One run over the mailings: recipients are claimed in batches, account by account, rendered and carried by several
/// threads, and what became of them is written in batches.
///
/// The journal tells, whenever this process is killed, which of the claimed messages may have gone out: those between
/// `willEnd` and `done`, one for each connection at most. All others are claimed again.
final class MailingRound: Sendable {
  /// How long a round waits for what is due and can't be taken: another sender that settles the recipients has locked them
  /// for a moment, or a limit by the minute is reached.
  private static let patience = Duration.seconds(3)
  /// How many mailings are kept ready to be rendered.
  private static let mostMessages = 50

  private let app: App
  private let sender: SenderID
  private let journal: SenderJournal
  private let breaker: Breaker
  private let stop: @Sendable () -> Bool
  private let logger: Logger
  private let line = WaitingLine<Waiting>()
  private let results: ResultLine
  private let messages = Mutex<[MailingID: MailingMessage]>([:])
  private let touched = Mutex<Set<MailingID>>([])
  private let preparation: Preparation
  private let refusals = RefusedInARow()
  /// Nothing new is begun: nothing is due any more, or the journal can't be written, without which no message may end.
  private let halt = Flag()
  private let sent = Atomic<Int>(0)
  private let retryAt: @Sendable (Int, Timestamp) -> Timestamp?

  private struct Waiting: Sendable {
    let mailing: MailingID
    let recipient: ClaimedRecipient
    let message: MailingMessage
  }

  /// A round of the run `sender` of `app`; it begins nothing new once `stop` answers true.
  init(
    app: App, sender: SenderID, journal: SenderJournal, breaker: Breaker, logger: Logger,
    stop: @escaping @Sendable () -> Bool
  ) {
    self.app = app
    self.sender = sender
    self.journal = journal
    self.breaker = breaker
    self.logger = logger
    self.stop = stop
    let attempts = app.settings.sending.attempts
    retryAt = { Backoff.time(after: $0, of: attempts, at: $1) }
    results = ResultLine(app: app, sender: sender, logger: logger)
    preparation = Preparation(app: app, logger: logger) { [halt] in stop() || halt.isSet }
  }

  private func isOver() -> Bool { stop() || halt.isSet }

  /// How many messages servers have taken.
  var sentSoFar: Int { sent.load(ordering: .relaxed) }

  /// Works until nothing is due any more or `stop`; the carriers run in threads of their own. False where the fate of some
  /// messages could not be written, and has to be told by the journal.
  func run(carriers: [any MailCarrier & Sendable]) -> Bool {
    let threads = DispatchGroup()
    for carrier in carriers {
      Thread.begin("mail", in: threads) { carrier.carry(self) }
    }
    let writer = DispatchGroup()
    Thread.begin("results", in: writer) { [results] in results.write() }
    fill(carriers.count)
    halt.set()
    preparation.wait()
    // What was claimed and not begun goes back; what is in hand is finished.
    let left = line.close()
    for item in left {
      results.append(.init(contact: item.recipient.contact, outcome: .released, at: .now), of: item.mailing)
    }
    threads.wait()
    results.close()
    writer.wait()
    keepRefusals()
    guard results.isComplete, release() else { return false }
    finishAll()
    return true
  }

  /// Gives back what was claimed without this process knowing: the answer to its COMMIT was lost.
  private func release() -> Bool {
    do {
      for (mailing, recipients) in try SendingRows(queries: app.database).inHand(of: sender) {
        try app.markRecipients(
          recipients.map { .init(contact: $0.contact, outcome: .released, at: .now) }, of: mailing, by: sender
        )
      }
      return true
    } catch {
      logger.warning("what is in hand can't be given back", metadata: ["error": "\(error.loggable)"])
      return false
    }
  }

  // MARK: Claiming

  /// Keeps the line filled, one portion of each account in turn.
  private func fill(_ carriers: Int) {
    var turns = Turns()
    var portion = Portion(carriers: carriers)
    var lastLook = ContinuousClock.now - .seconds(60)
    var mailings: [MailingInHand] = []
    var lastClaim = ContinuousClock.now
    while !isOver() {
      do {
        if lastLook.duration(to: .now) > .seconds(1) || mailings.isEmpty {
          mailings = try look()
          lastLook = .now
        }
        if breaker.isOpen {
          // Nothing is claimed for a server that is down; a carrier knocks now and then with what it has.
          if line.count == 0 && results.inHand.load(ordering: .relaxed) == 0 {
            guard try claimOne(mailings.filter(\.isPrepared), &turns, count: 1) else { break }
          }
          Thread.sleep(forTimeInterval: 0.2)
          continue
        }
        if line.count >= portion.size {
          line.await(fewerThan: portion.size, for: 0.5)
          continue
        }
        if try claimOne(mailings.filter(\.isPrepared), &turns, count: portion.size) {
          portion.wasClaimed()
          lastClaim = .now
          continue
        }
        if results.inHand.load(ordering: .acquiring) == 0 {
          // Nothing is due, and nothing can become so by what is in hand: that is the end, unless some are prepared yet, or
          // some that are due have not been to be had for a short while.
          finishAll()
          mailings = try look()
          lastLook = .now
          if try claimOne(mailings.filter(\.isPrepared), &turns, count: portion.size) {
            lastClaim = .now
            continue
          }
          let waitsForMore = !mailings.isEmpty && lastClaim.duration(to: .now) < Self.patience
          guard waitsForMore || mailings.contains(where: { !$0.isPrepared }) else { break }
          if waitsForMore { Thread.sleep(forTimeInterval: 0.1) }
        }
        Thread.sleep(forTimeInterval: 0.05)
      } catch {
        // The database is away for a while: what is claimed goes on, and the rest waits for it.
        logger.warning("mailings can't be claimed", metadata: ["error": "\(error.loggable)"])
        mailings = []
        Thread.sleep(forTimeInterval: 0.5)
      }
    }
  }

  /// The mailings that are to be sent. The preparing of those that are not prepared begins.
  private func look() throws -> [MailingInHand] {
    let rows = SendingRows(queries: app.database)
    try rows.promote(at: .now)
    let mailings = try rows.waiting(at: .now)
    preparation.begin(mailings.filter { !$0.isPrepared })
    return mailings
  }

  /// Claims a portion of the next account in turn that has something due; false where none has.
  private func claimOne(_ mailings: [MailingInHand], _ turns: inout Turns, count: Int) throws -> Bool {
    for mailing in turns.order(mailings) {
      let claimed = try claim(count, of: mailing, &turns)
      turns.took(mailing, last: claimed.last)
      if claimed.any { return true }
    }
    return false
  }

  private func claim(_ count: Int, of mailing: MailingInHand, _ turns: inout Turns) throws -> (
    any: Bool, last: ContactID?
  ) {
    let now = Timestamp.now
    let last = turns.last(of: mailing.id)
    guard let message = try message(of: mailing) else { return (false, nil) }
    let limits = app.settings.sending
    let rates = SendRates(queries: app.database)
    let allowed = try rates.take(
      count, of: .account(mailing.account), limit: limits.perMinuteOfAccount, at: now)
    let granted = try rates.take(allowed, of: .all, limit: limits.perMinute, at: now)
    if granted < allowed {
      try rates.giveBack(
        allowed - granted, of: .account(mailing.account), limit: limits.perMinuteOfAccount, at: now)
    }
    guard granted > 0 else { return (false, last) }
    let wasStopped = refusals.isStopped(mailing.id)
    let claim = try take(granted, of: mailing.id, behind: last, at: now)
    let claimed = claim?.recipients ?? []
    // From here on what was claimed must come into the line; a limit that is used too early is no harm.
    func giveBack(_ unused: Int) {
      try? rates.giveBack(unused, of: .account(mailing.account), limit: limits.perMinuteOfAccount, at: now)
      try? rates.giveBack(unused, of: .all, limit: limits.perMinute, at: now)
    }
    giveBack(granted - claimed.count)
    guard let claim else { return (false, last) }
    guard !claimed.isEmpty else { return (claim.found > 0, claim.last) }
    results.inHand.add(claimed.count, ordering: .releasing)
    // Nothing is claimed of a mailing that is paused: one that was stopped before was resumed.
    if wasStopped { refusals.goesOn(mailing.id) }
    let kept = holdingBack(
      claimed, of: mailing.id, rates, limit: limits.perMinuteToDomain, &turns, at: now)
    // What a domain does not take now is nothing that its account, or anybody else, has sent.
    giveBack(claimed.count - kept.count)
    line.append(kept.map { Waiting(mailing: mailing.id, recipient: $0, message: message) })
    return (true, claim.last)
  }

  /// Claims, once no results are in the way; nil where the run ends before.
  private func take(_ count: Int, of mailing: MailingID, behind last: ContactID?, at now: Timestamp) throws
    -> SendingRows.Claim?
  {
    while !isOver() {
      let claim = try results.claiming {
        try app.database.transaction { connection in
          try SendingRows(queries: connection).claim(count, of: mailing, behind: last, by: sender, at: now)
        }
      }
      if let claim { return claim }
      Thread.sleep(forTimeInterval: 0.002)
    }
    return nil
  }

  /// The recipients whose domains take more in this minute; the others wait for later ones, as many for each as the
  /// domain takes, so that they are not looked at every minute.
  private func holdingBack(
    _ claimed: [ClaimedRecipient], of mailing: MailingID, _ rates: SendRates, limit: Int?,
    _ turns: inout Turns, at now: Timestamp
  ) -> [ClaimedRecipient] {
    guard let limit else { return claimed }
    var kept: [ClaimedRecipient] = []
    for (domain, some) in Dictionary(grouping: claimed, by: { $0.email.domain }) {
      let granted = (try? rates.take(some.count, of: .domain(domain), limit: limit, at: now)) ?? 0
      kept += some.prefix(granted)
      for recipient in some.dropFirst(granted) {
        let minute = turns.minute(for: domain, limit: limit, now: now.seconds / 60)
        results.append(
          .init(
            contact: recipient.contact, outcome: .postponed(until: Timestamp(seconds: minute * 60)), at: now),
          of: mailing)
      }
    }
    return kept
  }

  /// The mailing made ready to be rendered, once a round; nil where it can't be, and then it is told and stopped.
  private func message(of mailing: MailingInHand) throws -> MailingMessage? {
    if let known = messages.withLock({ $0[mailing.id] }) { return known }
    guard let message = try app.message(of: mailing) else { return nil }
    if touched.withLock({ !$0.contains(mailing.id) }) {
      refusals.begin(mailing.id, at: try SendingRows(queries: app.database).refusedInARow(mailing.id))
    }
    messages.withLock { known in
      // Whoever waits in the line has the message; with so many mailings at once some are made ready again.
      if known.count >= Self.mostMessages { known.removeAll() }
      known[mailing.id] = message
    }
    _ = touched.withLock { $0.insert(mailing.id) }
    return message
  }

  /// Stops a mailing of which nothing is taken, as long as there is somebody to stop it for.
  private func pause(_ mailing: MailingID, _ reply: String, at now: Timestamp) {
    do {
      let isWaitedFor = line.contains { $0.mailing == mailing }
      guard try app.pauseMailing(mailing, refusedWith: reply, isWaitedFor: isWaitedFor, at: now) else {
        return
      }
      refusals.stop(mailing)
      logger.error(
        "a mailing was paused: its messages are refused",
        metadata: ["mailing": "\(mailing)", "reply": "\(reply)"])
    } catch {
      // The next refusal tries again.
      logger.warning("a mailing can't be paused", metadata: ["error": "\(error.loggable)"])
    }
  }

  /// Lets the next run count on.
  private func keepRefusals() {
    for (mailing, count) in refusals.counts {
      do {
        try SendingRows(queries: app.database).keep(refusedInARow: count, of: mailing)
      } catch {
        logger.warning("the refusals in a row can't be kept", metadata: ["error": "\(error.loggable)"])
      }
    }
  }

  private func finishAll() {
    for id in touched.withLock({ $0.sorted() }) {
      do {
        if try app.finishMailing(id, at: .now) {
          _ = messages.withLock { $0.removeValue(forKey: id) }
          _ = touched.withLock { $0.remove(id) }
        }
      } catch {
        logger.warning("a mailing can't be finished", metadata: ["error": "\(error.loggable)"])
      }
    }
  }
}

// MARK: What the carriers ask

extension MailingRound: MailSource {
  func next(waits: Bool) -> OutgoingMail? {
    while let item = waits ? line.take() : line.takeIfAny() {
      if isOver() || refusals.isStopped(item.mailing) {
        results.append(.init(contact: item.recipient.contact, outcome: .released, at: .now), of: item.mailing)
        continue
      }
      guard let mail = item.message.mail(for: item.recipient, at: .now) else {
        results.append(
          .init(contact: item.recipient.contact, outcome: .skipped("invalid_address"), at: .now),
          of: item.mailing)
        continue
      }
      return OutgoingMail(
        subject: .recipient(item.mailing, item.recipient), sender: mail.sender, recipient: mail.recipient,
        bytes: mail.bytes)
    }
    return nil
  }

  func willEnd(_ mail: OutgoingMail) -> Bool {
    guard case .recipient(let mailing, let recipient) = mail.subject else { return false }
    if journal.willEnd(.init(mailing: mailing, contact: recipient.contact)) { return true }
    // All others would be held back as well, and be tried again and again.
    halt.set()
    return false
  }

  func done(_ mail: OutgoingMail, _ fate: MailFate) {
    guard case .recipient(let mailing, let recipient) = mail.subject else { return }
    let now = Timestamp.now
    let message = SenderJournal.Message(mailing: mailing, contact: recipient.contact)
    func note(
      _ outcome: RecipientResult.Outcome, _ code: Int?, _ reply: String?,
      _ refusal: RecipientResult.Refusal? = nil
    ) {
      results.append(
        .init(
          contact: recipient.contact, outcome: outcome, code: code, reply: reply, refusal: refusal, at: now),
        of: mailing)
    }
    switch fate {
    case .taken(let code, let reply):
      journal.answered(message, code: code, reply: reply, at: now)
      sent.add(1, ordering: .relaxed)
      refusals.taken(of: mailing)
      note(.sent, code, reply)
    case .refused(let code, let enhanced, let reply, let isOfRecipient):
      journal.answered(message, code: code, reply: reply, isOfRecipient: isOfRecipient, at: now)
      let verdict = Verdict(code: code, enhanced: enhanced, reply: reply, isOfRecipient: isOfRecipient)
      let outcome = verdict.outcome(retryAt(recipient.attempts, now))
      note(outcome, code, reply, verdict.refusal(of: recipient.email, outcome))
      if verdict.isOfMessage, refusals.refused(of: mailing) { pause(mailing, reply, at: now) }
    case .notTried:
      note(.released, nil, nil)
    case .notTaken(let reason):
      journal.notTaken(message)
      // Servers end connections after some messages, so it is tried again soon; a message over which connections break
      // again and again is given up like one that is refused.
      let again = recipient.attempts <= 3 ? now : retryAt(recipient.attempts, now)
      note(again.map { .retry(at: $0) } ?? .failed, nil, reason)
    case .unknown(let reason):
      note(.uncertain, nil, reason)
    }
  }
}

extension String {
  /// What stands behind the last `@`, in lower case.
  fileprivate var domain: String { split(separator: "@").last.map { $0.lowercased() } ?? "" }
}
