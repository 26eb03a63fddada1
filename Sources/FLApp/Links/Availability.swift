import FLHTTP
import FLMariaDB

/// Whether a short code can be taken, and what could be taken in its place.
struct Availability: Sendable {
  enum Reason: String, Sendable, CaseIterable { case taken, reserved, invalid }

  let shortCode: String
  let reason: Reason?
  let suggestions: [String]

  static let shape = Shape<Availability>.output(
    "Availability",
    [
      .init("shortCode", \.shortCode, .string), .init("available", { $0.reason == nil }, .bool),
      .init("reason", \.reason, .optional(.oneOf(Reason.self))),
      .init("suggestions", \.suggestions, .list(of: .string)),
    ])

  /// Looks whether `account` can take `text`.
  init(of text: String, account: AccountID, in rows: PublicCodeRows) throws {
    let code = ShortCode(text)
    let reason: Reason? =
      if let code {
        if code.isReserved {
          .reserved
        } else {
          try rows.taken([code], account: account).isEmpty ? nil : .taken
        }
      } else { .invalid }
    shortCode = text
    self.reason = reason
    suggestions = reason == nil ? [] : try Self.suggestions(for: text, account: account, in: rows)
  }

  private static func suggestions(for text: String, account: AccountID, in rows: PublicCodeRows) throws
    -> [String]
  {
    let endings =
      ["", "-2", "-3", "-now", "-go"] + (0..<4).map { _ in "-" + ShortCode.random().text.prefix(3) }
    let stem = stem(of: text)
    let near = stem.isEmpty ? [] : endings.compactMap { ShortCode(stem + $0) }
    let candidates = (near + [.random(), .random()]).filter { !$0.isReserved && $0.text != text }
    let taken = try rows.taken(candidates, account: account)
    return Array(candidates.map(\.text).filter { !taken.contains($0.lowercased()) }.prefix(5))
  }

  /// `text` with a hyphen in place of whatever a code can't have.
  private static func stem(of text: String) -> String {
    var stem = ""
    for byte in text.utf8.prefix(200) {
      let character = Character(UnicodeScalar(byte))
      let isAllowed = character.isASCII && (character.isLetter || character.isNumber || character == "_")
      if isAllowed { stem.append(character) } else if !stem.isEmpty && stem.last != "-" { stem.append("-") }
    }
    stem = String(stem.prefix(56))
    while stem.last == "-" { stem.removeLast() }
    return stem
  }
}
