import FLHTTP
import FLMariaDB
import FLValues

/// The rules of mailings: what may be changed when, and from which state one comes into which.
struct MailingService: Sendable {
  let database: Database
  let audience: MailingAudience
  let domains: SendingDomains
  let baseURL: String
  /// What tells what would hurt a mailing.
  let check: MailingCheck
  private let countsOfLarge = CostlyAnswers<Snapshot, MailingCounts>(keeping: \.areOfLarge)
  private let statisticsOfLarge = CostlyAnswers<Snapshot, MailingStatistics>(keeping: \.counts.areOfLarge)

  /// A mailing as it is: in another state its numbers are others.
  private struct Snapshot: Hashable {
    let id: MailingID
    let version: Int
    let status: MailingStatus

    init(_ mailing: Mailing) { (id, version, status) = (mailing.id, mailing.version, mailing.status) }
  }

  init(
    database: Database, audience: MailingAudience, domains: SendingDomains, lookups: SenderLookups,
    baseURL: String
  ) {
    (self.database, self.audience, self.domains, self.baseURL) = (database, audience, domains, baseURL)
    check = MailingCheck(database: database, domains: domains, lookups: lookups, baseURL: baseURL)
  }

  /// How far ahead a mailing can be scheduled.
  private static let longestSchedule = Duration.seconds(2 * 366 * 86_400)

  // MARK: Writing

  /// Makes a mailing.
  /// - Throws: `Problem` 422 where it is to come from an address that may not be used.
  func create(_ content: MailingContent, account: AccountID, at now: Timestamp) throws -> Mailing {
    try domains.check(content.fromEmail, of: account, in: database)
    let mailing = Mailing(
      id: MailingID(at: now), account: account, mark: Mailing.randomMark(), content: content, status: .draft,
      version: 1, createdAt: now, updatedAt: now)
    return try MailingRows(account: account, queries: database).insert(mailing)
  }

  /// The mailing with its numbers.
  /// - Throws: `Problem` 404.
  func find(_ id: MailingID, account: AccountID) throws -> Mailing {
    try counted([known(id, account: account)])[0]
  }

  /// These mailings with their numbers. Those of large ones that are on their way, or were, may be up to a minute old.
  func counted(_ mailings: [Mailing]) throws -> [Mailing] {
    let editable = mailings.filter(\.status.isEditable).map(\.id)
    var counts = try RecipientRows.counts(of: editable, in: database)
    let others = mailings.filter { !$0.status.isEditable }.map(Snapshot.init)
    let found = try countsOfLarge.values(for: others) { missing in
      let counts = try RecipientRows.counts(of: missing.map(\.id), in: database)
      return Dictionary(
        missing.map { ($0, counts[$0.id] ?? MailingCounts()) }, uniquingKeysWith: { first, _ in first })
    }
    for (snapshot, value) in found { counts[snapshot.id] = value }
    return mailings.map { mailing in
      var mailing = mailing
      mailing.counts = counts[mailing.id] ?? MailingCounts()
      return mailing
    }
  }

  /// The mailing without its numbers.
  private func known(_ id: MailingID, account: AccountID) throws -> Mailing {
    guard let mailing = try MailingRows(account: account, queries: database).find(id) else {
      throw Problem.notFound
    }
    return mailing
  }

  /// The mailing with its numbers as they are now.
  private func recounted(_ mailing: Mailing) throws -> Mailing {
    var mailing = mailing
    mailing.counts = try RecipientRows.counts(of: [mailing.id], in: database)[mailing.id] ?? MailingCounts()
    return mailing
  }

  /// What became of a mailing. That of a large one may be up to a minute old.
  /// - Throws: `Problem` 404.
  func statistics(of id: MailingID, account: AccountID) throws -> MailingStatistics {
    let mailing = try known(id, account: account)
    let snapshot = Snapshot(mailing)
    let found = try statisticsOfLarge.values(for: [snapshot]) { _ in
      let rows = MailingStatisticsRows(mailing: try recounted(mailing), queries: database)
      return [snapshot: try rows.statistics()]
    }
    guard let statistics = found[snapshot] else { throw Problem.notFound }
    return statistics
  }

