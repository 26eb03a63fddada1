import FLHTTP
import FLMariaDB
import FLValues

/// Short links and their tags.
struct LinkRoutes {
  let database: Database
  let links: LinkService
  let shape: Shape<Link>

  init(database: Database, links: LinkService, baseURL: String) {
    self.database = database
    self.links = links
    shape = Link.shape(baseURL: baseURL)
  }

  var routes: [Route] { collection + single + tags }

  private var collection: [Route] {
    [
      Route(
        .get, "/api/links", "listLinks", access: .scope(.links), tag: "Links", summary: "List the links",
        .limit, .cursor,
        .query("search", Self.search, "Part of the title, the destination or the short code."),
        .query("tag", Self.search, "Links with this tag."),
        .query("isEnabled", Self.flag, "Links that lead somewhere, or those that are switched off."),
        .query("externalId", Self.search, "The link with this id of yours."),
        .query("fileId", Self.file, "Links that lead to this file."),
        .query("sort", Self.sort, "The order; `-` is downwards."),
        reply: .list(shape, named: "Link"),
        handler: { call, limit, cursor, search, tag, isEnabled, externalID, file, order in
          try list(
            call,
            .init(search: search, tag: tag, isEnabled: isEnabled, externalID: externalID, fileID: file),
            order, cursor, limit)
        }),
      Route(
        .post, "/api/links", "createLink", access: .scope(.links), tag: "Links", summary: "Make a short link",
        body: NewLink.shape, reply: .created(shape, at: { "/api/links/\($0.id)" }).tagged(\.tag),
        handler: { call, new in try create(call, new) }),
      Route(
        .post, "/api/links/bulk", "createLinks", access: .scope(.links), tag: "Links",
        summary: "Make up to 100 short links",
        description: "Each row succeeds or fails by itself: `results` has one entry a row, in their order.",
        body: NewLinks.shape, bodyLimit: 4 << 20, reply: .ok(BulkResult.shape(link: shape)),
        handler: { call, rows in try bulk(call, rows) }),
      Route(
        .get, "/api/links/availability", "checkAvailability", access: .scope(.links), tag: "Links",
        summary: "Check whether a short code can be taken",
        .query("shortCode", Shape<String>.string, "The code that is wished for."),
        reply: .ok(Availability.shape),
        handler: { call, code in
          try Availability(of: code, account: call.caller.account, in: PublicCodeRows(queries: database))
        }),
    ]
  }

  private var single: [Route] {
    [
      Route(
        .get, "/api/links/{id}", "getLink", access: .scope(.links), tag: "Links", summary: "Read a link",
        .path("id", .id(), "The link's id."), reply: .ok(shape).tagged(\.tag),
        handler: { call, id in try find(call, id) }),
      Route(
        .patch, "/api/links/{id}", "updateLink", access: .scope(.links), tag: "Links",
        summary: "Change a link",
        description: """
          It holds in every process of the host when it is answered. What QR codes say has the short code in it: when \
          that changes, those that are printed lead nowhere.
          """, problems: [409, 412],
        .path("id", .id(), "The link's id."), body: LinkChanges.shape, reply: .ok(shape).tagged(\.tag),
        handler: { call, changes, id in try update(call, changes, id) }),
      Route(
        .delete, "/api/links/{id}", "deleteLink", access: .scope(.links), tag: "Links",
        summary: "Delete a link",
        description:
          "Its short code stays with the account for a year: nobody else can take over its visitors.",
        problems: [412], .path("id", .id(), "The link's id."), reply: .noContent,
        handler: { call, id in
          try links.delete(id, account: call.caller.account, if: call.preconditions, at: call.now)
        }),
    ]
  }

  private var tags: [Route] {
    TaggingRoutes<Link>(
      base: "/api/links", noun: "Link", scope: .links, tag: "Links",
      read: { call, id in try find(call, id).tags },
      change: { call, id, change in
        try links.changeTags(of: id, account: call.caller.account, at: call.now, change)
      }
    ).routes
  }

  private static let search: Shape<String?> = .optional(.text(0...255))
  private static let file: Shape<FileID?> = .optional(.id())
  private static let flag: Shape<Bool?> = .optional(.bool)
  private static let sort: Shape<LinkOrder> = Shape<LinkOrder>.oneOf(LinkOrder.self).defaulting(to: .newest)

