import FLHTTP
public import FLValues

/// The identifier of a group of contacts.
public typealias ContactGroupID = ID<ContactGroup>

/// A list of contacts that mailings go to, and that people can subscribe to where it is public.
public struct ContactGroup: Sendable {
  var id: ContactGroupID
  var name: String
  var description: String?
  /// Whether members that are added have to confirm by mail before they count.
  var requiresDoubleOptIn: Bool
  /// Whether strangers can subscribe by the group's page.
  var isPublic: Bool
  /// How many contacts are in it, those included that have not confirmed.
  var members: Int
  /// How many of them have not confirmed yet.
  var pending: Int
  var version: Int
  var createdAt: Timestamp
  var updatedAt: Timestamp

  var tag: EntityTag { EntityTag(version: version, state: "\(members).\(pending)") }

  /// Where people subscribe to it; nil where it is not public.
  func subscribeURL(_ baseURL: String) -> String? { isPublic ? "\(baseURL)/m/subscribe/\(id)" : nil }

  /// The wire form; `baseURL` is what the public addresses begin with.
  static func shape(baseURL: String) -> Shape<ContactGroup> {
    .output(
      "ContactGroup",
      [
        .init("id", \.id, .id()), .init("name", \.name, .string),
        .init("description", \.description, .optional(.string)),
        .init("requireDoubleOptIn", \.requiresDoubleOptIn, .bool), .init("isPublic", \.isPublic, .bool),
        .init(
          "memberCount", \.members,
          Shape<Int>.count.described("All that are in it, also those who have not confirmed.")),
        .init("pendingCount", \.pending, Shape<Int>.count.described("Those who have not confirmed yet.")),
        .init(
          "subscribeUrl", { $0.subscribeURL(baseURL) },
          Shape<String?>.optional(.string).described("The page to subscribe at; null unless it is public.")),
        .init("createdAt", \.createdAt, .timestamp), .init("updatedAt", \.updatedAt, .timestamp),
      ])
  }
}

/// A group that is to be made.
struct NewContactGroup: Sendable {
  let name: String
  let description: String?
  let requiresDoubleOptIn: Bool
  let isPublic: Bool

  private static let descriptionShape: Shape<String?> = .optional(.text(0...2000, lines: true))
  private static let optIn: Shape<Bool> = Shape<Bool>.bool.defaulting(to: false).described(
    "Whether members that are added have to confirm by mail before they count.")
  private static let open: Shape<Bool> = Shape<Bool>.bool.defaulting(to: false).described(
    "Whether strangers can subscribe by the group's page, which always asks them to confirm by mail.")

  static let shape = Shape(
    NewContactGroup.init(name:description:requiresDoubleOptIn:isPublic:),
    Field("name", \.name, .text(1...255)), Field("description", \.description, descriptionShape),
    Field("requireDoubleOptIn", \.requiresDoubleOptIn, optIn), Field("isPublic", \.isPublic, open)
  ).named("NewContactGroup")
}

/// What is to be changed of a group (a merge patch).
struct ContactGroupChanges: Sendable {
  let name: String?
  let description: Change<String>
  let requiresDoubleOptIn: Bool?
  let isPublic: Bool?

  private static let nameShape: Shape<String?> = .maybe(.text(1...255))
  private static let descriptionShape: Shape<Change<String>> = .change(.text(0...2000, lines: true))
  private static let flag: Shape<Bool?> = .maybe(.bool)

  static let shape = Shape(
    ContactGroupChanges.init(name:description:requiresDoubleOptIn:isPublic:),
    Field("name", \.name, nameShape), Field("description", \.description, descriptionShape),
    Field("requireDoubleOptIn", \.requiresDoubleOptIn, flag), Field("isPublic", \.isPublic, flag)
  ).named("ContactGroupChanges")
}

/// The orders in which groups are listed; `-` is downwards.
enum ContactGroupOrder: String, Sendable, CaseIterable {
  case name
  case newest = "-createdAt"

  /// What stands in a cursor for a group.
  func value(of group: ContactGroup) -> String { self == .name ? group.name : "" }

  /// Whether a cursor can have come from this order.
  func accepts(_ cursor: Cursor) -> Bool {
    cursor.order == rawValue && cursor.value.isEmpty == (self == .newest)
  }
}
