import FLValues
import HTTPTypes
import Testing

@testable import FLHTTP

private struct Thing {
  var id: ID<Thing>
  var name: String
  var version = 3

  static let id = ID<Thing>(high: 0x019b_3c5e_7a3f_7cc2, low: 0x8d1e_3f6a_2b9c_4d5e)
  static let shape = Shape<Thing>.output("Thing", [.init("id", \.id, .id()), .init("name", \.name, .string)])
}

private struct NewThing {
  var name: String
  var note: String?

  static let shape = Shape<NewThing>(
    NewThing.init(name:note:), Field("name", \.name, .text(1...10)),
    Field("note", \.note, .optional(.text(0...10))))
}

private struct Empty {
  var reason: String?

  static let shape = Shape<Empty>({ Empty(reason: $0) }, Field("reason", \.reason, .optional(.text(1...10))))
}

private struct Search: Sendable {
  var text: String
}

private let router = Router<Void>([
  Route(
    .get, "/things/{id}", "getThing", access: .anyone, tag: "things", summary: "Read",
    .path("id", Shape<ID<Thing>>.id()),
    reply: .ok(Thing.shape).tagged { EntityTag(version: $0.version, state: "9") }
  ) { _, id in Thing(id: id, name: "one") },
  Route(
    .patch, "/things/{id}", "updateThing", access: .anyone, tag: "things", summary: "Change",
    .path("id", Shape<ID<Thing>>.id()), body: NewThing.shape,
    reply: .ok(Thing.shape).tagged { EntityTag(version: $0.version) }
  ) { call, new, id in
    try call.preconditions.check(EntityTag(version: 3))
    return Thing(id: id, name: new.name, version: 4)
  },
  Route(
    .post, "/things", "createThing", access: .anyone, tag: "things", summary: "Make", body: NewThing.shape,
    bodyLimit: 50,
    reply: .created(Thing.shape) { "/things/\($0.id)" }
  ) { _, new in Thing(id: Thing.id, name: new.name) },
  Route(
    .post, "/things/{id}/stop", "stopThing", access: .anyone, tag: "things", summary: "Stop",
    .path("id", Shape<ID<Thing>>.id()), body: Empty.shape, bodyMayBeAbsent: true, reply: .noContent
  ) { _, _, _ in () },
  Route(
    .get, "/things", "listThings", access: .anyone, tag: "things", summary: "List",
    .query("limit", .integer(1...100).defaulting(to: 25)),
    .query("ids", .optional(.list(of: .integer(0...99), atMost: 3))),
    .query("tags", .list(of: .text(1...5)).defaulting(to: [])), .query("deleted", .maybe(.bool)),
    .query("search", .text(1...10)),
    reply: .made("text/plain", description: "What was asked")
  ) { _, limit, ids, tags, deleted, search in
    let text = "\(limit) \(ids ?? []) \(tags) \(deleted.map(String.init) ?? "-") \(search)"
    return Response(status: 200, body: .bytes(Array(text.utf8)))
  },
])

/// What a request is answered; a problem as the response that it becomes.
private func answer(
  _ method: HTTPRequest.Method, _ path: String, query: String? = nil, _ headers: HTTPFields = [:],
  body: Request.Body = .empty
) throws -> Response {
  let request = Request(method: method, path: path, query: query, headers: headers, body: body)
  do {
    let call = Call(request, requestID: "r-1", caller: (), now: Timestamp(seconds: 0))
    return try router.match(request).respond(to: call)
  } catch let problem as Problem {
    return problem.response(instance: path, requestID: "r-1")
  }
}

private func json(_ text: String) -> Request.Body { .bytes(Array(text.utf8)) }
private let asJSON: HTTPFields = [.contentType: "application/json"]

extension Response {
  fileprivate var text: String { String(decoding: bytes, as: UTF8.self) }
  fileprivate var problem: JSON { (try? JSON(reading: bytes)) ?? .null }
  /// `field code` of each problem.
  fileprivate var errors: [String] {
    problem["errors"]?.array?.map { "\($0["field"]?.string ?? "") \($0["code"]?.string ?? "")" } ?? []
  }
}

struct RouteTests {
  private let path = "/things/\(Thing.id)"

