import FLHTTP
public import FLMariaDB
import FLValues

/// One contact's message of a mailing, and what became of it.
struct MailingRecipient: Sendable {
  var contact: ContactID
  /// Where it goes, or went.
  var email: String
  var status: RecipientStatus
  var attempts: Int
  /// What the server answered last.
  var smtpCode: Int?
  var smtpReply: String?
  var skippedReason: SkippedReason?
  var sentAt: Timestamp?
  var openedAt: Timestamp?
  var clickedAt: Timestamp?
  var bouncedAt: Timestamp?
  var unsubscribedAt: Timestamp?

  static let shape = Shape<MailingRecipient>.output(
    "MailingRecipient",
    [
      .init("contactId", \.contact, .id()), .init("email", \.email, .string),
      .init("status", \.status, .oneOf(RecipientStatus.self)), .init("attempts", \.attempts, .count),
      .init("smtpCode", \.smtpCode, .optional(.count)),
      .init("smtpReply", \.smtpReply, .optional(.string)),
      .init("sentAt", \.sentAt, .optional(.timestamp)), .init("openedAt", \.openedAt, .optional(.timestamp)),
      .init("clickedAt", \.clickedAt, .optional(.timestamp)),
      .init("bouncedAt", \.bouncedAt, .optional(.timestamp)),
      .init("unsubscribedAt", \.unsubscribedAt, .optional(.timestamp)),
      .init("skippedReason", \.skippedReason, .optional(.oneOf(SkippedReason.self))),
    ])
}

/// How far one recipient's message has come.
public enum RecipientStatus: String, Sendable, CaseIterable, SQLConvertible {
  /// It waits.
  case pending
  /// A sender has it in hand.
  case sending
  /// A server has taken it.
  case sent
  /// It was refused, or tried too often.
  case failed
  /// It came back.
  case bounced
  /// It is not to be sent.
  case skipped
  /// A server may have taken it or not: the sender died over it. It is not sent again unless somebody says so.
  case uncertain
}

/// Why a recipient is passed over.
public enum SkippedReason: String, Sendable, CaseIterable, SQLConvertible {
  /// The contact wants no mailings.
  case unsubscribed
  /// Mail to the contact has come back.
  case bounced
  /// The contact is gone.
  case deleted
  /// The mailing was cancelled before.
  case cancelled
  /// No mail can be sent to the address.
  case invalidAddress = "invalid_address"
  /// The contact has not confirmed a membership.
  case pending
}

extension MailingRecipient {
  init(_ row: Row) throws {
    try self.init(
      contact: row["contact_id"], email: row["email"], status: row["status"], attempts: row["attempts"],
      smtpCode: row["smtp_code"], smtpReply: row["smtp_reply"], skippedReason: row["skipped_reason"],
      sentAt: row["sent_at"], openedAt: row["opened_at"], clickedAt: row["clicked_at"],
      bouncedAt: row["bounced_at"], unsubscribedAt: row["unsubscribed_at"])
  }
}

/// Who is to become a recipient.
struct RecipientWishes: Sendable {
  /// How many contacts one request can name.
  static let mostContacts = 10_000

  let contacts: [ContactID]
  let groups: [ContactGroupID]
  let tags: [TagName]

  static let contactList: Shape<[ContactID]> = Shape<[ContactID]>.list(of: .id(), atMost: mostContacts)
    .defaulting(to: []).described("Contacts by themselves.")
  static let groupList: Shape<[ContactGroupID]> = Shape<[ContactGroupID]>.list(of: .id(), atMost: 100)
    .defaulting(to: []).described(
      "Groups: those who are in them when the sending begins, and have confirmed.")
  static let tagList: Shape<[TagName]> = Shape<[TagName]>.list(of: .tagName, atMost: 100)
    .defaulting(to: []).described("Tags: those who have one of them when the sending begins.")

  static let shape = Shape(
    RecipientWishes.init(contacts:groups:tags:), Field("contactIds", \.contacts, contactList),
    Field("groupIds", \.groups, groupList), Field("tags", \.tags, tagList)
  ).named("RecipientWishes")
}

/// What became of a wish for recipients.
struct RecipientsAdded: Sendable {
  /// Who is a recipient now, and was none before.
  var added = 0
  /// Who was one before.
  var alreadyRecipients = 0
  /// Who does not get the mailing: of those added, who unsubscribed or bounced; and who was left out.
  var skipped = 0
  /// How many recipients the mailing has now.
  var recipients = 0
  var errors: [FieldProblem] = []

  static let shape = Shape<RecipientsAdded>.output(
    "RecipientsAdded",
    [
      .init("added", \.added, Shape<Int>.count.described("Who is a recipient now, and was none before.")),
      .init("alreadyRecipients", \.alreadyRecipients, Shape<Int>.count.described("Who was one before.")),
      .init(
        "skipped", \.skipped,
        Shape<Int>.count.described(
          """
          Who will not get it: of those added, who unsubscribed or bounced (they are listed as skipped, with the \
          reason); of groups, who has not confirmed; of groups and tags, who was taken out before.
          """)),
      .init("recipients", \.recipients, Shape<Int>.count.described("All that the mailing has now.")),
      .init(
        "errors", \.errors,
        Shape<[FieldProblem]>.list(of: FieldProblem.shape).described("What of the request is not there.")),
    ])
}
