import FLHTTP
import FLMariaDB
import FLValues
import HTTPTypes
import Testing

@testable import FLApp

/// Double opt-in, and the pages by which strangers subscribe.
@Suite struct SubscribeTests {
  private static let shared = Result { try House() }
  let house: House

  init() throws { house = try Self.shared.get() }

  /// An address that no other test uses.
  private func address() -> String { "s\(UInt64.random(in: 0...UInt64.max))@example.org" }

  /// The path at which strangers subscribe to a group.
  private func door(_ group: String) -> String { "/m/subscribe/" + group.suffix(36) }

  private func form(_ email: String, _ more: String = "") -> String {
    "email=\(email.replacing("@", with: "%40"))&firstName=Otto&lastName=&homepage=\(more)"
  }

  // MARK: Members that the account adds

  @Test func whoIsAddedConfirmsByMail() throws {
    let anna = try house.account()
    let group = try anna.group("News & more", ["requireDoubleOptIn": true])
    let email = address()
    #expect(anna.post(group + "/members", ["emails": [.string(email)], "createMissing": true])["added"] == 1)
    #expect(anna.members(group) == ["\(email) pending"] && anna.get(group)["pendingCount"] == 1)
    let mail = try #require(try house.mails(to: email).first)
    #expect(mail.subject == "Please confirm: News & more")
    for words in ["Anna", "News & more", email, "30 days"] { #expect(mail.body.contains(words), "\(words)") }
    let path = try #require(mail.body.firstMatch(of: #/https://go\.example(/m/confirm/\S+)/#)).1
    // Programs that follow links change nothing.
    for _ in 0..<2 {
      let page = house.nobody.get(String(path))
      #expect(page.status == 200 && page.text.contains("News &amp; more") && page.text.contains(email))
    }
    #expect(house.nobody.head(String(path)).status == 200)
    #expect(anna.members(group) == ["\(email) pending"])
    let done = house.nobody.submit(String(path), "")
    #expect(done.status == 200 && done.text.contains("You are subscribed"))
    #expect(anna.members(group) == ["\(email) confirmed"] && anna.get(group)["pendingCount"] == 0)
    #expect(anna.get(group + "/members").items.first?["confirmedAt"]?.string != nil)
    // Once more, it is told in a friendly way, and changes nothing.
    for answer in [house.nobody.submit(String(path), ""), house.nobody.get(String(path))] {
      #expect(answer.status == 410 && answer.text.contains("all is well"))
    }
    #expect(anna.members(group) == ["\(email) confirmed"])
  }

  @Test(
    "A token that is none says no more than one that is used",
    arguments: [
      "x", "", "%00", "a/b", String(repeating: "A", count: 43), "..", String(repeating: "é", count: 900),
    ])
  func noTokens(token: String) throws {
    let path = "/m/confirm/" + token
    #expect(house.nobody.get(path).status == 410 && house.nobody.submit(path, "").status == 410)
    #expect(house.nobody.put(path, [:]).status == 405)
  }

  @Test func aTokenHoldsThirtyDaysAndForItsAddress() throws {
    let house = try House()
    house.clock.move()
    let anna = try house.account()
    let group = try anna.group("Old", ["requireDoubleOptIn": true])
    let late = address()
    let moved = address()
    let contact = try anna.contact(moved)
    #expect(
      anna.post(
        group + "/members",
        ["emails": [.string(late)], "contactIds": [.string(contact)], "createMissing": true])["added"] == 2)
    let latePath = try house.confirmationPath(to: late)
    let outbox = MailOutbox(settings: house.settings)
    let mails = try outbox.claim(
      10, for: .seconds(0), from: house.app.database, at: house.clock.now + .seconds(1))
    let movedPath = try #require(
      mails.first { $0.recipient == moved }?.body.firstMatch(of: #/(/m/confirm/\S+)/#)
    ).1
    // A mail to another address is no word of this one's owner.
    #expect(anna.patch("/api/contacts/" + contact, ["email": .string(address())]).status == 200)
    #expect(house.nobody.submit(String(movedPath), "").status == 410)
    house.clock.move(by: 30 * 86_400 - 60)
    #expect(house.nobody.get(latePath).status == 200)
    house.clock.move(by: 61)
    #expect(house.nobody.get(latePath).status == 410 && house.nobody.submit(latePath, "").status == 410)
    #expect(try anna.loggedIn().get(group)["pendingCount"] == 2)
    try house.app.purge(at: house.clock.now)
    #expect(try house.count("SELECT COUNT(*) FROM contact_confirmations") == 0)
    #expect(try house.count("SELECT COUNT(*) FROM confirmation_mails") == 0)
  }

