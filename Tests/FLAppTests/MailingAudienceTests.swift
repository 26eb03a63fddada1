import FLHTTP
import FLMariaDB
import FLValues
import Testing

@testable import FLApp

/// Who a mailing goes to, and how it comes from one state into another.
@Suite struct MailingAudienceTests {
  private static let shared = Result { try House() }
  let house: House

  init() throws { house = try Self.shared.get() }

  /// A group with these members, as rows.
  private func group(_ owner: Client, _ members: [String], pending: [String] = []) throws -> String {
    let id = ContactGroupID(at: .now)
    let database = house.app.database
    _ = try database.run(
      """
      INSERT INTO contact_groups (id, account_id, name, created_at, updated_at)
      SELECT \(id), a.id, \(id.description), NOW(6), NOW(6) FROM accounts a WHERE a.email = \(owner.email)
      """)
    for (contacts, status) in [(members, "confirmed"), (pending, "pending")] {
      for contact in contacts {
        _ = try database.run(
          """
          INSERT INTO contact_group_members (group_id, contact_id, status, added_at)
          VALUES (\(id), \(ContactID(contact)), \(status), NOW(6))
          """)
      }
    }
    return id.description
  }

  private func unsubscribe(_ contact: String, _ value: SQL = "NOW(6)") throws {
    _ = try house.app.database.run(
      "UPDATE contacts SET unsubscribed_at = \(value) WHERE id = \(ContactID(contact))")
  }

  private func wish(contacts: [String] = [], groups: [String] = [], tags: [String] = []) -> JSON {
    [
      "contactIds": .array(contacts.map { .string($0) }), "groupIds": .array(groups.map { .string($0) }),
      "tags": .array(tags.map { .string($0) }),
    ]
  }

  private func people(_ owner: Client, _ count: Int, tag: String? = nil) throws -> [String] {
    let mark = UInt64.random(in: 0...UInt64.max)
    return try owner.contacts(house, (0..<count).map { "p\($0)-\(mark)@example.org" }, tag: tag)
  }

  /// The identifier that the path of a mailing ends with.
  private func mailingID(_ path: String) throws -> MailingID {
    try #require(path.split(separator: "/").last.flatMap { MailingID(String($0)) })
  }

