import FLCrypto
import FLHTTP
public import FLMail
public import FLMariaDB
import FLValues

/// From whom mail goes out, and what signs it: the operator's own address, or one at a domain of the account that DNS
/// has been seen to vouch for.
public struct SendingDomains: Sendable {
  /// The address that mail comes from where a mailing names none, and the system's own mail.
  public let operatorAddress: String
  let sealer: Sealer

  /// From whom a message comes.
  public struct Identity: Sendable {
    /// The field `From`.
    public let from: Mailbox
    /// What signs: one for each key that DNS has; none where the operator's own domain has no keys.
    public let signers: [DKIMSigner]
  }

  /// The domains of this copy.
  public init(settings: Settings) {
    operatorAddress = settings.mailFrom
    sealer = Sealer(
      key: settings.secret.key(for: "sending domains"),
      previous: settings.previousSecrets.map { $0.key(for: "sending domains") })
  }

  /// From whom `mailing` comes, under its own name for that or its account's; nil where it is to come from an address
  /// that may not be used (any more).
  /// - Throws: `DatabaseError`.
  public func identity(of mailing: Mailing, accountName: String, in queries: any Queries) throws -> Identity?
  {
    let content = mailing.content
    return try identity(
      content.fromEmail, name: content.fromName ?? accountName, of: mailing.account, in: queries)
  }

  /// From whom the system's own mail comes, under `name`; nil where `FL_MAIL_FROM` is no address.
  /// - Throws: `DatabaseError`.
  public func operatorIdentity(name: String? = nil, in queries: any Queries) throws -> Identity? {
    guard let from = Mailbox(name: name, address: operatorAddress) else { return nil }
    let domain = try DomainName(from.domain).flatMap {
      try SendingDomainRows(account: nil, queries: queries).find($0)
    }
    return Identity(from: from, signers: domain.map(signers(of:)) ?? [])
  }

  /// Who sends from `address`, or from the operator's where there is none; nil where `account` may not.
  private func identity(
    _ address: String?, name: String?, of account: AccountID, in queries: any Queries
  ) throws -> Identity? {
    guard let address else { return try operatorIdentity(name: name, in: queries) }
    guard let from = Mailbox(name: name, address: address), let domainName = DomainName(from.domain)
    else { return nil }
    if let domain = try SendingDomainRows(account: account, queries: queries).usable(domainName),
      domain.verifiedAt != nil
    {
      return Identity(from: from, signers: signers(of: domain))
    }
    return domainName == DomainName(of: operatorAddress) ? Identity(from: from, signers: []) : nil
  }

  /// Whether `account` may send from `address`, or from the operator's where there is none.
  func allows(_ address: String?, of account: AccountID, in queries: any Queries) throws -> Bool {
    try identity(address, name: nil, of: account, in: queries) != nil
  }

  /// What signs for `domain`: the keys that DNS had at the last look. A key that can't be opened, since its secret is
  /// gone, signs nothing.
  func signers(of domain: SendingDomain) -> [DKIMSigner] {
    guard domain.verifiedAt != nil else { return [] }
    return [(domain.rsa, "rsa"), (domain.ed25519, "ed25519")].compactMap { key, kind in
      guard key.isPresent == true,
        let bytes = try? sealer.open(key.sealed, context: Self.context(domain.id, kind)),
        let signing = SigningKey(pkcs8: bytes)
      else { return nil }
      return DKIMSigner(domain: domain.domain, selector: key.selector, key: signing)
    }
  }

  /// Checks that an account may send from `address`.
  /// - Throws: `Problem` 422.
  func check(_ address: String?, of account: AccountID, in queries: any Queries) throws {
    guard let address else { return }
    guard try allows(address, of: account, in: queries) else {
      throw Problem.invalid(
        "fromEmail", "domain_not_verified",
        "Mail can come from a domain that is verified at /api/mailing/domains; this one is not.")
    }
  }

  /// A new domain with new keys; takes some hundred milliseconds.
  func make(_ name: DomainName, account: AccountID?, at now: Timestamp) -> SendingDomain {
    let id = SendingDomainID(at: now)
    // Selectors are never used again: a key that was given up is not taken for this one.
    let stem = "fl" + Hex.encode(SecureRandom.bytes(4))
    func key(_ algorithm: SigningKey.Algorithm, _ kind: String, _ selector: String) -> SendingDomain.Key {
      let key = SigningKey.generate(algorithm)
      return SendingDomain.Key(
        selector: selector, sealed: sealer.seal(key.pkcs8, context: Self.context(id, kind)),
        publicKey: Base64.encode(key.publicKey), isPresent: nil)
    }
    return SendingDomain(
      id: id, account: account, domain: name.text, rsa: key(.rsa2048, "rsa", stem + "r"),
      ed25519: key(.ed25519, "ed25519", stem + "e"), verifiedAt: nil, checkedAt: nil, hasSPF: nil,
      hasDMARC: nil, version: 1, createdAt: now)
  }

  private static func context(_ id: SendingDomainID, _ kind: String) -> String {
    "sending domain \(id) \(kind)"
  }
}
