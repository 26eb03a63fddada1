import FLHTTP
import FLMariaDB
import FLValues
import HTTPTypes
import Logging

/// Contacts of an account out of files, and into them.
struct ContactFileRoutes {
  let database: Database
  let imports: ContactImportService
  let logger: Logger

  var routes: [Route] { transfer + progress }

  private var transfer: [Route] {
    [
      Route(
        .get, "/api/contacts/export", "exportContacts", access: .scope(.contacts), tag: "Contacts",
        summary: "Export contacts",
        description: """
          As CSV (RFC 4180, UTF-8) or vCard 4.0, in the order in which they were made. A cell that a spreadsheet would \
          run has an apostrophe before it, which an import takes away. CSV has the first three telephone numbers, two \
          addresses and one website, the first 200 custom fields by their names (of 5,000 different sets of them), and \
          no notes; cards have all. The file is made while it is sent: it has no `Content-Length`, and where it can't be \
          made to its end the connection breaks off.
          """, problems: [503],
        .query("format", Self.format, "How they are written."),
        .query("groupId", Self.group, "Those in a group alone."),
        .query("tag", Self.tag, "Those with a tag alone."),
        .query("isBounced", Self.flag, "Those whose address bounces, or does not."),
        .query("isUnsubscribed", Self.flag, "Those who have unsubscribed, or have not."),
        .query("mark", Self.mark, "Whether a CSV file begins with the mark of UTF-8, which Excel needs."),
        reply: .made("text/csv", "text/vcard", description: "The file."),
        handler: { call, format, group, tag, isBounced, isUnsubscribed, mark in
          try export(
            call, format,
            ContactFilter(tag: tag, group: group, isBounced: isBounced, isUnsubscribed: isUnsubscribed),
            mark)
        }),
      Route(
        .post, "/api/contacts/import", "importContacts", access: .scope(.contacts), tag: "Contacts",
        summary: "Import contacts",
        description: """
          A form (`multipart/form-data`) with the file. Contacts are known by their e-mail addresses: who is there is \
          brought up to date by what the file says, others are made; a row that can't be taken stops no other. Up to \
          1 MiB the file is done when this is answered (201), else it goes on in the background (202). No unsubscribe \
          and no bounce is lifted; a column that says so unsubscribes, also in a row that can't be taken otherwise. The plan \
          limits the size of a file.
          """,
        form: ContactImportService.form,
        reply: .begun(
          ContactImport.shape, at: { "/api/contacts/imports/\($0.id)" },
          isDone: { $0.status != .queued && $0.status != .running }),
        stage: { call in
          try imports.stage(call.request, account: call.caller.account, plan: call.caller.plan)
        }, fingerprint: \.fingerprint,
        handler: { call, upload in try imports.create(upload, account: call.caller.account, at: call.now) }),
      Route(
        .post, "/api/contacts/import/preview", "previewContactImport", access: .scope(.contacts),
        tag: "Contacts", summary: "Look at a file of contacts",
        description: "What its columns would be taken for, and the first five rows. Nothing is imported.",
        form: ContactImportService.form, reply: .ok(ContactImportPreview.shape),
        stage: { call in
          try imports.stage(call.request, account: call.caller.account, plan: call.caller.plan)
        }, fingerprint: \.fingerprint,
        handler: { _, upload in try ContactImportPreview(upload) }),
    ]
  }

  private var progress: [Route] {
    [
      Route(
        .get, "/api/contacts/imports", "listContactImports", access: .scope(.contacts), tag: "Contacts",
        summary: "List the imports", description: "The newest first.", .limit, .cursor,
        reply: .list(ContactImport.shape, named: "ContactImport"),
        handler: { call, limit, cursor in
          let rows = ContactImportRows(account: try call.caller.account, queries: database)
          return try Page(rows.list(behind: cursor, limit: limit + 1), limit: limit, total: rows.count()) {
            Cursor(id: $0.id)
          }
        }),
      Route(
        .get, "/api/contacts/imports/{id}", "getContactImport", access: .scope(.contacts), tag: "Contacts",
        summary: "Read how far an import is", .path("id", .id(), "The import's id."),
        reply: .ok(ContactImport.shape),
        handler: { call, id in
          let rows = ContactImportRows(account: try call.caller.account, queries: database)
          guard let found = try rows.find(id) else { throw Problem.notFound }
          return found
        }),
      Route(
        .post, "/api/contacts/imports/{id}/cancel", "cancelContactImport", access: .scope(.contacts),
        tag: "Contacts", summary: "Cancel an import",
        description: "It stops within a thousand rows; what is imported stays. One that has ended: 409.",
        problems: [409], .path("id", .id(), "The import's id."), reply: .ok(ContactImport.shape),
        handler: { call, id in try imports.cancel(id, account: call.caller.account, at: call.now) }),
    ]
  }

