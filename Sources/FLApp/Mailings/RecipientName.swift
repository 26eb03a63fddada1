package import FLMail
package import FLMariaDB

/// What a mailing's placeholders say of a contact.
package struct RecipientName: Sendable {
  package let email: String
  package let firstName: String?
  package let lastName: String?
  package let fullName: String?
  package let company: String?

  /// The columns of `contacts c` that it is read from.
  static let columns: SQL = "c.email, c.first_name, c.last_name, c.full_name, c.company"

  package init(email: String, firstName: String?, lastName: String?, fullName: String?, company: String?) {
    self.email = email
    self.firstName = firstName
    self.lastName = lastName
    self.fullName = fullName
    self.company = company
  }

  package init(_ row: Row) throws {
    email = try row["email"]
    firstName = try row["first_name"]
    lastName = try row["last_name"]
    fullName = try row["full_name"]
    company = try row["company"]
  }

  /// Whom a test goes to who is no contact.
  package static func sample(_ email: String) -> RecipientName {
    RecipientName(
      email: email, firstName: "Anna", lastName: "Example", fullName: nil, company: "Example Inc.")
  }

  /// The name for people: the full one, else first and last.
  package var name: String? {
    if let fullName { return fullName }
    let parts = [firstName, lastName].compactMap { $0 }
    return parts.isEmpty ? nil : parts.joined(separator: " ")
  }

  /// The values of the placeholders.
  package var values: PlaceholderValues {
    var values = PlaceholderValues()
    values.name = name
    values.email = email
    values.firstName = firstName
    values.lastName = lastName
    values.company = company
    return values
  }
}
