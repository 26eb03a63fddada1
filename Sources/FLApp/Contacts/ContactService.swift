import FLHTTP
import FLMariaDB
import FLValues

/// The rules of single contacts: an address once in an account, parts and tags within their limits, words for the search,
/// consent, and that webhooks are told.
struct ContactService: Sendable {
  /// Why a contact is flagged where the account itself says so.
  static let byHand = "api"

  let database: Database

  /// Makes a contact.
  /// - Throws: `Problem` 409 where the address is taken.
  func create(_ draft: ContactDraft, account: AccountID, at now: Timestamp) throws -> Contact {
    try refusingTakenAddresses {
      try database.transaction { connection in
        let rows = ContactRows(account: account, queries: connection)
        var contact = Contact(draft, id: ContactID(at: now), source: nil, at: now)
        try rows.insert(contact)
        try replace(draft.phones, of: contact.id, on: connection, at: now)
        try replace(draft.addresses, of: contact.id, on: connection, at: now)
        try replace(draft.websites, of: contact.id, on: connection, at: now)
        try replace(draft.notes, of: contact.id, on: connection, at: now)
        try TagRows(account: account, queries: connection).add(draft.tags, to: contact.id, at: now)
        contact.phones = draft.phones
        try rows.insertWords(contact.words.map { (contact.id, $0) })
        let consent = ContactConsent(account: account, queries: connection)
        try consent.takeOver([contact.id])
        try rows.tell(.contactCreated, of: [contact.id], at: now)
        if draft.isBounced == true { try consent.bounce(contact.id, reason: Self.byHand, at: now) }
        if draft.isUnsubscribed == true { try consent.unsubscribe([contact.id], reason: .api, at: now) }
        guard let made = try rows.find(contact.id) else { throw Problem.notFound }
        return made
      }
    }
  }

  /// Changes a contact.
  /// - Throws: `Problem` 404, 409, 412 where `preconditions` name another version, or 422.
  func update(
    _ id: ContactID, _ changes: ContactChanges, account: AccountID, if preconditions: Preconditions,
    at now: Timestamp
  ) throws -> Contact {
    try refusingTakenAddresses {
      try change(id, account: account, if: preconditions, at: now) { rows, old in
        let connection = rows.queries
        let contact = old.changed(by: changes)
        guard contact.customFields.count <= CustomFields.most else {
          throw Problem.invalid(
            "customFields", "too_long", "A contact may have at most \(CustomFields.most) of these.")
        }
        let consent = ContactConsent(account: account, queries: connection)
        if contact.email != old.email {
          try rows.move(id, to: contact.email)
          if contact.email.lowercased() != old.email.lowercased() { try consent.moved(id) }
        }
        try rows.update([contact], at: now)
        try replace(changes.phones, of: id, on: connection, at: now)
        try replace(changes.addresses, of: id, on: connection, at: now)
        try replace(changes.websites, of: id, on: connection, at: now)
        try replace(changes.notes, of: id, on: connection, at: now)
        try setTags(changes.tags, of: id, account: account, on: connection, at: now)
        switch changes.isBounced {
        case true?: try consent.bounce(id, reason: Self.byHand, at: now)
        case false?: try consent.liftBounce(id, at: now)
        case nil: break
        }
        switch changes.isUnsubscribed {
        case true?: try consent.unsubscribe([id], reason: .api, at: now)
        case false?: try consent.liftUnsubscribe(id, at: now)
        case nil: break
        }
      }
    }
  }

  /// Takes a contact away. What is known of its address for consent's sake stays.
  /// - Throws: `Problem` 404 or 412.
  func delete(_ id: ContactID, account: AccountID, if preconditions: Preconditions) throws {
    try database.transaction { connection in
      let rows = ContactRows(account: account, queries: connection)
      guard let contact = try rows.lock(id) else { throw Problem.notFound }
      try preconditions.check(contact.tag)
      try rows.delete([id])
    }
  }

