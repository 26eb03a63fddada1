/// What a mail system tells of the delivery of a message (RFC 3464, RFC 6533): a group of fields for each recipient.
public struct DeliveryReport: Sendable {
  /// What was done for a recipient (RFC 3464, section 2.3.3).
  public enum Action: String, Sendable {
    /// It could not be delivered, and is not tried any more.
    case failed
    /// It was not delivered yet, and is still tried.
    case delayed
    /// It was delivered.
    case delivered
    /// It was passed on to a system that makes no such reports.
    case relayed
    /// It was delivered and passed on to several addresses, as a list does.
    case expanded
  }

  /// What is told of one recipient.
  public struct Recipient: Sendable {
    /// The address that it was delivered to, or was not.
    public let finalRecipient: String?
    /// The address that the sender gave.
    public let originalRecipient: String?
    /// What was done; failed where it is not told but the status tells so.
    public let action: Action?
    /// The status code.
    public let status: EnhancedStatus?
    /// The other system's words, such as `550 5.1.1 …`, without their type.
    public let diagnosticCode: String?
    /// The system that said so.
    public let remoteMTA: String?

    fileprivate func isFor(_ address: String) -> Bool {
      let key = address.lowercased()
      return [finalRecipient, originalRecipient].contains { $0?.lowercased() == key }
    }
  }

  /// The system that reports.
  public let reportingMTA: String?
  /// In the order of the report, at most 1,000.
  public let recipients: [Recipient]
  /// What the report says for people, cut off where the returned message begins.
  let words: String

  /// The report that `message` is; nil where it has none that programs can read.
  public init?(_ message: ReceivedMessage) {
    let all = message.all
    guard
      let part = all.first(where: { part in
        part.contentType.type == "message"
          && ["delivery-status", "global-delivery-status"].contains(part.contentType.subtype)
      })
    else { return nil }
    let groups = part.fieldGroups
    func value(_ name: String, _ group: [ReceivedMessage.Field]) -> String? {
      group.first { $0.name == name }?.value
    }
    reportingMTA = groups.lazy.compactMap { value("reporting-mta", $0).map(Self.withoutType) }.first
    // Some have the message's fields and the recipient's in one group.
    recipients = groups.filter { group in
      group.contains { ["final-recipient", "original-recipient", "action", "status"].contains($0.name) }
    }.map { group in
      let status = value("status", group).flatMap { EnhancedStatus($0) }
      let word = value("action", group).map { $0.lowercased().prefix { $0 != " " && $0 != "(" && $0 != ";" } }
      let standard: Action? = status.flatMap { $0.kind == 5 ? .failed : nil }
      return Recipient(
        finalRecipient: value("final-recipient", group).map(Self.withoutType),
        originalRecipient: value("original-recipient", group).map(Self.withoutType),
        action: word.flatMap { Action(rawValue: String($0)) } ?? standard, status: status,
        diagnosticCode: value("diagnostic-code", group).map(Self.withoutType),
        remoteMTA: value("remote-mta", group).map(Self.withoutType))
    }
    guard !recipients.isEmpty else { return nil }
    words =
      all.first { $0.parts.isEmpty && $0.contentType.type == "text" && !$0.contentType.isHeader }
      .map { UnstructuredBounce.words(of: $0) } ?? ""
  }

  /// `rfc822; anna@example.org` and `smtp; 550 …` without what stands before the `;`.
  private static func withoutType(_ value: String) -> String {
    guard let semicolon = value.firstIndex(of: ";") else { return value }
    let type = value[..<semicolon]
    guard !type.contains(" "), !type.contains("@"), type.utf8.count <= 32 else { return value }
    return String(value[value.index(after: semicolon)...].drop { $0 == " " })
  }

  /// What the report means for the one address that the message went to.
  ///
  /// Of several recipients those are looked at that are `address`; where none is (it was passed on), all of them, and
  /// the mildest counts: whoever has two mailboxes behind an address, of which one is gone, still reads it.
  public func classification(for address: String?) -> BounceClassification {
    let own = recipients.filter { recipient in address.map(recipient.isFor) ?? false }
    let classified = (own.isEmpty ? recipients : own).map { classification(of: $0) }
    return classified.min { $0.kind < $1.kind } ?? BounceClassification(.none, enhanced: nil, text: "")
  }

  /// Whether the report says anything of this address.
  public func names(_ address: String) -> Bool { recipients.contains { $0.isFor(address) } }

  private func classification(of recipient: Recipient) -> BounceClassification {
    let text = recipient.diagnosticCode ?? ""
    switch recipient.action {
    case .failed: break
    case .delayed: return BounceClassification(.delayed, enhanced: recipient.status, text: text)
    case .delivered, .relayed, .expanded, nil:
      return BounceClassification(.none, enhanced: recipient.status, text: text)
    }
    let isClear = recipient.status.map { !$0.isUndefined } ?? false
    // What is said to people helps where the codes say nothing, and is about one recipient.
    let context = !isClear && recipients.count == 1 ? words : ""
    let kept = text.isEmpty && recipients.count == 1 ? words : text
    return BounceClassification(code: nil, enhanced: recipient.status, text: kept, context: context)
  }
}

