import FLHTTP
import FLMariaDB
import FLValues

/// Groups of contacts, and who is in them.
struct ContactGroupRoutes {
  let database: Database
  let service: ContactGroupService
  let baseURL: String

  private var shape: Shape<ContactGroup> { ContactGroup.shape(baseURL: baseURL) }

  var routes: [Route] { groups + members }

  private var groups: [Route] {
    [
      Route(
        .get, "/api/contact-groups", "listContactGroups", access: .scope(.contactGroups),
        tag: "Contact groups",
        summary: "List the groups", .limit, .cursor, .query("search", Self.search, "Part of the name."),
        .query("sort", Self.sort, "The order; `-` is downwards."),
        reply: .list(shape, named: "ContactGroup"),
        handler: { call, limit, cursor, search, order in try list(call, search, order, cursor, limit) }),
      Route(
        .post, "/api/contact-groups", "createContactGroup", access: .scope(.contactGroups),
        tag: "Contact groups", summary: "Make a group",
        description: """
          A public group has a page at which strangers can subscribe, and forms to paste into other sites. Who \
          subscribes there is asked by mail in any case; `requireDoubleOptIn` is about those whom the account adds.
          """, problems: [409], body: NewContactGroup.shape,
        reply: .created(shape, at: { "/api/contact-groups/\($0.id)" }).tagged(\.tag),
        handler: { call, new in try create(call, new) }),
      Route(
        .get, "/api/contact-groups/{id}", "getContactGroup", access: .scope(.contactGroups),
        tag: "Contact groups", summary: "Read a group", .path("id", .id(), Self.id),
        reply: .ok(shape).tagged(\.tag), handler: { call, id in try find(call, id) }),
      Route(
        .patch, "/api/contact-groups/{id}", "updateContactGroup", access: .scope(.contactGroups),
        tag: "Contact groups", summary: "Change a group",
        description: "Those who are in it stay as they are, `pending` or `confirmed`.",
        problems: [409, 412], .path("id", .id(), Self.id), body: ContactGroupChanges.shape,
        reply: .ok(shape).tagged(\.tag), handler: { call, changes, id in try update(call, changes, id) }),
      Route(
        .delete, "/api/contact-groups/{id}", "deleteContactGroup", access: .scope(.contactGroups),
        tag: "Contact groups", summary: "Delete a group", description: "Its contacts stay.", problems: [412],
        .path("id", .id(), Self.id), reply: .noContent,
        handler: { call, id in
          try service.delete(id, of: call.caller.account, if: call.preconditions)
        }),
      Route(
        .get, "/api/contact-groups/{id}/embed", "getContactGroupForm", access: .scope(.contactGroups),
        tag: "Contact groups", summary: "Get a form for other sites",
        description: """
          To paste into a page: a form of plain HTML, or a frame. A script of the page can also send the form's fields \
          to `url` by itself, as `application/x-www-form-urlencoded` or JSON with `Accept: application/json`, from \
          any origin, and gets `{"status": "pending"}`.
          """, .path("id", .id(), Self.id), reply: .ok(EmbedForm.shape),
        handler: { call, id in EmbedForm(try find(call, id), baseURL: baseURL) }),
    ]
  }

  private var members: [Route] {
    [
      Route(
        .get, "/api/contact-groups/{id}/members", "listContactGroupMembers", access: .scope(.contactGroups),
        tag: "Contact groups", summary: "List the members", description: "The newest contacts come first.",
        .path("id", .id(), Self.id), .limit, .cursor,
        .query("status", Self.status, "Only those who have confirmed, or have not."),
        .query("search", Self.beginning, "How the e-mail address begins."),
        reply: .list(GroupMember.shape, named: "GroupMember"),
        handler: { call, id, limit, cursor, status, search in
          try members(call, id, .init(status: status, search: search), cursor, limit)
        }),
      Route(
        .post, "/api/contact-groups/{id}/members", "addContactGroupMembers", access: .scope(.contactGroups),
        tag: "Contact groups", summary: "Add contacts",
        description: """
          By id and by e-mail address, up to 10,000 each; with `createMissing`, addresses that no contact has become \
          contacts. An entry that names no contact is told in `errors` and stops no other. In a group with \
          `requireDoubleOptIn` they are `pending` until they press the button to which a mail leads; an address is \
          mailed once a day at most, and not at all after a bounce or an unsubscribe, neither of which this lifts.
          """, .path("id", .id(), Self.id), body: MemberAddition.shape, bodyLimit: MemberAddition.bodyLimit,
        reply: .ok(MemberAdditionResult.shape),
        handler: { call, addition, id in
          try service.add(addition, to: id, of: call.caller.account, at: call.now)
        }),
      Route(
        .post, "/api/contact-groups/{id}/members/remove", "removeContactGroupMembers",
        access: .scope(.contactGroups), tag: "Contact groups", summary: "Remove contacts",
        description:
          "By id and by e-mail address, up to 10,000 each. The contacts stay; who is not in it is none.",
        .path("id", .id(), Self.id), body: MemberRemoval.shape, bodyLimit: MemberAddition.bodyLimit,
        reply: .ok(MemberRemoval.answer),
        handler: { call, removal, id in try service.remove(removal, from: id, of: call.caller.account) }),
      Route(
        .post, "/api/contact-groups/{id}/members/resend", "askContactGroupMembers",
        access: .scope(.contactGroups),
        tag: "Contact groups", summary: "Ask the members who wait",
        description: """
          Mails the question to the `pending` members who have none that still holds: who were never asked, as after an \
          import, or more than 30 days ago. 10,000 a request; `hasMore` tells that others wait.
          """, .path("id", .id(), Self.id), reply: .accepted(MembersAsked.shape),
        handler: { call, id in try service.askWaiting(in: id, of: call.caller.account, at: call.now) }),
      Route(
        .delete, "/api/contact-groups/{id}/members/{contactId}", "removeContactGroupMember",
        access: .scope(.contactGroups), tag: "Contact groups", summary: "Remove a contact",
        description: "The contact stays.", .path("id", .id(), Self.id),
        .path("contactId", .id(), Self.contactID), reply: .noContent,
        handler: { call, id, contact in
          let removal = MemberRemoval(contacts: [contact], emails: [])
          guard try service.remove(removal, from: id, of: call.caller.account) > 0 else {
            throw Problem.notFound
          }
        }),
      Route(
        .post, "/api/contact-groups/{id}/members/{contactId}/resend", "resendContactGroupConfirmation",
        access: .scope(.contactGroups), tag: "Contact groups", summary: "Ask a member again",
        description: "Mails the question to a `pending` member once more, once a day at most.",
        problems: [409],
        .path("id", .id(), Self.id), .path("contactId", .id(), Self.contactID),
        reply: .accepted(GroupMember.shape),
        handler: { call, id, contact in
          try service.resend(to: contact, in: id, of: call.caller.account, at: call.now)
        }),
    ]
  }

