import FLApp
import FLMail
import FLValues
import Foundation
import Logging
import Synchronization

/// One run over the messages to one person each: those of the system itself (a forgotten password, a membership to
/// confirm) and tests of mailings. They are few, and sent once more where it is not sure that they went: somebody waits
/// for them.
final class SingleMailRound: MailSource {
  /// How long a message that a sender has in hand is left to it: long enough for a few at a slow server.
  private static let lease = Duration.seconds(600)
  private static let batch = 10
  /// When one is tried again that was not tried, or whose connection broke.
  private static let soon = Duration.seconds(10)
  /// How often one is sent of which it is not known whether it was taken.
  private static let mostUncertain = 3

  private let app: App
  private let stop: @Sendable () -> Bool
  private let isLast: @Sendable () -> Bool
  private let logger: Logger
  private let waiting = Mutex<[OutgoingMail]>([])
  private let sent = Atomic<Int>(0)
  private let identity: SendingDomains.Identity

  /// A round for the copy of `app`. It waits for more until `isLast` answers true, and begins nothing new once `stop`
  /// does.
  /// - Throws: `DatabaseError`; `Settings.Failure` where FL_MAIL_FROM is no address.
  init(
    app: App, logger: Logger, isLast: @escaping @Sendable () -> Bool, stop: @escaping @Sendable () -> Bool
  ) throws {
    self.app = app
    self.isLast = isLast
    self.stop = stop
    self.logger = logger
    identity = try app.systemMailIdentity()
  }

  /// How many messages were taken.
  var sentSoFar: Int { sent.load(ordering: .relaxed) }

  func next(waits: Bool) -> OutgoingMail? {
    while !stop() {
      if let mail = waiting.withLock({ $0.popLast() }) { return mail }
      // Asked before the look: what was queued before the end is seen.
      let isLast = isLast()
      do {
        // One of nothing but unusable addresses is not the end.
        if try claim() > 0 { continue }
      } catch {
        logger.warning("mails can't be claimed", metadata: ["error": "\(error.loggable)"])
      }
      guard waits, !isLast else { return nil }
      for _ in 0..<5 where !stop() && !self.isLast() { Thread.sleep(forTimeInterval: 0.1) }
    }
    // The others need not wait for the end of the lease.
    for mail in waiting.withLock({ mails in
      defer { mails = [] }; return mails
    }) { done(mail, .notTried) }
    return nil
  }

  /// Takes what waits; answers how many were taken.
  private func claim() throws -> Int {
    let now = Timestamp.now
    let mails = try app.accounts.mail.claim(Self.batch, for: Self.lease, from: app.database, at: now)
    var outgoing: [OutgoingMail] = []
    for mail in mails {
      guard let to = Mailbox(address: mail.recipient) else {
        try app.accounts.mail.giveUp(
          mail.id, code: nil, reply: "No mail can be sent to this address.", in: app.database, at: now)
        continue
      }
      outgoing.append(
        OutgoingMail(
          subject: .system(mail.id, attempts: mail.attempts), sender: app.settings.bounceAddress,
          recipient: to.address,
          bytes: SystemMessage.bytes(
            from: identity.from, to: to, subject: mail.subject, body: mail.body, date: mail.createdAt,
            messageID: mail.id.description, messageIDDomain: identity.from.domain, signedBy: identity.signers)
        ))
    }
    let tests = try MailingTestQueue.claim(Self.batch, for: Self.lease, from: app.database, at: now)
    for test in tests {
      guard let mail = try app.mail(of: test, at: now) else {
        try MailingTestQueue.markFailed(
          test.id, isFinal: true, retryAt: now, code: nil, reply: "The message can't be made.",
          in: app.database,
          at: now)
        continue
      }
      // A test that bounces is nobody's bounce.
      outgoing.append(
        OutgoingMail(
          subject: .test(test.id, attempts: test.attempts), sender: app.settings.bounceAddress,
          recipient: mail.recipient, bytes: mail.bytes))
    }
    waiting.withLock { $0 = outgoing.reversed() }
    return mails.count + tests.count
  }

  func willEnd(_ mail: OutgoingMail) -> Bool { true }

  func done(_ mail: OutgoingMail, _ fate: MailFate) {
    if case .taken = fate { sent.add(1, ordering: .relaxed) }
    do {
      switch mail.subject {
      case .system(let id, let attempts): try note(fate, of: id, attempts, at: .now)
      case .test(let id, _): try note(fate, of: id, at: .now)
      case .recipient: break
      }
    } catch {
      // The lease ends, and it is tried again.
      logger.warning("the fate of a mail can't be noted", metadata: ["error": "\(error.loggable)"])
    }
  }

  private func note(_ fate: MailFate, of id: SystemMailID, _ attempts: Int, at now: Timestamp) throws {
    let outbox = app.accounts.mail
    switch fate {
    case .taken: try outbox.markSent(id, in: app.database, at: now)
    case .refused(let code, _, let reply, _):
      logger.warning("a mail of the system was refused", metadata: ["mail": "\(id)", "reply": "\(reply)"])
      try wait(id, until: code < 500 ? later(attempts, at: now) : nil, code, reply, at: now)
    case .notTried: try outbox.release(id, until: now + Self.soon, in: app.database)
    case .notTaken(let reason):
      // Servers end connections after some messages; a message over which they break again and again is another thing.
      try wait(id, until: attempts <= 3 ? now + Self.soon : later(attempts, at: now), nil, reason, at: now)
    case .unknown(let reason):
      // It may have been taken: rather twice than never, but not for ever.
      try wait(
        id, until: attempts < Self.mostUncertain ? later(attempts, at: now) : nil, nil, reason, at: now)
    }
  }

  private func later(_ attempts: Int, at now: Timestamp) -> Timestamp? {
    Backoff.time(after: attempts, of: app.settings.sending.attempts, at: now)
  }

  private func wait(
    _ id: SystemMailID, until time: Timestamp?, _ code: Int?, _ reply: String, at now: Timestamp
  ) throws {
    if let time {
      try app.accounts.mail.postpone(id, until: time, code: code, reply: reply, in: app.database)
    } else {
      logger.warning("a mail of the system is given up", metadata: ["mail": "\(id)", "reason": "\(reply)"])
      try app.accounts.mail.giveUp(id, code: code, reply: reply, in: app.database, at: now)
    }
  }

  private func note(_ fate: MailFate, of id: MailingTestID, at now: Timestamp) throws {
    func failed(_ isFinal: Bool, _ code: Int?, _ reply: String?) throws {
      try MailingTestQueue.markFailed(
        id, isFinal: isFinal, retryAt: now + .seconds(60), code: code, reply: reply, in: app.database, at: now
      )
    }
    switch fate {
    case .taken(let code, let reply):
      try MailingTestQueue.markSent(id, code: code, reply: reply, in: app.database, at: now)
    case .refused(let code, _, let reply, _): try failed(code >= 500, code, reply)
    case .notTried: try MailingTestQueue.release(id, until: now + Self.soon, in: app.database)
    case .notTaken(let reason), .unknown(let reason): try failed(false, nil, reason)
    }
  }
}
