import FLHTTP
import HTTPTypes
import Testing

@testable import FLApp

@Suite struct CrossOriginTests {
  private static let shared = Result { try House() }
  let house: House
  private let origin: HTTPFields = [.origin: "https://shop.example"]

  init() throws { house = try Self.shared.get() }

  @Test func aPreflightTellsWhatMayBeSent() throws {
    var headers = origin
    headers[.accessControlRequestMethod] = "PATCH"
    headers[.accessControlRequestHeaders] = "x-api-key, content-type"
    let answer = house.nobody.send(.options, "/api/links/019a0000-0000-7000-8000-000000000000", headers)
    #expect(answer.status == 204 && answer.bytes.isEmpty)
    #expect(answer.headers[.accessControlAllowOrigin] == "*")
    #expect(answer.headers[.accessControlAllowMethods] == "DELETE, GET, HEAD, OPTIONS, PATCH")
    let accepted = try #require(answer.headers[.accessControlAllowHeaders])
      .split(separator: ",").map { $0.drop { $0 == " " }.lowercased() }
    for name in [
      "authorization", "x-api-key", "content-type", "idempotency-key", "if-match", "if-none-match",
      "x-request-id",
      "x-fastlinkit-source",
    ] {
      #expect(accepted.contains(name), "\(name)")
    }
    // The cookie does not work from elsewhere.
    #expect(!accepted.contains("x-csrf-token"))
    #expect(answer[field: "Access-Control-Allow-Credentials"] == nil)
  }

  @Test func optionsWithoutPreflightTellsTheMethods() {
    let answer = house.nobody.send(.options, "/api/links")
    #expect(answer.status == 204 && answer.headers[.allow] == "GET, HEAD, OPTIONS, POST")
    #expect(answer.headers[.accessControlAllowMethods] == nil)
  }

  @Test func everyAnswerMayBeRead() throws {
    let key = try house.keyholder()
    let stranger = house.nobody
    let answers = [
      key.get("/api/links", origin), key.get("/api/nothing", origin), stranger.get("/api/links", origin),
      key.post("/api/links", [:], origin), stranger.get("/health", origin),
    ]
    #expect(answers.map(\.status) == [200, 404, 401, 422, 200])
    for answer in answers {
      #expect(answer.headers[.accessControlAllowOrigin] == "*")
      #expect(answer[field: "Access-Control-Allow-Credentials"] == nil)
      let exposed = try #require(answer.headers[.accessControlExposeHeaders])
      for name in ["ETag", "Location", "Retry-After", "X-Request-Id", "RateLimit", "Idempotency-Replayed"] {
        #expect(exposed.contains(name))
      }
    }
  }

  @Test func aRedirectIsNoPartOfTheAPI() throws {
    let anna = try house.account()
    let link = try anna.link()
    #expect(house.nobody.get(try link.shortPath(), origin).headers[.accessControlAllowOrigin] == nil)
  }
}
