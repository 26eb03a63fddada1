import FLCrypto
import FLHTTP
import FLMariaDB
import FLValues
import Foundation

/// A file that is to be imported, as its form was read: on the disk, looked at, and not kept yet.
struct ContactImportUpload {
  let file: StagedFile
  let name: FileName
  let format: ContactFileFormat
  let options: ContactImportOptions
  let contacts: ContactFile
  /// What tells this upload from another.
  let fingerprint: [UInt8]
}

/// The rules of imports: what is taken, and that a file's rows get into the database once each, whatever is cut off
/// where.
///
/// The bytes are on the disk before the row is made; each thousand rows, how far that is and what became of them are
/// written in one transaction; and the bytes go when all is done. Who dies in between is followed by another process of
/// the host when the lease has run out.
struct ContactImportService: Sendable {
  let database: Database
  let files: FileStore
  let lane: Lane

  /// Imports whose files are in `directory`.
  init(database: Database, directory: String, lane: Lane) {
    self.database = database
    files = FileStore(directory: directory)
    self.lane = lane
  }

  /// Rows that are larger than usual are written by the so many bytes, so that they are not all in memory.
  static let bytesAtOnce = 8 << 20
  /// How long a process may take for a thousand rows before others take it for dead.
  static let lease = Duration.seconds(60)
  /// How long whoever sends a small file waits for it; what is left then goes on in the background.
  static let mostWaiting = Duration.seconds(5)
  /// After this, an import on which nobody works is given up.
  static let patience = Duration.seconds(2 * 86_400)

  /// The form, for the OpenAPI document.
  static let form = Schema([
    "type": "object",
    "properties": [
      "file": ["type": "string", "format": "binary", "description": "The file: CSV or vCard 2.1, 3.0, 4.0."],
      "format": [
        "type": "string", "enum": ["csv", "vcard"],
        "description": "What the file is; told by its content and its name where this is absent.",
      ],
      "mapping": [
        "type": "string",
        "description": .string(
          "A JSON object that says of columns, by their names, what they are: \(ContactColumn.known). The usual names"
            + " are known by themselves. Several may be isUnsubscribed, isBounced or status: one that says so is enough."
        ),
      ],
      "tags": ["type": "string", "description": "Tags that all its contacts get, with commas between."],
      "groupId": [
        "type": "string", "format": "uuid",
        "description": .string(
          "The group that all its contacts go into. In one with double opt-in they wait, and are asked with POST"
            + " /api/contact-groups/{id}/members/resend."),
      ],
      "delimiter": [
        "type": "string", "enum": [",", ";", "\t", "tab"],
        "description": "What stands between cells; told by the first row where this is absent.",
      ],
    ],
    "required": ["file"], "additionalProperties": false,
  ]).named("NewContactImport")

  private static let fields = [
    "format": 32, "mapping": 65_536, "tags": 16_384, "groupId": 64, "delimiter": 8,
  ]

  // MARK: Taking files

  /// Reads the form of a request, its file to the disk, and looks at the beginning of that. Nothing is kept unless
  /// `create` is called with it.
  /// - Throws: `Problem` 403 where the plan does not allow a file so large, 422 for what can't be imported, 503 while
  ///   too many are being uploaded.
  func stage(_ request: Request, account: AccountID, plan: Plan) throws -> ContactImportUpload {
    try lane.enter(
      .uploads, atMost: lane.half,
      or: .unavailable("Too many files are being uploaded at once.", retryAfter: 2)
    ) {
      var form = try UploadForm(request, into: files, fields: Self.fields, mostBytes: plan.maxUploadBytes) {
        size in
        throw Problem.planLimit(
          "The plan \(plan.name) allows files of up to \(plan.maxUploadBytes) bytes.",
          limit: plan.maxUploadBytes,
          used: size, plan: plan)
      }
      let format = form.read("format", Self.format)
      var options = ContactImportOptions()
      options.mapping = readMapping(&form)
      let tags = (form.text("tags") ?? "").split(separator: ",").map { String($0) }.filter {
        !$0.allSatisfy(\.isWhitespace)
      }
      options.tags = form.read("tags", as: .array(tags.map { .string($0) }), ContactImportOptions.tags) ?? []
      options.delimiter = form.read("delimiter", ContactImportOptions.delimiter)
      options.group = form.read("groupId", Self.group)
      if let group = options.group,
        try !ContactImportRows(account: account, queries: database).hasGroup(group)
      {
        form.refuse("groupId", "not_found", "There is no such group.")
      }
      let (file, sha256) = try form.finish()
      let name = FileName(form.fileName ?? "")
      let kind = try format ?? ContactFile.format(of: file.head, name: name.text)
      let contacts = try ContactFile(descriptor: file.descriptor, format: kind, options: options)
      var fingerprint = Array(name.text.utf8) + [0] + sha256 + Array(kind.rawValue.utf8)
      if case .text(let text) = options.sqlValue { fingerprint += Array(text.utf8) }
      return ContactImportUpload(
        file: file, name: name, format: kind, options: options, contacts: contacts, fingerprint: fingerprint)
    }
  }

