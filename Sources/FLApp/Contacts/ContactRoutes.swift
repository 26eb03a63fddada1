import FLHTTP
import FLMariaDB
import FLValues

/// Contacts, one by one.
struct ContactRoutes {
  let database: Database
  let contacts: ContactService

  init(database: Database) {
    self.database = database
    contacts = ContactService(database: database)
  }

  var routes: [Route] {
    collection + single + parts + tags + ContactBulkRoutes(database: database).routes
  }

  private var collection: [Route] {
    [
      Route(
        .get, "/api/contacts", "listContacts", access: .scope(.contacts), tag: "Contacts",
        summary: "List the contacts",
        description: """
          `search` takes the beginnings of words of names, company, e-mail address and telephone number, which must all be \
          there. What it finds is in the order of the words, and has no other.
          """,
        .limit, .cursor,
        .query("search", Self.search, "Beginnings of words."),
        .query("tag", Self.search, "Contacts with this tag."),
        .query("groupId", Self.group, "Contacts in this group."),
        .query("isBounced", Self.flag, "Contacts whose mail does not arrive, or the others."),
        .query("isUnsubscribed", Self.flag, "Contacts who want no mailings, or the others."),
        .query("email", Self.search, "The contact with this address, without regard to case."),
        .query("sort", Self.sort, "The order; `-` is downwards."),
        reply: .ok(ContactPage.shape),
        handler: { call, limit, cursor, search, tag, group, isBounced, isUnsubscribed, email, order in
          try list(
            call, search,
            ContactFilter(
              tag: tag, group: group, isBounced: isBounced, isUnsubscribed: isUnsubscribed, email: email),
            order, cursor, limit)
        }),
      Route(
        .post, "/api/contacts", "createContact", access: .scope(.contacts), tag: "Contacts",
        summary: "Make a contact",
        description: "An address that had unsubscribed or bounced before is so again.", problems: [409],
        body: ContactDraft.shape,
        reply: .created(Contact.shape, at: { "/api/contacts/\($0.id)" }).tagged(\.tag),
        handler: { call, draft in
          try contacts.create(draft, account: call.caller.account, at: call.now)
        }),
    ]
  }

  private var single: [Route] {
    [
      Route(
        .get, "/api/contacts/{id}", "getContact", access: .scope(.contacts), tag: "Contacts",
        summary: "Read a contact", .path("id", .id(), "The contact's id."),
        reply: .ok(Contact.shape).tagged(\.tag), handler: { call, id in try find(call, id) }),
      Route(
        .patch, "/api/contacts/{id}", "updateContact", access: .scope(.contacts), tag: "Contacts",
        summary: "Change a contact",
        description: """
          Lists are replaced as a whole; what comes with the id that it has stays itself. With another address an \
          unsubscribe goes along, and a bounce does not.
          """, problems: [409, 412],
        .path("id", .id(), "The contact's id."), body: ContactChanges.shape,
        reply: .ok(Contact.shape).tagged(\.tag),
        handler: { call, changes, id in
          try contacts.update(
            id, changes, account: call.caller.account, if: call.preconditions, at: call.now)
        }),
      Route(
        .delete, "/api/contacts/{id}", "deleteContact", access: .scope(.contacts), tag: "Contacts",
        summary: "Delete a contact",
        description:
          "Whether mailings may go to the address stays known: it holds for a contact that is made anew.",
        problems: [412], .path("id", .id(), "The contact's id."), reply: .noContent,
        handler: { call, id in
          try contacts.delete(id, account: call.caller.account, if: call.preconditions)
        }),
      Route(
        .post, "/api/contacts/{id}/merge", "mergeContacts", access: .scope(.contacts), tag: "Contacts",
        summary: "Merge contacts into one",
        description: """
          This contact stays; the others are deleted. What it does not have comes from them, in their order; telephone \
          numbers and the like, tags, groups and the history of mailings are united. Where one of them had unsubscribed, it \
          has as well.
          """, problems: [412], .path("id", .id(), "The id of the contact that stays."),
        body: ContactMerge.shape, reply: .ok(Contact.shape).tagged(\.tag),
        handler: { call, merge, id in
          try contacts.merge(
            merge.contacts, into: id, account: call.caller.account, if: call.preconditions, at: call.now)
        }),
      Route(
        .get, "/api/contacts/{id}/timeline", "getContactTimeline", access: .scope(.contacts), tag: "Contacts",
        summary: "Read what happened with a contact", description: "The newest first.",
        .path("id", .id(), "The contact's id."), .limit, .cursor,
        reply: .list(ContactEvent.shape, named: "ContactEvent"),
        handler: { call, id, limit, cursor in try timeline(call, id, limit, cursor) }),
    ]
  }

