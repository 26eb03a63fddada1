import FLHTTP
public import FLValues

/// The identifier of a contact.
public typealias ContactID = ID<Contact>

/// A person whom an account knows, by the e-mail address.
public struct Contact: Sendable {
  var id: ContactID
  var email: String
  var firstName: String?
  var lastName: String?
  /// The whole name, where it is more than first and last name.
  var fullName: String?
  var company: String?
  var jobTitle: String?
  var birthday: CalendarDay?
  /// Where the contact came from.
  var source: String?
  var customFields: CustomFields
  var phones: [ContactPhone] = []
  var addresses: [ContactAddress] = []
  var websites: [ContactWebsite] = []
  var notes: [ContactNote] = []
  var tags: [String] = []
  var groups: [ContactMembership] = []
  var bouncedAt: Timestamp?
  var bounceReason: String?
  var unsubscribedAt: Timestamp?
  var unsubscribeReason: String?
  var version: Int
  var createdAt: Timestamp
  var updatedAt: Timestamp

  /// What the person is called; nil where nothing is known.
  var name: String? {
    if let fullName { return fullName }
    switch (firstName, lastName) {
    case (let first?, let last?): return "\(first) \(last)"
    case (let first?, nil): return first
    case (nil, let last): return last
    }
  }

  /// Tags and groups are part of the state: renaming them changes contacts that are not written.
  var tag: EntityTag {
    var state = ""
    if !tags.isEmpty || !groups.isEmpty {
      let parts = tags + groups.flatMap { [$0.id.description, $0.name, $0.status] }
      state = String(spread(parts.joined(separator: "\u{0}").utf8), radix: 36)
    }
    return EntityTag(version: version, state: state)
  }

  /// The contact as the API shows it, for webhooks; `reason` is added where there is one.
  func told(reason: String? = nil) throws -> JSON {
    var object = try JSON(reading: Contact.shape.bytes(self)).object ?? [:]
    if let reason { object["reason"] = .string(reason) }
    return .object(object)
  }

  static let shape = Shape<Contact>.output(
    "Contact",
    [
      .init("id", \.id, .id()), .init("email", \.email, .string),
      .init("firstName", \.firstName, text), .init("lastName", \.lastName, text),
      .init("name", \.name, text.described("`name` as it was given, else first and last name.")),
      .init("company", \.company, text), .init("jobTitle", \.jobTitle, text),
      .init("birthday", \.birthday, .optional(.calendarDay)), .init("source", \.source, text),
      .init("phones", \.phones, .list(of: ContactPhone.shape, atMost: ContactPhone.most)),
      .init("addresses", \.addresses, .list(of: ContactAddress.shape, atMost: ContactAddress.most)),
      .init("websites", \.websites, .list(of: ContactWebsite.shape, atMost: ContactWebsite.most)),
      .init("notes", \.notes, .list(of: ContactNote.shape, atMost: ContactNote.most)),
      .init("tags", \.tags, .list(of: .string)),
      .init("groups", \.groups, .list(of: ContactMembership.shape, atMost: Int(Int32.max))),
      .init("customFields", \.customFields, .customFields),
      .init("isBounced", { $0.bouncedAt != nil }, .bool), .init("bouncedAt", \.bouncedAt, time),
      .init("bounceReason", \.bounceReason, text),
      .init("isUnsubscribed", { $0.unsubscribedAt != nil }, .bool),
      .init("unsubscribedAt", \.unsubscribedAt, time),
      .init("unsubscribeReason", \.unsubscribeReason, text),
      .init("createdAt", \.createdAt, .timestamp), .init("updatedAt", \.updatedAt, .timestamp),
    ])

  private static let text: Shape<String?> = .optional(.string)
  private static let time: Shape<Timestamp?> = .optional(.timestamp)
}

/// A group that a contact is in, as the contact shows it.
struct ContactMembership: Sendable {
  /// The group's.
  let id: ID<ContactMembership>
  let name: String
  /// `pending` until it is confirmed, where the group asks for that; then `confirmed`.
  let status: String

  static let shape = Shape<ContactMembership>.output(
    "ContactMembership",
    [
      .init("id", \.id, .id()), .init("name", \.name, .string),
      .init("status", \.status, Shape.string.described("`pending` or `confirmed`.")),
    ])
}

/// Why somebody gets no mailings any more.
enum UnsubscribeReason: String, Sendable, CaseIterable {
  /// The mail program's button (RFC 8058).
  case oneClick = "one_click"
  /// The page that a mailing links to.
  case page
  /// The person told the own provider that it is spam.
  case complaint
  /// The account's own wish.
  case api
  /// A row of an import said so.
  case `import`
  /// A contact that went into this one had unsubscribed.
  case merge
}
