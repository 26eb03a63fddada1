import FLCrypto
import FLMariaDB
import FLValues
import Synchronization
import Testing

@testable import FLApp

/// Passes statements on and keeps them.
final class Listener: Queries {
  let database: any Queries
  private(set) var heard: [SQL] = []

  init(_ database: any Queries) { self.database = database }

  func rows(_ sql: SQL) throws -> [Row] {
    heard.append(sql)
    return try database.rows(sql)
  }

  func run(_ sql: SQL) throws -> Int {
    heard.append(sql)
    return try database.run(sql)
  }
}

/// The statements of the hot paths run on an index, asked of the server with thousands of rows.
@Suite struct ExplainTests {
  private static let shared = Result { () throws -> (House, AccountID) in
    let house = try House()
    let anna = try house.account()
    let account = try #require(AccountID(try anna.get("/api/auth/me").string("id")))
    let database = house.app.database
    // A small part of the rows is Anna's; everybody else has the rest.
    try database.run(
      """
      INSERT INTO accounts (id, email, email_key, name, password_hash, plan, created_at, updated_at)
      SELECT UNHEX(LPAD(HEX(seq), 32, '0')), seq, seq, 'x', 'x', 'free', NOW(), NOW() FROM seq_1_to_2000
      """)
    for (owner, first, last) in [(account, 1, 200), (nil, 201, 8000)] as [(AccountID?, Int, Int)] {
      try database.run(
        """
        INSERT INTO links (id, account_id, short_code, destination_url, title, external_id, created_at, updated_at)
        SELECT UNHEX(LPAD(HEX(seq), 32, '0')), COALESCE(\(owner), UNHEX(LPAD(HEX(seq % 2000 + 1), 32, '0'))),
          CONCAT('code', seq), 'https://example.org/', 'x', CONCAT('x', seq), NOW(), NOW()
        FROM seq_1_to_8000 WHERE seq BETWEEN \(first) AND \(last)
        """)
    }
    let tag = TagID(at: .now)
    for statement: SQL in [
      "INSERT INTO tags (id, account_id, name, created_at) VALUES (\(tag), \(account), 'x', NOW())",
      "INSERT INTO link_tags (link_id, tag_id) SELECT id, \(tag) FROM links WHERE account_id = \(account) LIMIT 50",
      """
      INSERT INTO api_keys (id, account_id, name, prefix, digest, scopes, created_at)
      SELECT UNHEX(LPAD(HEX(seq), 32, '0')), UNHEX(LPAD(HEX(seq), 32, '0')), 'x', 'x', UNHEX(SHA2(seq, 256)), '', NOW()
      FROM seq_1_to_2000
      """,
      """
      INSERT INTO sessions (id, account_id, cookie_digest, created_at, expires_at)
      SELECT UNHEX(LPAD(HEX(seq), 32, '0')), UNHEX(LPAD(HEX(seq), 32, '0')), UNHEX(SHA2(seq, 256)), NOW(), NOW()
      FROM seq_1_to_2000
      """,
      """
      INSERT INTO public_codes (code, kind, subject_id, account_id, changed_at)
      SELECT short_code, 'link', id, account_id, NOW() FROM links
      """,
      """
      INSERT INTO link_click_totals (link_id, clicks, last_clicked_at) SELECT id, 1, NOW() FROM links
      """,
      """
      INSERT INTO tags (id, account_id, name, created_at)
      SELECT UNHEX(LPAD(HEX(seq), 32, '0')), UNHEX(LPAD(HEX(seq), 32, '0')), 'x', NOW() FROM seq_1_to_2000
      """,
      "INSERT INTO link_tags (link_id, tag_id) SELECT id, account_id FROM links WHERE account_id IN (SELECT id FROM tags)",
      """
      INSERT INTO geoip_answers (network, source, generation, is_found, answer, asked_at, expires_at)
      SELECT UNHEX(LPAD(HEX(seq), 8, '0')), 'x', seq % 2, TRUE, '{}', NOW(), NOW() + INTERVAL seq MINUTE
      FROM seq_1_to_8000
      """,
      "ANALYZE TABLE geoip_answers, accounts, links, api_keys, sessions, public_codes, link_click_totals, tags, link_tags",
    ] { _ = try database.rows(statement) }
    return (house, account)
  }
  let house: House
  let account: AccountID

