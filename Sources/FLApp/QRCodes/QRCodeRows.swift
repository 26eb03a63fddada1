import FLHTTP
import FLMariaDB
import FLQRCode
import FLValues

/// Every SQL statement about an account's QR codes.
struct QRCodeRows {
  let account: AccountID
  let queries: any Queries

  private static let columns: SQL = """
    q.id, q.link_id, q.owns_link, q.mark, q.title, q.foreground_color, q.background_color, q.is_transparent,
    q.logo_file_id, q.logo_size, q.error_correction, q.margin, q.module_shape, q.caption, q.version, q.created_at,
    q.updated_at, l.short_code, l.destination_url, l.version AS link_version, t.clicks AS scans
    """
  /// The totals of clicks are also kept by QR code.
  private static let tables: SQL = """
    qrcodes q JOIN links l ON l.id = q.link_id LEFT JOIN link_click_totals t ON t.link_id = q.id
    """

  /// What a list is narrowed to.
  struct Filter {
    var search: String?
    var link: LinkID?
  }

  func find(_ id: QRCodeID) throws -> QRCode? {
    try queries.row(
      "SELECT \(Self.columns) FROM \(Self.tables) WHERE q.id = \(id) AND q.account_id = \(account)"
    ).map(QRCode.init)
  }

  /// The first code of each of these links that has one.
  func first(of links: [LinkID]) throws -> [LinkID: QRCode] {
    guard !links.isEmpty else { return [:] }
    let rows = try queries.rows(
      """
      SELECT \(Self.columns) FROM \(Self.tables)
      WHERE q.account_id = \(account) AND q.link_id IN (\(links))
        AND q.mark = (SELECT MIN(f.mark) FROM qrcodes f WHERE f.link_id = q.link_id)
      """)
    return try rows.reduce(into: [:]) { codes, row in
      let code = try QRCode(row)
      codes[code.linkID] = code
    }
  }

  /// Gives the next mark of a link, and counts the code with it; nil where the account has no such link.
  func takeMark(of link: LinkID, at now: Timestamp) throws -> Int? {
    let found = try queries.run(
      """
      UPDATE links SET last_qrcode_mark = last_qrcode_mark + 1, qrcode_count = qrcode_count + 1,
        version = version + 1, updated_at = \(now)
      WHERE id = \(link) AND account_id = \(account)
      """)
    guard found == 1 else { return nil }
    return try queries.row("SELECT last_qrcode_mark AS mark FROM links WHERE id = \(link)")?["mark"]
  }

  func insert(
    _ id: QRCodeID, of link: LinkID, ownsLink: Bool, mark: Int, title: String?, _ look: QRLook,
    at now: Timestamp
  ) throws {
    let style = look.style
    _ = try queries.run(
      """
      INSERT INTO qrcodes (id, account_id, link_id, owns_link, mark, title, foreground_color, background_color,
        is_transparent, logo_file_id, logo_size, error_correction, margin, module_shape, caption, created_at,
        updated_at)
      VALUES (\(id), \(account), \(link), \(ownsLink), \(mark), \(title), \(style.foreground.description),
        \(style.background.description), \(style.isTransparent), \(look.logoFileID), \(style.logoSize),
        \(look.correction.rawValue), \(style.margin), \(style.shape.rawValue), \(style.caption), \(now), \(now))
      """)
  }

  func update(_ id: QRCodeID, title: String?, _ look: QRLook, at now: Timestamp) throws {
    let style = look.style
    _ = try queries.run(
      """
      UPDATE qrcodes SET title = \(title), foreground_color = \(style.foreground.description),
        background_color = \(style.background.description), is_transparent = \(style.isTransparent),
        logo_file_id = \(look.logoFileID), logo_size = \(style.logoSize),
        error_correction = \(look.correction.rawValue), margin = \(style.margin),
        module_shape = \(style.shape.rawValue), caption = \(style.caption), version = version + 1,
        updated_at = \(now)
      WHERE id = \(id) AND account_id = \(account)
      """)
  }

  /// Takes a code from a link that stays.
  func delete(_ code: QRCode, at now: Timestamp) throws {
    _ = try queries.run("DELETE FROM qrcodes WHERE id = \(code.id) AND account_id = \(account)")
    _ = try queries.run(
      """
      UPDATE links SET qrcode_count = qrcode_count - 1, version = version + 1, updated_at = \(now)
      WHERE id = \(code.linkID) AND account_id = \(account)
      """)
  }

  func count(_ filter: Filter) throws -> Int {
    try queries.row(
      "SELECT COUNT(*) AS n FROM qrcodes q JOIN links l ON l.id = q.link_id WHERE \(condition(filter))"
    )?["n"] ?? 0
  }

  /// Codes behind `last`, the newest first.
  func list(_ filter: Filter, behind last: QRCodeID?, limit: Int) throws -> [QRCode] {
    let place: SQL = last.map { "q.id < \($0)" } ?? "TRUE"
    return try queries.rows(
      """
      SELECT \(Self.columns) FROM \(Self.tables) WHERE \(condition(filter)) AND \(place)
      ORDER BY q.id DESC LIMIT \(limit)
      """
    ).map(QRCode.init)
  }

  private func condition(_ filter: Filter) -> SQL {
    var conditions: [SQL] = ["q.account_id = \(account)"]
    if let search = filter.search {
      let pattern = "%" + search.escapedForLike + "%"
      conditions.append(
        """
        (q.title LIKE \(pattern) OR q.caption LIKE \(pattern) OR l.destination_url LIKE \(pattern)
         OR CONVERT(l.short_code USING utf8mb4) LIKE \(pattern))
        """)
    }
    if let link = filter.link { conditions.append("q.link_id = \(link)") }
    return conditions.joined(by: " AND ")
  }
}

extension QRCode {
  init(_ row: Row) throws {
    let scans: Int? = try row["scans"]
    let look = try QRLook(row)
    try self.init(
      id: row["id"], title: row["title"], linkID: row["link_id"], ownsLink: row["owns_link"],
      mark: row["mark"],
      shortCode: ShortCode(stored: row["short_code"]), destination: row["destination_url"], look: look,
      scans: scans ?? 0, version: row["version"], linkVersion: row["link_version"],
      createdAt: row["created_at"], updatedAt: row["updated_at"])
  }
}

extension QRLook {
  fileprivate init(_ row: Row) throws {
    let usual = QRStyle()
    style = try QRStyle(
      foreground: QRColor(row["foreground_color"]) ?? usual.foreground,
      background: QRColor(row["background_color"]) ?? usual.background, isTransparent: row["is_transparent"],
      margin: row["margin"], shape: QRModuleShape(rawValue: row["module_shape"]) ?? .square,
      caption: row["caption"], logoSize: row["logo_size"])
    correction = try QRCorrection(rawValue: row["error_correction"]) ?? .medium
    logoFileID = try row["logo_file_id"]
  }
}
