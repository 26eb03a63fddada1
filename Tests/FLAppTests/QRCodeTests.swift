import FLHTTP
import FLMariaDB
import FLQRCode
import FLValues
import Foundation
import HTTPTypes
import Testing

@testable import FLApp

/// QR codes as those who make them see them. That their images can be read is for the end-to-end tests.
@Suite struct QRCodeTests {
  private static let shared = Result { try House() }
  let house: House

  init() throws { house = try Self.shared.get() }

  private let firefox: HTTPFields = [
    .userAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
  ]

  private func path(_ code: Answer) throws -> String { "/api/qrcodes/" + (try code.string("id")) }

  private func refusal(_ answer: Answer) -> String {
    let first = answer["errors"]?[0]
    return "\(answer.status) \(first?["field"]?.string ?? "") \(first?["code"]?.string ?? "")"
  }

  /// A logo: drawn here, by the library that draws the codes.
  private func logo(_ owner: Client) throws -> JSON {
    let drawing = try QRDrawing("logo", correction: .low, style: QRStyle())
    return .string(try owner.upload(drawing.png(size: 200), as: "logo.png").string("id"))
  }

  @Test func aCodeIsMadeForALink() throws {
    let anna = try house.account()
    let link = try anna.link(["title": "x"])
    let made = anna.post("/api/qrcodes", ["linkId": .string(try link.string("id"))])
    #expect(made.status == 201)
    #expect(made.location == (try path(made)), "\(made.text)")
    let shortCode = try link.string("shortCode")
    #expect(made["shortCode"]?.string == shortCode && made["destinationUrl"] == link["destinationUrl"])
    #expect(made["content"]?.string == "\(House.origin)/\(shortCode)?qr=1" && made["ownsLink"] == false)
    #expect(made["foregroundColor"] == "#000000" && made["backgroundColor"] == "#ffffff")
    #expect(made["errorCorrection"] == "M" && made["margin"] == 4 && made["moduleShape"] == "square")
    for name in ["title", "logoFileId", "caption", "lastScannedAt", "fileId"] {
      #expect(made[name] == JSON.null, "\(name)")
    }
    #expect(anna.get(try path(made)).bytes == made.bytes)
    let second = anna.post("/api/qrcodes", ["linkId": .string(try link.string("id")), "title": "Poster"])
    #expect(second["content"]?.string == "\(House.origin)/\(shortCode)?qr=2")
    // The link tells of its first one, and goes without it.
    let read = anna.get(try link.path())
    #expect(read["qrCode"]?["id"] == made["id"] && read.headers[.eTag] != link.headers[.eTag])
    #expect(anna.delete(try path(made)).status == 204)
    #expect(anna.get(try link.path())["qrCode"]?["id"] == second["id"])
    // A mark is not given twice: the first code may still hang somewhere.
    let third = anna.post("/api/qrcodes", ["linkId": .string(try link.string("id"))])
    #expect(third["content"]?.string == "\(House.origin)/\(shortCode)?qr=3")
    #expect(anna.get("/api/qrcodes?linkId=\(try link.string("id"))")["total"] == 2)
    #expect(anna.delete(try link.path()).status == 204)
    #expect(anna.get(try path(third)).status == 404)
  }

