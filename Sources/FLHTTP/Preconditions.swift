public import HTTPTypes

/// An entity tag (RFC 9110, section 8.8.3) of which the part before a dot tells the stored version.
///
/// A representation may hold numbers that change by themselves (a link's clicks). They are behind the dot:
/// `If-None-Match` compares all of it, `If-Match` the version alone, so that a click spoils nobody's change.
public struct EntityTag: Sendable, Hashable {
  /// The version of what is stored.
  public let version: Int
  /// Whatever else the representation depends on.
  public let state: String

  /// The tag of `version`, with `state` where the representation holds more than is stored.
  public init(version: Int, state: String = "") {
    self.version = version
    self.state = state
  }

  /// The header field's value, with its quotes.
  public var text: String { state.isEmpty ? "\"\(version)\"" : "\"\(version).\(state)\"" }
}

/// The conditions that a request makes (RFC 9110, section 13).
public struct Preconditions: Sendable {
  private let ifMatch: [Substring]?
  private let ifNoneMatch: [Substring]?

  /// The conditions in these header fields.
  public init(_ headers: HTTPFields) {
    ifMatch = headers[.ifMatch].map(Self.tags)
    ifNoneMatch = headers[.ifNoneMatch].map(Self.tags)
  }

  private static func tags(_ text: String) -> [Substring] {
    text.split(separator: ",").map { part in
      var tag = part.drop { $0 == " " || $0 == "\t" }
      while tag.last == " " || tag.last == "\t" { tag.removeLast() }
      return tag.hasPrefix("W/") ? tag.dropFirst(2) : tag
    }
  }

  /// Checks `If-Match` against the tag of what is stored now.
  /// - Throws: `Problem` 412 where it names another version.
  public func check(_ tag: EntityTag) throws(Problem) {
    guard let ifMatch, !ifMatch.contains("*") else { return }
    let version = String(tag.version)
    let matches = ifMatch.contains { sent in
      sent.hasPrefix("\"") && sent.hasSuffix("\"") && sent.count > 2
        && sent.dropFirst().dropLast().prefix { $0 != "." } == version
    }
    guard matches else { throw .preconditionFailed }
  }

  /// Whether the client has the representation with this tag already: 304. The comparison is the weak one.
  public func isFresh(_ tag: String) -> Bool {
    ifNoneMatch?.contains { $0 == "*" || $0 == tag } ?? false
  }
}
