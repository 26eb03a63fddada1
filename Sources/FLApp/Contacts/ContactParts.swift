import FLGeoIP
import FLHTTP
import FLMariaDB
import FLValues

/// Something of which a contact has several: telephone numbers, addresses, websites, notes.
///
/// All that is done with them (rows, routes, merging) is written once, over this.
protocol ContactPart: Sendable {
  /// The table.
  static var table: SQL { get }
  /// The columns beside those of the ids, in the order of `values`.
  static var columns: [SQL] { get }
  /// How many a contact may have.
  static var most: Int { get }
  /// Which they are.
  static var kind: ContactPartKind { get }
  /// How the API shows it.
  static var shape: Shape<Self> { get }
  /// How it is given. An id and the time of making may be given as they were answered; who has no such part gets a
  /// new one.
  static var input: Shape<Self> { get }

  var id: ID<Self> { get set }
  /// The values of `columns`.
  var values: [SQLValue] { get }
  /// By what a given part is one that is there already.
  var likeness: String { get }
  init(_ row: Row) throws
  /// This part as one that is made `now`.
  func made(at now: Timestamp) -> Self
  /// This part with what can't be changed as `before` has it.
  func made(like before: Self) -> Self
}

extension ContactPart {
  func made(at now: Timestamp) -> Self { self }
  func made(like before: Self) -> Self { self }
}

/// The kinds of parts, with the names that the API has for them.
enum ContactPartKind: String, Sendable {
  case phones, addresses, websites, notes

  /// One of them, in words and in the names of operations.
  var single: String {
    switch self {
    case .phones: "phone"
    case .addresses: "address"
    case .websites: "website"
    case .notes: "note"
    }
  }

  /// `phones` with a capital, for the names of operations.
  var capital: String { rawValue.prefix(1).uppercased() + rawValue.dropFirst() }
  /// `phone` with a capital.
  var singleCapital: String { single.prefix(1).uppercased() + single.dropFirst() }
}

private enum Member {
  static let label: Shape<String?> = .optional(.text(1...64))
  static let line: Shape<String?> = .optional(.text(1...255))
  static let code: Shape<String?> = .optional(.text(1...32))
  static let text: Shape<String?> = .optional(.string)
  static let time: Shape<Timestamp?> = .optional(.timestamp)
  static let country: Shape<String?> = .optional(.country)
  static let number: Shape<String> = Shape<String>.text(1...64).satisfying("invalid_phone") { text in
    text.utf8.contains { (48...57).contains($0) } ? nil : "This must have a digit in it."
  }
  static let body: Shape<String> = .text(1...5000, lines: true)
}

extension Shape where Value == String {
  /// A country by ISO 3166-1 alpha-2, in capitals.
  static var country: Shape {
    let schema = Schema(["type": "string", "pattern": "^[A-Za-z]{2}$", "examples": ["CH"]])
    return Shape(
      schema: schema,
      readText: { text, reading in
        let code = text.uppercased()
        guard Countries[code] != nil else {
          reading.refuse("invalid_country", "This must be a country's code by ISO 3166-1 alpha-2, like CH.")
          return nil
        }
        return code
      },
      write: { $1.string($0) })
  }
}

/// A telephone number of a contact.
struct ContactPhone: ContactPart {
  var id: ID<ContactPhone> = .new
  var label: String?
  var number: String

  static let kind = ContactPartKind.phones
  static let table: SQL = "contact_phones"
  static let columns: [SQL] = ["label", "number"]
  static let most = 20

  /// The digits.
  var digits: String { String(decoding: number.utf8.filter { (48...57).contains($0) }, as: UTF8.self) }
  var likeness: String { digits }
  var values: [SQLValue] { [label.sqlValue, number.sqlValue] }

  static let shape = Shape<ContactPhone>.output(
    "ContactPhone",
    [
      .init("id", \.id, .id()), .init("label", \.label, Member.text), .init("number", \.number, .string),
    ])

  static let input = Shape<ContactPhone>(
    { id, label, number in ContactPhone(id: id ?? .new, label: label, number: number) },
    Field("id", \.id, ID<ContactPhone>.given), Field("label", \.label, Member.label),
    Field("number", \.number, Member.number)
  ).named("NewContactPhone")
}

extension ContactPhone {
  init(_ row: Row) throws { try self.init(id: row["id"], label: row["label"], number: row["number"]) }
}

/// A postal address of a contact.
struct ContactAddress: ContactPart {
  var id: ID<ContactAddress> = .new
  var label: String?
  var line1: String?
  var line2: String?
  var city: String?
  var region: String?
  var postalCode: String?
  /// ISO 3166-1 alpha-2.
  var country: String?

  static let kind = ContactPartKind.addresses
  static let table: SQL = "contact_addresses"
  static let columns: [SQL] = ["label", "line1", "line2", "city", "region", "postal_code", "country"]
  static let most = 10

