import FLHTTP
import FLMariaDB
import FLValues

/// Every SQL statement about tags.
struct TagRows {
  let account: AccountID
  let queries: any Queries

  /// The tags' names of each of `subjects`, in alphabetical order.
  func names<Subject: Taggable>(of subjects: [ID<Subject>]) throws -> [ID<Subject>: [String]] {
    guard !subjects.isEmpty else { return [:] }
    let rows = try queries.rows(
      """
      SELECT u.\(Subject.tagColumn) AS subject, t.name FROM \(Subject.tagTable) u JOIN tags t ON t.id = u.tag_id
      WHERE u.\(Subject.tagColumn) IN (\(subjects)) ORDER BY t.name
      """)
    return try rows.reduce(into: [:]) { names, row in
      let subject: ID<Subject> = try row["subject"]
      names[subject, default: []].append(try row["name"])
    }
  }

  /// Puts tags on something; those that are not there yet are made.
  func add<Subject: Taggable>(_ names: [TagName], to subject: ID<Subject>, at now: Timestamp) throws {
    guard !names.isEmpty else { return }
    try make(names, at: now)
    _ = try queries.run(
      """
      INSERT IGNORE INTO \(Subject.tagTable) (\(Subject.tagColumn), tag_id)
      SELECT \(subject), t.id FROM tags t WHERE t.account_id = \(account) AND t.name IN (\(names.map(\.text)))
      """)
    try count(on: subject)
  }

  /// Makes those of the tags that are not there yet.
  private func make(_ names: [TagName], at now: Timestamp) throws {
    let rows = names.map { name -> SQL in "(\(TagID(at: now)), \(account), \(name.text), \(now))" }
    _ = try queries.run(
      "INSERT IGNORE INTO tags (id, account_id, name, created_at) VALUES \(rows.joined(by: ", "))")
  }

  /// The tags with these names, of which those that are not there yet are made where `making`. Which names are one is
  /// for the database to say.
  func ids(of names: [TagName], making now: Timestamp? = nil) throws -> [TagName: TagID] {
    guard !names.isEmpty else { return [:] }
    if let now { try names.inBatches { try make(Array($0), at: now) } }
    let list = JSON.array(names.map { .string($0.text) }).text
    let rows = try queries.rows(
      """
      SELECT n.position, t.id FROM JSON_TABLE(\(list), '$[*]' COLUMNS (
        position FOR ORDINALITY, name VARCHAR(64) CHARACTER SET utf8mb4 PATH '$')) n
      JOIN tags t ON t.account_id = \(account) AND t.name = n.name COLLATE utf8mb4_uca1400_as_ci
      """)
    return try rows.reduce(into: [:]) { ids, row in
      let position: Int = try row["position"]
      ids[names[position - 1]] = try row["id"]
    }
  }

  /// Puts tags on many things.
  func add<Subject: Taggable>(_ tags: [(subject: ID<Subject>, tag: TagID)]) throws {
    try tags.inBatches { batch in
      let rows = batch.map { subject, tag -> SQL in "(\(subject), \(tag))" }
      try queries.run(
        """
        INSERT IGNORE INTO \(Subject.tagTable) (\(Subject.tagColumn), tag_id) VALUES \(rows.joined(by: ", "))
        """)
    }
  }

  /// Takes tags from many things.
  func remove<Subject: Taggable>(_ tags: [TagID], from subjects: [ID<Subject>]) throws {
    guard !tags.isEmpty else { return }
    try subjects.inBatches { batch in
      _ = try queries.run(
        """
        DELETE FROM \(Subject.tagTable) WHERE \(Subject.tagColumn) IN (\(Array(batch))) AND tag_id IN (\(tags))
        """)
    }
  }

