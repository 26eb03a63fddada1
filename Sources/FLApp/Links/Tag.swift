import FLHTTP
import FLValues

/// The identifier of a tag.
public typealias TagID = ID<Tag>

/// A label that an account puts on links.
public enum Tag {}

/// The name of a tag: 1 to 64 characters; two that differ in case alone are one.
struct TagName: Sendable, Hashable {
  /// How many tags a link may have.
  static let mostPerLink = 50

  let text: String
}

extension Shape where Value == TagName {
  static var tagName: Shape {
    Shape<String>.text(1...64).map(to: { text, _ in TagName(text: text) }, from: \.text)
  }
}

/// A body of nothing but tags.
struct TagList: Sendable {
  let tags: [TagName]

  static let shape = Shape(
    TagList.init(tags:), Field("tags", \.tags, .list(of: .tagName, atMost: TagName.mostPerLink))
  ).named("TagList")

  /// What is answered.
  static let answer = Shape<[String]>.output("Tags", [.init("tags", { $0 }, .list(of: .string))])
}
