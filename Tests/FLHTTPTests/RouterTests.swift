import FLValues
import HTTPTypes
import Testing

@testable import FLHTTP

/// A route that answers its name and what its varying segments are.
private func route(_ method: HTTPRequest.Method, _ path: String, _ name: String) -> Route<Void> {
  Route(
    method, path, name, access: .anyone, tag: "test", summary: name,
    reply: .made("text/plain", description: "OK")
  ) { call in
    call.headers.append(HTTPField(name: .setCookie, value: "a=1"))
    call.headers.append(HTTPField(name: .setCookie, value: "b=2"))
    call.headers[.cacheControl] = "no-store"
    return Response(status: 200, headers: [.cacheControl: "public", .contentType: "text/plain"])
  }
}

struct RouterTests {
  private let router = Router<Void>([
    route(.get, "/", "home"), route(.get, "/{code}", "redirect"), route(.post, "/{code}", "unlock"),
    route(.get, "/health", "health"), route(.get, "/api/links", "list"), route(.post, "/api/links", "create"),
    route(.get, "/api/links/{id}", "read"), route(.patch, "/api/links/{id}", "update"),
    route(.delete, "/api/links/{id}", "delete"), route(.post, "/api/links/bulk", "bulk"),
    route(.get, "/api/links/{id}/tags/{name}", "tag"), route(.get, "/api/{kind}/special", "special"),
    route(.get, "/api/api-keys", "keys"),
  ])

  /// The operation at `path` and its values in order, or the status of the refusal.
  private func found(_ path: String, _ method: HTTPRequest.Method = .get) -> String {
    do throws(Problem) {
      let match = try router.match(Request(method: method, path: path))
      let values = match.inputs.path.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }
      return match.route.operation + values.joined()
    } catch {
      return "\(error.status)" + (error.headers[.allow].map { " \($0)" } ?? "")
    }
  }

  @Test func findsFixedBeforeVarying() {
    #expect(found("/") == "home")
    #expect(found("/health") == "health")
    #expect(found("/healthy") == "redirect code=healthy")
    #expect(found("/api") == "redirect code=api")
    #expect(found("/api/links") == "list")
    #expect(found("/api/links", .post) == "create")
    #expect(found("/api/links/7") == "read id=7")
    #expect(found("/api/links/bulk", .post) == "bulk")
    #expect(found("/api/links/7/tags/red") == "tag id=7 name=red")
  }

  @Test func goesBackWhereAFixedSegmentLeadsNowhere() {
    #expect(found("/api/qrcodes/special") == "special kind=qrcodes")
    // `links` is a fixed segment below which `special` is an id.
    #expect(found("/api/links/special") == "read id=special")
    #expect(found("/api/links/bulk/tags/x") == "tag id=bulk name=x")
  }

  @Test func refusesWhatIsNowhere() {
    for path in [
      "", "*", "x", "xhealth", "http://example.com/health", "//", "//health", "/health/", "/api/",
      "/api/links/",
      "/api//links", "/api/links/7/", "/api/links/7/tags", "/api/links/7/tags/", "/api/links//tags/x",
      "/api/links/7/x",
    ] { #expect(found(path) == "404", "\(path)") }
  }

  @Test func decodesSegments() {
    #expect(found("/a%20b%C3%A9") == "redirect code=a bé")
    #expect(found("/a+b") == "redirect code=a+b")
    #expect(found("/a%2Fb") == "redirect code=a/b")
    #expect(found("/api%2Flinks") == "redirect code=api/links")
    #expect(found("/api/api%2Dkeys") == "keys")
    #expect(found("/%68ealth") == "health")
    #expect(found("/%2e%2e") == "redirect code=..")
    for path in ["/%", "/%4", "/%zz", "/%FF", "/%C0%AF", "/a%00", "/%00", "/api/links/%00/tags/x"] {
      #expect(found(path) == "404", "\(path)")
    }
  }

  @Test func refusesOtherMethodsWithAllow() {
    #expect(found("/api/links", .delete) == "405 GET, HEAD, OPTIONS, POST")
    #expect(found("/api/links/7", .post) == "405 DELETE, GET, HEAD, OPTIONS, PATCH")
    #expect(found("/api/links/bulk") == "405 OPTIONS, POST")
    #expect(found("/api/links/bulk", .head) == "405 OPTIONS, POST")
    #expect(found("/health", HTTPRequest.Method("BREW") ?? .trace) == "405 GET, HEAD, OPTIONS")
    #expect(found("/api/links", .head) == "list")
    #expect(router.methods(of: Request(path: "/health")) == ["GET", "HEAD", "OPTIONS"])
    #expect(router.methods(of: Request(path: "/nothing/here")) == [])
  }

  @Test func theCallsHeadersGoBeforeTheRepliesAndAreAllKept() throws {
    let request = Request(path: "/health")
    let call = Call(request, requestID: "r", caller: (), now: Timestamp(seconds: 0))
    let response = try router.match(request).respond(to: call)
    #expect(response.headers[values: .setCookie] == ["a=1", "b=2"])
    #expect(response.headers[values: .cacheControl] == ["no-store"])
    #expect(response.headers[.contentType] == "text/plain")
  }
}