  /// Which tags each of `subjects` has.
  func tags<Subject: Taggable>(of subjects: [ID<Subject>]) throws -> [ID<Subject>: Set<TagID>] {
    var tags: [ID<Subject>: Set<TagID>] = [:]
    try subjects.inBatches { batch in
      for row in try queries.rows(
        """
        SELECT u.\(Subject.tagColumn) AS subject, u.tag_id FROM \(Subject.tagTable) u
        WHERE u.\(Subject.tagColumn) IN (\(Array(batch)))
        """)
      {
        let subject: ID<Subject> = try row["subject"]
        tags[subject, default: []].insert(try row["tag_id"])
      }
    }
    return tags
  }

  /// Takes all tags from something.
  func removeAll<Subject: Taggable>(from subject: ID<Subject>) throws {
    _ = try queries.run("DELETE FROM \(Subject.tagTable) WHERE \(Subject.tagColumn) = \(subject)")
    try count(on: subject)
  }

  /// Takes a tag from something; false where it has none of that name.
  func remove<Subject: Taggable>(_ name: String, from subject: ID<Subject>) throws -> Bool {
    let removed = try queries.run(
      """
      DELETE u FROM \(Subject.tagTable) u JOIN tags t ON t.id = u.tag_id
      WHERE u.\(Subject.tagColumn) = \(subject) AND t.account_id = \(account) AND t.name = \(name)
      """)
    try count(on: subject)
    return removed > 0
  }

  /// Changes the tags of something by `change`; answers what it has then.
  /// - Throws: `Problem` 422 where it would have too many, and what `change` throws.
  @discardableResult
  func changing<Subject: Taggable>(_ subject: ID<Subject>, _ change: (TagRows) throws -> Void) throws
    -> [String]
  {
    try change(self)
    let names = try names(of: [subject])[subject] ?? []
    guard names.count <= TagName.most else {
      throw Problem.invalid("tags", "too_long", "There may be at most \(TagName.most) tags on one thing.")
    }
    return names
  }

  // MARK: Tags by themselves

  private static let columns: SQL = """
    t.id, t.name, t.color, t.version, t.created_at,
    (SELECT COUNT(*) FROM link_tags lt WHERE lt.tag_id = t.id) AS links,
    (SELECT COUNT(*) FROM contact_tags ct WHERE ct.tag_id = t.id) AS contacts
    """

  func find(_ id: TagID) throws -> Tag? {
    try queries.row(
      "SELECT \(Self.columns) FROM tags t WHERE t.id = \(id) AND t.account_id = \(account)"
    ).map(Tag.init)
  }

