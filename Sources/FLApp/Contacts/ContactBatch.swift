import FLHTTP
import FLMariaDB
import FLValues

/// A piece of an upsert in one transaction: what is there, what the rows make of it, and what of that is to be written.
/// No statement is about one row.
struct ContactBatch {
  let account: AccountID
  let connection: Connection
  let now: Timestamp

  private(set) var result = ContactUpsert.Result()
  private var entries: [Entry] = []
  /// What holds of rows that can't be taken.
  private var optOuts: [ContactOptOut] = []
  private var numbers = 0

  /// A contact that rows are about.
  private struct Entry {
    var contact: Contact
    /// Whether it was made here; its row then has what the first of the rows said.
    let isNew: Bool
    var isTaken = false
    var isChanged = false
    var hasNewWords = false
    var tags: Set<TagID> = []
    var newTags: Set<TagID> = []
    var isBounced = false
    var isUnsubscribed = false
    var newPhones: [ContactPhone] = []
    var newAddresses: [ContactAddress] = []
    var newWebsites: [ContactWebsite] = []
    var newNotes: [ContactNote] = []

    init(_ contact: Contact, isNew: Bool) {
      self.contact = contact
      self.isNew = isNew
    }
  }

  /// A row that can be taken, and the tags that it puts on its contact.
  private struct Order {
    let index: Int
    let key: String
    let draft: ContactDraft
    let tags: Set<TagID>
  }

  private var rows: ContactRows { ContactRows(account: account, queries: connection) }
  private var tagRows: TagRows { TagRows(account: account, queries: connection) }

  init(account: AccountID, connection: Connection, now: Timestamp) {
    self.account = account
    self.connection = connection
    self.now = now
  }

  // MARK: Taking rows

  /// Makes of what is there what the rows say; contacts that are not there are added at once.
  mutating func take(_ rows: ArraySlice<ContactRow>, tags: [TagName], source: String?) throws {
    let orders = try orders(rows, tags: tags)
    var places = try open(orders, source: source)
    for order in orders {
      guard let place = places[order.key] else { continue }
      if let problem = apply(order, at: place) {
        refuse(order.index, order.draft, problem)
      } else {
        result.ids[order.index - rows.startIndex] = entries[place].contact.id
      }
    }
    places.removeAll()
  }

  private mutating func refuse(
    _ index: Int, email: String?, _ problems: [FieldProblem], optOut: ContactOptOut?
  ) {
    result.errors += problems.map { (index, email, $0) }
    if let optOut { optOuts.append(optOut) }
  }

  private mutating func refuse(_ index: Int, _ draft: ContactDraft, _ problem: FieldProblem) {
    refuse(index, email: draft.email.text, [problem], optOut: ContactOptOut(draft))
  }

  /// The rows that can be taken, with the tags of all looked up at once.
  private mutating func orders(_ rows: ArraySlice<ContactRow>, tags: [TagName]) throws -> [Order] {
    result.ids = Array(repeating: nil, count: rows.count)
    var names = Set(tags)
    for case .draft(let draft) in rows where !draft.tags.isEmpty { names.formUnion(draft.tags) }
    let ids = try tagRows.ids(of: names.sorted { $0.text < $1.text }, making: now)
    let all = Set(tags.compactMap { ids[$0] })
    var orders: [Order] = []
    orders.reserveCapacity(rows.count)
    for (index, row) in zip(rows.indices, rows) {
      switch row {
      case .bad(let problems, let email, let optOut):
        refuse(index, email: email, problems, optOut: optOut)
      case .draft(let draft):
        let own = draft.tags.isEmpty ? all : all.union(draft.tags.compactMap { ids[$0] })
        if own.count > TagName.most {
          refuse(index, draft, Self.tooMany("tags", TagName.most))
        } else {
          orders.append(Order(index: index, key: draft.email.key, draft: draft, tags: own))
        }
      }
    }
    return orders
  }

  /// Reads and locks the contacts that are there, and adds those that are not; answers where each is in `entries`.
  private mutating func open(_ orders: [Order], source: String?) throws -> [String: Int] {
    var places: [String: Int] = [:]
    places.reserveCapacity(orders.count)
    var firsts: [Order] = []
    var seen: Set<String> = []
    for order in orders where seen.insert(order.key).inserted { firsts.append(order) }
    // In one order everywhere, so that two who add some of the same addresses wait for each other in one direction.
    firsts.sort { $0.key < $1.key }
    var there = try load(firsts.map(\.key))
    var new: [Contact] = []
    for order in firsts where there[order.key] == nil {
      new.append(
        Contact(
          order.draft, id: ContactID(at: now + .microseconds(order.index)), source: source, at: now))
    }
    let missing = firsts.filter { there[$0.key] == nil }
    if try rows.insert(new, ignoringTaken: true) < new.count {
      // Somebody else made some of them since they were looked for.
      let others = try load(missing.map(\.key))
      let own = Set(new.map(\.id))
      there.merge(others.filter { !own.contains($0.value.id) }) { old, _ in old }
      new.removeAll { contact in !others.values.contains { $0.id == contact.id } }
    }
    for (key, contact) in there {
      places[key] = entries.count
      entries.append(Entry(contact, isNew: false))
    }
    for contact in new {
      places[contact.email.lowercased()] = entries.count
      entries.append(Entry(contact, isNew: true))
    }
    try loadParts(orders, places)
    return places
  }