  private var texts: [String?] { [line1, line2, city, region, postalCode, country] }
  var likeness: String { texts.map { $0?.lowercased() ?? "" }.joined(separator: "\u{0}") }
  var values: [SQLValue] { [label.sqlValue] + texts.map(\.sqlValue) }

  static let shape = Shape<ContactAddress>.output(
    "ContactAddress",
    [
      .init("id", \.id, .id()), .init("label", \.label, Member.text), .init("line1", \.line1, Member.text),
      .init("line2", \.line2, Member.text), .init("city", \.city, Member.text),
      .init("region", \.region, Member.text), .init("postalCode", \.postalCode, Member.text),
      .init("country", \.country, Member.text),
    ])

  static let input = Shape<ContactAddress>(
    { id, label, line1, line2, city, region, code, country in
      ContactAddress(
        id: id ?? .new, label: label, line1: line1, line2: line2, city: city, region: region,
        postalCode: code, country: country)
    },
    Field("id", \.id, ID<ContactAddress>.given), Field("label", \.label, Member.label),
    Field("line1", \.line1, Member.line), Field("line2", \.line2, Member.line),
    Field("city", \.city, Member.line), Field("region", \.region, Member.line),
    Field("postalCode", \.postalCode, Member.code), Field("country", \.country, Member.country)
  ).map(
    to: { address, reading in
      if address.texts.contains(where: { $0 != nil }) { return address }
      reading.refuse("required", "An address needs a line, a city, a region, a postal code or a country.")
      return nil
    }, from: { $0 }
  ).named("NewContactAddress")
}

extension ContactAddress {
  init(_ row: Row) throws {
    try self.init(
      id: row["id"], label: row["label"], line1: row["line1"], line2: row["line2"], city: row["city"],
      region: row["region"], postalCode: row["postal_code"], country: row["country"])
  }
}

/// A web address of a contact.
struct ContactWebsite: ContactPart {
  var id: ID<ContactWebsite> = .new
  var label: String?
  var url: String

  static let kind = ContactPartKind.websites
  static let table: SQL = "contact_websites"
  static let columns: [SQL] = ["label", "url"]
  static let most = 10

  var likeness: String { url }
  var values: [SQLValue] { [label.sqlValue, url.sqlValue] }

  static let shape = Shape<ContactWebsite>.output(
    "ContactWebsite",
    [.init("id", \.id, .id()), .init("label", \.label, Member.text), .init("url", \.url, .string)])

  private static let address: Shape<String> = {
    let url = Shape<WebURL>.webURL
    return Shape(
      schema: url.schema, read: { url.read($0, into: &$1)?.text }, write: { $1.string($0) })
  }()

  static let input = Shape<ContactWebsite>(
    { id, label, url in ContactWebsite(id: id ?? .new, label: label, url: url) },
    Field("id", \.id, ID<ContactWebsite>.given), Field("label", \.label, Member.label),
    Field("url", \.url, address)
  ).named("NewContactWebsite")
}

extension ContactWebsite {
  init(_ row: Row) throws { try self.init(id: row["id"], label: row["label"], url: row["url"]) }
}

/// What an account has noted about a contact, for itself.
struct ContactNote: ContactPart {
  var id: ID<ContactNote> = .new
  var body: String
  var createdAt: Timestamp = .init(seconds: 0)

  static let kind = ContactPartKind.notes
  static let table: SQL = "contact_notes"
  static let columns: [SQL] = ["body", "created_at"]
  static let most = 100

  var likeness: String { body }
  var values: [SQLValue] { [body.sqlValue, createdAt.sqlValue] }

  func made(at now: Timestamp) -> ContactNote { ContactNote(id: id, body: body, createdAt: now) }
  func made(like before: ContactNote) -> ContactNote { made(at: before.createdAt) }

  static let shape = Shape<ContactNote>.output(
    "ContactNote",
    [.init("id", \.id, .id()), .init("body", \.body, .string), .init("createdAt", \.createdAt, .timestamp)])

  static let input = Shape<ContactNote>(
    // When it was made is known already where the note is, and is now where it is not.
    { id, body, _ in ContactNote(id: id ?? .new, body: body) },
    Field("id", \.id, ID<ContactNote>.given), Field("body", \.body, Member.body),
    Field("createdAt", \.createdAt, Member.time.described("As it was answered; it can't be changed."))
  ).named("NewContactNote")
}

extension ContactNote {
  init(_ row: Row) throws {
    try self.init(id: row["id"], body: row["body"], createdAt: row["created_at"])
  }
}

extension ID {
  /// That of what has none yet.
  fileprivate static var new: ID { ID(high: 0, low: 0) }

  /// The id of a part that is given along with a contact.
  fileprivate static var given: Shape<ID?> {
    Shape<ID?>.optional(.id()).described("As it was answered; leave it out for a new one.")
  }
}
