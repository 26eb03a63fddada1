import FLHTTP
import FLMariaDB
import FLValues

/// Who is in a group: putting contacts in and taking them out, many at a time.
struct ContactGroupService: Sendable {
  let database: Database
  let optIn: DoubleOptIn

  /// Where contacts come from that are made on the fly.
  private static let source = "contact-group"

  /// Puts contacts into a group, by id and by address. Each entry that names no contact is told, and stops no other.
  ///
  /// In a group that asks for double opt-in they are pending, and get a mail. Who has unsubscribed or bounced stays so,
  /// and gets none.
  /// - Throws: `Problem` 404 where the account has no such group.
  func add(_ addition: MemberAddition, to group: ContactGroupID, of account: AccountID, at now: Timestamp)
    throws
    -> MemberAdditionResult
  {
    let entries = Entries(addition)
    return try database.transaction { connection in
      guard let held = try ContactGroupRows(account: account, queries: connection).hold(group) else {
        throw Problem.notFound
      }
      let members = GroupMemberRows(account: account, group: group, queries: connection)
      var result = MemberAdditionResult()
      result.errors = entries.failures
      let known = try members.known(entries.contacts.map(\.id))
      for entry in entries.contacts where !known.contains(entry.id) {
        result.errors.append(
          .contact(entry.index, entry.id.description, "not_found", "There is no such contact."))
      }
      let addresses = Dictionary(
        entries.emails.map { ($0.address.key, $0.address) }, uniquingKeysWith: { first, _ in first })
      let contacts = ContactRows(account: account, queries: connection)
      var byEmail = try contacts.ids(ofEmailKeys: addresses.keys.sorted())
      let missing = addresses.filter { byEmail[$0.key] == nil }
      if addition.createsMissing {
        let rows = missing.values.sorted { $0.key < $1.key }
        let made = try ContactUpsert(account: account, database: database).run(
          on: connection, rows.map { .draft(ContactDraft(email: $0)) }, tags: [], source: Self.source, at: now
        )
        result.created = made.created
        for (address, id) in zip(rows, made.ids) { byEmail[address.key] = id }
      } else {
        result.skipped = missing.count
      }
      let named = known.union(byEmail.values)
      let present = try members.present(Array(named))
      let new = named.subtracting(present).sorted()
      result.added = try members.insert(
        new, status: held.requiresDoubleOptIn ? .pending : .confirmed, at: now)
      result.alreadyMembers = named.count - result.added
      if held.requiresDoubleOptIn && addition.sendsConfirmation {
        // Also those who wait already, after an import; who was asked today is not asked again.
        try optIn.ask(
          named.sorted(), into: .init(id: group, account: account, name: held.name), subscribing: false,
          on: connection,
          at: now)
      }
      result.errors.sort { ($0.field, $0.index) < ($1.field, $1.index) }
      return result
    }
  }

  /// What an addition names, read: ids and addresses, each at its place in what was sent.
  private struct Entries {
    var contacts: [(index: Int, id: ContactID)] = []
    var emails: [(index: Int, address: EmailAddress)] = []
    var failures: [MemberAdditionResult.Failure] = []

    init(_ addition: MemberAddition) {
      for (index, text) in addition.contacts.enumerated() {
        if let id = ContactID(text) {
          contacts.append((index, id))
        } else {
          failures.append(.contact(index, text, "invalid_id", "This is no contact's id."))
        }
      }
      for (index, text) in addition.emails.enumerated() {
        var reading = Reading()
        if let address = ContactMember.email.read(.string(text.trimmingWhiteSpace), into: &reading) {
          emails.append((index, address))
        } else {
          let problem = reading.problems.first
          failures.append(
            .email(index, text, problem?.code ?? "invalid_email", problem?.message ?? "This is no address."))
        }
      }
    }
  }

  /// Takes contacts from a group; answers how many were in it.
  /// - Throws: `Problem` 404 where the account has no such group.
  func remove(_ removal: MemberRemoval, from group: ContactGroupID, of account: AccountID) throws -> Int {
    try database.transaction { connection in
      guard try ContactGroupRows(account: account, queries: connection).hold(group) != nil else {
        throw Problem.notFound
      }
      let members = GroupMemberRows(account: account, group: group, queries: connection)
      let keys = Set(removal.emails.map { $0.trimmingWhiteSpace.lowercased() })
      let byEmail = try ContactRows(account: account, queries: connection).ids(ofEmailKeys: keys.sorted())
      return try members.remove(Set(removal.contacts).union(byEmail.values).sorted())
    }
  }

