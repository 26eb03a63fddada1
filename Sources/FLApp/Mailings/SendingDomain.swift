import FLCrypto
import FLHTTP
public import FLValues

/// The identifier of a domain that mail comes from.
public typealias SendingDomainID = ID<SendingDomain>

/// A domain that mail comes from, with the keys that sign it (DKIM, RFC 6376 and RFC 8463).
public struct SendingDomain: Sendable {
  var id: SendingDomainID
  /// Whose it is; nil for the operator's own, which all accounts may send from.
  var account: AccountID?
  /// In A-labels and lower case.
  public var domain: String
  var rsa: Key
  var ed25519: Key
  /// When DNS had a key of it; nil where it had none at the last look.
  public var verifiedAt: Timestamp?
  /// When DNS was asked last.
  public var checkedAt: Timestamp?
  /// What DNS had then; nil before.
  var hasSPF: Bool?
  var hasDMARC: Bool?
  var version: Int
  var createdAt: Timestamp

  /// One of its keys: where DNS is to have the public half, and what of it.
  struct Key: Sendable {
    let selector: String
    /// PKCS #8, sealed.
    let sealed: [UInt8]
    /// `p=`, base64.
    let publicKey: String
    /// Whether DNS had it at the last look; nil before.
    var isPresent: Bool?
  }

  var hasDKIM: Bool? { checkedAt.map { _ in rsa.isPresent == true || ed25519.isPresent == true } }

  var tag: EntityTag { EntityTag(version: version) }

  /// A record that DNS is to have.
  public struct Record: Sendable {
    /// What a record is for.
    public enum Purpose: String, Sendable, CaseIterable {
      /// The public half of a key: either one is enough, both are better.
      case dkim
      /// Which servers send for the domain (RFC 7208).
      case spf
      /// What receivers are to do with mail that proves nothing (RFC 7489).
      case dmarc
    }

    /// The full name.
    public let name: String
    /// The text.
    public let value: String
    /// What it is for.
    public let purpose: Purpose
    /// Whether DNS had it, or another of its kind, at the last look; nil before.
    public let isPresent: Bool?

    static let shape = Shape<Record>.output(
      "SendingDomainRecord",
      [
        .init("type", { _ in "TXT" }, .string), .init("name", \.name, .string),
        .init("value", \.value, .string), .init("purpose", \.purpose, .oneOf(Purpose.self)),
        .init("isPresent", \.isPresent, .optional(.bool)),
      ])
  }

  /// What DNS is to have, where mail goes out from the host called `host`.
  func records(host: String) -> [Record] {
    [
      Record(
        name: "\(rsa.selector)._domainkey.\(domain)", value: "v=DKIM1; k=rsa; p=\(rsa.publicKey)",
        purpose: .dkim, isPresent: rsa.isPresent),
      Record(
        name: "\(ed25519.selector)._domainkey.\(domain)",
        value: "v=DKIM1; k=ed25519; p=\(ed25519.publicKey)",
        purpose: .dkim, isPresent: ed25519.isPresent),
      Record(name: domain, value: "v=spf1 a:\(host) mx ~all", purpose: .spf, isPresent: hasSPF),
      Record(name: "_dmarc.\(domain)", value: "v=DMARC1; p=none", purpose: .dmarc, isPresent: hasDMARC),
    ]
  }

  /// Whether it can be sent from.
  enum Status: String, Sendable, CaseIterable {
    case pending, verified
  }

  /// The wire form, where mail goes out from the host called `host`.
  static func shape(host: String) -> Shape<SendingDomain> {
    .output(
      "SendingDomain",
      [
        .init("id", \.id, .id()), .init("domain", \.domain, .string),
        .init(
          "status", { $0.verifiedAt == nil ? .pending : .verified },
          Shape<Status>.oneOf(Status.self).described("Only a verified one can be sent from.")),
        .init(
          "records", { $0.records(host: host) },
          Shape<[Record]>.list(of: Record.shape).described(
            "What the domain's DNS is to have. An SPF record that names the sending servers otherwise is as good."
          )),
        .init("hasSpf", \.hasSPF, .optional(.bool)), .init("hasDkim", \.hasDKIM, .optional(.bool)),
        .init("hasDmarc", \.hasDMARC, .optional(.bool)),
        .init("verifiedAt", \.verifiedAt, .optional(.timestamp)),
        .init("checkedAt", \.checkedAt, .optional(.timestamp)),
        .init("createdAt", \.createdAt, .timestamp),
      ])
  }
}

/// The name of a domain that mail can come from: A-labels in lower case, of which there are at least two.
struct DomainName: Sendable, Hashable {
  let text: String

  /// Reads a name, internationalised ones as well; nil for what is none.
  init?(_ text: String) {
    var name = text.lowercased()
    if name.hasSuffix(".") { name.removeLast() }
    if !name.utf8.allSatisfy({ $0 < 0x80 }) {
      guard let encoded = Punycode.ascii(name) else { return nil }
      name = encoded.lowercased()
    }
    let labels = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    // The selectors are put before it, and the whole may have 253 bytes (RFC 1035, section 2.3.4).
    guard name.utf8.count <= 220, labels.count >= 2,
      labels.allSatisfy({ label in
        (1...63).contains(label.count) && label.first != UInt8(ascii: "-") && label.last != UInt8(ascii: "-")
          && label.allSatisfy {
            (48...57).contains($0) || (97...122).contains($0) || $0 == UInt8(ascii: "-")
              || $0 == UInt8(ascii: "_")
          }
      }), labels.last?.contains(where: { (97...122).contains($0) }) == true
    else { return nil }
    self.text = name
  }

  /// The domain of an address.
  init?(of address: String) {
    guard let at = address.unicodeScalars.lastIndex(of: "@") else { return nil }
    self.init(String(address.unicodeScalars[address.unicodeScalars.index(after: at)...]))
  }

  /// This name and those above it that are no top-level domain, the nearest first; at most four.
  var withParents: [String] {
    let labels = text.split(separator: ".")
    return (0..<max(1, labels.count - 1)).prefix(4).map { labels[$0...].joined(separator: ".") }
  }
}

extension Shape where Value == DomainName {
  /// A domain name.
  static var domainName: Shape {
    Shape(
      schema: Schema([
        "type": "string", "minLength": 4, "maxLength": 220,
        "pattern": "^([A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?\\.){1,3}[A-Za-z]{2,24}$",
        "examples": ["news.example.org"],
      ]),
      readText: { text, reading in
        guard let name = DomainName(text) else {
          reading.refuse("invalid_domain", "This must be a domain name like news.example.org.")
          return nil
        }
        return name
      },
      write: { $1.string($0.text) })
  }
}

/// A domain that is to be added.
struct NewSendingDomain: Sendable {
  let domain: DomainName

  static let shape = Shape(NewSendingDomain.init(domain:), Field("domain", \.domain, .domainName)).named(
    "NewSendingDomain")
}
