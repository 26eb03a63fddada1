import FLApp
import FLMail
import FLValues
import Logging
import Synchronization

/// One run over the messages of the system itself (a forgotten password, a membership to confirm): few, plain, and sent
/// once more where it is not sure that they went.
final class SystemMailRound: MailSource {
  /// How long a message that a sender has in hand is left to it.
  private static let lease = Duration.seconds(300)

  private let app: App
  private let stop: @Sendable () -> Bool
  private let logger: Logger
  private let waiting = Mutex<[SystemMail]>([])
  private let sent = Atomic<Int>(0)
  private let from: Mailbox
  private let signers: [DKIMSigner]

  /// A round for the copy of `app`.
  /// - Throws: `DatabaseError`.
  init(app: App, logger: Logger, stop: @escaping @Sendable () -> Bool) throws {
    self.app = app
    self.stop = stop
    self.logger = logger
    let origin = try app.systemMailOrigin()
    (from, signers) = (origin.from, origin.signers)
  }

  /// How many messages were taken.
  var sentSoFar: Int { sent.load(ordering: .relaxed) }

  func next(waits: Bool) -> OutgoingMail? {
    while !stop() {
      if let mail = waiting.withLock({ $0.popLast() }) {
        if let outgoing = outgoing(mail) { return outgoing }
        refuse(mail.id, code: nil, "No mail can be sent to this address.")
        continue
      }
      do {
        let claimed = try app.accounts.mail.claim(50, for: Self.lease, from: app.database, at: .now)
        if claimed.isEmpty { return nil }
        waiting.withLock { $0 = claimed.reversed() }
      } catch {
        logger.warning("the system's mails can't be claimed", metadata: ["error": "\(error.loggable)"])
        return nil
      }
    }
    return nil
  }

  private func outgoing(_ mail: SystemMail) -> OutgoingMail? {
    guard let to = Mailbox(address: mail.recipient) else { return nil }
    return OutgoingMail(
      subject: .system(mail.id, attempts: mail.attempts), sender: app.settings.bounceAddress, recipient: to.address,
      bytes: SystemMessage.bytes(
        from: from, to: to, subject: mail.subject, body: mail.body, date: mail.createdAt,
        messageID: mail.id.description, messageIDDomain: from.domain, signedBy: signers))
  }

  func willEnd(_ mail: OutgoingMail) -> Bool { true }

  func done(_ mail: OutgoingMail, _ fate: MailFate) {
    guard case .system(let id, let attempts) = mail.subject else { return }
    switch fate {
    case .taken:
      sent.add(1, ordering: .relaxed)
      write { try app.accounts.mail.markSent(id, in: app.database, at: .now) }
    case .refused(let code, _, let reply, _):
      let again = code < 500 ? Backoff.time(after: attempts, of: app.settings.sending.attempts, at: .now) : nil
      if let again {
        write { try app.accounts.mail.postpone(id, until: again, code: code, reply: reply, in: app.database) }
      } else {
        refuse(id, code: code, reply)
      }
    // Twice is better than never, for what somebody waits for.
    case .notTried, .notTaken, .unknown:
      write {
        try app.accounts.mail.postpone(
          id, until: .now + .seconds(min(60, 5 << min(attempts, 4))), code: nil, reply: nil, in: app.database)
      }
    }
  }

  private func refuse(_ id: SystemMailID, code: Int?, _ reply: String) {
    logger.warning("a mail of the system was refused", metadata: ["mail": "\(id)", "reply": "\(reply)"])
    write { try app.accounts.mail.giveUp(id, code: code, reply: reply, in: app.database, at: .now) }
  }

  /// What can't be written is told by the lease, which ends.
  private func write(_ body: () throws -> Void) {
    do {
      try body()
    } catch {
      logger.warning("the fate of a mail can't be noted", metadata: ["error": "\(error.loggable)"])
    }
  }
}
