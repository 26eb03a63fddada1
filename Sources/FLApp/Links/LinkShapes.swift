import FLHTTP
import FLValues

extension NewLink {
  static let shape = Shape<NewLink>(
    {
      destination, code, title, source, medium, campaign, term, content, tags, expiry, expired, most,
      password,
      forward, status, isEnabled, external in
      NewLink(
        destination: destination, shortCode: code, title: title,
        utm: UTM(source: source, medium: medium, campaign: campaign, term: term, content: content),
        tags: tags,
        expiresAt: expiry, expiredURL: expired, maxClicks: most, password: password, forwardQuery: forward,
        redirectStatus: status, isEnabled: isEnabled, externalID: external)
    },
    Field("destinationUrl", \.destination, Member.url), Field("shortCode", \.shortCode, Member.code),
    Field("title", \.title, Member.text), Field("utmSource", \.utm.source, Member.text),
    Field("utmMedium", \.utm.medium, Member.text), Field("utmCampaign", \.utm.campaign, Member.text),
    Field("utmTerm", \.utm.term, Member.text), Field("utmContent", \.utm.content, Member.text),
    Field("tags", \.tags, Member.tagsOrNone), Field("expiresAt", \.expiresAt, Member.time),
    Field("expiredUrl", \.expiredURL, Member.optionalURL), Field("maxClicks", \.maxClicks, Member.maxClicks),
    Field("password", \.password, Member.password), Field("forwardQuery", \.forwardQuery, Member.no),
    Field("redirectStatus", \.redirectStatus, Member.status), Field("isEnabled", \.isEnabled, Member.yes),
    Field("externalId", \.externalID, Member.text)
  ).named("NewLink")
}

extension LinkChanges {
  static let shape = Shape<LinkChanges>(
    LinkChanges.init(
      destination:shortCode:title:source:medium:campaign:term:content:tags:expiresAt:expiredURL:maxClicks:
      password:
      forwardQuery:redirectStatus:isEnabled:externalID:),
    Field("destinationUrl", \.destination, Member.maybeURL),
    Field("shortCode", \.shortCode, Member.maybeCode),
    Field("title", \.title, Member.textChange), Field("utmSource", \.source, Member.textChange),
    Field("utmMedium", \.medium, Member.textChange), Field("utmCampaign", \.campaign, Member.textChange),
    Field("utmTerm", \.term, Member.textChange), Field("utmContent", \.content, Member.textChange),
    Field("tags", \.tags, Member.tagsChange), Field("expiresAt", \.expiresAt, Member.timeChange),
    Field("expiredUrl", \.expiredURL, Member.urlChange),
    Field("maxClicks", \.maxClicks, Member.maxClicksChange),
    Field("password", \.password, Member.passwordChange),
    Field("forwardQuery", \.forwardQuery, Member.maybeBool),
    Field("redirectStatus", \.redirectStatus, Member.maybeStatus),
    Field("isEnabled", \.isEnabled, Member.maybeBool), Field("externalId", \.externalID, Member.textChange)
  ).named("LinkChanges")
}

/// The shapes of a link's members. Each has its type written out, for the compiler's sake: with seventeen of them
/// in one expression it would have to find the types of all at once.
private enum Member {
  static let url: Shape<WebURL> = .webURL
  static let optionalURL: Shape<WebURL?> = .optional(.webURL)
  static let code: Shape<ShortCode?> = .optional(.shortCode)
  static let text: Shape<String?> = .optional(.text(1...255))
  static let tags: Shape<[TagName]> = .list(of: .tagName, atMost: TagName.mostPerLink)
  static let tagsOrNone: Shape<[TagName]> = tags.defaulting(to: [])
  static let time: Shape<Timestamp?> = .optional(.timestamp)
  static let clicks: Shape<Int> = .integer(1...1_000_000_000)
  static let maxClicks: Shape<Int?> = .optional(clicks)
  static let password: Shape<String?> = .optional(.password)
  static let no: Shape<Bool> = Shape<Bool>.bool.defaulting(to: false)
  static let yes: Shape<Bool> = Shape<Bool>.bool.defaulting(to: true)
  static let status: Shape<RedirectStatus> = Shape<RedirectStatus>.redirectStatus.defaulting(to: .found)
  static let maybeURL: Shape<WebURL?> = .maybe(.webURL)
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
