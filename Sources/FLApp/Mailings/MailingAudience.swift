import FLHTTP
public import FLMariaDB
public import FLValues

/// Who a mailing goes to: contacts by themselves, and those of groups and tags.
///
/// However many they are, they go through the database in stretches of ten thousand by their ids, each in a
/// transaction of its own: no statement takes long, none holds many locks, and nothing of it is in memory here.
public struct MailingAudience: Sendable {
  let database: Database

  /// How many contacts one statement is about.
  static let atOnce = 10_000

  /// The audiences of the mailings in `database`.
  public init(database: Database) { self.database = database }

  /// The least id.
  static let beginning = ContactID(high: 0, low: 0)

  // MARK: Adding and taking away, while it is written

  /// Adds whoever is wished for; what is not there is told and keeps nobody else from being added.
  /// - Throws: `Problem` 404, or 409 where the mailing can't be changed any more.
  func add(_ wishes: RecipientWishes, to mailing: MailingID, account: AccountID) throws -> RecipientsAdded {
    var result = RecipientsAdded()
    let sources = try editing(mailing, of: account) { rows in
      result = RecipientsAdded()
      try add(wishes.contacts, rows, &result)
      let sources = try self.sources(of: wishes, rows, &result)
      try rows.add(sources)
      return sources
    }
    for source in sources { try add(from: source, to: mailing, account: account, &result) }
    result.recipients = try RecipientRows(account: account, mailing: mailing, queries: database).count()
    return result
  }

  private func add(_ contacts: [ContactID], _ rows: RecipientRows, _ result: inout RecipientsAdded) throws {
    var known: Set<ContactID> = []
    // Always in the same order, for the locks' sake; in pieces, for the prepared statements'.
    try Array(Set(contacts)).sorted().inBatches { batch in
      let ids = try rows.known(Array(batch)).sorted()
      guard !ids.isEmpty else { return }
      known.formUnion(ids)
      let before = try rows.count(of: ids)
      result.added += ids.count - before
      result.alreadyRecipients += before
      result.skipped += try rows.countSuppressed(of: ids)
      try rows.removeExclusions(of: ids)
      try rows.add(ids)
    }
    for (index, contact) in contacts.enumerated() where !known.contains(contact) {
      result.errors.append(Self.unknown("contactIds[\(index)]", "contact"))
    }
  }

  private func sources(of wishes: RecipientWishes, _ rows: RecipientRows, _ result: inout RecipientsAdded)
    throws
    -> [RecipientSource]
  {
    var sources: Set<RecipientSource> = []
    let groups = try rows.known(wishes.groups)
    for (index, group) in wishes.groups.enumerated() {
      if groups.contains(group) {
        sources.insert(.group(group))
      } else {
        result.errors.append(Self.unknown("groupIds[\(index)]", "group"))
      }
    }
    for (index, tag) in try rows.known(wishes.tags).enumerated() {
      if let tag {
        sources.insert(.tag(tag))
      } else {
        result.errors.append(Self.unknown("tags[\(index)]", "tag"))
      }
    }
    return Array(sources)
  }

  private static func unknown(_ field: String, _ thing: String) -> FieldProblem {
    FieldProblem(field, "not_found", "There is no such \(thing).")
  }

  private func add(
    from source: RecipientSource, to mailing: MailingID, account: AccountID, _ result: inout RecipientsAdded
  ) throws {
    var after = Self.beginning
    while true {
      let part = try editing(mailing, of: account) { rows -> (through: ContactID, RecipientsAdded)? in
        guard let stretch = try rows.stretch(of: source, after: after, limit: Self.atOnce) else { return nil }
        var part = RecipientsAdded()
        part.alreadyRecipients = try rows.count(of: source, in: stretch)
        let candidates = try rows.candidates(of: source, in: stretch)
        if candidates.new > 0 { part.added = try rows.add(from: source, in: stretch) }
        part.skipped =
          candidates.suppressed + max(0, stretch.count - part.alreadyRecipients - candidates.new)
        return (stretch.through, part)
      }
      guard let (through, part) = part else { return }
      result.added += part.added
      result.alreadyRecipients += part.alreadyRecipients
      result.skipped += part.skipped
      after = through
    }
  }

  /// Takes one away, for good: a group or a tag does not bring the contact back.
  /// - Throws: `Problem` 404 or 409.
  func remove(_ contact: ContactID, from mailing: MailingID, account: AccountID) throws {
    try editing(mailing, of: account) { rows in
      guard try rows.remove([contact]) > 0 else { throw Problem.notFound }
      try rows.exclude([contact])
    }
  }

