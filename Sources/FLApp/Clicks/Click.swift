public import FLValues

/// How a visitor came to the short URL.
public enum ClickSource: UInt8, Sendable, CaseIterable {
  /// The short URL itself.
  case click = 1
  /// The short URL with the mark that a QR code carries.
  case scan = 2
  /// A resolution through the API.
  case api = 3
  /// A link in a mailing.
  case mailing = 4

  /// The word of the wire form and of the statistics.
  public var name: String {
    switch self {
    case .click: "click"
    case .scan: "scan"
    case .api: "api"
    case .mailing: "mailing"
    }
  }
}

/// The campaign parameters (`utm_…`) of a query, each at most 190 bytes of UTF-8 and never empty.
public struct Campaign: Hashable, Sendable {
  /// `utm_source`.
  public var source: String?
  /// `utm_medium`.
  public var medium: String?
  /// `utm_campaign`.
  public var name: String?
  /// `utm_term`.
  public var term: String?
  /// `utm_content`.
  public var content: String?

  /// No campaign.
  public init() {}

  /// Reads the parameters of a query as it was sent (`application/x-www-form-urlencoded`), the first of each
  /// name; only the first 8 KiB are looked at. Anything else in it is passed over.
  public init(query: String) {
    guard query.utf8.count >= 5 else { return }
    for pair in query.utf8.prefix(8192).split(separator: UInt8(ascii: "&"))
    where pair.starts(with: "utm_".utf8) {
      let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, let value = Self.value(parts[1]) else { continue }
      switch String(Substring(parts[0])) {
      case "utm_source" where source == nil: source = value
      case "utm_medium" where medium == nil: medium = value
      case "utm_campaign" where name == nil: name = value
      case "utm_term" where term == nil: term = value
      case "utm_content" where content == nil: content = value
      default: break
      }
    }
  }

  /// A decoded value without control characters and outer spaces, cut to 190 bytes; nil when nothing is left.
  private static func value(_ encoded: some Sequence<UInt8>) -> String? {
    func digit(_ byte: UInt8) -> UInt8? {
      switch byte {
      case 48...57: byte - 48
      case 65...70: byte - 55
      case 97...102: byte - 87
      default: nil
      }
    }
    let encoded = Array(encoded)
    var bytes: [UInt8] = []
    var index = 0
    while index < encoded.count {
      var byte = encoded[index]
      if byte == UInt8(ascii: "+") {
        byte = UInt8(ascii: " ")
      } else if byte == UInt8(ascii: "%"), index + 2 < encoded.count, let high = digit(encoded[index + 1]),
        let low = digit(encoded[index + 2])
      {
        byte = high << 4 | low
        index += 2
      }
      index += 1
      if byte >= 32, byte != 127 { bytes.append(byte) }
    }
    let first = bytes.firstIndex { $0 != 32 } ?? bytes.endIndex
    let last = bytes.lastIndex { $0 != 32 } ?? first
    guard first < bytes.endIndex else { return nil }
    return String(decoding: bytes[first...last], as: UTF8.self).cut(toBytes: ClickLimits.text)
  }
}

/// How long the texts of a click may be.
enum ClickLimits {
  /// Bytes of a text in the database (`VARCHAR(190)`), which keeps every key inside InnoDB's limit.
  static let text = 190
  /// Bytes of a User-Agent that are looked at and kept in the spool.
  static let userAgent = 512
  /// Bytes of a Referer that are kept in the spool; only its host is used.
  static let referrer = 512
  /// Bytes of an Accept-Language that are kept in the spool; only its first tag is used.
  static let acceptLanguage = 64
}

