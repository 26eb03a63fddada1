import FLHTTP
import FLMariaDB
import FLValues

/// Something that happened with a contact.
struct ContactEvent: Sendable {
  /// What can happen; a kind of its own for each source of the timeline.
  enum Kind: String, Sendable, CaseIterable {
    case created = "contact.created"
    case unsubscribed = "contact.unsubscribed"
    case bounced = "contact.bounced"
    case noted = "note.added"
    case added = "group.added"
    case confirmed = "group.confirmed"
    case sent = "mailing.sent"
    case opened = "mailing.opened"
    case clicked = "mailing.clicked"
    case mailBounced = "mailing.bounced"
    case failed = "mailing.failed"
    case uncertain = "mailing.uncertain"
    case skipped = "mailing.skipped"
    case mailUnsubscribed = "mailing.unsubscribed"
  }

  /// What it was about: a mailing, a group, a note.
  struct Subject: Sendable {
    let id: ID<ContactEvent>
    /// The mailing's subject, the group's name, what the note says.
    let text: String
  }

  let at: Timestamp
  let kind: Kind
  let subject: Subject
  /// Why, where a reason is known.
  let reason: String?

  /// Where it stands in the timeline.
  var place: Place { Place(at: at, kind: kind, subject: subject.id) }

  /// A place in the timeline: the newest first; of what happened at once, in the order of kinds and subjects.
  struct Place: Sendable {
    let at: Timestamp
    let kind: Kind
    let subject: ID<ContactEvent>

    var cursor: Cursor { Cursor(order: kind.rawValue, value: String(at.microseconds), id: subject) }

    /// Whether this one comes before `other`.
    func precedes(_ other: Place) -> Bool {
      if at != other.at { return at > other.at }
      return (kind.rawValue, subject) < (other.kind.rawValue, other.subject)
    }
  }

  static let shape = Shape<ContactEvent>.output(
    "ContactEvent",
    [
      .init("at", \.at, .timestamp), .init("type", \.kind, .oneOf(Kind.self)),
      .init("mailing", { $0.subject(of: "mailing.") }, named("ContactEventMailing", "subject")),
      .init("group", { $0.subject(of: "group.") }, named("ContactEventGroup", "name")),
      .init("note", { $0.subject(of: "note.") }, named("ContactEventNote", "body")),
      .init(
        "reason", \.reason, Shape<String?>.optional(.string).described("Why, where a reason is known.")),
    ])

  private func subject(of prefix: String) -> Subject? { kind.rawValue.hasPrefix(prefix) ? subject : nil }

  private static func named(_ name: String, _ member: String) -> Shape<Subject?> {
    .optional(.output(name, [.init("id", \.id, .id()), .init(member, \.text, .string)]))
  }
}

extension ContactEvent.Place {
  /// Reads a cursor; nil for one of another list.
  init?(_ cursor: Cursor) {
    guard let kind = ContactEvent.Kind(rawValue: cursor.order), let time = Int64(cursor.value),
      (1...9999).contains(Timestamp(microseconds: time).civil.year),
      let id: ID<ContactEvent> = cursor.id()
    else { return nil }
    self.init(at: Timestamp(microseconds: time), kind: kind, subject: id)
  }
}

/// All that happened with one contact, from as many tables as there are kinds of it.
///
/// A part of the product that has events of contacts adds a kind and a source here: what is asked of a source is an
/// indexed look-up by the contact.
struct ContactTimeline {
  let account: AccountID
  let contact: ContactID
  let queries: any Queries

  /// Where the events of a kind are.
  private struct Source {
    let kind: ContactEvent.Kind
    /// When, about what, in which words, and why.
    let time: SQL
    let id: SQL
    var text: SQL = "''"
    var reason: SQL = "NULL"
    /// The tables and how the rows of the contact are found in them.
    let from: SQL
  }