  /// Locks a tag against all others, and `other` against whoever changes it: it can still be put on things. Always in
  /// the order of their ids.
  func lock(_ id: TagID, keeping other: TagID? = nil, shared: Bool = false) throws {
    for tag in Set([id, other ?? id]).sorted() {
      let mode: SQL = tag == id && !shared ? "FOR UPDATE" : "LOCK IN SHARE MODE"
      _ = try queries.rows("SELECT id FROM tags WHERE id = \(tag) AND account_id = \(account) \(mode)")
    }
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

  /// Takes a tag of the account, which is locked, from up to `limit` things; answers from how many it was. Its row is not
  /// asked again: another connection would wait for the lock.
  func removeSome<Subject: Taggable>(_ id: TagID, from _: Subject.Type, limit: Int) throws -> Int {
    try queries.run(
      """
      DELETE FROM \(Subject.tagTable) WHERE tag_id = \(id) LIMIT \(limit)
      """)
  }

  /// Puts `other` on whatever has `id`. Both must be the account's, and locked.
  func move(_ id: TagID, to other: TagID) throws {
    try move(id, to: other, on: Link.self, behind: nil, upTo: nil)
    try move(id, to: other, on: Contact.self, behind: nil, upTo: nil)
  }

  /// The same of the things of one kind, each `count` of them by themselves, from which `id` is taken then.
  func move<Subject: Taggable>(_ id: TagID, to other: TagID, on kind: Subject.Type, atOnce count: Int) throws
  {
    var last: ID<Subject>?
    while true {
      let behind: SQL = last.map { "AND u.\(Subject.tagColumn) > \($0)" } ?? ""
      let next = try queries.row(
        """
        SELECT u.\(Subject.tagColumn) AS subject FROM \(Subject.tagTable) u WHERE u.tag_id = \(id) \(behind)
        ORDER BY u.\(Subject.tagColumn) LIMIT 1 OFFSET \(count - 1)
        """)
      let end: ID<Subject>? = try next.map { try $0["subject"] }
      try move(id, to: other, on: kind, behind: last, upTo: end)
      try removeMoved(id, to: other, on: kind, behind: last, upTo: end)
      guard let end else { return }
      last = end
    }
  }

  /// Takes `id` from what has `other` as well, so that nothing loses both.
  private func removeMoved<Subject: Taggable>(
    _ id: TagID, to other: TagID, on _: Subject.Type, behind first: ID<Subject>?, upTo last: ID<Subject>?
  ) throws {
    var conditions: [SQL] = ["u.tag_id = \(id)"]
    if let first { conditions.append("u.\(Subject.tagColumn) > \(first)") }
    if let last { conditions.append("u.\(Subject.tagColumn) <= \(last)") }
    _ = try queries.run(
      """
      DELETE u FROM \(Subject.tagTable) u
      JOIN \(Subject.tagTable) o ON o.tag_id = \(other) AND o.\(Subject.tagColumn) = u.\(Subject.tagColumn)
      WHERE \(conditions.joined(by: " AND "))
      """)
  }

  private func move<Subject: Taggable>(
    _ id: TagID, to other: TagID, on _: Subject.Type, behind first: ID<Subject>?, upTo last: ID<Subject>?
  ) throws {
    var conditions: [SQL] = ["u.tag_id = \(id)"]
    if let first { conditions.append("u.\(Subject.tagColumn) > \(first)") }
    if let last { conditions.append("u.\(Subject.tagColumn) <= \(last)") }
    _ = try queries.run(
      """
      INSERT IGNORE INTO \(Subject.tagTable) (\(Subject.tagColumn), tag_id)
      SELECT u.\(Subject.tagColumn), \(other) FROM \(Subject.tagTable) u
      WHERE \(conditions.joined(by: " AND "))
      """)
  }

  private func count<Subject: Taggable>(on subject: ID<Subject>) throws {
    if let statement = Subject.noteTagCount(of: subject, account: account) { _ = try queries.run(statement) }
  }
}

/// What tags can be put on.
protocol Taggable: SendableMetatype {
  /// The table of which tag is on what.
  static var tagTable: SQL { get }
  /// Its column beside `tag_id`.
  static var tagColumn: SQL { get }
  /// What is to be run when the tags of one have changed.
  static func noteTagCount(of subject: ID<Self>, account: AccountID) -> SQL?
}

extension Link: Taggable {
  static let tagTable: SQL = "link_tags"
  static let tagColumn: SQL = "link_id"

  /// Notes with the link how many tags it has, so that one without is read without looking for them.
  static func noteTagCount(of subject: ID<Link>, account: AccountID) -> SQL? {
    """
    UPDATE links SET tag_count = (SELECT COUNT(*) FROM link_tags lt WHERE lt.link_id = links.id)
    WHERE id = \(subject) AND account_id = \(account)
    """
  }
}

extension Contact: Taggable {
  static let tagTable: SQL = "contact_tags"
  static let tagColumn: SQL = "contact_id"

  static func noteTagCount(of subject: ID<Contact>, account: AccountID) -> SQL? { nil }
}

extension Tag {
  init(_ row: Row) throws {
    try self.init(
      id: row["id"], name: row["name"], color: row["color"], links: row["links"], contacts: row["contacts"],
      version: row["version"],
      createdAt: row["created_at"])
  }
}
