import FLMariaDB
import FLTestDatabase
import HTTPTypes
import Testing

@testable import FLApp
@testable import FLHTTP

@Suite struct DocumentsTests {
  @Test func healthTellsThatAllIsWell() throws {
    let house = try House()
    let answer = house.nobody.get("/health")
    #expect(answer.status == 200 && answer["status"] == "ok" && answer["database"] == "reachable")
    #expect(answer["schemaVersion"] == answer["expectedSchemaVersion"])
    #expect(answer["schemaVersion"]?.integer ?? 0 >= 10 && answer["lostClicks"] == 0)
    #expect(answer.headers[.cacheControl] == "no-store")
  }

  @Test func healthTellsThatTheSchemaIsOld() throws {
    let house = try House()
    let newest = house.app.migrations.latest
    try house.app.database.run("DELETE FROM schema_migrations WHERE version = \(newest)")
    let answer = house.nobody.get("/health")
    #expect(answer.status == 503 && answer["status"] == "schema_outdated")
    #expect(answer.headers[.retryAfter] != nil)
  }

  @Test func healthTellsThatTheDatabaseIsAway() throws {
    let server = try TestServer()
    let house = try House(on: server)
    #expect(house.nobody.get("/health").status == 200)
    server.stop()
    let away = house.nobody.get("/health")
    #expect(away.status == 503 && away["status"] == "database_unreachable")
    #expect(away["database"] == "unreachable" && away["schemaVersion"] == JSON.null)
    #expect(away.headers[.retryAfter] == "5")
    try server.start()
    #expect(house.nobody.get("/health").status == 200)
  }

  @Test func theDocumentHasATag() throws {
    let house = try House()
    let answer = house.nobody.get("/openapi/v1.json")
    #expect(answer.status == 200 && answer["openapi"] == "3.1.0")
    #expect(answer.body == house.app.openAPIDocument)
    #expect(answer["servers"] == [["url": .string(House.origin)]])
    let tag = try #require(answer.headers[.eTag])
    // A server that compresses makes the tag a weak one.
    for wanted in [tag, "W/" + tag, "\"x\", " + tag, "*"] {
      let fresh = house.nobody.get("/openapi/v1.json", [.ifNoneMatch: wanted])
      #expect(fresh.status == 304 && fresh.bytes.isEmpty && fresh.headers[.eTag] == tag, "\(wanted)")
    }
    #expect(house.nobody.get("/openapi/v1.json", [.ifNoneMatch: "\"x\""]).status == 200)
  }

  @Test func unknownAddressesOfTheAPIAreProblems() throws {
    let house = try House()
    for path in [
      "/api", "/api/", "/api/nothing", "/api/links/", "/api//links", "/openapi/v2.json", "/health/",
    ] {
      let answer = house.nobody.get(path)
      #expect(answer.status == 404, "\(path)")
      if path == "/health/" { continue }
      #expect(answer.headers[.contentType] == "application/problem+json", "\(path)")
      #expect(answer["instance"]?.string == path && answer.code == "not_found")
      #expect(answer["requestId"]?.string == answer[field: "X-Request-Id"])
    }
  }

  @Test func aSaneRequestIDIsKept() throws {
    let house = try House()
    for sane in ["abc", "019a-B.c_d", String(repeating: "x", count: 128)] {
      #expect(house.nobody.get("/api/plans", [.requestID: sane])[field: "X-Request-Id"] == sane)
    }
    var seen: Set<String> = []
    for odd in ["", "a b", "a\"b", "ä", String(repeating: "x", count: 129)] {
      let made = try #require(house.nobody.get("/api/plans", [.requestID: odd])[field: "X-Request-Id"])
      #expect(made != odd && !made.isEmpty)
      seen.insert(made)
    }
    #expect(seen.count == 5)
  }

  @Test func thePagesAreThere() throws {
    let house = try House()
    for path in ["/", "/scalar/v1", "/robots.txt"] {
      #expect(house.nobody.get(path).status == 200, "\(path)")
      #expect(house.nobody.post(path).status == 405, "\(path)")
    }
    #expect(house.nobody.get("/").text.contains(House.origin))
  }

  @Test func aComponentsNameIsOfOneSchema() throws {
    var schemas: [String: JSON] = [:]
    for route in try House().app.routes {
      let all = [route.body?.named, route.reply.schema?.named, route.parameterSchemas].compactMap { $0 }
      for (name, schema) in all.joined() {
        #expect(schemas[name, default: schema] == schema, "\(name), of \(route.operation)")
        schemas[name] = schema
      }
    }
    #expect(schemas.count > 30)
  }
}
