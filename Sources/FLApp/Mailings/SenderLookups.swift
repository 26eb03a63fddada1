import FLDNS
import FLHTTP
import FLValues

/// What DNS says now of domains that mailings come from and of which nothing is noted here.
///
/// An answer that took long is kept for a while (`CostlyAnswers`), also that there was none: a server that is silent holds
/// up one check in a minute.
final class SenderLookups: Sendable {
  /// What a domain has; nil where that is not known, since DNS did not answer.
  struct Records: Sendable {
    var hasSPF: Bool?
    var hasDMARC: Bool?
  }

  private let resolver: DNSResolver
  private let lane: Lane
  private let kept = CostlyAnswers<DomainName, Records>(keeping: { _ in true })

  /// Asks the DNS server that `settings` name, with the workers of `lane`.
  /// - Throws: `DNSResolver.BadServer`.
  init(settings: Settings, lane: Lane) throws {
    resolver = try DNSResolver(server: settings.dnsServer)
    self.lane = lane
  }

  /// What DNS has of `domain`. It takes up to three seconds a question, of which there are a few.
  func records(of domain: DomainName) -> Records {
    kept.values(for: [domain]) { _ in [domain: ask(domain)] }[domain] ?? Records()
  }

  private func ask(_ domain: DomainName) -> Records {
    var records = Records()
    // Whatever is not answered stays unknown, and is not waited for again with the next question.
    try? lane.enter(.lookups, or: .unavailable("Too much is being done at once.", retryAfter: 1)) {
      records.hasSPF = try resolver.hasSPF(domain.text)
      records.hasDMARC = try resolver.hasDMARC(domain)
    }
    return records
  }
}

extension DNSResolver {
  /// Whether a domain tells which servers send for it (RFC 7208).
  func hasSPF(_ domain: String) throws(Failure) -> Bool {
    try txt(domain).contains { Self.begins($0, "v=spf1") }
  }

  /// Whether a domain tells what is to become of mail that proves nothing (RFC 7489). What one above says holds below as
  /// well.
  func hasDMARC(_ domain: DomainName) throws(Failure) -> Bool {
    for name in domain.withParents {
      if try txt("_dmarc." + name).contains(where: { Self.begins($0, "v=DMARC1") }) { return true }
    }
    return false
  }

  /// Whether a record is of the kind that `tag` names, and of no longer name.
  private static func begins(_ text: String, _ tag: String) -> Bool {
    let rest = text.utf8.dropFirst(tag.utf8.count)
    return text.lowercased().hasPrefix(tag.lowercased())
      && (rest.first.map { $0 == UInt8(ascii: ";") || $0 <= 0x20 } ?? true)
  }
}