  @Test func theMailCanBeLeftOutAndSentLater() throws {
    let anna = try house.account()
    let group = try anna.group("Quiet", ["requireDoubleOptIn": true])
    let email = address()
    let contact = try anna.contact(email)
    let body: JSON = ["contactIds": [.string(contact)], "sendConfirmation": false]
    #expect(anna.post(group + "/members", body)["added"] == 1)
    #expect(try house.mails(to: email).isEmpty)
    let resend = group + "/members/\(contact)/resend"
    let sent = anna.post(resend)
    #expect(sent.status == 202 && sent["status"] == "pending" && sent["contactId"] == .string(contact))
    // Once a day.
    #expect(anna.post(resend).status == 409)
    #expect(try house.account().post(resend).status == 404)
    _ = house.nobody.submit(try house.confirmationPath(to: email), "")
    #expect(anna.members(group) == ["\(email) confirmed"] && anna.post(resend).status == 409)
    #expect(anna.delete(group + "/members/" + contact).status == 204 && anna.post(resend).status == 404)
  }

  @Test func whoUnsubscribedOrBouncedIsNotAsked() throws {
    let anna = try house.account()
    let group = try anna.group("Polite", ["requireDoubleOptIn": true])
    let gone = address()
    let dead = address()
    _ = try anna.contact(gone, ["isUnsubscribed": true])
    _ = try anna.contact(dead, ["isBounced": true])
    let emails: JSON = [.string(gone), .string(dead)]
    #expect(anna.post(group + "/members", ["emails": emails])["added"] == 2)
    for email in [gone, dead] {
      #expect(try house.mails(to: email).isEmpty)
      let member = try #require(anna.get(group + "/members?search=" + email).items.first)
      #expect(member["isUnsubscribed"] == .bool(email == gone) && member["isBounced"] == .bool(email == dead))
      let contact = try #require(member["contactId"]?.string)
      #expect(anna.post(group + "/members/\(contact)/resend").status == 409)
    }
  }

  // MARK: Strangers

  @Test func aStrangerSubscribesAndConfirms() throws {
    let anna = try house.account()
    // The group asks nothing of those whom the account adds; a stranger has to confirm all the same.
    let group = try anna.group("Open <b>", ["isPublic": true, "description": "Line one\nline two"])
    let visitor = house.nobody
    let page = visitor.get(door(group))
    #expect(page.status == 200 && page.text.contains("Open &lt;b&gt;") && page.text.contains("line two"))
    #expect(page[field: "X-Frame-Options"] == "DENY" && page.text.contains("name=\"homepage\""))
    let email = address()
    let done = visitor.submit(door(group), form(email))
    #expect(done.status == 200 && done.text.contains("Look into your mailbox"), "\(done)")
    #expect(anna.members(group) == ["\(email) pending"])
    let contact = anna.get("/api/contacts?search=" + email).items.first
    #expect(contact?["firstName"] == "Otto" && contact?["lastName"] == JSON.null)
    #expect(contact?["source"] == "subscribe")
    let path = try house.confirmationPath(to: email)
    #expect(visitor.submit(path, "").status == 200 && anna.members(group) == ["\(email) confirmed"])
  }

