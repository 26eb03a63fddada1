import FLHTTP
import FLMail
import FLMariaDB
import FLValues

/// What would hurt a mailing if it went out as it is. Nobody outside of this instance is asked but DNS.
struct MailingCheck: Sendable {
  let database: Database
  let domains: SendingDomains
  let lookups: SenderLookups
  let baseURL: String

  /// Gmail cuts what is longer off, and the link to unsubscribe with it.
  private static let clippedAbove = 102 * 1024

  /// All that there is to say about `mailing`.
  func report(on mailing: Mailing, in queries: any Queries, at now: Timestamp) throws -> MailingReport {
    let count = AudienceCount(of: mailing, in: queries)
    var report = MailingReport(audience: try count.all())
    report.audience.unconfirmed = try count.unconfirmed()
    report.items = try contentItems(of: mailing, in: queries)
    if report.audience.willReceive == 0 { report.items.append(Self.noRecipients) }
    report.items += suppressed(report.audience)
    report.items += unconfirmed(report.audience)
    report.items += Self.readability(of: mailing.content)
    report.items += try MailingLinkCheck(baseURL: baseURL).items(
      in: mailing.content, queries, at: now)
    report.items += try MailingSenderCheck(domains: domains, lookups: lookups).items(of: mailing, in: queries)
    report.items.sort { $0.severity.rank < $1.severity.rank }
    return report
  }

  /// What keeps `mailing` from being sent.
  func errors(of mailing: Mailing, in queries: any Queries, at now: Timestamp) throws -> [FieldProblem] {
    var items = try contentItems(of: mailing, in: queries)
    if try !AudienceCount(of: mailing, in: queries).reachesSomebody() { items.append(Self.noRecipients) }
    return items.map(\.problem)
  }

  /// What of the content of `mailing` keeps it from being sent.
  func contentErrors(of mailing: Mailing, in queries: any Queries) throws -> [FieldProblem] {
    try contentItems(of: mailing, in: queries).map(\.problem)
  }

  private static let noRecipients = MailingReport.Item(
    .error, "no_recipients",
    "Nobody would get this now: add recipients, or somebody who can get it to its groups or tags.",
    field: "recipients")

  private func contentItems(of mailing: Mailing, in queries: any Queries) throws -> [MailingReport.Item] {
    var items: [MailingReport.Item] = []
    let content = mailing.content
    if content.subject.isEmpty {
      items.append(.init(.error, "no_subject", "There is no subject.", field: "subject"))
    }
    if content.isEmpty {
      items.append(.init(.error, "empty_body", "There is nothing to read in it.", field: "htmlBody"))
    }
    let texts: [(String, String?, PlaceholderText.Place)] = [
      ("subject", content.subject, .header), ("previewText", content.previewText, .header),
      ("htmlBody", content.htmlBody, .html), ("textBody", content.textBody, .text),
    ]
    for (field, text, place) in texts {
      do throws(PlaceholderText.Failure) {
        _ = try text.map { text throws(PlaceholderText.Failure) in try PlaceholderText(text, in: place) }
      } catch {
        items += error.problems.map { .init(.error, $0.code, $0.description, field: field) }
      }
    }
    if try !domains.allows(content.fromEmail, of: mailing.account, in: queries) {
      items.append(
        .init(
          .error, "domain_not_verified", "The address it comes from is at no verified domain.",
          field: "fromEmail"))
    }
    return items
  }

  private func suppressed(_ audience: MailingReport.Audience) -> [MailingReport.Item] {
    guard audience.suppressed > 0 else { return [] }
    return [
      .init(
        .info, "suppressed_recipients",
        "\(audience.suppressed) of \(audience.total) will not get it: \(audience.unsubscribed) unsubscribed, "
          + "\(audience.bounced) bounced.", field: "recipients")
    ]
  }

  private func unconfirmed(_ audience: MailingReport.Audience) -> [MailingReport.Item] {
    guard audience.unconfirmed > 0 else { return [] }
    return [
      .init(
        .info, "unconfirmed_members",
        "Members of its groups who have not confirmed, and get nothing until they do: \(audience.unconfirmed).",
        field: "recipients")
    ]
  }

