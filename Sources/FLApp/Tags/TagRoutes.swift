import FLHTTP
import FLMariaDB
import FLValues

/// Tags as things of their own: named, coloured, renamed, merged.
struct TagRoutes {
  let database: Database

  var routes: [Route] {
    [
      Route(
        .get, "/api/tags", "listTags", access: .scope(.tags), tag: "Tags", summary: "List the tags",
        .limit, .cursor, .query("search", Self.search, "Part of the name."),
        .query("sort", Self.sort, "The order; `-` is downwards."), reply: .list(Tag.shape, named: "Tag"),
        handler: { call, limit, cursor, search, order in try list(call, search, order, cursor, limit) }),
      Route(
        .post, "/api/tags", "createTag", access: .scope(.tags), tag: "Tags", summary: "Make a tag",
        description: "Tags that are put on links are made by themselves.", problems: [409],
        body: NewTag.shape, reply: .created(Tag.shape, at: { "/api/tags/\($0.id)" }).tagged(\.tag),
        handler: { call, new in try create(call, new) }),
      Route(
        .get, "/api/tags/{id}", "getTag", access: .scope(.tags), tag: "Tags", summary: "Read a tag",
        .path("id", .id(), "The tag's id."), reply: .ok(Tag.shape).tagged(\.tag),
        handler: { call, id in try find(call, id) }),
      Route(
        .patch, "/api/tags/{id}", "updateTag", access: .scope(.tags), tag: "Tags",
        summary: "Rename or recolour a tag", description: "It stays on all that has it.",
        problems: [409, 412], .path("id", .id(), "The tag's id."), body: TagChanges.shape,
        reply: .ok(Tag.shape).tagged(\.tag), handler: { call, changes, id in try update(call, changes, id) }),
      Route(
        .delete, "/api/tags/{id}", "deleteTag", access: .scope(.tags), tag: "Tags", summary: "Delete a tag",
        description: "It is taken from all that has it.", problems: [412],
        .path("id", .id(), "The tag's id."), reply: .noContent,
        handler: { call, id in try delete(call, id) }),
      Route(
        .post, "/api/tags/{id}/merge", "mergeTag", access: .scope(.tags), tag: "Tags",
        summary: "Merge a tag into another",
        description: "What had this tag has the other then, once; this one is gone. The other is answered.",
        problems: [412], .path("id", .id(), "The id of the tag that goes."), body: TagMerge.shape,
        reply: .ok(Tag.shape).tagged(\.tag),
        handler: { call, merge, id in try self.merge(call, id, merge.into) }),
    ]
  }

  private static let search: Shape<String?> = .optional(.text(0...64))
  private static let sort: Shape<TagOrder> = Shape<TagOrder>.oneOf(TagOrder.self).defaulting(to: .name)

  func list(_ call: Call, _ search: String?, _ order: TagOrder, _ cursor: Cursor?, _ limit: Int) throws
    -> Page<Tag>
  {
    if let cursor, !order.accepts(cursor) {
      throw Problem.invalid("cursor", "invalid_cursor", "This cursor is not of a list in this order.")
    }
    let rows = TagRows(account: try call.caller.account, queries: database)
    let tags = try rows.list(search: search, order, behind: cursor, limit: limit + 1)
    return try Page(tags, limit: limit, total: rows.count(search: search)) {
      Cursor(order: order.rawValue, value: order.value(of: $0), id: $0.id)
    }
  }

  func create(_ call: Call, _ new: NewTag) throws -> Tag {
    let tag = Tag(
      id: TagID(at: call.now), name: new.name.text, color: new.color, links: 0, contacts: 0, version: 1,
      createdAt: call.now)
    try refusingTakenNames { try TagRows(account: call.caller.account, queries: database).insert(tag) }
    return tag
  }

  func find(_ call: Call, _ id: TagID) throws -> Tag {
    guard let tag = try TagRows(account: call.caller.account, queries: database).find(id) else {
      throw Problem.notFound
    }
    return tag
  }

  func update(_ call: Call, _ changes: TagChanges, _ id: TagID) throws -> Tag {
    try refusingTakenNames {
      try locked(call, id) { rows, tag in
        var tag = tag
        tag.name = changes.name?.text ?? tag.name
        tag.color = changes.color.applied(to: tag.color)
        try rows.update(tag)
        return try rows.find(id) ?? tag
      }
    }
  }

  func delete(_ call: Call, _ id: TagID) throws {
    try locked(call, id, shared: true) { rows, tag in
      if tag.uses > Self.usesAtOnce {
        let pieces = TagRows(account: rows.account, queries: database)
        while try pieces.removeSome(id, from: Link.self, limit: Self.usesAtOnce) == Self.usesAtOnce {}
        while try pieces.removeSome(id, from: Contact.self, limit: Self.usesAtOnce) == Self.usesAtOnce {}
      }
      try rows.lock(id)
      try rows.delete(id)
    }
  }

  func merge(_ call: Call, _ id: TagID, _ other: TagID) throws -> Tag {
    try locked(call, id, keeping: other, shared: true) { rows, tag in
      guard id != other else {
        throw Problem.invalid("into", "same_tag", "A tag can't be merged into itself.")
      }
      guard try rows.find(other) != nil else {
        throw Problem.invalid("into", "not_found", "There is no such tag.")
      }
      if tag.uses > Self.usesAtOnce {
        let pieces = TagRows(account: rows.account, queries: database)
        try pieces.move(id, to: other, on: Link.self, atOnce: Self.usesAtOnce)
        try pieces.move(id, to: other, on: Contact.self, atOnce: Self.usesAtOnce)
      }
      try rows.lock(id)
      try rows.move(id, to: other)
      try rows.delete(id)
      guard let tag = try rows.find(other) else { throw Problem.notFound }
      return tag
    }
  }

  /// How many links and contacts a transaction puts a tag on, or takes it from. What many have goes in pieces of that, over
  /// another connection: while the tag is locked in share mode alone, so that others can put it on something meanwhile,
  /// which the last step sees to. (Were nobody let in, they would wait with what the pieces need.)
  private static let usesAtOnce = 10_000

  /// Runs `body` with a tag, while nobody else changes it or takes `other` away.
  /// - Throws: `Problem` 404, or 412 where the call's preconditions name another version.
  private func locked<Result>(
    _ call: Call, _ id: TagID, keeping other: TagID? = nil, shared: Bool = false,
    _ body: (TagRows, Tag) throws -> Result
  ) throws -> Result {
    let account = try call.caller.account
    return try database.transaction { connection in
      let rows = TagRows(account: account, queries: connection)
      try rows.lock(id, keeping: other, shared: shared)
      guard let tag = try rows.find(id) else { throw Problem.notFound }
      try call.preconditions.check(tag.tag)
      return try body(rows, tag)
    }
  }

  private func refusingTakenNames<Result>(_ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch DatabaseError.duplicate(constraint: "tags_name") {
      throw Problem.conflict("Another tag has this name. Merge the two to have one.", field: "name")
    }
  }
}
