import FLHTTP
import FLInterchange
import FLMariaDB
import FLValues

/// Every SQL statement about the contacts that an account exports.
struct ContactExportRows {
  let account: AccountID
  let queries: any Queries
  /// How many contacts a statement looks at, where it may leave most of them out: in an account of a million all of them
  /// would take longer than a statement may.
  var lookedAtOnce = 50_000

  private func condition(_ filter: ContactFilter) -> SQL {
    (["c.account_id = \(account)"] + filter.rowConditions(of: account)).joined(by: " AND ")
  }

  /// The last of the contacts behind `last` at which a statement looks; nil where it can look at all that are left.
  private func end(behind last: ContactID?) throws -> ContactID? {
    try queries.row(
      """
      SELECT c.id FROM contacts c FORCE INDEX (contacts_account) WHERE c.account_id = \(account) \(behind(last))
      ORDER BY c.id LIMIT 1 OFFSET \(lookedAtOnce - 1)
      """
    ).map { try $0["id"] }
  }

  private func behind(_ last: ContactID?, upTo end: ContactID? = nil) -> SQL {
    let behind: SQL = last.map { "AND c.id > \($0)" } ?? ""
    return end.map { "\(behind) AND c.id <= \($0)" } ?? behind
  }

  /// Contacts behind `last`, by their ids, with all that belongs to them, the notes only `withNotes`. There may be none,
  /// and still more behind the id that comes with them; where that is nil, there are no more.
  func page(_ filter: ContactFilter, behind last: ContactID?, limit: Int, withNotes: Bool = true) throws
    -> (contacts: [Contact], last: ContactID?)
  {
    let end = filter.isEmpty ? nil : try end(behind: last)
    let rows = try queries.rows(
      """
      SELECT \(ContactRows.columns) FROM contacts c FORCE INDEX (contacts_account)
      WHERE \(condition(filter)) \(behind(last, upTo: end)) ORDER BY c.id LIMIT \(limit)
      """)
    let contacts = try ContactRows(account: account, queries: queries).whole(rows, withNotes: withNotes)
    return (contacts, contacts.count == limit ? contacts.last?.id : end)
  }

  /// The names of the custom fields, in alphabetical order, of up to `limit` sets of them.
  func customNames(_ filter: ContactFilter, limit: Int) throws -> [String] {
    var sets: Set<String> = []
    var last: ContactID?
    repeat {
      let end = try end(behind: last)
      let rows = try queries.rows(
        """
        SELECT DISTINCT JSON_KEYS(c.custom_fields) AS names FROM contacts c FORCE INDEX (contacts_account)
        WHERE \(condition(filter)) \(behind(last, upTo: end)) AND c.custom_fields IS NOT NULL
        LIMIT \(limit)
        """)
      for row in rows { if let names: String = try row["names"] { sets.insert(names) } }
      last = end
    } while last != nil && sets.count < limit
    var names: Set<String> = []
    for text in sets {
      for name in (try? JSON(reading: Array(text.utf8)))?.array ?? [] {
        if let name = name.string { names.insert(name) }
      }
    }
    return names.sorted()
  }
}

/// The contacts of an account as a file, which is made while it is sent: a page is in memory at a time, and no connection
/// to the database is held while one is sent.
struct ContactExport {
  let account: AccountID
  let database: Database
  let format: ContactFileFormat
  let filter: ContactFilter
  /// Whether a CSV file begins with the mark of UTF-8.
  var withMark = false

  /// The most custom fields that get a column.
  static let mostCustomNames = 200
  /// The most sets of custom fields that are looked at.
  static let mostCustomSets = 5000
  private static let mostPhones = 3
  private static let mostAddresses = 2

  /// The file. `place` is held until it is sent, and `failed` is told why it can't be made to its end.
  ///
  /// What comes before the second page is made at once, so that most of what can go wrong is told by a status.
  /// - Throws: `DatabaseError`.
  func body(holding place: Lane.Place, failed: @escaping @Sendable (any Error) -> Void) throws -> StreamBody {
    let pages = Pages(export: self, customNames: format == .csv ? try customNames() : [])
    let first = try pages.next(behind: nil)
    return StreamBody { put in
      defer { withExtendedLifetime(place) {} }
      try first.bytes.withUnsafeBytes(put)
      var last = first.last
      while let behind = last {
        let page: Pages.Page
        do {
          page = try pages.next(behind: behind)
        } catch {
          failed(error)
          throw error
        }
        try page.bytes.withUnsafeBytes(put)
        last = page.last
      }
    }
  }