  @Test func aCodeHasALinkOfItsOwn() throws {
    let anna = try house.account()
    let made = anna.post(
      "/api/qrcodes", ["destinationUrl": "https://example.org/a", "shortCode": "own-Link", "title": "Menu"])
    #expect(made.status == 201 && made["ownsLink"] == true && made["shortCode"] == "own-Link")
    let link = "/api/links/" + (try made.string("linkId"))
    #expect(anna.get(link)["title"] == "Menu" && anna.get(link)["qrCode"]?["id"] == made["id"])
    #expect(house.nobody.get("/own-Link?qr=1").headers[.location] == "https://example.org/a")
    let moved = anna.patch(try path(made), ["destinationUrl": "https://example.org/b"])
    #expect(moved["destinationUrl"] == "https://example.org/b")
    #expect(house.nobody.get("/own-Link?qr=1").headers[.location] == "https://example.org/b")
    #expect(
      anna.post("/api/qrcodes", ["destinationUrl": "https://a.example", "shortCode": "OWN-link"]).status
        == 409)
    #expect(anna.delete(try path(made)).status == 204)
    #expect(anna.get(link).status == 404 && house.nobody.get("/own-Link").status == 404)
  }

  @Test func anOwnLinkWithOtherCodesStays() throws {
    let anna = try house.account()
    let made = anna.post("/api/qrcodes", ["destinationUrl": "https://example.org/a"])
    let link = try made.string("linkId")
    let other = anna.post("/api/qrcodes", ["linkId": .string(link)])
    #expect(anna.patch(try path(other), ["destinationUrl": "https://a.example"]).status == 422)
    #expect(anna.delete(try path(made)).status == 204 && anna.get("/api/links/" + link).status == 200)
    #expect(anna.get(try path(other)).status == 200)
  }

  @Test func aLinkIsMadeWithItsCode() throws {
    let anna = try house.account()
    let made = anna.post(
      "/api/links",
      [
        "destinationUrl": "https://example.org/",
        "qrCode": ["enabled": true, "foregroundColor": "#123", "caption": "Scan me", "title": "On the door"],
      ])
    #expect(made.status == 201, "\(made.text)")
    let code = try #require(made["qrCode"])
    #expect(
      code["foregroundColor"] == "#112233" && code["caption"] == "Scan me" && code["linkId"] == made["id"])
    #expect(anna.get(try made.path()).bytes == made.bytes)
    let id = try #require(code["id"]?.string)
    #expect(anna.get("/api/qrcodes/" + id).text == String(decoding: code.bytes, as: UTF8.self))
    for off in [nil, ["enabled": false]] as [JSON] {
      let without = anna.post("/api/links", ["destinationUrl": "https://example.org/", "qrCode": off])
      #expect(without.status == 201 && without["qrCode"] == JSON.null)
    }
    let bad = anna.post(
      "/api/links",
      ["destinationUrl": "https://example.org/", "qrCode": ["enabled": true, "foregroundColor": "#fff"]])
    #expect(refusal(bad) == "422 qrCode.foregroundColor low_contrast")
    let total = anna.get("/api/links")["total"]
    let hidden = anna.post(
      "/api/links",
      [
        "destinationUrl": "https://example.org/",
        "qrCode": ["enabled": true, "logoFileId": try logo(anna), "logoSize": 40],
      ])
    #expect(refusal(hidden) == "422 qrCode.logoSize logo_hides_too_much")
    let theirs = anna.post(
      "/api/links",
      [
        "destinationUrl": "https://example.org/",
        "qrCode": ["enabled": true, "logoFileId": "019a0000-0000-7000-8000-000000000000"],
      ])
    #expect(refusal(theirs) == "422 qrCode.logoFileId not_found")
    // Nothing was made of it.
    #expect(anna.get("/api/links")["total"] == total)
  }

  @Test(
    "What could not be read is refused, and every bad field is named",
    arguments: [
      ("foregroundColor", "#777777", "foregroundColor low_contrast", "#999999"),
      ("foregroundColor", "#ffffff", "foregroundColor light_on_dark", "#000000"),
      ("foregroundColor", "red", "foregroundColor invalid_color", "#ffffff"),
      ("margin", 3, "margin out_of_range", "#ffffff"), ("margin", 41, "margin out_of_range", "#ffffff"),
      ("errorCorrection", "X", "errorCorrection invalid_choice", "#ffffff"),
      ("moduleShape", "stars", "moduleShape invalid_choice", "#ffffff"),
      ("caption", "", "caption too_short", "#ffffff"),
      ("caption", "a\nb", "caption control_character", "#ffffff"),
      ("caption", "\u{5D0}", "caption unsupported_character", "#ffffff"),
      ("logoFileId", "x", "logoFileId invalid_id", "#ffffff"),
      ("logoFileId", "019a0000-0000-7000-8000-000000000000", "logoFileId not_found", "#ffffff"),
      ("logoSize", 41, "logoSize out_of_range", "#ffffff"),
      ("shortCode", "a b", "shortCode invalid_code", "#ffffff"),
      ("linkId", "019a0000-0000-7000-8000-000000000000", "destinationUrl conflicting", "#ffffff"),
      ("scans", 3, "scans unknown_field", "#ffffff"),
    ] as [(String, JSON, String, String)])
  func badFields(name: String, value: JSON, expected: String, background: String) throws {
    let anna = try house.account()
    var body: JSONObject = ["destinationUrl": "https://example.org/", "backgroundColor": .string(background)]
    body[name] = value
    #expect(refusal(anna.post("/api/qrcodes", .object(body))) == "422 " + expected)
    #expect(anna.get("/api/qrcodes")["total"] == 0 && anna.get("/api/links")["total"] == 0)
    #expect(anna.get("/api/account/usage")["qrcodes"]?["used"] == 0)
  }

  @Test func aSubjectIsNeeded() throws {
    let anna = try house.account()
    #expect(refusal(anna.post("/api/qrcodes", [:])) == "422 linkId required")
    let id = JSON.string(try anna.link().string("id"))
    #expect(
      refusal(anna.post("/api/qrcodes", ["linkId": id, "shortCode": "abc"])) == "422 shortCode conflicting")
    let theirs = JSON.string(try house.account().link().string("id"))
    #expect(refusal(anna.post("/api/qrcodes", ["linkId": theirs])) == "422 linkId not_found")
  }

  @Test func aLogoRaisesTheCorrectionAndStays() throws {
    let anna = try house.account()
    let file = try logo(anna)
    let made = anna.post(
      "/api/qrcodes", ["destinationUrl": "https://example.org/", "logoFileId": file, "errorCorrection": "L"])
    #expect(made.status == 201 && made["errorCorrection"] == "H" && made["logoFileId"] == file)
    #expect(anna.delete("/api/files/" + (file.string ?? "")).status == 409)
    #expect(anna.patch(try path(made), ["logoFileId": nil])["errorCorrection"] == "L")
    #expect(anna.delete("/api/files/" + (file.string ?? "")).status == 204)
    let text = JSON.string(try anna.upload(Array("no image".utf8), as: "logo.png").string("id"))
    #expect(refusal(anna.patch(try path(made), ["logoFileId": text])) == "422 logoFileId unsupported_image")
    let theirs = try logo(try house.account())
    #expect(refusal(anna.patch(try path(made), ["logoFileId": theirs])) == "422 logoFileId not_found")
    let key = try house.keyholder(scopes: ["qrcodes"], of: anna)
    let refused = key.post(
      "/api/qrcodes", ["destinationUrl": "https://example.org/", "logoFileId": try logo(anna)])
    #expect(refused.status == 403 && refused["requiredScope"] == "files:read")
    #expect(key.post("/api/qrcodes", ["destinationUrl": "https://example.org/"]).status == 201)
  }

  @Test func imagesAreDrawnOnceForEachTag() throws {
    let anna = try house.account()
    let made = anna.post("/api/qrcodes", ["destinationUrl": "https://example.org/", "caption": "A & B <x>"])
    let path = try path(made) + "/image"
    let png = anna.get(path)
    #expect(png.status == 200 && png.headers[.contentType] == "image/png")
    #expect(png.bytes.prefix(4) == [0x89, 0x50, 0x4E, 0x47])
    // The width is in the header of a PNG.
    #expect(png.bytes.dropFirst(16).prefix(4) == [0, 0, 2, 0x58])
    let tag = try #require(png.headers[.eTag])
    #expect(tag.hasPrefix("\"") && png.headers[.cacheControl] == "private, max-age=300")
    #expect(anna.get(path, [.ifNoneMatch: tag]).status == 304)
    #expect(anna.get(path).bytes == png.bytes)
    // The address that the code tells has its version: what is there never changes.
    let told = try made.string("imageUrl").dropFirst(House.origin.count)
    let kept = anna.get(String(told) + "&size=600")
    #expect(kept.headers[.cacheControl] == "private, max-age=31536000, immutable" && kept.bytes == png.bytes)
    let svg = anna.get(path + "?format=svg&size=200&download=true")
    #expect(svg.headers[.contentType] == "image/svg+xml" && svg.text.contains("A &amp; B &lt;x&gt;"))
    #expect(svg[field: "Content-Disposition"]?.hasPrefix("attachment; filename=\"qr-") == true)
    #expect(svg.headers[.eTag] != tag)
    #expect(anna.patch(try self.path(made), ["moduleShape": "rounded"]).status == 200)
    let changed = anna.get(path, [.ifNoneMatch: tag])
    #expect(changed.status == 200 && changed.headers[.eTag] != tag && changed.bytes != png.bytes)
    for (query, code) in [
      ("size=63", "out_of_range"), ("size=2049", "out_of_range"), ("format=gif", "invalid_choice"),
      ("size=64", "too_small"), ("sise=64", "unknown_field"),
    ] {
      let refused = anna.get(path + "?" + query)
      #expect(refused.status == 422 && refused.text.contains("\"\(code)\""), "\(query)")
    }
  }

  @Test func scansAreToldFromClicks() throws {
    let anna = try house.account()
    let made = anna.post("/api/qrcodes", ["destinationUrl": "https://example.org/"])
    let code = try made.string("shortCode")
    // Kept by the redirect before the code's mark is known: the change must reach it.
    let second = anna.post("/api/qrcodes", ["linkId": .string(try made.string("linkId"))])
    for query in ["?qr=1", "?qr=1", "?qr=2", ""] {
      #expect(house.nobody.get("/\(code)\(query)", firefox).status == 302)
    }
    try house.app.loadClicks(within: .seconds(30))
    #expect(anna.get(try path(made))["scans"] == 2)
    #expect(anna.get(try path(second))["scans"] == 1)
    let own = anna.get(try path(made) + "/stats")
    #expect(own["totalClicks"] == 2 && own["sources"]?[0]?["key"] == "scan")
    let link = anna.get("/api/links/" + (try made.string("linkId")) + "/stats")
    #expect(link["totalClicks"] == 4)
    let sources = (link["sources"]?.array ?? []).map {
      "\($0["key"]?.string ?? "") \($0["clicks"]?.integer ?? 0)"
    }
    #expect(sources.sorted() == ["click 1", "scan 3"])
    #expect(try house.account().get(try path(made) + "/stats").status == 404)
  }

  @Test func theMonthsCodesAreCounted() throws {
    let anna = try house.account("free")
    let link = JSON.string(try anna.link().string("id"))
    for _ in 0..<5 { #expect(anna.post("/api/qrcodes", ["linkId": link]).status == 201) }
    let over = anna.post("/api/qrcodes", ["linkId": link])
    #expect(over.status == 403 && over.code == "plan_limit" && over["limit"] == 5 && over["used"] == 5)
    #expect(over["upgradeTo"] == "starter")
    // A link that was to have one is not made either.
    let nested = anna.post(
      "/api/links", ["destinationUrl": "https://a.example", "qrCode": ["enabled": true]])
    #expect(nested.status == 403)
    let usage = anna.get("/api/account/usage")
    #expect(usage["links"]?["used"] == 1 && usage["qrcodes"]?["used"] == 5)
  }

  @Test func codesWithOwnLinksAreCountedAsBoth() throws {
    let anna = try house.account("free")
    for _ in 0..<5 { _ = try anna.link() }
    #expect(anna.post("/api/qrcodes", ["destinationUrl": "https://a.example"]).code == "plan_limit")
    #expect(anna.get("/api/account/usage")["qrcodes"]?["used"] == 0)
  }

  @Test func changesAskForTheVersion() throws {
    let anna = try house.account()
    let made = anna.post("/api/qrcodes", ["destinationUrl": "https://example.org/"])
    let old: HTTPFields = [.ifMatch: made.headers[.eTag] ?? ""]
    #expect(anna.patch(try path(made), ["title": "x"], old).status == 200)
    #expect(anna.patch(try path(made), ["title": "y"], old).status == 412)
    #expect(anna.delete(try path(made), old).status == 412)
    let clash = anna.patch(try path(made), ["backgroundColor": "#000"])
    #expect(refusal(clash) == "422 foregroundColor low_contrast")
  }

  @Test func listsGoOnFromPageToPage() throws {
    let anna = try house.account()
    for title in ["a", "b", "c%"] {
      _ = anna.post("/api/qrcodes", ["destinationUrl": "https://example.org/", "title": .string(title)])
    }
    let first = anna.get("/api/qrcodes?limit=2")
    let cursor = try #require(first["nextCursor"]?.string)
    let rest = anna.get("/api/qrcodes?limit=2&cursor=" + cursor)
    let titles = [first, rest].flatMap { ($0["items"]?.array ?? []).compactMap { $0["title"]?.string } }
    #expect(titles == ["c%", "b", "a"] && first["total"] == 3 && rest["nextCursor"] == JSON.null)
    #expect(anna.get("/api/qrcodes?search=%25")["total"] == 1)
    #expect(try house.account().get("/api/qrcodes")["total"] == 0)
  }
}
