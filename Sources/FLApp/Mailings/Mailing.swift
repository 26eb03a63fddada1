import FLHTTP
public import FLMariaDB
public import FLValues

/// The identifier of a mailing.
public typealias MailingID = ID<Mailing>

/// A message to many contacts, each of whom gets one of their own.
public struct Mailing: Sendable {
  /// Which one it is.
  public var id: MailingID
  /// Whose it is.
  public var account: AccountID
  /// Five random bytes that name it in signed addresses, where an id is too long.
  public var mark: [UInt8]
  /// What is sent.
  public var content: MailingContent
  /// How far it has come.
  public var status: MailingStatus
  /// When it is to begin; nil for as soon as it is sent.
  public var scheduledFor: Timestamp?
  /// When it was put into the queue for the last time.
  public var queuedAt: Timestamp?
  /// When the first message went out.
  public var startedAt: Timestamp?
  /// When the last message was done with.
  public var finishedAt: Timestamp?
  /// When groups and tags were looked at for the last time, to send; nil before.
  public var preparedAt: Timestamp?
  /// Why a sender paused it, or gave it up as a whole; nil else.
  public var statusReason: String?
  /// Counts the changes.
  public var version: Int
  /// When it was made.
  public var createdAt: Timestamp
  /// When it was last changed.
  public var updatedAt: Timestamp
  /// How many recipients are in which state.
  var counts = MailingCounts()

  /// The numbers are part of the state: they change without the mailing being written.
  var tag: EntityTag { EntityTag(version: version, state: counts.state) }

  static let shape = Shape<Mailing>.output(
    "Mailing",
    [.init("id", \.id, .id())]
      + MailingContent.members.map { $0.lifted(from: \Mailing.content) } + [
        .init("status", \.status, .oneOf(MailingStatus.self)),
        .init("scheduledFor", \.scheduledFor, .optional(.timestamp)),
        .init("startedAt", \.startedAt, .optional(.timestamp)),
        .init("finishedAt", \.finishedAt, .optional(.timestamp)),
        .init("statusReason", \.statusReason, .optional(.string)),
        .init("counts", \.counts, MailingCounts.shape),
        .init("createdAt", \.createdAt, .timestamp), .init("updatedAt", \.updatedAt, .timestamp),
      ])
}

/// How far a mailing has come.
public enum MailingStatus: String, Sendable, CaseIterable, SQLConvertible {
  /// It is being written.
  case draft
  /// It waits for its time.
  case scheduled
  /// It waits for a sender.
  case queued
  /// A sender is at it.
  case sending
  /// Somebody stopped it, or a sender of whose messages none was taken, and it may go on.
  case paused
  /// All recipients are done with.
  case sent
  /// It could not be sent at all.
  case failed
  /// Somebody stopped it for good.
  case cancelled

  /// The states in which it may be changed.
  static let editable: [MailingStatus] = [.draft, .scheduled]
}

/// What a mailing, or a template of one, says, and from whom.
public struct MailingContent: Sendable, Equatable {
  /// The subject, with placeholders.
  public var subject: String
  /// What mail programs show behind the subject, with placeholders.
  public var previewText: String?
  /// The message as HTML, with placeholders.
  public var htmlBody: String
  /// The message as plain text, with placeholders; nil makes it of the HTML.
  public var textBody: String?
  /// The name it comes from.
  public var fromName: String?
  /// The address it comes from; nil for the operator's.
  public var fromEmail: String?
  /// Where answers go; nil for the address it comes from.
  public var replyTo: String?
  /// Whether a picture tells who opened it.
  public var trackOpens: Bool
  /// Whether links go through this instance, to tell who followed them.
  public var trackClicks: Bool

  /// The most bytes of a body.
  static let largestBody = 1_048_576

  /// How the API shows it.
  static let members: [Shape<MailingContent>.Member] = [
    .init("subject", \.subject, .string), .init("previewText", \.previewText, .optional(.string)),
    .init("htmlBody", \.htmlBody, .string), .init("textBody", \.textBody, .optional(.string)),
    .init("fromName", \.fromName, .optional(.string)), .init("fromEmail", \.fromEmail, .optional(.string)),
    .init("replyTo", \.replyTo, .optional(.string)), .init("trackOpens", \.trackOpens, .bool),
    .init("trackClicks", \.trackClicks, .bool),
  ]
}

/// How many recipients of a mailing are in which state.
struct MailingCounts: Sendable, Equatable {
  var recipients = 0
  /// Waiting, or in a sender's hands.
  var pending = 0
  var sent = 0
  var failed = 0
  var bounced = 0
  var skipped = 0
  /// Whether the message was taken is not known.
  var uncertain = 0
  var opened = 0
  var clicked = 0
  var unsubscribed = 0

  /// What tells these numbers from others, for entity tags.
  var state: String {
    [recipients, pending, sent, failed, bounced, skipped, uncertain, opened, clicked, unsubscribed]
      .map { String($0, radix: 36) }.joined(separator: "-")
  }

  static let shape = Shape<MailingCounts>.output(
    "MailingCounts",
    [
      .init("recipients", \.recipients, .count), .init("pending", \.pending, .count),
      .init("sent", \.sent, .count), .init("failed", \.failed, .count), .init("bounced", \.bounced, .count),
      .init("skipped", \.skipped, .count), .init("uncertain", \.uncertain, .count),
      .init("opened", \.opened, .count), .init("clicked", \.clicked, .count),
      .init("unsubscribed", \.unsubscribed, .count),
    ])
}

/// The orders in which mailings are listed; `-` is downwards.
enum MailingOrder: String, Sendable, CaseIterable {
  case newest = "-createdAt"
  case oldest = "createdAt"
  case subject = "subject"

  /// What stands in a cursor for a mailing.
  func value(of mailing: Mailing) -> String { self == .subject ? mailing.content.subject : "" }

  /// Whether a cursor can have come from this order.
  func accepts(_ cursor: Cursor) -> Bool {
    cursor.order == rawValue && (self == .subject || cursor.value.isEmpty)
  }
}
