import FLHTTP
import Foundation
import HTTPTypes
import Mustache

/// One public page: its values are its stored properties, its words stand in a template of `web/pages`.
///
/// An optional property that is nil makes its section in the template absent. Bear in mind that to Mustache an
/// empty string is a present value.
protocol PublicPage: Sendable {
  /// The template's name: the file's, without `.mustache`.
  static var template: String { get }
  /// The page with made-up values; the check at start-up compares the template's variables with its properties.
  static var specimen: Self { get }
  /// The status of the response, 200 to 599.
  var status: Int { get }
  /// In how many seconds another attempt makes sense (`Retry-After`, RFC 9110 section 10.2.3); nil leaves the
  /// field out.
  var retryAfterSeconds: Int? { get }
  /// What the page's browser may load and where its forms may lead.
  static var policy: ContentPolicy { get }
  /// Whether caches and search engines may keep the page; false for all but the home page.
  static var isPublic: Bool { get }
  /// Whether other sites may show the page in a frame, as its policy then says as well.
  static var isFramable: Bool { get }
}

extension PublicPage {
  /// 200, where a page says nothing else.
  var status: Int { 200 }
  /// None, where a page says nothing else.
  var retryAfterSeconds: Int? { nil }
  /// Own style sheets and images alone.
  static var policy: ContentPolicy { .plain }
  /// No.
  static var isPublic: Bool { false }
  /// No.
  static var isFramable: Bool { false }
}

/// A value of `Content-Security-Policy` (CSP level 3).
struct ContentPolicy: Sendable, Equatable {
  /// The field's value.
  let text: String

  private static func noScript(formAction: String, ancestors: String = "'none'") -> ContentPolicy {
    ContentPolicy(
      text: """
        default-src 'none'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
        form-action \(formAction); base-uri 'none'; frame-ancestors \(ancestors)
        """)
  }

  /// No script; style sheets, images and fonts of the own host; forms to the own host.
  static let plain = noScript(formAction: "'self'")

  /// As `plain`, for a form whose answer redirects to another host: browsers hold `form-action` against every
  /// step of the redirect.
  static let formLeadingOut = noScript(formAction: "'self' https: http:")

  /// As `plain`, for a page that any site may show in a frame.
  static let framed = noScript(formAction: "'self'", ancestors: "*")

  /// For Scalar: scripts of the own host, which put style elements into the page, call the API of the own host,
  /// and show an image it answers from a blob.
  static let apiReference = ContentPolicy(
    text: """
      default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; \
      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'
      """)
}

/// The public pages' templates, read once and checked against the pages' types.
struct Pages: Sendable {
  /// Why the templates cannot be used; found when they are loaded, never while a page is shown.
  enum Failure: Error, Equatable {
    /// The directory or a file in it could not be read.
    case unreadable(String)
    /// Not a Mustache template; the reason names the line.
    case malformed(template: String, reason: String)
    /// There is no file for this page, or for this partial of `template`.
    case missing(String, neededBy: String)
    /// The template names a variable that its page does not have.
    case unknownVariable(String, template: String)
    /// A tag that would put a value into the page without escaping it, or that picks a partial by a value.
    case unsafeTag(String, template: String)
  }

  private let library: MustacheLibrary
  private let assetVersion: String

  /// Reads every `.mustache` file in `directory` (not below it), and throws a `Failure` unless each page has its
  /// template, each template its partials, and each variable its property.
  /// - Parameter assetVersion: what `{{assetVersion}}` stands for, so that a changed asset has a new address.
  init(directory: String, assetVersion: String) throws {
    MustacheContentTypes.register(HTMLText(), named: HTMLText.name)
    var library = MustacheLibrary()
    var sources: [String: TemplateSource] = [:]
    let files: [String]
    do {
      files = try FileManager.default.contentsOfDirectory(atPath: directory)
    } catch {
      throw Failure.unreadable(directory)
    }
    for file in files.sorted() where file.hasSuffix(".mustache") && !file.hasPrefix(".") {
      let name = String(file.dropLast(".mustache".count))
      guard let data = FileManager.default.contents(atPath: directory + "/" + file),
        let text = String(validating: data, as: UTF8.self)
      else { throw Failure.unreadable(directory + "/" + file) }
      do {
        try library.register(HTMLText.pragma + text, named: name)
      } catch let error as MustacheTemplate.ParserError {
        throw Failure.malformed(
          template: name, reason: "line \(error.context.lineNumber - 1): \(error.error)")
      }
      sources[name] = try TemplateSource(text, name: name)
    }
    self.library = library
    self.assetVersion = assetVersion
    for page in Self.all { try Self.check(page.specimen, in: sources) }
  }

