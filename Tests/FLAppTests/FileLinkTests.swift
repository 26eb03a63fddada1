import FLHTTP
import FLValues
import HTTPTypes
import Testing

@testable import FLApp

/// Short links that lead to a file.
@Suite struct FileLinkTests {
  private static let shared = Result { try House() }
  let house: House
  let content = Array("a price list, of some length".utf8)

  init() throws { house = try Self.shared.get() }

  private func file(_ owner: Client, name: String = "Prices.txt") throws -> JSON {
    .string(try owner.upload(content, as: name).string("id"))
  }

  private func link(_ owner: Client, _ more: JSONObject = [:]) throws -> Answer {
    var body = more
    body["fileId"] = try file(owner)
    return owner.post("/api/links", .object(body))
  }

  private func visit(_ link: Answer, _ headers: HTTPFields = [:]) throws -> Answer {
    house.nobody.get("/" + (try link.string("shortCode")), headers)
  }

  @Test func followingItDownloads() throws {
    let anna = try house.account()
    let made = try link(anna)
    #expect(made.status == 201 && made["destinationUrl"] == JSON.null && made["fileId"]?.string != nil)
    #expect(anna.get(try made.path()).bytes == made.bytes)
    let got = try visit(made)
    #expect(got.status == 200 && got.bytes == content)
    #expect(got[field: "Content-Disposition"] == "attachment; filename=\"Prices.txt\"")
    #expect(got[field: "X-Content-Type-Options"] == "nosniff")
    #expect(got[field: "Cross-Origin-Resource-Policy"] == "cross-origin")
    let part = try visit(made, [.range: "bytes=2-6"])
    #expect(part.status == 206 && part.bytes == Array(content[2...6]))
    #expect(try visit(made, [.range: "bytes=900-"]).status == 416)
    let head = house.nobody.head("/" + (try made.string("shortCode")))
    #expect(head.status == 200)
    let page = house.nobody.get("/" + (try made.string("shortCode")) + "+")
    #expect(page.status == 200 && page.text.contains("Prices.txt") && page.text.contains("28 bytes"))
    // A new name is there at once.
    let path = "/api/files/" + (made["fileId"]?.string ?? "")
    #expect(anna.patch(path, ["name": "List.txt"]).status == 200)
    #expect(try visit(made)[field: "Content-Disposition"] == "attachment; filename=\"List.txt\"")
  }

  @Test func aDownloadThatGoesOnIsOneClick() throws {
    let anna = try house.account()
    let made = try link(anna)
    let firefox: HTTPFields = [
      .userAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    ]
    for range in [nil, "bytes=0-9", "bytes=10-19", "bytes=20-", "bytes=-3"] as [String?] {
      var headers = firefox
      headers[.range] = range
      #expect(try visit(made, headers).status < 300)
    }
    try house.app.loadClicks(within: .seconds(30))
    #expect(anna.get(try made.path())["clicks"] == 2)
  }

  @Test func limitsAndPasswordsHoldForFiles() throws {
    let anna = try house.account()
    let limited = try link(anna, ["maxClicks": 2])
    let firefox: HTTPFields = [
      .userAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    ]
    #expect(try visit(limited, firefox).status == 200)
    var rest = firefox
    rest[.range] = "bytes=1-"
    #expect(try visit(limited, rest).status == 206)
    #expect(try visit(limited, rest).status == 410 && visit(limited, firefox).status == 410)
    let secret = try link(anna, ["password": "open sesame"])
    let asked = try visit(secret)
    #expect(asked.status == 200 && !asked.text.contains("price list"))
    let code = try secret.string("shortCode")
    #expect(house.nobody.submit("/" + code, "password=wrong").status == 401)
    let given = house.nobody.submit("/" + code, "password=open+sesame")
    #expect(given.status == 200 && given.bytes == content)
    #expect(anna.patch(try secret.path(), ["isEnabled": false]).status == 200)
    #expect(house.nobody.submit("/" + code, "password=open+sesame").status == 410)
  }

  @Test func aLinkLeadsToJustOnePlace() throws {
    let anna = try house.account()
    let id = try file(anna)
    let url: JSON = "https://example.org/"
    func refusal(_ answer: Answer) -> String {
      "\(answer.status) \(answer["errors"]?[0]?["field"]?.string ?? "") \(answer["errors"]?[0]?["code"]?.string ?? "")"
    }
    #expect(refusal(anna.post("/api/links", [:])) == "422 destinationUrl required")
    #expect(
      refusal(anna.post("/api/links", ["destinationUrl": url, "fileId": id])) == "422 fileId conflicting")
    #expect(refusal(anna.post("/api/links", ["fileId": "x"])) == "422 fileId invalid_id")
    let made = try link(anna)
    let path = try made.path()
    #expect(refusal(anna.patch(path, ["fileId": id, "destinationUrl": url])) == "422 fileId conflicting")
    #expect(refusal(anna.patch(path, ["destinationUrl": nil])) == "422 destinationUrl required")
    #expect(
      refusal(anna.patch(path, ["destinationUrl": nil, "fileId": nil])) == "422 destinationUrl required")
    #expect(anna.get(path).bytes == made.bytes)
    // One takes the other's place, and what was read may be sent back.
    let now = anna.patch(path, ["destinationUrl": url, "fileId": nil])
    #expect(now.status == 200 && now["fileId"] == JSON.null && now["destinationUrl"] == url)
    #expect(try visit(made).status == 302)
    let again = anna.patch(path, ["fileId": id])
    #expect(again["fileId"] == id && again["destinationUrl"] == JSON.null)
    #expect(try visit(made).bytes == content)
    #expect(anna.get("/api/links?fileId=\(id.string ?? "")")["total"] == 1)
    #expect(anna.get("/api/links?search=zzz")["total"] == 0)
  }

  @Test func anotherAccountsFileIsNone() throws {
    let anna = try house.account()
    let stranger = try house.account()
    let theirs = try file(stranger)
    let refused = anna.post("/api/links", ["fileId": theirs])
    #expect(refused.status == 422 && refused["errors"]?[0]?["code"] == "not_found")
    let link = try anna.link()
    let patched = anna.patch(try link.path(), ["fileId": theirs])
    #expect(patched.status == 422 && patched["errors"]?[0]?["field"] == "fileId")
    #expect(anna.get(try link.path()).bytes == link.bytes)
    let bulk = anna.post("/api/links/bulk", ["links": [["fileId": theirs], ["fileId": try file(anna)]]])
    #expect(bulk["created"] == 1 && bulk["failed"] == 1)
  }

  @Test func aFileThatALinkLeadsToStays() throws {
    let anna = try house.account()
    let made = try link(anna)
    let path = "/api/files/" + (made["fileId"]?.string ?? "")
    #expect(anna.delete(path).status == 409 && anna.get(path).status == 200)
    #expect(anna.delete(try made.path()).status == 204 && anna.delete(path).status == 204)
  }

  @Test func aKeyNeedsToBeAllowedToReadFiles() throws {
    let anna = try house.account()
    let id = try file(anna)
    let links = try house.keyholder(scopes: ["links"], of: anna)
    let refused = links.post("/api/links", ["fileId": id])
    #expect(refused.status == 403 && refused["requiredScope"] == "files:read")
    let path = try anna.link().path()
    #expect(
      links.patch(path, ["fileId": id]).status == 403 && links.patch(path, ["title": "x"]).status == 200)
    let both = try house.keyholder(scopes: ["links", "files:read"], of: anna)
    #expect(both.post("/api/links", ["fileId": id]).status == 201)
  }
}
