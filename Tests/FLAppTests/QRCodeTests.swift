import FLHTTP
import FLMariaDB
import FLValues
import Foundation
import HTTPTypes
import Testing

@testable import FLApp
@testable import FLQRCode

/// QR codes are made, drawn, changed and deleted.
@Suite struct QRCodeTests {
  private static let shared = Result { try House() }
  let house: House

  init() throws { house = try Self.shared.get() }

  private func code(_ anna: Client, _ members: JSONObject = [:]) throws -> Answer {
    var members = members
    if members["linkId"] == nil && members["destinationUrl"] == nil {
      members["destinationUrl"] = "https://example.org/"
    }
    let made = anna.post("/api/qrcodes", .object(members))
    try #require(made.status == 201, "\(made)")
    return made
  }

  /// Puts a file there as an upload would.
  private func file(_ anna: Client, _ bytes: [UInt8]) throws -> String {
    let id = FileID(at: .now)
    let me: AccountID = try #require(AccountID(try anna.get("/api/auth/me").string("id")))
    let text = id.description
    let folder = "\(house.settings.state)/files/\(text.suffix(4).prefix(2))/\(text.suffix(2))"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/\(text)"))
    let now = Timestamp.now
    _ = try house.app.database.run(
      """
      INSERT INTO files (id, account_id, name, content_type, size, sha256, created_at, updated_at)
      VALUES (\(id), \(me), 'logo', 'image/png', \(bytes.count), \([UInt8](repeating: 0, count: 32)), \(now), \(now))
      """)
    return text
  }

  private func picture(_ side: Int = 80) throws -> [UInt8] {
    let image = try #require(GDImage(width: side, height: side))
    return try #require(image.png(level: 1))
  }

  @Test func aCodeHasALinkOfItsOwn() throws {
    let anna = try house.account()
    let made = try code(anna, ["shortCode": "qr-own-link", "title": "Poster"])
    #expect(made.location == "/api/qrcodes/" + (try made.string("id")))
    #expect(made["ownsLink"] == true && made["shortUrl"]?.string == House.origin + "/qr-own-link")
    #expect(made["content"]?.string == House.origin + "/qr-own-link?qr=1")
    #expect(made["foregroundColor"] == "#000000" && made["errorCorrection"] == "M" && made["margin"] == 4)
    let read = anna.get(try made.path("/api/qrcodes"))
    #expect(read.bytes == made.bytes && read.headers[.eTag] == made.headers[.eTag])
    let link = anna.get("/api/links/" + (try made.string("linkId")))
    #expect(link["destinationUrl"] == "https://example.org/" && link["title"] == "Poster")
    let usage = anna.get("/api/account/usage")
    #expect(usage["links"]?["used"] == 1 && usage["qrcodes"]?["used"] == 1)
    // It goes with the code.
    #expect(anna.delete(try made.path("/api/qrcodes")).status == 204)
    #expect(anna.get("/api/links/" + (try made.string("linkId"))).status == 404)
    #expect(anna.get(try made.path("/api/qrcodes")).status == 404)
  }

  @Test func codesOfOneLinkHaveMarksThatAreNotGivenTwice() throws {
    let anna = try house.account()
    let link = try anna.link()
    let id = JSON.string(try link.string("id"))
    let first = try code(anna, ["linkId": id])
    let second = try code(anna, ["linkId": id])
    #expect(try first.string("content").hasSuffix("?qr=1") && second.string("content").hasSuffix("?qr=2"))
    #expect(anna.delete(try second.path("/api/qrcodes")).status == 204)
    #expect(try code(anna, ["linkId": id]).string("content").hasSuffix("?qr=3"))
    #expect(anna.get(try link.path()).status == 200)
    #expect(anna.get("/api/qrcodes?linkId=\(try link.string("id"))")["total"] == 2)
    let linkID: LinkID = try #require(LinkID(try link.string("id")))
    let marks = try house.app.database.rows("SELECT qrcode_count AS n FROM links WHERE id = \(linkID)")
    #expect(try marks[0]["n"] as Int == 2)
    let parallel = inParallel(8) { _ in anna.post("/api/qrcodes", ["linkId": id])["content"]?.string }
    #expect(Set(parallel.compactMap { $0 }).count == 8)
    // The link takes them along.
    #expect(anna.delete(try link.path()).status == 204)
    #expect(anna.get(try first.path("/api/qrcodes")).status == 404)
  }

