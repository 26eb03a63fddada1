/// The front page: what this instance is, and where its API is described.
struct HomePage: PublicPage {
  /// Where the instance is reached, without a slash at the end: `https://go.example`.
  let baseUrl: String
  /// The host of `baseUrl`, with its port where it has one.
  let host: String
  /// The version of FastLinkIt.
  let version: String
  /// The address of the API reference.
  let apiDocsUrl: String
  /// The address of the OpenAPI document.
  let openapiUrl: String
  /// The address of the health check.
  let healthUrl: String

  /// The front page of the instance at `baseUrl`.
  init(
    baseUrl: String, version: String, apiDocsUrl: String = "/scalar/v1",
    openapiUrl: String = "/openapi/v1.json", healthUrl: String = "/health"
  ) {
    self.baseUrl = baseUrl.hasSuffix("/") ? String(baseUrl.dropLast()) : baseUrl
    host = WebAddress.authority(of: baseUrl) ?? baseUrl
    self.version = version
    self.apiDocsUrl = apiDocsUrl
    self.openapiUrl = openapiUrl
    self.healthUrl = healthUrl
  }

  static let template = "home"
  static let isPublic = true
  static var specimen: HomePage { HomePage(baseUrl: "https://go.example", version: "1.0.0") }
}

/// 404: there is no short link of this code.
struct NotFoundPage: PublicPage {
  /// The code asked for; nil where the address was none.
  let shortCode: String?

  /// The page for an address that leads nowhere.
  init(shortCode: String? = nil) { self.shortCode = shortCode }

  static let template = "not-found"
  var status: Int { 404 }
  static var specimen: NotFoundPage { NotFoundPage(shortCode: "k7WmQ2x") }
}

/// 410: there is such a link, and it leads nowhere any more.
struct GonePage: PublicPage {
  /// Why a link does not work.
  enum Reason: Sendable, CaseIterable {
    /// Past its date.
    case expired
    /// All its clicks are used.
    case usedUp
    /// Its owner switched it off.
    case disabled
  }

  let isExpired: Bool
  let isUsedUp: Bool
  let isDisabled: Bool
  /// The link's title; nil where it has none.
  let title: String?

  /// The page for a link that does not work for this reason.
  init(reason: Reason, title: String? = nil) {
    isExpired = reason == .expired
    isUsedUp = reason == .usedUp
    isDisabled = reason == .disabled
    self.title = title.flatMap { $0.isEmpty ? nil : $0 }
  }

  static let template = "gone"
  var status: Int { 410 }
  static var specimen: GonePage { GonePage(reason: .expired, title: "Summer fair") }
}

/// The form that asks for a link's password: 200, 401 after a wrong one, 429 after too many.
struct PasswordPage: PublicPage {
  /// How far this visitor has come.
  enum State: Sendable, Equatable {
    /// Nothing was entered yet.
    case asking
    /// What was entered is not the password.
    case wrong
    /// No attempt is taken for so many seconds.
    case throttled(retryAfterSeconds: Int)
  }

  /// Where the form is posted, with one field, `password`: the path of the short link.
  let action: String
  let isWrong: Bool
  let isThrottled: Bool
  let wait: String?
  let retryAfterSeconds: Int?

  /// The form for the link at the path `action`.
  init(action: String, state: State = .asking) {
    self.action = action
    isWrong = state == .wrong
    if case .throttled(let seconds) = state {
      retryAfterSeconds = max(1, seconds)
    } else {
      retryAfterSeconds = nil
    }
    isThrottled = retryAfterSeconds != nil
    wait = retryAfterSeconds.map(Wait.words(forSeconds:))
  }

  static let template = "password"
  // The right password is answered with a redirect to the link's destination, on any host.
  static let policy = ContentPolicy.formLeadingOut
  var status: Int { isThrottled ? 429 : isWrong ? 401 : 200 }
  static var specimen: PasswordPage { PasswordPage(action: "/k7WmQ2x", state: .wrong) }
}

/// Where a short link leads, without going there (`GET /{shortCode}+`).
struct PreviewPage: PublicPage {
  /// The short link.
  let shortUrl: String
  /// The address that is shown; nil behind a password.
  let destinationUrl: String?
  /// The host of that address; nil behind a password.
  let destinationHost: String?
  /// The name of the file that the link downloads; nil where it leads to an address, and behind a password.
  let fileName: String?
  /// The file's type and size in words.
  let fileDetails: String?
  /// The address to click; nil unless it is http or https, and where the link itself leads nowhere any more.
  let destinationHref: String?
  /// The short link to click; nil unless it is http or https.
  let continueHref: String?
  /// The link's title; nil where it has none, and behind a password.
  let title: String?
  /// When the link was made, in words.
  let createdAt: String
  /// Whether the destination is kept from those without the password.
  let isPasswordProtected: Bool
  /// Whether the link would redirect now.
  let isAvailable: Bool

  /// What a link leads to, as the preview shows it.
  enum Destination: Sendable {
    case url(String)
    case file(name: String, details: String)
  }