  /// Changes a mailing that is not on its way yet.
  /// - Throws: `Problem` 404, 409, 412 or 422.
  func update(
    _ id: MailingID, _ changes: MailingChanges, account: AccountID, if preconditions: Preconditions,
    at now: Timestamp
  ) throws -> Mailing {
    try changing(id, account, preconditions) { rows, mailing in
      try mailing.status.checkEditable()
      let content = mailing.content.changed(by: changes.content)
      if content.fromEmail != mailing.content.fromEmail {
        try domains.check(content.fromEmail, of: account, in: rows.queries)
      }
      switch changes.scheduledFor {
      case .keep: break
      case .clear where mailing.status == .draft: break
      case .clear:
        guard try unschedule(mailing, rows, at: now) else { throw Self.refused(mailing.status, "changed") }
      case .set(let time):
        guard mailing.status == .scheduled else {
          throw Problem.invalid(
            "scheduledFor", "not_scheduled", "The mailing is a draft: give the time when you send it.")
        }
        try Self.check(time, at: now)
        try rows.schedule(id, for: time, at: now)
      }
      if mailing.status == .scheduled, changes.scheduledFor != .clear {
        // It goes out without being looked at again.
        var changed = mailing
        changed.content = content
        let errors = try check.contentErrors(of: changed, in: rows.queries)
        guard errors.isEmpty else { throw Problem.invalid(errors) }
      }
      try rows.update(id, content, at: now)
    }
  }

  /// Deletes a mailing that is not on its way, with all that is known of its recipients. Who has a message of it can
  /// still unsubscribe.
  /// - Throws: `Problem` 404, 409 or 412.
  func delete(_ id: MailingID, account: AccountID, if preconditions: Preconditions, at now: Timestamp) throws
  {
    let deletable = MailingStatus.allCases.filter { $0 != .queued && $0 != .sending }
    // It is stopped first, and its many rows go in parts: one statement for all of them would take too long.
    try changing(id, account, preconditions) { rows, mailing in
      guard try rows.move(id, from: deletable, to: .cancelled, at: now) else {
        throw Self.refused(mailing.status, "deleted")
      }
    }
    let visitors = RecipientRows(account: account, mailing: id, queries: database)
    while try visitors.removeVisitors(10_000) > 0 {}
    try audience.inStretches(of: id, account: account) { try $0.remove(after: $1, through: $2) }
    try database.transaction { try MailingRows(account: account, queries: $0).delete(id, at: now) }
  }

  // MARK: From state to state

  /// Puts a mailing into the queue, or schedules it; one that is scheduled as well.
  /// - Throws: `Problem` 404, 409, 412, or 422 with what of it would hurt.
  func send(
    _ id: MailingID, scheduledFor time: Timestamp?, account: AccountID, if preconditions: Preconditions,
    at now: Timestamp
  ) throws -> Mailing {
    if let time { try Self.check(time, at: now) }
    return try changing(id, account, preconditions) { rows, mailing in
      guard mailing.status.isEditable else { throw Self.refused(mailing.status, "sent") }
      let errors = try check.errors(of: mailing, in: rows.queries, at: now)
      guard errors.isEmpty else { throw Problem.invalid(errors) }
      let values: SQL = "scheduled_for = \(time), queued_at = \(time == nil ? now : nil), prepared_at = NULL"
      guard
        try rows.move(
          id, from: MailingStatus.editable, to: time == nil ? .queued : .scheduled, setting: values, at: now)
      else { throw Self.refused(mailing.status, "sent") }
    }
  }

  /// Makes a draft again of a mailing of which no message went out.
  /// - Throws: `Problem` 404, 409 or 412.
  func unschedule(_ id: MailingID, account: AccountID, if preconditions: Preconditions, at now: Timestamp)
    throws
    -> Mailing
  {
    try changing(id, account, preconditions) { rows, mailing in
      guard try unschedule(mailing, rows, at: now) else {
        throw Problem.conflict(
          "The mailing is \(mailing.status.rawValue): only one that waits, or failed before its first message, can "
            + "be a draft again.", field: "status", code: "wrong_status")
      }
    }
  }

  /// Whether there was something to make a draft of.
  private func unschedule(_ mailing: Mailing, _ rows: MailingRows, at now: Timestamp) throws -> Bool {
    guard mailing.startedAt == nil else { return false }
    return try rows.move(
      mailing.id, from: [.scheduled, .queued, .paused, .failed], to: .draft,
      setting: "scheduled_for = NULL, queued_at = NULL, prepared_at = NULL, finished_at = NULL", at: now)
  }

