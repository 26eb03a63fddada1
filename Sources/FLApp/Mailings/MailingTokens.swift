import FLCrypto
import FLValues

/// The signed names by which a recipient's message is known again: in the addresses that it holds, and in the one that
/// it comes back to. Without the installation's secret none can be made.
public struct MailingTokens: Sendable {
  /// What a name is good for; one for one purpose is none for another.
  public enum Purpose: UInt8, Sendable {
    /// Unsubscribing from all mailings of the account.
    case unsubscribe = 1
    /// Telling that the message was shown.
    case open = 2
    /// Following the link of a number.
    case click = 3
    /// Coming back undelivered.
    case bounce = 4
    /// Coming back undelivered, after it came back before and was sent again.
    case bounceAgain = 5

    /// How many bytes stand behind mark and contact.
    fileprivate var numberSize: Int {
      switch self {
      case .unsubscribe, .open, .bounce: 0
      case .click: 2
      case .bounceAgain: 1
      }
    }

    /// How many bytes of the code go into a name: 72 bits, of which each guess costs a request. A return path has no room
    /// for a number beside them: what stands before its `@` has 64 bytes.
    fileprivate var codeSize: Int { self == .bounceAgain ? 8 : 9 }
  }

  /// One recipient of one mailing.
  public struct Subject: Sendable, Hashable {
    /// The mailing's `mark`: 5 bytes.
    public let mark: [UInt8]
    /// Who it goes to.
    public let contact: ContactID
    /// The number of the link; 0 for other purposes.
    public let link: Int
    /// How many times the message came back and was sent again before, up to 255; 0 for other purposes than coming back.
    public let returns: Int

    /// The recipient `contact` of the mailing with this mark.
    public init(mark: [UInt8], contact: ContactID, link: Int = 0, returns: Int = 0) {
      self.mark = mark
      self.contact = contact
      self.link = link
      self.returns = returns
    }
  }

  /// How many bytes the mark of a mailing has.
  public static let markSize = 5

  private let keys: [[UInt8]]
  private let baseURL: String
  private let returnAddress: (local: String, domain: String)

  /// Names under the secret of `settings`; those made under earlier secrets hold as well.
  public init(settings: Settings) {
    keys = ([settings.secret] + settings.previousSecrets).map { $0.key(for: "mailing") }
    baseURL = settings.baseURL
    let halves = settings.bounceAddress.split(separator: "@", maxSplits: 1)
    returnAddress = (halves.first.map(String.init) ?? "bounce", halves.last.map(String.init) ?? "localhost")
  }

  // MARK: Addresses of the web

  /// Where a person unsubscribes; a POST there does so at once (RFC 8058).
  public func unsubscribeURL(_ subject: Subject) -> String { url("u", .unsubscribe, subject) }

  /// The address of the image that tells that the message was shown.
  public func openURL(_ subject: Subject) -> String { url("o", .open, subject) }

  /// The address that leads to the link of the subject's number.
  public func clickURL(_ subject: Subject) -> String { url("c", .click, subject) }

  private func url(_ path: String, _ purpose: Purpose, _ subject: Subject) -> String {
    "\(baseURL)/m/\(path)/\(Base64URL.encode(bytes(purpose, subject)))"
  }

  /// Whom a token of the web is about; nil for one that was not made here for this purpose.
  public func subject(of token: some StringProtocol, _ purpose: Purpose) -> Subject? {
    guard token.utf8.count <= 64, let bytes = Base64URL.decode(String(token)) else { return nil }
    return subject(bytes, purpose)
  }

  // MARK: The return path

  /// The envelope's sender: `bounce+<token>@domain` (VERP), which a report of its bounce is sent to.
  public func returnPath(_ subject: Subject) -> String {
    let name = bytes(subject.returns == 0 ? .bounce : .bounceAgain, subject)
    return "\(returnAddress.local)+\(Base32.encode(name))@\(returnAddress.domain)"
  }

  /// Whose message comes back to `address`, in whatever case it is spelled; nil for a forged or a foreign one. The
  /// domain does not matter: mail that came here came by one that leads here.
  public func subject(ofReturnPath address: some StringProtocol) -> Subject? {
    guard let local = address.split(separator: "@", maxSplits: 1).first,
      let plus = local.lastIndex(of: "+"), local.utf8.count <= 64
    else { return nil }
    guard let bytes = Base32.decode(local[local.index(after: plus)...]) else { return nil }
    return subject(bytes, .bounce) ?? subject(bytes, .bounceAgain)
  }

  // MARK: Bytes

  /// Mark, contact, the number of the link or of the returns where the purpose has one, and the code over all of them.
  private func bytes(_ purpose: Purpose, _ subject: Subject) -> [UInt8] {
    var bytes = subject.mark + subject.contact.bytes
    if purpose == .click { bytes += [UInt8(subject.link >> 8 & 255), UInt8(subject.link & 255)] }
    if purpose == .bounceAgain { bytes.append(UInt8(clamping: subject.returns)) }
    return bytes + Self.code(of: bytes, purpose, key: keys[0])
  }

  private static func code(of bytes: [UInt8], _ purpose: Purpose, key: [UInt8]) -> ArraySlice<UInt8> {
    HMACSHA256.code([purpose.rawValue] + bytes, key: key).prefix(purpose.codeSize)
  }

  private func subject(_ bytes: [UInt8], _ purpose: Purpose) -> Subject? {
    let size = Self.markSize + 16 + purpose.numberSize
    guard bytes.count == size + purpose.codeSize else { return nil }
    let (named, code) = (Array(bytes[..<size]), Array(bytes[size...]))
    let holds = keys.contains { constantTimeEqual(Array(Self.code(of: named, purpose, key: $0)), code) }
    guard holds, let contact = ContactID(bytes: named[Self.markSize..<Self.markSize + 16]) else { return nil }
    let link = purpose == .click ? Int(named[size - 2]) << 8 | Int(named[size - 1]) : 0
    let returns = purpose == .bounceAgain ? Int(named[size - 1]) : 0
    return Subject(mark: Array(named[..<Self.markSize]), contact: contact, link: link, returns: returns)
  }
}
