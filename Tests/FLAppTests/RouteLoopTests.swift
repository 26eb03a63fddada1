import HTTPTypes
import Testing

@testable import FLApp
@testable import FLHTTP

/// What holds for every operation, in one loop over all of them.
@Suite struct RouteLoopTests {
  private static let shared = Result { try House() }
  let house: House
  var routes: [FLApp.Route] { house.app.routes }

  init() throws { house = try Self.shared.get() }

  /// The path with something in its varying segments.
  private func path(_ route: FLApp.Route, id: String = "019a0000-0000-7000-8000-000000000000") -> String {
    route.path.replacing("{id}", with: id).replacing("{name}", with: "x")
      .replacing(/\{[a-zA-Z]+Id\}/, with: "019a0000-0000-7000-8000-000000000000")
  }

  /// A body that an operation takes.
  private func body(_ route: FLApp.Route) -> JSON? {
    guard route.body != nil else { return nil }
    if route.path == "/api/mailing/{id}/test" { return ["to": ["a@example.org"]] }
    if route.path.hasSuffix("/{id}/tags") { return ["tags": ["x"]] }
    if let part = Self.parts[route.path] { return part }
    if route.path == "/api/contacts/{id}/merge" {
      return ["contactIds": ["019a0000-0000-7000-8000-000000000000"]]
    }
    if route.path.hasSuffix("/merge") { return ["into": "019a0000-0000-7000-8000-000000000000"] }
    return [:]
  }

  private static let parts: [String: JSON] = [
    "/api/contacts/{id}/phones": ["number": "1"], "/api/contacts/{id}/addresses": ["city": "x"],
    "/api/contacts/{id}/notes": ["body": "x"], "/api/mailing/{id}/recipients/remove": ["tags": ["x"]],
    "/api/contacts/{id}/websites": ["url": "https://example.org/"],
  ]

  @Test func thereAreRoutes() { #expect(routes.count > 30) }

  @Test func withoutCredentialIsUnauthenticated() throws {
    for route in routes {
      let answer = house.nobody.send(route.method, path(route), [:], body(route))
      if route.access == .anyone {
        #expect(answer.status != 401 || !answer.text.contains("No credential"), "\(route.operation)")
      } else {
        #expect(answer.status == 401 && answer.code == "unauthenticated", "\(route.operation)")
        #expect(answer.headers[.wwwAuthenticate] != nil, "\(route.operation)")
      }
      #expect(answer[field: "X-Request-Id"]?.isEmpty == false, "\(route.operation)")
    }
  }

  @Test(
    "A credential that does not hold is unauthenticated",
    arguments: [
      ("X-Api-Key", "fli_nonsense"), ("X-Api-Key", ""), ("Authorization", "Bearer a.b.c"),
      ("Authorization", "Basic YTpi"), ("Authorization", ""), ("Cookie", "fl_session=nonsense"),
    ])
  func badCredential(name: String, value: String) throws {
    let field = try #require(HTTPField.Name(name))
    for route in routes where route.access != .anyone {
      let answer = house.nobody.send(route.method, path(route), [field: value], body(route))
      #expect(answer.status == 401 && answer.code == "unauthenticated", "\(route.operation)")
    }
  }

  @Test func aKeyWithoutTheScopeIsRefused() throws {
    let owner = try house.account()
    for route in routes {
      guard case .scope(let scope, let reads) = route.access else { continue }
      let other = scope == "geoip" ? "files" : "geoip"
      let isRead = reads || route.method == .get
      var refused = [[other]]
      if !isRead { refused.append([scope + ":read"]) }
      for scopes in refused {
        let key = try house.keyholder(scopes: scopes, of: owner)
        let answer = key.send(route.method, path(route), [:], body(route))
        #expect(answer.status == 403 && answer.code == "scope_missing", "\(route.operation)")
        #expect(
          answer["requiredScope"]?.string == (isRead ? scope + ":read" : scope), "\(route.operation)")
      }
      let key = try house.keyholder(scopes: [isRead ? scope + ":read" : scope], of: owner)
      #expect(key.send(route.method, path(route), [:], body(route)).status != 403, "\(route.operation)")
    }
  }

  @Test func whatNeedsFullAccessRefusesLimitedKeys() throws {
    let key = try house.keyholder(scopes: Scope.allCases.map(\.rawValue))
    let full = try house.keyholder()
    var seen = 0
    for route in routes where route.access == .unrestricted {
      let answer = key.send(route.method, path(route), [:], body(route))
      #expect(answer.status == 403 && answer.code == "scope_missing", "\(route.operation)")
      #expect(answer["requiredScope"] == "*", "\(route.operation)")
      #expect(full.send(route.method, path(route), [:], body(route)).status != 403, "\(route.operation)")
      seen += 1
    }
    #expect(seen > 5)
  }

  @Test func whatIsForPeopleRefusesKeys() throws {
    let key = try house.keyholder()
    var seen = 0
    for route in routes where route.access == .person {
      let answer = key.send(route.method, path(route), [:], body(route))
      #expect(answer.status == 403 && answer.code == "person_required", "\(route.operation)")
      seen += 1
    }
    #expect(seen > 5)
  }