  private var sources: [Source] {
    let own: SQL = "contacts c WHERE c.id = \(contact) AND c.account_id = \(account)"
    let notes: SQL = "contact_notes n JOIN contacts c ON c.id = n.contact_id"
    let members: SQL = """
      contact_group_members m STRAIGHT_JOIN contact_groups g ON g.id = m.group_id
      WHERE m.contact_id = \(contact) AND g.account_id = \(account)
      """
    let mails: SQL = """
      mailing_recipients r STRAIGHT_JOIN mailings m ON m.id = r.mailing_id
      WHERE r.contact_id = \(contact) AND m.account_id = \(account)
      """
    func mailing(_ kind: ContactEvent.Kind, _ time: SQL, reason: SQL = "NULL", _ condition: SQL = "TRUE")
      -> Source
    {
      Source(
        kind: kind, time: time, id: "m.id", text: "m.subject", reason: reason,
        from: "\(mails) AND \(condition)")
    }
    // What was tried before that was noted has no time but the mailing's.
    let ended: SQL = "COALESCE(r.attempted_at, r.sent_at, m.finished_at, m.started_at)"
    // Nobody notes when a recipient was passed over: that was when the mailing was cancelled, or when it began, or went
    // on behind the last try. One that has not begun has passed over nobody yet.
    let passedOver: SQL = """
      IF(r.skipped_reason = 'cancelled', COALESCE(m.finished_at, r.attempted_at, m.started_at),
        COALESCE(r.attempted_at, m.started_at, m.finished_at))
      """
    return [
      Source(kind: .created, time: "c.created_at", id: "c.id", from: own),
      Source(
        kind: .unsubscribed, time: "c.unsubscribed_at", id: "c.id", reason: "c.unsubscribe_reason", from: own),
      Source(kind: .bounced, time: "c.bounced_at", id: "c.id", reason: "c.bounce_reason", from: own),
      Source(
        kind: .noted, time: "n.created_at", id: "n.id", text: "n.body",
        from: "\(notes) WHERE n.contact_id = \(contact) AND c.account_id = \(account)"),
      Source(kind: .added, time: "m.added_at", id: "g.id", text: "g.name", from: members),
      Source(kind: .confirmed, time: "m.confirmed_at", id: "g.id", text: "g.name", from: members),
      mailing(.sent, "r.sent_at"), mailing(.opened, "r.opened_at"), mailing(.clicked, "r.clicked_at"),
      mailing(.mailBounced, "r.bounced_at", reason: "r.smtp_reply"),
      mailing(.failed, ended, reason: "r.smtp_reply", "r.status = 'failed'"),
      mailing(.uncertain, ended, reason: "r.smtp_reply", "r.status = 'uncertain'"),
      mailing(.skipped, passedOver, reason: "r.skipped_reason", "r.status = 'skipped'"),
      mailing(.mailUnsubscribed, "r.unsubscribed_at"),
    ]
  }

  /// Events behind `place`, the newest first.
  func events(behind place: ContactEvent.Place?, limit: Int) throws -> [ContactEvent] {
    let parts = sources.map { source -> SQL in
      """
      (SELECT \(source.kind.rawValue) AS event_kind, \(source.time) AS event_at, \(source.id) AS event_id,
         CAST(\(source.text) AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin AS event_text,
         CAST(\(source.reason) AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin AS event_reason
       FROM \(source.from) AND \(source.time) IS NOT NULL AND \(condition(source, behind: place))
       ORDER BY event_at DESC, event_id LIMIT \(limit))
      """
    }
    let events = try queries.rows(parts.joined(by: " UNION ALL ")).compactMap { try ContactEvent($0) }
    return Array(events.sorted { $0.place.precedes($1.place) }.prefix(limit))
  }

  /// How many there are at all.
  func count() throws -> Int {
    let parts = sources.map { source -> SQL in
      "SELECT COUNT(\(source.time)) AS n FROM \(source.from)"
    }
    return try queries.rows(parts.joined(by: " UNION ALL ")).reduce(0) { try $0 + $1["n"] }
  }

  /// What of a source is behind `place`: of the same moment, only kinds and subjects that come later.
  private func condition(_ source: Source, behind place: ContactEvent.Place?) -> SQL {
    guard let place else { return "TRUE" }
    let kind = source.kind.rawValue
    if kind > place.kind.rawValue { return "\(source.time) <= \(place.at)" }
    if kind < place.kind.rawValue { return "\(source.time) < \(place.at)" }
    return
      "(\(source.time) < \(place.at) OR (\(source.time) = \(place.at) AND \(source.id) > \(place.subject)))"
  }
}

extension ContactEvent {
  init?(_ row: Row) throws {
    guard let kind = Kind(rawValue: try row["event_kind"]) else { return nil }
    try self.init(
      at: row["event_at"], kind: kind, subject: Subject(id: row["event_id"], text: row["event_text"]),
      reason: row["event_reason"])
  }
}
