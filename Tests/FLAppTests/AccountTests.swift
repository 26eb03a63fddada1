import FLHTTP
import Testing

@testable import FLApp

@Suite struct AccountTests {
  private static let shared = Result { try House() }
  let house: House

  init() throws { house = try Self.shared.get() }

  @Test func registers() throws {
    let answer = house.nobody.post(
      "/api/auth/register",
      ["email": "Otto.Käfer@Example.org", "password": "12345678", "name": "Otto Käfer"])
    #expect(answer.status == 201)
    #expect(answer.location == "/api/auth/me")
    let user = try #require(answer["user"])
    #expect(
      user["email"] == "Otto.Käfer@Example.org" && user["name"] == "Otto Käfer" && user["plan"] == "free")
    #expect(!answer.text.contains("12345678") && !answer.text.contains("argon2"))
  }

  @Test func namesEveryBadField() {
    let answer = house.nobody.post(
      "/api/auth/register", ["email": "nobody", "password": "short", "name": "", "plan": "unlimited"])
    #expect(answer.status == 422 && answer.code == "invalid")
    #expect(
      Set(answer.fields) == [
        "email invalid_email", "password too_short", "name too_short", "plan unknown_field",
      ])
    let empty = house.nobody.post("/api/auth/register", [:])
    #expect(Set(empty.fields) == ["email required", "password required", "name required"])
  }

  @Test(
    "An address that no mail could go to is refused",
    arguments: [
      "anna", "anna@", "@example.org", "anna@example", "a b@example.org", "anna@example..org", "anna@-a.org",
      "anna@exa mple.org", "anna@@example.org", "a\u{A0}b@example.org", "<anna>@example.org",
      "anna@example.org\u{0}", "x, anna@example.org", "<\u{301}anna@example.org", "anna,\u{301}b@example.org",
      String(repeating: "a", count: 65) + "@example.org",
      "a@" + String(repeating: "b.", count: 130) + "org", "anna@example.org*", "anna@ex_ample.org",
    ])
  func badAddress(address: String) {
    let answer = house.nobody.post(
      "/api/auth/register", ["email": .string(address), "password": "12345678", "name": "Anna"])
    #expect(answer.status == 422 && answer.fields == ["email invalid_email"], "\(answer)")
  }

  @Test func anAddressThatExistsIsAConflictAndChangesNothing() throws {
    let anna = try house.account()
    for email in [anna.email, anna.email.uppercased()] {
      let again = house.nobody.post(
        "/api/auth/register", ["email": .string(email), "password": "another password", "name": "Eve"])
      #expect(again.status == 409 && again.code == "conflict" && again.fields == ["email taken"])
    }
    #expect(anna.get("/api/auth/me")["name"] == "Anna")
    #expect(anna.logIn("another password").status == 401)
    #expect(anna.logIn().status == 200)
  }

  @Test func twoAtOnceMakeOneAccount() throws {
    let people = (0..<8).map { _ in house.nobody }
    let statuses = inParallel(8) { index in
      people[index].post(
        "/api/auth/register", ["email": "race@example.org", "password": "12345678", "name": "Anna"]
      ).status
    }
    #expect(statuses.sorted() == [201] + Array(repeating: 409, count: 7))
  }

  @Test func isReadAndRenamed() throws {
    let anna = try house.account()
    let me = anna.get("/api/auth/me")
    #expect(me["email"]?.string == anna.email && me["plan"] == "unlimited")
    let tag = try #require(me.headers[.eTag])
    #expect(anna.get("/api/auth/me", [.ifNoneMatch: tag]).status == 304)
    let renamed = anna.patch("/api/auth/me", ["name": "Anna B."], [.ifMatch: tag])
    #expect(renamed.status == 200 && renamed["name"] == "Anna B.")
    #expect(renamed["email"]?.string == anna.email)
    #expect(anna.get("/api/auth/me", [.ifNoneMatch: tag]).status == 200)
    let stale = anna.patch("/api/auth/me", ["name": "Anna C."], [.ifMatch: tag])
    #expect(stale.status == 412 && stale.code == "precondition_failed")
    #expect(anna.get("/api/auth/me")["name"] == "Anna B.")
    #expect(anna.patch("/api/auth/me", ["name": nil]).status == 422)
  }

  @Test func aKeyReadsTheAccountAndChangesNothing() throws {
    let key = try house.keyholder(scopes: ["geoip:read"])
    #expect(key.get("/api/auth/me")["email"]?.string == key.email)
    #expect(key.patch("/api/auth/me", ["name": "x"]).status == 403)
  }

  @Test func anotherAddressNeedsThePassword() throws {
    var anna = try house.account()
    let new = "new-" + anna.email
    let bare = anna.patch("/api/auth/me", ["email": .string(new)])
    #expect(bare.status == 422 && bare.fields == ["currentPassword required"])
    let wrong = anna.patch("/api/auth/me", ["email": .string(new), "currentPassword": "guess"])
    #expect(wrong.status == 422 && wrong.fields == ["currentPassword wrong_password"])
    #expect(anna.get("/api/auth/me")["email"]?.string == anna.email)
    let right = anna.patch(
      "/api/auth/me", ["email": .string(new), "currentPassword": .string(House.password)])
    #expect(right["email"]?.string == new)
    #expect(anna.logIn().status == 401)
    anna.email = new
    #expect(anna.logIn().status == 200)
  }

  @Test func anotherAddressIsNotTakenFromSomebody() throws {
    let anna = try house.account()
    let otto = try house.account()
    let answer = anna.patch(
      "/api/auth/me", ["email": .string(otto.email.uppercased()), "currentPassword": .string(House.password)])
    #expect(answer.status == 409 && answer.fields == ["email taken"])
    #expect(anna.get("/api/auth/me")["email"]?.string == anna.email)
  }
}