  private static let format: Shape<ContactFileFormat> = .oneOf(ContactFileFormat.self)
  private static let group: Shape<ID<ContactMembership>> = .id()

  private func readMapping(_ form: inout UploadForm) -> [String: ContactColumn] {
    guard let text = form.text("mapping"), !text.isEmpty else { return [:] }
    guard text.utf8.count <= 65_536, let json = try? JSON(reading: Array(text.utf8)) else {
      form.refuse("mapping", "malformed_json", "This must be a JSON object of at most 64 KiB.")
      return [:]
    }
    return form.read("mapping", as: json, ContactImportOptions.mapping) ?? [:]
  }

  /// Begins an import. A small one is done when this returns; others are done by and by.
  /// - Throws: `Problem`, `DatabaseError`.
  func create(_ upload: ContactImportUpload, account: AccountID, at now: Timestamp) throws -> ContactImport {
    let isSmall = upload.file.size <= ContactImport.smallSize
    let new = ContactImport(
      id: ContactImportID(at: now), account: account, fileName: upload.name.text, format: upload.format,
      options: upload.options, status: isSmall ? .running : .queued, size: upload.file.size, position: 0,
      errors: [], createdAt: now, startedAt: isSmall ? now : nil)
    let rows = ContactImportRows(account: account, queries: database)
    try keep(upload.file, as: new.id)
    try rows.insert(new, leasedUntil: isSmall ? now + Self.lease : nil)
    guard isSmall else { return new }
    let deadline = ContinuousClock.now + Self.mostWaiting
    try run(new, upload.contacts, clock: { now }, until: { ContinuousClock.now > deadline })
    return try rows.find(new.id) ?? new
  }

  /// Moves a file to the place of an import. It is on the disk, with its name, when this returns.
  private func keep(_ file: StagedFile, as id: ContactImportID) throws {
    guard fsync(file.descriptor) == 0, rename(file.path, path(of: id)) == 0 else {
      throw Problem.noSpaceForFiles
    }
    file.isKept = true
    guard FileStore.synchronize(files.directory) else { throw Problem.noSpaceForFiles }
  }

  private func path(of id: ContactImportID) -> String { files.directory + "/" + id.description }

  // MARK: Reading on

  /// Somebody else has gone on with this import, or has ended it.
  private struct Moved: Error {}

  /// Imports the rows that are left, a thousand at a time, until all are in or `isStopping`.
  /// - Throws: `DatabaseError` where the database is away: another one goes on later. What it refuses ends the import.
  func run(
    _ claimed: ContactImport, _ contacts: ContactFile, rowsAtOnce: Int = 1000, clock: () -> Timestamp,
    until isStopping: () -> Bool
  ) throws {
    var current = claimed
    var rows: [ContactRow] = []
    let start = try claimed.position == 0 ? nil : contacts.place(at: claimed.position)
    do {
      var isStopped = false
      try contacts.forEach(from: start) { item in
        rows.append(item.row)
        let isEnough =
          rows.count == rowsAtOnce || item.next.offset - current.position > Self.bytesAtOnce
        guard isEnough else { return true }
        current = try write(rows, of: current, upTo: item.next.offset, isLast: false, at: clock())
        rows.removeAll(keepingCapacity: true)
        isStopped = isStopping()
        return !isStopped
      }
      if isStopped { return try release(current) }
      _ = try write(rows, of: current, upTo: current.size, isLast: true, at: clock())
      unlink(path(of: claimed.id))
    } catch is Moved {
      let known = try ContactImportRows(account: claimed.account, queries: database).find(claimed.id)
      if known.map({ $0.status != .running && $0.status != .queued }) ?? true { unlink(path(of: claimed.id)) }
    } catch let error as DatabaseError where error.isForGood {
      try fail(current, "The database refused the rows behind row \(current.counts.submitted).", at: clock())
    }
  }

