import FLHTTP
import FLInterchange
import FLMariaDB
import FLValues
import Foundation
import HTTPTypes
import Testing

@testable import FLApp

extension Client {
  /// Sends a file to import as a browser does.
  func importing(
    _ content: [UInt8], as name: String = "contacts.csv", fields: [(String, String)] = [],
    to path: String = "/api/contacts/import", _ headers: HTTPFields = [:]
  ) -> Answer {
    let boundary = "----boundary\(UInt64.random(in: 0...UInt64.max))"
    var body = ""
    for (field, value) in fields {
      body += "--\(boundary)\r\nContent-Disposition: form-data; name=\"\(field)\"\r\n\r\n\(value)\r\n"
    }
    body += "--\(boundary)\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\(name)\"\r\n\r\n"
    var headers = headers
    headers[.contentType] = "multipart/form-data; boundary=\(boundary)"
    return send(
      .post, path, headers, bytes: Array(body.utf8) + content + Array("\r\n--\(boundary)--\r\n".utf8))
  }

  func importing(_ text: String, as name: String = "contacts.csv", fields: [(String, String)] = []) -> Answer
  {
    importing(Array(text.utf8), as: name, fields: fields)
  }

  /// The account's id.
  func account(in house: House) throws -> AccountID {
    try #require(try house.app.database.row("SELECT id FROM accounts WHERE email = \(email)"))["id"]
  }

  /// What the account knows of its contacts, by their addresses.
  func contacts(in house: House) throws -> [String: Contact] {
    let rows = ContactExportRows(account: try account(in: house), queries: house.app.database)
    let all = try rows.page(ContactFilter(), behind: nil, limit: 100_000).contacts
    let found = Dictionary(all.map { ($0.email, $0) }) { first, _ in first }
    try #require(found.count == all.count)
    return found
  }
}

extension Answer {
  /// The counts of an import: submitted, created, updated, skipped, failed.
  var counts: [Int64] {
    ["totalSubmitted", "created", "updated", "skipped", "failed"].map { self[$0]?.integer ?? -1 }
  }

  /// The errors of rows: `2 email required`.
  var rowErrors: [String] {
    self["errors"]?.array?.map {
      "\($0["index"]?.integer ?? -1) \($0["field"]?.string ?? "") \($0["code"]?.string ?? "")"
    } ?? []
  }
}

@Suite struct ContactImportTests {
  private static let shared = Result { try House() }
  let house: House

  init() throws { house = try Self.shared.get() }

