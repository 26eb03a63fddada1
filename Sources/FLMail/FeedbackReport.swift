/// What a mail provider tells of a message about which one of its users complained (ARF: RFC 5965).
public struct FeedbackReport: Sendable {
  /// In lower case: `abuse`, `fraud`, `opt-out`, `not-spam`, `auth-failure` and others.
  public let feedbackType: String
  /// Who complained, as far as the provider tells.
  public let originalRecipients: [String]
  /// The envelope's sender of the message.
  public let originalMailFrom: String?
  /// The header of the message; nil where it is not there.
  public let original: ReceivedMessage?

  /// Whether its reader does not want such mail: `abuse`, `fraud`, and the `opt-out` of RFC 5965's drafts. Others tell
  /// of something else, `not-spam` even of the contrary.
  public var isComplaint: Bool { ["abuse", "fraud", "opt-out", "opt-out-list"].contains(feedbackType) }

  /// The report that `message` is; nil where it is none.
  public init?(_ message: ReceivedMessage) {
    let all = message.all
    guard
      let part = all.first(where: {
        $0.contentType.type == "message" && $0.contentType.subtype == "feedback-report"
      })
    else { return nil }
    let fields = part.fieldGroups.joined()
    guard let type = fields.first(where: { $0.name == "feedback-type" })?.value else { return nil }
    feedbackType = type.lowercased()
    originalRecipients = fields.filter { $0.name == "original-rcpt-to" }.prefix(10).map(\.value)
    originalMailFrom = fields.first { $0.name == "original-mail-from" }?.value
    if let header = all.first(where: { $0.contentType.isHeader }) {
      original = ReceivedMessage(header.content)
    } else {
      original = all.first { $0.contentType.isMessage }?.parts.first
    }
  }
}

extension ReceivedMessage {
  /// The addresses that stand in angle brackets, between commas or alone in `text`, at most 50 and each of at most 320
  /// bytes: enough to look for an own one.
  public static func addresses(in text: String) -> [String] {
    let separators = Array("<>,; \t\"()[]:?&".utf8)
    return text.utf8.prefix(65_536).split(whereSeparator: separators.contains).lazy
      .filter { (3...320).contains($0.count) && $0.contains(UInt8(ascii: "@")) }
      .prefix(50).map { String(decoding: $0, as: UTF8.self) }
  }
}