  private func refresh(_ path: String) throws {
    let id = try mailingID(path)
    let row = try #require(
      try house.app.database.row("SELECT \(Mailing.columns) FROM mailings m WHERE m.id = \(id)"))
    try MailingAudience(database: house.app.database).refresh(Mailing(row), at: .now)
  }

  private func recipients(_ owner: Client, _ path: String, _ query: String = "") -> [String] {
    owner.get(path + "/recipients" + query).items.map {
      "\($0["status"]?.string ?? "") \($0["skippedReason"]?.string ?? "-")"
    }
  }

  @Test func whoComesBySeveralWaysIsOneRecipient() throws {
    let anna = try house.account()
    let people = try people(anna, 4, tag: "news")
    let group = try group(anna, Array(people[0...1]), pending: [people[3]])
    let path = "/api/mailing/" + (try anna.mailing().string("id"))
    let one = anna.post(path + "/recipients", wish(contacts: [people[0]]))
    #expect(one.status == 200 && one["added"] == 1 && one["recipients"] == 1, "\(one)")
    let two = anna.post(path + "/recipients", wish(contacts: [people[0], people[0]], groups: [group]))
    #expect(two["added"] == 1 && two["alreadyRecipients"] == 2 && two["recipients"] == 2, "\(two)")
    // Who has not confirmed does not come by the group.
    #expect(two["skipped"] == 1)
    let three = anna.post(path + "/recipients", wish(tags: ["NEWS"]))
    #expect(three["added"] == 2 && three["alreadyRecipients"] == 2 && three["recipients"] == 4, "\(three)")
    #expect(anna.get(path).counted("recipients") == 4 && anna.get(path).counted("pending") == 4)
    let list = anna.get(path + "/recipients?limit=3")
    #expect(list["total"] == 4 && list.items.count == 3)
    let rest = anna.get(path + "/recipients?limit=3&cursor=" + (try list.string("nextCursor")))
    #expect(rest.items.count == 1 && rest["nextCursor"] == JSON.null)
    #expect(Set(JSON.texts(list.items + rest.items, "contactId")) == Set(people))
    #expect(anna.get(path + "/recipients?search=p2-")["total"] == 1)
    #expect(anna.get(path + "/recipients?status=sent")["total"] == 0)
  }

  @Test func whatIsNotThereIsToldAndStopsNobodyElse() throws {
    let anna = try house.account()
    let stranger = try house.account()
    let mine = try people(anna, 1)
    let theirs = try people(stranger, 1)
    let theirGroup = try group(stranger, theirs)
    let path = "/api/mailing/" + (try anna.mailing().string("id"))
    let answer = anna.post(
      path + "/recipients", wish(contacts: theirs + mine, groups: [theirGroup], tags: ["nothing"]))
    #expect(answer.status == 200 && answer["added"] == 1)
    #expect(answer.fields == ["contactIds[0] not_found", "groupIds[0] not_found", "tags[0] not_found"])
    #expect(stranger.post(path + "/recipients", wish(contacts: theirs)).status == 404)
    #expect(stranger.get(path + "/recipients").status == 404)
    let many = JSON.array((0...10_000).map { _ in .string(mine[0]) })
    #expect(anna.post(path + "/recipients", ["contactIds": many]).fields == ["contactIds too_long"])
  }

  @Test func whoIsSuppressedIsSkippedWithTheReason() throws {
    let anna = try house.account()
    let people = try people(anna, 3)
    try unsubscribe(people[0])
    _ = try house.app.database.run(
      "UPDATE contacts SET bounced_at = NOW(6) WHERE id = \(ContactID(people[1]))")
    let path = "/api/mailing/" + (try anna.mailing().string("id"))
    let added = anna.post(path + "/recipients", wish(groups: [try group(anna, people)]))
    #expect(added["added"] == 3 && added["skipped"] == 2, "\(added)")
    #expect(recipients(anna, path) == ["skipped unsubscribed", "skipped bounced", "pending -"])
    // Who came back gets it, and who left since does not.
    try unsubscribe(people[0], "NULL")
    try unsubscribe(people[2])
    try refresh(path)
    #expect(recipients(anna, path) == ["pending -", "skipped bounced", "skipped unsubscribed"])
  }

  @Test func groupsAndTagsAreLookedAtAgainWhenTheSendingBegins() throws {
    let anna = try house.account()
    let people = try people(anna, 6)
    let group = try group(anna, Array(people[0...3]))
    let path = "/api/mailing/" + (try anna.mailing().string("id"))
    _ = anna.post(path + "/recipients", wish(contacts: [people[1], people[5]], groups: [group]))
    // One is taken out for good; two leave, of whom one was added by itself; one joins, one changes address.
    #expect(anna.delete(path + "/recipients/" + people[0]).status == 204)
    #expect(anna.delete(path + "/recipients/" + people[0]).status == 404)
    let database = house.app.database
    _ = try database.run(
      "DELETE FROM contact_group_members WHERE contact_id IN (\([ContactID(people[1]), ContactID(people[2])].compactMap { $0 }))"
    )
    _ = try database.run(
      """
      INSERT INTO contact_group_members (group_id, contact_id, status, added_at)
      VALUES (\(ContactGroupID(group)), \(ContactID(people[4])), 'confirmed', NOW(6))
      """)
    _ = try database.run("UPDATE contacts SET email = 'new@example.org' WHERE id = \(ContactID(people[3]))")
    _ = try database.run("DELETE FROM contacts WHERE id = \(ContactID(people[5]))")
    try refresh(path)
    let items = anna.get(path + "/recipients").items
    #expect(Set(JSON.texts(items, "contactId")) == [people[1], people[3], people[4], people[5]])
    #expect(items.contains { $0["email"] == "new@example.org" })
    #expect(recipients(anna, path, "?status=skipped") == ["skipped deleted"])
    // Who is added by name is in again.
    #expect(anna.post(path + "/recipients", wish(contacts: [people[0]]))["added"] == 1)
    try refresh(path)
    #expect(anna.get(path + "/recipients")["total"] == 5)
    // All out: groups, tags and those who were taken out are forgotten.
    #expect(anna.delete(path + "/recipients").status == 204)
    try refresh(path)
    #expect(anna.get(path + "/recipients")["total"] == 0)
  }

  // MARK: Looking and taking out

  @Test func groupsAndTagsAreSeen() throws {
    let anna = try house.account()
    let people = try people(anna, 4, tag: "news")
    let path = "/api/mailing/" + (try anna.mailing().string("id"))
    #expect(anna.get(path + "/audience").body == ["groups": [], "tags": [], "contacts": 0, "excluded": 0])
    let (one, two) = (try group(anna, Array(people[0...2])), try group(anna, []))
    _ = anna.post(path + "/recipients", wish(contacts: [people[0]], groups: [one, two], tags: ["news"]))
    // Whoever is named who came by a group before counts as named.
    _ = anna.post(path + "/recipients", wish(contacts: [people[1]]))
    #expect(anna.delete(path + "/recipients/" + people[3]).status == 204)
    let seen = anna.get(path + "/audience")
    #expect(seen.status == 200 && seen["contacts"] == 2 && seen["excluded"] == 1, "\(seen)")
    #expect(Set(JSON.texts(seen["groups"]?.array ?? [], "id")) == [one, two] && seen["tags"] == ["news"])
    // By the present name, and only what is there.
    let changed = anna.patch("/api/contact-groups/" + one, ["name": "Renamed"])
    #expect(changed.status == 200 && anna.delete("/api/contact-groups/" + two).status == 204)
    #expect(anna.get(path + "/audience")["groups"] == [["id": .string(one), "name": "Renamed"]])
    #expect(try house.account().get(path + "/audience").status == 404)
    // It is told of one that was sent as well.
    #expect(anna.post(path + "/send").status == 200 && anna.get(path + "/audience")["contacts"] == 2)
  }

  @Test func whoComesByAGroupAloneGoesWithIt() throws {
    let anna = try house.account()
    let people = try people(anna, 6)
    let (news, press) = (try group(anna, Array(people[0...3])), try group(anna, [people[3], people[4]]))
    let path = "/api/mailing/" + (try anna.mailing().string("id"))
    _ = anna.post(path + "/recipients", wish(contacts: [people[0]], groups: [news, press]))
    #expect(anna.delete(path + "/recipients/" + people[1]).status == 204)
    let removed = anna.post(path + "/recipients/remove", ["groupIds": [.string(news)]])
    #expect(
      removed.status == 200
        && removed.body == [
          "removed": 1, "contacts": 0, "groups": 1, "tags": 0, "recipients": 3, "errors": [],
        ], "\(removed)")
    // Who was named, and who is in another group, stays.
    #expect(
      Set(JSON.texts(anna.get(path + "/recipients").items, "contactId"))
        == Set([people[0], people[3], people[4]]))
    #expect(JSON.texts(anna.get(path + "/audience")["groups"]?.array ?? [], "id") == [press])
    try refresh(path)
    #expect(anna.get(path + "/recipients")["total"] == 3)
    // They come back with the group, but for the one who was taken out singly.
    #expect(anna.post(path + "/recipients", wish(groups: [news]))["recipients"] == 4)
    #expect(!JSON.texts(anna.get(path + "/recipients").items, "contactId").contains(people[1]))
    #expect(anna.get(path + "/audience")["excluded"] == 1)
  }

  @Test func whoComesByATagAloneGoesWithIt() throws {
    let anna = try house.account()
    let people = try people(anna, 3, tag: "Fair")
    let path = "/api/mailing/" + (try anna.mailing().string("id"))
    _ = anna.post(path + "/recipients", wish(groups: [try group(anna, [people[0]])], tags: ["fair"]))
    let removed = anna.post(path + "/recipients/remove", wish(tags: ["FAIR", "fair"]))
    #expect(removed["removed"] == 2 && removed["tags"] == 1 && removed["recipients"] == 1, "\(removed)")
    #expect(anna.get(path + "/audience")["tags"] == [])
    #expect(removed["errors"] == [])
  }

  @Test func contactsAreTakenOutForGood() throws {
    let anna = try house.account()
    let people = try people(anna, 4)
    let news = try group(anna, [people[0], people[1]])
    let path = "/api/mailing/" + (try anna.mailing().string("id"))
    _ = anna.post(path + "/recipients", wish(contacts: [people[2]], groups: [news]))
    _ = try house.app.database.run("DELETE FROM contacts WHERE id = \(ContactID(people[2]))")
    // One by the group, one who is gone, one who is not in yet, and one of somebody else.
    let theirs = try self.people(try house.account(), 1)
    let wanted = [people[0], people[2], people[3]]
    let removed = anna.post(path + "/recipients/remove", wish(contacts: wanted + theirs + [people[0]]))
    #expect(
      removed["removed"] == 2 && removed["contacts"] == 3 && removed["recipients"] == 1, "\(removed)")
    #expect(removed.fields == ["contactIds[3] not_found"])
    _ = try house.app.database.run(
      """
      INSERT INTO contact_group_members (group_id, contact_id, status, added_at)
      VALUES (\(ContactGroupID(news)), \(ContactID(people[3])), 'confirmed', NOW(6))
      """)
    try refresh(path)
    #expect(JSON.texts(anna.get(path + "/recipients").items, "contactId") == [people[1]])
    #expect(anna.get(path + "/audience")["excluded"] == 3)
    #expect(anna.post(path + "/recipients", wish(contacts: [people[3]]))["added"] == 1)
    #expect(anna.get(path + "/audience")["excluded"] == 2)
  }

  @Test func whatIsNotAmongThemIsToldWhenItIsTakenOut() throws {
    let anna = try house.account()
    let people = try people(anna, 1, tag: "news")
    let (mine, other) = (try group(anna, people), try group(anna, people))
    let path = "/api/mailing/" + (try anna.mailing().string("id"))
    _ = anna.post(path + "/recipients", wish(groups: [mine]))
    let removed = anna.post(
      path + "/recipients/remove", wish(groups: [other, mine, mine], tags: ["news", "nothing"]))
    #expect(removed["groups"] == 1 && removed["removed"] == 1 && removed["recipients"] == 0, "\(removed)")
    #expect(removed.fields == ["groupIds[0] not_found", "tags[0] not_found", "tags[1] not_found"])
    for body in [[:], wish()] as [JSON] {
      let answer = anna.post(path + "/recipients/remove", body)
      #expect(answer.status == 422 && answer.fields == ["contactIds required"], "\(answer)")
    }
  }

  @Test func nothingIsTakenOutOfAMailingOnItsWay() throws {
    let anna = try house.account()
    let people = try people(anna, 2)
    let news = try group(anna, people)
    let path = "/api/mailing/" + (try anna.mailing().string("id"))
    _ = anna.post(path + "/recipients", wish(groups: [news]))
    let time = (Timestamp.now + .seconds(3600)).description
    #expect(anna.post(path + "/send", ["scheduledFor": .string(time)])["status"] == "scheduled")
    #expect(anna.post(path + "/recipients/remove", wish(contacts: [people[0]]))["removed"] == 1)
    #expect(anna.post(path + "/pause").status == 200)
    for removal in [wish(contacts: [people[1]]), wish(groups: [news])] {
      let answer = anna.post(path + "/recipients/remove", removal)
      #expect(answer.status == 409 && answer.fields == ["status not_editable"], "\(answer)")
    }
    #expect(anna.get(path + "/recipients")["total"] == 1)
  }

  // MARK: As it is now

  /// Puts a contact into a group, as a row.
  private func join(_ group: String, _ contact: String, _ status: String = "confirmed") throws {
    _ = try house.app.database.run(
      """
      INSERT INTO contact_group_members (group_id, contact_id, status, added_at)
      VALUES (\(ContactGroupID(group)), \(ContactID(contact)), \(status), NOW(6))
      """)
  }

  /// Puts a tag on a contact, as a row.
  private func tag(_ contact: String, _ name: String) throws {
    _ = try house.app.database.run(
      """
      INSERT INTO contact_tags (contact_id, tag_id) SELECT c.id, t.id FROM contacts c
      JOIN tags t ON t.account_id = c.account_id AND t.name = \(name) WHERE c.id = \(ContactID(contact))
      """)
  }

  private func checked(_ owner: Client, _ path: String) -> [Int64?] {
    let recipients = owner.get(path + "/check")["recipients"]
    return ["total", "willReceive", "unsubscribed", "bounced"].map { recipients?[$0]?.integer }
  }

  @Test func aGroupThatWasEmptyIsSentWhenSomebodyIsInIt() throws {
    let anna = try house.account()
    let people = try people(anna, 4)
    let news = try group(anna, [])
    let path = "/api/mailing/" + (try anna.mailing().string("id"))
    #expect(anna.post(path + "/recipients", wish(groups: [news]))["added"] == 0)
    #expect(anna.post(path + "/send").fields == ["recipients no_recipients"])
    // Nobody of these would get it: one has not confirmed, one unsubscribed, one bounced, one was taken out.
    try join(news, people[0], "pending")
    for person in people[1...] { try join(news, person) }
    try unsubscribe(people[1])
    let database = house.app.database
    _ = try database.run("UPDATE contacts SET bounced_at = NOW(6) WHERE id = \(ContactID(people[2]))")
    #expect(anna.post(path + "/recipients/remove", wish(contacts: [people[3]]))["contacts"] == 1)
    #expect(anna.post(path + "/send").fields == ["recipients no_recipients"])
    #expect(checked(anna, path) == [2, 0, 1, 1])
    let codes = JSON.texts(anna.get(path + "/check")["items"]?.array ?? [], "code")
    #expect(codes.first == "no_recipients")
    _ = try database.run(
      "UPDATE contact_group_members SET status = 'confirmed' WHERE contact_id = \(ContactID(people[0]))")
    #expect(checked(anna, path) == [3, 1, 1, 1])
    #expect(anna.post(path + "/send")["status"] == "queued")
    try refresh(path)
    #expect(recipients(anna, path) == ["pending -", "skipped unsubscribed", "skipped bounced"])
    #expect(checked(anna, path) == [3, 1, 1, 1])
  }

  @Test func aTagThatNobodyHadIsSentWhenSomebodyHasIt() throws {
    let anna = try house.account()
    _ = try people(anna, 0, tag: "fair")
    let path = "/api/mailing/" + (try anna.mailing().string("id"))
    #expect(anna.post(path + "/recipients", wish(tags: ["fair"]))["errors"] == [])
    #expect(anna.post(path + "/send").fields == ["recipients no_recipients"])
    try tag(try people(anna, 1)[0], "fair")
    #expect(checked(anna, path) == [1, 1, 0, 0])
    #expect(anna.post(path + "/send").status == 200)
  }

  @Test func whoCouldGetItBeforeIsNobodyNow() throws {
    let anna = try house.account()
    let people = try people(anna, 2)
    let path = "/api/mailing/" + (try anna.mailing().string("id"))
    _ = anna.post(path + "/recipients", wish(contacts: [people[0]], groups: [try group(anna, [people[1]])]))
    try unsubscribe(people[0])
    _ = try house.app.database.run(
      "DELETE FROM contact_group_members WHERE contact_id = \(ContactID(people[1]))")
    #expect(anna.post(path + "/send").fields == ["recipients no_recipients"])
    // Who unsubscribed before and came back is somebody.
    try unsubscribe(people[0], "NULL")
    #expect(anna.post(path + "/send").status == 200)
  }

  @Test func theCheckCountsWhoeverWouldGetItNowOnce() throws {
    let anna = try house.account()
    let people = try people(anna, 8, tag: "fair")
    let (one, two) = (try group(anna, [people[0], people[1]]), try group(anna, []))
    _ = try self.people(anna, 0, tag: "vip")
    let path = "/api/mailing/" + (try anna.mailing().string("id"))
    _ = anna.post(path + "/recipients", wish(contacts: [people[2]], groups: [one, two], tags: ["vip"]))
    #expect(checked(anna, path) == [3, 3, 0, 0])
    // Who joins several at once is one more; who leaves is one less, but for one who was named.
    let database = house.app.database
    for group in [one, two] { try join(group, people[3]) }
    try join(two, people[4])
    for person in [people[3], people[4], people[5]] { try tag(person, "vip") }
    try join(two, people[2])
    _ = try database.run(
      "DELETE FROM contact_group_members WHERE contact_id IN (\([ContactID(people[1]), ContactID(people[2])].compactMap { $0 }))"
    )
    try unsubscribe(people[4])
    _ = try database.run("DELETE FROM contacts WHERE id = \(ContactID(people[2]))")
    // 0 by the first group, 2 named and gone, and the three who came in.
    #expect(checked(anna, path) == [5, 3, 1, 0])
    // It is what the sending begins with, and no row was written for it.
    #expect(anna.get(path + "/recipients")["total"] == 3)
    #expect(anna.post(path + "/send").status == 200)
    try refresh(path)
    #expect(anna.get(path + "/recipients")["total"] == 5)
    #expect(recipients(anna, path, "?status=pending").count == 3)
    // Whom it goes to is settled then.
    try join(one, people[6])
    #expect(checked(anna, path) == [5, 3, 1, 0])
  }

  @Test func whoHasNotConfirmedIsTold() throws {
    let anna = try house.account()
    let people = try people(anna, 7)
    let (one, two) = (
      try group(anna, [people[0]], pending: Array(people[1...5])), try group(anna, [people[2]])
    )
    try join(two, people[1], "pending")
    _ = try self.people(anna, 0, tag: "vip")
    try tag(people[3], "vip")
    let path = "/api/mailing/" + (try anna.mailing().string("id"))
    _ = anna.post(path + "/recipients", wish(contacts: [people[4]], groups: [one, two], tags: ["vip"]))
    #expect(anna.post(path + "/recipients/remove", wish(contacts: [people[5]]))["contacts"] == 1)
    // 1 waits in two groups; 2 comes by another group, 3 by a tag, 4 by name, and 5 was taken out.
    let check = anna.get(path + "/check")
    #expect(check["recipients"]?["unconfirmed"] == 1 && check["recipients"]?["total"] == 4, "\(check)")
    let item = check["items"]?.array?.first { $0["code"] == "unconfirmed_members" }
    #expect(item?["severity"] == "info" && item?["message"]?.string?.hasSuffix(": 1.") == true, "\(check)")
    #expect(item?["field"] == "recipients")
    // Nobody is told of who is settled.
    try refresh(path)
    #expect(anna.get(path + "/check")["recipients"]?["unconfirmed"] == 0)
    #expect(!anna.get(path + "/check").text.contains("unconfirmed_members"))
  }

  @Test func everyReasonIsNamed() throws {
    let schema = house.app.openAPIDocument["components"]?["schemas"]?["MailingRecipient"]?["properties"]
    let reasons = schema?["skippedReason"]?["enum"]?.array?.compactMap(\.string) ?? []
    #expect(
      Set(reasons) == [
        "unsubscribed", "bounced", "deleted", "cancelled", "invalid_address", "pending", "merged",
      ])
  }

  // MARK: States

  private func ready(_ owner: Client) throws -> (path: String, people: [String]) {
    let people = try people(owner, 3)
    let path = "/api/mailing/" + (try owner.mailing().string("id"))
    #expect(owner.post(path + "/recipients", wish(contacts: people))["added"] == 3)
    return (path, people)
  }

  @Test func sendingQueuesAndNothingChangesAfterwards() throws {
    let anna = try house.account()
    let (path, people) = try ready(anna)
    let tag = anna.get(path).headers[.eTag] ?? ""
    #expect(anna.patch(path, ["subject": "Other"]).status == 200)
    #expect(anna.post(path + "/send", nil, [.ifMatch: tag]).status == 412)
    let sent = anna.post(path + "/send")
    #expect(sent.status == 200 && sent["status"] == "queued" && sent["scheduledFor"] == JSON.null, "\(sent)")
    for answer in [
      anna.post(path + "/send", [:]), anna.patch(path, ["subject": "x"]), anna.delete(path),
      anna.post(path + "/recipients", wish(contacts: people)), anna.delete(path + "/recipients"),
      anna.delete(path + "/recipients/" + people[0]), anna.post(path + "/resume"), anna.post(path + "/retry"),
    ] {
      #expect(answer.status == 409 && answer.code == "conflict", "\(answer)")
    }
    #expect(anna.patch(path, ["subject": "x"]).fields == ["status not_editable"])
    #expect(anna.post(path + "/pause")["status"] == "paused" && anna.post(path + "/pause").status == 409)
    #expect(anna.post(path + "/resume")["status"] == "queued")
    let cancelled = anna.post(path + "/cancel")
    #expect(
      cancelled["status"] == "cancelled" && cancelled.counted("skipped") == 3
        && cancelled.counted("pending") == 0)
    #expect(cancelled["finishedAt"] != JSON.null && anna.post(path + "/cancel").status == 409)
    #expect(recipients(anna, path) == Array(repeating: "skipped cancelled", count: 3))
    // One that was interrupted on the way goes on when it is asked for again.
    _ = try house.app.database.run(
      """
      UPDATE mailing_recipients SET status = 'pending', skipped_reason = NULL
      WHERE contact_id = \(ContactID(people[0]))
      """)
    #expect(anna.post(path + "/cancel").counted("skipped") == 3 && anna.post(path + "/cancel").status == 409)
    #expect(anna.delete(path).status == 204)
    #expect(
      try house.count("SELECT COUNT(*) FROM mailing_recipients WHERE contact_id = \(ContactID(people[0]))")
        == 0)
  }

  @Test func whatASenderGivesBackOfACancelledMailingWaitsNoMore() throws {
    let anna = try house.account()
    let (path, people) = try ready(anna)
    let id = try mailingID(path)
    #expect(anna.post(path + "/send").status == 200)
    try refresh(path)
    let database = house.app.database
    try SendingRows(queries: database).start(id, at: .now)
    let sender = SenderID(at: .now)
    let claim = try database.transaction {
      try SendingRows(queries: $0).claim(10, of: id, behind: nil, by: sender, at: .now)
    }
    #expect(claim.recipients.count == 3)
    #expect(anna.post(path + "/cancel").counted("pending") == 3)
    // A reply may be any text of any length, of one character with a thousand accents too.
    let reply = "550 5.7.1 e" + String(repeating: "\u{301}", count: 2000)
    let outcomes: [RecipientResult.Outcome] = [.released, .retry(at: .now), .failed]
    try house.app.markRecipients(
      zip(people, outcomes).map { person, outcome in
        RecipientResult(
          contact: ContactID(person) ?? ContactID(at: .now), outcome: outcome, code: 550, reply: reply,
          at: .now)
      }, of: id, by: sender)
    let counts = anna.get(path)
    #expect(
      counts.counted("pending") == 0 && counts.counted("skipped") == 2 && counts.counted("failed") == 1)
  }

  @Test func theTimesOfARecipientAreTold() throws {
    let anna = try house.account()
    let people = try people(anna, 8)
    let path = "/api/mailing/" + (try anna.mailing().string("id"))
    #expect(anna.post(path + "/recipients", wish(contacts: people))["added"] == 8)
    let id = try #require(MailingID(String(path.split(separator: "/")[2])))
    func times() -> [[JSON?]] {
      anna.get(path + "/recipients").items.map { [$0["attemptedAt"], $0["nextAttemptAt"]] }
    }
    #expect(times() == Array(repeating: [.null, .null], count: 8))
    #expect(anna.post(path + "/send").status == 200)
    try refresh(path)
    let (database, sender) = (house.app.database, SenderID(at: .now))
    try SendingRows(queries: database).start(id, at: .now)
    let claim = try database.transaction {
      try SendingRows(queries: $0).claim(10, of: id, behind: nil, by: sender, at: .now)
    }
    #expect(claim.recipients.count == 8)
    let at = Timestamp(seconds: 1_900_000_000)
    let later = at + .seconds(600)
    let outcomes: [RecipientResult.Outcome] = [
      .sent, .retry(at: later), .failed, .bounced, .uncertain, .released, .postponed(until: later),
      .skipped("invalid_address"),
    ]
    try house.app.markRecipients(
      zip(claim.recipients, outcomes).map {
        RecipientResult(contact: $0.contact, outcome: $1, code: 450, reply: "words", at: at)
      }, of: id, by: sender)
    let (tried, next) = (JSON.string(at.description), JSON.string(later.description))
    let expected: [[JSON?]] = [
      [tried, .null], [tried, next], [tried, .null], [tried, .null], [tried, .null], [.null, .null],
      [.null, next], [.null, .null],
    ]
    #expect(times() == expected)
    // Nobody waits any more, and what was tried was tried.
    #expect(anna.post(path + "/cancel")["status"] == "cancelled")
    #expect(times() == expected.map { [$0[0], .null] })
    _ = try database.run(
      "UPDATE mailing_recipients SET status = 'sending', claimed_by = \(sender) WHERE mailing_id = \(id)")
    let second = at + .seconds(60)
    // Who would wait again of a cancelled mailing is skipped, and was tried or was not.
    try house.app.markRecipients(
      zip(claim.recipients, [.retry(at: later), .released] as [RecipientResult.Outcome]).map {
        RecipientResult(contact: $0.contact, outcome: $1, at: second)
      }, of: id, by: sender)
    #expect(recipients(anna, path).prefix(2) == ["skipped cancelled", "skipped cancelled"])
    #expect(times().prefix(2) == [[.string(second.description), .null], [tried, .null]])
  }

  @Test func whoIsMergedWhileInHandGetsTheSecondTryAsWhoTheyAreNow() throws {
    let anna = try house.account()
    let (path, people) = try ready(anna)
    let id = try mailingID(path)
    #expect(anna.post(path + "/send").status == 200)
    try refresh(path)
    let (database, sender) = (house.app.database, SenderID(at: .now))
    try SendingRows(queries: database).start(id, at: .now)
    func claim() throws -> [ClaimedRecipient] {
      try database.transaction {
        try SendingRows(queries: $0).claim(10, of: id, behind: nil, by: sender, at: .now).recipients
      }
    }
    #expect(try claim().count == 3)
    // One goes into somebody who is no recipient, one into somebody who is.
    let new = try anna.contact("other@example.org")
    #expect(anna.post("/api/contacts/\(new)/merge", ["contactIds": [.string(people[0])]]).status == 200)
    #expect(anna.post("/api/contacts/\(people[2])/merge", ["contactIds": [.string(people[1])]]).status == 200)
    try house.app.markRecipients(
      people.map {
        RecipientResult(
          contact: ContactID($0) ?? ContactID(at: .now), outcome: .released, at: .now)
      }, of: id, by: sender)
    // The first claim hands the rows on.
    #expect(try claim().map(\.contact.description) == [people[2]])
    let second = try claim()
    #expect(second.map(\.contact.description) == [new] && second.map(\.email) == ["other@example.org"])
    #expect(anna.get(path).counted("skipped") == 1)
  }

  @Test func manyMailingsOfOneAccountHideNoneOfAnother() throws {
    let (anna, bert) = (try house.account(), try house.account())
    for _ in 0..<25 { #expect(anna.post(try ready(anna).path + "/send").status == 200) }
    let path = try ready(bert).path
    #expect(bert.post(path + "/send").status == 200)
    let waiting = try SendingRows(queries: house.app.database).waiting(at: .now)
    #expect(waiting.contains { path.hasSuffix($0.id.description) })
    #expect(Dictionary(grouping: waiting, by: \.account).values.allSatisfy { $0.count <= 20 })
  }

  @Test func aScheduledMailingCanBeChangedUntilItsTime() throws {
    let anna = try house.account()
    let (path, _) = try ready(anna)
    let past = anna.post(path + "/send", ["scheduledFor": "2020-01-01T00:00:00Z"])
    #expect(past.fields == ["scheduledFor in_the_past"])
    #expect(
      anna.post(path + "/send", ["scheduledFor": "9000-01-01T00:00:00Z"]).fields == [
        "scheduledFor out_of_range"
      ])
    #expect(
      anna.patch(path, ["scheduledFor": "2031-01-01T00:00:00Z"]).fields == ["scheduledFor not_scheduled"])
    let time = Timestamp.now + .seconds(7200)
    let sent = anna.post(path + "/send", ["scheduledFor": .string(time.description)])
    #expect(sent["status"] == "scheduled" && sent["scheduledFor"] == .string(time.description), "\(sent)")
    let later = (time + .seconds(3600)).description
    #expect(
      anna.patch(path, ["subject": "Later", "scheduledFor": .string(later)])["scheduledFor"] == .string(later)
    )
    #expect(anna.post(path + "/pause")["status"] == "paused")
    #expect(anna.post(path + "/resume")["status"] == "scheduled")
    #expect(anna.get("/api/mailing?status=scheduled")["total"] == 1)
  }

  @Test func aMailingWithFaultsIsNotSent() throws {
    let anna = try house.account()
    let path = "/api/mailing/" + (try anna.mailing(["htmlBody": ""]).string("id"))
    let answer = anna.post(path + "/send")
    #expect(
      answer.status == 422 && answer.fields == ["htmlBody empty_body", "recipients no_recipients"],
      "\(answer)")
    #expect(anna.get(path)["status"] == "draft")
  }

  @Test func onlyTheFailedAreTriedAgain() throws {
    let anna = try house.account()
    let (path, people) = try ready(anna)
    #expect(anna.post(path + "/send").status == 200)
    func set(_ contact: Int, _ status: String) throws {
      _ = try house.app.database.run(
        """
        UPDATE mailing_recipients SET status = \(status), attempts = 3, smtp_code = 450
        WHERE contact_id = \(ContactID(people[contact]))
        """)
    }
    try set(0, "sent")
    try set(1, "failed")
    try set(2, "uncertain")
    let id = try mailingID(path)
    func finish() throws {
      _ = try house.app.database.run("UPDATE mailings SET status = 'sent' WHERE id = \(id)")
    }
    try finish()
    #expect(anna.get(path).counted("uncertain") == 1)
    #expect(anna.get(path + "/recipients?status=failed").items.first?["smtpCode"] == 450)
    let retried = anna.post(path + "/retry")
    #expect(
      retried.status == 200 && retried["status"] == "queued" && retried.counted("pending") == 1, "\(retried)")
    #expect(retried.counted("sent") == 1 && retried.counted("uncertain") == 1)
    #expect(anna.get(path + "/recipients?status=pending").items.first?["attempts"] == 0)
    try set(1, "sent")
    try finish()
    #expect(anna.post(path + "/retry").fields == ["status nothing_failed"])
    #expect(anna.post(path + "/retry", ["includeUncertain": true]).counted("pending") == 1)
  }

  @Test func ofManyAtOnceOneSends() throws {
    let anna = try house.account()
    let (path, _) = try ready(anna)
    let answers = inParallel(8) { _ in anna.post(path + "/send").status }
    #expect(answers.sorted() == [200] + Array(repeating: 409, count: 7))
  }

  @Test func reactionsAreCounted() throws {
    let anna = try house.account()
    let (path, people) = try ready(anna)
    _ = anna.post(path + "/send")
    let id = try mailingID(path)
    let database = house.app.database
    _ = try database.run("UPDATE mailings SET started_at = '2026-05-01 10:00:00' WHERE id = \(id)")
    _ = try database.run(
      """
      UPDATE mailing_recipients SET status = 'sent', sent_at = '2026-05-01 10:10:00', opened_at = '2026-05-01 11:30:00'
      WHERE mailing_id = \(id)
      """)
    _ = try database.run(
      """
      UPDATE mailing_recipients SET clicked_at = '2026-05-01 11:31:00', unsubscribed_at = '2026-05-01 11:32:00'
      WHERE contact_id = \(ContactID(people[0]))
      """)
    _ = try database.run(
      """
      UPDATE mailing_recipients SET status = 'failed', opened_at = NULL, smtp_code = 550, smtp_reply = 'no such user'
      WHERE contact_id = \(ContactID(people[2]))
      """)
    _ = try database.run(
      "INSERT INTO mailing_links VALUES (\(id), 0, 'https://example.org/', 3), (\(id), 1, 'https://example.org/b', 0)"
    )
    _ = try database.run(
      "INSERT INTO mailing_link_visitors VALUES (\(id), 0, \(ContactID(people[0])), NOW(6))")
    let counts = anna.get(path)
    #expect(
      counts.counted("opened") == 2 && counts.counted("clicked") == 1 && counts.counted("unsubscribed") == 1)
    #expect(counts.counted("sent") == 2 && counts.counted("failed") == 1)
    let stats = anna.get(path + "/stats")
    #expect(stats.status == 200, "\(stats)")
    #expect(stats["openRate"] == 1 || stats["openRate"] == .number(1))
    #expect(stats["clickRate"] == .number(0.5))
    #expect(stats["links"]?[0] == ["url": "https://example.org/", "clicks": 3, "uniqueClicks": 1])
    #expect(
      stats["domains"]?[0] == [
        "domain": "example.org", "recipients": 3, "sent": 2, "failed": 1, "bounced": 0,
      ])
    #expect(stats["failures"] == [["smtpCode": 550, "smtpReply": "no such user", "count": 1]])
    #expect(
      stats["series"] == [
        ["start": "2026-05-01T10:00:00Z", "sent": 3, "opened": 0, "clicked": 0],
        ["start": "2026-05-01T11:00:00Z", "sent": 0, "opened": 2, "clicked": 1],
      ])
  }

  // MARK: Tests and templates

  @Test func testsAreQueuedAndFew() throws {
    let anna = try house.account()
    let path = "/api/mailing/" + (try anna.mailing().string("id"))
    let queued = anna.post(path + "/test", ["to": ["a@example.org", "b@example.org"]])
    #expect(queued.status == 202 && queued["queued"] == 2, "\(queued)")
    let six = JSON.array((0..<6).map { .string("a\($0)@example.org") })
    #expect(anna.post(path + "/test", ["to": six]).fields == ["to too_long"])
    #expect(anna.post(path + "/test", ["to": []]).fields == ["to too_short"])
    #expect(anna.post(path + "/test", ["to": ["nobody"]]).fields == ["to[0] invalid_email"])
    let tests = try MailingTestQueue.claim(10, for: .seconds(60), from: house.app.database, at: .now)
    let own = tests.filter { path.hasSuffix($0.mailing.id.description) }
    #expect(own.map(\.recipient).sorted() == ["a@example.org", "b@example.org"])
    #expect(try MailingTestQueue.claim(10, for: .seconds(60), from: house.app.database, at: .now).isEmpty)
    for test in own {
      try MailingTestQueue.markFailed(
        test.id, isFinal: false, retryAt: .now - .seconds(1), code: 450, reply: "later",
        in: house.app.database,
        at: .now)
    }
    let again = try MailingTestQueue.claim(10, for: .seconds(60), from: house.app.database, at: .now)
    #expect(again.count == 2 && again.allSatisfy { $0.attempts == 1 })
    for test in again {
      try MailingTestQueue.markSent(test.id, code: 250, reply: "ok", in: house.app.database, at: .now)
    }
    let five = JSON.array((0..<5).map { .string("a\($0)@example.org") })
    for _ in 0..<3 { #expect(anna.post(path + "/test", ["to": five]).status == 202) }
    let refused = anna.post(path + "/test", ["to": five])
    #expect(refused.status == 429 && refused.headers[.retryAfter] != nil)
  }

  @Test func aTemplateIsKeptAndSent() throws {
    let anna = try house.account()
    let people = try people(anna, 2, tag: "vip")
    let made = anna.post(
      "/api/mailing/templates",
      [
        "name": "Welcome", "subject": "Hi {{FirstName|you}}",
        "htmlBody": "<a href='{{UnsubscribeUrl}}'>x</a>",
      ])
    #expect(made.status == 201 && made["name"] == "Welcome", "\(made)")
    let path = "/api/mailing/templates/" + (try made.string("id"))
    #expect(made.location == path && anna.get(path).bytes == made.bytes)
    let again = anna.post("/api/mailing/templates", ["name": "WELCOME", "subject": "x"])
    #expect(again.status == 409 && again.fields == ["name taken"])
    #expect(
      anna.patch(path, ["name": "Hello", "subject": "{{Nope}}"]).fields == ["subject unknown_placeholder"])
    #expect(anna.patch(path, ["name": "Hello"])["name"] == "Hello")
    _ = anna.post("/api/mailing/templates", ["name": "Another", "subject": "x"])
    #expect(JSON.texts(anna.get("/api/mailing/templates").items, "name") == ["Another", "Hello"])
    #expect(anna.get("/api/mailing/templates?search=hell")["total"] == 1)
    let before = anna.get("/api/mailing")["total"]
    let nobody = anna.post(path + "/send", [:])
    #expect(nobody.status == 422 && nobody.fields == ["recipients no_recipients"], "\(nobody)")
    let unknown = anna.post(
      path + "/send", ["contactIds": .array(people.map { .string($0) }), "tags": ["what"]])
    #expect(unknown.status == 422 && unknown.fields == ["tags[0] not_found"])
    #expect(anna.get("/api/mailing")["total"] == before)
    let sent = anna.post(path + "/send", ["tags": ["vip"], "subject": "Hello {{Name}}"])
    #expect(sent.status == 201 && sent["status"] == "queued" && sent.counted("recipients") == 2, "\(sent)")
    let id = try sent.string("id")
    #expect(sent["subject"] == "Hello {{Name}}" && sent.location == "/api/mailing/" + id)
    #expect(anna.delete(path).status == 204 && anna.get(path).status == 404)
  }
}