  @Test(
    "Every bad field is named",
    arguments: [
      (["destinationUrl": "https://x.org/", "foregroundColor": "red"], "foregroundColor invalid_color"),
      (
        ["destinationUrl": "https://x.org/", "foregroundColor": "#fff", "backgroundColor": "#000"],
        "foregroundColor light_on_dark"
      ),
      (["destinationUrl": "https://x.org/", "foregroundColor": "#eee"], "foregroundColor low_contrast"),
      (["destinationUrl": "https://x.org/", "margin": 3], "margin out_of_range"),
      (["destinationUrl": "https://x.org/", "moduleShape": "stars"], "moduleShape invalid_choice"),
      (["destinationUrl": "https://x.org/", "errorCorrection": "X"], "errorCorrection invalid_choice"),
      (["destinationUrl": "https://x.org/", "caption": "漢字"], "caption unsupported_character"),
      (["destinationUrl": "https://x.org/", "logoSize": 41], "logoSize out_of_range"),
      (
        ["destinationUrl": "https://x.org/", "logoFileId": "019a0000-0000-7000-8000-000000000000"],
        "logoFileId not_found"
      ),
      (["linkId": "019a0000-0000-7000-8000-000000000000"], "linkId not_found"), ([:], "linkId required"),
      (
        ["linkId": "019a0000-0000-7000-8000-000000000000", "destinationUrl": "https://x.org/"],
        "destinationUrl excluded"
      ),
    ] as [(JSON, String)])
  func badField(body: JSON, problem: String) throws {
    let anna = try house.account()
    let answer = anna.post("/api/qrcodes", body)
    #expect(answer.status == 422 && answer.fields == [problem], "\(answer)")
    #expect(anna.get("/api/qrcodes")["total"] == 0 && anna.get("/api/links")["total"] == 0)
    #expect(anna.get("/api/account/usage")["qrcodes"]?["used"] == 0)
  }

  @Test func whatBelongsToAnotherCanNotBeNamed() throws {
    let anna = try house.account()
    let stranger = try house.account()
    let file = try file(stranger, try picture())
    let link = try stranger.link().string("id")
    #expect(anna.post("/api/qrcodes", ["linkId": .string(link)]).fields == ["linkId not_found"])
    let answer = anna.post(
      "/api/qrcodes", ["destinationUrl": "https://x.org/", "logoFileId": .string(file)])
    #expect(answer.fields == ["logoFileId not_found"])
    #expect(stranger.get("/api/qrcodes?linkId=\(link)")["total"] == 0)
  }

