import FLApp
import FLMariaDB
import FLValues
import Foundation
import Logging

/// Settles what runs of the sender that are gone had in hand: what they noted as answered is marked so, what may have
/// gone out is uncertain, and the rest is sent by others.
struct Recovery {
  let app: App
  let directory: String
  let host: String
  let logger: Logger

  /// Settles everything that can be told.
  /// - Throws: `DatabaseError`; what is not settled stays for the next run.
  func run(at now: Timestamp) throws {
    for remains in SenderJournal.remains(in: directory) {
      attempt(remains.sender) {
        try settle(remains.sender, fates: remains.fates, at: now)
        remains.remove()
      }
    }
    // Of those whose journal is on another host, or lost: when nothing was heard of them for long.
    let runs = SenderRunRows(queries: app.database)
    for run in try runs.running() where run.seenAt < now - SenderRun.patience {
      // One that hangs on this host still holds its journal, and tells by it when it ends.
      let path = "\(directory)/\(run.id)\(SenderJournal.suffix)"
      if FileManager.default.fileExists(atPath: path) { continue }
      attempt(run.id) { try settle(run.id, fates: nil, at: now) }
    }
  }

  /// One that can't be settled holds up none of the others; it is tried again by the next run.
  private func attempt(_ sender: SenderID, _ settle: () throws -> Void) {
    do { try settle() } catch {
      logger.error(
        "what a sender had in hand can't be settled",
        metadata: ["sender": "\(sender)", "error": "\(error.loggable)"])
    }
  }

  /// Settles one run; `fates` is what its journal tells, nil where that is not to be had.
  private func settle(
    _ sender: SenderID, fates: [SenderJournal.Message: SenderJournal.Fate]?, at now: Timestamp
  ) throws {
    let rows = SendingRows(queries: app.database)
    var uncertain = 0
    var released = 0
    for (mailing, recipients) in try rows.inHand(of: sender) {
      let results = recipients.map { recipient -> RecipientResult in
        let contact = recipient.contact
        guard let fates else {
          uncertain += 1
          return RecipientResult(
            contact: contact, outcome: .uncertain, reply: "The sender was lost, and its journal with it.",
            at: now)
        }
        switch fates[.init(mailing: mailing, contact: contact)] {
        case nil:
          released += 1
          return RecipientResult(contact: contact, outcome: .released, at: now)
        case .perhaps?:
          uncertain += 1
          return RecipientResult(
            contact: contact, outcome: .uncertain,
            reply: "The sender was stopped before the server answered.", at: now)
        case .answered(let code, let reply, let isOfRecipient, let time)?:
          guard code >= 400 else {
            return RecipientResult(contact: contact, outcome: .sent, code: code, reply: reply, at: time)
          }
          let verdict = Verdict(code: code, reply: reply, isOfRecipient: isOfRecipient)
          let outcome = verdict.outcome(
            Backoff.time(after: recipient.attempts, of: app.settings.sending.attempts, at: now))
          return RecipientResult(
            contact: contact, outcome: outcome, code: code, reply: reply,
            refusal: verdict.refusal(of: recipient.email, outcome), at: time)
        }
      }
      for some in results.chunks(of: 1000) { try app.markRecipients(some, of: mailing, by: sender) }
    }
    try SenderRunRows(queries: app.database).end(sender, at: now)
    if uncertain + released > 0 {
      logger.warning(
        "a sender was gone with messages in hand",
        metadata: ["sender": "\(sender)", "uncertain": "\(uncertain)", "released": "\(released)"])
    }
  }
}