  init() throws { (house, account) = try Self.shared.get() }

  /// Table, kind of access and key of each step of the statements that `body` runs.
  private func steps(_ body: (Listener) throws -> Void) throws -> [(
    table: String, type: String, key: String?
  )] {
    let listener = Listener(house.app.database)
    try body(listener)
    try #require(!listener.heard.isEmpty)
    return try listener.heard.flatMap { statement in
      try house.app.database.rows("EXPLAIN \(statement)").compactMap { row in
        guard let table: String = try row["table"] else { return nil }
        return (table, try row["type"] ?? "", try row["key"])
      }
    }
  }

  /// Expects that no step of the statements reads a whole table or index; `plans` has five rows.
  private func expectIndexes(_ body: (Listener) throws -> Void) throws {
    let steps = try steps(body).filter { !["p", "n", "plans"].contains($0.table) }
    #expect(!steps.isEmpty)
    for step in steps {
      #expect(!["ALL", "index", ""].contains(step.type) && step.key != nil, "\(step) of \(steps)")
    }
  }

  @Test func aFullScanIsSeen() throws {
    let scan = try steps { _ = try $0.rows("SELECT id FROM links WHERE destination_url = 'x'") }
    #expect(scan.map(\.type) == ["ALL"])
  }

  @Test func credentialsAreLookedUpByKeys() throws {
    // Those of row 7 of the tables, while it holds.
    let digest = SHA256.digest("7")
    let id = [UInt8](repeating: 0, count: 15) + [7]
    let then = Timestamp(seconds: 0)
    let (key, session): (APIKeyID, SessionID) = (try #require(ID(bytes: id)), try #require(ID(bytes: id)))
    try expectIndexes { _ = try #require(try APIKeyRows(queries: $0).find(digest: digest, at: then)) }
    try expectIndexes { try APIKeyRows(queries: $0).touch(key, at: .now) }
    try expectIndexes { _ = try #require(try SessionRows(queries: $0).holder(of: session, at: then)) }
    try expectIndexes { _ = try #require(try SessionRows(queries: $0).holder(ofCookie: digest, at: then)) }
    try expectIndexes { _ = try AccountRows(queries: $0).find(emailKey: "17") }
  }

  @Test func aRedirectIsOneLookUp() throws {
    let code = try #require(ShortCode("code4000"))
    let steps = try steps { _ = try #require(try RedirectRows(queries: $0).find(code)) }
    #expect(steps.map(\.type) == ["const"] && steps.map(\.key) == ["links_short_code"])
    try expectIndexes { _ = try RedirectRows(queries: $0).admit(LinkID(at: .now)) }
    // With QR codes it is two.
    let coded = try #require(ShortCode("code4001"))
    try house.app.database.run("UPDATE links SET qrcode_count = 1 WHERE short_code = 'code4001'")
    try expectIndexes { listener in
      _ = try #require(try RedirectRows(queries: listener).find(coded))
      #expect(listener.heard.count == 2)
    }
  }

  @Test func aLinkIsReadByItsID() throws {
    try expectIndexes { listener in
      let rows = LinkRows(account: account, queries: listener)
      let link = try #require(try rows.list(.init(), .oldest, behind: nil, limit: 1).first)
      #expect(try rows.find(link.id) != nil)
      #expect(try rows.exists(link.id))
    }
  }

  @Test("An account's list reads its own links alone", arguments: LinkOrder.allCases)
  func lists(order: LinkOrder) throws {
    try expectIndexes { listener in
      let rows = LinkRows(account: account, queries: listener)
      let page = try rows.list(.init(), order, behind: nil, limit: 26)
      #expect(page.count == 26)
      let last = try #require(page.last)
      let cursor = Cursor(order: order.rawValue, value: order.value(of: last), id: last.id)
      #expect(try rows.list(.init(), order, behind: cursor, limit: 26).count == 26)
      #expect(try rows.count(.init()) == 200)
    }
  }

  @Test func filtersStayInTheAccount() throws {
    for filter in [
      LinkRows.Filter(search: "x"), .init(tag: "x"), .init(isEnabled: true), .init(externalID: "x17"),
    ] {
      try expectIndexes { listener in
        let rows = LinkRows(account: account, queries: listener)
        _ = try (rows.list(filter, .newest, behind: nil, limit: 26), rows.count(filter))
      }
    }
  }

  @Test func codesAreTakenByKeys() throws {
    let code = try #require(ShortCode("CODE4000"))
    try expectIndexes { _ = try PublicCodeRows(queries: $0).taken([code], account: account) }
    try expectIndexes { try PublicCodeRows(queries: $0).retire(code, account: account, at: .now) }
  }

  @Test func answersOnAddressesAreLookedUpByTheirNetworks() throws {
    let then = Timestamp(seconds: 0)
    // Those of a batch.
    let networks: [[UInt8]] = (1...100).map { [0, 0, 0, UInt8($0)] }
    try expectIndexes {
      let rows = GeoRows(queries: $0)
      let counts = try [networks, [networks[6]]].map { try rows.find($0, generation: 1, at: then).count }
      #expect(counts == [100, 1])
    }
    let statements = Listener(house.app.database)
    try GeoRows(queries: statements).purge(at: then)
    let plan = try house.app.database.rows("EXPLAIN \(try #require(statements.heard.first))")
    let keys: [String?] = try plan.map { try $0["key"] }
    #expect(keys == ["geoip_answers_age"])
  }
}

/// Turns and claims cost no more where a hundred thousand deliveries wait for a dead endpoint.
@Suite struct WebhookExplainTests {
  @Test func waitingDeliveriesAreFoundByTheirEndpoint() throws {
    let house = try House()
    let anna = try house.account()
    let account = try #require(AccountID(try anna.get("/api/auth/me").string("id")))
    let made = anna.post("/api/webhooks", ["url": "https://dead.example/", "events": ["*"]])
    let id = try #require(WebhookEndpointID(try made.string("id")))
    let database = house.app.database
    for statement: SQL in [
      """
      INSERT INTO webhook_events (id, account_id, event, data, created_at)
      SELECT UNHEX(LPAD(HEX(seq), 32, '0')), \(account), 'link.created', '{}', NOW() FROM seq_1_to_100000
      """,
      """
      INSERT INTO webhook_deliveries (id, endpoint_id, event_id, due_at, created_at)
      SELECT id, \(id), id, NOW() - INTERVAL 1 HOUR, NOW() FROM webhook_events
      """,
      "ANALYZE TABLE webhook_events, webhook_deliveries, webhook_endpoints",
    ] { _ = try database.rows(statement) }
    let listener = Listener(database)
    #expect(try WebhookQueue.turns(at: .now, on: listener).count == 1)
    let claims = try database.transaction { connection in
      let inside = Listener(connection)
      _ = try #require(try house.app.webhooks.claim(for: id, on: inside, at: .now))
      return inside.heard
    }
    let rows = WebhookDeliveryRows(endpoint: id, reach: .all, queries: listener)
    #expect(try rows.list(nil, before: nil, limit: 26, at: .now).count == 26)
    #expect(try rows.list(.failed, before: nil, limit: 26, at: .now).isEmpty)
    #expect(try WebhookQueue.purge(limit: 10, on: listener, at: .now) >= 0)
    for statement in listener.heard + claims {
      for step in try database.rows("EXPLAIN \(statement)") {
        let (table, type): (String?, String?) = (try step["table"], try step["type"])
        let isLarge = ["d", "ev", "webhook_deliveries", "webhook_events"].contains(table)
        #expect(!isLarge || !["ALL", "index"].contains(type), "\(statement)")
      }
    }
    // What has failed is found among a hundred thousand that have not, in its order.
    let failed = try #require(listener.heard.first { "\($0)".contains("webhook_deliveries_status") })
    let step = try #require(
      try database.rows("EXPLAIN \(failed)").first { try $0["table"] as String? == "d" })
    let (failedKey, failedExtra): (String?, String?) = try (step["key"], step["Extra"])
    #expect(failedKey == "webhook_deliveries_status" && failedExtra?.contains("filesort") == false)
    // One look for each endpoint, however much waits: the first in the order of the index.
    let plan = try database.rows("EXPLAIN \(try #require(listener.heard.first))")
    try #require(plan.count > 1)
    let (type, key, extra): (String?, String?, String?) = try (
      plan[1]["type"], plan[1]["key"], plan[1]["Extra"]
    )
    #expect(type == "ref" && key == "webhook_deliveries_due" && extra?.contains("filesort") == false)
  }
}
