import FLHTTP
import Testing

@testable import FLApp

@Suite struct AdministrationTests {
  @Test func makesAnAccountWithAKey() throws {
    let house = try House()
    let made = try house.administration.createAccount(
      email: "Op@Example.org", password: "12345678", name: "Operator", plan: "professional",
      apiKeyName: "first")
    let json = try JSON(reading: Array(made.json.utf8))
    #expect(json["email"] == "Op@Example.org" && json["password"] == "12345678")
    #expect(json["baseUrl"]?.string == House.origin)
    var program = house.nobody
    program.credentials[.apiKey] = try #require(json["apiKey"]?.string)
    #expect(program.get("/api/auth/me")["plan"] == "professional")
    #expect(program.post("/api/links", ["destinationUrl": "https://example.org/"]).status == 201)
    program.email = "op@example.org"
    #expect(program.logIn("12345678").status == 200)
    #expect(made.words.contains(try #require(json["apiKey"]?.string)))
  }

  @Test func refusesWhatRegisteringRefuses() throws {
    let house = try House()
    let anna = try house.account()
    func failure(_ email: String, _ password: String = "12345678", plan: String = "free") throws
      -> Administration.Failure?
    {
      #expect(throws: Administration.Failure.self) {
        try house.administration.createAccount(
          email: email, password: password, name: "x", plan: plan, apiKeyName: nil)
      }
    }
    #expect(try failure(anna.email)?.isAddressTaken == true)
    #expect(try failure("nobody")?.description.contains("email") == true)
    #expect(try failure("a@example.org", "short")?.description.contains("password") == true)
    #expect(try failure("a@example.org", plan: "gold")?.description.contains("professional") == true)
    #expect(try house.count("SELECT COUNT(*) FROM accounts") == 1)
  }

  @Test func listsThePlans() throws {
    let lines = try House().administration.plans()
    try #require(lines.count == 5)
    #expect(lines[0].hasPrefix("free: links a month 5, "))
    #expect(lines[4].contains("links a month no limit") && lines[4].contains("payments"))
  }
}
