import Foundation
import HTTPTypes
import Testing

@testable import FLApp
@testable import FLHTTP

/// Whatever comes in, no answer is an error of ours.
@Suite struct HostileInputTests {
  private static let shared = Result { try House() }
  let house: House

  init() throws { house = try Self.shared.get() }

  static let texts = [
    "", " ", "\u{0}", "a\u{0}b", "\u{1F31E}\u{1F468}\u{200D}\u{1F469}", "\u{202E}x", "\u{FFFF}", "\u{10FFFF}",
    "\u{301}",
    "%", "_", "\\", "'", "\"", "'; DROP TABLE links; --", "{{x}}", "<script>", "../../etc/passwd", "null",
    "-1", "NaN",
    "1e400", "9223372036854775807", "9223372036854775808", "0001-01-01T00:00:00Z", "0000-00-00T00:00:00Z",
    "9999-12-31T23:59:59Z", "2026-02-30T00:00:00Z", "2026-01-01T00:00:00+23:59", "true",
    String(repeating: "\u{e4}", count: 255), String(repeating: "x", count: 5000),
    String(repeating: "\u{1F31E}", count: 255),
  ]

  @Test func inAQuery() throws {
    let anna = try house.account()
    let link = try anna.link().string("id")
    for route in house.app.routes where route.method == .get && !route.queryNames.isEmpty {
      let path = route.path.replacing("{id}", with: link)
      for name in route.queryNames {
        for text in Self.texts {
          let answer = anna.get("\(path)?\(name)=\(PercentEncoding.encode(text))")
          #expect(answer.status < 500, "\(path) \(name)=\(text.prefix(40)): \(answer)")
        }
        for raw in ["%", "%zz", "%FF", "%C0%80", "%ED%A0%80", "\u{e4}", "a=b", "+"] {
          #expect(anna.get("\(path)?\(name)=\(raw)").status < 500, "\(path) \(name)=\(raw)")
        }
      }
    }
  }

  @Test func inAPath() throws {
    // A house of its own, where nobody takes `null` for a code.
    let house = try House()
    let anna = try house.account()
    let link = try anna.link(["tags": ["x"]]).path()
    for text in Self.texts where (1..<1500).contains(text.utf8.count) {
      let encoded = PercentEncoding.encode(text)
      for path in ["/api/links/" + encoded, "/api/api-keys/" + encoded, "/" + encoded, "/" + encoded + "+"] {
        // Some of the texts are short codes, which a test beside this one may have made.
        #expect(anna.get(path).status < 500, "\(path)")
      }
      #expect([404, 204].contains(anna.delete(link + "/tags/" + encoded).status), "\(encoded)")
    }
  }

  @Test func inAMember() throws {
    let anna = try house.account()
    let path = try anna.link().path()
    let values =
      Self.texts.map { JSON.string($0) } + [
        .null, .bool(true), .integer(.max), .integer(.min), .integer(0), .number(1.5), .number(1e300), [],
        [[]], [:],
        [nil], ["x": "y"], .array(Array(repeating: "x", count: 1000)),
      ]
    let names =
      LinkTests.everything.members.map(\.name) + ["shortCode", "password", "tags", "nonsense", "", "\u{0}"]
    for name in names {
      for value in values {
        let changed = anna.patch(path, .object([name: value]))
        #expect(changed.status < 500, "\(name): \(changed)")
        var wish: JSONObject = ["destinationUrl": "https://example.org/"]
        // What was taken would be a conflict the next time.
        if !["externalId", "shortCode"].contains(name) { wish[name] = value }
        if name == "password", value.string?.isEmpty == false { continue }
        #expect(anna.post("/api/links", .object(wish)).status < 500, "\(name)")
      }
    }
    #expect(anna.get(path).status == 200 && anna.get("/api/links").status == 200)
  }

  @Test func inABody() throws {
    let anna = try house.account()
    for (body, status) in [
      ("", 400), ("{", 400), ("nonsense", 400), ("\"x\"", 422), ("[]", 422), ("null", 422), ("7", 422),
      ("{\"a\":1,\"a\":2}", 400), ("{\"title\":\"\\ud800\"}", 400),
      (String(repeating: "[", count: 100_000), 400), ("{\"x\":" + String(repeating: "[", count: 5000), 400),
      ("{\"destinationUrl\":\"https://example.org/\"} x", 400),
      ("{\"destinationUrl\":\"" + String(repeating: "x", count: 2_000_000) + "\"}", 413),
    ] {
      let response = house.app.respond(
        to: Request(
          method: .post, path: "/api/links",
          headers: [
            .contentType: "application/json", .authorization: anna.credentials[.authorization] ?? "",
          ], body: .bytes(Array(body.utf8))))
      #expect(response.status == status, "\(body.prefix(40)): \(response.status)")
    }
    for (refusal, status) in [
      (Request.Refusal.tooLarge(limit: 9), 413), (.truncated, 400), (.badLength, 400),
    ] {
      let response = house.app.respond(
        to: Request(
          method: .post, path: "/api/links",
          headers: [
            .contentType: "application/json", .authorization: anna.credentials[.authorization] ?? "",
            .idempotencyKey: "a",
          ], body: .refused(refusal)))
      #expect(response.status == status, "\(refusal)")
    }
    #expect(anna.get("/api/links")["total"] == 0)
  }

  @Test func inRegistering() throws {
    for (index, text) in Self.texts.enumerated() {
      // One address a try, in front of which the text stands.
      let email = "\(text.prefix(40))\(index)@example.org"
      for body: JSON in [
        ["email": .string(text), "password": "12345678", "name": "x"],
        ["email": .string(email), "password": "12345678", "name": .string(text)],
        ["email": .string("x@\(text)\(index).org"), "password": .string(text), "name": "x"],
      ] {
        #expect(house.nobody.post("/api/auth/register", body).status < 500, "\(body.text.prefix(100))")
      }
      for path in ["/api/auth/login", "/api/auth/session"] {
        let answer = house.nobody.post(path, ["email": .string(text), "password": "guess"])
        #expect([401, 422, 429].contains(answer.status), "\(path) \(text.prefix(40)): \(answer)")
      }
      for body: (path: String, member: String) in [
        ("/api/auth/refresh", "refreshToken"), ("/api/auth/password/forgot", "email"),
      ] {
        #expect(
          house.nobody.post(body.path, .object([body.member: .string(text)])).status < 500, "\(body.path)")
      }
    }
  }

  @Test func inAHeader() throws {
    let anna = try house.account()
    let path = try anna.link().path()
    for name in [
      "If-Match", "If-None-Match", "X-Request-Id", "Cookie", "Origin", "User-Agent", "Referer",
      "Accept-Language",
      "X-Api-Key", "Authorization", "Content-Type", "Idempotency-Key", "Accept", "Range",
    ] {
      let field = try #require(HTTPField.Name(name))
      for text in Self.texts + ["Bearer ", "Bearer \u{e4}", "fl_session=", "\"", "W/", ",,,", "*"] {
        let value = HTTPField.isValidValue(text) ? text : "x"
        #expect(anna.get(path, [field: value]).status < 500, "\(name): \(value.prefix(40))")
        #expect(anna.patch(path, ["title": "x"], [field: value]).status < 500, "\(name): \(value.prefix(40))")
        #expect(house.nobody.get("/nothing", [field: value]).status == 404)
      }
    }
  }
}
