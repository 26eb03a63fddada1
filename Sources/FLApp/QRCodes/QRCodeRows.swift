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
    q.updated_at, l.short_code, l.destination_url, l.file_id, l.version AS link_version, t.clicks, t.last_clicked_at
    """
  private static let tables: SQL = """
    qrcodes q JOIN links l ON l.id = q.link_id LEFT JOIN link_click_totals t ON t.link_id = q.id
    """

  /// What a list is narrowed to.
  struct Filter {
    var search: String?
    var linkID: LinkID?
  }

  func find(_ id: QRCodeID) throws -> QRCode? {
    try queries.row(
      "SELECT \(Self.columns) FROM \(Self.tables) WHERE q.id = \(id) AND q.account_id = \(account)"
    ).map(QRCode.init)
  }

  /// The same, and the link and the code stay locked for the transaction. The link comes first, as wherever both
  /// are changed.
  func lock(_ id: QRCodeID) throws -> QRCode? {
    guard let code = try find(id), try LinkRows(account: account, queries: queries).lock(code.linkID) != nil,
      try queries.row("SELECT id FROM qrcodes WHERE id = \(id) AND account_id = \(account) FOR UPDATE") != nil
    else { return nil }
    return try find(id)
  }

  /// The oldest code of each of `links`, of those that have one.
  func first(of links: [LinkID]) throws -> [LinkID: QRCode] {
    guard !links.isEmpty else { return [:] }
    let rows = try queries.rows(
      """
      SELECT \(Self.columns) FROM \(Self.tables)
      WHERE q.link_id IN (\(links)) AND q.account_id = \(account)
        AND q.mark = (SELECT MIN(o.mark) FROM qrcodes o WHERE o.link_id = q.link_id)
      """)
    return try rows.reduce(into: [:]) { codes, row in
      let code = try QRCode(row)
      codes[code.linkID] = code
    }
  }

  /// Takes the next mark of a link, which must be locked, and counts the code that will have it.
  func takeMark(of link: LinkID) throws -> Int {
    _ = try queries.run(
      """
      UPDATE links SET last_qrcode_mark = last_qrcode_mark + 1, qrcode_count = qrcode_count + 1
      WHERE id = \(link) AND account_id = \(account)
      """)
    return try queries.row(
      "SELECT last_qrcode_mark AS mark FROM links WHERE id = \(link) AND account_id = \(account)"
    ).map { try $0["mark"] } ?? 0
  }

  func insert(_ code: QRCode) throws {
    _ = try queries.run(
      """
      INSERT INTO qrcodes (id, account_id, link_id, owns_link, mark, title, foreground_color, background_color,
        is_transparent, logo_file_id, logo_size, error_correction, margin, module_shape, caption, created_at, updated_at)
      VALUES (\(code.id), \(account), \(code.linkID), \(code.ownsLink), \(code.mark), \(code.title),
        \(code.look.foreground.description), \(code.look.background.description), \(code.look.isTransparent),
        \(code.look.logoFileID), \(code.look.logoSize), \(code.look.errorCorrection.rawValue), \(code.look.margin),
        \(code.look.moduleShape.rawValue), \(code.look.caption), \(code.createdAt), \(code.updatedAt))
      """)
  }

  func update(_ code: QRCode, at now: Timestamp) throws {
    _ = try queries.run(
      """
      UPDATE qrcodes SET title = \(code.title), foreground_color = \(code.look.foreground.description),
        background_color = \(code.look.background.description), is_transparent = \(code.look.isTransparent),
        logo_file_id = \(code.look.logoFileID), logo_size = \(code.look.logoSize),
        error_correction = \(code.look.errorCorrection.rawValue), margin = \(code.look.margin),
        module_shape = \(code.look.moduleShape.rawValue), caption = \(code.look.caption), version = version + 1,
        updated_at = \(now)
      WHERE id = \(code.id) AND account_id = \(account)
      """)
  }

  /// Takes a code from its link, which must be locked.
  func delete(_ code: QRCode) throws {
    _ = try queries.run("DELETE FROM qrcodes WHERE id = \(code.id) AND account_id = \(account)")
    _ = try queries.run(
      """
      UPDATE links SET qrcode_count = (SELECT COUNT(*) FROM qrcodes q WHERE q.link_id = links.id)
      WHERE id = \(code.linkID) AND account_id = \(account)
      """)
  }

  func count(_ filter: Filter) throws -> Int {
    try queries.row(
      "SELECT COUNT(*) AS n FROM qrcodes q JOIN links l ON l.id = q.link_id WHERE \(condition(filter))")?["n"]
      ?? 0
  }

  /// Codes, the newest first, those behind `cursor`.
  func list(_ filter: Filter, behind cursor: Cursor?, limit: Int) throws -> [QRCode] {
    var conditions = condition(filter)
    if let cursor {
      let id: QRCodeID? = cursor.id()
      conditions = [conditions, "q.id < \(id)"].joined(by: " AND ")
    }
    return try queries.rows(
      "SELECT \(Self.columns) FROM \(Self.tables) WHERE \(conditions) ORDER BY q.id DESC LIMIT \(limit)"
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
    if let link = filter.linkID { conditions.append("q.link_id = \(link)") }
    return conditions.joined(by: " AND ")
  }
}

extension QRCode {
  init(_ row: Row) throws {
    let scans: Int? = try row["clicks"]
    try self.init(
      id: row["id"], linkID: row["link_id"], ownsLink: row["owns_link"], mark: row["mark"],
      title: row["title"],
      look: QRCodeLook(row), version: row["version"], createdAt: row["created_at"],
      updatedAt: row["updated_at"], shortCode: ShortCode(stored: row["short_code"]), target: LinkTarget(row),
      linkVersion: row["link_version"], scans: scans ?? 0, lastScannedAt: row["last_clicked_at"])
  }
}

extension QRCodeLook {
  init(_ row: Row) throws {
    let (foreground, background): (String, String) = (
      try row["foreground_color"], try row["background_color"]
    )
    guard let foreground = QRColor(foreground), let background = QRColor(background),
      let correction = QRCorrection(rawValue: try row["error_correction"]),
      let shape = QRModuleShape(rawValue: try row["module_shape"])
    else { throw DatabaseError.conversion(column: "foreground_color", detail: "no look of a QR code") }
    try self.init(
      foreground: foreground, background: background, isTransparent: row["is_transparent"],
      logoFileID: row["logo_file_id"], logoSize: row["logo_size"], errorCorrection: correction,
      margin: row["margin"], moduleShape: shape, caption: row["caption"])
  }
}
