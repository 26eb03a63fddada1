import FLValues
import HTTPTypes
import Testing

@testable import FLHTTP

private struct Thing {
  var name: String
  var kind: String?
  var parts: [String]

  static let shape = Shape<Thing>(
    Thing.init(name:kind:parts:), Field("name", \.name, .text(1...10)),
    Field("kind", \.kind, .optional(.text(1...10))),
    Field("parts", \.parts, .list(of: .text(1...10)).defaulting(to: []))
  ).named("Thing")
}

private let routes: [Route<Void>] = [
  Route(
    .get, "/things", "listThings", access: .scope("things"), tag: "things", summary: "List things",
    problems: [410],
    .query("limit", .integer(1...100).defaulting(to: 25), "How many."),
    .query("kind", .optional(.text(1...10))),
    .query("ids", .optional(.list(of: .integer(1...9)))), .query("search", .text(1...9)),
    reply: .list(Thing.shape, named: "Thing")
  ) { _, _, _, _, _ in Page(items: [], nextCursor: nil, total: 0) },
  Route(
    .post, "/things", "createThing", access: .scope("things"), tag: "things", summary: "Make",
    body: Thing.shape,
    reply: .created(Thing.shape) { _ in "/things/1" }
  ) { _, thing in thing },
  Route(
    .get, "/things/{id}", "getThing", access: .account, tag: "things", summary: "Read",
    .path("id", .integer(1...9)),
    reply: .ok(Thing.shape).tagged { _ in EntityTag(version: 1) }
  ) { _, _ in Thing(name: "x", kind: nil, parts: []) },
  Route(
    .patch, "/things/{id}", "updateThing", access: .person, tag: "things", summary: "Change", problems: [412],
    .path("id", .integer(1...9)), body: Thing.shape, reply: .ok(Thing.shape)
  ) { _, thing, _ in thing },
  Route(
    .post, "/things/search", "searchThings", access: .scope("things", reads: true), tag: "things",
    summary: "Find",
    body: Thing.shape, bodyMayBeAbsent: true, reply: .noContent
  ) { _, _ in () },
  Route(
    .get, "/picture", "getPicture", access: .anyone, tag: "things", summary: "Look",
    reply: .made("image/png", "image/svg+xml", description: "A picture")
  ) { _ in Response(status: 200) },
]

struct OpenAPITests {
  private let document = OpenAPI.document(
    .init(title: "Things", version: "1", description: "All of them.", tags: [("things", "Things.")]),
    server: "https://example.com", routes: routes)

  private func operation(_ method: String, _ path: String) -> JSON? { document["paths"]?[path]?[method] }

  /// Every value of `$ref` below `json`.
  private func references(_ json: JSON) -> [String] {
    switch json {
    case .array(let elements): elements.flatMap(references)
    case .object(let object):
      object.members.flatMap { $0.name == "$ref" ? [$0.value.string ?? "?"] : references($0.value) }
    default: []
    }
  }

  @Test func everyOperationIsThereOnce() {
    #expect(document["openapi"] == "3.1.0")
    let operations =
      document["paths"]?.object?.members.flatMap { $0.value.object?.members.map(\.value) ?? [] } ?? []
    let names = operations.compactMap { $0["operationId"]?.string }
    #expect(names.sorted() == routes.map(\.operation).sorted())
    #expect(Set(names).count == names.count)
    #expect(operation("get", "/things")?["tags"] == ["things"])
  }

  @Test func everyReferenceResolves() {
    let all = Set(references(document))
    #expect(all.contains("#/components/schemas/Thing") && all.contains("#/components/schemas/ThingList"))
    for reference in all {
      let target = reference.split(separator: "/").dropFirst().reduce(JSON?.some(document)) {
        $0?[String($1)]
      }
      #expect(reference.hasPrefix("#/") && target != nil, "\(reference)")
    }
  }

  @Test func parametersSayWhatIsRequired() throws {
    func parameter(_ path: String, _ name: String) -> JSON? {
      operation("get", path)?["parameters"]?.array?.first { $0["name"]?.string == name }
    }
    let limit = try #require(parameter("/things", "limit"))
    #expect(limit["in"] == "query" && limit["required"] == false && limit["description"] == "How many.")
    #expect(limit["schema"] == ["type": "integer", "minimum": 1, "maximum": 100, "default": 25])
    #expect(parameter("/things", "search")?["required"] == true)
    #expect(parameter("/things", "kind")?["schema"]?["type"] == "string")
    let ids = try #require(parameter("/things", "ids"))
    #expect(ids["style"] == "form" && ids["explode"] == false && ids["schema"]?["type"] == "array")
    let id = try #require(parameter("/things/{id}", "id"))
    #expect(id["in"] == "path" && id["required"] == true)
  }

