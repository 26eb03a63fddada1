import FLHTTP
import FLMariaDB
import FLTestDatabase
import FLValues
import HTTPTypes
import Logging
import Testing

@testable import FLApp

private let browser: HTTPFields = [
  .userAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"
]
private let bot: HTTPFields = [.userAgent: "Googlebot/2.1 (+http://www.google.com/bot.html)"]

/// Where a visitor of a short link is sent.
@Suite struct RedirectTests {
  private static let shared = Result { try House() }
  let house: House
  var visitor: Client { house.nobody }

  init() throws { house = try Self.shared.get() }

  @Test func aVisitorIsSentOn() throws {
    let anna = try house.account()
    let made = try anna.link(["destinationUrl": "https://example.org/a?b=c#d"])
    for headers in [[:], browser] {
      let answer = visitor.get(try made.shortPath(), headers)
      #expect(answer.status == 302 && answer.location == "https://example.org/a?b=c#d")
      #expect(answer.headers[.cacheControl] == "private, no-store")
      #expect(answer.bytes.isEmpty && answer[field: "X-Request-Id"] != nil)
      #expect(answer.headers[.setCookie] == nil)
    }
    let head = visitor.head(try made.shortPath())
    #expect(head.status == 302 && head.location == "https://example.org/a?b=c#d")
  }

  @Test("The status is the owner's choice", arguments: [301, 302, 307, 308])
  func status(status: Int) throws {
    let made = try house.account().link(["redirectStatus": .integer(Int64(status))])
    #expect(visitor.get(try made.shortPath()).status == status)
  }

  @Test func whatIsUnknownIsNotFound() throws {
    for path in [
      "/nothing-here", "/ab", "/a%20b", "/%6eothing", "/nothing/here", "//", "/.env", "/..%2f",
      "/" + "\u{e4}",
      "/" + String(repeating: "a", count: 65), "/favicon.ico", "/account/", "/assets/nothing",
      "/nothing-here+", "/+",
      "/++", "/%00", "/nothing-here%2B",
    ] {
      let answer = visitor.get(path)
      #expect(answer.status == 404, "\(path)")
      #expect(answer.headers[.contentType] == "text/html; charset=utf-8", "\(path)")
    }
  }

  @Test func aLinkTakesNoOtherMethods() throws {
    let path = try house.account().link().shortPath()
    for method: HTTPRequest.Method in [.put, .patch, .delete, .trace] {
      let answer = visitor.send(method, path)
      #expect(answer.status == 405 && answer.headers[.allow] == "GET, HEAD, POST", "\(method)")
    }
    // Without a password there is nothing to post.
    let posted = visitor.submit(path, "password=x")
    #expect(posted.status == 405 && posted.headers[.allow] == "GET, HEAD" && posted.location == nil)
    #expect(visitor.submit(path + "+", "x=y").status == 405)
  }

