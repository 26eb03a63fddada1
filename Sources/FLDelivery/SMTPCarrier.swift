import FLTransfer
import Foundation
import Logging

/// Carries messages to a mail server over one connection, which is kept and used again.
struct SMTPCarrier: MailCarrier, Sendable {
  let server: SMTPServer
  let breaker: Breaker
  let logger: Logger
  let stop: @Sendable () -> Bool

  /// A connection that was idle so long is asked whether it still lives: servers end idle ones.
  private static let idle = Duration.seconds(5)

  /// Why a message was held back: its end could not be noted in the journal.
  private struct HeldBack: Error {}

  func carry(_ source: some MailSource) {
    var session: SMTPSession?
    var lastUse = ContinuousClock.now
    while let mail = source.next(waits: true) {
      if let open = session, lastUse.duration(to: .now) > Self.idle, !open.reset() { session = nil }
      if session?.isUsable != true { session = connect() }
      guard let open = session else {
        source.done(mail, .notTried)
        continue
      }
      send(mail, source, by: open)
      lastUse = .now
    }
    session?.quit()
  }

  /// Sends `first`, and what else waits, until nothing waits or the connection is lost.
  private func send(_ first: OutgoingMail, _ source: some MailSource, by session: SMTPSession) {
    var waiting: OutgoingMail? = first
    do {
      try session.run(
        next: { () -> (OutgoingMail, SMTPMessage)? in
          let mail = waiting ?? source.next(waits: false)
          waiting = nil
          return mail.map { ($0, SMTPMessage(from: $0.sender, to: $0.recipient, content: $0.bytes)) }
        },
        beforeEnd: { mail in if !source.willEnd(mail) { throw HeldBack() } },
        done: { mail, outcome in
          switch outcome {
          case .accepted(let reply):
            breaker.succeeded()
            source.done(mail, .taken(code: reply.code, reply: reply.description))
          case .refused(let reply, let stage):
            breaker.succeeded()
            source.done(
              mail,
              .refused(
                code: reply.code, enhanced: reply.enhanced, reply: reply.description,
                isOfRecipient: stage == .recipient))
          case .lost(let reason, let mayHaveBeenTaken):
            source.done(mail, mayHaveBeenTaken ? .unknown(reason: reason) : .notTaken(reason: reason))
          }
        })
    } catch {
      logger.error("the journal can't be written; messages are held back", metadata: ["path": "run/senders"])
    }
    if !session.isUsable { breaker.failed() }
  }

  /// A new connection; waits while the server is left alone, and answers nil when it can't be had.
  private func connect() -> SMTPSession? {
    while !breaker.mayConnect() {
      if stop() { return nil }
      Thread.sleep(forTimeInterval: 0.1)
    }
    do {
      return try SMTPSession.open(server)
    } catch {
      breaker.failed()
      logger.warning(
        "no connection to the mail server", metadata: ["server": "\(server)", "reason": "\(error)"])
      return nil
    }
  }
}
