import FLHTTP
import FLInterchange
import FLMariaDB
import FLValues
import Foundation

/// Every SQL statement about the contacts that an account exports.
struct ContactExportRows {
  let account: AccountID
  let queries: any Queries

  private func condition(_ filter: ContactFilter) -> SQL {
    (["c.account_id = \(account)"] + filter.rowConditions(of: account)).joined(by: " AND ")
  }

  /// The next contacts behind `last`, by their ids, with all that belongs to them.
  func page(_ filter: ContactFilter, behind last: ContactID?, limit: Int) throws -> [Contact] {
    let behind: SQL = last.map { "AND c.id > \($0)" } ?? ""
    let rows = try queries.rows(
      """
      SELECT \(ContactRows.columns) FROM contacts c FORCE INDEX (contacts_account)
      WHERE \(condition(filter)) \(behind) ORDER BY c.id LIMIT \(limit)
      """)
    return try ContactRows(account: account, queries: queries).whole(rows)
  }

  /// The names of the custom fields, in alphabetical order, of up to `limit` sets of them.
  func customNames(_ filter: ContactFilter, limit: Int) throws -> [String] {
    let rows = try queries.rows(
      """
      SELECT DISTINCT JSON_KEYS(c.custom_fields) AS names FROM contacts c
      WHERE \(condition(filter)) AND c.custom_fields IS NOT NULL LIMIT \(limit)
      """)
    var names: Set<String> = []
    for row in rows {
      let text: String? = try row["names"]
      for name in (try? JSON(reading: Array((text ?? "[]").utf8)))?.array ?? [] {
        if let name = name.string { names.insert(name) }
      }
    }
    return names.sorted()
  }
}

/// Writes the contacts of an account into a file that is gone with whoever reads it: a page is in memory at a time.
struct ContactExport {
  let account: AccountID
  let database: Database
  /// Where the file is, for as long as it has a name.
  let directory: String

  private static let contactsAtOnce = 1000
  /// The most custom fields that get a column.
  private static let mostCustomNames = 200
  private static let mostPhones = 3
  private static let mostAddresses = 2

  /// The file, open and without a name.
  /// - Throws: `Problem` 503 where the disk does not take it; `DatabaseError`.
  func file(_ format: ContactFileFormat, _ filter: ContactFilter, withMark: Bool) throws -> FileBody {
    let file = try FileStore(directory: directory).stage()
    // The name goes with `file`, at the end of this; the bytes stay as long as the answer is open.
    switch format {
    case .csv: try writeCSV(to: file, filter, withMark: withMark)
    case .vcard: try writeCards(to: file, filter)
    }
    let descriptor = fcntl(file.descriptor, F_DUPFD_CLOEXEC, 0)
    guard descriptor >= 0 else { throw Problem.noSpaceForFiles }
    return FileBody(adopting: descriptor, range: 0..<file.size)
  }

  private func writeCSV(to file: StagedFile, _ filter: ContactFilter, withMark: Bool) throws {
    let rows = ContactExportRows(account: account, queries: database)
    let names = Array(try rows.customNames(filter, limit: 5000).prefix(Self.mostCustomNames))
    var writer = CSVWriter(mark: withMark)
    writer.row(Self.header(names))
    try forEachPage(filter) { contacts in
      for contact in contacts { writer.row(Self.cells(contact, names)) }
      try writer.take().withUnsafeBytes { try file.append($0) }
    }
    try writer.take().withUnsafeBytes { try file.append($0) }
  }

  private func writeCards(to file: StagedFile, _ filter: ContactFilter) throws {
    var writer = VCardWriter()
    try forEachPage(filter) { contacts in
      for contact in contacts { writer.card(VCard(contact)) }
      try writer.take().withUnsafeBytes { try file.append($0) }
    }
  }

  private func forEachPage(_ filter: ContactFilter, _ use: ([Contact]) throws -> Void) throws {
    let rows = ContactExportRows(account: account, queries: database)
    var last: ContactID?
    while true {
      let page = try rows.page(filter, behind: last, limit: Self.contactsAtOnce)
      if !page.isEmpty { try use(page) }
      guard page.count == Self.contactsAtOnce else { return }
      last = page.last?.id
    }
  }

  // MARK: Cells

  private static func header(_ customNames: [String]) -> [String] {
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

  private static func cells(_ contact: Contact, _ customNames: [String]) -> [String] {
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
