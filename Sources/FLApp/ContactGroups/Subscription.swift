import FLHTTP
import FLMariaDB
import FLValues

/// A public group, as strangers see it.
struct PublicGroup: Sendable {
  let id: ContactGroupID
  let account: AccountID
  let name: String
  let description: String?
  let accountName: String

  /// What a form's stamp is about.
  var stampSubject: String { "subscribe \(id)" }
}

extension PublicGroup {
  /// The group, if strangers may subscribe to it: it is public, and the account's plan has contacts.
  static func find(_ id: ContactGroupID, on queries: any Queries) throws -> PublicGroup? {
    try queries.row(
      """
      SELECT g.id, g.account_id, g.name, g.description, a.name AS account_name
      FROM contact_groups g JOIN accounts a ON a.id = g.account_id JOIN plans p ON p.code = a.plan
      WHERE g.id = \(id) AND g.is_public AND p.has_contacts
      """
    ).map {
      try PublicGroup(
        id: $0["id"], account: $0["account_id"], name: $0["name"], description: $0["description"],
        accountName: $0["account_name"])
    }
  }
}

/// What somebody has filled in to subscribe.
struct Subscription: Sendable {
  /// The longest name that a stranger may give.
  static let longestName = 100
  /// The field that people do not see, and leave empty.
  static let trap = "homepage"

  let email: EmailAddress
  let firstName: String?
  let lastName: String?
  /// What came in the field that people do not see.
  let trapped: String?
  /// When the form was shown, signed; nil where it is not ours.
  let stamp: String?

  private static let name: Shape<String?> = .optional(.text(0...longestName))
  private static let anything: Shape<String?> = .optional(.string)

  static let shape = Shape<Subscription>(
    { email, firstName, lastName, trapped, stamp in
      Subscription(
        email: email, firstName: firstName.filled, lastName: lastName.filled, trapped: trapped.filled,
        stamp: stamp)
    },
    Field("email", \.email, ContactMember.email), Field("firstName", \.firstName, name),
    Field("lastName", \.lastName, name), Field(trap, \.trapped, anything), Field("stamp", \.stamp, anything)
  ).named("Subscription")

  /// The members of a form that are ours. Whatever else stands in it belongs to the site that it is on.
  static func members(of form: FormValues) -> JSON {
    var members: JSONObject = [:]
    for name in ["email", "firstName", "lastName", trap, "stamp"] {
      guard let value = form[name] else { continue }
      members[name] = .string(name == "email" ? value.trimmingWhiteSpace : value)
    }
    return .object(members)
  }
}

extension Optional<String> {
  /// The text; nil also for an empty one, as which a form sends what nobody filled in.
  var filled: String? { flatMap { $0.isEmpty ? nil : $0 } }
}

extension String {
  /// Without white space at both ends, as people paste addresses.
  var trimmingWhiteSpace: String {
    let start = unicodeScalars.drop { $0.properties.isWhitespace }
    let end = start.lastIndex { !$0.properties.isWhitespace }
    return end.map { String(start[...$0]) } ?? ""
  }
}
