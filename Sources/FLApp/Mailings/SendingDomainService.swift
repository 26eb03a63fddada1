import FLDNS
import FLHTTP
import FLMariaDB
import FLValues

/// The rules of the domains that mail comes from: they are made with keys, and looked up in DNS.
struct SendingDomainService: Sendable {
  let database: Database
  let domains: SendingDomains
  let lane: Lane
  private let resolver: DNSResolver

  /// The rules of a copy; its settings name the DNS server.
  init(settings: Settings, database: Database, lane: Lane) throws {
    self.database = database
    domains = SendingDomains(settings: settings)
    self.lane = lane
    resolver = try DNSResolver(server: settings.dnsServer)
  }

  /// How many an account can have.
  static let most = 100

  /// Makes a domain of an account, or with nil of the operator.
  /// - Throws: `Problem` 409 where the account has it, or too many.
  func create(_ name: DomainName, account: AccountID?, at now: Timestamp) throws -> SendingDomain {
    func checkNew(_ queries: any Queries) throws {
      if try SendingDomainRows(account: account, queries: queries).find(name) != nil { throw Self.taken }
    }
    // Before the keys are made, which is the dear part.
    try checkNew(database)
    let domain = try lane.enter(.keys, or: Self.busy) { domains.make(name, account: account, at: now) }
    do {
      try database.transaction { connection in
        // Counted, and for the operator compared, while nobody else adds one.
        if let account {
          _ = try connection.rows("SELECT id FROM accounts WHERE id = \(account) FOR UPDATE")
        } else {
          _ = try connection.rows("SELECT id FROM sending_domains WHERE account_id IS NULL FOR UPDATE")
          try checkNew(connection)
        }
        guard try SendingDomainRows(account: account, queries: connection).insert(domain, atMost: Self.most)
        else {
          throw Problem.conflict(
            "There are \(Self.most) domains already.", field: "domain", code: "too_many")
        }
      }
    } catch DatabaseError.duplicate(constraint: "sending_domains_domain") {
      throw Self.taken
    }
    return domain
  }

  private static let taken = Problem.conflict("This domain is there already.", field: "domain")
  private static let busy = Problem.unavailable("Too much is being done at once.", retryAfter: 1)

  /// Looks a domain up in DNS and notes what it has.
  /// - Throws: `Problem` 404, or 503 where DNS does not answer: then nothing is changed.
  func verify(_ id: SendingDomainID, account: AccountID?, at now: Timestamp) throws -> SendingDomain {
    guard var domain = try SendingDomainRows(account: account, queries: database).find(id) else {
      throw Problem.notFound
    }
    domain = try lane.enter(.lookups, or: Self.busy) { try checked(domain, at: now) }
    let rows = SendingDomainRows(account: account, queries: database)
    try rows.update(domain)
    guard let domain = try rows.find(id) else { throw Problem.notFound }
    return domain
  }

  private func checked(_ domain: SendingDomain, at now: Timestamp) throws -> SendingDomain {
    var domain = domain
    domain.rsa.isPresent = try hasKey(domain.rsa, "rsa", of: domain)
    domain.ed25519.isPresent = try hasKey(domain.ed25519, "ed25519", of: domain)
    let name = domain.domain
    domain.hasSPF = try answered(name) { () throws(DNSResolver.Failure) in try resolver.hasSPF(name) }
    domain.hasDMARC = try answered(name) { () throws(DNSResolver.Failure) in
      try DomainName(name).map { domain throws(DNSResolver.Failure) in try resolver.hasDMARC(domain) }
        ?? false
    }
    domain.checkedAt = now
    // A domain that changed hands is not to be sent from for ever.
    domain.verifiedAt = domain.hasDKIM == true ? domain.verifiedAt ?? now : nil
    return domain
  }

  private func hasKey(_ key: SendingDomain.Key, _ kind: String, of domain: SendingDomain) throws -> Bool {
    let name = "\(key.selector)._domainkey.\(domain.domain)"
    return try answered(name) { () throws(DNSResolver.Failure) in try resolver.txt(name) }.contains { text in
      let tags = Self.tags(text)
      return (tags["v"] ?? "DKIM1") == "DKIM1" && (tags["k"] ?? "rsa") == kind && tags["p"] == key.publicKey
    }
  }

  /// The tags of a record (RFC 6376, section 3.2), without white space.
  static func tags(_ text: String) -> [String: String] {
    var tags: [String: String] = [:]
    for part in text.utf8.split(separator: UInt8(ascii: ";")) {
      guard let equals = part.firstIndex(of: UInt8(ascii: "=")) else { continue }
      func plain(_ bytes: Substring.UTF8View) -> String {
        String(decoding: bytes.filter { $0 > 0x20 }, as: UTF8.self)
      }
      tags[plain(part[..<equals])] = plain(part[equals...].dropFirst())
    }
    return tags
  }

  private func answered<Answer>(_ name: String, _ ask: () throws(DNSResolver.Failure) -> Answer) throws
    -> Answer
  {
    do {
      return try ask()
    } catch {
      throw Problem.unavailable("DNS did not answer for \(name). Try again later.", retryAfter: 30)
    }
  }
}
