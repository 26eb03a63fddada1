import FLMariaDB
import FLValues
import Testing

@testable import FLApp

/// What is asked about contacts runs on indexes, asked of the server with thousands of rows.
@Suite struct ContactExplainTests {
  private static let shared = Result { () throws -> (House, AccountID, ID<ContactMembership>) in
    let house = try House()
    let anna = try house.account()
    let account = try #require(AccountID(try anna.get("/api/auth/me").string("id")))
    let database = house.app.database
    let group = ID<ContactMembership>(at: .now)
    let tag = TagID(at: .now)
    let under = Self.underWay
    for statement: SQL in [
      """
      INSERT INTO accounts (id, email, email_key, name, password_hash, plan, created_at, updated_at)
      SELECT UNHEX(LPAD(HEX(seq), 32, '0')), seq, seq, 'x', 'x', 'free', NOW(), NOW() FROM seq_1_to_200
      """,
      """
      INSERT INTO contacts (id, account_id, email, email_key, first_name, company, bounced_at, created_at, updated_at)
      SELECT UNHEX(LPAD(HEX(seq), 32, '0')),
        IF(seq <= 1000, \(account), UNHEX(LPAD(HEX(seq % 200 + 1), 32, '0'))),
        CONCAT('p', seq, '@example.org'), CONCAT('p', seq, '@example.org'), 'Anna', CONCAT('Firm ', seq % 50),
        IF(seq % 100 = 0, NOW(), NULL), NOW(), NOW()
      FROM seq_1_to_20000
      """,
      """
      INSERT INTO contact_words (account_id, word, contact_id)
      SELECT account_id, 'anna', id FROM contacts UNION ALL SELECT account_id, email_key, id FROM contacts
      UNION ALL SELECT account_id, LOWER(company), id FROM contacts
      """,
      "INSERT INTO contact_phones (id, contact_id, number) SELECT id, id, '1' FROM contacts",
      "INSERT INTO contact_addresses (id, contact_id, city) SELECT id, id, 'x' FROM contacts",
      "INSERT INTO contact_websites (id, contact_id, url) SELECT id, id, 'x' FROM contacts",
      "INSERT INTO contact_notes (id, contact_id, body, created_at) SELECT id, id, 'x', NOW() FROM contacts",
      "INSERT INTO tags (id, account_id, name, created_at) VALUES (\(tag), \(account), 'x', NOW())",
      """
      INSERT INTO tags (id, account_id, name, created_at)
      SELECT UNHEX(LPAD(HEX(seq), 32, '0')), UNHEX(LPAD(HEX(seq % 200 + 1), 32, '0')), seq, NOW() FROM seq_1_to_2000
      """,
      """
      INSERT INTO contact_tags (contact_id, tag_id)
      SELECT id, \(tag) FROM contacts WHERE account_id = \(account) ORDER BY id LIMIT 100
      """,
      """
      INSERT IGNORE INTO contact_tags (contact_id, tag_id)
      SELECT id, UNHEX(LPAD(HEX(CONV(RIGHT(HEX(id), 4), 16, 10) % 2000 + 1), 32, '0')) FROM contacts
      """,
      """
      INSERT INTO contact_groups (id, account_id, name, created_at, updated_at)
      VALUES (\(group), \(account), 'Club', NOW(), NOW())
      """,
      """
      INSERT INTO contact_groups (id, account_id, name, created_at, updated_at)
      SELECT id, id, 'x', NOW(), NOW() FROM accounts WHERE id <> \(account)
      """,
      """
      INSERT INTO contact_group_members (group_id, contact_id, status, added_at)
      SELECT \(group), id, 'confirmed', NOW() FROM contacts WHERE account_id = \(account) ORDER BY id LIMIT 100
      """,
      """
      INSERT INTO contact_group_members (group_id, contact_id, status, added_at)
      SELECT account_id, id, 'confirmed', NOW() FROM contacts WHERE account_id <> \(account)
      """,
      """
      INSERT INTO mailings (id, account_id, mark, subject, html_body, created_at, updated_at)
      SELECT UNHEX(LPAD(HEX(seq), 32, '0')), \(account), UNHEX(LPAD(HEX(seq), 10, '0')), 'x', '', NOW(), NOW()
      FROM seq_1_to_500
      """,
      """
      INSERT INTO mailing_recipients (mailing_id, contact_id, email, status, sent_at)
      SELECT m.id, c.id, 'x', 'sent', NOW() FROM mailings m
      JOIN (SELECT id FROM contacts WHERE account_id = \(account) ORDER BY id LIMIT 20) c
      """,
      """
      INSERT INTO mailings (id, account_id, mark, subject, html_body, status, prepared_at, created_at, updated_at)
      VALUES (\(under), \(account), UNHEX('AAAAAAAAAA'), 'x', '', 'sending', NOW(), NOW(), NOW())
      """,
      "INSERT INTO mailing_sources (mailing_id, kind, source_id) VALUES (\(under), 'group', \(group)), (\(under), 'tag', \(tag))",
      """
      INSERT INTO mailing_recipients (mailing_id, contact_id, email, status, sent_at)
      SELECT \(under), id, 'x', IF(id <= UNHEX(LPAD(HEX(20), 32, '0')), 'pending', 'sent'), NOW() FROM contacts
      """,
      """
      INSERT INTO contact_aliases (id, account_id, contact_id, created_at)
      SELECT UNHEX(LPAD(HEX(100000 + seq), 32, '0')), \(account), UNHEX(LPAD(HEX(seq), 32, '0')), NOW()
      FROM seq_1_to_20000
      """,
      """
      ANALYZE TABLE contact_aliases, mailing_sources, contacts, contact_words, contact_phones, contact_addresses, contact_websites, contact_notes, contact_tags, contact_groups,
        contact_group_members, mailings, mailing_recipients, tags
      """,
    ] { _ = try database.rows(statement) }
    return (house, account, group)
  }
  /// A mailing to 20,000, of whom twenty wait; their addresses are others since.
  private static let underWay = MailingID(at: .now)
  let house: House
  let account: AccountID
  let group: ID<ContactMembership>