  /// Mails the question to a member who has not answered it once more.
  /// - Throws: `Problem` 404 without such a member; 409 where nobody is to be asked, or was within a day.
  func resend(to contact: ContactID, in group: ContactGroupID, of account: AccountID, at now: Timestamp)
    throws
    -> GroupMember
  {
    try database.transaction { connection in
      let members = GroupMemberRows(account: account, group: group, queries: connection)
      guard let held = try ContactGroupRows(account: account, queries: connection).hold(group),
        let member = try members.find(contact)
      else { throw Problem.notFound }
      guard member.status == .pending else { throw Problem.conflict("The member has confirmed already.") }
      guard !member.isBounced, !member.isUnsubscribed else {
        throw Problem.conflict("No mail goes to this address: it bounced, or its owner has unsubscribed.")
      }
      let mails = try optIn.ask(
        [contact], into: .init(id: group, account: account, name: held.name), subscribing: false,
        on: connection, at: now)
      guard mails > 0 else { throw Problem.conflict("An address is asked once a day at most.") }
      return member
    }
  }

  /// Mails the question to members who wait and have none that still holds, as after an import: to
  /// `DoubleOptIn.mostAtOnce` of them.
  /// - Throws: `Problem` 404 where the account has no such group.
  func askWaiting(in group: ContactGroupID, of account: AccountID, at now: Timestamp) throws -> MembersAsked {
    guard try ContactGroupRows(account: account, queries: database).find(group) != nil else {
      throw Problem.notFound
    }
    // Looked for before anything is locked: most of a million may have been asked already.
    let most = DoubleOptIn.mostAtOnce
    let members = GroupMemberRows(account: account, group: group, queries: database)
    var unasked: [ContactID] = []
    var after = ContactID(high: 0, low: 0)
    while unasked.count <= most, let last = try members.lastPending(after: after, limit: most) {
      unasked += try ConfirmationRows(queries: database).unasked(
        in: group, after: after, through: last, unlessSince: now - DoubleOptIn.pause, at: now)
      after = last
    }
    return try database.transaction { connection in
      guard let held = try ContactGroupRows(account: account, queries: connection).hold(group) else {
        throw Problem.notFound
      }
      let asked = try optIn.ask(
        Array(unasked.prefix(most)), into: .init(id: group, account: account, name: held.name),
        subscribing: false, on: connection, at: now)
      return MembersAsked(asked: asked, hasMore: unasked.count > most)
    }
  }

  /// Deletes a group; its contacts stay. A large one belongs to nobody from then on, and the sender takes it away: so
  /// nothing of it is lost where this breaks off before the end, and all is gone behind it.
  /// - Throws: `Problem` 404, or 412 where the call's preconditions name another version.
  func delete(_ group: ContactGroupID, of account: AccountID, if preconditions: Preconditions) throws {
    try database.transaction { connection in
      let rows = ContactGroupRows(account: account, queries: connection)
      guard try rows.lock(group), let found = try rows.find(group) else { throw Problem.notFound }
      try preconditions.check(found.tag)
      if found.members > Self.membersAtOnce { try rows.disown(group) } else { try rows.delete(group) }
    }
  }

  /// Takes large groups away that were deleted, a bounded part of them, in pieces: no statement has all their members.
  func purge() throws {
    var left = Self.mostPieces
    for group in try ContactGroupRows.disowned(limit: left, on: database) {
      var taken = Self.membersAtOnce
      while taken == Self.membersAtOnce {
        guard left > 0 else { return }
        left -= 1
        taken = try GroupMemberRows.removeSome(of: group, limit: Self.membersAtOnce, on: database)
      }
      try ContactGroupRows.deleteDisowned(group, on: database)
    }
  }

  private static let membersAtOnce = 10_000
  /// How many pieces one run of the sender takes away.
  private static let mostPieces = 50
}

extension MemberAdditionResult.Failure {
  /// As much as it takes to find it again in what was sent, in characters.
  private static let mostShown = 320

  fileprivate static func contact(_ index: Int, _ value: String, _ code: String, _ message: String) -> Self {
    Self(
      index: index, field: "contactIds", value: value.cut(toScalars: mostShown), code: code, message: message)
  }

  fileprivate static func email(_ index: Int, _ value: String, _ code: String, _ message: String) -> Self {
    Self(index: index, field: "emails", value: value.cut(toScalars: mostShown), code: code, message: message)
  }
}
