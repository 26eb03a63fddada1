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

  /// Notes with the link how many tags it has, so that one without is read without looking for them.
  private func count(on link: LinkID) throws {
    _ = try queries.run(
      """
      UPDATE links SET tag_count = (SELECT COUNT(*) FROM link_tags lt WHERE lt.link_id = links.id)
      WHERE id = \(link) AND account_id = \(account)
      """)
  }
}