  @Test func nothingTellsWhetherAnAddressIsKnown() throws {
    let anna = try house.account()
    let group = try anna.group("Silent", ["isPublic": true])
    let (member, gone, dead, fresh) = (address(), address(), address(), address())
    _ = try anna.contact(member, ["firstName": "Mine"])
    _ = try anna.contact(gone, ["isUnsubscribed": true])
    _ = try anna.contact(dead, ["isBounced": true])
    #expect(anna.post(group + "/members", ["emails": [.string(member), .string(gone)]])["added"] == 2)
    var answers: Set<String> = []
    for email in [member, gone, dead, fresh] {
      let answer = house.nobody.submit(door(group), form(email))
      answers.insert("\(answer.status) " + answer.text.replacing(email, with: "…"))
    }
    #expect(answers.count == 1)
    // A member gets no mail, nor does a dead address; a stranger changes nothing that is known.
    #expect(try house.mails(to: member).isEmpty && house.mails(to: dead).isEmpty)
    #expect(anna.get("/api/contacts?search=" + member).items.first?["firstName"] == "Mine")
    // Who had unsubscribed is asked, and by the own word gets mails again.
    let path = try house.confirmationPath(to: gone)
    #expect(anna.get("/api/contacts?search=" + gone).items.first?["isUnsubscribed"] == true)
    #expect(house.nobody.submit(path, "").status == 200)
    #expect(anna.get("/api/contacts?search=" + gone).items.first?["isUnsubscribed"] == false)
    #expect(try house.confirmationPath(to: fresh).count > 50)
  }

  @Test func aSuppressedAddressStaysSoUntilItsOwnerSaysOtherwise() throws {
    let anna = try house.account()
    let group = try anna.group("Kept", ["isPublic": true])
    let email = address()
    let contact = try anna.contact(email, ["isUnsubscribed": true])
    #expect(anna.delete("/api/contacts/" + contact).status == 204)
    #expect(house.nobody.submit(door(group), form(email)).status == 200)
    #expect(anna.get(group + "/members").items.first?["isUnsubscribed"] == true)
    #expect(house.nobody.submit(try house.confirmationPath(to: email), "").status == 200)
    let member = try #require(anna.get(group + "/members").items.first)
    #expect(member["isUnsubscribed"] == false && member["status"] == "confirmed")
    #expect(try house.count("SELECT COUNT(*) FROM suppressions WHERE email_key = \(email)") == 0)
  }

  @Test func anAddressIsAskedOnceADay() throws {
    let anna = try house.account()
    let group = try anna.group("Daily", ["isPublic": true])
    let email = address()
    for _ in 0..<3 { #expect(house.nobody.submit(door(group), form(email)).status == 200) }
    #expect(try house.mails(to: email).count == 1)
  }

  @Test func everyTokenOfAMembershipEndsWithIt() throws {
    let house = try House()
    house.clock.move()
    let anna = try house.account()
    let group = try anna.group("Twice", ["isPublic": true])
    let email = address()
    _ = house.nobody.submit(door(group), form(email))
    let first = try house.confirmationPath(to: email)
    house.clock.move(by: 86_400)
    _ = house.nobody.submit(door(group), form(email))
    let second = try house.confirmationPath(to: email)
    #expect(first != second && house.nobody.get(first).status == 200)
    #expect(house.nobody.submit(second, "").status == 200 && house.nobody.submit(first, "").status == 410)
  }

  @Test(
    "A group that is not open has no page",
    arguments: ["", "17", "019a0000-0000-7000-8000-000000000000", "x/y", "%2e%2e"])
  func noGroups(name: String) {
    let path = "/m/subscribe/" + name
    #expect(house.nobody.get(path).status == 404 && house.nobody.submit(path, form(address())).status == 404)
    let json = house.nobody.submit(path, form(address()), [.accept: "application/json"])
    #expect(
      json.status == 404 && json.code == "not_found" && json[field: "Access-Control-Allow-Origin"] == "*")
  }

