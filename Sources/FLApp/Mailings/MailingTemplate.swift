import FLHTTP
import FLMariaDB
public import FLValues

/// The identifier of a template of mailings.
public typealias MailingTemplateID = ID<MailingTemplate>

/// What a mailing can be begun with.
public struct MailingTemplate: Sendable {
  var id: MailingTemplateID
  /// Unique in the account, without regard to case.
  var name: String
  var content: MailingContent
  var version: Int
  var createdAt: Timestamp
  var updatedAt: Timestamp

  var tag: EntityTag { EntityTag(version: version) }

  static let shape = Shape<MailingTemplate>.output(
    "MailingTemplate",
    [.init("id", \.id, .id()), .init("name", \.name, .string)]
      + MailingContent.members.map { $0.lifted(from: \MailingTemplate.content) } + [
        .init("createdAt", \.createdAt, .timestamp), .init("updatedAt", \.updatedAt, .timestamp),
      ])
}

/// A mailing that is to be made of a template and sent at once.
struct TemplateSending: Sendable {
  let recipients: RecipientWishes
  let scheduledFor: Timestamp?
  let subject: String?

  static let shape = Shape<TemplateSending>(
    { contacts, groups, tags, time, subject in
      TemplateSending(
        recipients: RecipientWishes(contacts: contacts, groups: groups, tags: tags), scheduledFor: time,
        subject: subject)
    },
    Field("contactIds", \.recipients.contacts, RecipientWishes.contactList),
    Field("groupIds", \.recipients.groups, RecipientWishes.groupList),
    Field("tags", \.recipients.tags, RecipientWishes.tagList),
    Field("scheduledFor", \.scheduledFor, MailingSending.time),
    Field("subject", \.subject, MailingContent.subjectInstead)
  ).named("TemplateSending")
}

/// Every SQL statement about an account's templates of mailings.
struct MailingTemplateRows {
  let account: AccountID
  let queries: any Queries

  private static let columns: SQL = """
    id, name, subject, preview_text, html_body, text_body, from_name, from_email, reply_to, track_opens, track_clicks,
    version, created_at, updated_at
    """

  func find(_ id: MailingTemplateID) throws -> MailingTemplate? {
    try queries.row(
      "SELECT \(Self.columns) FROM mailing_templates WHERE id = \(id) AND account_id = \(account)"
    ).map(MailingTemplate.init)
  }

  /// The same, and the row stays locked for the transaction.
  func lock(_ id: MailingTemplateID) throws -> MailingTemplate? {
    try queries.row(
      "SELECT \(Self.columns) FROM mailing_templates WHERE id = \(id) AND account_id = \(account) FOR UPDATE"
    ).map(MailingTemplate.init)
  }

  func count(search: String?) throws -> Int {
    try queries.row("SELECT COUNT(*) AS n FROM mailing_templates WHERE \(condition(search))")?["n"] ?? 0
  }

  /// Up to `limit` templates by name, those behind `cursor`; and whether there are more. A page has fewer where
  /// their bodies are large.
  func list(search: String?, behind cursor: Cursor?, limit: Int) throws -> (
    templates: [MailingTemplate], more: Bool
  ) {
    let more: SQL = cursor.map { "AND name > \($0.value)" } ?? ""
    let rows = try queries.rows(
      """
      SELECT id, LENGTH(html_body) + COALESCE(LENGTH(text_body), 0) AS size FROM mailing_templates
      WHERE \(condition(search)) \(more) ORDER BY name LIMIT \(limit + 1)
      """)
    let ids: [MailingTemplateID] = try MailingRows.fitting(rows.prefix(limit))
    guard !ids.isEmpty else { return ([], false) }
    let templates = try queries.rows(
      """
      SELECT \(Self.columns) FROM mailing_templates
      WHERE id IN (\(ids)) AND account_id = \(account) ORDER BY name
      """
    ).map(MailingTemplate.init)
    return (templates, ids.count < rows.count)
  }

  private func condition(_ search: String?) -> SQL {
    guard let search else { return "account_id = \(account)" }
    return "account_id = \(account) AND name LIKE \("%" + search.escapedForLike + "%")"
  }

  func insert(_ template: MailingTemplate) throws {
    let content = template.content
    _ = try queries.run(
      """
      INSERT INTO mailing_templates (id, account_id, name, subject, preview_text, html_body, text_body, from_name,
        from_email, reply_to, track_opens, track_clicks, created_at, updated_at)
      VALUES (\(template.id), \(account), \(template.name), \(content.subject), \(content.previewText),
        \(content.htmlBody), \(content.textBody), \(content.fromName), \(content.fromEmail), \(content.replyTo),
        \(content.trackOpens), \(content.trackClicks), \(template.createdAt), \(template.updatedAt))
      """)
  }

  func update(_ template: MailingTemplate, at now: Timestamp) throws {
    let content = template.content
    _ = try queries.run(
      """
      UPDATE mailing_templates SET name = \(template.name), subject = \(content.subject),
        preview_text = \(content.previewText), html_body = \(content.htmlBody), text_body = \(content.textBody),
        from_name = \(content.fromName), from_email = \(content.fromEmail), reply_to = \(content.replyTo),
        track_opens = \(content.trackOpens), track_clicks = \(content.trackClicks), version = version + 1,
        updated_at = \(now)
      WHERE id = \(template.id) AND account_id = \(account)
      """)
  }

  func delete(_ id: MailingTemplateID) throws {
    _ = try queries.run("DELETE FROM mailing_templates WHERE id = \(id) AND account_id = \(account)")
  }
}

extension MailingTemplate {
  init(_ row: Row) throws {
    try self.init(
      id: row["id"], name: row["name"], content: MailingContent(row), version: row["version"],
      createdAt: row["created_at"], updatedAt: row["updated_at"])
  }
}
