public import FLHTTP
public import FLValues
import HTTPTypes

/// What a request to a short URL tells of the visit.
public struct Visit: Sendable {
  /// The client's address. It goes into the visitor's digest, and sealed into the spool, and nowhere else.
  public let address: String
  /// The User-Agent header, empty without one.
  public let userAgent: String
  /// The Referer header, empty without one.
  public let referrer: String
  /// The Accept-Language header, empty without one.
  public let acceptLanguage: String
  /// The query without the mark of a scan: what may be forwarded; nil without one.
  public let query: String?
  /// The mark of the QR code that was scanned; nil for who came by the short URL itself.
  let mark: ScanMark?
  /// What the query says of a campaign.
  public let campaign: Campaign
  /// Whether a program made the request by itself.
  public let isBot: Bool
  /// Whether the browser fetches ahead what nobody has asked for yet (`Sec-Purpose: prefetch`, and the older
  /// `Purpose` and `X-Moz`).
  public let isPrefetch: Bool
  /// Whether only the header of the response is asked for.
  public let isHead: Bool
  /// Whether a part of a file is asked for that is not its beginning (`Range`, RFC 9110, section 14.2): a download
  /// goes on.
  let isContinuation: Bool

  /// Reads a request.
  public init(_ request: Request) {
    address = request.clientAddress
    userAgent = request.headers[.userAgent] ?? ""
    referrer = request.headers[.referer] ?? ""
    acceptLanguage = request.headers[.acceptLanguage] ?? ""
    (mark, query) = request.query.map { ScanMark.take(from: $0) } ?? (nil, nil)
    campaign = request.query.map { Campaign(query: $0) } ?? Campaign()
    isBot = UserAgent.isBot(userAgent)
    isPrefetch = Self.purposes.contains { name in
      request.headers[name].map { Self.saysPrefetch($0) } ?? false
    }
    isHead = request.method == .head
    isContinuation =
      request.headers[.range].map { !$0.replacing(" ", with: "").hasPrefix("bytes=0-") } ?? false
  }

  /// Whether a click is recorded: not for HEAD, nor for what is fetched ahead.
  public var isRecorded: Bool { !isHead && !isPrefetch }

  /// Whether the visit uses up one of a link's `maxClicks`: what is recorded, except for bots.
  public var usesClick: Bool { isRecorded && !isBot }

  /// The record for the spool. `qrCode` is the code of the mark, where the link has one.
  public func record(
    of linkID: LinkID, account: AccountID, qrCode: QRCodeID? = nil, salts: ClickSalts, at: Timestamp = .now
  ) -> ClickRecord {
    let id = ID<Click>(at: at)
    return ClickRecord(
      id: id, linkID: linkID, accountID: account, at: at,
      visitor: salts.visitor(linkID: linkID, address: address, userAgent: userAgent, at: at), isBot: isBot,
      source: mark == nil ? .click : .scan, qrCodeID: qrCode,
      address: salts.sealed(address, of: id, at: at), userAgent: userAgent, referrer: referrer,
      acceptLanguage: acceptLanguage,
      campaign: campaign)
  }

  private static let purposes: [HTTPField.Name] = ["Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"]
    .compactMap { HTTPField.Name($0) }

  /// Whether the value's first item is `prefetch`, alone or with parameters; `preview` is Safari's word.
  private static func saysPrefetch(_ value: String) -> Bool {
    let word = value.utf8.prefix(32).prefix { $0 != 59 && $0 != 44 && $0 != 32 }
    let lower = word.map { (65...90).contains($0) ? $0 + 32 : $0 }
    return lower.elementsEqual("prefetch".utf8) || lower.elementsEqual("preview".utf8)
  }
}