  @Test func utmValuesAreMergedIntoTheDestination() throws {
    let anna = try house.account()
    let made = try anna.link([
      "destinationUrl": "https://example.org/?a=1&utm_source=old#top", "utmSource": "news letter",
      "utmMedium": "e&mail", "utmCampaign": "ü=1", "utmTerm": "#", "utmContent": "a+b",
    ])
    let path = try made.shortPath()
    #expect(
      visitor.get(path).location
        == "https://example.org/?a=1&utm_source=news%20letter&utm_medium=e%26mail&utm_campaign=%C3%BC%3D1"
        + "&utm_term=%23&utm_content=a%2Bb#top")
    _ = anna.patch(
      try made.path(),
      ["utmSource": nil, "utmMedium": nil, "utmCampaign": nil, "utmTerm": nil, "utmContent": "only"])
    #expect(visitor.get(path).location == "https://example.org/?a=1&utm_source=old&utm_content=only#top")
  }

  @Test func theVisitorsQueryIsForwardedWhereTheOwnerWishes() throws {
    let anna = try house.account()
    let members: JSONObject = [
      "destinationUrl": "https://example.org/p?a=1&b=2#f", "utmSource": "mail", "forwardQuery": true,
    ]
    let path = try anna.link(members).shortPath()
    for (query, location) in [
      ("", "a=1&b=2&utm_source=mail"), ("?", "a=1&b=2&utm_source=mail"),
      ("?c=3", "a=1&b=2&utm_source=mail&c=3"), ("?a=9", "b=2&utm_source=mail&a=9"),
      ("?utm_source=x", "a=1&b=2&utm_source=x"), ("?c=3&c=4", "a=1&b=2&utm_source=mail&c=3&c=4"),
      ("?c", "a=1&b=2&utm_source=mail&c"), ("?c=%zz", "a=1&b=2&utm_source=mail&c=%zz"),
      ("?c=a%26b%23%2F..%2F", "a=1&b=2&utm_source=mail&c=a%26b%23%2F..%2F"),
      ("?c=%0D%0ASet-Cookie:x", "a=1&b=2&utm_source=mail&c=%0D%0ASet-Cookie:x"),
      ("?c=\u{e4}", "a=1&b=2&utm_source=mail&c=%C3%A4"),
      ("?@evil.example", "a=1&b=2&utm_source=mail&@evil.example"),
    ] {
      let answer = visitor.get(path + query)
      #expect(answer.location == "https://example.org/p?" + location + "#f", "\(query)")
      #expect(answer.location?.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F } == true, "\(query)")
    }
    var without = members
    without["forwardQuery"] = false
    #expect(
      visitor.get(try anna.link(without).shortPath() + "?c=3").location
        == "https://example.org/p?a=1&b=2&utm_source=mail#f")
  }

  @Test(
    "What could lead elsewhere than it says makes no link",
    arguments: [
      "javascript:alert(1)", "data:text/html,<script>", "//evil.example",
      "https://good.example@evil.example/",
      "https://good.example\\@evil.example", "https://example.org/\r\nSet-Cookie: a=b",
      "https://example.org/\n",
      "https://exa\u{202E}mple.org/", "\thttps://example.org/", "https://", "vbscript:x",
      "https://%0d%0a.example/",
    ])
  func hostile(destination: String) throws {
    let anna = try house.account()
    for body: JSON in [
      ["destinationUrl": .string(destination)],
      ["destinationUrl": "https://example.org/", "expiredUrl": .string(destination)],
    ] {
      #expect(anna.post("/api/links", body).status == 422)
    }
    let path = try anna.link().path()
    #expect(anna.patch(path, ["destinationUrl": .string(destination)]).status == 422)
    #expect(anna.get(path)["destinationUrl"] == "https://example.org/")
  }

  @Test func anInternationalAddressIsSentInASCII() throws {
    let made = try house.account().link([
      "destinationUrl": "https://b\u{fc}cher.example/k\u{e4}se?q=\u{1F9C0}#\u{f6}"
    ])
    #expect(made["destinationUrl"] == "https://b\u{fc}cher.example/k\u{e4}se?q=\u{1F9C0}#\u{f6}")
    #expect(
      visitor.get(try made.shortPath()).location
        == "https://xn--bcher-kva.example/k%C3%A4se?q=%F0%9F%A7%80#%C3%B6")
  }

  // MARK: Links that have ended

  @Test func aLinkExpires() throws {
    let house = try House()
    let anna = try house.account()
    house.clock.move()
    let expiry = (house.clock.now + .seconds(61)).description
    let bare = try anna.link(["expiresAt": .string(expiry), "title": "Fair <b>"])
    let kind = try anna.link(["expiresAt": .string(expiry), "expiredUrl": "https://example.org/over?x"])
    for made in [bare, kind] {
      #expect(house.nobody.get(try made.shortPath()).location == "https://example.org/")
    }
    house.clock.move(by: 62)
    let gone = house.nobody.get(try bare.shortPath())
    #expect(gone.status == 410 && gone.location == nil && gone.text.contains("Fair &lt;b&gt;"))
    let elsewhere = house.nobody.get(try kind.shortPath())
    #expect(elsewhere.status == 302 && elsewhere.location == "https://example.org/over?x")
    #expect(elsewhere.headers[.cacheControl] == "private, no-store")
    _ = anna.patch(try bare.path(), ["expiresAt": nil])
    #expect(house.nobody.get(try bare.shortPath()).status == 302)
  }

  @Test func aDisabledLinkLeadsNowhere() throws {
    let anna = try house.account()
    let made = try anna.link(["isEnabled": false, "password": "open sesame"])
    #expect(visitor.get(try made.shortPath()).status == 410)
    #expect(visitor.submit(try made.shortPath(), "password=open+sesame").status == 410)
    _ = anna.patch(try made.path(), ["expiredUrl": "https://example.org/over"])
    #expect(visitor.get(try made.shortPath()).location == "https://example.org/over")
    _ = anna.patch(try made.path(), ["isEnabled": true, "password": nil])
    #expect(visitor.get(try made.shortPath()).location == "https://example.org/")
  }

  @Test func aLinkIsUsedUpBySoManyVisitorsOfFiftyAtOnce() throws {
    let anna = try house.account()
    let made = try anna.link(["maxClicks": 7])
    let path = try made.shortPath()
    var there = visitor
    there.app = try house.secondApp()
    let visitors = [visitor, there]
    let statuses = inParallel(50) { visitors[$0 % 2].get(path, browser).status }
    #expect(
      statuses.filter { $0 == 302 }.count == 7 && statuses.filter { $0 == 410 }.count == 43, "\(statuses)")
    // Another number is counted anew, another title is not.
    _ = anna.patch(try made.path(), ["title": "x"])
    #expect(visitor.get(path, browser).status == 410)
    _ = anna.patch(try made.path(), ["maxClicks": 8])
    #expect(visitor.get(path, browser).status == 302)
    _ = anna.patch(try made.path(), ["maxClicks": nil])
    for _ in 0..<9 { #expect(visitor.get(path, browser).status == 302) }
  }

  @Test func onlyVisitorsUseALinkUp() throws {
    let made = try house.account().link(["maxClicks": 1, "expiredUrl": "https://example.org/over"])
    let path = try made.shortPath()
    var prefetch = browser
    prefetch[try #require(HTTPField.Name("Sec-Purpose"))] = "prefetch;prerender"
    for _ in 0..<3 {
      #expect(visitor.head(path, browser).location == "https://example.org/")
      #expect(visitor.get(path, prefetch).location == "https://example.org/")
      #expect(visitor.get(path, bot).location == "https://example.org/")
      #expect(visitor.get(path + "+", browser).text.contains("https://example.org/"))
    }
    #expect(visitor.get(path, browser).location == "https://example.org/")
    for headers in [browser, prefetch, bot] {
      #expect(visitor.get(path, headers).location == "https://example.org/over")
    }
    #expect(visitor.head(path, browser).location == "https://example.org/over")
    #expect(visitor.get(path + "+").text.contains("does not work at present"))
  }

  @Test func visitorsAreCountedAndOthersAreNot() throws {
    let house = try House()
    let anna = try house.account()
    let made = try anna.link()
    let path = try made.shortPath()
    var prefetch = browser
    prefetch[try #require(HTTPField.Name("X-Moz"))] = "prefetch"
    _ = house.nobody.get(path, browser)
    _ = house.nobody.get(path, browser)
    _ = house.nobody.get(path, bot)
    _ = house.nobody.head(path, browser)
    _ = house.nobody.get(path, prefetch)
    _ = house.nobody.get(path + "+", browser)
    _ = try house.app.loadClicks(within: .seconds(20))
    let read = anna.get(try made.path())
    #expect(read["clicks"] == 2 && read["lastClickedAt"]?.string != nil)
    // A click changes what is read, and spoils nobody's change.
    #expect(read.headers[.eTag] != made.headers[.eTag])
    #expect(
      anna.patch(try made.path(), ["title": "x"], [.ifMatch: try #require(made.headers[.eTag])]).status == 200
    )
    let stats = anna.get(try made.path() + "/stats")
    #expect(stats["totalClicks"] == 2 && stats["botClicks"] == 1)
    #expect(anna.get(try made.path() + "/clicks")["total"] == 3)
    #expect(anna.get("/api/links/stats")["totalClicks"] == 2)
    #expect(try house.account().get("/api/links/stats")["totalClicks"] == 0)
  }

  // MARK: Scans

  /// Gives a link QR codes with the marks 1, 2, …; answers their identifiers.
  private func qrCodes(_ count: Int, of made: Answer, in house: House) throws -> [QRCodeID] {
    let link = try #require(LinkID(try made.string("id")))
    return try (1...count).map { mark in
      let id = QRCodeID(at: .now)
      try house.app.database.run(
        """
        INSERT INTO qrcodes (id, account_id, link_id, owns_link, mark, foreground_color, background_color,
          error_correction, margin, module_shape, created_at, updated_at)
        SELECT \(id), account_id, id, 0, \(mark), '#000000', '#ffffff', 'M', 4, 'square', NOW(), NOW()
        FROM links WHERE id = \(link)
        """)
      try house.app.database.run("UPDATE links SET qrcode_count = qrcode_count + 1 WHERE id = \(link)")
      return id
    }
  }

  @Test func aScanIsToldFromAClick() throws {
    let house = try House()
    house.app.prepareForOne()
    let anna = try house.account()
    let made = try anna.link(["destinationUrl": "https://example.org/p", "forwardQuery": true])
    let path = try made.shortPath()
    let codes = try qrCodes(2, of: made, in: house)
    for (query, location) in [
      ("", ""), ("?qr=1", ""), ("?qr=2", ""), ("?qr=2&", ""), ("?a=%20&qr=1&b", "?a=%20&b"), ("?qr=99", ""),
      ("?qr=", "?qr="), ("?qr=abc", "?qr=abc"), ("?qr=1234567890", "?qr=1234567890"),
    ] {
      let answer = house.nobody.get(path + query, browser)
      #expect(answer.status == 302 && answer.location == "https://example.org/p" + location, "\(query)")
    }
    // A preview knows no marks, and shows none.
    let preview = house.nobody.get(path + "+?qr=1", browser)
    #expect(preview.status == 200 && !preview.text.contains("qr="))
    _ = house.nobody.head(path + "?qr=1", browser)
    _ = house.nobody.get(path + "?qr=1", bot)
    _ = try house.app.loadClicks(within: .seconds(20))

    let clicks = anna.get(try made.path() + "/clicks").items
    #expect(clicks.count == 10)
    let first = clicks.filter { $0["qrCodeId"]?.string == codes[0].description }
    #expect(first.count == 3 && first.allSatisfy { $0["source"] == "scan" })
    #expect(clicks.count { $0["qrCodeId"]?.string == codes[1].description } == 2)
    #expect(clicks.count { $0["source"] == "scan" && $0["qrCodeId"] == .null } == 1)
    #expect(clicks.count { $0["source"] == "click" && $0["qrCodeId"] == .null } == 4)
    #expect(clicks.allSatisfy { $0["country"] == .null && $0["city"] == .null })
    let sources = try #require(anna.get(try made.path() + "/stats")["sources"]?.array)
    #expect(sources == [["key": "scan", "clicks": 5], ["key": "click", "clicks": 4]])
    let account = try #require(AccountID(try anna.get("/api/auth/me").string("id")))
    let rows = ClickRows(of: account, on: house.app.database)
    let statistics = try rows.statistics(
      of: .qrCode(codes[0]), ClickStatisticsQuery(to: .now + .seconds(900)))
    #expect(statistics.totalClicks == 2 && statistics.botClicks == 1)
    #expect(try rows.totals(of: codes).mapValues(\.clicks) == [codes[0]: 2, codes[1]: 2])
  }

  @Test func aPasswordKeepsTheMark() throws {
    let house = try House()
    let anna = try house.account()
    let made = try anna.link(["password": "open sesame", "forwardQuery": true])
    let codes = try qrCodes(1, of: made, in: house)
    let path = try made.shortPath()
    #expect(house.nobody.get(path + "?qr=1&a=b", browser).text.contains("action=\"\(path)?qr=1&amp;a=b\""))
    let answer = house.nobody.submit(path + "?qr=1&a=b", "password=open+sesame", browser)
    #expect(answer.status == 303 && answer.location == "https://example.org/?a=b")
    _ = try house.app.loadClicks(within: .seconds(20))
    let clicks = anna.get(try made.path() + "/clicks").items
    #expect(clicks.map { $0["qrCodeId"]?.string } == [codes[0].description])
  }

  @Test func aLinkKnowsItsNewestCodes() throws {
    let anna = try house.account()
    let (plain, made) = (try anna.link(), try anna.link())
    let codes = try qrCodes(RedirectRows.qrCodeLimit + 5, of: made, in: house)
    let rows = RedirectRows(queries: house.app.database)
    let target = try #require(try rows.find(ShortCode(stored: made.string("shortCode"))))
    let bare = try #require(try rows.find(ShortCode(stored: plain.string("shortCode"))))
    func code(_ mark: Int) -> QRCodeID? { target.qrCode(of: ScanMark(Array("qr=\(mark)".utf8))) }
    #expect(code(codes.count) == codes.last && code(6) == codes[5] && code(5) == nil && code(0) == nil)
    #expect(target.qrCode(of: nil) == nil)
    #expect(target.cost - bare.cost == 56 * RedirectRows.qrCodeLimit)
  }

  /// From the redirect to the click, by the way of the real salts.
  @Test func aVisitorsAddressIsReadByTheLoaderAlone() throws {
    let house = try House()
    let anna = try house.account()
    let made = try anna.link()
    var visitor = house.nobody
    visitor.address = "2001:db8:77::1"
    // Before the day's salt is there, and after.
    _ = visitor.get(try made.shortPath(), browser)
    house.app.prepareForOne()
    _ = visitor.get(try made.shortPath(), browser)
    house.app.spool.finish()
    let loader = ClickLoader(
      directory: house.settings.state + "/spool", spool: nil, database: house.app.database,
      locate: { $0 == "2001:db8:77:0:0:0:0:1" ? ("IS", "Reykjav\u{ed}k") : ("XX", nil) },
      logger: Logger(label: "house") { [log = house.log] _ in log })
    #expect(try loader.drain(2) == 2)
    let clicks = anna.get(try made.path() + "/clicks").items
    #expect(JSON.texts(clicks, "country") == ["IS"] && JSON.texts(clicks, "city") == ["Reykjav\u{ed}k"])
    let stats = anna.get(try made.path() + "/stats")
    #expect(stats["countries"] == [["key": "IS", "clicks": 1]])
    #expect(stats["cities"] == [["key": "Reykjav\u{ed}k, IS", "clicks": 1]])
  }

  // MARK: Passwords and previews

  @Test func aPasswordIsAskedFor() throws {
    let anna = try house.account()
    let made = try anna.link([
      "destinationUrl": "https://secret.example/", "title": "Hush", "password": "open s\u{e9}same",
      "forwardQuery": true,
    ])
    let path = try made.shortPath()
    let form = visitor.get(path + "?x=1&y=%3C")
    #expect(form.status == 200 && form.text.contains("action=\"\(path)?x=1&amp;y=%3C\""), "\(form.text)")
    for answer in [form, visitor.head(path), visitor.get(path + "+")] {
      #expect(
        !answer.text.contains("secret.example") && !answer.text.contains("Hush") && answer.location == nil)
    }
    for wrong in [
      "password=guess", "password=", "", "x=y", "password=open+s%E9same", "password=open+s%C3%A9same+",
    ] {
      let answer = house.nobody.submit(path, wrong)
      #expect(answer.status == 401 && answer.location == nil, "\(wrong)")
    }
    let right = visitor.submit(path + "?x=1", "password=open+s%C3%A9same")
    #expect(right.status == 303 && right.location == "https://secret.example/?x=1")
    #expect(right.headers[.cacheControl] == "private, no-store")
    _ = anna.patch(try made.path(), ["password": "another"])
    #expect(visitor.submit(path, "password=open+s%C3%A9same").status == 401)
    #expect(visitor.submit(path, "password=another").status == 303)
  }

  @Test func aPasswordIsNotGuessed() throws {
    let house = try House()
    let path = try house.account().link(["password": "open sesame"]).shortPath()
    house.clock.move()
    let eve = house.nobody
    for _ in 0..<6 { #expect(eve.submit(path, "password=guess").status == 401) }
    let waiting = eve.submit(path, "password=open+sesame")
    #expect(waiting.status == 429 && waiting.headers[.retryAfter] == "1" && waiting.location == nil)
    // Somebody else is not kept out by it.
    #expect(house.nobody.submit(path, "password=open+sesame").status == 303)
    house.clock.move(by: 2)
    #expect(eve.submit(path, "password=open+sesame").status == 303)
  }

  @Test func aFormIsOfAFewBytes() throws {
    let path = try house.account().link(["password": "open sesame"]).shortPath()
    let answer = visitor.submit(path, "password=" + String(repeating: "x", count: 9000))
    #expect(answer.status == 413 && answer.headers[.contentType] == "text/html; charset=utf-8")
  }

  @Test func aPreviewTellsWhereALinkLeads() throws {
    let made = try house.account().link([
      "destinationUrl": "https://example.org/<a>?x=1&y=2", "title": "A & B",
    ])
    let answer = visitor.get(try made.shortPath() + "+")
    #expect(answer.status == 200 && answer.location == nil)
    #expect(
      answer.text.contains("https://example.org/%3Ca%3E?x=1&amp;y=2") && answer.text.contains("A &amp; B"))
    #expect(visitor.head(try made.shortPath() + "+").status == 200)
  }
}
