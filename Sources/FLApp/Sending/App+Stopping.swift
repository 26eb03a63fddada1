import FLMariaDB
package import FLValues

/// What a sender does with a mailing that can't go on as it is: whose it is reads why, in the mailing and by mail.
extension App {
  /// Stops a mailing of whose messages servers take none, where somebody still waits for it; whether it was this call
  /// that did.
  /// - Parameters:
  ///   - reply: what the server said to the last one.
  ///   - isWaitedFor: whether somebody waits who is claimed already.
  /// - Throws: `DatabaseError`.
  package func pauseMailing(
    _ id: MailingID, refusedWith reply: String, isWaitedFor: Bool, at now: Timestamp
  ) throws -> Bool {
    try database.transaction { connection in
      let rows = SendingRows(queries: connection)
      guard try rows.pause(id, because: reply, isWaitedFor: isWaitedFor, at: now),
        let account = try rows.account(of: id)
      else { return false }
      try tellOwner(
        account, of: id, "A mailing was paused", on: connection, at: now,
        before: "The mail server refuses one message after the other of your mailing", reason: reply,
        after: """
          So it was paused, and nobody else was tried. When what it says is mended, let the mailing go on:

              POST /api/mailing/\(id)/resume

          and when it is through, send it again to those whose message was refused:

              POST /api/mailing/\(id)/retry
          """)
      return true
    }
  }

  /// Gives up a mailing that can't be made into messages.
  /// - Throws: `DatabaseError`.
  func giveUpMailing(_ id: MailingID, because reason: String, at now: Timestamp) throws {
    try database.transaction { connection in
      let rows = SendingRows(queries: connection)
      guard try rows.giveUp(id, because: reason, at: now), let account = try rows.account(of: id) else {
        return
      }
      try tellOfEnd(id, of: account, on: connection, at: now)
      try tellOwner(
        account, of: id, "A mailing could not be sent", on: connection, at: now,
        before: "Nothing was sent any more of your mailing", reason: reason,
        after: """
          When that is mended, send it to those who have not got it:

              POST /api/mailing/\(id)/retry

          If nobody has got it yet, it can be made a draft again, and changed:

              POST /api/mailing/\(id)/unschedule
          """)
    }
  }

  private func tellOwner(
    _ account: AccountID, of id: MailingID, _ subject: String, on connection: Connection, at now: Timestamp,
    before: String, reason: String, after: String
  ) throws {
    guard let mailing = try MailingRows(account: account, queries: connection).find(id),
      let owner = try AccountRows(queries: connection).find(account)
    else { return }
    try accounts.mail.queue(
      toAccountWithEmailKey: owner.email.lowercased(), subject: subject,
      body: """
        \(before)

            \(mailing.content.subject)

        This is why:

            \(reason)

        \(after)

        """,
      on: connection, at: now)
  }
}
