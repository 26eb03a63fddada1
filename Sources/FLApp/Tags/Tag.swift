import FLHTTP
public import FLValues

/// The identifier of a tag.
public typealias TagID = ID<Tag>

/// A label that an account puts on links and contacts.
public struct Tag: Sendable {
  var id: TagID
  var name: String
  /// `#rrggbb`.
  var color: String?
  /// How many links have it.
  var links: Int
  /// How many contacts have it.
  var contacts: Int
  var version: Int
  var createdAt: Timestamp

  /// How many things have it.
  var uses: Int { links + contacts }

  var tag: EntityTag {
    EntityTag(version: version, state: contacts == 0 ? String(links) : "\(links).\(contacts)")
  }

  static let shape = Shape<Tag>.output(
    "Tag",
    [
      .init("id", \.id, .id()), .init("name", \.name, .string), .init("color", \.color, .optional(.string)),
      .init("linkCount", \.links, .count),
      .init("contactCount", \.contacts, .count),
      .init("createdAt", \.createdAt, .timestamp),
    ])
}

/// The name of a tag: 1 to 64 characters; two that differ in case alone are one.
struct TagName: Sendable, Hashable {
  /// How many tags a link or a contact may have.
  static let most = 50

  let text: String
}

extension Shape where Value == TagName {
  static var tagName: Shape {
    Shape<String>.text(1...64).map(to: { text, _ in TagName(text: text) }, from: \.text)
  }
}

/// A tag that is to be made.
struct NewTag: Sendable {
  let name: TagName
  let color: String?

  static let shape = Shape(
    NewTag.init(name:color:), Field("name", \.name, .tagName), Field("color", \.color, .optional(.color))
  ).named("NewTag")
}

/// What is to be changed of a tag (a merge patch).
struct TagChanges: Sendable {
  let name: TagName?
  let color: Change<String>

  static let shape = Shape(
    TagChanges.init(name:color:), Field("name", \.name, .maybe(.tagName)),
    Field("color", \.color, .change(.color))
  ).named("TagChanges")
}

/// Into which tag another goes.
struct TagMerge: Sendable {
  let into: TagID

  static let shape = Shape(
    TagMerge.init(into:),
    Field("into", \.into, Shape<TagID>.id().described("The tag that stays."))
  ).named("TagMerge")
}

/// A body of nothing but tags.
struct TagNames: Sendable {
  let tags: [TagName]

  static let shape = Shape(
    TagNames.init(tags:), Field("tags", \.tags, .list(of: .tagName, atMost: TagName.most))
  ).named("TagNames")

  /// What is answered.
  static let answer = Shape<[String]>.output("Tags", [.init("tags", { $0 }, .list(of: .string))])
}

/// The orders in which tags are listed; `-` is downwards.
enum TagOrder: String, Sendable, CaseIterable {
  case name
  case newest = "-createdAt"

  /// What stands in a cursor for a tag.
  func value(of tag: Tag) -> String { self == .name ? tag.name : "" }

  /// Whether a cursor can have come from this order.
  func accepts(_ cursor: Cursor) -> Bool {
    cursor.order == rawValue && cursor.value.isEmpty == (self == .newest)
  }
}
