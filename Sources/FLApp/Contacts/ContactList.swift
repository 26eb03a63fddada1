import FLHTTP
import FLMariaDB
import FLValues

/// A part of a list of contacts. Of a long list that is narrowed down the end is not counted.
struct ContactPage: Sendable {
  let page: Page<Contact>
  /// Whether there are more than `page.total`.
  let totalIsLowerBound: Bool

  static let shape = Shape<ContactPage>.output(
    "ContactList",
    [
      .init("items", \.page.items, .list(of: Contact.shape, atMost: 100)),
      .init("nextCursor", \.page.nextCursor, .optional(.string)),
      .init("total", \.page.total, .count),
      .init(
        "totalIsLowerBound", \.totalIsLowerBound,
        Shape.bool.described(
          "Whether there are more than `total`: with `search` it is counted up to 1,000, with other filters up to 10,000."
        )),
    ])
}

/// What a list of contacts is narrowed to.
struct ContactFilter: Sendable {
  var tag: String?
  var group: ID<ContactMembership>?
  var isBounced: Bool?
  var isUnsubscribed: Bool?
  var email: String?

  var isEmpty: Bool {
    tag == nil && group == nil && isBounced == nil && isUnsubscribed == nil && email == nil
  }

  /// What must hold of the row `c` of `account`.
  func conditions(of account: AccountID) -> [SQL] {
    var conditions: [SQL] = []
    if let email { conditions.append("c.email_key = \(email.lowercased())") }
    if let isBounced {
      conditions.append(isBounced ? "c.bounced_at IS NOT NULL" : "c.bounced_at IS NULL")
    }
    if let isUnsubscribed {
      conditions.append(isUnsubscribed ? "c.unsubscribed_at IS NOT NULL" : "c.unsubscribed_at IS NULL")
    }
    if let tag {
      conditions.append(
        """
        c.id IN (SELECT ct.contact_id FROM contact_tags ct JOIN tags t ON t.id = ct.tag_id
                 WHERE t.account_id = \(account) AND t.name = \(tag))
        """)
    }
    if let group {
      conditions.append(
        """
        c.id IN (SELECT m.contact_id FROM contact_group_members m JOIN contact_groups g ON g.id = m.group_id
                 WHERE g.account_id = \(account) AND g.id = \(group))
        """)
    }
    return conditions
  }

  /// The same as conditions that each row answers for itself, in whatever order the rows are read.
  func rowConditions(of account: AccountID) -> [SQL] {
    var plain = self
    plain.tag = nil
    plain.group = nil
    var conditions = plain.conditions(of: account)
    if let tag {
      conditions.append(
        """
        (SELECT 1 FROM contact_tags ct JOIN tags t ON t.id = ct.tag_id WHERE ct.contact_id = c.id
         AND t.account_id = \(account) AND t.name = \(tag) LIMIT 1) IS NOT NULL
        """)
    }
    if let group {
      conditions.append(
        """
        (SELECT 1 FROM contact_group_members m JOIN contact_groups g ON g.id = m.group_id
         WHERE m.group_id = \(group) AND m.contact_id = c.id AND g.account_id = \(account) LIMIT 1) IS NOT NULL
        """)
    }
    return conditions
  }
}

extension ContactRows {
  /// Up to how many of a list that is narrowed down are counted.
  static let mostCounted = 10_000

  /// Contacts in `order`, those behind `cursor`.
  func list(_ filter: ContactFilter, _ order: ContactOrder, behind cursor: Cursor?, limit: Int) throws
    -> [Contact]
  {
    try whole(
      queries.rows(
        """
        SELECT \(Self.columns) FROM contacts c \(filter.isEmpty ? order.index : "")
        WHERE \(condition(filter)) AND \(order.condition(behind: cursor))
        ORDER BY \(order.columns) LIMIT \(limit)
        """))
  }

  /// How many there are; where the list is narrowed down, one more than `mostCounted` stands for more.
  func count(_ filter: ContactFilter) throws -> Int {
    let statement: SQL =
      filter.isEmpty
      ? "SELECT COUNT(*) AS n FROM contacts c FORCE INDEX (contacts_account) WHERE c.account_id = \(account)"
      : """
      SELECT COUNT(*) AS n FROM
        (SELECT 1 AS one FROM contacts c WHERE \(condition(filter)) LIMIT \(Self.mostCounted + 1)) n
      """
    return try queries.row(statement)?["n"] ?? 0
  }

  private func condition(_ filter: ContactFilter) -> SQL {
    (["c.account_id = \(account)"] + filter.conditions(of: account)).joined(by: " AND ")
  }
}

/// The orders in which contacts are listed; `-` is downwards.
enum ContactOrder: String, Sendable, CaseIterable {
  case newest = "-createdAt"
  case oldest = "createdAt"
  case email
  case lastChanged = "-updatedAt"

  /// What stands in a cursor for a contact.
  func value(of contact: Contact) -> String {
    switch self {
    case .newest, .oldest: ""
    case .email: contact.email.lowercased()
    case .lastChanged: String(contact.updatedAt.microseconds)
    }
  }

  /// Whether a cursor can have come from this order; the database need not be asked with another.
  func accepts(_ cursor: Cursor) -> Bool {
    guard cursor.order == rawValue else { return false }
    switch self {
    case .newest, .oldest: return cursor.value.isEmpty
    case .email: return EmailAddress(cursor.value) != nil
    case .lastChanged:
      return Int64(cursor.value).map { (1...9999).contains(Timestamp(microseconds: $0).civil.year) } ?? false
    }
  }

  /// The index that has an account's contacts in this order. It is told: of an account that has a large part of all
  /// contacts the optimizer would rather walk over those of the others.
  fileprivate var index: SQL {
    switch self {
    case .newest, .oldest: "FORCE INDEX (contacts_account)"
    case .email: "FORCE INDEX (contacts_email)"
    case .lastChanged: "FORCE INDEX (contacts_updated)"
    }
  }

  fileprivate var columns: SQL {
    switch self {
    case .newest: "c.id DESC"
    case .oldest: "c.id"
    case .email: "c.email_key"
    case .lastChanged: "c.updated_at DESC, c.id DESC"
    }
  }

  fileprivate func condition(behind cursor: Cursor?) -> SQL {
    guard let cursor, let id: ContactID = cursor.id() else { return "TRUE" }
    switch self {
    case .newest: return "c.id < \(id)"
    case .oldest: return "c.id > \(id)"
    case .email: return "c.email_key > \(cursor.value)"
    case .lastChanged:
      let time = Timestamp(microseconds: Int64(cursor.value) ?? 0)
      return "c.updated_at <= \(time) AND (c.updated_at < \(time) OR c.id < \(id))"
    }
  }
}