  @Test func aClosedGroupHasNoPage() throws {
    let anna = try house.account()
    let group = try anna.group("Closed")
    #expect(house.nobody.get(door(group)).status == 404)
    #expect(
      anna.patch(group, ["isPublic": true]).status == 200 && house.nobody.get(door(group)).status == 200)
    // What the plan does not have (any more) is closed to strangers as well.
    try house.administration.setPlan("free", of: anna.email)
    #expect(house.nobody.get(door(group)).status == 404)
    #expect(house.nobody.submit(door(group), form(address())).status == 404)
    #expect(house.nobody.get("/m/").status == 404 && house.nobody.get("/m/other/x").status == 404)
  }

  @Test func whatCannotBeRightIsTold() throws {
    let anna = try house.account()
    let group = try anna.group("Told", ["isPublic": true])
    let bad = house.nobody.submit(door(group), "email=%22%3E%3Cscript%3E&firstName=Otto")
    #expect(
      bad.status == 422 && bad.text.contains("id=\"email-problem\"") && bad.text.contains("value=\"Otto\""))
    #expect(!bad.text.contains("<script>"))
    let long = house.nobody.submit(
      door(group), "email=a%40example.org&lastName=" + String(repeating: "x", count: 101))
    #expect(long.status == 422 && long.text.contains("id=\"last-name-problem\""))
    #expect(house.nobody.submit(door(group), "").status == 422)
    #expect(house.nobody.submit(door(group), "email=%ff&x=%zz").status == 422)
    #expect(house.nobody.submit(door(group), String(repeating: "x", count: 9000)).status == 413)
    #expect(house.nobody.delete(door(group)).status == 405)
    let odd = house.nobody.send(.post, door(group), [.contentType: "text/plain"], bytes: [65])
    #expect(odd.status == 415)
    #expect(anna.get("/api/contacts")["total"] == 0)
  }

  @Test func programsThatFillInEverythingAreLedAstray() throws {
    let anna = try house.account()
    let group = try anna.group("Trap", ["isPublic": true])
    let email = address()
    let trapped = house.nobody.submit(door(group), form(email, "https%3A%2F%2Fspam.example"))
    #expect(trapped.status == 200 && trapped.text.contains("Look into your mailbox"))
    #expect(anna.get("/api/contacts")["total"] == 0)
  }

  @Test func aFormIsNeitherTooYoungNorTooOld() throws {
    let house = try House()
    house.clock.move()
    let anna = try house.account()
    let group = try anna.group("Stamped", ["isPublic": true])
    let other = try anna.group("Other", ["isPublic": true])
    func stamp(_ group: String) throws -> String {
      let found = house.nobody.get(door(group)).text.firstMatch(of: #/name="stamp" value="([^"]+)"/#)
      return String(try #require(found).1)
    }
    let good = try stamp(group)
    func send(_ stamp: String) -> Answer {
      house.nobody.submit(door(group), form(address()) + "&stamp=" + stamp)
    }
    let fast = send(good)
    #expect(fast.status == 422 && fast.text.contains("very quick") && fast.text.contains("value=\"Otto\""))
    house.clock.move(by: 3)
    #expect(send(good).status == 200)
    let parts = good.split(separator: ".")
    try #require(parts.count > 1)
    for wrong in [try stamp(other), "1." + parts[1], "x", "", "..", good + "x"] {
      #expect(send(wrong).status == 422, "\(wrong)")
    }
    house.clock.move(by: 86_400)
    let old = send(good)
    #expect(old.status == 422 && old.text.contains("once more"))
    // The page that says so has a form that works.
    house.clock.move(by: 5)
    let fresh = try #require(old.text.firstMatch(of: #/name="stamp" value="([^"]+)"/#)).1
    #expect(send(String(fresh)).status == 200)
  }

  @Test func whoConfirmsForAnAddressThatBouncedIsToldSo() throws {
    let anna = try house.account()
    let group = try anna.group("Back", ["isPublic": true])
    let email = address()
    let contact = try anna.contact(email)
    _ = house.nobody.submit(door(group), form(email))
    #expect(anna.patch("/api/contacts/" + contact, ["isBounced": true]).status == 200)
    let page = house.nobody.submit(try house.confirmationPath(to: email), "").text
    #expect(page.contains("came back") && !page.contains("From now on"))
    #expect(anna.members(group) == ["\(email) confirmed"])
  }

  @Test func whoIsSteadyIsNotTooQuick() throws {
    let house = try House()
    house.clock.move()
    let anna = try house.account()
    let group = try anna.group("Steady", ["isPublic": true])
    let visitor = house.nobody
    for _ in 0..<40 {
      #expect(visitor.submit(door(group), form(address())).status == 200)
      house.clock.move(by: 60)
    }
  }

  @Test func whatWasAskedOfOneGroupIsNotToldByAnother() throws {
    let house = try House()
    house.clock.move()
    let anna = try house.account()
    let (group, other) = (
      try anna.group("One", ["isPublic": true]), try anna.group("Two", ["isPublic": true])
    )
    let email = address()
    let json: HTTPFields = [.accept: "application/json"]
    var answer = house.nobody.submit(door(group), form(email), json)
    for _ in 0..<8 where answer.status == 200 {
      answer = house.nobody.submit(door(group), form(email), json)
    }
    #expect(answer.status == 429 && answer["detail"]?.string?.contains("subscriptions") == true)
    #expect(house.nobody.submit(door(other), form(email), json).status == 200)
  }

  @Test func tooManyFromOneClientOrForOneAddressHaveToWait() throws {
    let house = try House()
    house.clock.move()
    let anna = try house.account()
    let group = try anna.group("Rushed", ["isPublic": true])
    let email = address()
    var answer = house.nobody.submit(door(group), form(email))
    for _ in 0..<8 where answer.status == 200 { answer = house.nobody.submit(door(group), form(email)) }
    #expect(answer.status == 429 && answer.text.contains("A little too fast"))
    #expect(Int(answer.headers[.retryAfter] ?? "") ?? 0 >= 1)
    let visitor = house.nobody
    var last = visitor.submit(door(group), form(address()))
    for _ in 0..<30 where last.status == 200 { last = visitor.submit(door(group), form(address())) }
    #expect(last.status == 429)
    let json = visitor.submit(door(group), form(address()), [.accept: "application/json"])
    #expect(json.status == 429 && json.code == "rate_limited" && json.headers[.retryAfter] != nil)
  }

  @Test func scriptsOfOtherSitesSubscribe() throws {
    let anna = try house.account()
    let group = try anna.group("Script", ["isPublic": true])
    let json: HTTPFields = [.accept: "application/json", .origin: "https://shop.example"]
    let (one, two) = (address(), address())
    let formed = house.nobody.submit(door(group), form(one), json)
    #expect(formed.status == 200 && formed.text == "{\"status\":\"pending\"}")
    #expect(formed[field: "Access-Control-Allow-Origin"] == "*")
    #expect(formed[field: "Access-Control-Allow-Credentials"] == nil)
    #expect(house.nobody.post(door(group), ["email": .string(two)], json)["status"] == "pending")
    #expect(anna.get(group)["pendingCount"] == 2)
    let bad = house.nobody.post(door(group), ["email": "x", "nonsense": 1], json)
    #expect(bad.status == 422 && bad.fields.contains("email invalid_email") && bad["requestId"] != nil)
    #expect(bad.fields.contains("nonsense unknown_field"))
    #expect(house.nobody.send(.post, door(group), json, bytes: Array("{".utf8)).status == 422)
    var asking = json
    asking[.accessControlRequestMethod] = "POST"
    let preflight = house.nobody.send(.options, door(group), asking)
    #expect(preflight.status == 204 && preflight[field: "Access-Control-Allow-Origin"] == "*")
    #expect(preflight[field: "Access-Control-Allow-Methods"]?.contains("POST") == true)
  }

  @Test func theFormStandsInAFrameOfAnySite() throws {
    let anna = try house.account()
    let group = try anna.group("Framed", ["isPublic": true])
    let path = door(group) + "?embed=1"
    let email = address()
    let pages = [
      house.nobody.get(path), house.nobody.submit(path, form(email)), house.nobody.submit(path, "email=x"),
    ]
    #expect(pages.map(\.status) == [200, 200, 422])
    for page in pages {
      #expect(page[field: "X-Frame-Options"] == nil)
      #expect(page.headers[.contentSecurityPolicy]?.contains("frame-ancestors *") == true)
      #expect(!page.text.contains("masthead"))
    }
    #expect(pages[0].text.contains("action=\"\(path)\""))
    #expect(anna.get(group)["pendingCount"] == 1)
  }
}
