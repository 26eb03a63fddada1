import FLMariaDB
import FLValues

/// The statements that put clicks into the database, and clear away what is only needed meanwhile.
enum ClickLoading {
  /// How many rows go into one statement. Few sizes, so that the statements stay prepared.
  private static let chunkSizes = [256, 32, 4, 1]

  /// Runs `statement` on pieces of `rows` of the fixed sizes, in order.
  private static func inChunks<Element>(
    _ rows: [Element], _ statement: (ArraySlice<Element>) throws -> Void
  ) rethrows {
    var start = 0
    for size in chunkSizes {
      while rows.count - start >= size {
        try statement(rows[start..<start + size])
        start += size
      }
    }
  }

  // MARK: Positions

  /// How far the spool is loaded; 0 for one that is new.
  static func position(of spool: ID<SpoolFile>, on database: some Queries) throws -> Int {
    try database.row("SELECT position FROM click_spools WHERE id = \(spool)").map { try $0["position"] } ?? 0
  }

  /// The same, and nobody else changes it before the transaction's end. The row is made first: a lock on a row
  /// that is not there is a lock on a gap, over which two loaders deadlock.
  static func lockPosition(
    of spool: ID<SpoolFile>, isNew: Bool, now: Timestamp, on connection: some Queries
  ) throws -> Int {
    if isNew {
      try connection.run(
        """
        INSERT INTO click_spools (id, position, updated_at) VALUES (\(spool), 0, \(now))
        ON DUPLICATE KEY UPDATE id = id
        """)
    }
    return try connection.row("SELECT position FROM click_spools WHERE id = \(spool) FOR UPDATE")
      .map { try $0["position"] } ?? 0
  }

  /// Moves on. The position must be locked.
  static func move(_ spool: ID<SpoolFile>, to position: Int, now: Timestamp, on connection: some Queries)
    throws
  {
    try connection.run(
      """
      INSERT INTO click_spools (id, position, updated_at) VALUES (\(spool), \(position), \(now))
      ON DUPLICATE KEY UPDATE position = VALUES(position), updated_at = VALUES(updated_at)
      """)
  }

  /// Forgets a spool that will never be loaded again.
  static func forget(_ spool: ID<SpoolFile>, on database: some Queries) throws {
    try database.run("DELETE FROM click_spools WHERE id = \(spool)")
  }

  // MARK: Visitors

  /// A visitor of a link or of a QR code on a day; the column `link_id` has the bytes of either.
  struct VisitorKey: Hashable, Comparable {
    var day: Timestamp
    var subject: ID<ClickTally>
    var visitor: Int64

    static func < (left: Self, right: Self) -> Bool {
      if left.day != right.day { return left.day < right.day }
      if left.subject != right.subject { return left.subject < right.subject }
      return left.visitor < right.visitor
    }
  }

  /// Notes visitors, given in order, and answers those that nobody noted before. Who comes second to one that
  /// another transaction has noted waits for its end.
  static func insertVisitors(_ keys: [VisitorKey], on connection: some Queries) throws -> Set<VisitorKey> {
    var new: Set<VisitorKey> = []
    try inChunks(keys) { chunk in
      let values = chunk.map { "(\($0.day), \($0.subject), \($0.visitor))" as SQL }.joined(by: ", ")
      let rows = try connection.rows(
        "INSERT IGNORE INTO click_visitors (day, link_id, visitor) VALUES \(values) RETURNING day, link_id, visitor"
      )
      for row in rows {
        new.insert(VisitorKey(day: try row[0], subject: try row[1], visitor: try row[2]))
      }
    }
    return new
  }

  // MARK: Clicks and sums

  static func insertClicks(_ clicks: [Click], on connection: some Queries) throws {
    try inChunks(clicks) { chunk in
      let values = chunk.map { click in
        """
        (\(click.id), \(click.linkID), \(click.accountID), \(click.at), \(Int64(bitPattern: click.visitor)), \
        \(click.isBot), \(click.isUnique), \(Int(click.source.rawValue)), \(click.qrCodeID), \
        \(Int(click.device.rawValue)), \
        \(click.browser), \(click.system), \(click.referrerHost), \(click.language), \(click.country), \
        \(click.city), \(click.campaign.source), \(click.campaign.medium), \(click.campaign.name), \
        \(click.campaign.term), \(click.campaign.content))
        """ as SQL
      }.joined(by: ", ")
      try connection.run(
        """
        INSERT INTO clicks (id, link_id, account_id, at, visitor, is_bot, is_unique, source, qrcode_id, device, \
        browser, system, referrer_host, language, country, city, utm_source, utm_medium, utm_campaign, utm_term, \
        utm_content) VALUES \(values)
        """)
    }
  }

