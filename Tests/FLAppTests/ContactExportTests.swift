import FLHTTP
import FLInterchange
import FLMariaDB
import FLValues
import Foundation
import HTTPTypes
import Synchronization
import Testing

@testable import FLApp

@Suite struct ContactExportTests {
  private static let shared = Result { try House() }
  let house: House

  init() throws { house = try Self.shared.get() }

  /// Contacts with all that a contact may have, some of it what a spreadsheet would run.
  private func fill(_ client: Client, plain: Bool) throws {
    var rows: [ContactRow] = []
    for (index, sign) in ["=1+1", "'=1", "+49", "-5", "@a", "x;=1", "a\\;b,c", "\"q\"", "'", "ü𝄞"]
      .enumerated()
    {
      var contact: JSONObject = [
        "email": .string("p\(index)@example.org"), "firstName": .string(sign),
        "lastName": .string(sign + " l"),
        "company": .string(sign), "jobTitle": .string(sign), "birthday": "1980-02-29",
        "source": .string(sign),
        "phones": [["number": "+49 30 1", "label": "work"], ["number": "2"]],
        "addresses": [
          [
            "label": .string(sign), "line1": .string(sign), "line2": "b", "city": "c", "region": "d",
            "postalCode": "-1", "country": "DE",
          ],
          ["city": .string(sign)],
        ],
        "websites": [["url": "https://example.org/a?b=c;d,e"]],
        "tags": [.string(sign), "other"],
        "customFields": [
          "text": .string(sign), "number": -5, "share": .number(1.5), "is": true, "like": "12",
          "quoted": "\"a\"",
          "lines": .string("a\n" + sign), "null": "null", "is not": "false", "Text": "another",
        ],
      ]
      if index % 2 == 0 { contact["name"] = .string(sign + " whole") }
      if index == 3 { contact["isUnsubscribed"] = true }
      if index == 4 { contact["isBounced"] = true }
      if !plain {
        contact["notes"] = [["body": .string("a\n" + sign)], ["body": "two"]]
        contact["websites"] = [
          ["url": "https://example.org/"], ["url": "https://example.com/", "label": "Büro"],
        ]
        contact["phones"] = .array(
          (1...6).map { ["number": .string("\($0)"), "label": .string("Kind \($0)")] })
      }
      rows.append(ContactRow(reading: .object(contact)))
    }
    let result = try ContactUpsert(account: client.account(in: house), database: house.app.database).run(
      rows, tags: [], source: nil, at: house.clock.now)
    try #require(result.created == rows.count, "\(result.errors)")
  }

  /// What is to be the same in another account.
  private func told(_ client: Client) throws -> [String] {
    try client.contacts(in: house).values.sorted { $0.email < $1.email }.map { contact in
      let json = try #require(try JSON(reading: Contact.shape.bytes(contact)).object)
      func bare(_ json: JSON) -> JSON {
        guard let object = json.object else { return json.array.map { .array($0.map(bare)) } ?? json }
        return .object(
          object.members.sorted { $0.name < $1.name }.reduce(into: JSONObject()) { result, member in
            let changes = [
              "id", "createdAt", "updatedAt", "bouncedAt", "unsubscribedAt", "bounceReason",
              "unsubscribeReason",
            ]
            if !changes.contains(member.name) { result[member.name] = bare(member.value) }
          })
      }
      return bare(.object(json)).text
    }
  }

