import FLHTTP
import FLMariaDB
import FLValues
import Testing

@testable import FLApp

/// Mailings that wait for their time: what may be changed of them, and how they come back.
@Suite struct MailingSchedulingTests {
  private static let shared = Result { try House() }
  let house: House

  init() throws { house = try Self.shared.get() }

  /// A mailing to one contact, and when it is scheduled for.
  private func scheduled(_ anna: Client) throws -> (path: String, time: Timestamp) {
    let path = "/api/mailing/" + (try anna.mailing().string("id"))
    let people = try anna.contacts(house, ["p\(UInt64.random(in: 0...UInt64.max))@example.org"])
    #expect(
      anna.post(path + "/recipients", ["contactIds": .array(people.map { .string($0) })]).status == 200)
    let time = Timestamp.now + .seconds(7200)
    #expect(
      anna.post(path + "/send", ["scheduledFor": .string(time.description)])["status"] == "scheduled")
    return (path, time)
  }

  @Test func whatWouldKeepItFromBeingSentIsRefused() throws {
    let anna = try house.account()
    let (path, _) = try scheduled(anna)
    let emptied = anna.patch(path, ["htmlBody": "", "textBody": .null])
    #expect(emptied.status == 422 && emptied.fields == ["htmlBody empty_body"], "\(emptied)")
    #expect(anna.patch(path, ["htmlBody": "<p>Other</p>"])["htmlBody"] == "<p>Other</p>")
    // A draft may be empty for the time being.
    #expect(anna.patch(path, ["scheduledFor": .null, "htmlBody": ""])["status"] == "draft")
  }

  @Test func itMayBeADraftAgain() throws {
    let anna = try house.account()
    let (path, _) = try scheduled(anna)
    let draft = anna.patch(path, ["scheduledFor": .null, "subject": "Other"])
    #expect(
      draft["status"] == "draft" && draft["scheduledFor"] == JSON.null && draft["subject"] == "Other",
      "\(draft)")
    // A draft has no time to clear.
    #expect(anna.patch(path, ["scheduledFor": .null]).status == 200)
    #expect(anna.post(path + "/send")["status"] == "queued")
    #expect(anna.patch(path, ["scheduledFor": .null])["code"] == "conflict")
    // No sender was at it yet.
    #expect(anna.post(path + "/unschedule")["status"] == "draft")
    #expect(anna.post(path + "/unschedule")["code"] == "conflict")
  }

  @Test func oneThatWasPausedCanBeMended() throws {
    let anna = try house.account()
    let (path, time) = try scheduled(anna)
    #expect(anna.post(path + "/pause")["status"] == "paused")
    #expect(anna.patch(path, ["subject": "Mended"])["code"] == "conflict")
    #expect(anna.post(path + "/unschedule")["status"] == "draft")
    #expect(anna.patch(path, ["subject": "Mended"]).status == 200)
    #expect(
      anna.post(path + "/send", ["scheduledFor": .string(time.description)])["status"] == "scheduled")
    // At another time, and then at once.
    let later = (time + .seconds(60)).description
    #expect(
      anna.post(path + "/send", ["scheduledFor": .string(later)])["scheduledFor"] == .string(later))
    let sent = anna.post(path + "/send")
    #expect(sent["status"] == "queued" && sent["scheduledFor"] == JSON.null, "\(sent)")
    let id = try #require(MailingID(try sent.string("id")))
    try SendingRows(queries: house.app.database).start(id, at: .now)
    #expect(anna.post(path + "/pause")["status"] == "paused")
    #expect(anna.post(path + "/unschedule").status == 409)
  }

  /// A preparation of many takes a while, in which the mailing may become another one.
  @Test func whatIsPreparedIsTheMailingAsItIs() throws {
    let anna = try house.account()
    let path = "/api/mailing/" + (try anna.mailing().string("id"))
    let mark = UInt64.random(in: 0...UInt64.max)
    let group = try anna.group("Wrong")
    let members: JSON = ["emails": [.string("wrong\(mark)@example.org")], "createMissing": true]
    #expect(anna.post(group + "/members", members)["added"] == 1)
    let groups: JSON = ["groupIds": [.string(String(group.split(separator: "/").last ?? ""))]]
    #expect(anna.post(path + "/recipients", groups).status == 200)
    #expect(anna.post(path + "/send")["status"] == "queued")
    let id = try #require(MailingID(String(path.dropFirst("/api/mailing/".count))))
    let database = house.app.database
    let row = try #require(try database.row("SELECT \(Mailing.columns) FROM mailings m WHERE m.id = \(id)"))
    let before = try Mailing(row)
    // Stopped, given others, and sent again.
    #expect(anna.post(path + "/unschedule")["status"] == "draft")
    #expect(anna.post(path + "/recipients/remove", groups)["groups"] == 1)
    let right = try anna.contacts(house, ["right\(mark)@example.org"])
    #expect(anna.post(path + "/recipients", ["contactIds": .array(right.map { .string($0) })]).status == 200)
    #expect(throws: MailingAudience.Overtaken.self) {
      try MailingAudience(database: database).refresh(before, at: .now)
    }
    #expect(anna.post(path + "/send")["status"] == "queued")
    #expect(throws: MailingAudience.Overtaken.self) {
      try MailingAudience(database: database).refresh(before, at: .now)
    }
    try SendingRows(queries: database).start(id, queuedAt: before.queuedAt, at: .now)
    #expect(anna.get(path)["status"] == "queued")
    #expect(
      try database.row("SELECT prepared_at FROM mailings WHERE id = \(id)")?["prepared_at"] == Timestamp?.none
    )
    try house.app.prepareMailing(MailingInHand(id: id, account: before.account, isPrepared: false), at: .now)
    #expect(anna.get(path)["status"] == "sending")
    #expect(anna.get(path + "/recipients").items.map { $0["email"] } == [.string("right\(mark)@example.org")])
  }

  @Test func whoseMailingCanNotBeSentReadsWhy() throws {
    let anna = try house.account()
    let hook = try anna.post(
      "/api/webhooks", ["url": "https://hooks.example/", "events": ["mailing.sent"]]
    ).path("/api/webhooks")
    let (path, _) = try scheduled(anna)
    #expect(anna.post(path + "/send")["status"] == "queued")
    let id = try #require(MailingID(String(path.dropFirst("/api/mailing/".count))))
    let database = house.app.database
    // Its domain is gone.
    _ = try database.run("UPDATE mailings SET from_email = 'anna@gone.example' WHERE id = \(id)")
    let account = try #require(AccountID(try anna.get("/api/auth/me").string("id")))
    try house.app.prepareMailing(MailingInHand(id: id, account: account, isPrepared: false), at: .now)
    let failed = anna.get(path)
    #expect(failed["status"] == "failed" && failed["startedAt"] == JSON.null, "\(failed)")
    #expect(failed["statusReason"]?.string?.contains("may not be used any more") == true)
    #expect(anna.get(hook + "/deliveries").items.count == 1)
    #expect(
      try house.count(
        """
        SELECT COUNT(*) FROM mail_outbox WHERE account_id = \(account) AND subject = 'A mailing could not be sent'
        """) == 1)
    let draft = anna.post(path + "/unschedule")
    #expect(draft["status"] == "draft" && draft["statusReason"] == JSON.null)
    #expect(anna.patch(path, ["fromEmail": .null]).status == 200)
    #expect(anna.post(path + "/send")["status"] == "queued")
  }
}