  /// Stops a mailing until it is resumed.
  /// - Throws: `Problem` 404, 409 or 412.
  func pause(_ id: MailingID, account: AccountID, if preconditions: Preconditions, at now: Timestamp) throws
    -> Mailing
  {
    try move(id, account, preconditions, "paused", from: [.queued, .sending, .scheduled], at: now) { _ in
      (.paused, "id = id")
    }
  }

  /// Lets a mailing go on that was paused: at once, or at its time where that lies ahead.
  /// - Throws: `Problem` 404, 409 or 412.
  func resume(_ id: MailingID, account: AccountID, if preconditions: Preconditions, at now: Timestamp) throws
    -> Mailing
  {
    try move(id, account, preconditions, "resumed", from: [.paused], at: now) { mailing in
      if mailing.startedAt == nil, let time = mailing.scheduledFor, time > now {
        return (.scheduled, "id = id")
      }
      return (.queued, "queued_at = \(now)")
    }
  }

  /// Stops a mailing for good: whoever waits is passed over. Where that was interrupted it goes on.
  /// - Throws: `Problem` 404, 409 or 412.
  func cancel(_ id: MailingID, account: AccountID, if preconditions: Preconditions, at now: Timestamp) throws
    -> Mailing
  {
    let cancellable: [MailingStatus] = [.scheduled, .queued, .sending, .paused]
    _ = try changing(id, account, preconditions) { rows, mailing in
      let recipients = RecipientRows(account: account, mailing: id, queries: rows.queries)
      if try mailing.status == .cancelled && recipients.has([.pending]) { return }
      guard try rows.move(id, from: cancellable, to: .cancelled, setting: "finished_at = \(now)", at: now)
      else { throw Self.refused(mailing.status, "cancelled") }
    }
    try audience.passOver(id, account: account)
    return try recounted(known(id, account: account))
  }

  /// Puts a mailing into the queue again for those whose message failed, and whom else `wish` is for.
  /// - Throws: `Problem` 404, 409 or 412.
  func retry(
    _ id: MailingID, _ wish: MailingRetry, account: AccountID, if preconditions: Preconditions,
    at now: Timestamp
  ) throws -> Mailing {
    // Looked for before anything is locked: of a million it takes a while.
    let isForSomebody =
      try wish.takes(known(id, account: account).status)
      && audience.hasSomebody(for: wish, of: id, account: account)
    // While it is paused no sender takes the first of them before the last one is ready.
    _ = try changing(id, account, preconditions) { rows, mailing in
      guard wish.takes(mailing.status) else { throw Self.refused(retryOf: mailing.status) }
      // One that could not be sent at all, or whose cancelling was interrupted, has some waiting.
      let recipients = RecipientRows(account: account, mailing: id, queries: rows.queries)
      guard try isForSomebody || (mailing.status != .sent && recipients.has([.pending])) else {
        throw Self.nobody(for: wish, try RecipientRows.counts(of: [id], in: rows.queries)[id])
      }
      // It begins at once, also one that was cancelled before its time.
      let values: SQL = "finished_at = NULL, scheduled_for = IF(scheduled_for > \(now), NULL, scheduled_for)"
      _ = try rows.move(id, from: [.sent, .failed, .cancelled], to: .paused, setting: values, at: now)
    }
    try audience.inStretches(of: id, account: account) { recipients, after, last in
      // Whoever resumes or cancels it meanwhile would leave the rest waiting in a mailing that is over.
      let status = try MailingRows(account: account, queries: recipients.queries).lockStatus(id)
      guard let status, status == .paused else { throw Self.refused(retryOf: status ?? .cancelled) }
      try recipients.retry(wish, after: after, through: last)
    }
    let rows = MailingRows(account: account, queries: database)
    _ = try rows.move(id, from: [.paused], to: .queued, setting: "queued_at = \(now)", at: now)
    return try recounted(known(id, account: account))
  }

