/// What it means for a contact that a message was refused or came back.
///
/// By the enhanced status code (RFC 3463, and the registry of RFC 5248):
///
/// | code | what it says | it is |
/// | --- | --- | --- |
/// | `2.x.x` | delivered | none |
/// | `4.x.x` | failed for the time being, for too long | soft |
/// | `5.1.7`, `5.1.8` | the sender's address is bad | refused |
/// | `5.1.x` else | the address is bad; has moved; its domain takes no mail (`5.1.10`, RFC 7505) | hard |
/// | `5.2.1` | the mailbox is disabled; Gmail also says so of one that gets too much at once | by the words, else hard |
/// | `5.2.2` | the mailbox is full | soft |
/// | `5.2.3`, `5.3.4` | the message is too large | refused |
/// | `5.2.x` else | something else about the mailbox, a mailing list | soft |
/// | `5.3.x` else | the receiving system | soft |
/// | `5.4.1`, `5.4.4`, `5.4.310` | no host takes mail for the address | hard |
/// | `5.4.x` else | routing: a loop, no connection, expired | soft; `5.4.0` and `5.4.5` by the words |
/// | `5.5.x` | the protocol | by the words, else refused |
/// | `5.6.x` | the content | refused |
/// | `5.7.x` | policy, reputation, spam | refused |
/// | `5.0.x`, or no code | not said | by the words and the reply code |
///
/// A reply code alone (RFC 5321, section 4.2.3): 4yz is soft; 552 is soft (storage exceeded); 550, 551 and 553 are hard
/// unless the words tell of policy; 521 and 556 (RFC 7504: the host or domain takes no mail) are hard; other 5yz are
/// refused. A 550 is what both an unknown user and a block list get: so the words decide where the code does not.
public struct BounceClassification: Sendable, Equatable {
  /// The kinds, from the mildest to the worst.
  public enum Kind: Int, Sendable, Comparable {
    /// It was delivered or passed on: nothing to do.
    case none
    /// It is late, and still tried: nothing to do.
    case delayed
    /// The message was refused, its sender or its content: this says nothing about the address.
    case refused
    /// The address can't take it for now: several in a row count.
    case soft
    /// There is no such address any more.
    case hard

    /// The order of the cases.
    public static func < (left: Kind, right: Kind) -> Bool { left.rawValue < right.rawValue }
  }

  /// The longest `text`, in characters.
  public static let longestText = 512

  /// What it means.
  public let kind: Kind
  /// The SMTP reply code, 400 to 599; nil where there was none.
  public let code: Int?
  /// The enhanced status code.
  public let enhanced: EnhancedStatus?
  /// The server's words in one line, without control characters, at most 512 characters.
  public let text: String
  /// Whether code or words say so, and it is not only what is usual.
  let isCertain: Bool

  /// What a server's refusal means: its reply code and its words, and the enhanced code where it is known apart from
  /// them.
  public init(code: Int?, enhanced: EnhancedStatus?, text: String) {
    self.init(code: code, enhanced: enhanced, text: text, context: "")
  }

  /// `context` are further words that may tell what it is about, and that are not kept.
  init(code: Int?, enhanced: EnhancedStatus?, text: String, context: String) {
    let found = ServerReply(in: text, alone: true)
    let code = code ?? found?.code
    var enhanced = enhanced ?? found?.status
    // `5.0.0` from somebody who passes on what another one said more exactly.
    if let status = enhanced, status.isUndefined, let better = found?.status, !better.isUndefined {
      enhanced = better
    }
    self.code = code.flatMap { (400...599).contains($0) ? $0 : nil }
    self.enhanced = enhanced
    self.text = Self.cleaned(text)
    let words = RefusalWords(text + "\n" + context)
    if let enhanced, let kind = Self.kind(enhanced, words) {
      (self.kind, isCertain) = (kind, true)
    } else if let kind = words.kind {
      (self.kind, isCertain) = (kind, true)
    } else {
      (self.kind, isCertain) = (Self.kind(code: code, enhanced), false)
    }
  }

  /// A report of something that is no failure.
  init(_ kind: Kind, enhanced: EnhancedStatus?, text: String) {
    self.kind = kind
    code = nil
    self.enhanced = enhanced
    self.text = Self.cleaned(text)
    isCertain = true
  }

  /// The same, but no worse than soft.
  var softened: BounceClassification {
    kind == .hard ? BounceClassification(.soft, self) : self
  }

  private init(_ kind: Kind, _ other: BounceClassification) {
    self.kind = kind
    (code, enhanced, text, isCertain) = (other.code, other.enhanced, other.text, other.isCertain)
  }

  // MARK: The table

  /// Nil where the code leaves it open.
  private static func kind(_ status: EnhancedStatus, _ words: RefusalWords) -> Kind? {
    switch (status.kind, status.subject, status.detail) {
    case (2, _, _): return Kind.none
    case (4, _, _): return .soft
    case (_, 0, _), (_, 5, _): return nil
    case (_, 1, 7), (_, 1, 8): return .refused
    // "Other address status" is also said to a sender who is not wanted.
    case (_, 1, 0): return words.kind ?? .hard
    case (_, 1, _): return .hard
    // Gmail and AOL say it also to a sender who is too quick, or not wanted.
    case (_, 2, 1): return words.kind ?? .hard
    case (_, 2, 3), (_, 3, 4): return .refused
    // Gmail's 5.4.5 is the sender's own quota.
    case (_, 2, 0), (_, 3, 0), (_, 4, 0), (_, 4, 5): return words.kind ?? .soft
    // Office 365 says 5.4.1 of an address that it does not know, others of a host that does not answer.
    case (_, 4, 1), (_, 4, 4), (_, 4, 310): return words.kind ?? .hard
    case (_, 2, _), (_, 3, _), (_, 4, _): return .soft
    case (_, 6, _), (_, 7, _): return .refused
    default: return nil
    }
  }