  @Test func whatBelongsToAnotherIsNotFound() throws {
    let anna = try house.account()
    let stranger = try house.account()
    let link = try anna.link(["tags": ["x"]])
    let linkID = try link.string("id")
    let keyID = try anna.post("/api/api-keys", ["name": "k"]).string("id")
    let tagID = try #require(anna.get("/api/tags")["items"]?[0]?["id"]?.string)
    let fileID = try anna.upload([1, 2, 3]).string("id")
    let webhook = anna.post("/api/webhooks", ["url": "https://hooks.example/", "events": ["*"]])
    let codeID = try anna.post("/api/qrcodes", ["destinationUrl": "https://example.org/"]).string("id")
    let mailing = try anna.mailing()
    let template = try anna.post("/api/mailing/templates", ["name": "t", "subject": "s"]).string("id")
    let domain = try anna.post("/api/mailing/domains", ["domain": "example.org"]).string("id")
    let groupID = try anna.post("/api/contact-groups", ["name": "g"]).string("id")
    let contact = try anna.contact()
    let importID = try anna.importing("email\na@example.org\n").string("id")
    let owned = [
      "/api/qrcodes/": codeID, "/api/webhooks/": try webhook.string("id"),
      "/api/payment/webhooks/": try webhook.string("id"),
      "/api/mailing/": try mailing.string("id"), "/api/mailing/templates/": template,
      "/api/mailing/domains/": domain, "/api/contact-groups/": groupID,
      "/api/contacts/": try contact.string("id"), "/api/contacts/imports/": importID,
      "/api/links/": linkID, "/api/api-keys/": keyID, "/api/tags/": tagID, "/api/files/": fileID,
    ]
    var seen = 0
    for route in routes where route.path.contains("{id}") {
      let id = try #require(
        owned.filter { route.path.hasPrefix($0.key) }.max { $0.key.count < $1.key.count }?.value,
        "say here whose id \(route.path) has")
      let answer = stranger.send(route.method, path(route, id: id), [:], body(route))
      #expect(answer.status == 404 && answer.code == "not_found", "\(route.operation)")
      let unknown = stranger.send(route.method, path(route), [:], body(route))
      let none = stranger.send(route.method, path(route, id: "17"), [:], body(route))
      for other in [unknown, none] {
        #expect(other.status == 404 && other["detail"] == answer["detail"], "\(route.operation)")
      }
      seen += 1
    }
    #expect(seen > 8)
    // Nothing of it has changed.
    let after = anna.get("/api/links/" + linkID)
    #expect(after.bytes == link.bytes && after.headers[.eTag] == link.headers[.eTag])
    #expect(anna.get(try contact.path("/api/contacts")).bytes == contact.bytes)
    #expect(anna.get("/api/api-keys/" + keyID)["revokedAt"] == JSON.null)
    #expect(anna.get(try mailing.path("/api/mailing")).bytes == mailing.bytes)
  }

  @Test func anUndeclaredMethodIsRefused() throws {
    let anna = try house.account()
    let all: [HTTPRequest.Method] = [.get, .post, .put, .patch, .delete]
    for (path, routes) in Dictionary(grouping: routes, by: { self.path($0) }) {
      let declared = Set(routes.map(\.method))
      let allowed = declared.map(\.rawValue) + ["OPTIONS"] + (declared.contains(.get) ? ["HEAD"] : [])
      for method in all where !declared.contains(method) {
        let answer = anna.send(method, path)
        #expect(answer.status == 405 && answer.code == "method_not_allowed", "\(method) \(path)")
        #expect(answer.headers[.allow] == allowed.sorted().joined(separator: ", "), "\(method) \(path)")
      }
    }
  }

  @Test func anUnknownQueryParameterIsRefused() throws {
    let anna = try house.account()
    let linkID = try anna.link().string("id")
    let keyID = try anna.post("/api/api-keys", ["name": "k"]).string("id")
    // The operation that would end the session of this test comes with the others: 422 keeps it from running.
    for route in routes {
      let id = route.path.hasPrefix("/api/api-keys/") ? keyID : linkID
      let answer = anna.send(route.method, path(route, id: id) + "?limitt=1", [:], body(route))
      #expect(answer.status == 422, "\(route.operation)")
      #expect(answer.fields.contains("limitt unknown_field"), "\(route.operation)")
    }
  }

  @Test func aBodyMustBeJSON() throws {
    let anna = try house.account()
    let linkID = try anna.link().string("id")
    let keyID = try anna.post("/api/api-keys", ["name": "k"]).string("id")
    for route in routes where route.body != nil {
      let path = path(route, id: route.path.hasPrefix("/api/api-keys/") ? keyID : linkID)
      let typed = anna.send(route.method, path, [.contentType: "text/plain"], [:])
      #expect(typed.status == 415, "\(route.operation)")
      let list = anna.send(route.method, path, [:], [1])
      #expect(list.status == 422, "\(route.operation)")
      let typo = anna.send(route.method, path, [:], ["nonsense": 1])
      #expect(typo.status == 422 && typo.fields.contains("nonsense unknown_field"), "\(route.operation)")
    }
  }

  @Test func everyOperationIsNamedAndDocumented() throws {
    let document = house.app.openAPIDocument
    #expect(Set(routes.map(\.operation)).count == routes.count)
    let tags = JSON.texts(document["tags"]?.array ?? [], "name")
    for route in routes {
      let operation = try #require(document["paths"]?[route.path]?[route.method.rawValue.lowercased()])
      #expect(operation["operationId"]?.string == route.operation)
      #expect(operation["summary"]?.string?.isEmpty == false, "\(route.operation)")
      #expect(tags.contains(route.tag), "\(route.operation)")
      #expect(
        (operation["security"]?.array?.isEmpty ?? true) == (route.access == .anyone), "\(route.operation)")
    }
    let documented = document["paths"]?.object?.members.reduce(0) {
      $0 + ($1.value.object?.members.count ?? 0)
    }
    #expect(documented == routes.count)
  }
}
