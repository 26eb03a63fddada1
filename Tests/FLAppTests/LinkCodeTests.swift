import FLHTTP
import FLMariaDB
import FLValues
import Testing

@testable import FLApp

/// The one namespace of short codes.
@Suite struct LinkCodeTests {
  private static let shared = Result { try House() }
  let house: House

  init() throws { house = try Self.shared.get() }

  private func link(_ code: String) -> JSON {
    ["destinationUrl": "https://example.org/", "shortCode": .string(code)]
  }

  @Test func aTakenCodeIsAConflictInWhateverCase() throws {
    let anna = try house.account()
    let stranger = try house.account()
    _ = try anna.link(["shortCode": "Spring-Sale"])
    for who in [anna, stranger] {
      for code in ["Spring-Sale", "spring-sale", "SPRING-SALE"] {
        let answer = who.post("/api/links", link(code))
        #expect(answer.status == 409 && answer.code == "conflict" && answer.fields == ["shortCode taken"])
      }
    }
    // A visitor must spell it as it is.
    #expect(house.nobody.get("/Spring-Sale").status == 302)
    #expect(house.nobody.get("/spring-sale").status == 404)
  }

  @Test func ofManyAtOnceOneTakesACode() throws {
    let people = try (0..<4).map { _ in try house.account() }
    let statuses = inParallel(20) { [link] index in
      people[index % 4].post("/api/links", link(index % 2 == 0 ? "race-code" : "RACE-code")).status
    }
    #expect(
      statuses.filter { $0 == 201 }.count == 1 && statuses.filter { $0 == 409 }.count == 19, "\(statuses)")
  }

  @Test func theLengthsOfACode() throws {
    let anna = try house.account()
    let longest = String(repeating: "z", count: 64)
    #expect(anna.post("/api/links", link("a_-")).status == 201)
    #expect(anna.post("/api/links", link(longest)).status == 201)
    #expect(house.nobody.get("/" + longest).status == 302)
  }

  @Test func aCodeThatWasGivenUpStaysItsAccounts() throws {
    let anna = try house.account()
    let stranger = try house.account()
    let made = try anna.link(["shortCode": "Printed"])
    #expect(anna.delete(try made.path()).status == 204)
    #expect(house.nobody.get("/Printed").status == 404)
    for code in ["Printed", "printed"] {
      #expect(stranger.post("/api/links", link(code)).status == 409)
      let checked = stranger.get("/api/links/availability?shortCode=" + code)
      #expect(checked["available"] == false && checked["reason"] == "taken")
    }
    #expect(anna.get("/api/links/availability?shortCode=printed")["available"] == true)
    #expect(anna.post("/api/links", link("printed")).status == 201)
    #expect(house.nobody.get("/printed").status == 302 && house.nobody.get("/Printed").status == 404)
  }

  @Test func aCodeThatWasGivenUpIsFreeAfterAYear() throws {
    let house = try House()
    let anna = try house.account()
    let stranger = try house.account()
    house.clock.move()
    #expect(anna.delete(try anna.link(["shortCode": "printed"]).path()).status == 204)
    _ = try anna.link(["shortCode": "in-use"])
    // The purge ends the sessions as well.
    try house.app.purge(at: house.clock.now + .seconds(365 * 86_400))
    #expect(try stranger.loggedIn().post("/api/links", link("printed")).status == 409)
    try house.app.purge(at: house.clock.now + .seconds(367 * 86_400))
    let later = try stranger.loggedIn()
    #expect(later.post("/api/links", link("printed")).status == 201)
    #expect(later.post("/api/links", link("in-use")).status == 409)
  }

  @Test func aLinkChangesItsCode() throws {
    let anna = try house.account()
    let stranger = try house.account()
    let path = try anna.link(["shortCode": "before"]).path()
    let changed = anna.patch(path, ["shortCode": "behind"])
    #expect(changed["shortCode"] == "behind" && changed["shortUrl"]?.string == House.origin + "/behind")
    #expect(house.nobody.get("/before").status == 404 && house.nobody.get("/behind").status == 302)
    #expect(stranger.post("/api/links", link("before")).status == 409)
    // In another case, back again, and to what is taken.
    #expect(anna.patch(path, ["shortCode": "BEHIND"])["shortCode"] == "BEHIND")
    #expect(house.nobody.get("/BEHIND").status == 302 && house.nobody.get("/behind").status == 404)
    #expect(anna.patch(path, ["shortCode": "before"]).status == 200)
    #expect(house.nobody.get("/before").status == 302 && house.nobody.get("/BEHIND").status == 404)
    _ = try stranger.link(["shortCode": "strangers"])
    let taken = anna.patch(path, ["shortCode": "Strangers", "title": "x"])
    #expect(taken.status == 409 && taken.fields == ["shortCode taken"])
    #expect(anna.get(path)["shortCode"] == "before" && anna.get(path)["title"] == JSON.null)
    #expect(house.nobody.get("/before").status == 302)
  }

  @Test func whetherACodeIsFree() throws {
    let anna = try house.account()
    _ = try anna.link(["shortCode": "My-Shop"])
    func check(_ code: String) -> Answer { anna.get("/api/links/availability?shortCode=" + code) }
    let free = check("my-shop-2")
    #expect(free["available"] == true && free["reason"] == JSON.null && free["suggestions"] == [])
    for (code, reason) in [
      ("my-shop", "taken"), ("API", "reserved"), ("ab", "invalid"), ("my%20shop!", "invalid"),
      ("", "invalid"),
      ("%C3%A4%C3%B6", "invalid"), (String(repeating: "a", count: 300), "invalid"), ("%00", "invalid"),
    ] {
      let answer = check(code)
      #expect(
        answer.status == 200 && answer["available"] == false && answer["reason"]?.string == reason, "\(code)")
      let suggestions = answer["suggestions"]?.array?.compactMap(\.string) ?? []
      #expect(!suggestions.isEmpty && suggestions.count <= 5, "\(code)")
      for suggestion in suggestions { #expect(check(suggestion)["available"] == true, "\(suggestion)") }
    }
    #expect(check("my-shop")["suggestions"]?[0] == "my-shop-2")
    #expect(anna.get("/api/links/availability").fields == ["shortCode required"])
  }

  @Test func noPathOfTheProductCanBeTaken() throws {
    let anna = try house.account()
    let heads = Set(
      (house.app.routes.map(\.path) + ["/account/reset-password", "/scalar/v1", "/robots.txt", "/assets/x"])
        .compactMap { path in path.split(separator: "/").first.map { String($0.prefix { $0 != "." }) } })
    for head in heads {
      #expect(anna.post("/api/links", link(head)).fields == ["shortCode reserved"], "\(head)")
    }
  }
}
