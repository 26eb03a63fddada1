import FLCrypto
import FLHTTP
import FLMariaDB
import FLValues

/// The rules of links: codes, plans, tags, and that a change holds in every process when it is answered.
struct LinkService: Sendable {
  let database: Database
  let generations: Generations
  let passwords: Passwords
  let qrCodes: QRCodeMaker

  /// Makes a link.
  /// - Throws: `Problem` 403 when the plan's month is used up, 409 when the code or the external id is taken.
  func create(_ new: NewLink, account: AccountID, plan: Plan, at now: Timestamp) throws -> Link {
    let hash = try new.password.map { password in
      // The hash is the dearest part by far: an account that may make no more links must not have it made.
      try PlanRows(queries: database).refuseUsedUp(.links, of: account, plan, at: now)
      return try passwords.hash(password)
    }
    let logo = try new.qrCode.flatMap { try qrCodes.logo(of: $0.look, account: account, in: "qrCode.") }
    let link = try translatingRefusals(in: "qrCode.") {
      try database.transaction { connection in
        var link = try make(new, passwordHash: hash, account: account, plan, on: connection, at: now)
        if let wish = new.qrCode {
          link.qrCode = try qrCodes.make(
            wish, logo, for: link, ownsLink: false, account: account, plan, on: connection, at: now,
            in: "qrCode.")
        }
        return link
      }
    }
    generations.changed(.code(link.shortCode))
    return link
  }

  /// Makes a link, without a QR code. Whoever calls raises its generation when the transaction is done.
  /// - Throws: `Problem` 403 or 409.
  func make(
    _ new: NewLink, passwordHash: String?, account: AccountID, _ plan: Plan, on connection: Connection,
    at now: Timestamp
  ) throws -> Link {
    try PlanRows(queries: connection).take(.links, of: account, plan, at: now)
    var link = Link(new, passwordHash: passwordHash, at: now)
    link.shortCode = try takeCode(new.shortCode, for: link.id, account: account, on: connection, at: now)
    try LinkRows(account: account, queries: connection).insert(link)
    if !new.tags.isEmpty {
      let tags = TagRows(account: account, queries: connection)
      try tags.add(new.tags, to: link.id, at: now)
      link.tags = try tags.names(of: [link.id])[link.id] ?? []
    }
    return link
  }

  private func takeCode(
    _ wish: ShortCode?, for link: LinkID, account: AccountID, on connection: Connection, at now: Timestamp
  ) throws -> ShortCode {
    let rows = PublicCodeRows(queries: connection)
    if let wish {
      guard try rows.take(wish, kind: "link", subject: link, account: account, at: now) else {
        throw Problem.conflict("The short code \(wish) is taken.", field: "shortCode")
      }
      return wish
    }
    for _ in 0..<10 {
      let code = ShortCode.random()
      if try !code.isReserved && rows.take(code, kind: "link", subject: link, account: account, at: now) {
        return code
      }
    }
    throw Problem.unavailable("No free short code was found.")
  }

  /// Changes a link.
  /// - Throws: `Problem` 404, 409, or 412 where `preconditions` name another version.
  func update(
    _ id: LinkID, _ wishes: LinkChanges, account: AccountID, if preconditions: Preconditions,
    at now: Timestamp
  ) throws -> Link {
    var hash: String?
    if case .set(let password) = wishes.password { hash = try passwords.hash(password) }
    let (old, new) = try translatingRefusals {
      try database.transaction { [hash] connection in
        let rows = LinkRows(account: account, queries: connection)
        guard let old = try rows.lock(id) else { throw Problem.notFound }
        try preconditions.check(old.tag)
        var link = old.changed(by: wishes)
        switch wishes.password {
        case .keep: break
        case .clear: link.passwordHash = nil
        case .set: link.passwordHash = hash
        }
        if link.shortCode != old.shortCode {
          try PublicCodeRows(queries: connection).retire(old.shortCode, account: account, at: now)
          link.shortCode = try takeCode(link.shortCode, for: id, account: account, on: connection, at: now)
        }
        try rows.update(link, at: now)
        try setTags(wishes.tags, of: id, account: account, on: connection, at: now)
        guard let new = try rows.find(id) else { throw Problem.notFound }
        return (old, new)
      }
    }
    generations.changed(.code(old.shortCode))
    if new.shortCode != old.shortCode { generations.changed(.code(new.shortCode)) }
    return new
  }

  private func setTags(
    _ tags: Change<[TagName]>, of id: LinkID, account: AccountID, on connection: Connection, at now: Timestamp
  ) throws {
    if case .keep = tags { return }
    let rows = TagRows(account: account, queries: connection)
    try rows.removeAll(from: id)
    if case .set(let names) = tags { try rows.add(names, to: id, at: now) }
  }

  /// Takes a link away. Its clicks stay in the account's statistics, its code stays the account's.
  /// - Throws: `Problem` 404 or 412.
  func delete(_ id: LinkID, account: AccountID, if preconditions: Preconditions, at now: Timestamp) throws {
    let link = try database.transaction { connection in
      guard let link = try LinkRows(account: account, queries: connection).lock(id) else {
        throw Problem.notFound
      }
      try preconditions.check(link.tag)
      try remove(link, account: account, on: connection, at: now)
      return link
    }
    generations.changed(.code(link.shortCode))
  }

  /// Takes a locked link away. Whoever calls raises its generation when the transaction is done.
  func remove(_ link: Link, account: AccountID, on connection: Connection, at now: Timestamp) throws {
    try LinkRows(account: account, queries: connection).delete(link.id)
    try PublicCodeRows(queries: connection).retire(link.shortCode, account: account, at: now)
  }

  /// Changes the tags of a link by `change`; answers what it has then.
  /// - Throws: `Problem` 404, 422 where it would have too many.
  func changeTags(
    of id: LinkID, account: AccountID, at now: Timestamp, _ change: (TagRows) throws -> Void
  ) throws -> [String] {
    try database.transaction { connection in
      let links = LinkRows(account: account, queries: connection)
      guard try links.lock(id) != nil else { throw Problem.notFound }
      let names = try TagRows(account: account, queries: connection).changing(id, change)
      try links.touch(id, at: now)
      return names
    }
  }

  /// Runs `body`, and says of what the database refuses which field it is about; `prefix` is where the look of a QR
  /// code stands in the request.
  func translatingRefusals<Result>(in prefix: String = "", _ body: () throws -> Result) throws -> Result {
    do {
      return try body()
    } catch DatabaseError.duplicate(constraint: "links_external_id") {
      throw Problem.conflict("Another link has this externalId.", field: "externalId")
    } catch DatabaseError.duplicate(constraint: "links_short_code") {
      throw Problem.conflict("The short code is taken.", field: "shortCode")
    } catch DatabaseError.foreignKey(constraint: "links_file") {
      throw Problem.invalid("fileId", "not_found", "There is no such file.")
    } catch DatabaseError.foreignKey(constraint: "qrcodes_logo") {
      throw Problem.invalid(prefix + "logoFileId", "not_found", "There is no such file.")
    }
  }
}