  private func load(_ keys: [String]) throws -> [String: Contact] {
    var contacts: [String: Contact] = [:]
    try keys.sorted().inBatches { batch in
      for row in try connection.rows(
        """
        SELECT \(ContactRows.columns), c.email_key FROM contacts c
        WHERE c.account_id = \(account) AND c.email_key IN (\(Array(batch))) FOR UPDATE
        """)
      {
        contacts[try row["email_key"]] = try Contact(row)
      }
    }
    return contacts
  }

  /// Reads of what belongs to the contacts that are there what the rows may add to.
  private mutating func loadParts(_ orders: [Order], _ places: [String: Int]) throws {
    let there = entries.indices.filter { !entries[$0].isNew }
    let ids = there.map { entries[$0].contact.id }
    guard !ids.isEmpty else { return }
    let drafts = orders.map(\.draft)
    let phones: [ContactID: [ContactPhone]] = try parts(of: ids)
    let addresses: [ContactID: [ContactAddress]] =
      drafts.contains { !$0.addresses.isEmpty } ? try parts(of: ids) : [:]
    let websites: [ContactID: [ContactWebsite]] =
      drafts.contains { !$0.websites.isEmpty } ? try parts(of: ids) : [:]
    let notes: [ContactID: [ContactNote]] =
      drafts.contains { !$0.notes.isEmpty } ? try parts(of: ids) : [:]
    let tags = orders.contains { !$0.tags.isEmpty } ? try tagRows.tags(of: ids) : [:]
    for (place, id) in zip(there, ids) {
      entries[place].contact.phones = phones[id] ?? []
      entries[place].contact.addresses = addresses[id] ?? []
      entries[place].contact.websites = websites[id] ?? []
      entries[place].contact.notes = notes[id] ?? []
      entries[place].tags = tags[id] ?? []
    }
  }

  private func parts<Part: ContactPart>(of ids: [ContactID]) throws -> [ContactID: [Part]] {
    var parts: [ContactID: [Part]] = [:]
    try ids.inBatches { batch in
      parts.merge(try ContactPartRows<Part>(queries: connection).all(of: Array(batch))) { old, _ in old }
    }
    return parts
  }

  // MARK: What a row makes of a contact

  private static func tooMany(_ field: String, _ most: Int) -> FieldProblem {
    FieldProblem(field, "too_long", "The contact would have more than \(most) of these.")
  }

  /// Makes the contact as the row says; answers why it can't be, and then nothing is changed.
  private mutating func apply(_ order: Order, at place: Int) -> FieldProblem? {
    let draft = order.draft
    var next = entries[place]
    let isFirst = next.isNew && !next.isTaken
    next.isTaken = true
    var hasChanges = false
    if !isFirst {
      let words = next.contact.set(draft)
      next.hasNewWords = next.hasNewWords || words.changesWords
      hasChanges = words.hasChanges
      let fields = next.contact.customFields.merged(with: draft.customFields)
      if fields.count > CustomFields.most { return Self.tooMany("customFields", CustomFields.most) }
      if fields != next.contact.customFields {
        next.contact.customFields = fields
        hasChanges = true
      }
    }
    let phones = add(draft.phones, to: &next.contact.phones, &next.newPhones)
    let addresses = add(draft.addresses, to: &next.contact.addresses, &next.newAddresses)
    let websites = add(draft.websites, to: &next.contact.websites, &next.newWebsites)
    let notes = add(draft.notes, to: &next.contact.notes, &next.newNotes)
    for (field, count, most) in [
      ("phones", next.contact.phones.count, ContactPhone.most),
      ("addresses", next.contact.addresses.count, ContactAddress.most),
      ("websites", next.contact.websites.count, ContactWebsite.most),
      ("notes", next.contact.notes.count, ContactNote.most),
    ] where count > most {
      return Self.tooMany(field, most)
    }
    if phones { next.hasNewWords = true }
    let newTags = order.tags.subtracting(next.tags)
    next.tags.formUnion(newTags)
    next.newTags.formUnion(newTags)
    if next.tags.count > TagName.most { return Self.tooMany("tags", TagName.most) }
    hasChanges = hasChanges || phones || addresses || websites || notes || !newTags.isEmpty
    let bounces = draft.isBounced == true && next.contact.bouncedAt == nil && !next.isBounced
    let unsubscribes =
      draft.isUnsubscribed == true && next.contact.unsubscribedAt == nil && !next.isUnsubscribed
    next.isBounced = next.isBounced || bounces
    next.isUnsubscribed = next.isUnsubscribed || unsubscribes
    if isFirst {
      result.created += 1
    } else if hasChanges || bounces || unsubscribes {
      next.isChanged = next.isChanged || hasChanges
      result.updated += 1
    } else {
      result.skipped += 1
    }
    entries[place] = next
    return nil
  }

