import FLHTTP
import FLMariaDB
import FLValues

/// Templates of mailings.
struct MailingTemplateRoutes {
  let database: Database
  let mailings: MailingService

  private static let id: Parameter<MailingTemplateID> = .path("id", .id(), "The template's id.")
  private static let search: Shape<String?> = .optional(.text(0...255))

  var routes: [Route] {
    [
      Route(
        .get, "/api/mailing/templates", "listMailingTemplates", access: .scope(.mailing), tag: "Mailings",
        summary: "List the templates",
        description: "By name. A page has fewer than `limit` where their bodies are large.",
        .limit, .cursor, .query("search", Self.search, "Part of the name."),
        reply: .list(MailingTemplate.shape, named: "MailingTemplate"),
        handler: { call, limit, cursor, search in try list(call, search, cursor, limit) }),
      Route(
        .post, "/api/mailing/templates", "createMailingTemplate", access: .scope(.mailing), tag: "Mailings",
        summary: "Make a template", problems: [409], body: NewMailingTemplate.shape, bodyLimit: 4 << 20,
        reply: .created(MailingTemplate.shape, at: { "/api/mailing/templates/\($0.id)" }).tagged(\.tag),
        handler: { call, new in try create(call, new) }),
      Route(
        .get, "/api/mailing/templates/{id}", "getMailingTemplate", access: .scope(.mailing), tag: "Mailings",
        summary: "Read a template", Self.id, reply: .ok(MailingTemplate.shape).tagged(\.tag),
        handler: { call, id in try find(call, id) }),
      Route(
        .patch, "/api/mailing/templates/{id}", "updateMailingTemplate", access: .scope(.mailing),
        tag: "Mailings", summary: "Change a template", problems: [409, 412], Self.id,
        body: MailingTemplateChanges.shape, bodyLimit: 4 << 20,
        reply: .ok(MailingTemplate.shape).tagged(\.tag),
        handler: { call, changes, id in try update(call, changes, id) }),
      Route(
        .delete, "/api/mailing/templates/{id}", "deleteMailingTemplate", access: .scope(.mailing),
        tag: "Mailings", summary: "Delete a template", problems: [412], Self.id, reply: .noContent,
        handler: { call, id in try delete(call, id) }),
      Route(
        .post, "/api/mailing/templates/{id}/send", "sendMailingTemplate", access: .scope(.mailing),
        tag: "Mailings", summary: "Send a mailing of a template",
        description: """
          Makes a mailing of the template, adds the recipients and sends it. Where somebody of them is not there, or \
          the mailing can't be sent, nothing is left of it.
          """, Self.id, body: TemplateSending.shape,
        reply: .created(Mailing.shape, at: { "/api/mailing/\($0.id)" }).tagged(\.tag),
        handler: { call, sending, id in try send(call, sending, id) }),
    ]
  }

  func list(_ call: Call, _ search: String?, _ cursor: Cursor?, _ limit: Int) throws -> Page<MailingTemplate>
  {
    if let cursor, cursor.order != "name" {
      throw Problem.invalid("cursor", "invalid_cursor", "This cursor is not of a list in this order.")
    }
    let rows = try rows(call)
    let (templates, more) = try rows.list(search: search, behind: cursor, limit: limit)
    let next = templates.last.flatMap { more ? Cursor(order: "name", value: $0.name, id: $0.id).text : nil }
    return try Page(items: templates, nextCursor: next, total: rows.count(search: search))
  }

  func create(_ call: Call, _ new: NewMailingTemplate) throws -> MailingTemplate {
    let account = try call.caller.account
    try mailings.domains.check(new.content.fromEmail, of: account, in: database)
    let template = MailingTemplate(
      id: MailingTemplateID(at: call.now), name: new.name, content: new.content, version: 1,
      createdAt: call.now, updatedAt: call.now)
    try refusingTakenNames { try rows(call).insert(template) }
    return template
  }

  func find(_ call: Call, _ id: MailingTemplateID) throws -> MailingTemplate {
    guard let template = try rows(call).find(id) else { throw Problem.notFound }
    return template
  }

  func update(_ call: Call, _ changes: MailingTemplateChanges, _ id: MailingTemplateID) throws
    -> MailingTemplate
  {
    try refusingTakenNames {
      try locked(call, id) { rows, template in
        var template = template
        let content = template.content.changed(by: changes.content)
        if content.fromEmail != template.content.fromEmail {
          try mailings.domains.check(content.fromEmail, of: rows.account, in: rows.queries)
        }
        template.name = changes.name ?? template.name
        template.content = content
        try rows.update(template, at: call.now)
        return try rows.find(id) ?? template
      }
    }
  }

  func delete(_ call: Call, _ id: MailingTemplateID) throws {
    try locked(call, id) { rows, _ in try rows.delete(id) }
  }

  func send(_ call: Call, _ sending: TemplateSending, _ id: MailingTemplateID) throws -> Mailing {
    let account = try call.caller.account
    var content = try find(call, id).content
    content.subject = sending.subject ?? content.subject
    let draft = try mailings.create(content, account: account, at: call.now)
    do {
      let added = try mailings.audience.add(sending.recipients, to: draft.id, account: account)
      guard added.errors.isEmpty else { throw Problem.invalid(added.errors) }
      return try mailings.send(
        draft.id, scheduledFor: sending.scheduledFor, account: account, if: Preconditions([:]), at: call.now)
    } catch {
      try? mailings.delete(draft.id, account: account, if: Preconditions([:]), at: call.now)
      throw error
    }
  }

  private func rows(_ call: Call) throws -> MailingTemplateRows {
    MailingTemplateRows(account: try call.caller.account, queries: database)
  }

  /// Runs `body` with a template that nobody else changes meanwhile.
  /// - Throws: `Problem` 404, or 412 where the call's preconditions name another version.
  private func locked<Result>(
    _ call: Call, _ id: MailingTemplateID, _ body: (MailingTemplateRows, MailingTemplate) throws -> Result
  ) throws -> Result {
    let account = try call.caller.account
    return try database.transaction { connection in
      let rows = MailingTemplateRows(account: account, queries: connection)
      guard let template = try rows.lock(id) else { throw Problem.notFound }
      try call.preconditions.check(template.tag)
      return try body(rows, template)
    }
  }

  private func refusingTakenNames<Result>(_ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch DatabaseError.duplicate(constraint: "mailing_templates_name") {
      throw Problem.conflict("Another template has this name.", field: "name")
    }
  }
}
