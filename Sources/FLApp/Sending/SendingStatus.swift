package import FLMariaDB
package import FLValues

/// What waits to go out, how long it has waited, and who is at it: for the operator, over all accounts.
package struct SendingStatus: Sendable {
  /// A queue as a whole.
  package struct Queue: Sendable {
    package let waiting: Int
    /// When the oldest came; nil where nothing waits.
    package let oldest: Timestamp?
  }

  package let mailings: [SendingRows.Backlog]
  package let systemMails: Queue
  package let webhooks: Queue
  package let imports: Queue
  /// Mailings whose time has not come.
  package let scheduled: Int
  package let runs: [SenderRun]
  /// What was wrong with the mail server at last, and when.
  package let trouble: (text: String, at: Timestamp)?
  /// Messages that runs of the last hour have sent.
  package let sentInLastHour: Int

  /// Looks at the queues.
  /// - Throws: `DatabaseError`.
  package init(in database: Database, at now: Timestamp) throws {
    func queue(_ sql: SQL) throws -> Queue {
      let row = try database.row(sql)
      return Queue(waiting: try row?["waiting"] ?? 0, oldest: try row?["oldest"] ?? nil)
    }
    mailings = try SendingRows(queries: database).backlog()
    systemMails = try queue(
      """
      SELECT COUNT(*) AS waiting, MIN(created_at) AS oldest FROM mail_outbox WHERE sent_at IS NULL AND failed_at IS NULL
      """)
    webhooks = try queue(
      "SELECT COUNT(*) AS waiting, MIN(created_at) AS oldest FROM webhook_deliveries WHERE status = 'pending'"
    )
    imports = try queue(
      "SELECT COUNT(*) AS waiting, MIN(created_at) AS oldest FROM contact_imports WHERE status IN ('queued', 'running')"
    )
    scheduled = try database.row("SELECT COUNT(*) AS n FROM mailings WHERE status = 'scheduled'")?["n"] ?? 0
    let rows = SenderRunRows(queries: database)
    runs = try rows.running()
    trouble = try rows.trouble(since: now - .seconds(86_400))
    sentInLastHour = try rows.sent(since: now - .seconds(3600))
  }

  /// The status in lines for a terminal.
  package func lines(at now: Timestamp) -> [String] {
    func age(_ time: Timestamp?) -> String {
      guard let time else { return "" }
      let seconds = Int(max(0, (now - time).components.seconds))
      return seconds < 120
        ? "\(seconds) s"
        : seconds < 7200
          ? "\(seconds / 60) min" : seconds < 172_800 ? "\(seconds / 3600) h" : "\(seconds / 86_400) d"
    }
    func line(_ name: String, _ queue: Queue) -> String {
      "\(name.padded(to: 16)) \(queue.waiting) waiting"
        + (queue.waiting > 0 ? ", the oldest for \(age(queue.oldest))" : "")
    }
    var lines = [line("system mails", systemMails), line("webhooks", webhooks), line("imports", imports)]
    lines.append("\("mailings".padded(to: 16)) \(mailings.count) under way, \(scheduled) scheduled")
    for mailing in mailings {
      let all = mailing.pending + mailing.sending + mailing.done
      lines.append(
        "  \(mailing.mailing)  \(mailing.status.padded(to: 8)) \(mailing.done) of \(all) done, \(mailing.sending) in hand, "
          + "queued \(age(mailing.queuedAt)) ago: \(mailing.subject.prefix(60))")
      if let reason = mailing.statusReason {
        lines.append("    its messages are refused: \(reason.prefix(120))")
      }
    }
    if let trouble {
      lines.append("\("mail server".padded(to: 16)) \(age(trouble.at)) ago: \(trouble.text)")
    }
    lines.append("\("sent".padded(to: 16)) \(sentInLastHour) messages in the last hour")
    lines.append("\("senders".padded(to: 16)) \(runs.count) running")
    for run in runs {
      let seconds = Double((run.seenAt - run.startedAt).components.seconds)
      let rate = seconds > 0 ? Int(Double(run.sent) / seconds) : 0
      lines.append(
        "  \(run.host) process \(run.process): \(run.sent) sent, \(rate) a second, for \(age(run.startedAt)), seen \(age(run.seenAt)) ago"
      )
    }
    return lines
  }
}

extension String {
  /// This text with spaces behind it, up to `width` characters.
  fileprivate func padded(to width: Int) -> String {
    self + String(repeating: " ", count: max(0, width - count))
  }
}