  @Test func aProblemHasTheMembersThatItMustHave() throws {
    let response = try answer(.get, "/nowhere/\u{7F}\"")
    #expect(response.status == 404)
    #expect(response.headers[.contentType] == "application/problem+json")
    #expect(response.headers[.cacheControl] == "no-store")
    #expect(
      response.problem.object?.members.map(\.name) == [
        "type", "title", "status", "detail", "instance", "code", "requestId",
      ])
    #expect(response.problem["status"] == 404)
    #expect(response.problem["code"] == "not_found")
    #expect(response.problem["instance"] == "/nowhere/\u{7F}\"")
    #expect(response.problem["requestId"] == "r-1")
    #expect(response.problem["detail"]?.string?.isEmpty == false)

    let limited = Problem.rateLimited(retryAfter: .milliseconds(1500), "Slow down.")
      .response(instance: "/", requestID: "r")
    #expect(limited.headers[.retryAfter] == "2")
    let scope = Problem(403, "scope_missing", "No.", members: ["requiredScope": "links"])
      .response(instance: "/", requestID: "r")
    #expect(scope.problem["requiredScope"] == "links")
    let reused = Problem(422, "idempotency_key_reused", "No.").response(instance: "/", requestID: "r")
    #expect(reused.problem["errors"] == [])
    #expect(Problem.unauthenticated("x").headers[.wwwAuthenticate] != nil)
    #expect(Problem.conflict("x", field: "shortCode").errors.map(\.code) == ["taken"])
  }

  @Test func createsFromJSON() throws {
    let response = try answer(.post, "/things", asJSON, body: json(#"{"name":"x"}"#))
    #expect(response.status == 201)
    #expect(response.headers[.location] == path)
    #expect(response.headers[.contentType] == "application/json")
    #expect(response.text == #"{"id":"\#(Thing.id)","name":"x"}"#)
    for type in [
      "application/json; charset=utf-8", "Application/JSON;charset=\"UTF-8\"", " application/json ; a=b",
    ] {
      #expect(try answer(.post, "/things", [.contentType: type], body: json(#"{"name":"x"}"#)).status == 201)
    }
  }

  @Test func refusesOtherTypes() throws {
    for type in [
      "text/plain", "application/merge-patch+json", "application/jsonp", "application/json; charset=latin1",
      "",
      "application/x-www-form-urlencoded",
    ] {
      let response = try answer(.post, "/things", [.contentType: type], body: json(#"{"name":"x"}"#))
      #expect(response.status == 415 && response.problem["code"] == "unsupported_media_type", "\(type)")
    }
    #expect(try answer(.post, "/things", body: json("{}")).status == 415)
  }

  @Test func refusesBodiesThatAreNoJSONOrTooLong() throws {
    #expect(try answer(.post, "/things").status == 400)
    for text in ["", "{", #"{"name":"x"}}"#, #"{"name":"x","name":"y"}"#] {
      let response = try answer(.post, "/things", asJSON, body: json(text))
      #expect(response.status == 400 && response.problem["code"] == "malformed_json", "\(text)")
    }
    let exact = #"{"name":"x"}"# + String(repeating: " ", count: 38)
    #expect(try answer(.post, "/things", asJSON, body: json(exact)).status == 201)
    let long = try answer(.post, "/things", asJSON, body: json(exact + " "))
    #expect(long.status == 413 && long.problem["maxBytes"] == 50)
    for text in ["[]", "null", "7", "\"x\""] {
      let response = try answer(.post, "/things", asJSON, body: json(text))
      #expect(response.status == 422 && response.errors == ["body invalid_type"], "\(text)")
    }
    let wrong = try answer(.post, "/things", query: "b=1", asJSON, body: json(#"{"name":"","x":1}"#))
    #expect(wrong.errors.sorted() == ["b unknown_field", "name too_short", "x unknown_field"])
    #expect(wrong.problem["code"] == "invalid")
  }

  @Test(arguments: [HTTPRequest.Method.post, .get, .patch]) func refusesWhatTheTransportRefused(
    method: HTTPRequest.Method
  ) throws {
    let path = method == .post ? "/things" : path
    func status(_ refusal: Request.Refusal) throws -> Int {
      try answer(method, path, asJSON, body: .refused(refusal)).status
    }
    #expect(try status(.tooLarge(limit: 10)) == 413)
    #expect(try status(.truncated) == 400)
    #expect(try status(.badLength) == 400)
    let large = try answer(method, path, asJSON, body: .refused(.tooLarge(limit: 10)))
    #expect(large.problem["maxBytes"] == 10)
  }

  @Test func aBodyMayBeAbsentWhereTheRouteSaysSo() throws {
    let stop = path + "/stop"
    #expect(try answer(.post, stop).status == 204)
    #expect(try answer(.post, stop, asJSON).status == 204)
    #expect(try answer(.post, stop, [.contentType: "application/x-www-form-urlencoded"]).status == 204)
    #expect(try answer(.post, stop, asJSON, body: json("{}")).status == 204)
    #expect(try answer(.post, stop, body: json("{}")).status == 415)
    #expect(try answer(.post, stop, asJSON, body: json(#"{"why":1}"#)).status == 422)
    #expect(try answer(.post, stop).bytes.isEmpty)
  }

  @Test func aMergePatchHasATypeOfItsOwn() throws {
    let body = json(#"{"name":"y"}"#)
    for type in ["application/merge-patch+json", "application/json"] {
      let response = try answer(.patch, path, [.contentType: type], body: body)
      #expect(response.status == 200 && response.headers[.eTag] == "\"4\"")
    }
    #expect(try answer(.patch, path, [.contentType: "text/json"], body: body).status == 415)
    #expect(
      try answer(.patch, path, [.contentType: "application/json", .ifMatch: "\"3.1\""], body: body).status
        == 200)
    let stale = try answer(.patch, path, [.contentType: "application/json", .ifMatch: "\"2\""], body: body)
    #expect(stale.status == 412 && stale.problem["code"] == "precondition_failed")
    // What the client has does not matter to a change.
    let fresh = try answer(
      .patch, path, [.contentType: "application/json", .ifNoneMatch: "\"4\""], body: body)
    #expect(fresh.status == 200)
  }

  @Test(arguments: [HTTPRequest.Method.get, .head]) func answersNotModified(method: HTTPRequest.Method) throws
  {
    let response = try answer(method, path)
    #expect(response.status == 200 && response.headers[.eTag] == "\"3.9\"")
    let same = try answer(method, path, [.ifNoneMatch: "\"1\", \"3.9\""])
    #expect(same.status == 304 && same.headers[.eTag] == "\"3.9\"" && same.bytes.isEmpty)
    #expect(same.headers[.contentType] == nil)
    #expect(try answer(method, path, [.ifNoneMatch: "\"3.8\""]).status == 200)
  }

  @Test func anIdThatIsNoneIsNotFound() throws {
    for id in ["7", "x", Thing.id.description + "0", "%7B%7D", Thing.id.description.replacing("-", with: "")]
    {
      #expect(try answer(.get, "/things/\(id)").status == 404)
      #expect(try answer(.patch, "/things/\(id)", asJSON, body: json("{")).status == 404)
    }
  }

  @Test func readsQueryParameters() throws {
    func text(_ query: String) throws -> String { try answer(.get, "/things", query: query).text }
    #expect(try text("search=a+b%C3%A9") == "25 [] [] - a bé")
    #expect(
      try text("deleted=false&ids=1,2,30&limit=100&tags=red,b%20c&search=x")
        == #"100 [1, 2, 30] ["red", "b c"] false x"#)
    #expect(try text("search=true&tags=1,true&ids=&") == #"25 [] ["1", "true"] - true"#)
  }

  @Test func refusesQueryParametersAllAtOnce() throws {
    let response = try answer(
      .get, "/things", query: "limit=0&limits=5&ids=1,x,100&tags=a,,b&deleted=1&%zz=1&b=%zz")
    #expect(response.status == 422)
    #expect(
      Set(response.errors) == [
        "limit out_of_range", "limits unknown_field", "ids[1] invalid_type", "ids[2] out_of_range",
        "tags[1] too_short", "deleted invalid_type", "%zz unknown_field", "b unknown_field",
        "search required",
      ])
    for (query, error) in [
      ("search=x&limit=1&limit=1", "limit repeated"), ("search=%zz", "search invalid_encoding"),
      ("search=%FF", "search invalid_encoding"), ("search=%00", "search control_character"),
      ("search", "search too_short"), ("search=x&limit=", "limit invalid_type"),
      ("search=x&limit=1e1", "limit invalid_type"),
      ("search=x&limit=+1", "limit invalid_type"), ("search=x&limit=--1", "limit invalid_type"),
      ("search=x&limit=99999999999999999999", "limit invalid_type"), ("search=x&ids=1,2,3,4", "ids too_long"),
      ("search=x&deleted=null", "deleted invalid_type"), ("search=x&Limit=1", "Limit unknown_field"),
    ] {
      #expect(try answer(.get, "/things", query: query).errors == [error], "\(query)")
    }
    #expect(try answer(.get, "/things", query: "search=x&y=1").problem["code"] == "unknown_field")
    #expect(try answer(.get, path, query: "x").errors == ["x unknown_field"])
  }
}
