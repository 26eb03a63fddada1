import FLCrypto
import FLHTTP
import FLMariaDB
import FLValues
import Testing

@testable import FLApp

/// Lists of links: orders, pages, filters.
@Suite struct LinkListTests {
  private static let shared = Result { try House() }
  let house: House

  init() throws { house = try Self.shared.get() }

  /// The codes of all pages of a list.
  private func codes(_ anna: Client, _ query: String, limit: Int = 2) throws -> [String] {
    var codes: [String] = []
    var cursor: String?
    repeat {
      let page = anna.get("/api/links?limit=\(limit)" + query + (cursor.map { "&cursor=" + $0 } ?? ""))
      try #require(page.status == 200 && codes.count < 100, "\(page)")
      #expect(page.items.count <= limit)
      codes += JSON.texts(page.items, "shortCode")
      cursor = page["nextCursor"]?.string
      #expect(cursor == nil || page.items.count == limit)
    } while cursor != nil
    return codes
  }

  /// Five links made one after the other; the clicks of some are counted.
  private func shelf(_ prefix: String) throws -> Client {
    let anna = try house.account()
    for (number, name) in ["d", "B", "a", "E", "c"].enumerated() {
      let made = try anna.link(["shortCode": .string(prefix + name), "title": .string("Title \(number)")])
      let id = try #require(LinkID(try made.string("id")))
      let clicks = [3, 0, 3, 9, 0][number]
      if clicks > 0 {
        try house.app.database.run(
          "INSERT INTO link_click_totals (link_id, clicks, last_clicked_at) VALUES (\(id), \(clicks), NOW())")
      }
    }
    return anna
  }

