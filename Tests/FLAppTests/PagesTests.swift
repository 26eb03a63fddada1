import FLHTTP
import FLValues
import Foundation
import HTTPTypes
import Testing

@testable import FLApp

/// The repository's root, in which `web` lies.
private let share = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent().path

private func pages() throws -> Pages { try Pages(directory: share + "/web/pages", assetVersion: "v1") }

private func html(_ page: some PublicPage) throws -> String {
  String(decoding: try pages().render(page).bytes, as: UTF8.self)
}

/// A directory of its own with these files; the caller removes it.
private func directory(with files: [String: String]) throws -> String {
  let path = NSTemporaryDirectory() + "/pages-" + UUID().uuidString
  for (name, text) in files {
    let file = URL(fileURLWithPath: path + "/" + name)
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: file)
  }
  return path
}

/// The templates of the repository, with one of them changed.
private func templates(changing name: String, to text: String?) throws -> String {
  var files: [String: String] = [:]
  for file in try FileManager.default.contentsOfDirectory(atPath: share + "/web/pages") {
    files[file] = try String(contentsOfFile: share + "/web/pages/" + file, encoding: .utf8)
  }
  files[name] = text
  return try directory(with: files)
}

@Suite("Public pages") struct PagesTests {
  static let everyPage: [any PublicPage] =
    Pages.all.map { $0.specimen } + GonePage.Reason.allCases.map { GonePage(reason: $0) }
    + MessagePage.Tone.allCases.map { MessagePage(heading: "h", message: "m", tone: $0) } + [
      NotFoundPage(), PasswordPage(action: "/a"),
      PasswordPage(action: "/a", state: .throttled(retryAfterSeconds: 9)),
      ResetPasswordPage(action: "/a", token: "t"), ResetPasswordPage(action: "/a", token: "t", state: .done),
      ResetPasswordPage(action: "/a", token: "t", state: .invalid),
      PreviewPage(
        shortUrl: "https://go.example/a", destination: .url("https://example.org"), createdAt: "today",
        isPasswordProtected: true, isAvailable: false),
      ConfirmPage(action: "/a", confirmation: nil, state: .asking),
      ConfirmPage(action: "/a", confirmation: confirmation, state: .done),
      ConfirmPage(action: "/a", confirmation: bouncedConfirmation, state: .done),
    ] + subscribePages(WholePage.self) + subscribePages(FramedPage.self)

  private static let group = PublicGroup(
    id: ContactGroupID(at: .now), account: AccountID(at: .now), name: "n", description: nil, accountName: "a")
  private static let confirmation = Confirmation(
    account: AccountID(at: .now), group: ContactGroupID(at: .now), contact: ContactID(at: .now),
    accountName: "a", groupName: "n", email: "a@example.org")
  private static let bouncedConfirmation = Confirmation(
    account: confirmation.account, group: confirmation.group, contact: confirmation.contact, accountName: "a",
    groupName: "n", email: "a@example.org", hasBounced: true)

  /// The form with `value` wherever somebody may type something.
  private static func subscribePage<Place: SubscribePlace>(_ place: Place.Type, _ value: String)
    -> SubscribePage<Place>
  {
    SubscribePage<Place>(
      group: PublicGroup(
        id: group.id, account: group.account, name: value, description: value, accountName: value),
      action: "/" + value, stamp: value,
      state: .form(
        SubscribeEntries(email: value, firstName: value, lastName: value),
        problems: ["email": value, "firstName": value, "lastName": value, "stamp": value]))
  }

  private static func subscribePages<Place: SubscribePlace>(_ place: Place.Type) -> [any PublicPage] {
    let wrong = ["email": "e", "firstName": "f", "lastName": "l", "stamp": "s"]
    let states: [SubscribePage<Place>.State] = [
      .form(), .form(problems: wrong), .done(email: "a@example.org"), .throttled(retryAfterSeconds: 9),
    ]
    return states.map { SubscribePage<Place>(group: group, action: "/a", stamp: "1.x", state: $0) }
  }

