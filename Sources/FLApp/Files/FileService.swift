import FLHTTP
import FLMariaDB
import FLValues

/// The rules of files: plans, and that rows and bytes agree whatever is cut off where.
///
/// The bytes are on the disk before the row is made, and are taken away after it: a row always has its bytes. Bytes
/// without a row, which a crash leaves, are swept.
struct FileService: Sendable {
  let database: Database
  let store: FileStore
  let lane: Lane

  /// Files below `directory`, uploaded through a part of `lane`.
  init(database: Database, directory: String, lane: Lane) {
    self.database = database
    store = FileStore(directory: directory)
    self.lane = lane
  }

  /// The file `id` of an account.
  /// - Throws: `Problem` 404; `DatabaseError`.
  func find(_ id: FileID, account: AccountID) throws -> StoredFile {
    guard let file = try FileRows(account: account, queries: database).find(id) else {
      throw Problem.notFound
    }
    return file
  }

  // MARK: Uploading

  /// Reads the file of a form to the disk. Nothing is kept of it unless `create` is called with it.
  /// - Throws: `Problem` 403 where the plan does not allow a file so large, 503 while too many are being uploaded,
  ///   and what `FileUpload` throws.
  func stage(_ request: Request, account: AccountID, plan: Plan) throws -> FileUpload {
    try lane.enter(
      .uploads, atMost: lane.half,
      or: .unavailable("Too many files are being uploaded at once.", retryAfter: 2)
    ) {
      // What is a repetition may be of the upload that took the room: that is looked at when it is known.
      let isRepeatable = request.headers[.idempotencyKey] != nil
      let used =
        isRepeatable || plan.storageBytes == nil
        ? 0 : try FileRows(account: account, queries: database).storage().bytes
      let room = plan.storageBytes.map { max(0, $0 - used) } ?? .max
      return try FileUpload(request, into: store, mostBytes: min(plan.maxUploadBytes, room)) { size in
        if size > plan.maxUploadBytes { throw Problem.fileTooLarge(size, plan) }
        throw Problem.storageFull(used, plan)
      }
    }
  }

  /// Makes a file of what was uploaded.
  /// - Throws: `Problem` 403 where the plan has no room for it.
  func create(_ upload: FileUpload, account: AccountID, plan: Plan, at now: Timestamp) throws -> StoredFile {
    let file = StoredFile(
      id: FileID(at: now), name: upload.name,
      contentType: ContentType(of: upload.file.head, name: upload.name),
      size: upload.file.size, sha256: upload.sha256, version: 1, createdAt: now, updatedAt: now)
    guard file.size <= plan.maxUploadBytes else { throw Problem.fileTooLarge(file.size, plan) }
    try store.keep(upload.file, as: file.id)
    do {
      try database.transaction { connection in
        let rows = FileRows(account: account, queries: connection)
        guard try rows.takeStorage(file.size, limit: plan.storageBytes) else {
          throw Problem.storageFull(try rows.storage().bytes, plan)
        }
        try rows.insert(file)
      }
    } catch let problem as Problem {
      store.remove(file.id)
      throw problem
    }
    // After any other error the row may be there: the sweep finds out.
    return file
  }

  // MARK: Changing

  /// Renames a file.
  /// - Throws: `Problem` 404, or 412 where `preconditions` name another version.
  func update(
    _ id: FileID, _ changes: FileChanges, account: AccountID, if preconditions: Preconditions,
    at now: Timestamp
  ) throws -> StoredFile {
    try database.transaction { connection in
      let rows = FileRows(account: account, queries: connection)
      guard let file = try rows.lock(id) else { throw Problem.notFound }
      try preconditions.check(file.tag)
      if let name = changes.name { try rows.rename(id, to: name, at: now) }
      guard let renamed = try rows.find(id) else { throw Problem.notFound }
      return renamed
    }
  }

  /// Takes a file away, its bytes after its row.
  /// - Throws: `Problem` 404, 409 where a link or a QR code needs it, or 412.
  func delete(_ id: FileID, account: AccountID, if preconditions: Preconditions) throws {
    do {
      try database.transaction { connection in
        let rows = FileRows(account: account, queries: connection)
        guard let file = try rows.lock(id) else { throw Problem.notFound }
        try preconditions.check(file.tag)
        try rows.delete(id)
        try rows.giveBackStorage(file.size)
      }
    } catch DatabaseError.foreignKey(let constraint) {
      let user = constraint == "qrcodes_logo" ? "A QR code has it as its logo." : "A link leads to it."
      throw Problem.conflict("The file is in use. \(user)")
    }
    store.remove(id)
  }

  // MARK: Sweeping

  /// Takes away bytes that no row is about: of `parts` of the 256 parts of the store, the next in turn, and of uploads
  /// that were cut off. Answers how many files that were.
  /// - Throws: `DatabaseError`.
  @discardableResult
  func sweep(at now: Timestamp, parts: Int = 8) throws -> Int {
    var removed = store.removeStaged(at: now)
    let first = store.nextSwept
    for number in first..<first + parts {
      let old = store.files(in: number % 256).filter { $0.timestamp < now - FileStore.orphanAge }
      for start in stride(from: 0, to: old.count, by: 500) {
        let some = Array(old[start..<min(start + 500, old.count)])
        let known = try FileRows.known(among: some, in: database)
        for id in some where !known.contains(id) {
          store.remove(id)
          removed += 1
        }
      }
    }
    store.nextSwept = (first + parts) % 256
    return removed
  }
}

extension Problem {
  /// 403: the plan allows no file so large.
  fileprivate static func fileTooLarge(_ size: Int, _ plan: Plan) -> Problem {
    .planLimit(
      "The plan \(plan.name) allows files of up to \(plan.maxUploadBytes) bytes.", limit: plan.maxUploadBytes,
      used: size, plan: plan)
  }

  /// 403: the plan has no room for this file.
  fileprivate static func storageFull(_ used: Int, _ plan: Plan) -> Problem {
    .planLimit(
      "The plan \(plan.name) has room for \(plan.storageBytes ?? 0) bytes, of which \(used) are taken; this file does"
        + " not fit into the rest.", limit: plan.storageBytes ?? 0, used: used, plan: plan)
  }
}