  init() throws { (house, account, group) = try Self.shared.get() }

  /// Expects that no step of the statements that `body` runs reads a whole table or index, and that none is sorted where
  /// `isOrdered`.
  private func expectIndexes(isOrdered: Bool = false, _ body: (Listener) throws -> Void) throws {
    let listener = Listener(house.app.database)
    try body(listener)
    try #require(!listener.heard.isEmpty)
    for statement in listener.heard where !"\(statement)".hasPrefix("EXPLAIN") {
      for row in try house.app.database.rows("EXPLAIN \(statement)") {
        guard let table: String = try row["table"], !table.hasPrefix("<"), table != "n" else { continue }
        let type: String = try row["type"] ?? ""
        let key: String? = try row["key"]
        let extra: String = try row["Extra"] ?? ""
        #expect(
          !["ALL", "index", ""].contains(type) && key != nil,
          "\(table) \(type) \(extra) in \("\(statement)".prefix(300))"
        )
        if isOrdered {
          #expect(!extra.contains("filesort"), "\(table) \(type) \(extra) in \("\(statement)".prefix(300))")
        }
      }
    }
  }

  private func page(
    _ listener: Listener, _ words: [String], _ filter: ContactFilter = .init(), _ cursor: Cursor? = nil
  )
    throws -> (hits: [ContactSearch.Hit], total: Int, isLowerBound: Bool)
  {
    try ContactSearch(account: account, queries: listener, words: words, filter: filter)
      .page(behind: cursor, limit: 25)
  }

  @Test func aSearchWalksTheRangeOfAWord() throws {
    for filter in [
      ContactFilter(), .init(isBounced: false), .init(isUnsubscribed: false, email: "p7@example.org"),
      .init(tag: "x"), .init(group: group),
    ] {
      for words in [["anna"], ["ann"], ["ann", "firm 7"], ["p17@example.org"], ["anna", "p"]] {
        try expectIndexes(isOrdered: true) { listener in
          let first = try page(listener, words, filter)
          if let last = first.hits.last {
            let cursor = Cursor(order: ContactSearch.order, value: last.word, id: last.contact)
            _ = try page(listener, words, filter, cursor)
          }
        }
      }
    }
    let found = try page(Listener(house.app.database), ["ann", "firm 7"])
    #expect(found.hits.count == 20 && found.total == 20)
  }

  @Test func anAudienceIsCountedOnIndexes() throws {
    let database = house.app.database
    for statement: SQL in [
      """
      INSERT INTO mailing_sources (mailing_id, kind, source_id)
      SELECT id, 'group', \(group) FROM mailings WHERE id <> \(Self.underWay)
      """,
      """
      INSERT INTO mailing_sources (mailing_id, kind, source_id)
      SELECT m.id, 'tag', t.id FROM mailings m JOIN tags t ON t.account_id = m.account_id AND t.name = 'x'
      WHERE m.id <> \(Self.underWay)
      """,
      "INSERT INTO mailing_exclusions (mailing_id, contact_id) SELECT id, id FROM mailings WHERE id <> \(Self.underWay)",
      "UPDATE mailing_recipients SET is_explicit = TRUE WHERE contact_id = UNHEX(LPAD('2', 32, '0'))",
      "ANALYZE TABLE mailing_sources, mailing_exclusions",
    ] { _ = try database.rows(statement) }
    let row = try #require(
      try database.row(
        "SELECT \(Mailing.columns) FROM mailings m WHERE m.id <> \(Self.underWay) ORDER BY m.id LIMIT 1"))
    let mailing = try Mailing(row)
    try expectIndexes { listener in
      let count = AudienceCount(of: mailing, in: listener)
      // The same hundred are in the group and have the tag; one of them was taken out, one bounced.
      let audience = try count.all()
      #expect(audience.total == 99 && audience.bounced == 1 && audience.willReceive == 98, "\(audience)")
      #expect(try count.reachesSomebody())
      let rows = RecipientRows(account: account, mailing: mailing.id, queries: listener)
      #expect(try rows.sourceGroups().count == 1 && rows.sourceTags() == ["x"])
      #expect(try rows.countNamed(after: MailingAudience.beginning, limit: 1000)?.named == 1)
      #expect(try rows.countExclusions() == 1)
      #expect(try count.unconfirmed() == 0)
      let club = try #require(ContactGroupID(bytes: group.bytes))
      let last = try #require(try rows.last(after: MailingAudience.beginning, limit: 1000))
      #expect(try rows.countUnconfirmed(of: club, after: MailingAudience.beginning, through: last) == 0)
    }
  }

  @Test("A list reads the account's contacts alone", arguments: ContactOrder.allCases)
  func lists(order: ContactOrder) throws {
    try expectIndexes { listener in
      let rows = ContactRows(account: account, queries: listener)
      let page = try rows.list(.init(), order, behind: nil, limit: 26)
      let last = try #require(page.last)
      let cursor = Cursor(order: order.rawValue, value: order.value(of: last), id: last.id)
      #expect(try rows.list(.init(), order, behind: cursor, limit: 26).count == 26)
      #expect(try rows.count(.init()) == 1000)
    }
  }

  @Test func filtersStayInTheAccount() throws {
    for filter in [
      ContactFilter(tag: "x"), .init(group: group), .init(isBounced: true), .init(isUnsubscribed: false),
      .init(email: "p7@example.org"),
    ] {
      try expectIndexes { listener in
        let rows = ContactRows(account: account, queries: listener)
        _ = try (rows.list(filter, .newest, behind: nil, limit: 26), rows.count(filter))
      }
    }
  }

  @Test func aTimelineReadsOneContact() throws {
    let id = try #require(ContactID(bytes: [UInt8](repeating: 0, count: 15) + [1]))
    try expectIndexes { listener in
      let timeline = ContactTimeline(account: account, contact: id, queries: listener)
      let events = try timeline.events(behind: nil, limit: 26)
      #expect(events.count == 26)
      _ = try (timeline.events(behind: events.last?.place, limit: 26), timeline.count())
    }
  }

  @Test func aClaimLooksAtItsContactsAlone() throws {
    try expectIndexes { listener in
      let claim = try SendingRows(queries: listener).claim(
        20, of: Self.underWay, behind: nil, by: SenderID(at: .now), at: .now)
      #expect(claim.found == 20 && claim.recipients.count == 20)
    }
  }

  @Test func consentIsNotedByKeys() throws {
    let ids = try (1...3).map { try #require(ContactID(bytes: [UInt8](repeating: 0, count: 15) + [$0])) }
    try expectIndexes { listener in
      let consent = ContactConsent(account: account, queries: listener)
      try consent.delivered(ids)
      try consent.takeOver(ids)
      _ = try consent.softBounce(ids[0], reason: "452", at: .now)
      try consent.delivered(ids)
    }
  }
}
