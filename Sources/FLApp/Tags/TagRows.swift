import FLMariaDB
import FLValues

/// Every SQL statement about tags.
struct TagRows {
  let account: AccountID
  let queries: any Queries

  /// The tags' names of each of `links`, in alphabetical order.
  func names(of links: [LinkID]) throws -> [LinkID: [String]] {
    guard !links.isEmpty else { return [:] }
    let rows = try queries.rows(
      """
      SELECT lt.link_id, t.name FROM link_tags lt JOIN tags t ON t.id = lt.tag_id
      WHERE lt.link_id IN (\(links)) ORDER BY t.name
      """)
    return try rows.reduce(into: [:]) { names, row in
      let link: LinkID = try row["link_id"]
      names[link, default: []].append(try row["name"])
    }
  }

  /// Puts tags on a link; those that are not there yet are made.
  func add(_ names: [TagName], to link: LinkID, at now: Timestamp) throws {
    guard !names.isEmpty else { return }
    let rows = names.map { name -> SQL in "(\(TagID(at: now)), \(account), \(name.text), \(now))" }
    _ = try queries.run(
      "INSERT IGNORE INTO tags (id, account_id, name, created_at) VALUES \(rows.joined(by: ", "))")
    _ = try queries.run(
      """
      INSERT IGNORE INTO link_tags (link_id, tag_id)
      SELECT \(link), t.id FROM tags t WHERE t.account_id = \(account) AND t.name IN (\(names.map(\.text)))
      """)
    try count(on: link)
  }

  /// Takes all tags from a link.
  func removeAll(from link: LinkID) throws {
    _ = try queries.run("DELETE FROM link_tags WHERE link_id = \(link)")
    try count(on: link)
  }

  /// Takes a tag from a link; false where it has none of that name.
  func remove(_ name: String, from link: LinkID) throws -> Bool {
    let removed = try queries.run(
      """
      DELETE lt FROM link_tags lt JOIN tags t ON t.id = lt.tag_id
      WHERE lt.link_id = \(link) AND t.account_id = \(account) AND t.name = \(name)
      """)
    try count(on: link)
    return removed > 0
  }

  // MARK: Tags by themselves

  private static let columns: SQL = """
    t.id, t.name, t.color, t.version, t.created_at,
    (SELECT COUNT(*) FROM link_tags lt WHERE lt.tag_id = t.id) AS links
    """

  func find(_ id: TagID) throws -> Tag? {
    try queries.row(
      "SELECT \(Self.columns) FROM tags t WHERE t.id = \(id) AND t.account_id = \(account)"
    ).map(Tag.init)
  }

  /// Locks those of `tags` that are there, always in the same order.
  func lock(_ tags: [TagID]) throws {
    _ = try queries.rows(
      "SELECT id FROM tags WHERE id IN (\(tags)) AND account_id = \(account) ORDER BY id FOR UPDATE")
  }

  func count(search: String?) throws -> Int {
    try queries.row("SELECT COUNT(*) AS n FROM tags t WHERE \(condition(search))")?["n"] ?? 0
  }

  /// Tags in `order`, those behind `cursor`.
  func list(search: String?, _ order: TagOrder, behind cursor: Cursor?, limit: Int) throws -> [Tag] {
    var conditions = [condition(search)]
    if let cursor {
      let id: TagID? = cursor.id()
      conditions.append(order == .name ? "t.name > \(cursor.value)" : "t.id < \(id)")
    }
    let columns: SQL = order == .name ? "t.name" : "t.id DESC"
    return try queries.rows(
      """
      SELECT \(Self.columns) FROM tags t WHERE \(conditions.joined(by: " AND "))
      ORDER BY \(columns) LIMIT \(limit)
      """
    ).map(Tag.init)
  }

  private func condition(_ search: String?) -> SQL {
    guard let search else { return "t.account_id = \(account)" }
    return "t.account_id = \(account) AND t.name LIKE \("%" + search.escapedForLike + "%")"
  }

  func insert(_ tag: Tag) throws {
    _ = try queries.run(
      """
      INSERT INTO tags (id, account_id, name, color, created_at)
      VALUES (\(tag.id), \(account), \(tag.name), \(tag.color), \(tag.createdAt))
      """)
  }

  func update(_ tag: Tag) throws {
    _ = try queries.run(
      """
      UPDATE tags SET name = \(tag.name), color = \(tag.color), version = version + 1
      WHERE id = \(tag.id) AND account_id = \(account)
      """)
  }

  /// Takes a tag away, and from all that has it. `links.tag_count` may then be too large, which costs a needless
  /// look and no more.
  func delete(_ id: TagID) throws {
    _ = try queries.run("DELETE FROM tags WHERE id = \(id) AND account_id = \(account)")
  }

  /// Puts `other` on whatever has `id`. Both must be locked.
  func move(_ id: TagID, to other: TagID) throws {
    _ = try queries.run(
      """
      INSERT IGNORE INTO link_tags (link_id, tag_id)
      SELECT lt.link_id, \(other) FROM link_tags lt JOIN tags t ON t.id = lt.tag_id
      WHERE lt.tag_id = \(id) AND t.account_id = \(account)
      """)
  }

  // MARK: Tags of a link

  /// Notes with the link how many tags it has, so that one without is read without looking for them.
  private func count(on link: LinkID) throws {
    _ = try queries.run(
      """
      UPDATE links SET tag_count = (SELECT COUNT(*) FROM link_tags lt WHERE lt.link_id = links.id)
      WHERE id = \(link) AND account_id = \(account)
      """)
  }
}

extension Tag {
  init(_ row: Row) throws {
    try self.init(
      id: row["id"], name: row["name"], color: row["color"], links: row["links"], version: row["version"],
      createdAt: row["created_at"])
  }
}
