import FLHTTP
import FLMariaDB
import FLValues

/// Every SQL statement about an account's contacts by themselves.
struct ContactRows {
  let account: AccountID
  let queries: any Queries

  static let columns: SQL = """
    c.id, c.email, c.first_name, c.last_name, c.full_name, c.company, c.job_title, c.birthday, c.source,
    c.custom_fields, c.bounced_at, c.bounce_reason, c.unsubscribed_at, c.unsubscribe_reason, c.version, c.created_at,
    c.updated_at
    """

  func find(_ id: ContactID) throws -> Contact? { try find([id]).first }

  /// Those of `ids` that are there, in this order.
  func find(_ ids: [ContactID]) throws -> [Contact] {
    let found = try whole(
      queries.rows(
        "SELECT \(Self.columns) FROM contacts c WHERE c.id IN (\(ids)) AND c.account_id = \(account)"))
    let byID = Dictionary(found.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    return ids.compactMap { byID[$0] }
  }

  /// The contact, which stays locked for the transaction.
  func lock(_ id: ContactID) throws -> Contact? { try lock([id]).isEmpty ? nil : find(id) }

  /// Locks those of `ids` that are there, always in the same order.
  func lock(_ ids: [ContactID]) throws -> [ContactID] {
    guard !ids.isEmpty else { return [] }
    return try queries.rows(
      """
      SELECT id FROM contacts WHERE id IN (\(ids)) AND account_id = \(account) ORDER BY id FOR UPDATE
      """
    ).map { try $0["id"] }
  }

  func exists(_ id: ContactID) throws -> Bool {
    try queries.row("SELECT 1 AS found FROM contacts WHERE id = \(id) AND account_id = \(account)") != nil
  }

  /// Those of `keys` (addresses in lower case) that are contacts.
  func ids(ofEmailKeys keys: [String]) throws -> [String: ContactID] {
    var ids: [String: ContactID] = [:]
    try keys.inBatches { batch in
      for row in try queries.rows(
        """
        SELECT id, email_key FROM contacts WHERE account_id = \(account) AND email_key IN (\(Array(batch)))
        """)
      {
        ids[try row["email_key"]] = try row["id"]
      }
    }
    return ids
  }

  func insert(_ contact: Contact) throws { try insert([contact], ignoringTaken: false) }

  /// Adds contacts, without their parts and tags.
  /// - Returns: how many; those whose address is taken are left out where `ignoringTaken`.
  @discardableResult
  func insert(_ contacts: [Contact], ignoringTaken: Bool) throws -> Int {
    let ignore: SQL = ignoringTaken ? "IGNORE" : ""
    var inserted = 0
    try contacts.inBatches(weighing: \.customFields.bytes) { batch in
      inserted += try queries.run(
        """
        INSERT \(ignore) INTO contacts (id, account_id, email, email_key, first_name, last_name, full_name, company,
          job_title, birthday, source, custom_fields, created_at, updated_at)
        VALUES \(batch.map(values).joined(by: ", "))
        """)
    }
    return inserted
  }

  /// Writes what contacts that are there say of themselves; their addresses stay.
  func update(_ contacts: [Contact], at now: Timestamp) throws {
    try contacts.inBatches(weighing: \.customFields.bytes) { batch in
      try queries.run(
        """
        INSERT INTO contacts (id, account_id, email, email_key, first_name, last_name, full_name, company,
          job_title, birthday, source, custom_fields, created_at, updated_at)
        VALUES \(batch.map(values).joined(by: ", "))
        ON DUPLICATE KEY UPDATE first_name = VALUE(first_name), last_name = VALUE(last_name),
          full_name = VALUE(full_name), company = VALUE(company), job_title = VALUE(job_title),
          birthday = VALUE(birthday), source = VALUE(source), custom_fields = VALUE(custom_fields),
          version = version + 1, updated_at = \(now)
        """)
    }
  }

  private func values(_ contact: Contact) -> SQL {
    """
    (\(contact.id), \(account), \(contact.email), \(contact.email.lowercased()), \(contact.firstName),
     \(contact.lastName), \(contact.fullName), \(contact.company), \(contact.jobTitle), \(contact.birthday),
     \(contact.source), \(contact.customFields), \(contact.createdAt), \(contact.updatedAt))
    """
  }

  /// Gives a contact another address.
  func move(_ id: ContactID, to email: String) throws {
    try queries.run(
      """
      UPDATE contacts SET email = \(email), email_key = \(email.lowercased())
      WHERE id = \(id) AND account_id = \(account)
      """)
  }

  /// Counts a change of what belongs to contacts.
  func touch(_ ids: [ContactID], at now: Timestamp) throws {
    try ids.inBatches { batch in
      try queries.run(
        """
        UPDATE contacts SET version = version + 1, updated_at = \(now)
        WHERE id IN (\(Array(batch))) AND account_id = \(account)
        """)
    }
  }

  func delete(_ ids: [ContactID]) throws {
    try queries.run("DELETE FROM contacts WHERE id IN (\(ids)) AND account_id = \(account)")
  }

  // MARK: The words of the search

  /// Writes the words of contacts that have none.
  func insertWords(_ words: [(contact: ContactID, word: String)]) throws {
    try words.inBatches { batch in
      let rows = batch.map { contact, word -> SQL in "(\(account), \(word), \(contact))" }
      try queries.run(
        "INSERT IGNORE INTO contact_words (account_id, word, contact_id) VALUES \(rows.joined(by: ", "))")
    }
  }

  /// Writes the words of contacts anew.
  func replaceWords(of contacts: [Contact]) throws {
    try contacts.map(\.id).inBatches { batch in
      try queries.run("DELETE FROM contact_words WHERE contact_id IN (\(Array(batch)))")
    }
    try insertWords(contacts.flatMap { contact in contact.words.map { (contact.id, $0) } })
  }

  // MARK: Whole contacts

  /// The contacts of these rows with all that belongs to them, the notes only `withNotes`.
  func whole(_ rows: [Row], withNotes: Bool = true) throws -> [Contact] {
    var contacts = try rows.map { try Contact($0) }
    let ids = contacts.map(\.id)
    guard !ids.isEmpty else { return [] }
    let phones = try ContactPartRows<ContactPhone>(queries: queries).all(of: ids)
    let addresses = try ContactPartRows<ContactAddress>(queries: queries).all(of: ids)
    let websites = try ContactPartRows<ContactWebsite>(queries: queries).all(of: ids)
    let notes = withNotes ? try ContactPartRows<ContactNote>(queries: queries).all(of: ids) : [:]
    let tags = try TagRows(account: account, queries: queries).names(of: ids)
    let groups = try memberships(of: ids)
    for index in contacts.indices {
      let id = contacts[index].id
      contacts[index].phones = phones[id] ?? []
      contacts[index].addresses = addresses[id] ?? []
      contacts[index].websites = websites[id] ?? []
      contacts[index].notes = notes[id] ?? []
      contacts[index].tags = tags[id] ?? []
      contacts[index].groups = groups[id] ?? []
    }
    return contacts
  }

  private func memberships(of contacts: [ContactID]) throws -> [ContactID: [ContactMembership]] {
    let rows = try queries.rows(
      """
      SELECT m.contact_id, g.id, g.name, m.status
      FROM contact_group_members m JOIN contact_groups g ON g.id = m.group_id
      WHERE m.contact_id IN (\(contacts)) AND g.account_id = \(account) ORDER BY g.name
      """)
    return try rows.reduce(into: [:]) { groups, row in
      let contact: ContactID = try row["contact_id"]
      groups[contact, default: []].append(
        try ContactMembership(id: row["id"], name: row["name"], status: row["status"]))
    }
  }
}

extension Contact {
  /// What a row says; what belongs to the contact is not in it.
  init(_ row: Row) throws {
    try self.init(
      id: row["id"], email: row["email"], firstName: row["first_name"], lastName: row["last_name"],
      fullName: row["full_name"], company: row["company"], jobTitle: row["job_title"],
      birthday: row["birthday"], source: row["source"], customFields: row["custom_fields"],
      bouncedAt: row["bounced_at"], bounceReason: row["bounce_reason"],
      unsubscribedAt: row["unsubscribed_at"], unsubscribeReason: row["unsubscribe_reason"],
      version: row["version"], createdAt: row["created_at"], updatedAt: row["updated_at"])
  }

  /// A contact as it is first, still without what belongs to it.
  init(_ draft: ContactDraft, id: ContactID, source: String?, at now: Timestamp) {
    self.init(
      id: id, email: draft.email.text, firstName: draft.firstName, lastName: draft.lastName,
      fullName: draft.fullName, company: draft.company, jobTitle: draft.jobTitle, birthday: draft.birthday,
      source: draft.source ?? source, customFields: draft.customFields, version: 1, createdAt: now,
      updatedAt: now)
  }
}