  private static let format: Shape<ContactFileFormat> = Shape<ContactFileFormat>.oneOf(ContactFileFormat.self)
    .defaulting(to: .csv)
  private static let group: Shape<ID<ContactMembership>?> = .optional(.id())
  private static let tag: Shape<String?> = .optional(.text(1...64))
  private static let flag: Shape<Bool?> = .optional(.bool)
  private static let mark: Shape<Bool> = Shape<Bool>.bool.defaulting(to: false)

  func export(
    _ call: Call, _ format: ContactFileFormat, _ filter: ContactFilter, _ mark: Bool
  ) throws -> Response {
    let account = try call.caller.account
    if let group = filter.group,
      try !ContactImportRows(account: account, queries: database).hasGroup(group)
    {
      throw Problem.invalid("groupId", "not_found", "There is no such group.")
    }
    // Whoever asks for the head alone gets it without the work.
    guard call.request.method != .head else {
      return Self.response(format, .stream(StreamBody { _ in }), call.now)
    }
    let lane = imports.lane
    let place = try lane.place(
      .exports, atMost: lane.half, or: .unavailable("Too much is being exported at once.", retryAfter: 5))
    let export = ContactExport(
      account: account, database: database, format: format, filter: filter, withMark: mark)
    let requestID = call.requestID
    let body = try export.body(holding: place) { [logger] error in
      logger.error(
        "an export broke off", metadata: ["requestId": "\(requestID)", "error": "\(type(of: error))"])
    }
    return Self.response(format, .stream(body), call.now)
  }

  private static func response(_ format: ContactFileFormat, _ body: Response.Body, _ now: Timestamp)
    -> Response
  {
    let day = String(decoding: now.civil.rfc3339.prefix(10), as: UTF8.self)
    let (type, ending) = format == .csv ? ("text/csv", "csv") : ("text/vcard", "vcf")
    var headers: HTTPFields = [
      .contentType: "\(type); charset=utf-8",
      .contentDisposition: "attachment; filename=\"contacts-\(day).\(ending)\"",
      .cacheControl: "private, no-store",
    ]
    headers[.contentTypeOptions] = "nosniff"
    return Response(status: 200, headers: headers, body: body)
  }
}

/// What an import would make of a file.
struct ContactImportPreview: Sendable {
  let fileName: String
  let format: ContactFileFormat
  let delimiter: UInt8?
  let columns: [(name: String, column: ContactColumn)]
  let rows: [(index: Int, email: String?, errors: [FieldProblem])]
  let contacts: [JSON]

  private static let mostRows = 5

  init(_ upload: ContactImportUpload) throws {
    fileName = upload.name.text
    format = upload.format
    delimiter = upload.contacts.delimiter
    columns = upload.contacts.sheet.map { Array(zip($0.names, $0.columns)) } ?? []
    var rows: [(Int, String?, [FieldProblem])] = []
    var contacts: [JSON] = []
    try upload.contacts.forEach(from: nil) { item in
      switch item.row {
      case .draft(let draft):
        rows.append((rows.count + 1, draft.email.text, []))
        contacts.append(Self.json(draft))
      case .bad(let problems, let email, _):
        rows.append((rows.count + 1, email, problems))
        contacts.append(.null)
      }
      return rows.count < Self.mostRows
    }
    (self.rows, self.contacts) = (rows, contacts)
  }

  /// What the row says, without what it does not.
  private static func json(_ draft: ContactDraft) -> JSON {
    let all = (try? JSON(reading: ContactDraft.shape.bytes(draft)))?.object ?? [:]
    return .object(
      all.members.reduce(into: JSONObject()) { object, member in
        let isEmpty = member.value == .null || member.value == [] || member.value == [:]
        if !isEmpty { object[member.name] = member.value }
      })
  }

  private typealias Column = (name: String, column: ContactColumn)
  private typealias Line = (index: Int, email: String?, errors: [FieldProblem])

  static let shape = Shape<ContactImportPreview>.output(
    "ContactImportPreview",
    [
      .init("fileName", \.fileName, .string), .init("format", \.format, .oneOf(ContactFileFormat.self)),
      .init("delimiter", \.delimiter, delimiter), .init("columns", \.columns, columns),
      .init("rows", { Array(zip($0.rows, $0.contacts)) }, rows),
    ])

  private static let delimiter: Shape<UInt8?> = .optional(ContactImportOptions.delimiter)
  private static let columns: Shape<[Column]> = .list(
    of: .output(
      "ContactImportColumn",
      [
        .init("name", { $0.name }, .string),
        .init("member", { $0.column.name }, Shape<String>.string.described("What it is; - is not taken.")),
      ]), atMost: 500)
  private static let rows: Shape<[(Line, JSON)]> = .list(
    of: .output(
      "ContactImportPreviewRow",
      [
        .init("index", { $0.0.index }, .count), .init("email", { $0.0.email }, email),
        .init(
          "contact", { $0.1 }, Shape<JSON>.any.described("What the row says; null where it can't be taken.")),
        .init("errors", { $0.0.errors }, .list(of: FieldProblem.shape, atMost: 1000)),
      ]), atMost: mostRows)
  private static let email: Shape<String?> = .optional(.string)
}
