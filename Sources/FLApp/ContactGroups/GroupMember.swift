import FLHTTP
import FLMariaDB
import FLValues

/// A contact in a group, as the group's list shows it.
struct GroupMember: Sendable {
  let contact: ContactID
  let email: String
  let name: String?
  let status: GroupMemberStatus
  let addedAt: Timestamp
  /// When the person confirmed by mail; nil also for members who never had to.
  let confirmedAt: Timestamp?
  let isBounced: Bool
  let isUnsubscribed: Bool

  static let shape = Shape<GroupMember>.output(
    "GroupMember",
    [
      .init("contactId", \.contact, .id()), .init("email", \.email, .string),
      .init("name", \.name, .optional(.string)), .init("status", \.status, .oneOf(GroupMemberStatus.self)),
      .init("addedAt", \.addedAt, .timestamp),
      .init(
        "confirmedAt", \.confirmedAt,
        Shape<Timestamp?>.optional(.timestamp).described(
          "When the person confirmed by mail; null also for those who never had to.")),
      .init("isBounced", \.isBounced, .bool), .init("isUnsubscribed", \.isUnsubscribed, .bool),
    ])
}

/// Whether mailings to a group go to a member of it.
enum GroupMemberStatus: String, Sendable, CaseIterable, SQLConvertible {
  /// Not until the person has confirmed.
  case pending
  case confirmed
}

/// Which contacts are to be in a group.
struct MemberAddition: Sendable {
  /// How many may be named in one request, by id and by address each.
  static let most = 10_000
  /// A body with as many addresses, and as long ones, as it may have.
  static let bodyLimit = 4 << 20

  /// As they were sent: one that is none is told in the answer and stops no other.
  let contacts: [String]
  /// The same.
  let emails: [String]
  let createsMissing: Bool
  let sendsConfirmation: Bool

  private static let ids: Shape<[String]> = Shape<[String]>.list(of: .string, atMost: most).defaulting(to: [])
    .described("Contacts by their ids.")
  private static let addresses: Shape<[String]> = Shape<[String]>.list(of: .string, atMost: most).defaulting(
    to: []
  ).described("Contacts by their e-mail addresses.")
  private static let create: Shape<Bool> = Shape<Bool>.bool.defaulting(to: false).described(
    "Whether addresses that no contact has become contacts.")
  private static let send: Shape<Bool> = Shape<Bool>.bool.defaulting(to: true).described(
    "Whether those who have to confirm get the mail for it.")

  static let shape = Shape(
    MemberAddition.init(contacts:emails:createsMissing:sendsConfirmation:),
    Field("contactIds", \.contacts, ids), Field("emails", \.emails, addresses),
    Field("createMissing", \.createsMissing, create), Field("sendConfirmation", \.sendsConfirmation, send)
  ).named("MemberAddition")
}

/// What became of an addition.
struct MemberAdditionResult: Sendable {
  /// One entry that names no contact.
  struct Failure: Sendable {
    let index: Int
    /// `contactIds` or `emails`.
    let field: String
    let value: String
    let code: String
    let message: String

    fileprivate static let shape = Shape<Failure>.output(
      "MemberError",
      [
        .init("index", \.index, .count), .init("field", \.field, .string), .init("value", \.value, .string),
        .init("code", \.code, .string), .init("message", \.message, .string),
      ])
  }

  /// Contacts that are in the group now and were not before.
  var added = 0
  /// Contacts that were made.
  var created = 0
  /// Contacts that were in the group before.
  var alreadyMembers = 0
  /// Addresses that no contact has, where none was to be made.
  var skipped = 0
  var errors: [Failure] = []

  static let shape = Shape<MemberAdditionResult>.output(
    "MemberAdditionResult",
    [
      .init("added", \.added, .count), .init("created", \.created, .count),
      .init("alreadyMembers", \.alreadyMembers, .count),
      .init("skipped", \.skipped, .count),
      .init("errors", \.errors, .list(of: Failure.shape, atMost: 2 * MemberAddition.most)),
    ])
}

/// How many members were asked to confirm.
struct MembersAsked: Sendable {
  let asked: Int
  /// Whether others wait to be asked.
  let hasMore: Bool

  static let shape = Shape<MembersAsked>.output(
    "MembersAsked", [.init("asked", \.asked, .count), .init("hasMore", \.hasMore, .bool)])
}

/// Which contacts are to leave a group; those that are not in it change nothing.
struct MemberRemoval: Sendable {
  let contacts: [ContactID]
  let emails: [String]

  private static let ids: Shape<[ContactID]> = Shape<[ContactID]>.list(of: .id(), atMost: MemberAddition.most)
    .defaulting(to: [])
  private static let addresses: Shape<[String]> = Shape<[String]>.list(
    of: .string, atMost: MemberAddition.most
  )
  .defaulting(to: [])

  static let shape = Shape(
    MemberRemoval.init(contacts:emails:), Field("contactIds", \.contacts, ids),
    Field("emails", \.emails, addresses)
  ).named("MemberRemoval")

  /// The wire form of how many left.
  static let answer = Shape<Int>.output("MemberRemovalResult", [.init("removed", { $0 }, .count)])
}