  @Test(
    "Each order goes on from page to page",
    arguments: [
      ("", "cEaBd"), ("&sort=-createdAt", "cEaBd"), ("&sort=createdAt", "dBaEc"),
      ("&sort=shortCode", "BEacd"),
      ("&sort=-clicks", "EadcB"), ("&sort=-updatedAt", "BcEad"),
    ])
  func orders(query: String, expected: String) throws {
    let prefix = "o\(UInt32.random(in: 0...UInt32.max))-"
    let anna = try shelf(prefix)
    let second = try #require(anna.get("/api/links?search=\(prefix)B").items.first?["id"]?.string)
    _ = anna.patch("/api/links/" + second, ["title": "changed"])
    let wanted = expected.map { prefix + String($0) }
    for limit in [1, 2, 4, 5, 100] { #expect(try codes(anna, query, limit: limit) == wanted, "\(limit)") }
  }

  @Test func aPageStaysWhereItWasUnderInserts() throws {
    let anna = try shelf("i\(UInt32.random(in: 0...UInt32.max))-")
    let first = anna.get("/api/links?limit=2")
    let rest = try codes(anna, "", limit: 100).dropFirst(2)
    _ = try anna.link()
    let cursor = try first.string("nextCursor")
    let second = anna.get("/api/links?limit=100&cursor=" + cursor)
    #expect(JSON.texts(second.items, "shortCode") == Array(rest) && second["total"] == 6)
  }

  @Test func anEmptyListIsEmpty() throws {
    let list = try house.account().get("/api/links")
    #expect(list["items"] == [] && list["total"] == 0 && list["nextCursor"] == JSON.null)
  }

  @Test(
    "What is no page is refused",
    arguments: [
      "limit=0", "limit=101", "limit=-1", "limit=x", "limit=", "limit=1&limit=2", "cursor=x", "cursor=",
      "sort=title", "sort=", "isEnabled=maybe", "isEnabled=1", "search=%FF", "serch=x", "page=2",
    ])
  func badQueries(query: String) throws {
    let answer = try house.account().get("/api/links?" + query)
    #expect(answer.status == 422, "\(answer)")
  }

  @Test func aCursorIsOfItsOrder() throws {
    let anna = try shelf("c\(UInt32.random(in: 0...UInt32.max))-")
    let cursor = try anna.get("/api/links?limit=2&sort=shortCode").string("nextCursor")
    let answer = anna.get("/api/links?limit=2&cursor=" + cursor)
    #expect(answer.status == 422 && answer.fields == ["cursor invalid_cursor"])
  }

  @Test("A cursor that somebody made up breaks nothing", arguments: LinkOrder.allCases)
  func madeUpCursors(order: LinkOrder) throws {
    let anna = try shelf("m\(UInt32.random(in: 0...UInt32.max))-")
    for value in [
      "", "x", "-1", "9223372036854775807", "-9223372036854775808", "99999999999999999999", "ä\u{1F31E}",
      "'; --",
    ] {
      let cursor = Cursor(order: order.rawValue, value: value, id: LinkID(at: .now)).text
      let answer = anna.get("/api/links?sort=\(order.rawValue)&cursor=\(cursor)")
      #expect(answer.status == 200 || answer.status == 422, "\(value): \(answer)")
    }
    for json: JSON in [[], ["", "", "x"], [1, 2, 3], ["", ""], [:], ["", "", ["a"]]] {
      #expect(anna.get("/api/links?cursor=" + Base64URL.encode(json.bytes)).status == 422, "\(json.text)")
    }
  }

  @Test func aSearchFindsPartsAndNoPatterns() throws {
    let anna = try house.account()
    for (code, title, destination) in [
      ("srch-one", "100% wool", "https://example.org/a_b"),
      ("srch-two", "1000 wool", "https://example.org/axb"),
      ("srch-tri", "back\\slash", "https://example.org/c"),
      ("srch-Fou", "Grüße", "https://example.org/%C3%A4"),
    ] {
      _ = try anna.link([
        "shortCode": .string(code), "title": .string(title), "destinationUrl": .string(destination),
      ])
    }
    for (search, found) in [
      ("wool", ["srch-two", "srch-one"]), ("WOOL", ["srch-two", "srch-one"]), ("100%25", ["srch-one"]),
      ("a_b", ["srch-one"]), ("_", ["srch-one"]), ("%25", ["srch-Fou", "srch-one"]), ("%5C", ["srch-tri"]),
      ("gr%C3%BC", ["srch-Fou"]), ("srch-f", ["srch-Fou"]), ("two", ["srch-two"]), ("x'y", []), ("%22", []),
      // A mark that combines with it makes no pattern of a sign.
      ("1%25%CC%81wool", []), ("a_%CC%81b", []),
    ] as [(String, [String])] {
      let list = anna.get("/api/links?search=" + search)
      #expect(JSON.texts(list.items, "shortCode") == found, "\(search): \(list)")
      #expect(list["total"]?.integer == Int64(found.count), "\(search)")
    }
    #expect(anna.get("/api/links?search=")["total"] == 4)
  }

  @Test func filtersGoTogether() throws {
    let anna = try house.account()
    _ = try anna.link(["title": "one", "tags": ["red", "blue"]])
    _ = try anna.link(["title": "two", "tags": ["red"], "isEnabled": false])
    _ = try anna.link(["title": "three", "tags": ["blue"], "externalId": "x"])
    for (query, titles) in [
      ("tag=red", ["two", "one"]), ("tag=RED", ["two", "one"]), ("tag=re", []), ("tag=green", []),
      ("isEnabled=false", ["two"]), ("isEnabled=true", ["three", "one"]), ("tag=red&isEnabled=true", ["one"]),
      ("externalId=x", ["three"]), ("externalId=X", []), ("tag=blue&search=thr", ["three"]),
      ("tag=red&limit=1&sort=createdAt", ["one"]),
    ] as [(String, [String])] {
      let list = anna.get("/api/links?" + query)
      #expect(JSON.texts(list.items, "title") == titles, "\(query)")
      if !query.contains("limit") { #expect(list["total"]?.integer == Int64(titles.count), "\(query)") }
    }
    #expect(anna.get("/api/links?tag=red&limit=1")["total"] == 2)
  }
}
