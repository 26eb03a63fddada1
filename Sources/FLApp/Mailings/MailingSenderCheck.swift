import FLMariaDB

/// What would hurt of where a mailing comes from: what the DNS of the sender's domain does not have.
struct MailingSenderCheck: Sendable {
  let domains: SendingDomains
  let lookups: SenderLookups

  func items(of mailing: Mailing, in queries: any Queries) throws -> [MailingReport.Item] {
    let from = mailing.content.fromEmail
    guard let name = DomainName(of: from ?? domains.operatorAddress) else { return [] }
    // The operator's address is signed with the operator's keys, whoever else has the domain.
    let rows = SendingDomainRows(account: from == nil ? nil : mailing.account, queries: queries)
    let domain = try from == nil ? rows.find(name) : rows.usable(name)
    if let domain, domain.checkedAt != nil { return Self.noted(domain) }
    return asked(name, Self.remedy(name, domain))
  }

  /// By what DNS had when the domain was verified last.
  private static func noted(_ domain: SendingDomain) -> [MailingReport.Item] {
    let kinds = [
      ("no_dkim", "DKIM", domain.hasDKIM), ("no_spf", "SPF", domain.hasSPF),
      ("no_dmarc", "DMARC", domain.hasDMARC),
    ]
    return kinds.filter { $0.2 != true }.map { code, kind, _ in
      item(
        .warning, code,
        "At the last look the DNS of \(domain.domain) had no \(kind) record. \(remedy(domain))")
    }
  }

  /// By what DNS has now, of a domain that was never verified here, and is not signed for.
  private func asked(_ name: DomainName, _ remedy: String) -> [MailingReport.Item] {
    let found = lookups.records(of: name)
    var items = [
      Self.item(
        .warning, "no_dkim", "Messages from \(name.text) are not signed (DKIM): many land in spam. \(remedy)")
    ]
    if found.hasSPF == false {
      items.append(
        Self.item(
          .warning, "no_spf",
          "The DNS of \(name.text) has no SPF record, which tells what servers send for it. \(remedy)"))
    }
    if found.hasDMARC == false {
      items.append(
        Self.item(
          .warning, "no_dmarc",
          "The DNS of \(name.text) has no DMARC record, which large providers want to see. \(remedy)"))
    }
    let unknown = [("SPF", found.hasSPF), ("DMARC", found.hasDMARC)].filter { $0.1 == nil }.map(\.0)
    if !unknown.isEmpty {
      items.append(
        Self.item(
          .info, "dns_unanswered",
          "Whether \(name.text) has an \(unknown.joined(separator: " and a ")) record is not known: DNS did not "
            + "answer. Check it again later."))
    }
    return items
  }

  private static func item(_ severity: MailingReport.Severity, _ code: String, _ message: String)
    -> MailingReport.Item
  {
    .init(severity, code, message, field: "fromEmail")
  }

  /// What to do about a domain that is here, or is not.
  private static func remedy(_ name: DomainName, _ domain: SendingDomain?) -> String {
    if let domain { return remedy(domain) }
    return """
      Add a domain of yours (POST /api/mailing/domains), put its records into its DNS, verify it, and send from it. Or \
      the operator adds this one for all: fastlinkit domain add \(name.text).
      """
  }

  private static func remedy(_ domain: SendingDomain) -> String {
    if domain.account == nil {
      return """
        The operator puts into its DNS what fastlinkit domain verify \(domain.domain) prints, and runs that again \
        (fastlinkit domain add gave the same).
        """
    }
    return """
      Put the records of GET /api/mailing/domains/\(domain.id) (POST /api/mailing/domains gave the same) into its \
      DNS, then POST /api/mailing/domains/\(domain.id)/verify.
      """
  }
}
