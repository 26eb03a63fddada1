import FLHTTP
import FLMariaDB
import FLValues
import HTTPTypes

/// What a redirect needs to know of a link.
final class RedirectTarget: Sendable {
  let link: LinkID
  let account: AccountID
  let code: ShortCode
  let title: String?
  let createdAt: Timestamp
  let destination: Destination
  let isEnabled: Bool
  let expiresAt: Timestamp?
  let maxClicks: Int?
  let passwordHash: String?
  let expired: Response?
  /// The link's QR codes by the number of their mark.
  private let qrCodes: [Int: QRCodeID]
  private let utm: UTM
  private let forwardsQuery: Bool
  private let status: RedirectStatus

  /// Where the link leads.
  enum Destination: Sendable {
    /// An address, and the redirect of a visitor without a query.
    case url(WebURL, plain: Response)
    case file(FileID)
  }

  init(_ row: Row, qrCodes: [Int: QRCodeID] = [:]) throws {
    let expiredURL: String? = try row["expired_url"]
    self.qrCodes = qrCodes
    link = try row["id"]
    account = try row["account_id"]
    code = try ShortCode(stored: row["short_code"])
    title = try row["title"]
    createdAt = try row["created_at"]
    isEnabled = try row["is_enabled"]
    expiresAt = try row["expires_at"]
    maxClicks = try row["max_clicks"]
    passwordHash = try row["password_hash"]
    utm = try UTM(row)
    forwardsQuery = try row["forward_query"]
    status = RedirectStatus(rawValue: try row["redirect_status"]) ?? .found
    switch try LinkTarget(row) {
    case .file(let file): destination = .file(file)
    case .url(let text):
      guard let url = WebURL(text) else {
        throw DatabaseError.conversion(column: "destination_url", detail: "no address")
      }
      let plain = Self.redirect(status.rawValue, to: url.location(adding: utm.parameters))
      destination = .url(url, plain: plain)
    }
    expired = expiredURL.flatMap { WebURL($0) }.map { Self.redirect(302, to: $0.location()) }
  }

  /// Bytes that this takes in memory, estimated: the address is there as it was written, in parts, and encoded.
  var cost: Int {
    if case .url(let url, _) = destination {
      600 + 6 * url.text.utf8.count + 56 * qrCodes.count
    } else {
      600 + 56 * qrCodes.count
    }
  }

  /// The QR code with this mark; nil for a mark that no code of the link has.
  func qrCode(of mark: ScanMark?) -> QRCodeID? { mark.flatMap { qrCodes[$0.number] } }

  /// Where a visitor without a query is led.
  func location(of url: WebURL) -> String { url.location(adding: utm.parameters) }

  /// The redirect to `url` for a visitor who came with `query`; `plain` is the one without.
  func redirect(to url: WebURL, plain: Response, query: String?) -> Response {
    guard forwardsQuery, let query, !query.isEmpty else { return plain }
    // What the visitor brings goes before what the link has; the place it leads to is the link's own.
    let brought = QueryParameter.all(in: query)
    let names = Set(brought.map(\.name))
    let parameters = utm.parameters.filter { !names.contains($0.name) } + brought
    return Self.redirect(status.rawValue, to: url.location(adding: parameters))
  }

  private static func redirect(_ status: Int, to location: String) -> Response {
    Response(status: status, headers: [.location: location, .cacheControl: "private, no-store"])
  }
}

/// Every SQL statement of the redirect.
struct RedirectRows {
  let queries: any Queries

  /// How many QR codes of a link are known to its redirects, the newest ones.
  static let qrCodeLimit = 500

  /// The link that is at `code`, spelled just so.
  func find(_ code: ShortCode) throws -> RedirectTarget? {
    guard let row = try row(at: code) else { return nil }
    let count: Int = try row["qrcode_count"]
    return try RedirectTarget(row, qrCodes: count > 0 ? qrCodes(of: row["id"]) : [:])
  }

  private func qrCodes(of link: LinkID) throws -> [Int: QRCodeID] {
    var codes: [Int: QRCodeID] = [:]
    for row in try queries.rows(
      "SELECT mark, id FROM qrcodes WHERE link_id = \(link) ORDER BY mark DESC LIMIT \(Self.qrCodeLimit)")
    {
      codes[try row["mark"]] = try row["id"]
    }
    return codes
  }

  private func row(at code: ShortCode) throws -> Row? {
    try queries.row(
      """
      SELECT id, account_id, short_code, title, created_at, destination_url, file_id, is_enabled, expires_at, expired_url,
        max_clicks, password_hash, forward_query, redirect_status, utm_source, utm_medium, utm_campaign, utm_term,
        utm_content, qrcode_count
      FROM links WHERE short_code = \(code.text)
      """)
  }

  /// Lets one more visitor through a link with `maxClicks`; false when it is used up.
  func admit(_ link: LinkID) throws -> Bool {
    try queries.run(
      "UPDATE links SET admitted = admitted + 1 WHERE id = \(link) AND (max_clicks IS NULL OR admitted < max_clicks)"
    ) == 1
  }

  /// Whether a link with `maxClicks` lets nobody through any more.
  func isUsedUp(_ link: LinkID) throws -> Bool {
    try queries.row("SELECT 1 AS used FROM links WHERE id = \(link) AND admitted >= max_clicks") != nil
  }
}
