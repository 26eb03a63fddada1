import FLMariaDB
import FLValues

/// Every SQL statement about an account's links.
struct LinkRows {
  let account: AccountID
  let queries: any Queries

  private static let columns: SQL = """
    l.id, l.short_code, l.destination_url, l.file_id, l.title, l.utm_source, l.utm_medium, l.utm_campaign, l.utm_term,
    l.utm_content, l.expires_at, l.expired_url, l.max_clicks, l.password_hash, l.forward_query, l.redirect_status,
    l.is_enabled, l.external_id, l.version, l.created_at, l.updated_at, l.tag_count, l.qrcode_count,
    t.clicks, t.last_clicked_at
    """
  private static let tables: SQL = "links l LEFT JOIN link_click_totals t ON t.link_id = l.id"

  /// What a list is narrowed to.
  struct Filter {
    var search: String?
    var tag: String?
    var isEnabled: Bool?
    var externalID: String?
    var fileID: FileID?
  }

  func find(_ id: LinkID) throws -> Link? {
    let rows = try queries.rows(
      "SELECT \(Self.columns) FROM \(Self.tables) WHERE l.id = \(id) AND l.account_id = \(account)")
    return try links(rows).first
  }

  /// The same, and the row stays locked for the transaction.
  func lock(_ id: LinkID) throws -> Link? {
    guard
      try queries.row("SELECT id FROM links WHERE id = \(id) AND account_id = \(account) FOR UPDATE") != nil
    else { return nil }
    return try find(id)
  }

  func exists(_ id: LinkID) throws -> Bool {
    try queries.row("SELECT 1 AS found FROM links WHERE id = \(id) AND account_id = \(account)") != nil
  }

  func insert(_ link: Link) throws {
    _ = try queries.run(
      """
      INSERT INTO links (id, account_id, short_code, destination_url, file_id, title, utm_source, utm_medium, utm_campaign,
        utm_term, utm_content, expires_at, expired_url, max_clicks, password_hash, forward_query, redirect_status,
        is_enabled, external_id, created_at, updated_at)
      VALUES (\(link.id), \(account), \(link.shortCode.text), \(link.target.url), \(link.target.file), \(link.title),
        \(link.utm.source), \(link.utm.medium), \(link.utm.campaign), \(link.utm.term), \(link.utm.content),
        \(link.expiresAt), \(link.expiredURL), \(link.maxClicks), \(link.passwordHash), \(link.forwardQuery),
        \(link.redirectStatus.rawValue), \(link.isEnabled), \(link.externalID), \(link.createdAt), \(link.updatedAt))
      """)
  }

  /// Writes all of a link. Where `maxClicks` is set anew, the clicks that were before count against it.
  func update(_ link: Link, at now: Timestamp) throws {
    _ = try queries.run(
      """
      UPDATE links SET
        admitted = IF(max_clicks IS NULL,
          COALESCE((SELECT t.clicks FROM link_click_totals t WHERE t.link_id = links.id), 0), admitted),
        short_code = \(link.shortCode.text), destination_url = \(link.target.url),
        file_id = \(link.target.file), title = \(link.title),
        utm_source = \(link.utm.source), utm_medium = \(link.utm.medium), utm_campaign = \(link.utm.campaign),
        utm_term = \(link.utm.term), utm_content = \(link.utm.content), expires_at = \(link.expiresAt),
        expired_url = \(link.expiredURL), max_clicks = \(link.maxClicks),
        password_hash = \(link.passwordHash), forward_query = \(link.forwardQuery),
        redirect_status = \(link.redirectStatus.rawValue), is_enabled = \(link.isEnabled),
        external_id = \(link.externalID), version = version + 1, updated_at = \(now)
      WHERE id = \(link.id) AND account_id = \(account)
      """)
  }

  /// Counts a change of what belongs to a link.
  func touch(_ id: LinkID, at now: Timestamp) throws {
    _ = try queries.run(
      "UPDATE links SET version = version + 1, updated_at = \(now) WHERE id = \(id) AND account_id = \(account)"
    )
  }

  func delete(_ id: LinkID) throws {
    _ = try queries.run("DELETE FROM links WHERE id = \(id) AND account_id = \(account)")
  }

  func count(_ filter: Filter) throws -> Int {
    try queries.row("SELECT COUNT(*) AS n FROM links l WHERE \(condition(filter))")?["n"] ?? 0
  }

  /// Links in `order`, those behind `cursor`.
  func list(_ filter: Filter, _ order: LinkOrder, behind cursor: Cursor?, limit: Int) throws -> [Link] {
    let rows = try queries.rows(
      """
      SELECT \(Self.columns) FROM \(Self.tables)
      WHERE \(condition(filter)) AND \(order.condition(behind: cursor))
      ORDER BY \(order.columns) LIMIT \(limit)
      """)
    return try links(rows)
  }

  /// The links of these rows; their tags and QR codes are looked for only where there are some.
  private func links(_ rows: [Row]) throws -> [Link] {
    let tagged = try rows.filter { try $0["tag_count"] > 0 }.map { row -> LinkID in try row["id"] }
    let tags = try TagRows(account: account, queries: queries).names(of: tagged)
    let coded = try rows.filter { try $0["qrcode_count"] > 0 }.map { row -> LinkID in try row["id"] }
    let codes = try QRCodeRows(account: account, queries: queries).first(of: coded)
    return try rows.map { row in
      let id: LinkID = try row["id"]
      return try Link(row, tags: tags[id] ?? [], qrCode: codes[id])
    }
  }

