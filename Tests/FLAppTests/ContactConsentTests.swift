import FLHTTP
import FLMariaDB
import FLValues
import Testing

@testable import FLApp

/// Whether mailings may go to somebody, whatever happens to the contact.
@Suite struct ContactConsentTests {
  private static let shared = Result { try House() }
  let house: House

  init() throws { house = try Self.shared.get() }

  /// An endpoint that wants all events of contacts.
  private func listen(_ anna: Client) throws -> AccountID {
    let account = try #require(AccountID(try anna.get("/api/auth/me").string("id")))
    let endpoint = ID<WebhookEndpoint>(at: .now)
    let database = house.app.database
    _ = try database.run(
      """
      INSERT INTO webhook_endpoints (id, account_id, url, secret, created_at, updated_at)
      VALUES (\(endpoint), \(account), 'https://hook.example/', 'x', NOW(), NOW())
      """)
    _ = try database.run(
      "INSERT INTO webhook_subscriptions (account_id, event, endpoint_id) VALUES (\(account), '*', \(endpoint))"
    )
    return account
  }

  private func heard(_ account: AccountID) throws -> [(event: String, data: JSON)] {
    try house.app.database.rows(
      "SELECT event, data FROM webhook_events WHERE account_id = \(account) ORDER BY created_at, id"
    ).map { row in
      let data: String = try row["data"]
      return (try row["event"], try JSON(reading: Array(data.utf8)))
    }
  }

  @Test func aPersonSetsAndLiftsTheFlags() throws {
    let anna = try house.account()
    let account = try listen(anna)
    let path = try anna.contact(["email": "bob@example.org"]).path("/api/contacts")
    let set = anna.patch(path, ["isUnsubscribed": true, "isBounced": true])
    #expect(set["isUnsubscribed"] == true && set["unsubscribeReason"] == "api" && set["isBounced"] == true)
    #expect(set["unsubscribedAt"]?.string != nil && set["bouncedAt"]?.string != nil)
    let names = try heard(account).map(\.event)
    #expect(
      names.sorted() == ["contact.bounced", "contact.created", "contact.unsubscribed", "contact.updated"])
    let told = try #require(try heard(account).first { $0.event == "contact.unsubscribed" }?.data)
    #expect(told["email"] == "bob@example.org" && told["reason"] == "api" && told["isUnsubscribed"] == true)
    let lifted = anna.patch(path, ["isUnsubscribed": false])
    #expect(lifted["isUnsubscribed"] == false && lifted["isBounced"] == true)
    #expect(anna.patch(path, ["isBounced": false])["isBounced"] == false)
    #expect(anna.delete(path).status == 204)
    let again = try anna.contact(["email": "bob@example.org"])
    #expect(again["isUnsubscribed"] == false && again["isBounced"] == false)
  }

  @Test func deletingAndMakingAgainLiftsNothing() throws {
    let anna = try house.account()
    let path = try anna.contact(["email": "bob@example.org", "isUnsubscribed": true]).path("/api/contacts")
    #expect(anna.delete(path).status == 204)
    let again = try anna.contact(["email": "BOB@example.org", "isUnsubscribed": false])
    #expect(again["isUnsubscribed"] == true && again["unsubscribeReason"] == "api")
    // Another account knows nothing of it.
    #expect(try house.account().contact(["email": "bob@example.org"])["isUnsubscribed"] == false)
  }

  @Test func anUnsubscribeGoesAlongToAnotherAddressAndABounceDoesNot() throws {
    let anna = try house.account()
    let path = try anna.contact([
      "email": "old@example.org", "isUnsubscribed": true, "isBounced": true,
    ]).path("/api/contacts")
    // A change of case is no other address.
    #expect(anna.patch(path, ["email": "OLD@example.org"])["isBounced"] == true)
    let moved = anna.patch(path, ["email": "new@example.org"])
    #expect(moved["isUnsubscribed"] == true && moved["isBounced"] == false)
    let old = try anna.contact(["email": "old@example.org"])
    #expect(old["isUnsubscribed"] == true && old["isBounced"] == true)
    #expect(anna.delete(path).status == 204)
    #expect(try anna.contact(["email": "new@example.org"])["isUnsubscribed"] == true)
    // Who moves to an address that had bounced has it bounced.
    let other = try anna.contact().path("/api/contacts")
    #expect(anna.delete(try old.path("/api/contacts")).status == 204)
    let back = anna.patch(other, ["email": "old@example.org"])
    #expect(back["isBounced"] == true && back["isUnsubscribed"] == true)
  }

  @Test func whatWasConfirmedHoldsForItsAddressAlone() throws {
    let anna = try house.account()
    let asking = try anna.group("Asking", ["requireDoubleOptIn": true])
    let open = try anna.group("Open")
    func member(_ email: String) throws -> String {
      let path = try anna.contact(["email": .string(email)]).path("/api/contacts")
      let id: JSON = .string(String(path.dropFirst("/api/contacts/".count)))
      for group in [asking, open] {
        #expect(anna.post(group + "/members", ["contactIds": [id], "sendConfirmation": false])["added"] == 1)
      }
      // As by the button of the mail.
      _ = try house.app.database.run(
        """
        UPDATE contact_group_members m JOIN contacts c ON c.id = m.contact_id
        SET m.status = 'confirmed', m.confirmed_at = NOW() WHERE c.email = \(email)
        """)
      return path
    }
    let path = try member("confirmed@example.org")
    #expect(anna.members(asking) == ["confirmed@example.org confirmed"])
    // The same address in capitals is the same; another one has confirmed nothing.
    #expect(anna.patch(path, ["email": "Confirmed@example.org"]).status == 200)
    #expect(anna.members(asking) == ["Confirmed@example.org confirmed"])
    #expect(anna.patch(path, ["email": "other@example.org"]).status == 200)
    #expect(anna.members(asking) == ["other@example.org pending"])
    #expect(anna.members(open) == ["other@example.org confirmed"])
    #expect(anna.get(asking + "/members")["items"]?[0]?["confirmedAt"] == .null)
    // Nor by being merged into a contact with another one.
    _ = try member("second@example.org")
    let second = anna.get("/api/contacts?search=second")["items"]?[0]?["id"]
    let third = try anna.contact(["email": "third@example.org"]).path("/api/contacts")
    #expect(anna.post(third + "/merge", ["contactIds": [second ?? .null]]).status == 200)
    #expect(Set(anna.members(asking)) == ["other@example.org pending", "third@example.org pending"])
    #expect(Set(anna.members(open)) == ["other@example.org confirmed", "third@example.org confirmed"])
    // The account asks for the new address when it wants to.
    let id = third.dropFirst("/api/contacts/".count)
    #expect(anna.post(asking + "/members/\(id)/resend").status < 300)
  }

  @Test func bulkTellsWhomItMadeAndChanged() throws {
    let anna = try house.account()
    let account = try listen(anna)
    let rows: JSON = [["email": "a@example.org"], ["email": "b@example.org"]]
    _ = anna.post("/api/contacts/bulk", ["contacts": rows, "tags": ["t"]])
    _ = anna.post(
      "/api/contacts/bulk",
      ["contacts": [["email": "a@example.org"], ["email": "b@example.org", "company": "X"]]])
    let heard = try heard(account)
    #expect(heard.map(\.event) == ["contact.created", "contact.created", "contact.updated"])
    #expect(heard.first?.data["tags"] == ["t"] && heard.last?.data["company"] == "X")
    #expect(Set(heard.prefix(2).map { $0.data["email"]?.string }) == ["a@example.org", "b@example.org"])
  }
}