  /// Every page that can be shown.
  static let all: [any PublicPage.Type] = [
    HomePage.self, NotFoundPage.self, GonePage.self, PasswordPage.self, PreviewPage.self, ErrorPage.self,
    ResetPasswordPage.self, MessagePage.self, APIReferencePage.self, SubscribePage<WholePage>.self,
    SubscribePage<FramedPage>.self, ConfirmPage.self, UnsubscribePage.self, MailingPreviewPage.self,
  ]

  /// The page as a response: HTML in UTF-8, with the fields that keep it to itself.
  func render(_ page: some PublicPage) -> Response {
    var values = Self.values(of: page)
    values["assetVersion"] = assetVersion
    // The template is there: init throws where one of `all` has none. A page outside `all` shows nothing.
    let html = library.render(values, withTemplate: type(of: page).template) ?? ""
    return Response(status: page.status, headers: headers(of: page), body: .bytes(Array(html.utf8)))
  }

  private func headers<P: PublicPage>(of page: P) -> HTTPFields {
    var fields: HTTPFields = [
      .contentType: "text/html; charset=utf-8",
      .contentSecurityPolicy: P.policy.text,
      .xContentTypeOptions: "nosniff",
      .cacheControl: P.isPublic ? "public, max-age=300" : "private, no-store",
    ]
    func set(_ name: String, _ value: String) {
      if let name = HTTPField.Name(name) { fields[name] = value }
    }
    set("Referrer-Policy", "no-referrer")
    if !P.isFramable { set("X-Frame-Options", "DENY") }
    if !P.isPublic { set("X-Robots-Tag", "noindex") }
    if let seconds = page.retryAfterSeconds { fields[.retryAfter] = String(max(0, seconds)) }
    return fields
  }

  /// The stored properties that have a value, by name.
  private static func values(of page: some PublicPage) -> [String: Any] {
    var values: [String: Any] = [:]
    for case (let name?, let value) in Mirror(reflecting: page).children {
      let mirror = Mirror(reflecting: value)
      guard mirror.displayStyle == .optional else {
        values[name] = value
        continue
      }
      if let wrapped = mirror.children.first?.value { values[name] = wrapped }
    }
    return values
  }

  private static func check<P: PublicPage>(_ page: P, in sources: [String: TemplateSource]) throws {
    var known = Set(Mirror(reflecting: page).children.compactMap(\.label))
    known.insert("assetVersion")
    var seen: Set<String> = []
    var pending = [(name: P.template, neededBy: String(describing: P.self))]
    while let (name, neededBy) = pending.popLast() {
      guard seen.insert(name).inserted else { continue }
      guard let source = sources[name] else { throw Failure.missing(name, neededBy: neededBy) }
      if let variable = source.variables.subtracting(known).min() {
        throw Failure.unknownVariable(variable, template: name)
      }
      pending += source.partials.map { ($0, name) }
    }
  }
}

/// What the tags of one template name.
struct TemplateSource {
  private(set) var variables: Set<String> = []
  private(set) var partials: Set<String> = []

  /// Reads the tags of a template that is known to parse. Allowed are variables, sections, partials, blocks and
  /// comments; what escapes nothing or changes the delimiters throws `Pages.Failure.unsafeTag`.
  init(_ text: String, name: String) throws {
    for part in text.components(separatedBy: "{{").dropFirst() {
      guard let end = part.range(of: "}}") else { continue }
      let tag = part[..<end.lowerBound]
      let operand = tag.dropFirst().trimmingCharacters(in: .whitespaces)
      switch tag.first {
      case "!", "/", "$": break
      case "#", "^": variables.insert(operand)
      case ">", "<":
        guard !operand.hasPrefix("*") else {
          throw Pages.Failure.unsafeTag("{{\(tag)}}", template: name)
        }
        partials.insert(operand)
      case "{", "&", "=", "%": throw Pages.Failure.unsafeTag("{{\(tag)}}", template: name)
      default: variables.insert(tag.trimmingCharacters(in: .whitespaces))
      }
    }
    variables.remove(".")
  }
}

/// Text in HTML, escaped scalar by scalar.
///
/// Mustache's own escaping goes by `Character`, to which a quotation mark with a combining mark behind it is no
/// quotation mark; to a browser it is one, and ends the attribute.
struct HTMLText: MustacheContentType {
  static let name = "HTML-BY-SCALAR"
  /// The line before each template that has its values escaped here; a partial does not inherit it.
  static let pragma = "{{% CONTENT_TYPE: \(name)}}\n"

  func escapeText(_ text: String) -> String {
    var escaped = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      switch scalar {
      case "<": escaped += "&lt;".unicodeScalars
      case ">": escaped += "&gt;".unicodeScalars
      case "&": escaped += "&amp;".unicodeScalars
      case "\"": escaped += "&quot;".unicodeScalars
      case "'": escaped += "&#39;".unicodeScalars
      // Parsers replace or refuse it; a page never needs it.
      case "\0": escaped.append("\u{FFFD}")
      default: escaped.append(scalar)
      }
    }
    return String(escaped)
  }
}