  private func customNames() throws -> [String] {
    let rows = ContactExportRows(account: account, queries: database)
    return Array(try rows.customNames(filter, limit: Self.mostCustomSets).prefix(Self.mostCustomNames))
  }

  /// The file in its pieces.
  private struct Pages {
    let export: ContactExport
    let customNames: [String]

    /// A piece of the file.
    struct Page {
      let bytes: [UInt8]
      /// Behind which contact the next one begins; nil where this is the last.
      let last: ContactID?
    }

    /// Cards have the notes, with which a contact may have two megabytes.
    private var contactsAtOnce: Int { export.format == .csv ? 1000 : 100 }

    func next(behind last: ContactID?) throws -> Page {
      let rows = ContactExportRows(account: export.account, queries: export.database)
      let page = try rows.page(
        export.filter, behind: last, limit: contactsAtOnce, withNotes: export.format == .vcard)
      return Page(bytes: bytes(page.contacts, isFirst: last == nil), last: page.last)
    }

    private func bytes(_ contacts: [Contact], isFirst: Bool) -> [UInt8] {
      switch export.format {
      case .csv:
        var writer = CSVWriter(mark: isFirst && export.withMark)
        if isFirst { writer.row(ContactExport.header(customNames)) }
        for contact in contacts { writer.row(ContactExport.cells(contact, customNames)) }
        return writer.bytes
      case .vcard:
        var writer = VCardWriter()
        for contact in contacts { writer.card(VCard(contact)) }
        return writer.bytes
      }
    }
  }

  // MARK: Cells

  fileprivate static func header(_ customNames: [String]) -> [String] {
    var names = ["email", "firstName", "lastName", "name", "company", "jobTitle", "birthday", "source"]
    for number in 1...mostPhones { names += ["phone\(number)", "phone\(number)Label"] }
    for number in 1...mostAddresses {
      for part in ContactColumn.addressParts {
        names.append(ContactColumn.address(number, part: part, label: nil).name)
      }
    }
    names += ["website", "tags", "groups"]
    names += customNames.map { "custom:\($0)" }
    return names + [
      "isUnsubscribed", "unsubscribedAt", "isBounced", "bouncedAt", "bounceReason", "createdAt",
    ]
  }

  fileprivate static func cells(_ contact: Contact, _ customNames: [String]) -> [String] {
    var cells: [String?] = [
      contact.email, contact.firstName, contact.lastName, contact.name, contact.company, contact.jobTitle,
      contact.birthday?.description, contact.source,
    ]
    for number in 0..<mostPhones {
      let phone = contact.phones.indices.contains(number) ? contact.phones[number] : nil
      cells += [phone?.number, phone?.label]
    }
    for number in 0..<mostAddresses {
      let place = contact.addresses.indices.contains(number) ? contact.addresses[number] : nil
      cells += [
        place?.label, place?.line1, place?.line2, place?.city, place?.region, place?.postalCode,
        place?.country,
      ]
    }
    cells += [
      contact.websites.first?.url, ContactText.joined(contact.tags),
      ContactText.joined(contact.groups.map(\.name)),
    ]
    for name in customNames { cells.append(contact.customFields.members[name].map(ContactText.spelled)) }
    cells += [
      contact.unsubscribedAt == nil ? "false" : "true", contact.unsubscribedAt.map(text),
      contact.bouncedAt == nil ? "false" : "true", contact.bouncedAt.map(text), contact.bounceReason,
      text(contact.createdAt),
    ]
    return cells.map { $0 ?? "" }
  }

  /// A time as RFC 3339 has it.
  private static func text(_ time: Timestamp) -> String {
    String(decoding: time.civil.rfc3339, as: UTF8.self)
  }

  /// A time as vCard has it: `20261122T082700Z`.
  static func compact(_ time: Timestamp) -> String { text(time).filter { $0 != "-" && $0 != ":" } }
}
