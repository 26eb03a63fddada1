import FLHTTP
import FLValues

/// The tags of one thing as a resource: the same for links and contacts.
struct TaggingRoutes<Subject: Taggable>: Sendable {
  /// Where the things are: `/api/links`.
  let base: String
  /// What one is called in names of operations: `Link`.
  let noun: String
  let scope: Scope
  /// The group of the operations.
  let tag: String
  let read: @Sendable (Call, ID<Subject>) throws -> [String]
  /// Changes the tags by what it is given; answers what there are then.
  let change: @Sendable (Call, ID<Subject>, (TagRows) throws -> Void) throws -> [String]

  private var name: String { noun.lowercased() }
  private var path: String { "\(base)/{id}/tags" }

  var routes: [Route] {
    let id = Parameter<ID<Subject>>.path("id", .id(), "The \(name)'s id.")
    return [
      Route(
        .get, path, "list\(noun)Tags", access: .scope(scope), tag: tag, summary: "Read a \(name)'s tags", id,
        reply: .ok(TagNames.answer), handler: { call, id in try read(call, id) }),
      Route(
        .put, path, "replace\(noun)Tags", access: .scope(scope), tag: tag,
        summary: "Replace a \(name)'s tags", id, body: TagNames.shape, reply: .ok(TagNames.answer),
        handler: { call, list, id in
          try change(call, id) { tags in
            try tags.removeAll(from: id)
            try tags.add(list.tags, to: id, at: call.now)
          }
        }),
      Route(
        .post, path, "add\(noun)Tags", access: .scope(scope), tag: tag, summary: "Add tags to a \(name)", id,
        body: TagNames.shape, reply: .ok(TagNames.answer),
        handler: { call, list, id in
          try change(call, id) { tags in try tags.add(list.tags, to: id, at: call.now) }
        }),
      Route(
        .delete, path + "/{name}", "remove\(noun)Tag", access: .scope(scope), tag: tag,
        summary: "Take a tag from a \(name)", id, .path("name", Shape<String>.string, "The tag's name."),
        reply: .noContent,
        handler: { call, id, name in
          _ = try change(call, id) { tags in
            guard try tags.remove(name, from: id) else { throw Problem.notFound }
          }
        }),
    ]
  }
}