  @Test(arguments: ["csv", "vcard"])
  func whatIsExportedComesBack(format: String) throws {
    let anna = try house.account()
    let other = try house.account()
    try fill(anna, plain: format == "csv")
    let file = anna.get("/api/contacts/export?format=\(format)")
    #expect(file.status == 200 && file.headers[.contentType] == "text/\(format); charset=utf-8")
    let ending = format == "csv" ? "csv" : "vcf"
    #expect(file.headers[.contentDisposition]?.hasPrefix("attachment; filename=\"contacts-20") == true)
    #expect(file.headers[.contentDisposition]?.hasSuffix(".\(ending)\"") == true)
    let done = other.importing(file.bytes, as: "contacts.\(ending)")
    #expect(done.status == 201 && done["created"] == 10 && done["failed"] == 0, "\(done)")
    let (before, after) = (try told(anna), try told(other))
    for (one, two) in zip(before, after) { #expect(one == two) }
    #expect(before.count == after.count)
    // The same again changes nothing.
    #expect(other.importing(file.bytes, as: "contacts.\(ending)").counts == [10, 0, 0, 10, 0])
  }

  @Test func noCellWouldBeRun() throws {
    let anna = try house.account()
    try fill(anna, plain: true)
    let file = anna.get("/api/contacts/export")
    var reader = CSVReader(delimiter: UInt8(ascii: ","))
    var rows: [[String]] = []
    func take(_ event: CSV.Event) { if case .row(let row) = event { rows.append(row.cells) } }
    try reader.push(file.bytes, take)
    try reader.finish(take)
    try #require(rows.count == 11 && rows.allSatisfy { $0.count > 1 })
    for cell in rows.flatMap({ $0 }) {
      #expect(cell.first.map { !"=+-@\t\r".contains($0) } ?? true, "\(cell)")
    }
    #expect(rows[0].prefix(4) == ["email", "firstName", "lastName", "name"])
    #expect(rows[1][1] == "'=1+1" && rows[2][1] == "''=1")
    #expect(anna.get("/api/contacts/export?mark=true").bytes.starts(with: [0xEF, 0xBB, 0xBF]))
  }

  @Test func filtersNarrowIt() throws {
    let anna = try house.account()
    try fill(anna, plain: true)
    let account = try anna.account(in: house)
    let now = house.clock.now
    let group = ID<ContactMembership>(at: now)
    _ = try house.app.database.run(
      """
      INSERT INTO contact_groups (id, account_id, name, created_at, updated_at)
      VALUES (\(group), \(account), 'g', \(now), \(now))
      """)
    let ids = try anna.contacts(in: house).values.prefix(2).map(\.id)
    try ContactImportRows(account: account, queries: house.app.database).addMembers(
      Array(ids), to: group, at: now)
    func count(_ query: String) -> Int {
      anna.get("/api/contacts/export?format=vcard&" + query).text.components(separatedBy: "BEGIN:VCARD").count
        - 1
    }
    #expect(count("") == 10 && count("tag=other") == 10 && count("tag=%40a") == 1 && count("tag=none") == 0)
    #expect(
      count("isBounced=true") == 1 && count("isUnsubscribed=false") == 9 && count("groupId=\(group)") == 2)
    let stranger = try house.account()
    #expect(stranger.get("/api/contacts/export?groupId=\(group)").fields == ["groupId not_found"])
    #expect(stranger.get("/api/contacts/export").text.split(separator: "\r\n").count == 1)
    #expect(anna.get("/api/contacts/export?format=xls").fields == ["format invalid_choice"])
    let head = anna.head("/api/contacts/export")
    #expect(head.status == 200 && head.headers[.contentType] == "text/csv; charset=utf-8")
  }

  @Test func severalPagesAreOneFile() throws {
    let anna = try house.account()
    let lines = (0..<2500).map { "p\($0)@example.org\n" }.joined()
    #expect(anna.importing("email\n" + lines)["created"] == 2500)
    let file = anna.get("/api/contacts/export")
    let exported = file.text.split(separator: "\r\n").dropFirst().map { $0.prefix { $0 != "," } }
    #expect(exported.count == 2500 && Set(exported).count == 2500)
  }

