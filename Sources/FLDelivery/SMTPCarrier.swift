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
      if breaker.isOpen {
        session?.quit()
        session = nil
      }
    }
    session?.quit()
  }

  /// Sends `first`, and what else waits, until nothing waits or the connection is lost.
  private func send(_ first: OutgoingMail, _ source: some MailSource, by session: SMTPSession) {
    var waiting: OutgoingMail? = first
    var isHeldBack = false
    var hasDelivered = false
    var loss: String?
    do {
      try session.run(
        next: { () -> (OutgoingMail, SMTPMessage)? in
          let mail = waiting ?? (breaker.isOpen ? nil : source.next(waits: false))
          waiting = nil
          return mail.map { ($0, SMTPMessage(from: $0.sender, to: $0.recipient, content: $0.bytes)) }
        },
        beforeEnd: { mail in
          isHeldBack = !source.willEnd(mail)
          if isHeldBack { throw HeldBack() }
        },
        done: { mail, outcome in
          switch outcome {
          case .accepted(let reply):
            hasDelivered = true
            breaker.succeeded()
            source.done(mail, .taken(code: reply.code, reply: reply.description))
          case .refused(let reply, .mail) where reply.refusesAllMail:
            // Nothing goes by this server as it is set up; that is no recipient's fault, and none is given up for it.
            breaker.failed("It takes no mail from here: \(reply)")
            logger.error(
              "the mail server takes no mail from here",
              metadata: ["server": "\(server)", "reply": "\(reply)"])
            source.done(mail, .notTried)
          case .refused(let reply, let stage):
            if reply.isOfServer { breaker.succeeded() }
            source.done(
              mail,
              .refused(
                code: reply.code, enhanced: reply.enhanced, reply: reply.description,
                isOfRecipient: stage == .recipient))
          case .lost(let reason, let mayHaveBeenTaken):
            loss = reason
            source.done(
              mail,
              mayHaveBeenTaken
                ? .unknown(reason: reason) : isHeldBack ? .notTried : .notTaken(reason: reason))
          }
        })
    } catch {
      logger.error("the journal can't be written; messages are held back", metadata: ["path": "run/senders"])
    }
    // Servers end connections after some messages: that is none of their failures.
    if !session.isUsable && !hasDelivered { breaker.failed(loss ?? "It ended the connection.") }
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
      breaker.failed("\(error)")
      logger.warning(
        "no connection to the mail server", metadata: ["server": "\(server)", "reason": "\(error)"])
      return nil
    }
  }
}

extension SMTPReply {
  /// Whether a refusal of MAIL is one for good of whoever sends here, with whatever address: credentials that are wanted,
  /// a policy. One of this message alone, of its size or how its address or text is written, is not.
  fileprivate var refusesAllMail: Bool {
    guard isOfServer, code >= 500, ![501, 552, 555].contains(code) else { return false }
    guard let enhanced else { return true }
    return !["5.1.7", "5.2.3", "5.3.4", "5.5.4"].contains(enhanced) && !enhanced.hasPrefix("5.6.")
  }
}
