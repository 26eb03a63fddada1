import FLHTTP
import FLMariaDB
import FLValues

/// Many contacts in one request.
struct ContactBulkRoutes: Sendable {
  /// How many contacts one request may be about.
  static let most = 10_000

  let database: Database

  var routes: [Route] {
    [
      Route(
        .post, "/api/contacts/bulk", "upsertContacts", access: .scope(.contacts), tag: "Contacts",
        summary: "Make or change up to 10,000 contacts by their addresses",
        description: """
          What is absent or null is left alone; custom fields are merged by name; telephone numbers and the like, and tags, \
          are added. A bad row stops no other: `errors` says what is wrong with it, and of what it says only a flag for a \
          good address is taken. No flag is lifted. Each thousand rows are written in one step; the same again does no \
          harm.
          """, body: ContactBulk.shape, bodyLimit: 32 << 20, reply: .ok(ContactBulkResult.shape),
        handler: { call, bulk in try upsert(call, bulk) }),
      Route(
        .patch, "/api/contacts/bulk/tags", "updateTagsOfContacts", access: .scope(.contacts), tag: "Contacts",
        summary: "Put tags on many contacts, and take others from them",
        description: """
          The contacts are told by ids and addresses; those that are not there are passed over. Tags are taken away before \
          others are put on. A contact that would have more than 50 stays as it is, and stops no other: `errors` names it.
          """, body: BulkTags.shape, bodyLimit: 8 << 20, reply: .ok(BulkTags.Result.shape),
        handler: { call, change in try changeTags(call, change) }),
    ]
  }

  func upsert(_ call: Call, _ bulk: ContactBulk) throws -> ContactBulkResult {
    let upsert = ContactUpsert(account: try call.caller.account, database: database, reason: .api)
    let result = try upsert.run(
      bulk.rows.map { ContactRow(reading: $0) }, tags: bulk.tags, source: nil, at: call.now)
    return ContactBulkResult(submitted: bulk.rows.count, result: result)
  }

  func changeTags(_ call: Call, _ change: BulkTags) throws -> BulkTags.Result {
    let account = try call.caller.account
    return try database.transaction { connection in
      let contacts = ContactRows(account: account, queries: connection)
      let named = try contacts.ids(ofEmailKeys: Array(Set(change.emails.map(\.key)))).values
      var ids: [ContactID] = []
      try Set(change.contacts).union(named).sorted().inBatches { ids += try contacts.lock(Array($0)) }
      let tags = TagRows(account: account, queries: connection)
      let added = Set(try tags.ids(of: change.added, making: call.now).values)
      let removed = Set(try tags.ids(of: change.removed).values).subtracting(added)
      let present = try tags.tags(of: ids)
      var changed: [ContactID] = []
      var full: [ContactID] = []
      for id in ids {
        let old = present[id] ?? []
        let new = old.subtracting(removed).union(added)
        if new.count > TagName.most {
          full.append(id)
        } else if new != old {
          changed.append(id)
        }
      }
      try tags.remove(removed.sorted(), from: changed)
      try tags.add(
        changed.flatMap { id in added.subtracting(present[id] ?? []).sorted().map { (id, $0) } })
      try contacts.touch(changed, at: call.now)
      try contacts.tell(.contactUpdated, of: changed, at: call.now)
      return BulkTags.Result(matched: ids.count, changed: changed.count, full: full)
    }
  }
}

/// The contacts of a bulk request, each still to be read: a bad one stops no other.
struct ContactBulk: Sendable {
  let rows: [JSON]
  let tags: [TagName]

  private static let row: Shape<JSON> = {
    var shape = Shape<JSON>.any
    // A row that is no contact is told in the result, and makes the request no bad one.
    shape.schema = Schema(
      ["anyOf": [ContactDraft.shape.schema.json, [:]]], named: ContactDraft.shape.schema.named)
    return shape
  }()
  private static let contacts: Shape<[JSON]> = .list(of: row, atMost: ContactBulkRoutes.most, atLeast: 1)
  private static let tags: Shape<[TagName]> = Shape<[TagName]>.list(of: .tagName, atMost: TagName.most)
    .defaulting(to: []).described("Tags that all of them get.")

