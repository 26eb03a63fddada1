import FLCrypto
import FLHTTP
import FLMariaDB
import FLValues
import Foundation
import Testing

@testable import FLApp

/// What the links of a mail do, whatever became of the contact and of the mailing since.
@Suite struct UnsubscribeTests {
  private static let shared = Result { try House() }
  let house: House
  let anna: Client
  let account: AccountID

  init() throws {
    house = try Self.shared.get()
    anna = try house.account()
    account = try #require(AccountID(try anna.get("/api/auth/me").string("id")))
  }

  private var database: Database { house.app.database }

  /// A message that went to a contact.
  private struct Sent {
    let contact: String
    let email: String
    let mailing: MailingID
    let unsubscribe: String
    let click: String
  }

  private func sent(to email: String = "ben@example.org", contact: String? = nil) throws -> Sent {
    let id = try contact ?? anna.contact(email)
    let (mailing, mark) = (MailingID(at: .now), SecureRandom.bytes(MailingTokens.markSize))
    try database.run(
      """
      INSERT INTO mailings (id, account_id, mark, subject, html_body, status, queued_at, created_at, updated_at)
      VALUES (\(mailing), \(account), \(mark), 'News', '<p>News</p>', 'sent', NOW(), NOW(), NOW())
      """)
    try database.run(
      "INSERT INTO mailing_links (mailing_id, position, url) VALUES (\(mailing), 0, 'https://shop.example/')")
    let contact = try #require(ContactID(id))
    try database.run(
      """
      INSERT INTO mailing_recipients (mailing_id, contact_id, email, status, sent_at)
      VALUES (\(mailing), \(contact), \(email), 'sent', NOW())
      """)
    let subject = MailingTokens.Subject(mark: mark, contact: contact)
    let tokens = MailingTokens(settings: house.settings)
    func path(_ url: String) -> String { String(url.dropFirst(House.origin.count)) }
    return Sent(
      contact: id, email: email, mailing: mailing, unsubscribe: path(tokens.unsubscribeURL(subject)),
      click: path(tokens.clickURL(subject)))
  }

  /// Does what a mail program does (RFC 8058).
  @discardableResult
  private func press(_ sent: Sent) -> Answer {
    house.nobody.submit(sent.unsubscribe, "List-Unsubscribe=One-Click")
  }

  private func undo(_ sent: Sent) -> Answer { house.nobody.submit(sent.unsubscribe, "undo=1") }

  private func reason(_ contact: String) -> JSON? {
    anna.get("/api/contacts/" + contact)["unsubscribeReason"]
  }

  private func isRemembered(_ email: String) throws -> Bool {
    try house.count(
      """
      SELECT COUNT(*) FROM suppressions
      WHERE account_id = \(account) AND email_key = \(email) AND unsubscribed_at IS NOT NULL
      """) == 1
  }

  // MARK: Deleted mailings

  @Test func aMailOutlivesItsMailing() throws {
    let sent = try sent()
    #expect(anna.delete("/api/mailing/\(sent.mailing)").status == 204)
    let page = house.nobody.get(sent.unsubscribe)
    #expect(page.status == 200 && page.text.contains("Unsubscribe?") && page.text.contains("Anna"))
    #expect(page.text.contains("b…@example.org"))
    let click = house.nobody.get(sent.click)
    #expect(click.status == 302 && click.headers[.location] == "https://shop.example/")
    #expect(press(sent).text.contains("You are unsubscribed"))
    #expect(reason(sent.contact) == "one_click")
    #expect(undo(sent).text.contains("subscribed again") && reason(sent.contact) == .null)
    // Nothing says any more where it went: then nothing is promised.
    #expect(anna.delete("/api/contacts/" + sent.contact).status == 204)
    #expect(press(sent).status == 404)
  }

  // MARK: Changed contacts

  @Test func whoWasDeletedAndMadeAgainIsUnsubscribed() throws {
    let sent = try sent()
    #expect(anna.delete("/api/contacts/" + sent.contact).status == 204)
    let again = try anna.contact(sent.email)
    #expect(press(sent).status == 200 && reason(again) == "one_click")
    #expect(undo(sent).text.contains("subscribed again") && reason(again) == .null)
    #expect(try !isRemembered(sent.email))
  }

