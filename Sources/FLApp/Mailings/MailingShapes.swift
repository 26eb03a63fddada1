import FLHTTP
import FLMail
import FLValues

/// What is to be changed of what a mailing or a template says (a merge patch).
struct MailingContentChanges: Sendable {
  var subject: String?
  var previewText: Change<String>
  var htmlBody: String?
  var textBody: Change<String>
  var fromName: Change<String>
  var fromEmail: Change<EmailAddress>
  var replyTo: Change<EmailAddress>
  var trackOpens: Bool?
  var trackClicks: Bool?
}

extension MailingContent {
  /// This content with `changes` made to it.
  func changed(by changes: MailingContentChanges) -> MailingContent {
    MailingContent(
      subject: changes.subject ?? subject, previewText: changes.previewText.applied(to: previewText),
      htmlBody: changes.htmlBody ?? htmlBody, textBody: changes.textBody.applied(to: textBody),
      fromName: changes.fromName.applied(to: fromName),
      fromEmail: changes.fromEmail.map(\.text).applied(to: fromEmail),
      replyTo: changes.replyTo.map(\.text).applied(to: replyTo),
      trackOpens: changes.trackOpens ?? trackOpens, trackClicks: changes.trackClicks ?? trackClicks)
  }

  /// The wire form of a new mailing.
  static let shape = Shape<MailingContent>(
    { subject, preview, html, text, name, from, reply, opens, clicks in
      MailingContent(
        subject: subject, previewText: preview, htmlBody: html, textBody: text, fromName: name,
        fromEmail: from?.text, replyTo: reply?.text, trackOpens: opens, trackClicks: clicks)
    },
    Field("subject", \.subject, Member.subject), Field("previewText", \.previewText, Member.preview),
    Field("htmlBody", \.htmlBody, Member.html), Field("textBody", \.textBody, Member.text),
    Field("fromName", \.fromName, Member.name),
    Field("fromEmail", { $0.fromEmail.flatMap { EmailAddress($0) } }, Member.from),
    Field("replyTo", { $0.replyTo.flatMap { EmailAddress($0) } }, Member.reply),
    Field("trackOpens", \.trackOpens, Member.opens), Field("trackClicks", \.trackClicks, Member.clicks)
  ).named("NewMailing")
}

extension MailingContent {
  /// Another subject than that of a template.
  static let subjectInstead: Shape<String?> = Shape<String?>.optional(Member.subject).described(
    "Instead of the template's.")
}

/// A mailing that is to be changed.
struct MailingChanges: Sendable {
  let content: MailingContentChanges
  let scheduledFor: Change<Timestamp>

  static let shape = Shape<MailingChanges>(
    { subject, preview, html, text, name, from, reply, opens, clicks, time in
      MailingChanges(
        content: MailingContentChanges(
          subject: subject, previewText: preview, htmlBody: html, textBody: text, fromName: name,
          fromEmail: from, replyTo: reply, trackOpens: opens, trackClicks: clicks),
        scheduledFor: time)
    },
    Field("subject", \.content.subject, Member.subjectChange),
    Field("previewText", \.content.previewText, Member.previewChange),
    Field("htmlBody", \.content.htmlBody, Member.htmlChange),
    Field("textBody", \.content.textBody, Member.textChange),
    Field("fromName", \.content.fromName, Member.nameChange),
    Field("fromEmail", \.content.fromEmail, Member.addressChange),
    Field("replyTo", \.content.replyTo, Member.addressChange),
    Field("trackOpens", \.content.trackOpens, Member.flagChange),
    Field("trackClicks", \.content.trackClicks, Member.flagChange),
    Field("scheduledFor", \.scheduledFor, Member.timeChange)
  ).named("MailingChanges")
}

/// A template that is to be made.
struct NewMailingTemplate: Sendable {
  let name: String
  let content: MailingContent

  static let shape = Shape<NewMailingTemplate>(
    { title, subject, preview, html, text, name, from, reply, opens, clicks in
      NewMailingTemplate(
        name: title,
        content: MailingContent(
          subject: subject, previewText: preview, htmlBody: html, textBody: text, fromName: name,
          fromEmail: from?.text, replyTo: reply?.text, trackOpens: opens, trackClicks: clicks))
    },
    Field("name", \.name, Member.title), Field("subject", \.content.subject, Member.subject),
    Field("previewText", \.content.previewText, Member.preview),
    Field("htmlBody", \.content.htmlBody, Member.html), Field("textBody", \.content.textBody, Member.text),
    Field("fromName", \.content.fromName, Member.name),
    Field("fromEmail", { $0.content.fromEmail.flatMap { EmailAddress($0) } }, Member.from),
    Field("replyTo", { $0.content.replyTo.flatMap { EmailAddress($0) } }, Member.reply),
    Field("trackOpens", \.content.trackOpens, Member.opens),
    Field("trackClicks", \.content.trackClicks, Member.clicks)
  ).named("NewMailingTemplate")
}

