import FLHTTP
import FLMariaDB
import FLValues

/// Which contacts go into another one.
struct ContactMerge: Sendable {
  /// How many at once.
  static let most = 20

  let contacts: [ContactID]

  private static let ids: Shape<[ContactID]> = .list(of: .id(), atMost: most, atLeast: 1)

  static let shape = Shape(
    ContactMerge.init(contacts:),
    Field("contactIds", \.contacts, ids.described("The contacts that go."))
  ).named("ContactMerge")
}

extension ContactService {
  /// Makes one contact of several: `id` stays, the others go into it.
  ///
  /// Of consent the stricter one is kept. A bounce is an address's, and stays with the address that is gone.
  /// - Throws: `Problem` 404, 412, 422 where one of `others` is not there, or the contact would have too much.
  func merge(
    _ others: [ContactID], into id: ContactID, account: AccountID, if preconditions: Preconditions,
    at now: Timestamp
  ) throws -> Contact {
    try database.transaction { connection in
      let rows = ContactRows(account: account, queries: connection)
      let there = Set(try rows.lock(Array(Set([id] + others)).sorted()))
      guard there.contains(id) else { throw Problem.notFound }
      let problems = others.enumerated().compactMap { index, other -> FieldProblem? in
        if other == id {
          return FieldProblem(
            "contactIds[\(index)]", "same_contact", "A contact can't be merged into itself.")
        }
        return there.contains(other)
          ? nil : FieldProblem("contactIds[\(index)]", "not_found", "There is no such contact.")
      }
      guard problems.isEmpty else { throw Problem.invalid(problems) }
      var seen: Set<ContactID> = []
      let gone = try rows.find(others.filter { seen.insert($0).inserted })
      guard var kept = try rows.find(id) else { throw Problem.notFound }
      try preconditions.check(kept.tag)
      for other in gone { kept.fill(from: other) }
      guard kept.customFields.count <= CustomFields.most else {
        throw Problem.invalid(
          "customFields", "too_long", "The contact would have more than \(CustomFields.most) of these.")
      }
      try rows.update([kept], at: now)
      try unite(\.phones, of: kept, gone, on: connection)
      try unite(\.addresses, of: kept, gone, on: connection)
      try unite(\.websites, of: kept, gone, on: connection)
      try unite(\.notes, of: kept, gone, on: connection)
      let names = gone.flatMap(\.tags).map { TagName(text: $0) }
      try TagRows(account: account, queries: connection).changing(id) { try $0.add(names, to: id, at: now) }
      try rows.moveHistory(of: gone.map(\.id), to: id)
      if gone.contains(where: { $0.unsubscribedAt != nil }) {
        try ContactConsent(account: account, queries: connection).unsubscribe([id], reason: .merge, at: now)
      }
      try rows.leaveAliases(of: gone.map(\.id), for: id, at: now)
      try rows.delete(gone.map(\.id))
      guard let new = try rows.find(id) else { throw Problem.notFound }
      try rows.replaceWords(of: [new])
      try rows.tell(.contactUpdated, of: [id], at: now)
      return new
    }
  }

  /// Moves those parts of `gone` to `kept` that it does not have.
  private func unite<Part: ContactPart>(
    _ parts: (Contact) -> [Part], of kept: Contact, _ gone: [Contact], on queries: any Queries
  ) throws {
    let own = parts(kept)
    var known = Set(own.map(\.likeness))
    let moved = gone.flatMap(parts).filter { known.insert($0.likeness).inserted }
    guard own.count + moved.count <= Part.most else {
      throw Problem.invalid(
        Part.kind.rawValue, "too_long", "The contact would have more than \(Part.most) of these.")
    }
    try ContactPartRows<Part>(queries: queries).move(moved.map(\.id), to: kept.id)
  }
}

extension Contact {
  /// Takes from `other` what this contact does not have; its own custom fields win.
  fileprivate mutating func fill(from other: Contact) {
    firstName = firstName ?? other.firstName
    lastName = lastName ?? other.lastName
    fullName = fullName ?? other.fullName
    company = company ?? other.company
    jobTitle = jobTitle ?? other.jobTitle
    birthday = birthday ?? other.birthday
    source = source ?? other.source
    customFields = other.customFields.merged(with: customFields)
  }
}

extension ContactRows {
  /// The contact that `id` is or, where it went into another one, that one; nil where there is none (any more). For
  /// links in mails, which live longer than a contact's id.
  func current(_ id: ContactID) throws -> ContactID? {
    try queries.row(
      """
      SELECT id FROM contacts WHERE id = \(id) AND account_id = \(account)
      UNION ALL
      SELECT c.id FROM contact_aliases g JOIN contacts c ON c.id = g.contact_id
      WHERE g.id = \(id) AND g.account_id = \(account)
      """
    ).map { try $0["id"] }
  }

  /// Notes into which contact those went that are about to be gone, and what had gone into them before.
  fileprivate func leaveAliases(of gone: [ContactID], for kept: ContactID, at now: Timestamp) throws {
    try queries.run("UPDATE contact_aliases SET contact_id = \(kept) WHERE contact_id IN (\(gone))")
    let rows = gone.map { id -> SQL in "(\(id), \(account), \(kept), \(now))" }
    try queries.run(
      "INSERT INTO contact_aliases (id, account_id, contact_id, created_at) VALUES \(rows.joined(by: ", "))")
  }

  /// Moves groups and the history of mailings to `kept`, where it has none of its own there. Nobody has confirmed for the
  /// address of `kept` what was confirmed for another: in groups with double opt-in it waits.
  fileprivate func moveHistory(of gone: [ContactID], to kept: ContactID) throws {
    try queries.run(
      """
      INSERT IGNORE INTO contact_group_members (group_id, contact_id, status, added_at, confirmed_at)
      SELECT m.group_id, \(kept), IF(g.require_double_opt_in, 'pending', m.status), m.added_at,
        IF(g.require_double_opt_in, NULL, m.confirmed_at)
      FROM contact_group_members m JOIN contact_groups g ON g.id = m.group_id
      WHERE m.contact_id IN (\(gone)) AND g.account_id = \(account) ORDER BY m.status, m.added_at
      """)
    try MergedRecipientRows(account: account, queries: queries).move(from: gone, to: kept)
  }
}