  /// Changes the tags of a contact by `change`; answers what it has then.
  /// - Throws: `Problem` 404, 422 where it would have too many.
  func changeTags(
    of id: ContactID, account: AccountID, at now: Timestamp, _ change: (TagRows) throws -> Void
  ) throws -> [String] {
    try self.change(id, account: account, at: now) { rows, _ in
      try TagRows(account: account, queries: rows.queries).changing(id, change)
      try rows.touch([id], at: now)
    }.tags
  }

  /// Changes one kind of the parts of a contact by `change`; answers what that answers, and the contact.
  /// - Throws: `Problem` 404, 412, 422 where it would have too many, and what `change` throws.
  func changeParts<Part: ContactPart, Result>(
    of id: ContactID, account: AccountID, if preconditions: Preconditions, at now: Timestamp,
    _ change: (ContactPartRows<Part>) throws -> Result
  ) throws -> (result: Result, contact: Contact) {
    var result: Result?
    let contact = try self.change(id, account: account, if: preconditions, at: now) { rows, _ in
      let parts = ContactPartRows<Part>(queries: rows.queries)
      result = try change(parts)
      if try parts.all(of: [id])[id, default: []].count > Part.most {
        throw Problem.invalid(
          Part.kind.rawValue, "too_long", "A contact may have at most \(Part.most) of these.")
      }
      try rows.touch([id], at: now)
    }
    guard let result else { throw Problem.notFound }
    return (result, contact)
  }

  /// Runs `body` while nobody else changes the contact, brings its words up to date, tells of the change, and answers
  /// the contact as it is then.
  private func change(
    _ id: ContactID, account: AccountID, if preconditions: Preconditions? = nil, at now: Timestamp,
    _ body: (ContactRows, Contact) throws -> Void
  ) throws -> Contact {
    try database.transaction { connection in
      let rows = ContactRows(account: account, queries: connection)
      guard let old = try rows.lock(id) else { throw Problem.notFound }
      try preconditions?.check(old.tag)
      try body(rows, old)
      guard let new = try rows.find(id) else { throw Problem.notFound }
      if new.words != old.words { try rows.replaceWords(of: [new]) }
      try rows.tell(.contactUpdated, of: [id], at: now)
      return new
    }
  }

  private func replace<Part: ContactPart>(
    _ parts: Change<[Part]>, of id: ContactID, on queries: any Queries, at now: Timestamp
  ) throws {
    switch parts {
    case .keep: break
    case .clear: try replace([Part](), of: id, on: queries, at: now)
    case .set(let parts): try replace(parts, of: id, on: queries, at: now)
    }
  }

  private func replace<Part: ContactPart>(
    _ parts: [Part], of id: ContactID, on queries: any Queries, at now: Timestamp
  ) throws {
    try ContactPartRows<Part>(queries: queries).replace(parts, of: id, at: now)
  }

  private func setTags(
    _ tags: Change<[TagName]>, of id: ContactID, account: AccountID, on queries: any Queries,
    at now: Timestamp
  ) throws {
    if case .keep = tags { return }
    let rows = TagRows(account: account, queries: queries)
    try rows.removeAll(from: id)
    if case .set(let names) = tags { try rows.add(names, to: id, at: now) }
  }

  private func refusingTakenAddresses<Result>(_ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch DatabaseError.duplicate(constraint: "contacts_email") {
      throw Problem.conflict("Another contact has this address.", field: "email")
    }
  }
}

extension Contact {
  /// This contact with `changes` made to it; parts, tags and flags are for whoever calls.
  func changed(by changes: ContactChanges) -> Contact {
    var contact = self
    contact.email = changes.email?.text ?? email
    contact.firstName = changes.firstName.applied(to: firstName)
    contact.lastName = changes.lastName.applied(to: lastName)
    contact.fullName = changes.fullName.applied(to: fullName)
    contact.company = changes.company.applied(to: company)
    contact.jobTitle = changes.jobTitle.applied(to: jobTitle)
    contact.birthday = changes.birthday.applied(to: birthday)
    contact.source = changes.source.applied(to: source)
    switch changes.customFields {
    case .keep: break
    case .clear: contact.customFields = CustomFields()
    case .set(let fields): contact.customFields = customFields.merged(with: fields)
    }
    return contact
  }
}
