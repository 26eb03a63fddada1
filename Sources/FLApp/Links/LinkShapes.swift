import FLHTTP
import FLValues

extension NewLink {
  static let shape = Draft.shape.map(
    to: { draft, reading in
      guard let target = LinkTarget(url: draft.destination, file: draft.file, &reading) else { return nil }
      var link = draft.link
      link.target = target
      return link
    },
    from: { Draft(destination: $0.target.url.flatMap { WebURL($0) }, file: $0.target.file, link: $0) })

  /// A link whose target is still to be checked.
  private struct Draft: Sendable {
    let destination: WebURL?
    let file: FileID?
    /// All but the target.
    let link: NewLink

    static let shape = Shape<Draft>(
      {
        destination, file, code, title, source, medium, campaign, term, content, tags, expiry, expired, most,
        password, forward, status, isEnabled, external, qrCode in
        Draft(
          destination: destination, file: file,
          link: NewLink(
            target: .url(""), shortCode: code, title: title,
            utm: UTM(source: source, medium: medium, campaign: campaign, term: term, content: content),
            tags: tags, expiresAt: expiry, expiredURL: expired, maxClicks: most, password: password,
            forwardQuery: forward, redirectStatus: status, isEnabled: isEnabled, externalID: external,
            qrCode: qrCode))
      },
      Field("destinationUrl", \.destination, Member.destination), Field("fileId", \.file, Member.file),
      Field("shortCode", \.link.shortCode, Member.code), Field("title", \.link.title, Member.text),
      Field("utmSource", \.link.utm.source, Member.text), Field("utmMedium", \.link.utm.medium, Member.text),
      Field("utmCampaign", \.link.utm.campaign, Member.text), Field("utmTerm", \.link.utm.term, Member.text),
      Field("utmContent", \.link.utm.content, Member.text), Field("tags", \.link.tags, Member.tagsOrNone),
      Field("expiresAt", \.link.expiresAt, Member.time),
      Field("expiredUrl", \.link.expiredURL, Member.optionalURL),
      Field("maxClicks", \.link.maxClicks, Member.maxClicks),
      Field("password", \.link.password, Member.password),
      Field("forwardQuery", \.link.forwardQuery, Member.no),
      Field("redirectStatus", \.link.redirectStatus, Member.status),
      Field("isEnabled", \.link.isEnabled, Member.yes), Field("externalId", \.link.externalID, Member.text),
      Field("qrCode", \.link.qrCode, Member.qrCode)
    ).named("NewLink")
  }
}

extension LinkChanges {
  static let shape = Draft.shape.map(
    to: { draft, reading in
      guard let target = LinkTargetChange(url: draft.destination, file: draft.file, &reading) else {
        return nil
      }
      var changes = draft.changes
      changes.target = target
      return changes
    },
    from: { Draft(destination: .keep, file: .keep, changes: $0) })

  /// Changes of which those of the target are still to be checked.
  private struct Draft: Sendable {
    let destination: Change<WebURL>
    let file: Change<FileID>
    /// All but those of the target.
    let changes: LinkChanges

