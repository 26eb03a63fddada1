import FLHTTP
public import FLMail
import FLMariaDB
import FLValues
import HTTPTypes

/// A mailing as one contact would get it, or somebody made up.
struct MailingPreview: Sendable {
  let subject: String
  let previewText: String?
  /// Empty where the mailing has none.
  let html: String
  let text: String
  /// `Name <address>`.
  let from: String
  /// Who it is written for.
  let to: String

  /// In which form it is answered.
  enum Format: String, Sendable, CaseIterable {
    /// All of it in JSON.
    case json
    /// A page to look at.
    case page
    /// The HTML by itself.
    case html
  }

  static let shape = Shape<MailingPreview>.output(
    "MailingPreview",
    [
      .init("subject", \.subject, .string), .init("previewText", \.previewText, .optional(.string)),
      .init("html", \.html, .string), .init("text", \.text, .string), .init("from", \.from, .string),
      .init("to", \.to, .string),
    ])

  /// What `content` becomes with `values`, from the address `from`.
  /// - Throws: `Problem` 422 where it has placeholders that are none.
  init(_ content: MailingContent, _ values: PlaceholderValues, from: String) throws {
    do throws(PlaceholderText.Failure) {
      let body = HTMLBody(content.htmlBody)
      subject = try PlaceholderText(content.subject, in: .header).rendered(values)
      previewText = try content.previewText.map { text throws(PlaceholderText.Failure) in
        try PlaceholderText(text, in: .header).rendered(values)
      }
      html =
        content.hasHTML
        ? try body.compiled(previewText: content.previewText, isTracked: { _ in false }).text.rendered(values)
        : ""
      text = try PlaceholderText(content.textBody ?? body.plainText, in: .text).rendered(values)
    } catch {
      throw Problem.invalid(error.problems.map { FieldProblem("htmlBody", $0.code, $0.description) })
    }
    self.from = from
    to = values.email ?? ""
  }

  /// The preview in one of its forms.
  func response(_ format: Format, pages: Pages) -> Response {
    switch format {
    case .json:
      return Response(
        status: 200, headers: [.contentType: "application/json", .cacheControl: "private, no-store"],
        body: .bytes(Self.shape.bytes(self)))
    case .page: return pages.render(MailingPreviewPage(self))
    case .html:
      var headers: HTTPFields = [
        .contentType: "text/html; charset=utf-8", .cacheControl: "private, no-store",
        .contentSecurityPolicy:
          "sandbox; default-src 'none'; img-src https: data:; style-src 'unsafe-inline'; "
          + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        .xContentTypeOptions: "nosniff",
      ]
      for (name, value) in [
        ("Referrer-Policy", "no-referrer"), ("X-Frame-Options", "DENY"), ("X-Robots-Tag", "noindex"),
      ] {
        if let name = HTTPField.Name(name) { headers[name] = value }
      }
      return Response(status: 200, headers: headers, body: .bytes(Array(html.utf8)))
    }
  }
}

extension PlaceholderValues {
  /// The values of nobody in particular, for previews and tests without a contact; mail goes to `email`.
  public static func sample(email: String = "alex.morgan@example.org", unsubscribeURL: String)
    -> PlaceholderValues
  {
    PlaceholderValues(
      name: "Alex Morgan", email: email, firstName: "Alex", lastName: "Morgan", company: "Example Ltd",
      unsubscribeURL: unsubscribeURL)
  }
}

/// A mailing as it looks: subject and sender, the HTML in a frame that runs nothing, and the plain text.
struct MailingPreviewPage: PublicPage {
  let subject: String
  let previewText: String?
  let from: String
  let to: String
  /// The HTML, which is put into an attribute; nil where there is none.
  let html: String?
  let text: String
  /// How long the HTML is, in words.
  let size: String

  /// The page of a preview.
  init(_ preview: MailingPreview) {
    subject = preview.subject
    previewText = preview.previewText
    from = preview.from
    to = preview.to
    html = preview.html.isEmpty ? nil : preview.html
    text = preview.text
    let bytes = preview.html.utf8.count
    size = bytes < 1024 ? "\(bytes) bytes" : "\((bytes + 512) / 1024) KB"
  }

  private init(specimen html: String) {
    (subject, previewText, from, to) = (
      "Spring news", "What is new", "Anna <anna@example.org>", "b@example.org"
    )
    (self.html, text, size) = (html, "Hello", "1 KB")
  }

  static let template = "mailing-preview"
  /// The message's frame (`srcdoc`) is held to the page's policy as well as to its sandbox: pictures by https and
  /// styles are what a message has, and nothing else loads or runs.
  static let policy = ContentPolicy(
    text: """
      default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' https: data:; font-src 'self'; \
      frame-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'
      """)
  static var specimen: MailingPreviewPage { MailingPreviewPage(specimen: "<p>Hello</p>") }
}