  private static func kind(code: Int?, _ status: EnhancedStatus?) -> Kind {
    switch code {
    case .some(400...499): .soft
    case 552: .soft
    case 550, 551, 553: status?.subject == 5 ? .refused : .hard
    case 521, 556: .hard
    case .some(500...599): .refused
    default: status?.subject == 5 ? .refused : .soft
    }
  }

  /// Words in one line that can be kept and shown.
  static func cleaned(_ text: String) -> String {
    var cleaned = String.UnicodeScalarView()
    var count = 0
    for scalar in text.unicodeScalars {
      guard count < longestText else { break }
      let isSpace: Bool
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator, .spaceSeparator, .surrogate, .privateUse,
        .unassigned:
        isSpace = true
      default: isSpace = false
      }
      if !isSpace {
        cleaned.append(scalar)
      } else if cleaned.isEmpty || cleaned.last == " " {
        continue
      } else {
        cleaned.append(" ")
      }
      count += 1
    }
    if cleaned.last == " " { cleaned.removeLast() }
    return String(cleaned)
  }
}

/// What the words of a refusal tell, where its code tells nothing: many servers answer 550 to everything.
struct RefusalWords {
  /// Nil where they tell nothing.
  let kind: BounceClassification.Kind?

  /// Looks through the first 4 KiB of `text`. Policy goes first, since a block list's words often name the user too, and
  /// who does not know the sender's address uses the words for a recipient's.
  init(_ text: String) {
    let words = Self.withoutNames(Array(text.utf8.prefix(4096)))
    if Self.unknown.contains(where: { Self.contains(words, $0) }) {
      kind = .hard
    } else if Self.policy.contains(where: { Self.contains(words, $0) }) {
      kind = .refused
    } else if Self.full.contains(where: { Self.contains(words, $0) }) {
      kind = .soft
    } else if Self.gone.contains(where: { Self.contains(words, $0) }) {
      kind = .hard
    } else {
      kind = nil
    }
  }

  /// In lower case, and without addresses and hosts: `antispam.example` may well have said that there is no such user.
  private static func withoutNames(_ bytes: [UInt8]) -> [UInt8] {
    var words: [UInt8] = []
    words.reserveCapacity(bytes.count)
    for word in bytes.split(whereSeparator: { $0 <= 32 }) {
      let dot = word.dropLast().dropFirst().firstIndex(of: UInt8(ascii: "."))
      let isHost = dot.map { (48...122).contains(word[$0 - 1]) && (48...122).contains(word[$0 + 1]) } ?? false
      if isHost || word.contains(UInt8(ascii: "@")) { continue }
      words += word.map { (65...90).contains($0) ? $0 | 0x20 : $0 }
      words.append(32)
    }
    return words
  }

  private static func contains(_ words: [UInt8], _ phrase: String) -> Bool {
    let phrase = Array(phrase.utf8)
    guard words.count >= phrase.count else { return false }
    return (0...words.count - phrase.count).contains { start in
      words[start] == phrase[0] && words[start..<start + phrase.count].elementsEqual(phrase)
    }
  }

  /// How Office 365 says that it does not know an address, which sounds like policy.
  private static let unknown = [
    "recipient address rejected: access denied", "recipient addresses rejected : access denied",
  ]
  private static let policy = [
    "sender verify", "verification failed", "callback setup failed", "sender address", "envelope sender",
    "sender domain", "domain of sender", "return path", "return-path", "administrative prohibition",
    "access denied", "at a rate", "sending limit", "sending quota", "will not accept delivery", "complaint",
    "is listed", "been listed", "currently listed", "authentication", "unauthenticated", "helo", "rdns",
    "reverse lookup", "prohibited", "phish", "suspicious",
    "spam", "blacklist", "blocklist", "block list", "black list", "blocked", "dnsbl", "reputation", "policy",
    "unsolicited", "dmarc", "dkim", "sender policy framework", "spf ", "reverse dns",
    "ptr record", "banned", "virus", "malware", "content rejected", "relay access denied", "relaying denied",
    "unable to relay", "not permitted to relay", "sender rejected", "sender denied", "too many ",
    "rate limit",
    "too large", "exceeds size limit", "size limit exceeded", "message size exceeds",
  ]
  private static let full = [
    "mailbox full", "mailbox is full", "inbox is full", "over quota", "overquota", "quota exceeded",
    "exceeded quota", "exceeds quota", "exceeded storage", "storage allocation", "out of storage",
    "insufficient system storage", "temporarily", "try again later", "retry timeout exceeded", "timed out",
    "timeout", "connection refused",
  ]
  private static let gone = [
    "user unknown", "unknown user", "unknown recipient", "recipient unknown", "unknown address",
    "no such user",
    "no such mailbox", "no such recipient", "no such address", "no such person", "no mailbox here",
    "does not exist", "doesn't exist", "not exist", "mailbox not found", "user not found",
    "recipient not found",
    "address not found", "mailbox unavailable", "invalid recipient", "invalid mailbox", "invalid address",
    "recipient rejected", "recipient address rejected", "address rejected", "not a valid mailbox",
    "no valid recipients", "unrouteable address", "unroutable address", "doesn't have a", "does not have a",
    "account disabled", "account is disabled", "mailbox disabled", "mailbox is disabled",
    "account has been disabled",
    "no longer available", "no longer valid", "domain not found", "host not found", "no such domain",
    "name or service not known", "is not a known user", "not listed in", "user doesn't",
  ]
}
