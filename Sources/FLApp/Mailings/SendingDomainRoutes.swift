import FLHTTP
import FLMariaDB
import FLValues

/// Domains that mail comes from.
struct SendingDomainRoutes {
  let database: Database
  let service: SendingDomainService
  let shape: Shape<SendingDomain>

  /// The operations; `host` is where mail goes out from.
  init(database: Database, service: SendingDomainService, host: String) {
    self.database = database
    self.service = service
    shape = SendingDomain.shape(host: host)
  }

  private static let path = "/api/mailing/domains"

  var routes: [Route] {
    [
      Route(
        .get, Self.path, "listSendingDomains", access: .scope(.mailing), tag: "Mailings",
        summary: "List the domains that mail comes from", .limit, .cursor,
        reply: .list(shape, named: "SendingDomain"),
        handler: { call, limit, cursor in try list(call, cursor, limit) }),
      Route(
        .post, Self.path, "createSendingDomain", access: .scope(.mailing), tag: "Mailings",
        summary: "Add a domain that mail comes from",
        description: """
          Two keys are made for it. Put `records` into its DNS and verify it: then mailings can come from addresses \
          at it, and are signed for it.
          """, problems: [409, 503], body: NewSendingDomain.shape,
        reply: .created(shape, at: { "\(Self.path)/\($0.id)" }).tagged(\.tag),
        handler: { call, new in
          try service.create(new.domain, account: call.caller.account, at: call.now)
        }),
      Route(
        .get, "/api/mailing/domains/{id}", "getSendingDomain", access: .scope(.mailing), tag: "Mailings",
        summary: "Read a domain that mail comes from", .path("id", .id(), "The domain's id."),
        reply: .ok(shape).tagged(\.tag), handler: { call, id in try find(call, id) }),
      Route(
        .post, "/api/mailing/domains/{id}/verify", "verifySendingDomain", access: .scope(.mailing),
        tag: "Mailings", summary: "Look a domain up in DNS",
        description: """
          It is verified while DNS has at least one of its keys. What DNS does not have any more is noted as well. \
          503 where DNS does not answer.
          """, problems: [503], .path("id", .id(), "The domain's id."), reply: .ok(shape).tagged(\.tag),
        handler: { call, id in try service.verify(id, account: call.caller.account, at: call.now) }),
      Route(
        .delete, "/api/mailing/domains/{id}", "deleteSendingDomain", access: .scope(.mailing),
        tag: "Mailings", summary: "Delete a domain that mail comes from",
        description: "Its keys are gone for good. Mailings that are to come from it can't be sent any more.",
        problems: [412], .path("id", .id(), "The domain's id."), reply: .noContent,
        handler: { call, id in try delete(call, id) }),
    ]
  }

  func list(_ call: Call, _ cursor: Cursor?, _ limit: Int) throws -> Page<SendingDomain> {
    let rows = SendingDomainRows(account: try call.caller.account, queries: database)
    let domains = try rows.list(behind: cursor, limit: limit + 1)
    return try Page(domains, limit: limit, total: rows.count()) { Cursor(id: $0.id) }
  }

  func find(_ call: Call, _ id: SendingDomainID) throws -> SendingDomain {
    let rows = SendingDomainRows(account: try call.caller.account, queries: database)
    guard let domain = try rows.find(id) else { throw Problem.notFound }
    return domain
  }

  func delete(_ call: Call, _ id: SendingDomainID) throws {
    let account = try call.caller.account
    try database.transaction { connection in
      let rows = SendingDomainRows(account: account, queries: connection)
      guard let domain = try rows.find(id) else { throw Problem.notFound }
      try call.preconditions.check(domain.tag)
      guard try rows.delete(id) else { throw Problem.notFound }
    }
  }
}