/// One redirect that was answered, classified, as a row of `clicks`.
public struct Click: Hashable, Sendable {
  /// Made at the redirect; sorts by time.
  public var id: ID<Click>
  /// The link that was followed.
  public var linkID: LinkID
  /// The account that owned it then.
  public var accountID: AccountID
  /// When the redirect was answered.
  public var at: Timestamp
  /// A digest salted anew each day; the same for two clicks only when they were on the same link, on the same
  /// UTC day, from the same address and User-Agent.
  public var visitor: UInt64
  /// Whether a program made the request by itself.
  public var isBot: Bool
  /// Whether it was the first click of this visitor on this link on this UTC day (never for a bot). Known when
  /// the click is loaded.
  public var isUnique: Bool
  /// How the visitor came.
  public var source: ClickSource
  /// The QR code that was scanned, where that is known.
  public var qrCodeID: QRCodeID?
  /// The browser's name; nil when it is not known.
  public var browser: String?
  /// The operating system's name; nil when it is not known.
  public var system: String?
  /// The kind of device.
  public var device: UserAgent.Device
  /// The host of the page that led here, in lower case, without `www.` and port.
  public var referrerHost: String?
  /// The preferred language, its primary subtag (RFC 5646) in lower case.
  public var language: String?
  /// What the visitor's own query said of a campaign.
  public var campaign: Campaign
  /// ISO 3166-1 alpha-2; nil when it is not known.
  public var country: String?
  /// The city's name; nil when it is not known.
  public var city: String?
}

extension Click {
  /// The click that a spool's record tells of, from a place that its address told.
  init(_ record: ClickRecord, from place: ClickPlace = .unknown) {
    let agent = UserAgent(record.userAgent)
    id = record.id
    linkID = record.linkID
    accountID = record.accountID
    at = record.at
    visitor = record.visitor
    isBot = record.isBot
    isUnique = false
    source = record.source
    qrCodeID = record.qrCodeID
    browser = agent.browser
    system = agent.system
    device = record.isBot ? .bot : agent.device
    referrerHost = Click.referrerHost(record.referrer)
    language = Click.language(record.acceptLanguage)
    campaign = record.campaign
    country = place.country
    city = place.city
  }

  /// The host of a Referer: lower-case, without user, port and a leading `www.`; nil when there is none that
  /// could be a host (RFC 3986, section 3.2.2, without percent-encoding).
  static func referrerHost(_ referrer: String) -> String? {
    let bytes = Array(referrer.utf8)
    guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")), colon > 0,
      bytes[colon...].starts(with: "://".utf8)
    else { return nil }
    var authority = bytes[(colon + 3)...].prefix { $0 != 47 && $0 != 63 && $0 != 35 && $0 != 92 }
    if let at = authority.lastIndex(of: UInt8(ascii: "@")) { authority = authority[(at + 1)...] }
    if authority.first == UInt8(ascii: "["), let end = authority.firstIndex(of: UInt8(ascii: "]")) {
      authority = authority[...end]
    } else if let port = authority.firstIndex(of: UInt8(ascii: ":")) {
      authority = authority[..<port]
    }
    var host: [UInt8] = []
    host.reserveCapacity(authority.count)
    for byte in authority {
      switch byte {
      case 65...90: host.append(byte + 32)
      case 97...122, 48...57, 45, 46, 58, 91, 93, 95: host.append(byte)
      default: return nil
      }
    }
    if host.starts(with: "www.".utf8) { host.removeFirst(4) }
    if host.last == UInt8(ascii: ".") { host.removeLast() }
    guard (1...ClickLimits.text).contains(host.count) else { return nil }
    return String(decoding: host, as: UTF8.self)
  }

  /// The primary subtag of the first language of an Accept-Language: two to eight letters, lower-case.
  static func language(_ accepted: String) -> String? {
    var tag: [UInt8] = []
    for byte in accepted.utf8.drop(while: { $0 == 32 }).prefix(9) {
      guard case 97...122 = byte | 32 else {
        guard byte == 45 || byte == 44 || byte == 59 || byte == 32 || byte == 95 else { return nil }
        break
      }
      tag.append(byte | 32)
    }
    return (2...8).contains(tag.count) ? String(decoding: tag, as: UTF8.self) : nil
  }
}