  @Test("Each page is one whole document", arguments: everyPage.indices)
  func wholeDocument(index: Int) throws {
    let text = try html(Self.everyPage[index])
    #expect(text.hasPrefix("<!doctype html>\n<html lang=\"en\">"))
    #expect(text.hasSuffix("</html>\n"))
    for part in ["<title>", "<main", "<h1>", "name=\"viewport\"", "site.css?v=v1\""] {
      #expect(text.components(separatedBy: part).count == 2, "\(part)")
    }
    #expect(!text.contains("{{") && !text.contains("}}"))
    #expect(!text.contains("Optional("))
    #expect(!text.contains("<title> ") && !text.contains("style="))
    // Nothing is loaded from another host, and no tag is left open.
    #expect(text.matches(of: #/(?:src|<link[^>]*href)="(?!/assets/)/#).isEmpty)
    for tag in ["div", "p", "section", "ul", "form", "main", "a", "pre", "dl"] {
      let opened = text.matches(of: try Regex("<\(tag)[ >]")).count
      #expect(opened == text.components(separatedBy: "</\(tag)>").count - 1, "\(tag)")
    }
  }

  @Test(
    "Status and fields are those of a page that nobody else may keep or frame", arguments: everyPage.indices)
  func fields(index: Int) throws {
    let page = Self.everyPage[index]
    let response = try pages().render(page)
    #expect(response.status == page.status)
    func field(_ name: String) -> String? { HTTPField.Name(name).flatMap { response.headers[$0] } }
    #expect(field("Content-Type") == "text/html; charset=utf-8")
    #expect(field("X-Content-Type-Options") == "nosniff")
    #expect(field("Referrer-Policy") == "no-referrer")
    let isFramed = page is SubscribePage<FramedPage>
    #expect(field("X-Frame-Options") == (isFramed ? nil : "DENY"))
    let isHome = page is HomePage
    #expect(field("Cache-Control") == (isHome ? "public, max-age=300" : "private, no-store"))
    #expect(field("X-Robots-Tag") == (isHome ? nil : "noindex"))
    #expect(field("Retry-After") == page.retryAfterSeconds.map { String($0) })
    let policy = try #require(field("Content-Security-Policy"))
    #expect(policy.hasPrefix("default-src 'none'; "))
    #expect(policy.hasSuffix(isFramed ? "frame-ancestors *" : "frame-ancestors 'none'"))
    #expect(policy.contains("script-src") == (page is APIReferencePage))
    #expect(policy.contains("'unsafe-inline'") == (page is APIReferencePage || page is MailingPreviewPage))
    #expect(policy.contains("form-action 'self' https: http:") == (page is PasswordPage))
  }

  @Test func statusFollowsTheState() throws {
    #expect(NotFoundPage().status == 404)
    #expect(GonePage(reason: .usedUp).status == 410)
    #expect(PasswordPage(action: "/a").status == 200)
    #expect(PasswordPage(action: "/a", state: .wrong).status == 401)
    let throttled = try pages().render(PasswordPage(action: "/a", state: .throttled(retryAfterSeconds: 120)))
    #expect(throttled.status == 429)
    #expect(throttled.headers[.retryAfter] == "120")
    #expect(String(decoding: throttled.bytes, as: UTF8.self).contains("2 minutes"))
    #expect(ResetPasswordPage(action: "/a", token: "t", state: .form(errors: ["x"])).status == 422)
  }

  static let hostile = [
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "' autofocus onfocus='alert(1)",
    "{{baseUrl}}{{{assetVersion}}}", "&lt;b&gt;", "]]><!--", "javascript:alert(1)",
  ]