    static let shape = Shape<Draft>(
      {
        destination, file, code, title, source, medium, campaign, term, content, tags, expiry, expired, most,
        password, forward, status, isEnabled, external in
        Draft(
          destination: destination, file: file,
          changes: LinkChanges(
            target: .none, shortCode: code, title: title, source: source, medium: medium, campaign: campaign,
            term: term, content: content, tags: tags, expiresAt: expiry, expiredURL: expired, maxClicks: most,
            password: password, forwardQuery: forward, redirectStatus: status, isEnabled: isEnabled,
            externalID: external))
      },
      Field("destinationUrl", \.destination, Member.urlChange), Field("fileId", \.file, Member.fileChange),
      Field("shortCode", \.changes.shortCode, Member.maybeCode),
      Field("title", \.changes.title, Member.textChange),
      Field("utmSource", \.changes.source, Member.textChange),
      Field("utmMedium", \.changes.medium, Member.textChange),
      Field("utmCampaign", \.changes.campaign, Member.textChange),
      Field("utmTerm", \.changes.term, Member.textChange),
      Field("utmContent", \.changes.content, Member.textChange),
      Field("tags", \.changes.tags, Member.tagsChange),
      Field("expiresAt", \.changes.expiresAt, Member.timeChange),
      Field("expiredUrl", \.changes.expiredURL, Member.urlChange),
      Field("maxClicks", \.changes.maxClicks, Member.maxClicksChange),
      Field("password", \.changes.password, Member.passwordChange),
      Field("forwardQuery", \.changes.forwardQuery, Member.maybeBool),
      Field("redirectStatus", \.changes.redirectStatus, Member.maybeStatus),
      Field("isEnabled", \.changes.isEnabled, Member.maybeBool),
      Field("externalId", \.changes.externalID, Member.textChange)
    ).named("LinkChanges")
  }
}

/// The shapes of a link's members. Each has its type written out, for the compiler's sake: with seventeen of them
/// in one expression it would have to find the types of all at once.
private enum Member {
  static let destination: Shape<WebURL?> = Shape<WebURL?>.optional(.webURL).described(
    "Where the link leads; just one of this and fileId.")
  static let file: Shape<FileID?> = Shape<FileID?>.optional(.id()).described(
    "The file of the account that following the link downloads. A key needs the scope files:read as well.")
  static let fileChange: Shape<Change<FileID>> = .change(.id())
  static let qrCode: Shape<QRCodeWish?> = Shape<QRCodeWish??>.optional(QRCodeWish.nested).map(
    to: { wish, _ in .some(wish.flatMap { $0 }) }, from: { wish in wish.map { .some($0) } }
  ).defaulting(to: nil).described("With `enabled`, a QR code is made along with the link.")
  static let optionalURL: Shape<WebURL?> = .optional(.webURL)
  static let code: Shape<ShortCode?> = .optional(.shortCode)
  static let text: Shape<String?> = .optional(.text(1...255))
  static let tags: Shape<[TagName]> = .list(of: .tagName, atMost: TagName.most)
  static let tagsOrNone: Shape<[TagName]> = tags.defaulting(to: [])
  static let time: Shape<Timestamp?> = .optional(.timestamp)
  static let clicks: Shape<Int> = .integer(1...1_000_000_000)
  static let maxClicks: Shape<Int?> = .optional(clicks)
  static let password: Shape<String?> = .optional(.password)
  static let no: Shape<Bool> = Shape<Bool>.bool.defaulting(to: false)
  static let yes: Shape<Bool> = Shape<Bool>.bool.defaulting(to: true)
  static let status: Shape<RedirectStatus> = Shape<RedirectStatus>.redirectStatus.defaulting(to: .found)
  static let maybeCode: Shape<ShortCode?> = .maybe(.shortCode)
  static let maybeBool: Shape<Bool?> = .maybe(.bool)
  static let maybeStatus: Shape<RedirectStatus?> = .maybe(.redirectStatus)
  static let textChange: Shape<Change<String>> = .change(.text(1...255))
  static let tagsChange: Shape<Change<[TagName]>> = .change(tags)
  static let timeChange: Shape<Change<Timestamp>> = .change(.timestamp)
  static let urlChange: Shape<Change<WebURL>> = .change(.webURL)
  static let maxClicksChange: Shape<Change<Int>> = .change(clicks)
  static let passwordChange: Shape<Change<String>> = .change(.password)
}

extension Shape where Value == RedirectStatus {
  static var redirectStatus: Shape {
    Shape(
      schema: Schema(["type": "integer", "enum": [301, 302, 307, 308]]),
      read: { json, reading in
        guard let status = json.integer.flatMap({ RedirectStatus(rawValue: Int($0)) }) else {
          reading.refuse("invalid_choice", "This must be 301, 302, 307 or 308.")
          return nil
        }
        return status
      },
      write: { $1.integer($0.rawValue) })
  }
}
