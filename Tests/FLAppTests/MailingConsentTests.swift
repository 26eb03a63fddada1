import FLHTTP
import FLMariaDB
import FLValues
import Testing

@testable import FLApp

/// Who gets a mailing that is under way when contacts change: address, groups, or into whom they went.
@Suite struct MailingConsentTests {
  private static let shared = Result { try House() }
  let house: House

  init() throws { house = try Self.shared.get() }

  /// A mailing of which a sender takes messages.
  private struct UnderWay {
    let house: House
    let owner: Client
    let id: MailingID
    let sender = SenderID(at: .now)

    var path: String { "/api/mailing/\(id)" }

    /// Takes those who are due in so many seconds; answers their addresses.
    func claim(in seconds: Int64 = 0) throws -> [String] {
      try house.app.database.transaction {
        try SendingRows(queries: $0).claim(
          10, of: id, behind: nil, by: sender, at: .now + .seconds(seconds)
        ).recipients.map(\.email)
      }
    }

    /// Notes what became of the messages to these contacts.
    func mark(_ contacts: [String], _ outcome: RecipientResult.Outcome) throws {
      try house.app.markRecipients(
        contacts.map { .init(contact: try #require(ContactID($0)), outcome: outcome, at: .now) }, of: id,
        by: sender)
    }

    /// What became of each recipient, `address status` or `address skipped reason`.
    var fates: Set<String> {
      Set(
        owner.get(path + "/recipients").items.map {
          [$0["email"], $0["status"], $0["skippedReason"]].compactMap { $0?.string }.joined(separator: " ")
        })
    }
  }

  /// A draft that goes to these.
  private func draft(_ owner: Client, contacts: [String] = [], groups: [String] = [], tags: [String] = [])
    throws -> String
  {
    let path = "/api/mailing/" + (try owner.mailing().string("id"))
    let added = owner.post(
      path + "/recipients",
      [
        "contactIds": .array(contacts.map { .string($0) }),
        "groupIds": .array(groups.map { .string(String($0.split(separator: "/").last ?? "")) }),
        "tags": .array(tags.map { .string($0) }),
      ])
    try #require(added.status == 200, "\(added)")
    return path
  }

  /// Settles who gets a draft, and begins to send it.
  private func begin(_ path: String, of owner: Client) throws -> UnderWay {
    let id = try #require(MailingID(String(path.split(separator: "/")[2])))
    let sent = owner.post(path + "/send")
    try #require(sent.status == 200, "\(sent)")
    try settle(id)
    try SendingRows(queries: house.app.database).start(id, at: .now)
    return UnderWay(house: house, owner: owner, id: id)
  }

  private func settle(_ id: MailingID) throws {
    let row = try #require(
      try house.app.database.row("SELECT \(Mailing.columns) FROM mailings m WHERE m.id = \(id)"))
    try MailingAudience(database: house.app.database).refresh(Mailing(row), at: .now)
  }

  /// A group with double opt-in whose members these are, and have confirmed.
  private func confirmed(_ owner: Client, _ contacts: [String]) throws -> String {
    let group = try owner.group("Confirmed \(contacts.first ?? "")", ["requireDoubleOptIn": true])
    let added = owner.post(
      group + "/members",
      ["contactIds": .array(contacts.map { .string($0) }), "sendConfirmation": false])
    try #require(added.status == 200, "\(added)")
    _ = try house.app.database.run(
      """
      UPDATE contact_group_members SET status = 'confirmed', confirmed_at = NOW()
      WHERE group_id = \(ContactGroupID(String(group.split(separator: "/").last ?? "")))
      """)
    return group
  }

  private func move(_ owner: Client, _ contact: String, to email: String) {
    let moved = owner.patch("/api/contacts/\(contact)", ["email": .string(email)])
    #expect(moved.status == 200, "\(moved)")
  }