  /// Takes contacts, groups and tags out. The contacts are out for good, also those who are no recipients yet: no group
  /// or tag brings them back. Of a group or a tag go those who are in none of the others and were not named singly.
  ///
  /// What is not there is told and keeps nothing else from being taken out. It may be interrupted and done anew.
  /// - Throws: `Problem` 404, or 409 where the mailing can't be changed any more.
  func remove(_ removal: RecipientRemoval, from mailing: MailingID, account: AccountID) throws
    -> RecipientsRemoved
  {
    var result = RecipientsRemoved()
    try editing(mailing, of: account) { rows in
      result = RecipientsRemoved()
      try remove(removal.contacts, rows, &result)
      try removeSources(removal, rows, &result)
    }
    // Also where a group was taken out before: that may have been interrupted.
    if !removal.groups.isEmpty || !removal.tags.isEmpty {
      var strays = 0
      try inStretches(
        { try editing(mailing, of: account, $0) },
        { rows, after, last in strays = try rows.removeStrays(after: after, through: last) },
        {
          result.removed += strays
          strays = 0
        })
    }
    result.recipients = try RecipientRows(account: account, mailing: mailing, queries: database).count()
    return result
  }

  private func remove(_ contacts: [ContactID], _ rows: RecipientRows, _ result: inout RecipientsRemoved)
    throws
  {
    var known: Set<ContactID> = []
    try Array(Set(contacts)).sorted().inBatches { batch in
      // Who was deleted is still a recipient.
      let ids = try rows.known(Array(batch)).union(rows.present(Array(batch))).sorted()
      guard !ids.isEmpty else { return }
      known.formUnion(ids)
      result.removed += try rows.remove(ids)
      try rows.exclude(ids)
    }
    result.contacts = known.count
    for (index, contact) in contacts.enumerated() where !known.contains(contact) {
      result.errors.append(Self.unknown("contactIds[\(index)]", "contact"))
    }
  }

  private func removeSources(
    _ removal: RecipientRemoval, _ rows: RecipientRows, _ result: inout RecipientsRemoved
  ) throws {
    var gone: Set<RecipientSource> = []
    /// Whether the mailing had it; one that is named twice is taken out once.
    func takeOut(_ source: RecipientSource, _ count: inout Int) throws -> Bool {
      if gone.contains(source) { return true }
      guard try rows.remove(source) else { return false }
      gone.insert(source)
      count += 1
      return true
    }
    for (index, group) in removal.groups.enumerated() {
      guard try !takeOut(.group(group), &result.groups) else { continue }
      result.errors.append(Self.unknown("groupIds[\(index)]", "group among the mailing's"))
    }
    for (index, tag) in try rows.known(removal.tags).enumerated() {
      if let tag, try takeOut(.tag(tag), &result.tags) { continue }
      result.errors.append(Self.unknown("tags[\(index)]", "tag among the mailing's"))
    }
  }

  /// Takes all away, and forgets groups, tags and who was taken out.
  /// - Throws: `Problem` 404 or 409.
  func removeAll(from mailing: MailingID, account: AccountID) throws {
    try editing(mailing, of: account) { rows in
      try rows.removeSources()
      try rows.removeExclusions()
    }
    try inStretches(
      { try editing(mailing, of: account, $0) },
      { rows, after, last in try rows.remove(after: after, through: last) })
  }

  /// Runs `body` in a transaction in which the mailing stays one that may be changed.
  @discardableResult
  private func editing<Result>(
    _ mailing: MailingID, of account: AccountID, _ body: (RecipientRows) throws -> Result
  ) throws -> Result {
    try database.transaction { connection in
      guard let status = try MailingRows(account: account, queries: connection).lockStatus(mailing) else {
        throw Problem.notFound
      }
      try status.checkEditable()
      return try body(RecipientRows(account: account, mailing: mailing, queries: connection))
    }
  }

  // MARK: Looking

  /// What somebody has put together for a mailing: groups and tags that are there, and numbers.
  struct Summary: Sendable {
    /// A group by its present name.
    struct Group: Sendable {
      let id: ContactGroupID
      let name: String

      static let shape = Shape<Group>.output(
        "MailingAudienceGroup", [.init("id", \.id, .id()), .init("name", \.name, .string)])
    }

    let groups: [Group]
    let tags: [String]
    /// Recipients who were named singly.
    let contacts: Int
    /// Contacts who were taken out.
    let excluded: Int

    static let shape = Shape<Summary>.output(
      "MailingAudience",
      [
        .init("groups", \.groups, .list(of: Group.shape, atMost: 100_000)),
        .init("tags", \.tags, .list(of: .string, atMost: 100_000)),
        .init(
          "contacts", \.contacts,
          Shape<Int>.count.described(
            "Recipients who were named singly, also where a group or a tag has them.")),
        .init(
          "excluded", \.excluded,
          Shape<Int>.count.described("Contacts who were taken out: no group or tag brings them back.")),
      ])
  }

  /// What a mailing's recipients come from.
  /// - Throws: `Problem` 404.
  func summary(of mailing: MailingID, account: AccountID) throws -> Summary {
    guard try MailingRows(account: account, queries: database).exists(mailing) else { throw Problem.notFound }
    let rows = RecipientRows(account: account, mailing: mailing, queries: database)
    var contacts = 0
    var after = Self.beginning
    while let stretch = try rows.countNamed(after: after, limit: Self.atOnce) {
      contacts += stretch.named
      after = stretch.through
    }
    return try Summary(
      groups: rows.sourceGroups(), tags: rows.sourceTags(), contacts: contacts,
      excluded: rows.countExclusions())
  }