  private static let id = "The group's id."
  private static let contactID = "The contact's id."
  private static let search: Shape<String?> = .optional(.text(0...255))
  private static let beginning: Shape<String?> = .optional(.text(0...254))
  private static let status: Shape<GroupMemberStatus?> = .optional(.oneOf(GroupMemberStatus.self))
  private static let sort: Shape<ContactGroupOrder> = Shape<ContactGroupOrder>.oneOf(ContactGroupOrder.self)
    .defaulting(to: .name)

  private func rows(_ call: Call) throws -> ContactGroupRows {
    ContactGroupRows(account: try call.caller.account, queries: database)
  }

  func list(
    _ call: Call, _ search: String?, _ order: ContactGroupOrder, _ cursor: Cursor?, _ limit: Int
  ) throws -> Page<ContactGroup> {
    if let cursor, !order.accepts(cursor) { throw Self.foreignCursor }
    let rows = try rows(call)
    let groups = try rows.list(search: search, order, behind: cursor, limit: limit + 1)
    return try Page(groups, limit: limit, total: rows.count(search: search)) {
      Cursor(order: order.rawValue, value: order.value(of: $0), id: $0.id)
    }
  }

  private static let foreignCursor = Problem.invalid(
    "cursor", "invalid_cursor", "This cursor is not of a list in this order.")

  func create(_ call: Call, _ new: NewContactGroup) throws -> ContactGroup {
    let group = ContactGroup(
      id: ContactGroupID(at: call.now), name: new.name, description: new.description.filled,
      requiresDoubleOptIn: new.requiresDoubleOptIn, isPublic: new.isPublic, members: 0, pending: 0,
      version: 1,
      createdAt: call.now, updatedAt: call.now)
    try refusingTakenNames { try rows(call).insert(group) }
    return group
  }

  func find(_ call: Call, _ id: ContactGroupID) throws -> ContactGroup {
    guard let group = try rows(call).find(id) else { throw Problem.notFound }
    return group
  }

  func update(_ call: Call, _ changes: ContactGroupChanges, _ id: ContactGroupID) throws -> ContactGroup {
    let account = try call.caller.account
    return try refusingTakenNames {
      try database.transaction { connection in
        let rows = ContactGroupRows(account: account, queries: connection)
        guard try rows.lock(id), var group = try rows.find(id) else { throw Problem.notFound }
        try call.preconditions.check(group.tag)
        group.name = changes.name ?? group.name
        group.description = changes.description.applied(to: group.description).filled
        group.requiresDoubleOptIn = changes.requiresDoubleOptIn ?? group.requiresDoubleOptIn
        group.isPublic = changes.isPublic ?? group.isPublic
        try rows.update(group, at: call.now)
        return try rows.find(id) ?? group
      }
    }
  }

  private func refusingTakenNames<Result>(_ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch DatabaseError.duplicate(constraint: "contact_groups_name") {
      throw Problem.conflict("Another group has this name.", field: "name")
    }
  }

  func members(
    _ call: Call, _ id: ContactGroupID, _ filter: GroupMemberRows.Filter, _ cursor: Cursor?, _ limit: Int
  ) throws -> Page<GroupMember> {
    if let cursor, cursor.order != Self.memberOrder { throw Self.foreignCursor }
    guard try rows(call).exists(id) else { throw Problem.notFound }
    let rows = GroupMemberRows(account: try call.caller.account, group: id, queries: database)
    let members = try rows.list(filter, behind: cursor?.id(), limit: limit + 1)
    return try Page(members, limit: limit, total: rows.count(filter)) {
      Cursor(order: Self.memberOrder, id: $0.contact)
    }
  }

  private static let memberOrder = "members"
}
