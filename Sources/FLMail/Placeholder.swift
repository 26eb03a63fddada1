/// What a text of a mailing can ask for with `{{…}}`: something of the contact, or the address to unsubscribe at.
public enum Placeholder: String, Sendable, Hashable, CaseIterable {
  /// The whole name.
  case name = "Name"
  /// The address that the message goes to.
  case email = "Email"
  /// The first name.
  case firstName = "FirstName"
  /// The last name.
  case lastName = "LastName"
  /// The company.
  case company = "Company"
  /// The page at which the contact unsubscribes.
  case unsubscribeURL = "UnsubscribeUrl"
}

/// What the placeholders of one message become. All of it is data: nothing of it is expanded again.
public struct PlaceholderValues: Sendable {
  /// `{{Name}}`.
  public var name: String?
  /// `{{Email}}`.
  public var email: String?
  /// `{{FirstName}}`.
  public var firstName: String?
  /// `{{LastName}}`.
  public var lastName: String?
  /// `{{Company}}`.
  public var company: String?
  /// `{{UnsubscribeUrl}}`; an address that this program made.
  public var unsubscribeURL: String?
  /// The address that stands for each tracked one, in the order of `TrackedHTML.links`.
  public var links: [String]
  /// The address of the picture that tells of opening; nil leaves the picture away.
  public var openURL: String?

  /// The values of one message.
  public init(
    name: String? = nil, email: String? = nil, firstName: String? = nil, lastName: String? = nil,
    company: String? = nil, unsubscribeURL: String? = nil, links: [String] = [], openURL: String? = nil
  ) {
    self.name = name
    self.email = email
    self.firstName = firstName
    self.lastName = lastName
    self.company = company
    self.unsubscribeURL = unsubscribeURL
    self.links = links
    self.openURL = openURL
  }

  /// The value of `placeholder`; nil when there is none, or nothing but white space.
  subscript(_ placeholder: Placeholder) -> String? {
    let value =
      switch placeholder {
      case .name: name
      case .email: email
      case .firstName: firstName
      case .lastName: lastName
      case .company: company
      case .unsubscribeURL: unsubscribeURL
      }
    guard let value, let first = value.utf8.first else { return nil }
    // Most values begin with a letter; only for others the whole is looked through.
    if first > 0x20, first < 0x7F { return value }
    return value.unicodeScalars.allSatisfy(\.properties.isWhitespace) ? nil : value
  }
}
