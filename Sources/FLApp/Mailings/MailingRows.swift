import FLCrypto
public import FLMariaDB
import FLValues

/// Every SQL statement about an account's mailings as such; those about their recipients are in `RecipientRows`.
struct MailingRows {
  let account: AccountID
  let queries: any Queries

  /// What a list is narrowed to.
  struct Filter {
    var search: String?
    var status: MailingStatus?
  }

  func find(_ id: MailingID) throws -> Mailing? {
    try queries.row(
      "SELECT \(Mailing.columns) FROM mailings m WHERE m.id = \(id) AND m.account_id = \(account)"
    ).map(Mailing.init)
  }

  /// The same, and the row stays locked for the transaction.
  func lock(_ id: MailingID) throws -> Mailing? {
    try queries.row(
      """
      SELECT \(Mailing.columns) FROM mailings m
      WHERE m.id = \(id) AND m.account_id = \(account) FOR UPDATE
      """
    ).map(Mailing.init)
  }

  /// The state of a mailing, which stays locked for the transaction; its bodies are not read.
  func lockStatus(_ id: MailingID) throws -> MailingStatus? {
    try queries.row("SELECT status FROM mailings WHERE id = \(id) AND account_id = \(account) FOR UPDATE")?[
      "status"]
  }

  /// Whether a mailing is in the same state as when it was read, and was put into the queue at the same time; then it
  /// stays so for the transaction.
  func holdAsItWas(_ mailing: Mailing) throws -> Bool {
    try queries.row(
      """
      SELECT 1 AS found FROM mailings WHERE id = \(mailing.id) AND account_id = \(account)
        AND status = \(mailing.status) AND queued_at <=> \(mailing.queuedAt) LOCK IN SHARE MODE
      """) != nil
  }

  /// Notes that groups and tags were looked at.
  func markPrepared(_ id: MailingID, at now: Timestamp) throws {
    _ = try queries.run(
      "UPDATE mailings SET prepared_at = \(now) WHERE id = \(id) AND account_id = \(account)")
  }

  func exists(_ id: MailingID) throws -> Bool {
    try queries.row("SELECT 1 AS found FROM mailings WHERE id = \(id) AND account_id = \(account)") != nil
  }

  /// Puts a new mailing in, with a mark that no other has.
  func insert(_ mailing: Mailing) throws -> Mailing {
    var mailing = mailing
    for attempt in 1... {
      do {
        try insertOnce(mailing)
        break
      } catch DatabaseError.duplicate(constraint: "mailings_mark") where attempt < 8 {
        mailing.mark = Mailing.randomMark()
      }
    }
    return mailing
  }

  private func insertOnce(_ mailing: Mailing) throws {
    let content = mailing.content
    _ = try queries.run(
      """
      INSERT INTO mailings (id, account_id, mark, subject, preview_text, html_body, text_body, from_name, from_email,
        reply_to, track_opens, track_clicks, status, scheduled_for, created_at, updated_at)
      VALUES (\(mailing.id), \(account), \(mailing.mark), \(content.subject), \(content.previewText),
        \(content.htmlBody), \(content.textBody), \(content.fromName), \(content.fromEmail), \(content.replyTo),
        \(content.trackOpens), \(content.trackClicks), \(mailing.status), \(mailing.scheduledFor),
        \(mailing.createdAt), \(mailing.updatedAt))
      """)
  }

  /// Writes what a mailing says.
  func update(_ id: MailingID, _ content: MailingContent, at now: Timestamp) throws {
    _ = try queries.run(
      """
      UPDATE mailings SET subject = \(content.subject), preview_text = \(content.previewText),
        html_body = \(content.htmlBody), text_body = \(content.textBody), from_name = \(content.fromName),
        from_email = \(content.fromEmail), reply_to = \(content.replyTo), track_opens = \(content.trackOpens),
        track_clicks = \(content.trackClicks), version = version + 1, updated_at = \(now)
      WHERE id = \(id) AND account_id = \(account)
      """)
  }

  /// Notes when a mailing is to begin.
  func schedule(_ id: MailingID, for time: Timestamp, at now: Timestamp) throws {
    _ = try queries.run(
      """
      UPDATE mailings SET scheduled_for = \(time), version = version + 1, updated_at = \(now)
      WHERE id = \(id) AND account_id = \(account)
      """)
  }

  /// Takes a mailing from one of the states `from` into the state `to`; false where it is in none of them. Why a sender
  /// had stopped it is over then.
  func move(
    _ id: MailingID, from: [MailingStatus], to status: MailingStatus, setting others: SQL = "id = id",
    at now: Timestamp
  ) throws -> Bool {
    try queries.run(
      """
      UPDATE mailings SET status = \(status), \(others), status_reason = NULL, version = version + 1,
        updated_at = \(now)
      WHERE id = \(id) AND account_id = \(account) AND status IN (\(from.map(\.rawValue)))
      """) == 1
  }

