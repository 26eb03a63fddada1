import FLMariaDB
import FLValues

/// Every SQL statement about one kind of the parts of contacts. Whoever calls has the contacts from the account's own
/// rows: a part has no other owner than its contact.
struct ContactPartRows<Part: ContactPart> {
  let queries: any Queries

  private static var columns: SQL { Part.columns.joined(by: ", ") }

  /// The parts of each of `contacts`, in the order in which they were made.
  func all(of contacts: [ContactID]) throws -> [ContactID: [Part]] {
    guard !contacts.isEmpty else { return [:] }
    let rows = try queries.rows(
      """
      SELECT id, contact_id, \(Self.columns) FROM \(Part.table) WHERE contact_id IN (\(contacts))
      ORDER BY contact_id, id
      """)
    return try rows.reduce(into: [:]) { parts, row in
      let contact: ContactID = try row["contact_id"]
      parts[contact, default: []].append(try Part(row))
    }
  }

  func find(_ id: ID<Part>, of contact: ContactID) throws -> Part? {
    try queries.row(
      "SELECT id, \(Self.columns) FROM \(Part.table) WHERE id = \(id) AND contact_id = \(contact)"
    ).map { try Part($0) }
  }

  /// Adds parts that have their ids.
  func insert(_ parts: [(contact: ContactID, part: Part)]) throws {
    try parts.inBatches { batch in
      let rows = batch.map { contact, part -> SQL in
        "(\(part.id), \(contact), \(part.values.map { "\($0)" as SQL }.joined(by: ", ")))"
      }
      try queries.run(
        "INSERT INTO \(Part.table) (id, contact_id, \(Self.columns)) VALUES \(rows.joined(by: ", "))")
    }
  }

  func update(_ part: Part, of contact: ContactID) throws {
    let values = zip(Part.columns, part.values).map { "\($0) = \($1)" as SQL }
    try queries.run(
      """
      UPDATE \(Part.table) SET \(values.joined(by: ", ")) WHERE id = \(part.id) AND contact_id = \(contact)
      """)
  }

  /// Takes a part away; false where there is none.
  func delete(_ id: ID<Part>, of contact: ContactID) throws -> Bool {
    try queries.run("DELETE FROM \(Part.table) WHERE id = \(id) AND contact_id = \(contact)") > 0
  }

  /// Gives parts to another contact.
  func move(_ ids: [ID<Part>], to contact: ContactID) throws {
    try ids.inBatches { batch in
      try queries.run("UPDATE \(Part.table) SET contact_id = \(contact) WHERE id IN (\(Array(batch)))")
    }
  }

  /// Makes `parts` all that a contact has. Those whose ids it has stay themselves.
  func replace(_ parts: [Part], of contact: ContactID, at now: Timestamp) throws {
    let old = Dictionary(
      try all(of: [contact])[contact, default: []].map { ($0.id, $0) },
      uniquingKeysWith: { first, _ in first })
    var known = Set(old.keys)
    var kept: [ID<Part>] = []
    var new: [Part] = []
    for part in parts {
      if known.remove(part.id) != nil, let before = old[part.id] {
        kept.append(part.id)
        let after = part.made(like: before)
        if after.values != before.values { try update(after, of: contact) }
      } else {
        new.append(part)
      }
    }
    let gone = old.keys.filter { !kept.contains($0) }
    if !gone.isEmpty {
      try queries.run("DELETE FROM \(Part.table) WHERE contact_id = \(contact) AND id IN (\(gone))")
    }
    try insert(new.numbered(at: now).map { (contact, $0) })
  }
}

extension ContactPart {
  /// Parts keep their order by their ids: those that are made at once get moments one after the other.
  static func id(_ number: Int, at now: Timestamp) -> ID<Self> { ID(at: now + .microseconds(number)) }
}

extension Array where Element: ContactPart {
  /// These with new ids, as made `now`.
  func numbered(at now: Timestamp) -> [Element] {
    enumerated().map { index, part in
      var part = part.made(at: now)
      part.id = Element.id(index, at: now)
      return part
    }
  }
}