  /// The preview of a link. Behind a password, neither destination nor title reach the template.
  init(
    shortUrl: String, destination: Destination, title: String? = nil, createdAt: String,
    isPasswordProtected: Bool = false, isAvailable: Bool = true
  ) {
    var url: String?
    var file: (name: String, details: String)?
    if !isPasswordProtected {
      switch destination {
      case .url(let address): url = address
      case .file(let name, let details): file = (name, details)
      }
    }
    self.shortUrl = shortUrl
    destinationUrl = url
    destinationHost = url.map { WebAddress.authority(of: $0) ?? "an unusual address" }
    destinationHref = isAvailable ? url.flatMap(WebAddress.href(_:)) : nil
    fileName = file?.name
    fileDetails = file?.details
    continueHref = WebAddress.href(shortUrl)
    self.title = isPasswordProtected ? nil : title.flatMap { $0.isEmpty ? nil : $0 }
    self.createdAt = createdAt
    self.isPasswordProtected = isPasswordProtected
    self.isAvailable = isAvailable
  }

  static let template = "preview"
  static var specimen: PreviewPage {
    PreviewPage(
      shortUrl: "https://go.example/k7WmQ2x",
      destination: .url("https://example.org/fair?from=post#tickets"),
      title: "Summer fair", createdAt: "3 May 2026")
  }
}

/// An error in a human's words: 400, 405, 413, 429, 500, 503 and the like.
struct ErrorPage: PublicPage {
  /// 400 to 599.
  let status: Int
  /// One line, without a full stop.
  let heading: String
  /// What the visitor may do.
  let message: String
  /// The request's id, by which the log line is found.
  let requestId: String
  let retryAfterSeconds: Int?
  let wait: String?

  /// The page for an error of this status; heading and message are made from the status unless given.
  init(
    status: Int, heading: String? = nil, message: String? = nil, requestId: String,
    retryAfterSeconds: Int? = nil
  ) {
    let words = Self.words(for: status)
    self.status = status
    self.heading = heading ?? words.heading
    self.message = message ?? words.message
    self.requestId = requestId
    self.retryAfterSeconds = retryAfterSeconds.map { max(1, $0) }
    wait = self.retryAfterSeconds.map(Wait.words(forSeconds:))
  }

  private static func words(for status: Int) -> (heading: String, message: String) {
    switch status {
    case 403: ("This is not open to you", "The server understood what was asked, and does not allow it.")
    case 404: ("There is nothing here", "No page is behind this address. Check the spelling.")
    case 405: ("That cannot be done here", "The page is there, but it does not take this kind of request.")
    case 413: ("That is too big", "What was sent is larger than the server takes. Send something smaller.")
    case 429: ("That was a little too fast", "Too many requests came from your address. Wait, then go on.")
    case 503:
      (
        "Back in a moment",
        "The server cannot answer just now. Nothing is lost: the same will work again later."
      )
    case 500...:
      ("Something broke on our side", "It is not your fault. It has been noted and can be looked into.")
    default:
      ("The server did not understand that", "The request was incomplete or malformed. Go back, try again.")
    }
  }

  static let template = "error"
  static var specimen: ErrorPage {
    ErrorPage(status: 503, requestId: "019a", retryAfterSeconds: 30)
  }
}

/// The page that a mail about a forgotten password leads to.
struct ResetPasswordPage: PublicPage {
  /// How far the visitor has come.
  enum State: Sendable, Equatable {
    /// The form, with what was wrong with the password entered last.
    case form(errors: [String] = [])
    /// The password is changed.
    case done
    /// The token is unknown, used or too old: 410.
    case invalid
  }

  /// Where the form is posted, with the fields `token` and `newPassword`.
  let action: String
  /// The token of the mail; empty once it is of no more use.
  let token: String
  let isForm: Bool
  let isDone: Bool
  let isInvalid: Bool
  let hasErrors: Bool
  let errors: [String]

  /// The page for one state; the token is in the page only while the form is.
  init(action: String, token: String, state: State = .form()) {
    if case .form(let errors) = state { self.errors = errors } else { errors = [] }
    isDone = state == .done
    isInvalid = state == .invalid
    isForm = !isDone && !isInvalid
    hasErrors = !errors.isEmpty
    self.action = action
    self.token = isForm ? token : ""
  }

  static let template = "reset-password"
  var status: Int { isInvalid ? 410 : hasErrors ? 422 : 200 }
  static var specimen: ResetPasswordPage {
    ResetPasswordPage(action: "/account/reset", token: "t", state: .form(errors: ["Too short."]))
  }
}

/// A heading and a few words: an address is confirmed, a mail is on its way.
struct MessagePage: PublicPage {
  /// How the words are meant.
  enum Tone: Sendable, CaseIterable {
    /// It worked.
    case success
    /// For information.
    case neutral
    /// It did not work.
    case problem
  }

  /// One line, without a full stop.
  let heading: String
  /// A sentence or two.
  let message: String
  let status: Int
  let isSuccess: Bool
  let isNeutral: Bool
  let isProblem: Bool

  /// The page with these words.
  init(heading: String, message: String, tone: Tone = .neutral, status: Int = 200) {
    self.heading = heading
    self.message = message
    self.status = status
    isSuccess = tone == .success
    isNeutral = tone == .neutral
    isProblem = tone == .problem
  }

  static let template = "message"
  static var specimen: MessagePage { MessagePage(heading: "Confirmed", message: "Welcome.") }
}

/// The API reference at `/scalar/v1`: Scalar, which reads `/openapi/v1.json`.
struct APIReferencePage: PublicPage {
  /// The document's address, for those without JavaScript; the script has its own.
  let openapiUrl: String

  /// The page.
  init(openapiUrl: String = "/openapi/v1.json") { self.openapiUrl = openapiUrl }

  static let template = "scalar"
  static let policy = ContentPolicy.apiReference
  static var specimen: APIReferencePage { APIReferencePage() }
}