  @Test func aFileOfASpreadsheetIsImported() throws {
    // Of its own, for it looks at what is left on the disk.
    let house = try House()
    let anna = try house.account()
    let text = """
      E-Mail;Vorname;Nachname;Firma;Telefon;Handy;Straße;PLZ;Ort;Land;Geburtstag;Tags;Kundennummer;Webseite\r
      bob@example.org;Bob;Müller;"Müller; Söhne";+49 30 1;0171 2;Weg 1;10115;Berlin;Deutschland;31.12.1980;a, b;0042;bob.example\r
      carla@example.org;Carla;;;;;;;;;;;;\r
      ;Niemand;;;;;;;;;;;;\r
      \r
      no address;X;;;;;;;;;;;;\r
      BOB@example.org;Robert;;;;;;;;;;;;\r

      """
    let done = anna.importing(
      [0xEF, 0xBB, 0xBF] + Array(text.utf8),
      fields: [("mapping", "{\"Kundennummer\": \"custom:number\"}"), ("tags", "fair, c")])
    #expect(done.status == 201 && done["status"] == "done", "\(done)")
    #expect(done.counts == [5, 2, 1, 0, 2] && done["format"] == "csv")
    #expect(done.rowErrors == ["3 email required", "4 email invalid_email"], "\(done.rowErrors)")
    #expect(done["size"] == done["position"] && done["finishedAt"]?.string != nil)
    #expect(anna.get(try #require(done.location)).bytes == done.bytes)
    let bob = try #require(try anna.contacts(in: house)["bob@example.org"])
    #expect(bob.firstName == "Robert" && bob.lastName == "Müller" && bob.company == "Müller; Söhne")
    #expect(bob.phones.map(\.number) == ["+49 30 1", "0171 2"] && bob.phones.map(\.label) == [nil, "cell"])
    let place = try #require(bob.addresses.first)
    #expect(place.line1 == "Weg 1" && place.postalCode == "10115" && place.country == "DE")
    #expect(
      bob.birthday?.description == "1980-12-31"
        && bob.websites.first?.url.hasPrefix("https://bob.example") == true)
    #expect(Set(bob.tags) == ["a", "b", "c", "fair"] && bob.source == "import")
    #expect(bob.customFields.members["number"] == "0042")
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: house.settings.state + "/imports") == ["incoming"])
  }

  @Test(
    "Files of others are known by their columns",
    arguments: [
      // Google
      (
        "First Name,Last Name,Organization Name,Organization Title,Labels,E-mail 1 - Label,E-mail 1 - Value,E-mail 2 - Value,Phone 1 - Label,Phone 1 - Value,Address 1 - Street,Address 1 - Country,Website 1 - Value\n"
          + "A,B,C,D,* myContacts ::: x,* Work,a@example.org,z@example.org,Mobile,1 ::: 2,S 1,Germany,a.example\n",
        "A|B||C|D|1 Mobile,2 Mobile|S 1 DE|x"
      ),
      // Outlook
      (
        "Title,First Name,Last Name,Company,Job Title,Business Street,Business Country/Region,Home Phone,Mobile Phone,Birthday,E-mail Address,Categories\n"
          + "Dr.,A,B,C,D,S 1,France,1,2,0/0/00,a@example.org,x\n",
        "A|B||C|D|2 cell,1 home|S 1 FR|x"
      ),
      // Mailchimp
      (
        "Email Address,First Name,Last Name,Address,Phone Number,Birthday,MEMBER_RATING,TAGS\n"
          + "a@example.org,A,B,S 1,1,05/12,2,\"\"\"x\"\",\"\"y\"\"\"\n", "A|B||||1 -|S 1 -|x,y"
      ),
      ("prénom,nom,courriel,société,code postal\nA,B,a@example.org,C,75\n", "A|B||C|||75 -|"),
      ("nombre;apellidos;correo electrónico;empresa\nA;B;a@example.org;C\n", "A|B||C||||"),
      ("Vorname\tName\tE-Mail-Adresse\nA\tB\ta@example.org\n", "A|B||||||"),
      ("name,email\nA B,a@example.org\n", "||A B|||||"),
      (
        "firstName,lastName,name,email\nA,B,A B,a@example.org\nA,B,Dr. A B,a@example.org\n",
        "A|B|Dr. A B|||||"
      ),
    ])
  func others(text: String, expected: String) throws {
    let anna = try house.account()
    let done = anna.importing(text)
    #expect(done.status == 201 && done["failed"] == 0, "\(done)")
    let contact = try #require(try anna.contacts(in: house)["a@example.org"])
    let phones = contact.phones.map { "\($0.number) \($0.label ?? "-")" }.joined(separator: ",")
    let places = contact.addresses.map { "\($0.line1 ?? $0.postalCode ?? "") \($0.country ?? "-")" }.joined()
    let told =
      [contact.firstName, contact.lastName, contact.fullName, contact.company, contact.jobTitle]
      .map { $0 ?? "" } + [phones, places, contact.tags.joined(separator: ",")]
    #expect(told.joined(separator: "|") == expected)
  }

  @Test func cardsAreImported() throws {
    let anna = try house.account()
    let text = """
      BEGIN:VCARD\r\nVERSION:3.0\r\nN:Müller;Bob;;;\r\nFN:Bob Müller\r\nEMAIL;TYPE=INTERNET:b@example.org\r
      TEL;TYPE=CELL:+49 1\r\nADR;TYPE=HOME:;;Weg 1;Wien;;1010;Österreich\r\nBDAY:1980-12-31\r\nNOTE:a\\nb\r
      CATEGORIES:x,y\r\nORG:Firma;Abteilung\r\nEND:VCARD\r\nBEGIN:VCARD\r\nFN:Nobody\r\nEND:VCARD\r\nBEGIN:VCARD\r
      """
    let done = anna.importing(text, as: "x.txt")
    #expect(done.status == 201 && done["format"] == "vcard" && done.counts == [3, 1, 0, 0, 2], "\(done)")
    #expect(done.rowErrors == ["2 email required", "3 row unclosed_card"])
    let bob = try #require(try anna.contacts(in: house)["b@example.org"])
    #expect(
      bob.firstName == "Bob" && bob.lastName == "Müller" && bob.fullName == nil && bob.company == "Firma")
    #expect(bob.phones.first?.label == "cell" && bob.addresses.first?.country == "AT")
    #expect(bob.notes.map(\.body) == ["a\nb"] && bob.tags == ["x", "y"])
  }

  @Test(
    "What can't be imported is told in clear words",
    arguments: [
      ("a,b\n1,2\n", [("x", "y")], "file email_column_missing;x unknown_field"),
      ("a,b\n1,2\n", [], "file email_column_missing"),
      ("email,a,A\n", [], "file duplicate_column"),
      ("", [], "file empty"), ("\n\n", [], "file empty"),
      ("\"email\n1,2", [], "file broken_quote"),
      (
        "email\n", [("mapping", "{\"x\": \"firstName\", \"email\": \"nonsense\"}")],
        "mapping.email unknown_member"
      ),
      ("email,q\n", [("mapping", "{\"x\": \"firstName\"}")], "mapping.x unknown_column"),
      ("email,q\n", [("mapping", "{\"q\": \"email\", \"email\": \"email\"}")], "mapping.q repeated"),
      ("email,q\n", [("mapping", "{\"email\": \"-\"}")], "file email_column_missing"),
      ("email,custom:a,custom:a\n", [], "file duplicate_column"),
      ("email\n", [("mapping", "[]")], "mapping invalid_type"),
      ("email\n", [("mapping", "{")], "mapping malformed_json"),
      ("email\n", [("format", "xls"), ("delimiter", "|")], "delimiter invalid_choice;format invalid_choice"),
      ("email\n", [("groupId", "019a0000-0000-7000-8000-000000000000")], "groupId not_found"),
      ("email\n", [("groupId", "x")], "groupId invalid_id"),
      ("email\n", [("tags", String(repeating: "x", count: 65))], "tags[0] too_long"),
      ("email\n", [("format", "vcard")], "file no_cards"),
      ("BEGIN:VCARD\nEND:VCARD\n", [("mapping", "{\"a\": \"email\"}")], "mapping not_allowed"),
      ("PK\u{3}\u{4}", [], "file workbook"), ("a\u{0}b", [], "file not_text"),
    ] as [(String, [(String, String)], String)])
  func refused(text: String, fields: [(String, String)], expected: String) throws {
    let anna = try house.account()
    let answer = anna.importing(text, fields: fields)
    let told = answer.fields.sorted().joined(separator: ";")
    // What is wrong with the form is told before the file is looked at.
    #expect(answer.status == 422, "\(answer)")
    #expect(told == expected || expected.hasSuffix(";" + told) || expected.hasPrefix(told + ";"), "\(told)")
    #expect(anna.get("/api/contacts/imports")["total"] == 0)
  }

  @Test func anImportLiftsNothingAndMayUnsubscribe() throws {
    let anna = try house.account()
    #expect(
      anna.importing(
        "email,unsubscribed,bounced\na@example.org,TRUE,\nb@example.org,no,1\nc@example.org,,\nd@example.org,whatever,\n"
      ).status == 201)
    func told() throws -> [String] {
      try anna.contacts(in: house).values.sorted { $0.email < $1.email }.map {
        "\($0.email.prefix(1))\($0.unsubscribedAt == nil ? "" : "u")\($0.bouncedAt == nil ? "" : "b")"
      }
    }
    #expect(try told() == ["au", "bb", "c", "du"])
    #expect(try anna.contacts(in: house)["a@example.org"]?.unsubscribeReason == "import")
    let again = anna.importing(
      "email,isUnsubscribed,isBounced,unsubscribedAt\na@example.org,false,false,\nb@example.org,false,false,\nc@example.org,false,false,2026-01-01T00:00:00Z\n"
    )
    #expect(again.counts == [3, 0, 1, 2, 0])
    #expect(try told() == ["au", "bb", "cu", "du"])
    // Who was deleted stays unsubscribed.
    let account = try anna.account(in: house)
    _ = try house.app.database.run("DELETE FROM contacts WHERE account_id = \(account)")
    #expect(anna.importing("email\na@example.org\nb@example.org\n").counts == [2, 2, 0, 0, 0])
    #expect(try told() == ["au", "bb"])
    let status = anna.importing(
      "Email,Status\ne@example.org,cleaned\nf@example.org,Unsubscribed\ng@example.org,x\n")
    #expect(status.status == 201)
    #expect(try told() == ["au", "bb", "eb", "fu", "g"])
  }

  /// The first letters of those who get no mailings, with what says so.
  private func flagged(_ client: Client) throws -> [String] {
    try client.contacts(in: house).values.sorted { $0.email < $1.email }.compactMap {
      let flags = ($0.unsubscribedAt == nil ? "" : "u") + ($0.bouncedAt == nil ? "" : "b")
      return flags.isEmpty ? nil : "\($0.email.prefix(1))\(flags)"
    }
  }

  @Test func everyColumnThatSaysSoUnsubscribes() throws {
    let anna = try house.account()
    let done = anna.importing(
      """
      email,unsubscribedAt,Blocked,Gone,Status,Subscription status
      a@example.org,2026-01-01T00:00:00Z,no,,Lead,
      b@example.org,,yes,,Lead,subscribed
      c@example.org,,no,1,,
      d@example.org,,,,Lead,unsubscribed
      e@example.org,,,,cleaned,unsubscribed
      f@example.org,,no,,unsubscribed,subscribed
      g@example.org,,no,,Lead,subscribed

      """, fields: [("mapping", #"{"Blocked": "isUnsubscribed", "Gone": "isUnsubscribed"}"#)])
    #expect(done.status == 201 && done.counts == [7, 7, 0, 0, 0], "\(done)")
    #expect(try flagged(anna) == ["au", "bu", "cu", "du", "eub", "fu"])
    let mapped = anna.importing(
      "email,x,Status\nh@example.org,opted out,\ni@example.org,,Opt-Out\n",
      fields: [("mapping", #"{"x": "status"}"#)])
    #expect(mapped.counts == [2, 2, 0, 0, 0], "\(mapped)")
    #expect(try flagged(anna).suffix(2) == ["hu", "iu"])
  }

  @Test func aStatusIsKnownByManyWords() throws {
    let anna = try house.account()
    let unsubscribed = [
      "Unsubscribed", "opted-out", "Opted Out", "opt_out", "OPT-OUT", "Non-Subscribed", "not subscribed",
      "suppressed", "Blocked", "désabonné", "Désabonnée", "desinscrit", "Abgemeldet", "complained", "spam",
      "dado de baja", "Unsubscribed by user",
    ]
    let bounced = ["Cleaned", "hard-bounced", "Hard Bounce", "bounced"]
    let others = ["subscribed", "Lead", "active", "pending", "Opted-in", "abonné", "Blocker"]
    let rows = (unsubscribed + bounced + others).enumerated().map { "p\($0)@example.org,\($1)\n" }.joined()
    #expect(anna.importing("email,status\n" + rows)["failed"] == 0)
    let contacts = try anna.contacts(in: house)
    for (index, word) in (unsubscribed + bounced + others).enumerated() {
      let contact = try #require(contacts["p\(index)@example.org"])
      #expect((contact.unsubscribedAt != nil) == unsubscribed.contains(word), "\(word)")
      #expect((contact.bouncedAt != nil) == bounced.contains(word), "\(word)")
    }
  }

  @Test func aBadRowStillUnsubscribes() throws {
    let anna = try house.account()
    let path = try anna.contact(["email": "a@example.org"]).path("/api/contacts")
    let text = """
      email,country,unsubscribed,bounced
      A@example.org,Atlantis,yes,
      b@example.org,Atlantis,yes,
      c@example.org,Atlantis,,yes
      d@example.org,Atlantis,no,
      no address,,yes,

      """
    for _ in 0..<2 {
      let done = anna.importing(text)
      #expect(done.counts == [5, 0, 0, 0, 5], "\(done)")
      #expect(done.rowErrors.first == "1 addresses[0].country invalid_country", "\(done.rowErrors)")
    }
    #expect(anna.get(path)["unsubscribeReason"] == "import")
    // Those whom nobody knows are not made, and their addresses are remembered.
    #expect(try anna.contacts(in: house).count == 1)
    #expect(anna.importing("email\nb@example.org\nc@example.org\nd@example.org\n")["created"] == 3)
    #expect(try flagged(anna) == ["au", "bu", "cb"])
  }

  @Test func numbersAndAddressesOfTwoKindsKeepTheirPlaces() throws {
    let anna = try house.account()
    let done = anna.importing(
      """
      email,Phone,Mobile,Phone 2,Phone 2 - Label,Business Phone,Company Main Phone,Business Street,Business City,Address 2 - City,Address 2 - Street,Home City
      a@example.org,1,2,3,Desk,4,5,S 1,C 1,C 2,S 2,C 3

      """)
    #expect(done.status == 201 && done["failed"] == 0, "\(done)")
    let contact = try #require(try anna.contacts(in: house)["a@example.org"])
    #expect(
      contact.phones.map { "\($0.number) \($0.label ?? "-")" } == [
        "1 -", "3 Desk", "4 work", "2 cell", "5 work",
      ])
    #expect(
      contact.addresses.map { "\($0.line1 ?? "-") \($0.city ?? "-") \($0.label ?? "-")" } == [
        "S 1 C 1 work", "S 2 C 2 -", "- C 3 home",
      ])
    // As a preview tells it, it can be said.
    let preview = anna.importing(
      Array("email,Mobile,Phone 2\n".utf8), to: "/api/contacts/import/preview")
    #expect(preview["columns"]?.array?.map { $0["member"] } == ["email", "phone1", "phone2"], "\(preview)")
  }

  @Test func groupsGetTheirMembers() throws {
    let anna = try house.account()
    let account = try anna.account(in: house)
    let now = house.clock.now
    for (name, confirms) in [("open", false), ("asking", true)] {
      let group = ID<ContactMembership>(at: now)
      _ = try house.app.database.run(
        """
        INSERT INTO contact_groups (id, account_id, name, require_double_opt_in, created_at, updated_at)
        VALUES (\(group), \(account), \(name), \(confirms), \(now), \(now))
        """)
      let done = anna.importing(
        "email\na@example.org\nb@example.org\nbad\n", fields: [("groupId", group.description)])
      #expect(done.status == 201, "\(done)")
      // Another account's group is none.
      let stranger = try house.account()
      #expect(
        stranger.importing("email\na@example.org\n", fields: [("groupId", group.description)]).fields == [
          "groupId not_found"
        ])
    }
    let groups = try #require(try anna.contacts(in: house)["a@example.org"]).groups
    #expect(groups.map { "\($0.name) \($0.status)" } == ["asking pending", "open confirmed"])
    // Nobody has confirmed anything by being in a file.
    #expect(
      try house.count(
        """
        SELECT COUNT(*) FROM contact_group_members m JOIN contact_groups g ON g.id = m.group_id
        WHERE g.name IN ('asking', 'open') AND m.confirmed_at IS NOT NULL
        """) == 0)
    #expect(try house.count("SELECT COUNT(*) FROM mail_outbox WHERE recipient = 'a@example.org'") == 0)
  }

  /// A file of more than 1 MiB.
  private func large(_ rows: Int = 12_000) -> [UInt8] {
    let padding = String(repeating: "x", count: 80)
    return Array(
      ("email,lastName,tags\n" + (0..<rows).map { "p\($0)@example.org,\(padding),t\n" }.joined()).utf8)
  }

  @Test func aLargeFileGoesOnInTheBackgroundWhoeverDies() throws {
    let house = try House()
    let anna = try house.account()
    let content = large()
    let queued = anna.importing(content)
    #expect(queued.status == 202 && queued["status"] == "queued" && queued["position"] == 0, "\(queued)")
    let path = try #require(queued.location)
    let id = try #require(ContactImportID(try queued.string("id")))
    let database = house.app.database
    let imports = house.app.imports
    // A process takes it, writes three thousand rows, and is killed: nothing is released.
    func claim() throws -> ContactImport {
      let now = house.clock.now
      return try #require(
        try ContactImportRows.claim([id], on: database, at: now, until: now + ContactImportService.lease))
    }
    func open(_ known: ContactImport) throws -> ContactFile {
      let descriptor = Foundation.open(house.settings.state + "/imports/\(id)", O_RDONLY)
      #expect(descriptor >= 0)
      return try ContactFile(descriptor: descriptor, format: known.format, options: known.options)
    }
    house.clock.move()
    let first = try claim()
    var chunks = 0
    try imports.run(first, open(first), clock: { house.clock.now }) {
      chunks += 1
      return chunks == 3
    }
    _ = try database.run(
      """
      UPDATE contact_imports SET status = 'running', leased_until = \(house.clock.now + .seconds(120)) WHERE id = \(id)
      """)
    let half = anna.get(path)
    #expect(half["status"] == "running" && half.counts == [3000, 3000, 0, 0, 0])
    let position = Int(half["position"]?.integer ?? 0)
    try #require((1..<content.count).contains(position))
    #expect(content[position - 1] == 10)
    // Nobody else takes it before the lease has run out.
    let second = try house.secondApp()
    #expect(try second.runImports(within: .seconds(5)) == 0)
    house.clock.move(by: 121)
    // The dead one wakes up again meanwhile: it does nothing twice.
    let late = try open(first)
    #expect(try second.imports.runNext(clock: { house.clock.now }, until: { true }))
    try imports.run(first, late, clock: { house.clock.now }, until: { false })
    #expect(anna.get(path).counts == [4000, 4000, 0, 0, 0])
    #expect(try second.runImports(within: .seconds(60)) == 1)
    let done = anna.get(path)
    #expect(done["status"] == "done" && done.counts == [12_000, 12_000, 0, 0, 0], "\(done)")
    #expect(done["position"]?.integer == Int64(content.count))
    #expect(try house.count("SELECT COUNT(*) FROM contacts") == 12_000)
    #expect(!FileManager.default.fileExists(atPath: house.settings.state + "/imports/\(id)"))
    #expect(try house.app.runImports(within: .seconds(5)) == 0)
    #expect(anna.get("/api/contacts/imports").items.count == 1)
  }

  @Test func aCancelledImportStops() throws {
    let house = try House()
    let anna = try house.account()
    let path = try #require(anna.importing(large()).location)
    let stranger = try house.account()
    #expect(stranger.get(path).status == 404 && stranger.post(path + "/cancel").status == 404)
    // It is cancelled while its second thousand is written.
    let app = house.app
    var chunks = 0
    var cancelled: Answer?
    #expect(
      try app.imports.runNext(clock: { house.clock.now }) {
        chunks += 1
        if chunks == 2 { cancelled = anna.post(path + "/cancel") }
        return false
      })
    #expect(cancelled?["status"] == "cancelled")
    let ended = anna.get(path)
    #expect(ended["status"] == "cancelled" && ended.counts == [2000, 2000, 0, 0, 0] && chunks == 2)
    let again = anna.post(path + "/cancel")
    #expect(again.status == 409 && again.code == "conflict")
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: house.settings.state + "/imports") == ["incoming"])
    #expect(try app.runImports(within: .seconds(5)) == 0)
    // Nor do refused forms, previews and exports leave anything.
    #expect(anna.importing("a\n1\n").status == 422 && anna.get("/api/contacts/export").status == 200)
    _ = anna.importing(Array("email\n".utf8), to: "/api/contacts/import/preview")
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: house.settings.state + "/imports/incoming").isEmpty)
  }

  @Test func aPreviewShowsAndImportsNothing() throws {
    let anna = try house.account()
    let text =
      "E-Mail;Vorname;Notiz;xyz\na@example.org;A;'=1;q\nbad;B;;\n\"x\"y;;;\n"
      + String(repeating: "c@example.org;;;\n", count: 9)
    let seen = anna.importing(Array(text.utf8), to: "/api/contacts/import/preview")
    #expect(seen.status == 200 && seen["delimiter"] == ";" && seen["format"] == "csv", "\(seen)")
    #expect(
      seen["columns"]?.array?.map { "\($0["name"]?.string ?? "") \($0["member"]?.string ?? "")" } == [
        "E-Mail email", "Vorname firstName", "Notiz note", "xyz -",
      ])
    let rows = seen["rows"]?.array ?? []
    try #require(rows.count == 5)
    #expect(rows[0]["contact"]?["firstName"] == "A")
    #expect(rows[0]["contact"]?["notes"]?[0]?["body"] == "=1" && rows[1]["contact"] == JSON.null)
    #expect(rows[1]["errors"]?[0]?["field"] == "email" && rows[2]["errors"]?[0]?["code"] == "broken_quote")
    #expect(try anna.contacts(in: house).isEmpty && anna.get("/api/contacts/imports")["total"] == 0)
    let cards = anna.importing(
      Array("BEGIN:VCARD\nEMAIL:a@example.org\nEND:VCARD".utf8), to: "/api/contacts/import/preview")
    #expect(cards["delimiter"] == JSON.null && cards["rows"]?[0]?["email"] == "a@example.org", "\(cards)")
  }

  @Test func aRepetitionIsReplayed() throws {
    let anna = try house.account()
    let key: HTTPFields = [.idempotencyKey: "import 1"]
    let first = anna.importing(Array("email\na@example.org\n".utf8), key)
    let again = anna.importing(Array("email\na@example.org\n".utf8), key)
    #expect(
      first.status == 201 && again.bytes == first.bytes && again.headers[.idempotencyReplayed] == "true")
    let other = anna.importing(Array("email\na@example.org\n".utf8), fields: [("tags", "x")], key)
    #expect(other.code == "idempotency_key_reused")
    #expect(anna.get("/api/contacts/imports")["total"] == 1)
  }

  @Test func whatIsLeftIsSweptAndGivenUp() throws {
    let house = try House()
    let anna = try house.account()
    house.clock.move()
    let lost = anna.importing(large())
    let waiting = anna.importing(large())
    let directory = house.settings.state + "/imports/"
    // The file of one is gone; of another only the file is there.
    try FileManager.default.removeItem(atPath: directory + (try lost.string("id")))
    let orphan = ContactImportID(at: house.clock.now - .seconds(4000)).description
    try Data([1]).write(to: URL(fileURLWithPath: directory + orphan))
    try house.app.imports.sweep(at: house.clock.now)
    #expect(!FileManager.default.fileExists(atPath: directory + orphan))
    #expect(FileManager.default.fileExists(atPath: directory + (try waiting.string("id"))))
    house.clock.move(by: 3 * 86_400)
    try house.app.imports.sweep(at: house.clock.now)
    let given = anna.get("/api/contacts/imports").items
    #expect(given.allSatisfy { $0["status"] == "failed" && $0["failure"]?.string != nil })
  }

  @Test func thePlanLimitsTheFile() throws {
    _ = try house.app.database.run(
      """
      INSERT INTO plans (code, name, position, links_per_month, qrcodes_per_month, requests_per_minute,
        max_upload_bytes, storage_bytes, has_contacts, has_mailings, has_organizer, has_payments)
      VALUES ('tinyimport', 'Tiny', 900, 5, 5, NULL, 1000, 1000, 1, 0, 0, 0)
      """)
    let anna = try house.account("tinyimport")
    let refused = anna.importing("email\n" + String(repeating: "x@example.org\n", count: 100))
    #expect(refused.status == 403 && refused.code == "plan_limit" && refused["limit"] == 1000, "\(refused)")
    #expect(anna.importing("email\na@example.org\n").status == 201)
  }
}