  /// Adds those of `parts` that are not there; answers whether there were some.
  private mutating func add<Part: ContactPart>(_ parts: [Part], to all: inout [Part], _ new: inout [Part])
    -> Bool
  {
    guard !parts.isEmpty else { return false }
    var known = Set(all.map(\.likeness))
    var hasAdded = false
    for part in parts where known.insert(part.likeness).inserted {
      var part = part.made(at: now)
      part.id = Part.id(numbers, at: now)
      numbers += 1
      all.append(part)
      new.append(part)
      hasAdded = true
    }
    return hasAdded
  }

  // MARK: Writing

  /// Writes what the rows made, and tells the webhooks.
  func write(unsubscribing reason: UnsubscribeReason) throws {
    let taken = entries.filter(\.isTaken)
    // Also those of which no row could be taken: the contact is there, and what its address asked for holds.
    let new = entries.filter(\.isNew)
    let changed = taken.filter(\.isChanged)
    try rows.update(changed.map(\.contact), at: now)
    try insert(taken.flatMap { entry in entry.newPhones.map { (entry.contact.id, $0) } })
    try insert(taken.flatMap { entry in entry.newAddresses.map { (entry.contact.id, $0) } })
    try insert(taken.flatMap { entry in entry.newWebsites.map { (entry.contact.id, $0) } })
    try insert(taken.flatMap { entry in entry.newNotes.map { (entry.contact.id, $0) } })
    try rows.insertWords(words(of: new.map(\.contact)))
    try rows.replaceWords(of: taken.filter { !$0.isNew && $0.hasNewWords }.map(\.contact))
    try tagRows.add(taken.flatMap { entry in entry.newTags.map { (entry.contact.id, $0) } })
    let consent = ContactConsent(account: account, queries: connection)
    try consent.takeOver(new.map(\.contact.id))
    try rows.tell(.contactCreated, of: new.map(\.contact.id), at: now)
    try rows.tell(.contactUpdated, of: changed.filter { !$0.isNew }.map(\.contact.id), at: now)
    let bounced = taken.filter(\.isBounced).map(\.contact.id)
    if !bounced.isEmpty { try consent.bounce(bounced, reason: reason.rawValue, at: now) }
    let unsubscribed = taken.filter(\.isUnsubscribed).map(\.contact.id)
    if !unsubscribed.isEmpty { try consent.unsubscribe(unsubscribed, reason: reason, at: now) }
    try consent.bounce(
      addresses: optOuts.filter(\.isBounced).map(\.email.text), reason: reason.rawValue, at: now)
    try consent.unsubscribe(
      addresses: optOuts.filter(\.isUnsubscribed).map(\.email.text), reason: reason, at: now)
  }

  private func insert<Part: ContactPart>(_ parts: [(contact: ContactID, part: Part)]) throws {
    try ContactPartRows<Part>(queries: connection).insert(parts)
  }

  /// In the order of the key, in which the database adds them with the least work.
  private func words(of contacts: [Contact]) -> [(contact: ContactID, word: String)] {
    var words: [(contact: ContactID, word: String)] = []
    words.reserveCapacity(contacts.count * 6)
    for contact in contacts { for word in contact.words { words.append((contact.id, word)) } }
    words.sort { $0.word == $1.word ? $0.contact < $1.contact : $0.word < $1.word }
    return words
  }
}

extension Contact {
  /// Writes what `draft` says of the contact itself over what was known; custom fields are for whoever calls.
  fileprivate mutating func set(_ draft: ContactDraft) -> (hasChanges: Bool, changesWords: Bool) {
    var hasChanges = false
    func set<Value: Equatable>(_ member: inout Value?, _ value: Value?) -> Bool {
      guard let value, value != member else { return false }
      member = value
      hasChanges = true
      return true
    }
    var changesWords = set(&firstName, draft.firstName)
    changesWords = set(&lastName, draft.lastName) || changesWords
    changesWords = set(&fullName, draft.fullName) || changesWords
    changesWords = set(&company, draft.company) || changesWords
    _ = set(&jobTitle, draft.jobTitle)
    _ = set(&birthday, draft.birthday)
    _ = set(&source, draft.source)
    return (hasChanges, changesWords)
  }
}
