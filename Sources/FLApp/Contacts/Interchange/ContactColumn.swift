/// What a column of a file says of a contact.
enum ContactColumn: Hashable, Sendable {
  /// Nothing that is taken.
  case ignored
  case email
  /// A member that is a text: `firstName`, `company`, …
  case text(String)
  case birthday
  /// The n-th telephone number; what kind it is, where the column's name says so.
  case phone(Int, label: String?)
  case phoneLabel(Int)
  /// A part (`line1`, `city`, …) of the n-th address.
  case address(Int, part: String, label: String?)
  case website(Int)
  case tags
  case note
  /// Whether somebody gets no mailings any more: `true`, or when it happened.
  case unsubscribed
  case bounced
  /// `subscribed`, `unsubscribed`, `cleaned`: one column for both.
  case status
  /// A custom field. Under our own column names numbers and truth values come back as such.
  case custom(String, isTyped: Bool)

  static let texts = ["firstName", "lastName", "name", "company", "jobTitle", "source"]
  static let addressParts = ["label", "line1", "line2", "city", "region", "postalCode", "country"]
  /// The numbers of the telephone numbers, addresses and websites that a row may have.
  static let places = 1...9

  /// The column that `name` means where an account says which is what, and in our own exports; nil for none.
  init?(name: String) {
    switch name {
    case "-": self = .ignored
    case "email": self = .email
    case "birthday": self = .birthday
    case "tags": self = .tags
    case "note", "notes": self = .note
    case "website": self = .website(1)
    case "phone": self = .phone(1, label: nil)
    case "isUnsubscribed", "unsubscribedAt": self = .unsubscribed
    case "isBounced", "bouncedAt": self = .bounced
    case "status": self = .status
    case let name where Self.texts.contains(name): self = .text(name)
    case let name where name.hasPrefix("custom:") && name.count > 7:
      self = .custom(String(name.dropFirst(7)), isTyped: false)
    default:
      guard let column = Self.numbered(name) else { return nil }
      self = column
    }
  }

  /// `phone2`, `phone2Label`, `address1City`, `website3`.
  private static func numbered(_ name: String) -> ContactColumn? {
    for kind in ["phone", "address", "website"] where name.hasPrefix(kind) {
      let rest = name.dropFirst(kind.count)
      guard let number = rest.first?.wholeNumberValue, places.contains(number) else { return nil }
      let part = String(rest.dropFirst())
      switch (kind, part) {
      case ("phone", ""): return .phone(number, label: nil)
      case ("phone", "Label"): return .phoneLabel(number)
      case ("website", ""): return .website(number)
      case ("address", _):
        let found = addressParts.first { $0.prefix(1).uppercased() + $0.dropFirst() == part }
        return found.map { .address(number, part: $0, label: nil) }
      default: return nil
      }
    }
    return nil
  }

  /// What an account calls it.
  var name: String {
    switch self {
    case .ignored: "-"
    case .email: "email"
    case .text(let name): name
    case .birthday: "birthday"
    case .phone(let number, _): "phone\(number)"
    case .phoneLabel(let number): "phone\(number)Label"
    case .address(let number, let part, _):
      "address\(number)\(part.prefix(1).uppercased())\(part.dropFirst())"
    case .website(let number): "website\(number)"
    case .tags: "tags"
    case .note: "note"
    case .unsubscribed: "isUnsubscribed"
    case .bounced: "isBounced"
    case .status: "status"
    case .custom(let name, _): "custom:\(name)"
    }
  }

  /// What kind of a number or an address it is, where the column's name says so.
  var label: String? {
    switch self {
    case .phone(_, let label), .address(_, _, let label): label
    default: nil
    }
  }

  /// Whether several columns may be this: one of them is enough to get no mailings.
  var mayRepeat: Bool { [.ignored, .unsubscribed, .bounced, .status].contains(self) }

  /// What can stand in a mapping, for people.
  static let known =
    "email, firstName, lastName, name, company, jobTitle, birthday, source, phone1 to phone9, phone1Label, "
    + "address1Label, address1Line1, address1Line2, address1City, address1Region, address1PostalCode, "
    + "address1Country (to address9…), website1 to website9, tags, note, isUnsubscribed, isBounced, status, "
    + "custom:<name>, or - for a column that is not taken"
}