  @Test("Whatever is in a value comes out as text", arguments: hostile)
  func escaping(value: String) throws {
    let escaped = value.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(
      ">", with: "&gt;"
    )
    .replacing("\"", with: "&quot;").replacing("'", with: "&#39;")
    let all: [(page: any PublicPage, times: Int)] = [
      (HomePage(baseUrl: value, version: value, apiDocsUrl: "/d", openapiUrl: "/o", healthUrl: "/h"), 5),
      (NotFoundPage(shortCode: value), 1),
      (GonePage(reason: .disabled, title: value), 1),
      (PasswordPage(action: "/" + value), 1),
      (PreviewPage(shortUrl: value, destination: .url(value), title: value, createdAt: value), 5),
      (
        PreviewPage(
          shortUrl: "https://a/" + value, destination: .url("https://b/" + value), title: value,
          createdAt: value
        ), 4
      ),
      (
        PreviewPage(
          shortUrl: "https://a/" + value, destination: .file(name: value, details: value), title: value,
          createdAt: value), 6
      ),
      (ErrorPage(status: 400, heading: value, message: value, requestId: value), 4),
      (ResetPasswordPage(action: "/" + value, token: value, state: .form(errors: [value])), 3),
      (MessagePage(heading: value, message: value), 3),
      (Self.subscribePage(WholePage.self, value), 14), (Self.subscribePage(FramedPage.self, value), 12),
      (
        ConfirmPage(
          action: "/" + value,
          confirmation: Confirmation(
            account: Self.confirmation.account, group: Self.confirmation.group,
            contact: Self.confirmation.contact, accountName: value, groupName: value, email: value),
          state: .asking), 5
      ),
      (APIReferencePage(openapiUrl: "/" + value), 1),
    ]
    for (page, times) in all {
      let text = try html(page)
      #expect(text.components(separatedBy: escaped).count > times, "\(page)")
      if escaped != value { #expect(!text.contains(value), "\(page)") }
      #expect(!text.contains("<script>") && !text.contains("<img"))
      #expect(!text.contains("href=\"javascript:"))
    }
  }

  @Test(
    "A mark that combines with a quotation mark hides it from nobody",
    arguments: [
      "\u{301}", "\u{200D}", "\u{FE0F}", "\u{338}", "\r\n",
    ])
  func combiningMarks(mark: String) throws {
    for special in ["\"", "'", "<", ">", "&"] {
      let value = "a" + special + mark + "b"
      let expected = [
        "\"": "&quot;", "'": "&#39;", "<": "&lt;", ">": "&gt;", "&": "&amp;",
      ][special].map { "a" + $0 + mark + "b" }
      let bytes = try pages().render(
        ResetPasswordPage(action: value, token: value, state: .form(errors: [value]))
      )
      .bytes
      func count(_ text: String) -> Int {
        let wanted = Array(text.utf8)
        return bytes.indices.count { bytes[$0...].starts(with: wanted) }
      }
      #expect(count(value) == 0)
      #expect(count(try #require(expected)) == 3)
    }
  }

  @Test(
    "Only a plain http or https address can be clicked",
    arguments: [
      "javascript:alert(1)", "JaVaScRiPt:alert(1)", " javascript:alert(1)", "java\tscript:alert(1)",
      "data:text/html,x", "//evil.example", "/x", "https:evil.example", "https://", "https:///x",
      "http://a b/",
      "https://good.example\\@evil.example/", "https://a/\n", "vbscript:x", "", "ftp://a/",
    ])
  func unclickable(address: String) throws {
    let text = try html(PreviewPage(shortUrl: address, destination: .url(address), createdAt: "today"))
    let links = text.matches(of: #/href="([^"]*)"/#).map { String($0.1) }
    #expect(Set(links) == ["#main", "/", "/assets/favicon.svg?v=v1", "/assets/site.css?v=v1"])
  }

  @Test func previewLeadsOn() throws {
    let text = try html(
      PreviewPage(
        shortUrl: "https://go.example/a", destination: .url("HTTPS://me:pw@Example.org:8443/p?q=1&r=2#f"),
        createdAt: "3 May 2026"))
    #expect(
      text.contains(
        "<a href=\"HTTPS://me:pw@Example.org:8443/p?q=1&amp;r=2#f\" rel=\"noopener noreferrer nofollow\">"))
    #expect(text.contains("<span class=\"destination-host\">Example.org:8443</span>"))
    #expect(
      text.contains("href=\"https://go.example/a\" rel=\"noopener noreferrer nofollow\">Follow the link"))
  }

