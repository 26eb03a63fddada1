import FLHTTP
import FLMariaDB
import FLValues
public import Logging

/// The operator's own domains that mail comes from, which all accounts may use: from the command line.
public struct OperatorDomains {
  private let service: SendingDomainService
  private let database: Database
  private let host: String

  /// Works on the copy that `settings` are of.
  /// - Throws: `DNSResolver.BadServer`.
  public init(_ settings: Settings, logger: Logger) throws {
    database = Database(settings.database, logger: logger)
    service = try SendingDomainService(settings: settings, database: database, lane: Lane(workers: 1))
    host = WebURL(settings.baseURL)?.host ?? settings.baseURL
  }

  /// Makes a domain with keys; answers what DNS is to have.
  /// - Throws: `Administration.Failure`, `DatabaseError`.
  public func add(_ name: String) throws -> String {
    let domain = try told { try service.create(try parsed(name), account: nil, at: .now) }
    return
      "Put these records into the DNS of \(domain.domain), then run: fastlinkit domain verify \(domain.domain)\n"
      + words(domain)
  }

  /// All of them, each with its state.
  /// - Throws: `DatabaseError`.
  public func list() throws -> [String] {
    try SendingDomainRows(account: nil, queries: database).list(behind: nil, limit: 1000).map { domain in
      "\(domain.domain)  \(domain.verifiedAt.map { "verified \($0)" } ?? "pending")"
    }
  }

  /// Looks a domain up in DNS; answers what it has, and whether that is enough.
  /// - Throws: `Administration.Failure`, `DatabaseError`.
  public func verify(_ name: String) throws -> (words: String, isVerified: Bool) {
    let domain = try told { try service.verify(try found(name).id, account: nil, at: .now) }
    return (
      "\(domain.domain) is \(domain.verifiedAt == nil ? "not verified" : "verified").\n" + words(domain),
      domain.verifiedAt != nil
    )
  }

  /// Takes a domain and its keys away.
  /// - Throws: `Administration.Failure`, `DatabaseError`.
  public func remove(_ name: String) throws {
    _ = try SendingDomainRows(account: nil, queries: database).delete(try found(name).id)
  }

  private func parsed(_ name: String) throws -> DomainName {
    guard let name = DomainName(name) else {
      throw Administration.Failure.invalid("\(name) is no domain name like example.org.")
    }
    return name
  }

  private func found(_ name: String) throws -> SendingDomain {
    guard let domain = try SendingDomainRows(account: nil, queries: database).find(try parsed(name)) else {
      throw Administration.Failure.invalid("There is no domain \(name) of the operator.")
    }
    return domain
  }

  private func told<Result>(_ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch let problem as Problem {
      throw Administration.Failure.invalid(problem.detail ?? problem.title)
    }
  }

  private func words(_ domain: SendingDomain) -> String {
    domain.records(host: host).map { record in
      let state = record.isPresent.map { $0 ? "ok      " : "missing " } ?? ""
      return "  \(state)\(record.name)  TXT  \"\(record.value)\""
    }.joined(separator: "\n")
  }
}
