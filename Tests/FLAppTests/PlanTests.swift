import FLHTTP
import FLValues
import Testing

@testable import FLApp

@Suite struct PlanTests {
  private static let shared = Result { try House() }
  let house: House
  private let link: JSON = ["destinationUrl": "https://example.org/"]

  init() throws { house = try Self.shared.get() }

  @Test func everybodyReadsThePlans() throws {
    let plans = house.nobody.get("/api/plans")
    #expect(JSON.texts(plans.items, "code") == ["free", "starter", "basic", "professional", "unlimited"])
    try #require(plans.items.map { $0["linksPerMonth"] ?? .null } == [5, 10, 100, 1000, .null])
    #expect(plans.items[0]["features"] == [] && plans["total"] == 5)
    #expect(plans.items[3]["features"] == ["contacts", "mailings", "organizer", "payments"])
  }

  @Test func theSixthLinkOfTheMonthIsRefused() throws {
    let anna = try house.account("free")
    for _ in 0..<5 { #expect(anna.post("/api/links", link).status == 201) }
    let sixth = anna.post("/api/links", link)
    #expect(sixth.status == 403 && sixth.code == "plan_limit")
    #expect(sixth["limit"] == 5 && sixth["used"] == 5)
    #expect(sixth["plan"] == "free" && sixth["upgradeTo"] == "starter")
    let usage = anna.get("/api/account/usage")
    #expect(
      usage["links"]?["used"] == 5 && usage["links"]?["remaining"] == 0 && usage["links"]?["limit"] == 5)
    #expect(usage["plan"] == "free")
    // A key is of the same account, and a deleted link of the same month.
    #expect(try house.keyholder(of: anna).post("/api/links", link).code == "plan_limit")
    let id = try #require(anna.get("/api/links").items.first?["id"]?.string)
    #expect(anna.delete("/api/links/" + id).status == 204)
    #expect(anna.post("/api/links", link).code == "plan_limit")
    // A larger plan holds at once.
    try house.administration.setPlan("starter", of: anna.email)
    #expect(anna.post("/api/links", link).status == 201)
    #expect(anna.get("/api/account/usage")["links"]?["remaining"] == 4)
  }

  @Test func theLastLinkIsMadeOnceByFiftyAtOnce() throws {
    let anna = try house.account()
    try house.administration.setPlan("starter", of: anna.email)
    for _ in 0..<9 { #expect(anna.post("/api/links", link).status == 201) }
    let statuses = inParallel(50) { [link] _ in anna.post("/api/links", link).status }
    #expect(statuses.filter { $0 == 201 }.count == 1, "\(statuses)")
    #expect(statuses.filter { $0 == 403 }.count == 49, "\(statuses)")
    #expect(anna.get("/api/links")["total"] == 10)
    #expect(anna.get("/api/account/usage")["links"]?["used"] == 10)
  }

  @Test func whatFailsGivesBackWhatItTook() throws {
    let anna = try house.account("free")
    let taken = try anna.link(["externalId": "one"]).string("shortCode")
    for body: JSON in [
      ["destinationUrl": "https://example.org/", "shortCode": .string(taken)],
      ["destinationUrl": "https://example.org/", "externalId": "one"],
      ["destinationUrl": "ftp://example.org/"],
    ] {
      #expect([409, 422].contains(anna.post("/api/links", body).status))
    }
    #expect(anna.get("/api/account/usage")["links"]?["used"] == 1)
    for _ in 0..<4 { #expect(anna.post("/api/links", link).status == 201) }
  }

  @Test func theMonthBeginsAnew() throws {
    let house = try House()
    house.clock.now = try #require(Timestamp(rfc3339: "2026-01-31T23:59:50Z"))
    let anna = try house.account("free")
    for _ in 0..<5 { _ = try anna.link() }
    #expect(anna.post("/api/links", link).status == 403)
    let usage = anna.get("/api/account/usage")
    #expect(usage["month"] == "2026-01-01T00:00:00Z" && usage["resetsAt"] == "2026-02-01T00:00:00Z")
    house.clock.move(by: 10)
    #expect(anna.get("/api/account/usage")["links"]?["used"] == 0)
    #expect(anna.post("/api/links", link).status == 201)
  }

  @Test func anUnlimitedPlanHasNoLimit() throws {
    let anna = try house.account()
    for _ in 0..<12 { #expect(anna.post("/api/links", link).status == 201) }
    let usage = anna.get("/api/account/usage")
    #expect(usage["links"]?["used"] == 12)
    #expect(usage["links"]?["limit"] == JSON.null && usage["links"]?["remaining"] == JSON.null)
  }

  @Test func anOperatorSetsPlansThatThereAre() throws {
    let anna = try house.account("free")
    #expect(throws: Administration.Failure.self) { try house.administration.setPlan("gold", of: anna.email) }
    #expect(throws: Administration.Failure.self) {
      try house.administration.setPlan("basic", of: "x@example.org")
    }
    try house.administration.setPlan("basic", of: anna.email.uppercased())
    #expect(anna.get("/api/auth/me")["plan"] == "basic")
  }
}