  @Test func previewOfAFileNamesIt() throws {
    let file = PreviewPage.Destination.file(name: "Price list.pdf", details: "PDF, 2.3 MB")
    let open = try html(PreviewPage(shortUrl: "https://go.example/a", destination: file, createdAt: "today"))
    #expect(
      open.contains("Price list.pdf") && open.contains("PDF, 2.3 MB") && open.contains("Download the file"))
    let closed = try html(
      PreviewPage(
        shortUrl: "https://go.example/a", destination: file, createdAt: "today", isPasswordProtected: true))
    #expect(!closed.contains("Price list") && !closed.contains("2.3 MB"))
  }

  @Test func previewOfAnEndedLinkLeadsNowhere() throws {
    let text = try html(
      PreviewPage(
        shortUrl: "https://go.example/a", destination: .url("https://example.org/x"), createdAt: "today",
        isAvailable: false))
    #expect(text.contains("https://example.org/x") && !text.contains("href=\"https:"))
    #expect(text.contains("This link does not work at present"))
  }

  @Test func previewKeepsWhatAPasswordProtects() throws {
    let text = try html(
      PreviewPage(
        shortUrl: "https://go.example/a", destination: .url("https://secret.example/x"), title: "Hush",
        createdAt: "today", isPasswordProtected: true))
    #expect(!text.contains("secret.example") && !text.contains("Hush"))
    #expect(text.contains("Enter the password"))
  }

  @Test func spentTokenIsNotRepeated() throws {
    for state in [ResetPasswordPage.State.done, .invalid] {
      #expect(!(try html(ResetPasswordPage(action: "/a", token: "s3cret", state: state))).contains("s3cret"))
    }
    #expect(try html(ResetPasswordPage(action: "/a", token: "s3cret")).contains("value=\"s3cret\""))
  }

  @Test func waitsInWords() {
    #expect(Wait.words(forSeconds: 1) == "1 second")
    #expect(Wait.words(forSeconds: 90) == "90 seconds")
    #expect(Wait.words(forSeconds: 91) == "2 minutes")
    #expect(Wait.words(forSeconds: 3600) == "60 minutes")
    #expect(Wait.words(forSeconds: 7201) == "3 hours")
    #expect(Wait.words(forSeconds: -5) == "1 second")
  }
}

@Suite("Templates that do not fit") struct TemplateCheckTests {
  @Test(
    "are refused at start-up",
    arguments: [
      ("{{>nowhere}}", Pages.Failure.missing("nowhere", neededBy: "gone")),
      ("{{<nowhere}}{{/nowhere}}", .missing("nowhere", neededBy: "gone")),
      ("{{titel}}", .unknownVariable("titel", template: "gone")),
      ("{{#title}}{{ titel }}{{/title}}", .unknownVariable("titel", template: "gone")),
      ("{{^isExpire}}{{/isExpire}}", .unknownVariable("isExpire", template: "gone")),
      ("{{{title}}}", .unsafeTag("{{{title}}", template: "gone")),
      ("{{& title}}", .unsafeTag("{{& title}}", template: "gone")),
      ("{{% CONTENT_TYPE: TEXT}}", .unsafeTag("{{% CONTENT_TYPE: TEXT}}", template: "gone")),
      ("{{=<% %>=}}<%& title %>", .unsafeTag("{{=<% %>=}}", template: "gone")),
      ("{{>*title}}", .unsafeTag("{{>*title}}", template: "gone")),
      ("{{#title}}", .malformed(template: "gone", reason: "line 1: expectedSectionEnd")),
    ])
  func refused(text: String, failure: Pages.Failure) throws {
    let path = try templates(changing: "gone.mustache", to: text)
    defer { try? FileManager.default.removeItem(atPath: path) }
    #expect(throws: failure) { try Pages(directory: path, assetVersion: "v1") }
  }

  @Test func aMissingFileIsSeen() throws {
    for (file, failure) in [
      ("preview", Pages.Failure.missing("preview", neededBy: "PreviewPage")),
      ("mark", .missing("mark", neededBy: "layout")),
    ] {
      let path = try templates(changing: file + ".mustache", to: nil)
      defer { try? FileManager.default.removeItem(atPath: path) }
      #expect(throws: failure) { try Pages(directory: path, assetVersion: "v1") }
    }
    #expect(throws: Pages.Failure.unreadable("/nowhere")) {
      try Pages(directory: "/nowhere", assetVersion: "v1")
    }
  }
}

@Suite("Assets") struct AssetsTests {
  @Test func theRepositorysAssets() throws {
    let assets = try Assets(share: share)
    for path in ["/assets/site.css", "/assets/favicon.svg", "/assets/scalar/start.js"] {
      #expect(assets.paths.contains(path))
    }
    #expect(!assets.paths.contains("/assets/scalar/VERSION"))
    let response = try #require(assets.respond(to: Request(path: "/assets/site.css")))
    #expect(response.status == 200)
    #expect(response.headers[.contentType] == "text/css; charset=utf-8")
    #expect(response.headers[.cacheControl] == "public, max-age=300")
    #expect(response.headers[.xContentTypeOptions] == "nosniff")
    let file = try Data(contentsOf: URL(fileURLWithPath: share + "/web/assets/site.css"))
    #expect(response.bytes == Array(file))
  }