  private func condition(_ filter: Filter) -> SQL {
    var conditions: [SQL] = ["l.account_id = \(account)"]
    if let search = filter.search {
      let pattern = "%" + search.escapedForLike + "%"
      // The code's own column is ASCII, which can't be compared with every text, and minds case.
      conditions.append(
        """
        (l.title LIKE \(pattern) OR l.destination_url LIKE \(pattern)
         OR CONVERT(l.short_code USING utf8mb4) LIKE \(pattern))
        """)
    }
    if let tag = filter.tag {
      conditions.append(
        """
        EXISTS (SELECT 1 FROM link_tags lt JOIN tags g ON g.id = lt.tag_id
                WHERE lt.link_id = l.id AND g.account_id = \(account) AND g.name = \(tag))
        """)
    }
    if let isEnabled = filter.isEnabled { conditions.append("l.is_enabled = \(isEnabled)") }
    if let externalID = filter.externalID { conditions.append("l.external_id = \(externalID)") }
    if let file = filter.fileID { conditions.append("l.file_id = \(file)") }
    return conditions.joined(by: " AND ")
  }
}

extension Link {
  init(_ row: Row, tags: [String], qrCode: QRCode?) throws {
    let clicks: Int? = try row["clicks"]
    try self.init(
      id: row["id"], shortCode: ShortCode(stored: row["short_code"]), target: LinkTarget(row),
      title: row["title"],
      utm: UTM(row), tags: tags,
      expiresAt: row["expires_at"],
      expiredURL: row["expired_url"], maxClicks: row["max_clicks"],
      passwordHash: row["password_hash"],
      forwardQuery: row["forward_query"],
      redirectStatus: RedirectStatus(rawValue: row["redirect_status"]) ?? .found,
      isEnabled: row["is_enabled"], externalID: row["external_id"], clicks: clicks ?? 0,
      lastClickedAt: row["last_clicked_at"], qrCode: qrCode, version: row["version"],
      createdAt: row["created_at"],
      updatedAt: row["updated_at"])
  }
}

extension LinkTarget {
  init(_ row: Row) throws {
    let url: String? = try row["destination_url"]
    self = if let url { .url(url) } else { .file(try row["file_id"]) }
  }
}

extension UTM {
  init(_ row: Row) throws {
    try self.init(
      source: row["utm_source"], medium: row["utm_medium"], campaign: row["utm_campaign"],
      term: row["utm_term"],
      content: row["utm_content"])
  }
}

/// The orders in which links are listed; `-` is downwards.
enum LinkOrder: String, Sendable, CaseIterable {
  case newest = "-createdAt"
  case oldest = "createdAt"
  case lastChanged = "-updatedAt"
  case shortCode = "shortCode"
  case mostClicked = "-clicks"

  /// What stands in a cursor for a link.
  func value(of link: Link) -> String {
    switch self {
    case .newest, .oldest: ""
    case .lastChanged: String(link.updatedAt.microseconds)
    case .shortCode: link.shortCode.text
    case .mostClicked: String(link.clicks)
    }
  }

  /// Whether a cursor can have come from this order; the database need not be asked with another.
  func accepts(_ cursor: Cursor) -> Bool {
    guard cursor.order == rawValue else { return false }
    switch self {
    case .newest, .oldest: return cursor.value.isEmpty
    case .lastChanged:
      return Int64(cursor.value).map { (1...9999).contains(Timestamp(microseconds: $0).civil.year) } ?? false
    case .shortCode: return ShortCode(cursor.value) != nil
    case .mostClicked: return Int(cursor.value) != nil
    }
  }

  fileprivate var columns: SQL {
    switch self {
    case .newest: "l.id DESC"
    case .oldest: "l.id"
    case .lastChanged: "l.updated_at DESC, l.id DESC"
    case .shortCode: "l.short_code, l.id"
    case .mostClicked: "COALESCE(t.clicks, 0) DESC, l.id DESC"
    }
  }

  fileprivate func condition(behind cursor: Cursor?) -> SQL {
    guard let cursor, let id: LinkID = cursor.id() else { return "TRUE" }
    switch self {
    case .newest: return "l.id < \(id)"
    case .oldest: return "l.id > \(id)"
    case .lastChanged:
      let time = Timestamp(microseconds: Int64(cursor.value) ?? 0)
      return "(l.updated_at < \(time) OR (l.updated_at = \(time) AND l.id < \(id)))"
    case .shortCode:
      return "(l.short_code > \(cursor.value) OR (l.short_code = \(cursor.value) AND l.id > \(id)))"
    case .mostClicked:
      let clicks = Int(cursor.value) ?? 0
      return "(COALESCE(t.clicks, 0) < \(clicks) OR (COALESCE(t.clicks, 0) = \(clicks) AND l.id < \(id)))"
    }
  }
}

extension String {
  /// This text as a pattern of LIKE that matches just it.
  var escapedForLike: String {
    // By scalars: with a combining mark behind it a sign is another `Character`, and the same sign to LIKE.
    unicodeScalars.reduce(into: "") { text, scalar in
      if "%_\\".unicodeScalars.contains(scalar) { text += "\\" }
      text.unicodeScalars.append(scalar)
    }
  }
}