  private func rows(_ call: Call) throws -> LinkRows {
    LinkRows(account: try call.caller.account, queries: database)
  }

  func find(_ call: Call, _ id: LinkID) throws -> Link {
    guard let link = try rows(call).find(id) else { throw Problem.notFound }
    return link
  }

  func list(_ call: Call, _ filter: LinkRows.Filter, _ order: LinkOrder, _ cursor: Cursor?, _ limit: Int)
    throws
    -> Page<Link>
  {
    if let cursor, !order.accepts(cursor) {
      throw Problem.invalid("cursor", "invalid_cursor", "This cursor is not of a list in this order.")
    }
    let rows = try rows(call)
    let links = try rows.list(filter, order, behind: cursor, limit: limit + 1)
    return try Page(links, limit: limit, total: rows.count(filter)) {
      Cursor(order: order.rawValue, value: order.value(of: $0), id: $0.id)
    }
  }

  func create(_ call: Call, _ new: NewLink) throws -> Link {
    if new.target.file != nil || new.qrCode?.look.logoFileID != nil { try call.caller.checkMayReadFiles() }
    return try links.create(new, account: call.caller.account, plan: call.caller.plan, at: call.now)
  }

  func update(_ call: Call, _ changes: LinkChanges, _ id: LinkID) throws -> Link {
    if changes.target.target?.file != nil { try call.caller.checkMayReadFiles() }
    return try links.update(id, changes, account: call.caller.account, if: call.preconditions, at: call.now)
  }

  func bulk(_ call: Call, _ new: NewLinks) throws -> BulkResult {
    var result = BulkResult()
    for (index, row) in new.rows.enumerated() {
      do {
        let new = try NewLink.shape.read(row)
        result.rows.append(.init(index: index, status: 201, link: try create(call, new), error: nil))
      } catch let problem as Problem {
        result.rows.append(.init(index: index, status: problem.status, link: nil, error: problem))
      } catch is DatabaseError where index > 0 {
        // What is made is told; what is left would only wait for the same database.
        let problem = Problem.unavailable("The row could not be saved. Send it again.")
        result.rows += (index..<new.rows.count).map {
          .init(index: $0, status: problem.status, link: nil, error: problem)
        }
        break
      }
    }
    return result
  }
}

/// The links of a bulk request, each still to be read: a bad one stops no other.
struct NewLinks: Sendable {
  let rows: [JSON]

  private static let row: Shape<JSON> = {
    var shape = Shape<JSON>.any
    // A row that is no NewLink is told in the results, and makes the request no bad one.
    shape.schema = Schema(
      ["anyOf": [NewLink.shape.schema.json, [:]]], named: NewLink.shape.schema.named)
    return shape
  }()

  static let shape = Shape(
    NewLinks.init(rows:), Field("links", \.rows, .list(of: row, atMost: 100, atLeast: 1))
  ).named("NewLinks")
}

/// What became of each row of a bulk request.
struct BulkResult: Sendable {
  struct Row: Sendable {
    let index: Int
    let status: Int
    let link: Link?
    let error: Problem?
  }

  var rows: [Row] = []

  static func shape(link: Shape<Link>) -> Shape<BulkResult> {
    let row = Shape<Row>.output(
      "BulkRow",
      [
        .init("index", \.index, .count), .init("status", \.status, .count),
        .init("link", \.link, .optional(link)),
        .init("error", \.error, .optional(.problem)),
      ])
    return .output(
      "BulkResult",
      [
        .init("created", { $0.rows.count { $0.link != nil } }, .count),
        .init("failed", { $0.rows.count { $0.link == nil } }, .count),
        .init("results", \.rows, .list(of: row)),
      ])
  }
}

extension Shape where Value == Problem {
  /// A problem inside an answer: the members that tell what is wrong.
  static var problem: Shape {
    .output(
      "RowProblem",
      [
        .init("code", \.code, .string), .init("title", \.title, .string),
        .init("detail", \.detail, .optional(.string)),
        .init("errors", \.errors, .list(of: FieldProblem.shape)),
      ])
  }
}