  /// Takes a mailing away, in a transaction. Of one that was ever queued it is kept what the messages need that may have
  /// gone out: whose it was, and where its links lead.
  func delete(_ id: MailingID, at now: Timestamp) throws {
    let sent: SQL = "m.id = \(id) AND m.account_id = \(account) AND m.queued_at IS NOT NULL"
    try queries.run(
      """
      INSERT IGNORE INTO deleted_mailings (mark, account_id, from_name, deleted_at)
      SELECT m.mark, m.account_id, m.from_name, \(now) FROM mailings m WHERE \(sent)
      """)
    try queries.run(
      """
      INSERT IGNORE INTO deleted_mailing_links (mark, position, url)
      SELECT m.mark, l.position, l.url FROM mailings m JOIN mailing_links l ON l.mailing_id = m.id WHERE \(sent)
      """)
    try queries.run("DELETE FROM mailings WHERE id = \(id) AND account_id = \(account)")
  }

  // MARK: Lists

  /// The bytes of bodies that a page holds, unless its first mailing alone has more: with limits of both a hundred
  /// mailings and a megabyte a body, a page could else have hundreds of them.
  private static let bytesOfPage = 8 << 20

  func count(_ filter: Filter) throws -> Int {
    try queries.row("SELECT COUNT(*) AS n FROM mailings m WHERE \(condition(filter))")?["n"] ?? 0
  }

  /// Up to `limit` mailings in `order`, those behind `cursor`; and whether there are more.
  func list(_ filter: Filter, _ order: MailingOrder, behind cursor: Cursor?, limit: Int) throws
    -> (mailings: [Mailing], more: Bool)
  {
    let rows = try queries.rows(
      """
      SELECT m.id, LENGTH(m.html_body) + COALESCE(LENGTH(m.text_body), 0) AS size FROM mailings m
      WHERE \(condition(filter)) AND \(order.condition(behind: cursor))
      ORDER BY \(order.columns) LIMIT \(limit + 1)
      """)
    let ids: [MailingID] = try Self.fitting(rows.prefix(limit))
    guard !ids.isEmpty else { return ([], false) }
    let mailings = try queries.rows(
      """
      SELECT \(Mailing.columns) FROM mailings m
      WHERE m.id IN (\(ids)) AND m.account_id = \(account) ORDER BY \(order.columns)
      """
    ).map(Mailing.init)
    return (mailings, ids.count < rows.count)
  }

  /// The ids of the first of `rows`, which have a `size`, as far as they fit into a page.
  static func fitting<Subject>(_ rows: some Sequence<Row>) throws -> [ID<Subject>] {
    var ids: [ID<Subject>] = []
    var bytes = 0
    for row in rows {
      bytes += try row["size"]
      if bytes > bytesOfPage && !ids.isEmpty { break }
      ids.append(try row["id"])
    }
    return ids
  }

  private func condition(_ filter: Filter) -> SQL {
    var conditions: [SQL] = ["m.account_id = \(account)"]
    if let search = filter.search {
      conditions.append("m.subject LIKE \("%" + search.escapedForLike + "%")")
    }
    if let status = filter.status { conditions.append("m.status = \(status)") }
    return conditions.joined(by: " AND ")
  }
}

extension Mailing {
  /// The columns of `mailings m` that a mailing is read from.
  public static let columns: SQL = """
    m.id, m.account_id, m.mark, m.subject, m.preview_text, m.html_body, m.text_body, m.from_name, m.from_email,
    m.reply_to, m.track_opens, m.track_clicks, m.status, m.scheduled_for, m.queued_at, m.started_at, m.finished_at,
    m.prepared_at, m.status_reason, m.version, m.created_at, m.updated_at
    """

  /// A mailing of a row with `columns`; its counts are not in it.
  /// - Throws: `DatabaseError`.
  public init(_ row: Row) throws {
    try self.init(
      id: row["id"], account: row["account_id"], mark: row["mark"], content: MailingContent(row),
      status: row["status"], scheduledFor: row["scheduled_for"], queuedAt: row["queued_at"],
      startedAt: row["started_at"], finishedAt: row["finished_at"], preparedAt: row["prepared_at"],
      statusReason: row["status_reason"], version: row["version"], createdAt: row["created_at"],
      updatedAt: row["updated_at"])
  }

  /// A mark that most likely no mailing has.
  static func randomMark() -> [UInt8] { SecureRandom.bytes(5) }
}

extension MailingContent {
  init(_ row: Row) throws {
    try self.init(
      subject: row["subject"], previewText: row["preview_text"], htmlBody: row["html_body"],
      textBody: row["text_body"], fromName: row["from_name"], fromEmail: row["from_email"],
      replyTo: row["reply_to"], trackOpens: row["track_opens"], trackClicks: row["track_clicks"])
  }
}

extension MailingOrder {
  fileprivate var columns: SQL {
    switch self {
    case .newest: "m.id DESC"
    case .oldest: "m.id"
    case .subject: "m.subject, m.id"
    }
  }

  fileprivate func condition(behind cursor: Cursor?) -> SQL {
    guard let cursor, let id: MailingID = cursor.id() else { return "TRUE" }
    switch self {
    case .newest: return "m.id < \(id)"
    case .oldest: return "m.id > \(id)"
    case .subject: return "(m.subject > \(cursor.value) OR (m.subject = \(cursor.value) AND m.id > \(id)))"
    }
  }
}