  private func merge(_ owner: Client, _ gone: [String], into kept: String) {
    let merged = owner.post(
      "/api/contacts/\(kept)/merge", ["contactIds": .array(gone.map { .string($0) })])
    #expect(merged.status == 200, "\(merged)")
  }

  // MARK: What was confirmed holds for its address

  @Test func anAddressThatConfirmedNothingGetsNothingOfAMailingUnderWay() throws {
    let anna = try house.account()
    let people = try ["moved", "case", "tagged", "named", "stays"].map {
      try anna.contact("\($0)@example.org", $0 == "tagged" ? ["tags": ["vip"]] : [:])
    }
    let group = try confirmed(anna, people)
    let mailing = try begin(
      try draft(anna, contacts: [people[3]], groups: [group], tags: ["vip"]), of: anna)
    #expect(anna.post(mailing.path + "/pause").status == 200)
    move(anna, people[0], to: "stranger@example.net")
    move(anna, people[1], to: "CASE@example.org")
    move(anna, people[2], to: "tagged@example.net")
    move(anna, people[3], to: "named@example.net")
    #expect(anna.post(mailing.path + "/resume").status == 200)
    try SendingRows(queries: house.app.database).start(mailing.id, at: .now)
    let taken = try mailing.claim()
    #expect(
      Set(taken) == ["CASE@example.org", "tagged@example.net", "named@example.net", "stays@example.org"])
    #expect(mailing.fates.contains("moved@example.org skipped pending"))
    #expect(mailing.owner.get(mailing.path).counted("skipped") == 1)
  }

  @Test func norDoesASecondTryGoThere() throws {
    let anna = try house.account()
    let people = try ["later", "failed"].map { try anna.contact("\($0)@example.org") }
    let mailing = try begin(try draft(anna, groups: [try confirmed(anna, people)]), of: anna)
    #expect(try mailing.claim().count == 2)
    try mailing.mark([people[0]], .retry(at: .now))
    try mailing.mark([people[1]], .failed)
    move(anna, people[0], to: "later@example.net")
    #expect(try mailing.claim() == [])
    move(anna, people[1], to: "failed@example.net")
    #expect(try house.app.finishMailing(mailing.id, at: .now))
    #expect(anna.post(mailing.path + "/retry").counted("pending") == 1)
    try SendingRows(queries: house.app.database).start(mailing.id, at: .now)
    #expect(try mailing.claim() == [])
    #expect(mailing.fates == ["later@example.org skipped pending", "failed@example.org skipped pending"])
    // Until it is confirmed.
    _ = try house.app.database.run(
      "UPDATE contact_group_members SET status = 'confirmed' WHERE contact_id = \(ContactID(people[0]))")
    #expect(try house.app.finishMailing(mailing.id, at: .now))
    #expect(anna.post(mailing.path + "/retry", ["includeSkipped": true]).counted("pending") == 2)
    try SendingRows(queries: house.app.database).start(mailing.id, at: .now)
    #expect(try mailing.claim() == ["later@example.net"])
    #expect(mailing.fates.contains("failed@example.org skipped pending"))
  }

  @Test func whoConfirmsForTheNewAddressGetsIt() throws {
    let anna = try house.account()
    let person = try anna.contact("again@example.org")
    let group = try confirmed(anna, [person])
    let mailing = try begin(try draft(anna, groups: [group]), of: anna)
    move(anna, person, to: "again@example.net")
    _ = try house.app.database.run(
      "UPDATE contact_group_members SET status = 'confirmed' WHERE contact_id = \(ContactID(person))")
    #expect(try mailing.claim() == ["again@example.net"])
  }