  /// Writes rows, and how far the import is, together.
  private func write(
    _ rows: [ContactRow], of known: ContactImport, upTo position: Int, isLast: Bool, at now: Timestamp
  ) throws -> ContactImport {
    try database.transaction { connection in
      let imports = ContactImportRows(account: known.account, queries: connection)
      guard var current = try imports.lock(known.id), current.status == .running,
        current.position == known.position
      else { throw Moved() }
      let upsert = ContactUpsert(account: known.account, database: database)
      let result = try upsert.run(on: connection, rows, tags: known.options.tags, source: "import", at: now)
      if let group = known.options.group { try imports.addMembers(result.uniqueIDs, to: group, at: now) }
      current.add(result, rows: rows.count)
      current.position = position
      if isLast { (current.status, current.finishedAt) = (.done, now) }
      try imports.update(current, leasedUntil: isLast ? nil : now + Self.lease)
      return current
    }
  }

  /// Lets another process go on at once.
  private func release(_ known: ContactImport) throws {
    try change(known) { $0.status = .queued }
  }

  private func fail(_ known: ContactImport, _ failure: String, at now: Timestamp) throws {
    try change(known) { current in
      (current.status, current.failure, current.finishedAt) = (.failed, failure, now)
    }
    unlink(path(of: known.id))
  }

  private func change(_ known: ContactImport, _ change: (inout ContactImport) -> Void) throws {
    try database.transaction { connection in
      let imports = ContactImportRows(account: known.account, queries: connection)
      guard var current = try imports.lock(known.id), current.status == .running,
        current.position == known.position
      else { return }
      change(&current)
      try imports.update(current, leasedUntil: nil)
    }
  }

  // MARK: Beside the requests

  /// Goes on with an import of this host that waits; false where there is none.
  /// - Throws: `DatabaseError`.
  func runNext(clock: () -> Timestamp, until isStopping: () -> Bool) throws -> Bool {
    let ids = waiting()
    guard !ids.isEmpty else { return false }
    let now = clock()
    guard
      let claimed = try ContactImportRows.claim(ids, on: database, at: now, until: now + Self.lease)
    else { return false }
    let descriptor = open(path(of: claimed.id), O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      try fail(claimed, "The file can't be read any more. Please send it again.", at: now)
      return true
    }
    defer { close(descriptor) }
    let contacts: ContactFile
    do {
      contacts = try ContactFile(descriptor: descriptor, format: claimed.format, options: claimed.options)
    } catch let problem as Problem {
      try fail(claimed, problem.detail ?? problem.title, at: now)
      return true
    }
    try run(claimed, contacts, clock: clock, until: isStopping)
    return true
  }

  /// The imports whose files are here.
  private func waiting() -> [ContactImportID] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: files.directory)) ?? []
    return names.compactMap { ContactImportID($0) }.sorted().prefix(1000).map { $0 }
  }

  /// Ends an import that has not ended; what is in the database stays there.
  /// - Throws: `Problem` 404, 409 where it has ended.
  func cancel(_ id: ContactImportID, account: AccountID, at now: Timestamp) throws -> ContactImport {
    let rows = ContactImportRows(account: account, queries: database)
    let isCancelled = try rows.cancel(id, at: now)
    guard let known = try rows.find(id) else { throw Problem.notFound }
    guard isCancelled else {
      throw Problem.conflict("The import has ended already; it is \(known.status.rawValue).")
    }
    unlink(path(of: id))
    return known
  }

  /// Takes away files of imports that have ended, or were never made, and ends those whose host is gone.
  /// - Throws: `DatabaseError`.
  func sweep(at now: Timestamp) throws {
    _ = files.removeStaged(at: now)
    let old = waiting().filter { $0.timestamp < now - FileStore.orphanAge }
    if !old.isEmpty {
      let open = try ContactImportRows.open(among: old, in: database)
      for id in old where !open.contains(id) { unlink(path(of: id)) }
    }
    try ContactImportRows.giveUp(before: now - Self.patience, in: database, at: now)
  }
}

extension ContactImport {
  /// Adds what became of `rows` more rows.
  fileprivate mutating func add(_ result: ContactUpsert.Result, rows: Int) {
    for error in result.errors where errors.count < Self.mostErrors {
      errors.append(
        Failure(
          index: counts.submitted + error.index + 1, email: error.email.map { String($0.prefix(254)) },
          problem: error.problem))
    }
    counts.submitted += rows
    counts.created += result.created
    counts.updated += result.updated
    counts.skipped += result.skipped
    counts.failed += Set(result.errors.map(\.index)).count
  }
}

extension DatabaseError {
  /// Whether the same again would fail as well.
  fileprivate var isForGood: Bool {
    switch self {
    case .unavailable, .exhausted, .conflict: false
    default: true
    }
  }
}