  private static func readability(of content: MailingContent) -> [MailingReport.Item] {
    var items: [MailingReport.Item] = []
    let html = HTMLBody(content.htmlBody)
    let body = content.hasHTML ? content.htmlBody : content.textBody ?? ""
    let place: PlaceholderText.Place = content.hasHTML ? .html : .text
    if let text = try? PlaceholderText(body, in: place), !text.placeholders.contains(.unsubscribeURL) {
      items.append(
        .init(
          .warning, "no_unsubscribe_link",
          "Nothing in it leads to unsubscribing: put a link to {{UnsubscribeUrl}} at its end.",
          field: content.hasHTML ? "htmlBody" : "textBody"))
    }
    if content.htmlBody.utf8.count > clippedAbove {
      items.append(
        .init(
          .warning, "large_body",
          "The HTML has \(content.htmlBody.utf8.count / 1024) KB: Gmail cuts off what is above 102.",
          field: "htmlBody"))
    }
    if html.imagesWithoutAlternative > 0 {
      items.append(
        .init(
          .warning, "image_without_alt",
          "\(html.imagesWithoutAlternative) pictures have no alternative text (alt), which is all that many see.",
          field: "htmlBody"))
    }
    for warning in HTMLBody.Warning.allCases where html.warnings.contains(warning) {
      items.append(.init(.warning, warning.code, warning.words, field: "htmlBody"))
    }
    if (content.trackOpens || content.trackClicks) && !content.hasHTML {
      items.append(
        .init(
          .info, "tracking_needs_html",
          "Opens and clicks are counted in HTML alone, and there is none: nothing will be counted.",
          field: "htmlBody"))
    }
    if content.hasHTML && content.textBody == nil {
      items.append(
        .init(.info, "text_from_html", "The plain text is made of the HTML.", field: "textBody"))
    }
    return items
  }
}

/// What a check has found.
struct MailingReport: Sendable {
  /// How bad something is.
  enum Severity: String, Sendable, CaseIterable {
    /// It can't be sent.
    case error
    /// It would hurt.
    case warning
    /// It is good to know.
    case info

    fileprivate var rank: Int {
      switch self {
      case .error: 0
      case .warning: 1
      case .info: 2
      }
    }
  }

  /// One thing.
  struct Item: Sendable {
    let severity: Severity
    let code: String
    let message: String
    let field: String?

    fileprivate var problem: FieldProblem { FieldProblem(field ?? "mailing", code, message) }

    init(_ severity: Severity, _ code: String, _ message: String, field: String? = nil) {
      self.severity = severity
      self.code = code
      self.message = message
      self.field = field
    }

    static let shape = Shape<Item>.output(
      "MailingCheckItem",
      [
        .init("severity", \.severity, .oneOf(Severity.self)), .init("code", \.code, .string),
        .init("message", \.message, .string), .init("field", \.field, .optional(.string)),
      ])
  }

  /// How many would get it if the sending began now.
  struct Audience: Sendable {
    var total = 0
    var willReceive = 0
    var unsubscribed = 0
    var bounced = 0
    /// Members of its groups who have not confirmed and come by no other way; they are not of the total.
    var unconfirmed = 0
    var suppressed: Int { unsubscribed + bounced }

    /// Adds others.
    mutating func add(_ others: Audience) {
      total += others.total
      willReceive += others.willReceive
      unsubscribed += others.unsubscribed
      bounced += others.bounced
    }

    static let shape = Shape<Audience>.output(
      "MailingCheckRecipients",
      [
        .init("total", \.total, .count), .init("willReceive", \.willReceive, .count),
        .init("unsubscribed", \.unsubscribed, .count), .init("bounced", \.bounced, .count),
        .init(
          "unconfirmed", \.unconfirmed,
          Shape<Int>.count.described(
            "Members of its groups who have not confirmed, and come by no other way. They are not of the total."
          )),
      ])
  }

  var items: [Item] = []
  var audience: Audience

  static let shape = Shape<MailingReport>.output(
    "MailingCheck",
    [
      .init("items", \.items, .list(of: Item.shape)),
      .init(
        "recipients", \.audience,
        Audience.shape.described(
          """
          As if the sending began now: groups and tags are looked at again, and of the contacts it counts what they \
          say now. The lists of recipients are brought up to date only when the sending begins.
          """)),
    ])
}

extension HTMLBody.Warning {
  /// The stable name.
  fileprivate var code: String {
    switch self {
    case .script: "script"
    case .eventHandler: "event_handler"
    case .scriptURL: "script_url"
    case .form: "form"
    case .embedded: "embedded_content"
    case .external: "external_file"
    case .media: "media"
    }
  }

  fileprivate var words: String {
    switch self {
    case .script: "Mail programs drop scripts, and spam filters count them."
    case .eventHandler: "Mail programs drop handlers such as onclick."
    case .scriptURL: "Mail programs drop addresses that run scripts."
    case .form: "Most mail programs do not show forms: link to a page with it."
    case .embedded: "Mail programs drop frames and embedded objects."
    case .external:
      "Mail programs load no style sheets and follow no base address or refresh: put styles into the message."
    case .media: "Few mail programs play audio or video: link to it."
    }
  }
}