  /// Queues a message like those of the mailing to each of `addresses`.
  /// - Throws: `Problem` 404, 422, or 429 with too many in an hour.
  func test(_ id: MailingID, _ wish: MailingTestWish, account: AccountID, at now: Timestamp) throws
    -> MailingTestsQueued
  {
    try database.transaction { connection in
      guard let mailing = try MailingRows(account: account, queries: connection).find(id) else {
        throw Problem.notFound
      }
      guard !mailing.content.isEmpty else {
        throw Problem.invalid("htmlBody", "empty_body", "The mailing says nothing yet.")
      }
      try domains.check(mailing.content.fromEmail, of: account, in: connection)
      if let contact = wish.contact {
        let rows = RecipientRows(account: account, mailing: id, queries: connection)
        guard try !rows.known([contact]).isEmpty else {
          throw Problem.invalid("contactId", "not_found", "There is no such contact.")
        }
      }
      let tests = MailingTestRows(account: account, queries: connection)
      try tests.checkRate(adding: wish.addresses.count, at: now)
      try tests.insert(wish, mailing: id, at: now)
      return MailingTestsQueued(addresses: wish.addresses.map(\.text))
    }
  }

  // MARK: Shared

  private static func check(_ time: Timestamp, at now: Timestamp) throws {
    guard time > now else {
      throw Problem.invalid("scheduledFor", "in_the_past", "This must lie in the future.")
    }
    guard time < now + longestSchedule else {
      throw Problem.invalid("scheduledFor", "out_of_range", "This must lie within two years.")
    }
  }

  private static func refused(_ status: MailingStatus, _ verb: String) -> Problem {
    .conflict(
      "The mailing is \(status.rawValue): it can't be \(verb) now.", field: "status", code: "wrong_status")
  }

  private static func refused(retryOf status: MailingStatus) -> Problem {
    guard status == .cancelled else { return refused(status, "retried") }
    return .conflict(
      "The mailing is cancelled: it can be retried only with `includeSkipped`, for those who were passed over.",
      field: "status", code: "wrong_status")
  }

  /// Nobody would get anything by `wish`: tells whom a mailing has that another wish would be for.
  private static func nobody(for wish: MailingRetry, _ counts: MailingCounts?) -> Problem {
    let counts = counts ?? MailingCounts()
    let reachable = "those whose contacts may get mail"
    let nobody = "none of their contacts may get mail"
    let others = [
      counts.uncertain == 0 ? nil : "\(counts.uncertain) uncertain (`includeUncertain` takes them)",
      counts.bounced == 0
        ? nil
        : "\(counts.bounced) bounced (\(wish.includeBounced ? nobody : "`includeBounced` takes \(reachable)"))",
      counts.skipped == 0
        ? nil
        : "\(counts.skipped) skipped (\(wish.includeSkipped ? nobody : "`includeSkipped` takes \(reachable)"))",
    ].compactMap { $0 }
    let rest = others.isEmpty ? "" : " Of its recipients are \(others.joined(separator: ", "))."
    return .conflict("Nobody's message has failed.\(rest)", field: "status", code: "nothing_failed")
  }

  private func move(
    _ id: MailingID, _ account: AccountID, _ preconditions: Preconditions, _ verb: String,
    from: [MailingStatus], at now: Timestamp, _ target: (Mailing) throws -> (MailingStatus, SQL)
  ) throws -> Mailing {
    try changing(id, account, preconditions) { rows, mailing in
      guard from.contains(mailing.status) else { throw Self.refused(mailing.status, verb) }
      let (status, values) = try target(mailing)
      guard try rows.move(id, from: from, to: status, setting: values, at: now) else {
        throw Self.refused(mailing.status, verb)
      }
    }
  }

  /// Runs `body` with the mailing while nobody else changes it; answers what it is then. It is counted when the locks
  /// are gone.
  @discardableResult
  private func changing(
    _ id: MailingID, _ account: AccountID, _ preconditions: Preconditions,
    _ body: (MailingRows, Mailing) throws -> Void
  ) throws -> Mailing {
    let changed = try database.transaction { connection in
      let rows = MailingRows(account: account, queries: connection)
      guard let mailing = try rows.lock(id) else { throw Problem.notFound }
      try preconditions.check(mailing.tag)
      try body(rows, mailing)
      guard let changed = try rows.find(id) else { throw Problem.notFound }
      return changed
    }
    return try counted([changed])[0]
  }
}

extension MailingCounts {
  /// Whether counting them takes so long that they are kept for a while.
  fileprivate var areOfLarge: Bool { recipients > 50_000 }
}

extension MailingContent {
  /// Whether there is HTML. White space alone is none: mail programs would show it instead of the text.
  var hasHTML: Bool { !htmlBody.allSatisfy(\.isWhitespace) }

  /// Whether there is nothing to read in it.
  var isEmpty: Bool { !hasHTML && (textBody ?? "").allSatisfy(\.isWhitespace) }
}
