import FLCrypto
import FLHTTP
import FLMail
import FLMariaDB
import FLValues
import Foundation
import Testing

@testable import FLApp

/// Messages that come back, and readers who complain.
@Suite struct BounceTests {
  private static let shared = Result { try House() }
  let house: House
  let bounces: BounceService
  let tokens: MailingTokens

  init() throws {
    house = try Self.shared.get()
    bounces = BounceService(database: house.app.database, settings: house.settings)
    tokens = MailingTokens(settings: house.settings)
  }

  /// A contact of an account.
  private struct Person {
    let account: AccountID
    let id: ContactID
    let email: String
  }

  /// A message that went to somebody.
  private struct Sent {
    let person: Person
    let mailing: MailingID
    let mark: [UInt8]
    let returnPath: String
    let unsubscribeURL: String
  }

  private var database: Database { house.app.database }

  private func person(_ client: Client? = nil, email: String? = nil) throws -> Person {
    let client = try client ?? house.account()
    let account: AccountID = try #require(
      try database.row("SELECT id FROM accounts WHERE email_key = \(client.email.lowercased())"))["id"]
    let person = Person(
      account: account, id: ContactID(at: .now),
      email: email ?? "Ben-\(UInt64.random(in: 0...UInt64.max))@example.org")
    try database.run(
      """
      INSERT INTO contacts (id, account_id, email, email_key, created_at, updated_at)
      VALUES (\(person.id), \(account), \(person.email), \(person.email.lowercased()), \(Timestamp.now), \(Timestamp.now))
      """)
    return person
  }

  private func sent(_ person: Person, status: String = "sent") throws -> Sent {
    let mailing = MailingID(at: .now)
    let mark = SecureRandom.bytes(MailingTokens.markSize)
    try database.run(
      """
      INSERT INTO mailings (id, account_id, mark, subject, html_body, status, created_at, updated_at)
      VALUES (\(mailing), \(person.account), \(mark), 'News', '<p>News</p>', 'sent', \(Timestamp.now), \(Timestamp.now))
      """)
    try database.run(
      """
      INSERT INTO mailing_recipients (mailing_id, contact_id, email, status, smtp_code, smtp_reply, sent_at)
      VALUES (\(mailing), \(person.id), \(person.email), \(status), 250, '2.0.0 taken', \(Timestamp.now))
      """)
    let subject = MailingTokens.Subject(mark: mark, contact: person.id)
    return Sent(
      person: person, mailing: mailing, mark: mark, returnPath: tokens.returnPath(subject),
      unsubscribeURL: tokens.unsubscribeURL(subject))
  }

  private func receive(_ bytes: [UInt8], to address: String? = nil, isFromNobody: Bool = false) throws
    -> BounceResult.Effect
  {
    try bounces.receive(
      bytes,
      BounceService.Envelope(recipients: address.map { [$0] } ?? [], isFromNobody: isFromNobody), at: .now
    ).effect
  }

  private func status(_ sent: Sent) throws -> String {
    try #require(
      try database.row(
        """
        SELECT status FROM mailing_recipients
        WHERE mailing_id = \(sent.mailing) AND contact_id = \(sent.person.id)
        """))["status"]
  }

  private func isBounced(_ person: Person) throws -> Bool {
    try house.count("SELECT COUNT(*) FROM contacts WHERE id = \(person.id) AND bounced_at IS NOT NULL") == 1
  }

  private func isUnsubscribed(_ person: Person) throws -> Bool {
    try house.count("SELECT COUNT(*) FROM contacts WHERE id = \(person.id) AND unsubscribed_at IS NOT NULL")
      == 1
  }

  private func softBounces(_ person: Person) throws -> Int {
    try house.count("SELECT soft_bounces FROM contacts WHERE id = \(person.id)")
  }

  // MARK: Bounces

  @Test func aHardBounceFlagsTheContactAtTheFirst() throws {
    let sent = try sent(person())
    #expect(try receive(BounceReports.report(to: sent.returnPath)) == .hard(isNew: true))
    #expect(try status(sent) == "bounced")
    let row = try #require(
      try database.row("SELECT * FROM mailing_recipients WHERE mailing_id = \(sent.mailing)"))
    #expect(try row["smtp_code"] == 550 && row["smtp_reply"] == "550 5.1.1 Said by the server")
    let bouncedAt: Timestamp? = try row["bounced_at"]
    #expect(bouncedAt != nil)
    let contact = try #require(try database.row("SELECT * FROM contacts WHERE id = \(sent.person.id)"))
    #expect(try contact["bounce_reason"] == "550 5.1.1 Said by the server")
    #expect(
      try house.count(
        """
        SELECT COUNT(*) FROM suppressions WHERE account_id = \(sent.person.account)
          AND email_key = \(sent.person.email.lowercased()) AND bounced_at IS NOT NULL
        """) == 1)
  }

  @Test func theSameReportTwiceCountsOnce() throws {
    let sent = try sent(person())
    let soft = BounceReports.report(to: sent.returnPath, status: "5.2.2", code: "552")
    #expect(try receive(soft) == .soft(isBounce: false))
    for _ in 0..<6 { #expect(try receive(soft) == .again) }
    #expect(try softBounces(sent.person) == 1 && !isBounced(sent.person))
    let results = try inParallel(8) { [bounces] _ in
      Result { try bounces.receive(soft, BounceService.Envelope(), at: .now).effect }
    }.map { try $0.get() }
    #expect(results.allSatisfy { $0 == .again })
    #expect(try softBounces(sent.person) == 1)
  }

  @Test func reportsAtTheSameTimeCountOnce() throws {
    let sent = try sent(person())
    let soft = BounceReports.report(to: sent.returnPath, status: "4.4.7", code: "451")
    let results = try inParallel(8) { [bounces] _ in
      Result { try bounces.receive(soft, BounceService.Envelope(), at: .now).effect }
    }.map { try $0.get() }
    #expect(results.filter { $0 == .soft(isBounce: false) }.count == 1)
    #expect(try softBounces(sent.person) == 1)
  }

  /// Sends a message again that came back, as retrying does and a sender; answers its return path.
  private func sendAgain(_ sent: Sent) throws -> String {
    try RecipientRows(account: sent.person.account, mailing: sent.mailing, queries: database).retry(
      MailingRetry(includeUncertain: false, includeBounced: true, includeSkipped: false),
      after: ContactID(high: 0, low: 0), through: sent.person.id)
    try database.run(
      """
      UPDATE mailing_recipients SET status = 'sent', sent_at = NOW(6)
      WHERE mailing_id = \(sent.mailing) AND status = 'pending'
      """)
    let returns = try house.count(
      "SELECT returns FROM mailing_recipients WHERE mailing_id = \(sent.mailing)")
    return tokens.returnPath(.init(mark: sent.mark, contact: sent.person.id, returns: returns))
  }

  @Test func whatIsSentAgainCanComeBackAgainAndOldReportsCountOnce() throws {
    let sent = try sent(person())
    let soft = BounceReports.report(to: sent.returnPath, status: "5.2.2", code: "552")
    #expect(try receive(soft) == .soft(isBounce: false))
    let second = try sendAgain(sent)
    #expect(second != sent.returnPath)
    // What was told of the first time says nothing of the second.
    #expect(try receive(soft) == .again)
    #expect(try receive(BounceReports.report(to: sent.returnPath)) == .again)
    #expect(try status(sent) == "sent" && softBounces(sent.person) == 1 && !isBounced(sent.person))
    // Nothing has arrived between them.
    #expect(
      try receive(BounceReports.report(to: second, status: "4.4.7", code: "451")) == .soft(isBounce: false))
    #expect(try status(sent) == "bounced" && softBounces(sent.person) == 2)
    #expect(try receive(BounceReports.report(to: second)) == .again)
    let third = try sendAgain(sent)
    #expect(try receive(BounceReports.report(to: second)) == .again && receive(soft) == .again)
    #expect(try receive(BounceReports.report(to: third)) == .hard(isNew: true))
    #expect(try status(sent) == "bounced" && isBounced(sent.person))
    // Who is flagged is not sent to again.
    #expect(try sendAgain(sent) == third && status(sent) == "bounced")
  }

  @Test func anOldReportWhileTheMessageWaitsDoesNothing() throws {
    let sent = try sent(person())
    let refusal = BounceReports.report(to: sent.returnPath, status: "5.7.1", code: "554")
    #expect(try receive(refusal) == .refused)
    _ = try sendAgain(sent)
    try database.run("UPDATE mailing_recipients SET status = 'pending' WHERE mailing_id = \(sent.mailing)")
    #expect(try receive(refusal) == .again && status(sent) == "pending")
  }

  @Test func whatArrivedSinceEndsTheRowOfOneThatIsSentAgain() throws {
    let person = try person()
    let first = try sent(person)
    #expect(
      try receive(BounceReports.report(to: first.returnPath, status: "5.2.2", code: "552"))
        == .soft(isBounce: false))
    _ = try sent(person)
    let again = try sendAgain(first)
    #expect(
      try receive(BounceReports.report(to: again, status: "5.2.2", code: "552")) == .soft(isBounce: false))
    #expect(try softBounces(person) == 1)
  }

  @Test func softBouncesFlagTheContactAtTheFifthInARow() throws {
    let person = try person()
    for number in 1...5 {
      let sent = try sent(person)
      let effect = try receive(BounceReports.report(to: sent.returnPath, status: "5.2.2", code: "552"))
      #expect(effect == .soft(isBounce: number == 5))
      #expect(try status(sent) == "bounced" && isBounced(person) == (number == 5))
    }
  }

  @Test func aMessageThatStaysBetweenThemEndsTheRow() throws {
    let person = try person()
    for _ in 1...4 {
      let soft = try sent(person)
      #expect(
        try receive(BounceReports.report(to: soft.returnPath, status: "4.4.7", code: "451"))
          == .soft(isBounce: false))
    }
    #expect(try softBounces(person) == 4)
    _ = try sent(person)
    for number in 1...5 {
      let soft = try sent(person)
      let effect = try receive(BounceReports.report(to: soft.returnPath, status: "5.2.2", code: "552"))
      #expect(effect == .soft(isBounce: number == 5), "\(number)")
    }
  }

  @Test func aRefusalForWhatAMessageIsIsNotHeldAgainstTheContact() throws {
    let person = try person()
    for _ in 1...6 {
      let sent = try sent(person)
      #expect(
        try receive(BounceReports.report(to: sent.returnPath, status: "5.7.1", code: "554")) == .refused)
      #expect(try status(sent) == "bounced")
    }
    #expect(try !isBounced(person) && softBounces(person) == 0)
  }

  @Test func whatIsNoFailureDoesNothing() throws {
    let sent = try sent(person())
    #expect(
      try receive(BounceReports.report(to: sent.returnPath, status: "4.4.1", code: "421", action: "delayed"))
        == .delayed)
    #expect(
      try receive(
        BounceReports.report(to: sent.returnPath, status: "2.0.0", code: "250", action: "delivered"))
        == .delivered)
    #expect(try status(sent) == "sent" && !isBounced(sent.person))
    #expect(try receive(BounceReports.report(to: sent.returnPath)) == .hard(isNew: true))
  }

  @Test(
    "Only what is on its way can come back",
    arguments: [
      ("sent", true), ("sending", true), ("uncertain", true), ("pending", false), ("failed", false),
      ("skipped", false),
    ])
  func states(state: String, comesBack: Bool) throws {
    let sent = try sent(person(), status: state)
    #expect(
      try receive(BounceReports.report(to: sent.returnPath))
        == (comesBack ? .hard(isNew: true) : .ignored(.notSent)))
    #expect(try status(sent) == (comesBack ? "bounced" : state) && isBounced(sent.person) == comesBack)
  }

  @Test func wordsAloneAreReadAsFarAsTheyAreClear() throws {
    func words(_ sent: Sent, _ text: String, from: String = "MAILER-DAEMON@mx.example.org") -> [UInt8] {
      Array("From: \(from)\nTo: \(sent.returnPath)\nSubject: failure notice\n\n\(text)\n".utf8)
    }
    let hard = try sent(person())
    #expect(try receive(words(hard, "<ben@example.org>:\nno mailbox here. (#5.1.1)")) == .hard(isNew: true))
    let soft = try sent(person())
    #expect(try receive(words(soft, "<ben@example.org>:\nwho knows")) == .soft(isBounce: false))
    let letter = try sent(person())
    let text = "My server says 550 5.1.1 User unknown, does yours too?"
    #expect(try receive(words(letter, text, from: "ben@example.org")) == .ignored(.noReport))
    #expect(try status(letter) == "sent")
    let away = Array(
      """
      From: ben@example.org
      To: \(letter.returnPath)
      Auto-Submitted: auto-replied
      Subject: Undeliverable until Monday

      550 5.1.1 I am away.
      """.utf8)
    #expect(try receive(away, isFromNobody: true) == .ignored(.noReport))
  }

  // MARK: Whose it is

  @Test func aForgedOneDoesNothing() throws {
    let sent = try sent(person())
    let path = sent.returnPath
    let plus = try #require(path.firstIndex(of: "+"))
    let at = try #require(path.firstIndex(of: "@"))
    try #require(plus < at)
    let token = String(path[path.index(after: plus)..<at])
    let other = String(token.dropLast(3)) + (token.hasSuffix("aaa") ? "bbb" : "aaa")
    for forged in [
      "bounce@go.example", "bounce+@go.example", "bounce+\(other)@go.example",
      "bounce+\(token)a@go.example", "bounce+\(token.dropLast())@go.example", sent.person.email, "", "+", "@",
    ] {
      #expect(
        try receive(BounceReports.report(to: forged, recipient: sent.person.email), to: forged)
          == .ignored(.unknown),
        "\(forged)")
      #expect(
        try receive(
          BounceReports.complaint(
            "abuse", path: forged, unsubscribe: "https://go.example/m/u/\(other)", to: forged))
          == .ignored(.unknown))
    }
    #expect(try status(sent) == "sent" && !isBounced(sent.person) && !isUnsubscribed(sent.person))
    // A name for unsubscribing is none for coming back.
    let web = try #require(sent.unsubscribeURL.split(separator: "/").last)
    #expect(try receive(BounceReports.report(to: "bounce+\(web)@go.example")) == .ignored(.unknown))
  }

  @Test(
    "The return path is found where mail servers note it",
    arguments: ["To", "Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "delivered-to"])
  func fields(field: String) throws {
    let sent = try sent(person())
    #expect(try receive(BounceReports.report(to: sent.returnPath, in: field)) == .hard(isNew: true))
  }

  @Test func theAddressThatTheServerGivesGoesBeforeTheMessage() throws {
    let (one, other) = (try sent(person()), try sent(person()))
    #expect(
      try receive(BounceReports.report(to: other.returnPath), to: one.returnPath.uppercased())
        == .hard(isNew: true))
    #expect(try status(one) == "bounced" && status(other) == "sent")
    // In another field than those it is nothing.
    #expect(try receive(BounceReports.report(to: other.returnPath, in: "Subject")) == .ignored(.unknown))
  }

  @Test func anotherAccountsContactOfTheSameAddressIsLeftAlone() throws {
    let email = "shared-\(UInt64.random(in: 0...UInt64.max))@example.org"
    let (anna, stranger) = (try person(email: email), try person(email: email))
    let sent = try sent(anna)
    #expect(try receive(BounceReports.report(to: sent.returnPath, recipient: email)) == .hard(isNew: true))
    #expect(try isBounced(anna) && !isBounced(stranger))
    #expect(try house.count("SELECT COUNT(*) FROM suppressions WHERE email_key = \(email)") == 1)
    #expect(
      try receive(BounceReports.complaint("abuse", path: try self.sent(anna).returnPath))
        == .complaint(isNew: true))
    #expect(try isUnsubscribed(anna) && !isUnsubscribed(stranger))
  }

  // MARK: What is gone

  @Test func ofADeletedContactTheAddressIsRemembered() throws {
    let (hard, soft, complained) = (try sent(person()), try sent(person()), try sent(person()))
    for sent in [hard, soft, complained] {
      try database.run("DELETE FROM contacts WHERE id = \(sent.person.id)")
    }
    #expect(try receive(BounceReports.report(to: hard.returnPath)) == .hard(isNew: false))
    #expect(try status(hard) == "bounced")
    #expect(
      try receive(BounceReports.report(to: soft.returnPath, status: "5.2.2", code: "552"))
        == .soft(isBounce: false))
    #expect(
      try receive(BounceReports.complaint("abuse", path: complained.returnPath)) == .complaint(isNew: true))
    #expect(
      try receive(BounceReports.complaint("abuse", path: complained.returnPath)) == .complaint(isNew: false))
    func remembered(_ sent: Sent, _ condition: SQL) throws -> Bool {
      try house.count(
        """
        SELECT COUNT(*) FROM suppressions WHERE account_id = \(sent.person.account)
          AND email_key = \(sent.person.email.lowercased()) AND \(condition)
        """) == 1
    }
    #expect(try remembered(hard, "bounced_at IS NOT NULL AND unsubscribed_at IS NULL"))
    #expect(try !remembered(soft, "TRUE"))
    #expect(try remembered(complained, "unsubscribe_reason = 'complaint' AND bounced_at IS NULL"))
  }

  @Test func whoHasAnotherAddressNowIsNotFlaggedForTheOldOne() throws {
    let person = try person()
    let (bounced, complained) = (try sent(person), try sent(person))
    let new = "new-" + person.email
    try database.run(
      "UPDATE contacts SET email = \(new), email_key = \(new.lowercased()) WHERE id = \(person.id)")
    #expect(try receive(BounceReports.report(to: bounced.returnPath)) == .hard(isNew: false))
    #expect(try status(bounced) == "bounced" && !isBounced(person))
    #expect(
      try house.count(
        """
        SELECT COUNT(*) FROM suppressions WHERE account_id = \(person.account)
          AND email_key = \(person.email.lowercased()) AND bounced_at IS NOT NULL
        """) == 1)
    // Who complains is a person.
    #expect(
      try receive(BounceReports.complaint("abuse", path: complained.returnPath)) == .complaint(isNew: true))
    #expect(try isUnsubscribed(person))
  }

  @Test func ofAMergedContactTheOtherIsFlagged() throws {
    let anna = try house.account()
    let kept = try person(anna)
    let merged = try person(anna, email: kept.email + ".old")
    let sent = try sent(merged)
    try database.run("DELETE FROM contacts WHERE id = \(merged.id)")
    try database.run(
      "INSERT INTO contact_aliases (id, account_id, contact_id, created_at) SELECT \(merged.id), account_id, id, created_at FROM contacts WHERE id = \(kept.id)"
    )
    try database.run(
      """
      UPDATE mailing_recipients SET contact_id = \(kept.id), email = \(kept.email)
      WHERE mailing_id = \(sent.mailing)
      """)
    #expect(try receive(BounceReports.report(to: sent.returnPath)) == .hard(isNew: true))
    #expect(try isBounced(kept))
  }

  /// Deletes a mailing as its account would, after it was sent.
  private func delete(_ sent: Sent) throws {
    try database.run("UPDATE mailings SET queued_at = created_at WHERE id = \(sent.mailing)")
    try database.run("DELETE FROM mailing_recipients WHERE mailing_id = \(sent.mailing)")
    try database.transaction {
      try MailingRows(account: sent.person.account, queries: $0).delete(sent.mailing, at: .now)
    }
  }

  @Test func aDeletedMailingsComplaintsStillCount() throws {
    let sent = try sent(person())
    try delete(sent)
    let complaint = BounceReports.complaint("abuse", path: sent.returnPath)
    #expect(try receive(complaint) == .complaint(isNew: true) && isUnsubscribed(sent.person))
    #expect(try receive(complaint) == .complaint(isNew: false))
    // Without the contact nobody knows whose it was.
    try database.run("DELETE FROM contacts WHERE id = \(sent.person.id)")
    #expect(try receive(complaint) == .ignored(.gone))
  }

  @Test func aDeletedMailingsBouncesCountForThePresentAddressAlone() throws {
    let sent = try sent(person())
    try delete(sent)
    func report(of address: String, status: String = "5.1.1") -> [UInt8] {
      BounceReports.report(to: sent.returnPath, status: status, recipient: address)
    }
    #expect(try receive(report(of: "old-" + sent.person.email)) == .ignored(.gone))
    #expect(try receive(report(of: sent.person.email, status: "5.2.2")) == .ignored(.gone))
    #expect(try !isBounced(sent.person) && softBounces(sent.person) == 0)
    #expect(try receive(report(of: sent.person.email)) == .hard(isNew: true) && isBounced(sent.person))
    #expect(try receive(report(of: sent.person.email)) == .hard(isNew: false))
  }

  @Test func ofADraftThatWasDeletedNothingIsLeft() throws {
    let sent = try sent(person())
    try database.run("DELETE FROM mailings WHERE id = \(sent.mailing)")
    #expect(try receive(BounceReports.complaint("abuse", path: sent.returnPath)) == .ignored(.gone))
    #expect(try !isUnsubscribed(sent.person))
  }

  @Test func whoWasMadeAgainWithTheAddressIsFlagged() throws {
    let anna = try house.account()
    let (hard, complained) = (try sent(person(anna)), try sent(person(anna)))
    for sent in [hard, complained] {
      try database.run("DELETE FROM contacts WHERE id = \(sent.person.id)")
    }
    let others = try [hard, complained].map { try person(anna, email: $0.person.email.uppercased()) }
    #expect(try receive(BounceReports.report(to: hard.returnPath)) == .hard(isNew: true))
    #expect(try isBounced(others[0]) && !isUnsubscribed(others[0]))
    #expect(
      try receive(BounceReports.complaint("abuse", path: complained.returnPath)) == .complaint(isNew: true))
    #expect(try isUnsubscribed(others[1]) && !isBounced(others[1]))
  }

  // MARK: Complaints

  @Test func aComplaintUnsubscribes() throws {
    let byPath = try sent(person())
    #expect(try receive(BounceReports.complaint("abuse", path: byPath.returnPath)) == .complaint(isNew: true))
    #expect(
      try receive(BounceReports.complaint("abuse", path: byPath.returnPath)) == .complaint(isNew: false))
    let row = try #require(
      try database.row(
        """
        SELECT r.status, r.unsubscribed_at IS NOT NULL AS gone, c.unsubscribe_reason FROM mailing_recipients r
        JOIN contacts c ON c.id = r.contact_id WHERE r.mailing_id = \(byPath.mailing)
        """))
    #expect(try row["status"] == "sent" && row["gone"] == 1 && row["unsubscribe_reason"] == "complaint")
    #expect(try !isBounced(byPath.person))
    // Providers take the return path away, and the report may come to it.
    let byAddress = try sent(person())
    let report = BounceReports.complaint("abuse", path: "", unsubscribe: byAddress.unsubscribeURL)
    #expect(try receive(report) == .complaint(isNew: true) && isUnsubscribed(byAddress.person))
    let byEnvelope = try sent(person())
    #expect(
      try receive(BounceReports.complaint("abuse", path: ""), to: byEnvelope.returnPath)
        == .complaint(isNew: true))
  }

  @Test(arguments: ["not-spam", "auth-failure", "other"])
  func anotherReportOfAProviderDoesNothing(type: String) throws {
    let sent = try sent(person())
    #expect(try receive(BounceReports.complaint(type, path: sent.returnPath)) == .ignored(.noComplaint))
    #expect(try !isUnsubscribed(sent.person))
  }

  // MARK: What is told

  @Test func theResultIsALineForTheLog() throws {
    let sent = try sent(person())
    let result = try bounces.receive(
      BounceReports.report(to: sent.returnPath), BounceService.Envelope(), at: .now)
    #expect(
      result.description
        == "mailing \(sent.mailing), contact \(sent.person.id): hard bounce: the contact gets no more mailings "
        + "(550 5.1.1 Said by the server)")
    #expect(result.hasChanged)
    let junk = try bounces.receive(Array("junk".utf8), BounceService.Envelope(), at: .now)
    #expect(junk.description == "ignored: it came to no return path of ours" && !junk.hasChanged)
  }

  @Test func aRefusalAtOnceIsJudgedByTheSameTable() throws {
    func note(_ code: Int, _ status: String, _ person: Person) throws -> BounceResult.Effect {
      let mailing = try sent(person, status: "failed").mailing
      return try database.transaction { connection in
        try BounceService.note(
          BounceClassification(code: code, enhanced: EnhancedStatus(status), text: "\(code) \(status) no"),
          of: person.id, email: person.email, mailing: mailing, account: person.account, on: connection,
          at: .now)
      }
    }
    let person = try person()
    #expect(try note(554, "5.7.1", person) == .refused)
    #expect(try note(552, "5.2.2", person) == .soft(isBounce: false))
    #expect(try softBounces(person) == 1 && !isBounced(person))
    #expect(try note(550, "5.1.1", person) == .hard(isNew: true))
    #expect(try note(550, "5.1.1", person) == .hard(isNew: false))
    #expect(try isBounced(person))
  }
}
