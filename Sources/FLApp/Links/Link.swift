import FLHTTP
import FLValues

/// The identifier of a link.
public typealias LinkID = ID<Link>

/// A short link.
public struct Link: Sendable {
  var id: LinkID
  var shortCode: ShortCode
  var target: LinkTarget
  var title: String?
  var utm: UTM
  var tags: [String]
  var expiresAt: Timestamp?
  var expiredURL: String?
  var maxClicks: Int?
  var passwordHash: String?
  var forwardQuery: Bool
  var redirectStatus: RedirectStatus
  var isEnabled: Bool
  var externalID: String?
  var clicks: Int
  var lastClickedAt: Timestamp?
  /// The oldest of the link's QR codes.
  var qrCode: QRCode?
  var version: Int
  var createdAt: Timestamp
  var updatedAt: Timestamp

  /// Tags and the QR code are part of the state: changing them changes links that are not written.
  var tag: EntityTag {
    var state = String(clicks)
    if !tags.isEmpty { state += "." + String(spread(tags.joined(separator: "\u{0}").utf8), radix: 36) }
    if let qrCode { state += ".q\(qrCode.mark).\(qrCode.version).\(qrCode.scans)" }
    return EntityTag(version: version, state: state)
  }

  /// How the API shows links whose short addresses begin with `baseURL`.
  static func shape(baseURL: String) -> Shape<Link> {
    .output(
      "Link",
      [
        .init("id", \.id, .id()), .init("shortCode", \.shortCode, .shortCode),
        .init("shortUrl", { "\(baseURL)/\($0.shortCode)" }, .string),
        .init("destinationUrl", \.target.url, .optional(.string)),
        .init("title", \.title, .optional(.string)),
        .init("utmSource", \.utm.source, .optional(.string)),
        .init("utmMedium", \.utm.medium, .optional(.string)),
        .init("utmCampaign", \.utm.campaign, .optional(.string)),
        .init("utmTerm", \.utm.term, .optional(.string)),
        .init("utmContent", \.utm.content, .optional(.string)), .init("tags", \.tags, .list(of: .string)),
        .init("expiresAt", \.expiresAt, .optional(.timestamp)),
        .init("expiredUrl", \.expiredURL, .optional(.string)),
        .init("maxClicks", \.maxClicks, .optional(.count)),
        .init("hasPassword", { $0.passwordHash != nil }, .bool),
        .init("forwardQuery", \.forwardQuery, .bool),
        .init("redirectStatus", \.redirectStatus, .redirectStatus), .init("isEnabled", \.isEnabled, .bool),
        .init("fileId", \.target.file, .optional(.id())),
        .init("externalId", \.externalID, .optional(.string)),
        .init("qrCode", \.qrCode, .optional(QRCode.shape(baseURL: baseURL))),
        .init("clicks", \.clicks, .count),
        .init("lastClickedAt", \.lastClickedAt, .optional(.timestamp)),
        .init("createdAt", \.createdAt, .timestamp),
        .init("updatedAt", \.updatedAt, .timestamp),
      ])
  }
}

/// The campaign parameters that are merged into a destination (as Google Analytics names them).
struct UTM: Sendable, Equatable {
  var source: String?
  var medium: String?
  var campaign: String?
  var term: String?
  var content: String?

  /// The query parameters of those that are set.
  var parameters: [QueryParameter] {
    let all = [
      ("utm_source", source), ("utm_medium", medium), ("utm_campaign", campaign), ("utm_term", term),
      ("utm_content", content),
    ]
    return all.compactMap { name, value in value.map { QueryParameter(name: name, value: $0) } }
  }
}

/// The status with which a visitor is sent on.
enum RedirectStatus: Int, Sendable, CaseIterable {
  case movedPermanently = 301
  case found = 302
  case temporary = 307
  case permanent = 308
}

/// A link that is to be made.
struct NewLink: Sendable {
  var target: LinkTarget
  var shortCode: ShortCode?
  var title: String?
  var utm: UTM
  var tags: [TagName]
  var expiresAt: Timestamp?
  var expiredURL: WebURL?
  var maxClicks: Int?
  var password: String?
  var forwardQuery: Bool
  var redirectStatus: RedirectStatus
  var isEnabled: Bool
  var externalID: String?
  var qrCode: QRCodeWish?
}

/// What is to be changed of a link (a merge patch).
struct LinkChanges: Sendable {
  var target: LinkTargetChange
  var shortCode: ShortCode?
  var title: Change<String>
  var source: Change<String>
  var medium: Change<String>
  var campaign: Change<String>
  var term: Change<String>
  var content: Change<String>
  var tags: Change<[TagName]>
  var expiresAt: Change<Timestamp>
  var expiredURL: Change<WebURL>
  var maxClicks: Change<Int>
  var password: Change<String>
  var forwardQuery: Bool?
  var redirectStatus: RedirectStatus?
  var isEnabled: Bool?
  var externalID: Change<String>
}

extension Link {
  /// This link with `changes` made to it; tags and password are for whoever calls.
  func changed(by changes: LinkChanges) -> Link {
    var link = self
    link.target = changes.target.target ?? target
    link.shortCode = changes.shortCode ?? shortCode
    link.title = changes.title.applied(to: title)
    link.utm = UTM(
      source: changes.source.applied(to: utm.source), medium: changes.medium.applied(to: utm.medium),
      campaign: changes.campaign.applied(to: utm.campaign), term: changes.term.applied(to: utm.term),
      content: changes.content.applied(to: utm.content))
    link.expiresAt = changes.expiresAt.applied(to: expiresAt)
    link.expiredURL = changes.expiredURL.map(\.text).applied(to: expiredURL)
    link.maxClicks = changes.maxClicks.applied(to: maxClicks)
    link.forwardQuery = changes.forwardQuery ?? forwardQuery
    link.redirectStatus = changes.redirectStatus ?? redirectStatus
    link.isEnabled = changes.isEnabled ?? isEnabled
    link.externalID = changes.externalID.applied(to: externalID)
    return link
  }

  /// A link as it is first, still without a generated code and without tags.
  init(_ new: NewLink, passwordHash: String?, at now: Timestamp) {
    self.init(
      id: LinkID(at: now), shortCode: new.shortCode ?? ShortCode(stored: ""),
      target: new.target,
      title: new.title, utm: new.utm, tags: [], expiresAt: new.expiresAt, expiredURL: new.expiredURL?.text,
      maxClicks: new.maxClicks, passwordHash: passwordHash, forwardQuery: new.forwardQuery,
      redirectStatus: new.redirectStatus, isEnabled: new.isEnabled, externalID: new.externalID, clicks: 0,
      lastClickedAt: nil, qrCode: nil, version: 1, createdAt: now, updatedAt: now)
  }
}