/// A template that is to be changed.
struct MailingTemplateChanges: Sendable {
  let name: String?
  let content: MailingContentChanges

  static let shape = Shape<MailingTemplateChanges>(
    { title, subject, preview, html, text, name, from, reply, opens, clicks in
      MailingTemplateChanges(
        name: title,
        content: MailingContentChanges(
          subject: subject, previewText: preview, htmlBody: html, textBody: text, fromName: name,
          fromEmail: from, replyTo: reply, trackOpens: opens, trackClicks: clicks))
    },
    Field("name", \.name, Member.titleChange), Field("subject", \.content.subject, Member.subjectChange),
    Field("previewText", \.content.previewText, Member.previewChange),
    Field("htmlBody", \.content.htmlBody, Member.htmlChange),
    Field("textBody", \.content.textBody, Member.textChange),
    Field("fromName", \.content.fromName, Member.nameChange),
    Field("fromEmail", \.content.fromEmail, Member.addressChange),
    Field("replyTo", \.content.replyTo, Member.addressChange),
    Field("trackOpens", \.content.trackOpens, Member.flagChange),
    Field("trackClicks", \.content.trackClicks, Member.flagChange)
  ).named("MailingTemplateChanges")
}

/// The shapes of the members. Each has its type written out, for the compiler's sake: with ten of them in one
/// expression it would have to find the types of all at once.
private enum Member {
  private static let placeholders =
    "{{Name}}, {{Email}}, {{FirstName}}, {{LastName}} and {{Company}}, with a fallback: {{FirstName|there}}."
  static let title: Shape<String> = .text(1...255)
  static let subject: Shape<String> = line.described("With placeholders: \(placeholders)")
  static let preview: Shape<String?> = Shape<String?>.optional(line).described(
    "What mail programs show behind the subject.")
  static let html: Shape<String> = body(in: .html).defaulting(to: "").described(
    "The message as HTML, up to 1 MiB, with placeholders: \(placeholders) {{UnsubscribeUrl}} is where one unsubscribes."
  )
  static let text: Shape<String?> = Shape<String?>.optional(body(in: .text)).described(
    "The message as plain text; made of the HTML without it.")
  static let name: Shape<String?> = Shape<String?>.optional(plainName).described(
    "The name beside the address it comes from; the account's name without it.")
  static let from: Shape<EmailAddress?> = Shape<EmailAddress?>.optional(.email).described(
    "An address at a verified domain of the account, or at the operator's; the operator's own without it.")
  static let reply: Shape<EmailAddress?> = .optional(.email)
  static let opens: Shape<Bool> = Shape<Bool>.bool.defaulting(to: false).described(
    "Whether a picture in the message tells who has opened it.")
  static let clicks: Shape<Bool> = Shape<Bool>.bool.defaulting(to: false).described(
    "Whether links go through this instance, to tell who has followed them.")
  static let titleChange: Shape<String?> = .maybe(title)
  static let subjectChange: Shape<String?> = .maybe(line)
  static let previewChange: Shape<Change<String>> = .change(line)
  static let htmlChange: Shape<String?> = .maybe(body(in: .html))
  static let textChange: Shape<Change<String>> = .change(body(in: .text))
  static let nameChange: Shape<Change<String>> = .change(plainName)
  static let addressChange: Shape<Change<EmailAddress>> = .change(.email)
  static let flagChange: Shape<Bool?> = .maybe(.bool)
  static let timeChange: Shape<Change<Timestamp>> = Shape<Change<Timestamp>>.change(.timestamp).described(
    "Another time, of a mailing that is scheduled; null makes a draft of it.")

  private static let plainName: Shape<String> = .text(1...128)
  private static let line: Shape<String> = Shape<String>.text(1...255).withPlaceholders(in: .header)

  private static func body(in place: PlaceholderText.Place) -> Shape<String> {
    Shape<String>.text(0...MailingContent.largestBody, lines: true).satisfying("too_long") { text in
      text.utf8.count > MailingContent.largestBody
        ? "This may have at most \(MailingContent.largestBody) bytes; it has \(text.utf8.count)." : nil
    }.withPlaceholders(in: place)
  }
}

extension Shape where Value == String {
  /// The same text, if all placeholders in it are known; each that is not is told.
  fileprivate func withPlaceholders(in place: PlaceholderText.Place) -> Shape {
    map(
      to: { text, reading in
        do throws(PlaceholderText.Failure) {
          _ = try PlaceholderText(text, in: place)
          return text
        } catch {
          for problem in error.problems { reading.refuse(problem.code, problem.description) }
          return nil
        }
      }, from: { $0 })
  }
}

extension PlaceholderText.Problem {
  /// The stable name of what is wrong.
  var code: String {
    switch self {
    case .unknown: "unknown_placeholder"
    case .malformed: "malformed_placeholder"
    case .tooMany: "too_many_placeholders"
    }
  }
}