  @Test func aLogoRaisesTheCorrection() throws {
    let anna = try house.account()
    let file = JSON.string(try file(anna, try picture()))
    let made = try code(anna, ["logoFileId": file, "errorCorrection": "L"])
    #expect(made["errorCorrection"] == "H" && made["logoFileId"] == file)
    let path = try made.path("/api/qrcodes")
    #expect(anna.patch(path, ["errorCorrection": "L"])["errorCorrection"] == "H")
    #expect(anna.patch(path, ["logoSize": 40]).fields == ["logoSize hides_too_much"])
    let svg = anna.get(path + "/image?format=svg")
    #expect(svg.text.contains("data:image/png;base64,"))
    let cleared = anna.patch(path, ["logoFileId": nil, "errorCorrection": "L"])
    #expect(cleared["errorCorrection"] == "L" && cleared["logoFileId"] == JSON.null)
    let broken = JSON.string(try self.file(anna, Array(try picture().dropLast(20))))
    #expect(anna.patch(path, ["logoFileId": broken]).fields == ["logoFileId broken_image"])
    let key = try house.keyholder(scopes: ["qrcodes"], of: anna)
    #expect(key.patch(path, ["logoFileId": file])["requiredScope"] == "files:read")
    #expect(
      key.post("/api/qrcodes", ["destinationUrl": "https://x.org/", "logoFileId": file])["requiredScope"]
        == "files:read")
    let reader = try house.keyholder(scopes: ["qrcodes", "files:read"], of: anna)
    #expect(reader.patch(path, ["logoFileId": file]).status == 200)
  }

  @Test func theSymbolStaysWhenTheLookChanges() throws {
    let anna = try house.account()
    let made = try code(anna, ["shortCode": "qr-stays"])
    let path = try made.path("/api/qrcodes")
    let changed = anna.patch(
      path,
      [
        "title": "New", "foregroundColor": "#036", "moduleShape": "dots", "caption": "Scan me", "margin": 6,
        "destinationUrl": "https://example.org/new",
      ])
    #expect(changed.status == 200 && changed["content"] == made["content"], "\(changed)")
    #expect(changed["foregroundColor"] == "#003366" && changed["destinationUrl"] == "https://example.org/new")
    #expect(house.nobody.get("/qr-stays").location == "https://example.org/new")
    #expect(anna.patch(path, ["backgroundColor": "#036"]).fields == ["foregroundColor low_contrast"])
    #expect(anna.patch(path, ["title": "x"], [.ifMatch: made.headers[.eTag] ?? ""]).status == 412)
    let link = try anna.link()
    let other = try code(anna, ["linkId": .string(try link.string("id"))])
    #expect(
      anna.patch(try other.path("/api/qrcodes"), ["destinationUrl": "https://example.org/"]).fields
        == ["destinationUrl not_own_link"])
    // A new short code is a new symbol.
    let image = anna.get(path + "/image")
    let linkID = try made.string("linkId")
    #expect(anna.patch("/api/links/" + linkID, ["shortCode": "qr-moved"]).status == 200)
    #expect(anna.get(path)["content"]?.string == House.origin + "/qr-moved?qr=1")
    let moved = anna.get(path + "/image", [.ifNoneMatch: image.headers[.eTag] ?? ""])
    #expect(moved.status == 200 && moved.headers[.eTag] != image.headers[.eTag])
  }

  @Test func anImageIsDrawnOnce() throws {
    let anna = try house.account()
    let made = try code(anna, ["caption": "Scan me"])
    let path = try made.path("/api/qrcodes") + "/image"
    let png = anna.get(path + "?size=300")
    #expect(png.status == 200 && png.headers[.contentType] == "image/png")
    #expect(
      png.headers[.cacheControl] == "private, no-cache" && png[field: "X-Content-Type-Options"] == "nosniff")
    let tag = try #require(png.headers[.eTag])
    #expect(!tag.hasPrefix("W/"))
    #expect(anna.get(path + "?size=300", [.ifNoneMatch: tag]).status == 304)
    #expect(anna.get(path + "?size=301", [.ifNoneMatch: tag]).status == 200)
    #expect(anna.get(path + "?size=300&format=svg", [.ifNoneMatch: tag]).status == 200)
    let svg = anna.get(path + "?format=svg&download=true")
    #expect(svg.headers[.contentType] == "image/svg+xml")
    #expect(svg[field: "Content-Security-Policy"]?.contains("sandbox") == true)
    #expect(svg[field: "Content-Disposition"]?.hasPrefix("attachment; filename=\"qr-") == true)
    let address = try made.string("imageUrl").dropFirst(House.origin.count)
    #expect(anna.get(String(address)).headers[.cacheControl]?.contains("immutable") == true)
    #expect(anna.get(path + "?size=64").fields == ["size too_small"])
    #expect(anna.get(path + "?size=2049").fields == ["size out_of_range"])
    #expect(anna.get(path + "?format=gif").fields == ["format invalid_choice"])
    #expect(try house.account().get(path).status == 404)
  }

  @Test func thePlanHolds() throws {
    let anna = try house.account("starter")
    let link = JSON.string(try anna.link().string("id"))
    let statuses = inParallel(20) { _ in anna.post("/api/qrcodes", ["linkId": link]).status }
    #expect(statuses.filter { $0 == 201 }.count == 10, "\(statuses)")
    let answer = anna.post("/api/qrcodes", ["destinationUrl": "https://example.org/"])
    #expect(answer.status == 403 && answer.code == "plan_limit" && answer["limit"] == 10)
    // The link that was made for it is gone with it.
    #expect(anna.get("/api/links")["total"] == 1 && anna.get("/api/account/usage")["links"]?["used"] == 1)
  }

  @Test func aLinkWithOtherCodesIsNotTakenAway() throws {
    let anna = try house.account()
    let own = try code(anna)
    let other = try code(anna, ["linkId": .string(try own.string("linkId"))])
    #expect(anna.delete(try own.path("/api/qrcodes")).status == 409)
    #expect(anna.delete(try other.path("/api/qrcodes")).status == 204)
    #expect(anna.delete(try own.path("/api/qrcodes")).status == 204)
  }

  @Test func listsAreSearchedAndPaged() throws {
    let anna = try house.account()
    for title in ["One", "Two", "Three"] { _ = try code(anna, ["title": .string(title)]) }
    let page = anna.get("/api/qrcodes?limit=2")
    #expect(JSON.texts(page.items, "title") == ["Three", "Two"] && page["total"] == 3)
    let rest = anna.get("/api/qrcodes?limit=2&cursor=" + (try page.string("nextCursor")))
    #expect(JSON.texts(rest.items, "title") == ["One"] && rest["nextCursor"] == JSON.null)
    #expect(anna.get("/api/qrcodes?search=tw")["total"] == 1)
    let first = try #require(page.items[0]["id"]?.string)
    #expect(anna.get("/api/qrcodes/\(first)/stats")["totalClicks"] == 0)
  }

  @Test func listsOfLinksFindTheirFirstCodesAtOnce() throws {
    let anna = try house.account()
    let links = try (0..<3).map { _ in try anna.link() }
    var first: [LinkID: String] = [:]
    for link in links.prefix(2) {
      let id: LinkID = try #require(LinkID(try link.string("id")))
      first[id] = try code(anna, ["linkId": .string(try link.string("id"))]).string("id")
      _ = try code(anna, ["linkId": .string(try link.string("id"))])
    }
    let me: AccountID = try #require(AccountID(try anna.get("/api/auth/me").string("id")))
    let all = try links.map { try #require(LinkID(try $0.string("id"))) }
    let found = try QRCodeRows(account: me, queries: house.app.database).first(of: all)
    #expect(found.mapValues(\.id.description) == first)
  }
}