  @Test func conditionsAndKeysStandWhereTheyHold() {
    func conditions(_ method: String, _ path: String) -> [String] {
      operation(method, path)?["parameters"]?.array?.compactMap {
        $0["$ref"]?.string?.split(separator: "/").last.map(String.init)
      }
        ?? []
    }
    #expect(conditions("get", "/things/{id}") == ["IfNoneMatch"])
    #expect(conditions("patch", "/things/{id}") == ["IfMatch"])
    #expect(conditions("post", "/things") == ["IdempotencyKey"])
    #expect(conditions("get", "/things").isEmpty)
  }

  @Test func accessBecomesSecurity() {
    #expect(operation("get", "/picture")?["security"] == [])
    #expect(operation("patch", "/things/{id}")?["security"] == [["bearer": []], ["cookie": []]])
    #expect(
      operation("get", "/things/{id}")?["security"] == [["bearer": []], ["apiKey": []], ["cookie": []]])
    #expect(
      operation("get", "/things")?["security"] == [
        ["bearer": []], ["apiKey": ["things:read"]], ["cookie": []],
      ])
    #expect(operation("get", "/things")?["x-required-scope"] == "things:read")
    #expect(operation("post", "/things")?["x-required-scope"] == "things")
    #expect(operation("post", "/things/search")?["x-required-scope"] == "things:read")
    #expect(operation("get", "/things/{id}")?["x-required-scope"] == nil)
    let schemes = document["components"]?["securitySchemes"]?.object?.members.map(\.name)
    #expect(schemes == ["bearer", "apiKey", "cookie"])
  }

  @Test func responsesFollowFromTheRoute() {
    func statuses(_ method: String, _ path: String) -> [String] {
      operation(method, path)?["responses"]?.object?.members.map(\.name).sorted() ?? []
    }
    #expect(statuses("get", "/picture") == ["200", "422", "429", "503", "default"])
    #expect(statuses("get", "/things") == ["200", "401", "403", "410", "422", "429", "503", "default"])
    #expect(
      statuses("post", "/things") == [
        "201", "400", "401", "403", "409", "413", "415", "422", "429", "503", "default",
      ])
    #expect(
      statuses("get", "/things/{id}") == ["200", "304", "401", "403", "404", "422", "429", "503", "default"])
    #expect(statuses("post", "/things/search").contains("204"))
    let created = operation("post", "/things")?["responses"]?["201"]
    #expect(created?["headers"]?["Location"] != nil)
    #expect(created?["content"]?["application/json"]?["schema"] == ["$ref": "#/components/schemas/Thing"])
    #expect(operation("get", "/things/{id}")?["responses"]?["200"]?["headers"]?["ETag"] != nil)
    #expect(operation("post", "/things/search")?["responses"]?["204"]?["content"] == nil)
    let picture = operation("get", "/picture")?["responses"]?["200"]?["content"]?.object?.members.map(\.name)
    #expect(picture == ["image/png", "image/svg+xml"])
  }

  @Test func bodiesSayWhetherTheyMustBeThere() {
    #expect(operation("post", "/things")?["requestBody"]?["required"] == true)
    #expect(operation("post", "/things/search")?["requestBody"]?["required"] == false)
    let types = operation("patch", "/things/{id}")?["requestBody"]?["content"]?.object?.members.map(\.name)
    #expect(types == ["application/json", "application/merge-patch+json"])
    #expect(operation("get", "/things")?["requestBody"] == nil)
  }

  @Test func theProblemSchemaHasWhatProblemsHave() throws {
    let schema = try #require(document["components"]?["schemas"]?["Problem"])
    let problem = Problem.invalid("a", "b", "c").response(instance: "/", requestID: "r")
    let members = try JSON(reading: problem.bytes).object?.members.map(\.name) ?? []
    let required = schema["required"]?.array?.compactMap(\.string) ?? []
    #expect(Set(required).isSubset(of: members))
    #expect(Set(members).isSubset(of: schema["properties"]?.object?.members.map(\.name) ?? []))
  }
}