  /// No statement looks at all contacts of a large account.
  @Test func whatAFilterLeavesIsFoundInStretches() throws {
    let anna = try house.account()
    var text = "email,tags,custom:all,custom:tagged,custom:last\n"
    for index in 0..<20 {
      let isTagged = [4, 5, 6, 7, 18].contains(index)
      text +=
        "p\(index)@example.org,\(isTagged ? "t" : ""),1,\(isTagged ? "2" : ""),\(index == 19 ? "3" : "")\n"
    }
    #expect(anna.importing(text)["created"] == 20)
    let rows = ContactExportRows(
      account: try anna.account(in: house), queries: house.app.database, lookedAtOnce: 3)
    for (filter, count) in [
      (ContactFilter(tag: "t"), 5), (ContactFilter(), 20), (ContactFilter(tag: "x"), 0),
    ] {
      for limit in [2, 3, 100] {
        var found: [String] = []
        var last: ContactID?
        repeat {
          let page = try rows.page(filter, behind: last, limit: limit)
          found += page.contacts.map(\.email)
          last = page.last
        } while last != nil
        #expect(found.count == count && Set(found).count == count, "\(limit)")
      }
    }
    #expect(try rows.customNames(ContactFilter(), limit: 100) == ["all", "last", "tagged"])
    #expect(try rows.customNames(ContactFilter(tag: "t"), limit: 100) == ["all", "tagged"])
  }

  /// An export of so many contacts, and the house's place for it.
  private func export(_ contacts: Int, in house: House, _ failed: @escaping @Sendable () -> Void) throws
    -> StreamBody
  {
    let anna = try house.account()
    let lines = (0..<contacts).map { "p\($0)@example.org\n" }.joined()
    try #require(anna.importing("email\n" + lines)["created"] == .integer(Int64(contacts)))
    let lane = house.app.imports.lane
    let export = ContactExport(
      account: try anna.account(in: house), database: house.app.database, format: .csv,
      filter: ContactFilter())
    return try export.body(holding: lane.place(.exports, atMost: 1, or: .notFound), failed: { _ in failed() })
  }

  @Test func anExportThatCannotBeFinishedIsNotWhole() throws {
    let house = try House()
    let failures = Mutex(0)
    let body = try export(2500, in: house) { failures.withLock { $0 += 1 } }
    var pieces = 0
    let isWhole = body.forEachPiece { piece in
      pieces += 1
      // The database fails behind the first page, which was made before.
      if pieces == 1 { _ = try? house.app.database.run("DROP TABLE contact_tags") }
      return !piece.isEmpty
    }
    #expect(!isWhole && pieces == 1 && failures.withLock { $0 } == 1)
  }

  @Test func anExportThatNobodyTakesStops() throws {
    let house = try House()
    let lane = house.app.imports.lane
    do {
      let body = try export(3500, in: house) {}
      #expect(throws: Problem.self) { try lane.place(.exports, atMost: 1, or: .notFound) }
      var pieces = 0
      #expect(
        !body.forEachPiece { _ in
          pieces += 1
          return pieces < 2
        })
      #expect(pieces == 2)
      #expect(body.forEachPiece { _ in true })
    }
    _ = try lane.place(.exports, atMost: 1, or: .notFound)
  }

  @Test func theLargestContactComesBackAsACard() throws {
    let anna = try house.account()
    let other = try house.account()
    let text = String(repeating: "𝄞", count: 5000)
    // Less than a contact may have, and more than a card of other programs is ever.
    let notes = JSON.array((0..<60).map { ["body": .string("\($0)" + text.dropLast(2))] })
    let result = try ContactUpsert(account: anna.account(in: house), database: house.app.database).run(
      [ContactRow(reading: ["email": "a@example.org", "notes": notes, "source": "x"])], tags: [], source: nil,
      at: house.clock.now)
    try #require(result.created == 1, "\(result.errors)")
    let file = anna.get("/api/contacts/export?format=vcard")
    #expect(file.bytes.count > 1_200_000)
    let path = try #require(other.importing(file.bytes, as: "a.vcf").location)
    while try house.app.imports.runNext(clock: { house.clock.now }, until: { false }) {}
    #expect(other.get(path).counts == [1, 1, 0, 0, 0])
    #expect(try told(anna) == told(other))
  }
}
