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
  /// When it was tried for the last time; nil where it was not, or before that was noted.
  var attemptedAt: Timestamp?
  /// When it is tried again at the earliest; nil where it does not wait for a time.
  var nextAttemptAt: Timestamp?
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
      .init(
        "attemptedAt", \.attemptedAt,
        Shape<Timestamp?>.optional(.timestamp).described(
          """
          When it was tried for the last time, whatever came of it; of an uncertain one whose sender was lost, when that \
          was found. Null before the first time, and of mailings from before this was noted.
          """)),
      .init(
        "nextAttemptAt", \.nextAttemptAt,
        Shape<Timestamp?>.optional(.timestamp).described(
          "Of a pending one that is put off: when it is tried at the earliest. Null where it goes out in its turn."
        )),
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
  /// The contact has not confirmed a membership, or not for the address that it has now.
  case pending
  /// The person has the message, or waits for it, by another contact that is the same one now.
  case merged
}

extension MailingRecipient {
  init(_ row: Row) throws {
    try self.init(
      contact: row["contact_id"], email: row["email"], status: row["status"], attempts: row["attempts"],
      attemptedAt: row["attempted_at"], nextAttemptAt: row["next_attempt_at"],
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

/// Who is to be a recipient no more.
struct RecipientRemoval: Sendable {
  let contacts: [ContactID]
  let groups: [ContactGroupID]
  let tags: [TagName]

  private static let contactList: Shape<[ContactID]> = Shape<[ContactID]>.list(
    of: .id(), atMost: RecipientWishes.mostContacts
  ).defaulting(to: []).described("Contacts, for good: no group or tag brings them back.")
  private static let groupList: Shape<[ContactGroupID]> = Shape<[ContactGroupID]>.list(of: .id(), atMost: 100)
    .defaulting(to: []).described("Groups of the mailing.")
  private static let tagList: Shape<[TagName]> = Shape<[TagName]>.list(of: .tagName, atMost: 100)
    .defaulting(to: []).described("Tags of the mailing.")

  static let shape: Shape<RecipientRemoval> = {
    var shape = Shape(
      RecipientRemoval.init(contacts:groups:tags:), Field("contactIds", \.contacts, contactList),
      Field("groupIds", \.groups, groupList), Field("tags", \.tags, tagList)
    ).map(
      to: { removal, reading -> RecipientRemoval? in
        guard removal.contacts.isEmpty, removal.groups.isEmpty, removal.tags.isEmpty else { return removal }
        reading.member("contactIds") {
          $0.refuse("required", "Name somebody in contactIds, or something in groupIds or tags.")
        }
        return nil
      }, from: { $0 })
    shape.schema = shape.schema.with(["minProperties": 1])
    return shape.named("RecipientRemoval")
  }()
}

/// What was taken out.
struct RecipientsRemoved: Sendable {
  /// Who was a recipient before, and is none now.
  var removed = 0
  /// Of the contacts that were named, those who are taken out now.
  var contacts = 0
  /// Groups of the mailing that it has no longer.
  var groups = 0
  /// Tags of the mailing that it has no longer.
  var tags = 0
  /// How many recipients the mailing has now.
  var recipients = 0
  var errors: [FieldProblem] = []

  static let shape = Shape<RecipientsRemoved>.output(
    "RecipientsRemoved",
    [
      .init("removed", \.removed, Shape<Int>.count.described("Who was a recipient before, and is none now.")),
      .init(
        "contacts", \.contacts,
        Shape<Int>.count.described("Contacts that were named and are out now, recipients before or not.")),
      .init("groups", \.groups, Shape<Int>.count.described("Groups that the mailing has no longer.")),
      .init("tags", \.tags, Shape<Int>.count.described("Tags that the mailing has no longer.")),
      .init("recipients", \.recipients, Shape<Int>.count.described("All that the mailing has now.")),
      .init(
        "errors", \.errors,
        Shape<[FieldProblem]>.list(of: FieldProblem.shape, atMost: RecipientWishes.mostContacts + 200)
          .described(
            "What of the request is not there.")),
    ])
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