  static let shape = Shape(
    ContactBulk.init(rows:tags:), Field("contacts", \.rows, contacts), Field("tags", \.tags, tags)
  ).named("NewContacts")
}

/// What became of the rows of a bulk request.
struct ContactBulkResult: Sendable {
  /// How many problems of one row are told: an answer stays in proportion to what was sent.
  private static let mostPerRow = ContactRow.mostProblems

  struct RowProblem: Sendable {
    let index: Int
    let email: String?
    let problem: FieldProblem

    static let shape = Shape<RowProblem>.output(
      "ContactRowProblem",
      [
        .init("index", \.index, Shape.count.described("The row's place in `contacts`, from 0.")),
        .init("email", \.email, .optional(.string)), .init("field", \.problem.field, .string),
        .init("code", \.problem.code, .string), .init("message", \.problem.message, .string),
      ])
  }

  let submitted: Int
  let created: Int
  let updated: Int
  let skipped: Int
  let errors: [RowProblem]

  init(submitted: Int, result: ContactUpsert.Result) {
    self.submitted = submitted
    created = result.created
    updated = result.updated
    skipped = result.skipped
    var last = -1
    var count = 0
    errors = result.errors.compactMap { index, email, problem in
      count = index == last ? count + 1 : 1
      last = index
      return count > Self.mostPerRow ? nil : RowProblem(index: index, email: email, problem: problem)
    }
  }

  static let shape = Shape<ContactBulkResult>.output(
    "ContactBulkResult",
    [
      .init("totalSubmitted", \.submitted, .count), .init("created", \.created, .count),
      .init("updated", \.updated, .count),
      .init("skipped", \.skipped, Shape.count.described("Rows that changed nothing.")),
      .init("errors", \.errors, .list(of: RowProblem.shape, atMost: ContactBulkRoutes.most * mostPerRow)),
    ])
}

/// Which tags many contacts get, and which they lose.
struct BulkTags: Sendable {
  let contacts: [ContactID]
  let emails: [EmailAddress]
  let added: [TagName]
  let removed: [TagName]

  private static let ids: Shape<[ContactID]> = Shape<[ContactID]>.list(
    of: .id(), atMost: ContactBulkRoutes.most
  ).defaulting(to: [])
  private static let addresses: Shape<[EmailAddress]> = Shape<[EmailAddress]>.list(
    of: .email, atMost: ContactBulkRoutes.most
  ).defaulting(to: [])
  private static let tags: Shape<[TagName]> = Shape<[TagName]>.list(of: .tagName, atMost: TagName.most)
    .defaulting(to: [])

  static let shape = Shape(
    BulkTags.init(contacts:emails:added:removed:), Field("contactIds", \.contacts, ids),
    Field("emails", \.emails, addresses), Field("addTags", \.added, tags),
    Field("removeTags", \.removed, tags)
  ).named("BulkTags")

  struct Result: Sendable {
    let matched: Int
    let changed: Int
    /// Those that would have too many tags.
    let full: [ContactID]

    private static let error = Shape<ContactID>.output(
      "BulkTagsError",
      [
        .init("contactId", { $0 }, .id()), .init("field", { _ in "addTags" }, .string),
        .init("code", { _ in "too_long" }, .string),
        .init(
          "message", { _ in "The contact would have more than \(TagName.most) tags." }, .string),
      ])

    static let shape = Shape<Result>.output(
      "BulkTagsResult",
      [
        .init("matched", \.matched, Shape.count.described("Contacts that are there.")),
        .init("changed", \.changed, Shape.count.described("Those whose tags are others now.")),
        .init(
          "errors", \.full,
          Shape<[ContactID]>.list(of: error, atMost: 2 * ContactBulkRoutes.most).described(
            "Those that are left as they are.")),
      ])
  }
}