  // MARK: When the sending begins

  /// Brings the recipients up to date, right before the first message goes out: adds who has joined a group or got
  /// a tag since, takes away who is in none any more and was not added by itself, leaves out who was taken out,
  /// notes who unsubscribed, bounced or was deleted as skipped (and who did not any more as pending), and takes over
  /// addresses that have changed. Sets `prepared_at` at the end.
  ///
  /// For a mailing whose `preparedAt` is nil; with another the groups were looked at before, and a mailing that goes
  /// on after a pause, or tries its failures again, gets no new recipients. It may be interrupted anywhere and begun
  /// anew, also by two senders at once. `progress` is called after each stretch, to hold a lease.
  /// - Throws: `DatabaseError`, what `progress` throws, and `Overtaken` where the mailing is not any more what it was:
  ///   somebody has stopped it, and may have given it other groups.
  public func refresh(_ mailing: Mailing, at now: Timestamp, progress: () throws -> Void = {}) throws {
    func rows(_ queries: any Queries) -> RecipientRows {
      RecipientRows(account: mailing.account, mailing: mailing.id, queries: queries)
    }
    func check(_ queries: any Queries) throws {
      let mailings = MailingRows(account: mailing.account, queries: queries)
      guard try mailings.holdAsItWas(mailing) else { throw Overtaken() }
    }
    for source in try rows(database).sources() {
      var after = Self.beginning
      while let stretch = try rows(database).stretch(of: source, after: after, limit: Self.atOnce) {
        try database.transaction {
          try check($0)
          _ = try rows($0).add(from: source, in: stretch)
        }
        after = stretch.through
        try progress()
      }
    }
    try inStretches(of: mailing.id, account: mailing.account, progress: progress) { rows, after, last in
      try check(rows.queries)
      // The addresses first: who gets another one behind that is seen when the message is claimed, and who has got one
      // before that has confirmed nothing is a stray.
      try rows.reconsider(after: after, through: last)
      try rows.removeStrays(after: after, through: last)
    }
    try database.transaction {
      try check($0)
      try MailingRows(account: mailing.account, queries: $0).markPrepared(mailing.id, at: now)
    }
  }

  /// Why what goes in stretches is not done to its end: meanwhile the mailing was stopped, or sent anew.
  struct Overtaken: Error {}

  // MARK: Sending again, and no more

  /// Whether somebody of a mailing waits anew by `wish`.
  func hasSomebody(for wish: MailingRetry, of mailing: MailingID, account: AccountID) throws -> Bool {
    let rows = RecipientRows(account: account, mailing: mailing, queries: database)
    if try rows.has(wish.statuses) { return true }
    guard !wish.statusesOfReachable.isEmpty else { return false }
    var after = Self.beginning
    while let last = try rows.last(after: after, limit: Self.atOnce) {
      if try rows.hasReachable(for: wish, after: after, through: last) { return true }
      after = last
    }
    return false
  }

  /// Passes over whoever waits of a cancelled mailing. That ends where it is sent again meanwhile: whoever waits then is
  /// to get it.
  func passOver(_ mailing: MailingID, account: AccountID) throws {
    do {
      try inStretches(of: mailing, account: account) { rows, after, last in
        let status = try MailingRows(account: account, queries: rows.queries).lockStatus(mailing)
        guard status == .cancelled else { throw Overtaken() }
        try rows.cancel(after: after, through: last)
      }
    } catch is Overtaken {}
  }

  // MARK: Many at once

  /// Has `change` do its work on all recipients of a mailing: those behind one contact up to another, a stretch after
  /// the other, each in a transaction of its own, and calls `progress` behind each.
  ///
  /// They are walked by their key. Asking again and again for some of those that are left would pass each time over all
  /// that were changed or deleted before, which stay in the index until they are purged: a million took minutes so.
  func inStretches(
    of mailing: MailingID, account: AccountID, progress: () throws -> Void = {},
    _ change: @escaping (RecipientRows, ContactID, ContactID) throws -> Void
  ) throws {
    try inStretches(
      { body in
        try database.transaction {
          try body(RecipientRows(account: account, mailing: mailing, queries: $0))
        }
      }, change, progress)
  }

  private func inStretches(
    _ transaction: ((RecipientRows) throws -> ContactID?) throws -> ContactID?,
    _ change: @escaping (RecipientRows, ContactID, ContactID) throws -> Void,
    _ progress: () throws -> Void = {}
  ) throws {
    var after = Self.beginning
    while let last = try transaction({ rows in
      guard let last = try rows.last(after: after, limit: Self.atOnce) else { return nil }
      try change(rows, after, last)
      return last
    }) {
      after = last
      try progress()
    }
  }
}

extension MailingStatus {
  /// Whether a mailing in this state can be changed.
  var isEditable: Bool { Self.editable.contains(self) }

  /// - Throws: `Problem` 409 where a mailing in this state can't be changed.
  func checkEditable() throws(Problem) {
    guard !isEditable else { return }
    throw .conflict(
      "The mailing is \(rawValue): it can be changed only while it is a draft or scheduled.", field: "status",
      code: "not_editable")
  }
}