  private var parts: [Route] {
    ContactPartRoutes<ContactPhone>(database: database, contacts: contacts).routes
      + ContactPartRoutes<ContactAddress>(database: database, contacts: contacts).routes
      + ContactPartRoutes<ContactWebsite>(database: database, contacts: contacts).routes
      + ContactPartRoutes<ContactNote>(database: database, contacts: contacts).routes
  }

  private var tags: [Route] {
    TaggingRoutes<Contact>(
      base: "/api/contacts", noun: "Contact", scope: .contacts, tag: "Contacts",
      read: { call, id in try find(call, id).tags },
      change: { call, id, change in
        try contacts.changeTags(of: id, account: call.caller.account, at: call.now, change)
      }
    ).routes
  }

  private static let search: Shape<String?> = .optional(.text(0...255))
  private static let flag: Shape<Bool?> = .optional(.bool)
  private static let group: Shape<ID<ContactMembership>?> = .optional(.id())
  private static let sort: Shape<ContactOrder> = Shape<ContactOrder>.oneOf(ContactOrder.self).defaulting(
    to: .newest)

  private func rows(_ call: Call) throws -> ContactRows {
    ContactRows(account: try call.caller.account, queries: database)
  }

  func find(_ call: Call, _ id: ContactID) throws -> Contact {
    guard let contact = try rows(call).find(id) else { throw Problem.notFound }
    return contact
  }

  func list(
    _ call: Call, _ search: String?, _ filter: ContactFilter, _ order: ContactOrder, _ cursor: Cursor?,
    _ limit: Int
  ) throws -> ContactPage {
    if let search, !search.isEmpty { return try self.search(call, search, filter, order, cursor, limit) }
    if let cursor, !order.accepts(cursor) { throw Self.foreignCursor }
    let rows = try rows(call)
    let contacts = try rows.list(filter, order, behind: cursor, limit: limit + 1)
    let count = try rows.count(filter)
    let isOver = !filter.isEmpty && count > ContactRows.mostCounted
    let page = Page(contacts, limit: limit, total: isOver ? ContactRows.mostCounted : count) {
      Cursor(order: order.rawValue, value: order.value(of: $0), id: $0.id)
    }
    return ContactPage(page: page, totalIsLowerBound: isOver)
  }

  private func search(
    _ call: Call, _ text: String, _ filter: ContactFilter, _ order: ContactOrder, _ cursor: Cursor?,
    _ limit: Int
  ) throws -> ContactPage {
    guard order == .newest else {
      throw Problem.invalid("sort", "not_with_search", "What a search finds is in the order of its words.")
    }
    if let cursor, cursor.order != ContactSearch.order { throw Self.foreignCursor }
    let search = ContactSearch(
      account: try call.caller.account, queries: database, words: ContactWords.wanted(text), filter: filter)
    let (hits, total) = try search.page(behind: cursor, limit: limit)
    let page = Page(hits, limit: limit, total: min(total, ContactSearch.mostCounted)) {
      Cursor(order: ContactSearch.order, value: $0.word, id: $0.contact)
    }
    let contacts = try rows(call).find(page.items.map(\.contact))
    return ContactPage(
      page: Page(items: contacts, nextCursor: page.nextCursor, total: page.total),
      totalIsLowerBound: total > ContactSearch.mostCounted)
  }

  private static let foreignCursor = Problem.invalid(
    "cursor", "invalid_cursor", "This cursor is not of a list in this order.")

  func timeline(_ call: Call, _ id: ContactID, _ limit: Int, _ cursor: Cursor?) throws -> Page<ContactEvent> {
    guard try rows(call).exists(id) else { throw Problem.notFound }
    let timeline = ContactTimeline(account: try call.caller.account, contact: id, queries: database)
    let end = try cursor.map { cursor in
      guard let end = ContactEvent.Place(cursor) else { throw Self.foreignCursor }
      return end
    }
    return try Page(timeline.events(behind: end, limit: limit + 1), limit: limit, total: timeline.count()) {
      $0.place.cursor
    }
  }
}