  @Test func aVersionedAddressIsKept() throws {
    let assets = try Assets(share: share)
    #expect(assets.version.count == 16)
    #expect(try Assets(share: share).version == assets.version)
    let current = assets.respond(to: Request(path: "/assets/site.css", query: "v=" + assets.version))
    #expect(current?.headers[.cacheControl] == "public, max-age=31536000, immutable")
    let other = assets.respond(to: Request(path: "/assets/site.css", query: "v=0"))
    #expect(other?.headers[.cacheControl] == "public, max-age=300")
  }

  @Test func theTagFollowsTheFile() throws {
    let path = try directory(with: ["web/assets/a.css": "a{}"])
    defer { try? FileManager.default.removeItem(atPath: path) }
    let assets = try Assets(share: path)
    let tag = try #require(assets.respond(to: Request(path: "/assets/a.css"))?.headers[.eTag])
    #expect(tag.hasPrefix("\"") && tag.hasSuffix("\""))
    func status(_ wanted: String) -> Int? {
      assets.respond(to: Request(path: "/assets/a.css", headers: [.ifNoneMatch: wanted]))?.status
    }
    for wanted in [tag, "W/" + tag, "\"x\", " + tag, "*"] { #expect(status(wanted) == 304) }
    #expect(status("\"x\"") == 200)
    let unchanged = assets.respond(to: Request(path: "/assets/a.css", headers: [.ifNoneMatch: tag]))
    #expect(unchanged?.bytes.isEmpty == true)
    try Data("a{color:red}".utf8).write(to: URL(fileURLWithPath: path + "/web/assets/a.css"))
    #expect(status(tag) == 200)
    #expect(try Assets(share: path).version != assets.version)
    try FileManager.default.removeItem(atPath: path + "/web/assets/a.css")
    #expect(status(tag) == nil)
  }

  @Test(
    "No path leads out of the list",
    arguments: [
      "/assets/../pages/home.mustache", "/assets/..%2fpages%2fhome.mustache", "/assets//site.css", "/assets/",
      "/assets", "/assets/./site.css", "/assets/site.css/", "/assets/site.css%00.svg", "/assets/%73ite.css",
      "/assets/SITE.CSS", "/assets/../../Package.swift", "/assets/scalar/../site.css", "/etc/passwd",
      "/assets//etc/passwd", "/assets/.hidden.css", "/assets/below/inner.css", "/assets/notes.html",
    ])
  func traversal(path: String) throws {
    let place = try directory(with: [
      "web/assets/site.css": "a{}", "web/assets/.hidden.css": "a{}", "web/assets/below/inner.css": "a{}",
      "web/assets/notes.html": "x", "web/pages/home.mustache": "x", "Package.swift": "x",
    ])
    defer { try? FileManager.default.removeItem(atPath: place) }
    let assets = try Assets(share: place)
    #expect(assets.paths == ["/assets/site.css"])
    #expect(assets.respond(to: Request(path: path)) == nil)
  }

  @Test func scalarIsTakenFromBesideTheWeb() throws {
    let place = try directory(with: [
      "web/assets/a.css": "a{}", "web/scalar/start.js": "1", "scalar/standalone.js": "2",
      "scalar/LICENSE.txt": "3",
    ])
    defer { try? FileManager.default.removeItem(atPath: place) }
    let assets = try Assets(share: place)
    #expect(
      assets.paths == [
        "/assets/a.css", "/assets/scalar/LICENSE.txt", "/assets/scalar/standalone.js",
        "/assets/scalar/start.js",
      ])
    #expect(
      assets.respond(to: Request(path: "/assets/scalar/standalone.js"))?.headers[.contentType]
        == "text/javascript; charset=utf-8")
  }

  @Test func linksAreNotFollowedAndOtherMethodsRefused() throws {
    let place = try directory(with: ["web/assets/a.css": "a{}", "secret.css": "s"])
    defer { try? FileManager.default.removeItem(atPath: place) }
    try FileManager.default.createSymbolicLink(
      atPath: place + "/web/assets/b.css", withDestinationPath: place + "/secret.css")
    let assets = try Assets(share: place)
    #expect(assets.paths == ["/assets/a.css"])
    #expect(assets.respond(to: Request(method: .post, path: "/assets/a.css"))?.status == 405)
    #expect(assets.respond(to: Request(method: .head, path: "/assets/a.css"))?.status == 200)
    #expect(throws: Assets.Failure.unreadable("/nowhere/web/assets")) { try Assets(share: "/nowhere") }
  }
}
