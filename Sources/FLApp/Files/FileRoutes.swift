import FLHTTP
import FLMariaDB
import FLValues

/// Files of an account.
struct FileRoutes {
  let database: Database
  let files: FileService
  let delivery: FileDelivery

  var routes: [Route] { collection + single }

  private var collection: [Route] {
    [
      Route(
        .get, "/api/files", "listFiles", access: .scope(.files), tag: "Files", summary: "List the files",
        .limit, .cursor, .query("search", Self.search, "Part of the name."),
        .query("contentType", Self.type, "A media type, or all of a kind: `image/*`."),
        .query("sort", Self.sort, "The order; `-` is downwards."),
        reply: .list(StoredFile.shape, named: "File"),
        handler: { call, limit, cursor, search, type, order in
          try list(call, .init(search: search, contentType: type), order, cursor, limit)
        }),
      Route(
        .post, "/api/files", "uploadFile", access: .scope(.files), tag: "Files", summary: "Upload a file",
        description: """
          A form (`multipart/form-data`) with the file in the field `file`, and the name to keep it under in `name`. \
          The plan limits the size of a file and of all files together (403 `plan_limit`); the server takes none above \
          100 MiB (413). The type is told by the content. With an `Idempotency-Key` the same name and the same content \
          are the same request.
          """,
        form: FileUpload.schema,
        reply: .created(StoredFile.shape, at: { "/api/files/\($0.id)" }).tagged(\.tag),
        stage: { call in
          try files.stage(call.request, account: call.caller.account, plan: call.caller.plan)
        },
        fingerprint: \.fingerprint,
        handler: { call, upload in
          try files.create(upload, account: call.caller.account, plan: call.caller.plan, at: call.now)
        }),
    ]
  }

  private var single: [Route] {
    [
      Route(
        .get, "/api/files/{id}", "getFile", access: .scope(.files), tag: "Files",
        summary: "Read what is known of a file", .path("id", .id(), "The file's id."),
        reply: .ok(StoredFile.shape).tagged(\.tag),
        handler: { call, id in try files.find(id, account: call.caller.account) }),
      Route(
        .patch, "/api/files/{id}", "updateFile", access: .scope(.files), tag: "Files",
        summary: "Rename a file",
        description: "The name is made one that every system can take: paths and control characters go.",
        problems: [412], .path("id", .id(), "The file's id."), body: FileChanges.shape,
        reply: .ok(StoredFile.shape).tagged(\.tag),
        handler: { call, changes, id in
          try files.update(id, changes, account: call.caller.account, if: call.preconditions, at: call.now)
        }),
      Route(
        .delete, "/api/files/{id}", "deleteFile", access: .scope(.files), tag: "Files",
        summary: "Delete a file", description: "A file that a link or a QR code needs is not deleted: 409.",
        problems: [409, 412], .path("id", .id(), "The file's id."), reply: .noContent,
        handler: { call, id in
          try files.delete(id, account: call.caller.account, if: call.preconditions)
        }),
      Route(
        .get, "/api/files/{id}/content", "getFileContent", access: .scope(.files), tag: "Files",
        summary: "Download a file",
        description: """
          With a strong `ETag` (the SHA-256), `If-None-Match`, and a single range (`Range`, `If-Range`); several ranges \
          are answered with the whole file. What a browser could run is always an attachment.
          """,
        problems: [416], .path("id", .id(), "The file's id."),
        .query(
          "disposition", Self.disposition, "Whether a browser saves it or, where that is safe, shows it."),
        reply: .made(
          // Generators of clients know the first; the second is what it is.
          "application/octet-stream", "*/*", description: "The file, with its own Content-Type.",
          others: [
            (206, "The range of the file that was asked for."), (304, "The client has the file already."),
          ]),
        handler: { call, id, disposition in
          let file = try files.find(id, account: call.caller.account)
          return try delivery.respond(file, to: call.request, asAttachment: disposition == .attachment)
        }),
    ]
  }

  /// What a browser does with a file.
  enum Disposition: String, Sendable, CaseIterable { case attachment, inline }

  private static let search: Shape<String?> = .optional(.text(0...255))
  private static let sort: Shape<FileOrder> = Shape<FileOrder>.oneOf(FileOrder.self).defaulting(to: .newest)
  private static let disposition: Shape<Disposition> = Shape<Disposition>.oneOf(Disposition.self)
    .defaulting(to: .attachment)
  private static let type: Shape<String?> = .optional(
    Shape<String>.text(3...127).satisfying("invalid_type") { text in
      let halves = text.split(separator: "/", omittingEmptySubsequences: false)
      let signs = Array("!#$&^_.+-".utf8)
      let isOne =
        halves.count == 2
        && halves.allSatisfy { half in
          !half.isEmpty
            && half.utf8.allSatisfy {
              (97...122).contains($0) || (48...57).contains($0) || signs.contains($0)
            }
        }
      let isKind =
        halves.count == 2 && halves[1] == "*" && halves[0].utf8.allSatisfy { (97...122).contains($0) }
      return isOne || (isKind && !halves[0].isEmpty)
        ? nil : "This must be a media type in lower case, or like image/*."
    })

  func list(_ call: Call, _ filter: FileRows.Filter, _ order: FileOrder, _ cursor: Cursor?, _ limit: Int)
    throws
    -> Page<StoredFile>
  {
    if let cursor, !order.accepts(cursor) {
      throw Problem.invalid("cursor", "invalid_cursor", "This cursor is not of a list in this order.")
    }
    let rows = FileRows(account: try call.caller.account, queries: database)
    let files = try rows.list(filter, order, behind: cursor, limit: limit + 1)
    return try Page(files, limit: limit, total: rows.count(filter)) {
      Cursor(order: order.rawValue, value: order.value(of: $0), id: $0.id)
    }
  }
}