  @Test func norDoesAContactThatConfirmedNothingGetWhatAnotherWaitedFor() throws {
    let anna = try house.account()
    let people = try ["waits", "in-hand", "stays"].map { try anna.contact("\($0)@example.org") }
    let others = try ["one", "two"].map { try anna.contact("\($0)@example.net") }
    let mailing = try begin(try draft(anna, groups: [try confirmed(anna, people)]), of: anna)
    merge(anna, [people[0]], into: others[0])
    #expect(Set(try mailing.claim()) == ["in-hand@example.org", "stays@example.org"])
    merge(anna, [people[1]], into: others[1])
    try mailing.mark([people[1]], .retry(at: .now))
    // The first claim hands the row on.
    #expect(try mailing.claim() == [])
    #expect(try mailing.claim() == [])
    #expect(
      mailing.fates == [
        "waits@example.org skipped pending", "in-hand@example.org skipped pending",
        "stays@example.org sending",
      ]
    )
  }

  @Test func whoIsMergedBeforeTheSendingBeginsIsLeftOutAsWell() throws {
    let anna = try house.account()
    let people = try ["goes", "stays"].map { try anna.contact("\($0)@example.org") }
    let other = try anna.contact("other@example.net")
    let path = try draft(anna, groups: [try confirmed(anna, people)])
    merge(anna, [people[0]], into: other)
    let mailing = try begin(path, of: anna)
    #expect(try mailing.claim() == ["stays@example.org"])
    #expect(mailing.fates == ["stays@example.org sending"])
  }

  // MARK: Whoever is one person gets one message

  /// A mailing to contacts of these names, in this order, all of whom a sender has in hand.
  private func inHand(_ owner: Client, _ names: [String]) throws -> (mailing: UnderWay, people: [String]) {
    let people = try names.map { try owner.contact("\($0)@example.org") }
    let mailing = try begin(try draft(owner, contacts: people), of: owner)
    #expect(try mailing.claim().count == names.count)
    return (mailing, people)
  }

  @Test func whoHasTheMessageByAContactThatIsGoneGetsNoSecondOne() throws {
    let anna = try house.account()
    let (mailing, people) = try inHand(anna, ["sent", "waits", "doubtful", "waits-too"])
    try mailing.mark([people[0]], .sent)
    try mailing.mark([people[2]], .uncertain)
    try mailing.mark([people[1], people[3]], .released)
    merge(anna, [people[0]], into: people[1])
    merge(anna, [people[2]], into: people[3])
    #expect(try mailing.claim() == [])
    #expect(
      mailing.fates == [
        "sent@example.org sent", "waits@example.org skipped merged", "doubtful@example.org uncertain",
        "waits-too@example.org skipped merged",
      ])
  }

  @Test func whoHasTheMessageGetsNoneAgainByARetry() throws {
    let anna = try house.account()
    let (mailing, people) = try inHand(anna, ["failed", "sent"])
    try mailing.mark([people[0]], .failed)
    try mailing.mark([people[1]], .sent)
    merge(anna, [people[1]], into: people[0])
    #expect(try house.app.finishMailing(mailing.id, at: .now))
    #expect(anna.post(mailing.path + "/retry").status == 200)
    try SendingRows(queries: house.app.database).start(mailing.id, at: .now)
    #expect(try mailing.claim() == [])
    #expect(mailing.fates == ["failed@example.org skipped merged", "sent@example.org sent"])
  }

  @Test func ofSeveralContactsThatBecomeOneWhatWasSentCounts() throws {
    let anna = try house.account()
    let (mailing, people) = try inHand(anna, ["waits", "failed", "sent"])
    let kept = try anna.contact("kept@example.org")
    try mailing.mark([people[0]], .released)
    try mailing.mark([people[1]], .failed)
    try mailing.mark([people[2]], .sent)
    merge(anna, people, into: kept)
    #expect(try mailing.claim() == [])
    #expect(
      mailing.fates == [
        "waits@example.org skipped merged", "failed@example.org failed", "sent@example.org sent",
      ])
    let items = anna.get(mailing.path + "/recipients?search=sent").items
    #expect(JSON.texts(items, "contactId") == [kept])
  }

  @Test func whoMayGetItByAMessageInHandWaitsForWhatBecomesOfThat() throws {
    let anna = try house.account()
    let names = ["arrives", "comes-back", "bounces"]
    let (mailing, people) = try inHand(anna, names + names.map { "waits-" + $0 })
    try mailing.mark(Array(people[3...]), .released)
    for index in 0...2 { merge(anna, [people[index]], into: people[index + 3]) }
    #expect(try mailing.claim() == [])
    #expect(try mailing.claim() == [])
    try mailing.mark([people[0]], .sent)
    try mailing.mark([people[1]], .retry(at: .now))
    try mailing.mark([people[2]], .bounced)
    // What came back goes into the row of who is there.
    #expect(try mailing.claim() == [])
    let taken = try mailing.claim(in: 61)
    #expect(Set(taken) == ["waits-comes-back@example.org", "waits-bounces@example.org"])
    #expect(
      mailing.fates == [
        "arrives@example.org sent", "waits-arrives@example.org skipped merged",
        "comes-back@example.org skipped merged", "waits-comes-back@example.org sending",
        "bounces@example.org bounced", "waits-bounces@example.org sending",
      ])
  }

  // MARK: Taken out for good

  @Test func whoWasTakenOutStaysOutAsWhoeverTheyAreNow() throws {
    let anna = try house.account()
    let gone = try (0...3).map { try anna.contact("gone\($0)@example.org") }
    let kept = try (0...3).map {
      try anna.contact("kept\($0)@example.org", $0 == 1 ? ["tags": ["vip"]] : [:])
    }
    let stays = try anna.contact("stays@example.org")
    let group = try anna.group("Open")
    let members = JSON.array((gone + [stays]).map { .string($0) })
    #expect(anna.post(group + "/members", ["contactIds": members])["added"] == 5)
    let path = try draft(anna, contacts: [kept[2], kept[3]], groups: [group], tags: ["vip"])
    // Of three pairs who goes was taken out, of the last one who stays.
    for contact in gone[...2] + [kept[3]] {
      #expect(anna.delete(path + "/recipients/" + contact).status == 204)
    }
    // One that has failed before its first message can be a draft again.
    let id = MailingID(String(path.split(separator: "/")[2]))
    _ = try house.app.database.run(
      "UPDATE mailings SET status = 'failed', prepared_at = NOW(6) WHERE id = \(id)")
    for index in 0...3 { merge(anna, [gone[index]], into: kept[index]) }
    #expect(anna.post(path + "/unschedule")["status"] == "draft")
    #expect(Set(JSON.texts(anna.get(path + "/recipients").items, "contactId")) == [kept[2], stays])
    let mailing = try begin(path, of: anna)
    // Who was named by itself gets it.
    let taken = try mailing.claim()
    #expect(Set(taken) == ["kept2@example.org", "stays@example.org"])
    #expect(anna.get(mailing.path + "/recipients")["total"] == 2)
  }

  @Test func aDeletedGroupBringsNobodyWhileItsMembersAreTakenAway() throws {
    let anna = try house.account()
    let people = try ["member", "named"].map { try anna.contact("\($0)@example.org") }
    let group = try anna.group("Large")
    let members = JSON.array(people.map { .string($0) })
    #expect(anna.post(group + "/members", ["contactIds": members])["added"] == 2)
    let path = try draft(anna, contacts: [people[1]], groups: [group])
    // As of more than ten thousand.
    let id = try #require(ContactGroupID(String(group.split(separator: "/").last ?? "")))
    _ = try house.app.database.run("UPDATE contact_groups SET account_id = NULL WHERE id = \(id)")
    #expect(try begin(path, of: anna).claim() == ["named@example.org"])
    try house.app.purge(at: .now)
    #expect(try house.count("SELECT COUNT(*) FROM contact_group_members WHERE group_id = \(id)") == 0)
  }
}