  /// The values of the open dimensions that these days have rows for: their bytes, for texts that are equal to Swift
  /// may have rows of their own (`é` in its two spellings).
  static func openValues(of days: [ClickTally.Day], on connection: some Queries) throws
    -> [ClickTally.Day: [Int: Set<[UInt8]>]]
  {
    var values: [ClickTally.Day: [Int: Set<[UInt8]>]] = [:]
    let dimensions = ClickTally.openDimensions.sorted()
    try inChunks(days) { chunk in
      let selects = chunk.map {
        """
        SELECT subject, start, dimension, value FROM click_breakdowns WHERE subject = \($0.subject) \
        AND period = \(BreakdownPeriod.day.rawValue) AND start = \($0.start) AND dimension IN (\(dimensions))
        """ as SQL
      }.joined(by: " UNION ALL ")
      for row in try connection.rows(selects) {
        let day = ClickTally.Day(subject: try row[0], start: try row[1])
        values[day, default: [:]][try row[2], default: []].insert(Array((try row[3] as String).utf8))
      }
    }
    return values
  }

  /// Adds what is counted whatever the values. Of two loaders with clicks of one subject and quarter of an hour the
  /// second waits here for the end of the first's transaction, and so sees the values that it added.
  static func addBuckets(_ tally: ClickTally, on connection: some Queries) throws {
    try inChunks(tally.buckets) { chunk in
      let values = chunk.map {
        "(\($0.subject), \($0.start), \($0.clicks), \($0.uniqueClicks), \($0.botClicks))" as SQL
      }.joined(by: ", ")
      try connection.run(
        """
        INSERT INTO click_buckets (subject, start, clicks, unique_clicks, bot_clicks) VALUES \(values)
        ON DUPLICATE KEY UPDATE clicks = clicks + VALUES(clicks),
        unique_clicks = unique_clicks + VALUES(unique_clicks), bot_clicks = bot_clicks + VALUES(bot_clicks)
        """)
    }
  }

  /// Adds the breakdowns, and what links and QR codes show; behind the buckets.
  static func addBreakdowns(_ tally: ClickTally, on connection: some Queries) throws {
    try inChunks(tally.breakdowns) { chunk in
      let values = chunk.map {
        "(\($0.key.subject), \($0.key.period), \($0.key.start), \($0.key.dimension), \($0.key.value), \($0.clicks))"
          as SQL
      }.joined(by: ", ")
      try connection.run(
        """
        INSERT INTO click_breakdowns (subject, period, start, dimension, value, clicks) VALUES \(values)
        ON DUPLICATE KEY UPDATE clicks = clicks + VALUES(clicks)
        """)
    }
    try inChunks(tally.totals) { chunk in
      let values = chunk.map { "(\($0.subject), \($0.clicks), \($0.lastClickedAt))" as SQL }.joined(by: ", ")
      try connection.run(
        """
        INSERT INTO link_click_totals (link_id, clicks, last_clicked_at) VALUES \(values)
        ON DUPLICATE KEY UPDATE clicks = clicks + VALUES(clicks),
        last_clicked_at = GREATEST(last_clicked_at, VALUES(last_clicked_at))
        """)
    }
  }

  // MARK: Salts

  /// The salts that are there for these days.
  static func salts(of days: [Timestamp], on database: some Queries) throws -> [Timestamp: [UInt8]] {
    var salts: [Timestamp: [UInt8]] = [:]
    for row in try database.rows("SELECT day, salt FROM click_salts WHERE day IN (\(days))") {
      salts[try row["day"]] = try row["salt"]
    }
    return salts
  }

  /// Makes those of these salts whose day has none.
  static func makeSalts(_ salts: [(day: Timestamp, salt: [UInt8])], on database: some Queries) throws {
    let values = salts.map { "(\($0.day), \($0.salt))" as SQL }.joined(by: ", ")
    try database.run("INSERT IGNORE INTO click_salts (day, salt) VALUES \(values)")
  }
}