/// What a mail system tells in words alone, as qmail and old Exchange servers do.
public struct UnstructuredBounce: Sendable {
  /// What it means: hard only where a code or clear words say so, soft where it is surely a failure, and `none` where
  /// it may be anything.
  public let classification: BounceClassification

  /// Reads `message`; nil where it does not come from a mail system, or is an automatic reply of a person.
  ///
  /// `isFromNobody`: whether the envelope's sender is known to have been empty (RFC 5321, section 4.5.5); else the
  /// message has to tell it by `Return-Path` or by whom it is from.
  public init?(_ message: ReceivedMessage, isFromNobody: Bool) {
    guard !message.isAutomaticReply else { return nil }
    let sender = message["from"]?.lowercased() ?? ""
    let isFromSystem = sender.contains("mailer-daemon") || sender.contains("postmaster")
    // postfix writes MAILER-DAEMON for nobody, unless it is told otherwise.
    let returnPath = message["return-path"]?.lowercased() ?? ""
    guard isFromNobody || isFromSystem || returnPath == "<>" || returnPath.hasPrefix("<mailer-daemon") else {
      return nil
    }
    let subject = message["subject"] ?? ""
    let part = message.all.first {
      $0.parts.isEmpty && $0.contentType.type == "text" && !$0.contentType.isHeader
    }
    let words = part.map(Self.words) ?? ""
    let isFailure = Self.isFailure(subject: subject, words: words)
    if Self.isDelay(subject: subject, words: words) {
      classification = BounceClassification(.delayed, enhanced: nil, text: subject)
      return
    }
    guard let line = Self.telling(words) else {
      // Failed, who knows why.
      classification =
        isFailure
        ? BounceClassification(code: nil, enhanced: nil, text: words.isEmpty ? subject : words).softened
        : BounceClassification(.none, enhanced: nil, text: subject)
      return
    }
    let reply = ServerReply(in: line, alone: false)
    let found = BounceClassification(code: reply?.code, enhanced: reply?.status, text: line)
    // A number that may mean something else, in a message that does not even say that it is a failure.
    guard isFailure || reply?.status != nil else {
      classification = BounceClassification(.none, enhanced: nil, text: subject)
      return
    }
    classification = found.isCertain ? found : found.softened
  }

  /// The first line with a code that a server answers, and what goes on from it.
  private static func telling(_ words: String) -> String? {
    let lines = words.split(whereSeparator: \.isNewline)
    guard let index = lines.firstIndex(where: { ServerReply(in: String($0), alone: false) != nil }) else {
      return nil
    }
    return lines[index...].prefix(3).joined(separator: " ")
  }

  private static func isFailure(subject: String, words: String) -> Bool {
    let text = (subject + "\n" + words.prefix(500)).lowercased()
    return [
      "undeliver", "failure notice", "delivery fail", "mail delivery failed", "returned mail",
      "returned to sender",
      "delivery status notification", "could not be delivered", "couldn't be delivered", "wasn't delivered",
      "was not delivered", "unable to deliver", "non remis", "unzustellbar", "nicht zugestellt",
      "delivery error",
      "delivery has failed", "did not reach",
    ].contains(where: text.contains)
  }

  private static func isDelay(subject: String, words: String) -> Bool {
    let text = (subject + "\n" + words.prefix(500)).lowercased()
    return ["(delay", "delayed", "warning message only", "still being retried", "could not send message for"]
      .contains(where: text.contains)
  }

  /// The words of a report, at most 16 KiB, cut off where the returned message begins: what stands in that is the
  /// sender's own.
  static func words(of part: ReceivedMessage) -> String {
    let text = String(decoding: part.content.prefix(16_384), as: UTF8.self)
    var kept: [Substring] = []
    for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
      let lower = line.prefix(80).lowercased()
      let isEnd =
        lower.hasPrefix("received:") || lower.hasPrefix("return-path:")
        || (lower.hasPrefix("--")
          && ["copy of", "original message", "returned message"].contains(where: lower.contains))
        || lower.hasPrefix("original message headers") || lower.hasPrefix("message header follows")
      if isEnd { break }
      kept.append(line)
    }
    return kept.joined(separator: "\n")
  }
}

extension ReceivedMessage {
  /// Whether a person's mailbox answered by itself: out of office, and the like (RFC 3834). Reports of mail systems may
  /// call themselves so too, hence ask this only of what is none.
  public var isAutomaticReply: Bool {
    let submitted = (self["auto-submitted"] ?? "no").lowercased()
    if submitted.hasPrefix("auto-replied") { return true }
    let names = ["x-autoreply", "x-autorespond", "x-auto-response-suppress-reply", "x-mail-autoreply"]
    if fields.contains(where: { names.contains($0.name) }) { return true }
    return values("precedence").contains { $0.lowercased().hasPrefix("auto") }
  }
}