  @Test func whatIsTakenBackIsForgottenAlsoWithoutAContact() throws {
    let sent = try sent()
    #expect(anna.delete("/api/contacts/" + sent.contact).status == 204)
    press(sent)
    #expect(try isRemembered(sent.email))
    #expect(house.nobody.get(sent.unsubscribe).text.contains("You are unsubscribed"))
    #expect(undo(sent).text.contains("subscribed again"))
    let again = try anna.contact(sent.email)
    #expect(reason(again) == .null)
    #expect(try !isRemembered(sent.email))
  }

  @Test func anAddressThatThePersonHadIsRememberedToo() throws {
    let sent = try sent()
    #expect(anna.patch("/api/contacts/" + sent.contact, ["email": "new@example.org"]).status == 200)
    let other = try anna.contact(sent.email)
    press(sent)
    #expect(reason(sent.contact) == "one_click" && reason(other) == "one_click")
    #expect(try isRemembered(sent.email) && isRemembered("new@example.org"))
    _ = undo(sent)
    #expect(reason(sent.contact) == .null && reason(other) == .null)
    #expect(try !isRemembered(sent.email) && !isRemembered("new@example.org"))
  }

  @Test func whoWasMergedIsFoundByBothAddresses() throws {
    let sent = try sent()
    let kept = try anna.contact("kept@example.org")
    let path = "/api/contacts/\(kept)"
    #expect(anna.post(path + "/merge", ["contactIds": [.string(sent.contact)]]).status == 200)
    press(sent)
    #expect(reason(kept) == "one_click")
    #expect(try isRemembered(sent.email))
  }

  @Test func anAliasOutlivesTheContactItLeadsTo() throws {
    let sent = try sent()
    let kept = try anna.contact("kept@example.org")
    let path = "/api/contacts/\(kept)"
    #expect(anna.post(path + "/merge", ["contactIds": [.string(sent.contact)]]).status == 200)
    #expect(anna.delete(path).status == 204)
    #expect(press(sent).status == 200)
    #expect(try isRemembered(sent.email))
  }

  @Test(arguments: [true, false], [true, false])
  func nothingIsLostToWhoMergesOrDeletesMeanwhile(isMerge: Bool, isMailingThere: Bool) throws {
    for round in 0..<12 {
      let sent = try sent(to: "race\(round)\(isMerge)@example.org")
      if !isMailingThere { #expect(anna.delete("/api/mailing/\(sent.mailing)").status == 204) }
      let kept = try anna.contact("kept\(round)\(isMerge)@example.org")
      let pressed = inParallel(2) { [self] index in
        if index == 0 { return press(sent).status == 200 }
        _ =
          isMerge
          ? anna.post("/api/contacts/\(kept)/merge", ["contactIds": [.string(sent.contact)]])
          : anna.delete("/api/contacts/" + sent.contact)
        return false
      }.contains(true)
      #expect(anna.get("/api/contacts/" + sent.contact).status == 404)
      // Without mailing and contact nothing is known, and nothing was promised.
      #expect(pressed || !isMailingThere && !isMerge)
      if pressed && (isMailingThere || !isMerge) { #expect(try isRemembered(sent.email)) }
      if isMerge { #expect(reason(kept) != .null) }
    }
  }

  @Test func webhooksHearThatSomebodyIsBack() throws {
    let endpoint = ID<WebhookEndpoint>(at: .now)
    try database.run(
      """
      INSERT INTO webhook_endpoints (id, account_id, url, secret, created_at, updated_at)
      VALUES (\(endpoint), \(account), 'https://hook.example/', 'x', NOW(), NOW())
      """)
    try database.run(
      """
      INSERT INTO webhook_subscriptions (account_id, event, endpoint_id)
      VALUES (\(account), 'contact.updated', \(endpoint))
      """)
    func heard() throws -> Int {
      try house.count("SELECT COUNT(*) FROM webhook_events WHERE account_id = \(account)")
    }
    let sent = try sent()
    press(sent)
    for _ in 0..<2 { _ = undo(sent) }
    #expect(try heard() == 1, "not where nothing changes")
    press(sent)
    // So does who confirms by mail.
    let group = try anna.group("News", ["isPublic": true])
    _ = house.nobody.submit("/m/subscribe/" + group.suffix(36), "email=ben%40example.org&homepage=")
    #expect(house.nobody.submit(try house.confirmationPath(to: sent.email), "").status == 200)
    #expect(reason(sent.contact) == .null)
    #expect(try heard() == 2)
  }
}
