import FLHTTP
import FLMariaDB
import FLQRCode
import FLValues

/// The rules of QR codes: what can be read, plans, marks, and the links that are made with them.
struct QRCodeService: Sendable {
  let database: Database
  let links: LinkService
  let logos: Logos
  let font: Caption
  let baseURL: String

  /// A code whose logo is decoded: all that takes long is done before the transaction that makes it.
  struct Prepared: Sendable {
    let title: String?
    let look: QRLook
    fileprivate let logo: Logo?
  }

  /// Gets a code ready to be made.
  /// - Throws: `Problem` 422 where the logo can't be one, 403 where the caller may not read files.
  func prepare(title: String?, _ wishes: QRLookWishes, by caller: Caller) throws -> Prepared {
    let look = wishes.look
    if look.logoFileID != nil { try caller.checkReading(.files) }
    let logo = try self.logo(of: look, account: caller.account)
    // With a text as long as any: what can't be drawn is told before anything is taken.
    _ = try drawing("\(baseURL)/0000000?qr=1", look, logo)
    return Prepared(title: title, look: look, logo: logo)
  }

  private func logo(of look: QRLook, account: AccountID) throws -> Logo? {
    try look.logoFileID.map { try logos.logo($0, account: account) }
  }

  /// Makes a code, for a link that there is or with one of its own.
  /// - Throws: `Problem` 403 where the plan's month is used up, 409 where the short code is taken, 422.
  func create(_ new: NewQRCode, by caller: Caller, at now: Timestamp) throws -> QRCode {
    let prepared = try prepare(title: new.title, new.wishes, by: caller)
    let account = try caller.account
    let plan = try caller.plan
    let code = try links.translatingDuplicates {
      try database.transaction { connection in
        if let link = new.linkID {
          return try create(prepared, for: link, account: account, plan: plan, on: connection, at: now)
        }
        guard let destination = new.destination else {
          throw Problem.invalid("linkId", "required", "This or destinationUrl is required.")
        }
        let link = try links.insert(
          NewLink(to: destination, shortCode: new.shortCode, title: new.title), passwordHash: nil,
          account: account, plan: plan, on: connection, at: now)
        return try create(
          prepared, for: link.id, ownsLink: true, account: account, plan: plan, on: connection, at: now)
      }
    }
    links.wasChanged(code.shortCode)
    return code
  }

  /// Makes a code for a link, as a part of a transaction.
  /// - Throws: `Problem` 403 where the plan's month is used up, 422.
  func create(
    _ prepared: Prepared, for link: LinkID, ownsLink: Bool = false, account: AccountID, plan: Plan,
    on connection: Connection, at now: Timestamp
  ) throws -> QRCode {
    try takeAllowance(of: account, plan, on: connection, at: now)
    let rows = QRCodeRows(account: account, queries: connection)
    guard let mark = try rows.takeMark(of: link, at: now) else {
      throw Problem.invalid("linkId", "not_found", "The account has no such link.")
    }
    let id = QRCodeID(at: now)
    try rows.insert(
      id, of: link, ownsLink: ownsLink, mark: mark, title: prepared.title, prepared.look, at: now)
    guard let code = try rows.find(id) else { throw Problem.notFound }
    _ = try drawing(code.text(baseURL: baseURL), code.look, prepared.logo)
    return code
  }

  private func takeAllowance(
    of account: AccountID, _ plan: Plan, on connection: Connection, at now: Timestamp
  ) throws {
    let rows = PlanRows(queries: connection)
    let month = now.startOfMonth
    guard try !rows.take(.qrcodes, of: account, in: month, limit: plan.qrcodesPerMonth) else { return }
    let used = try rows.usage(of: account, in: month).qrcodes
    let limit = plan.qrcodesPerMonth ?? used
    throw Problem.planLimit(
      "The plan \(plan.name) allows \(limit) QR codes a month; \(used) are made.", limit: limit, used: used,
      plan: plan)
  }

  /// Changes a code, and where it leads if the link is its own.
  /// - Throws: `Problem` 404, 412, 422, 403 where the caller may not read files.
  func update(
    _ id: QRCodeID, _ changes: QRCodeChanges, by caller: Caller, if preconditions: Preconditions,
    at now: Timestamp
  ) throws -> QRCode {
    let account = try caller.account
    if case .set = changes.logo { try caller.checkReading(.files) }
    guard let seen = try QRCodeRows(account: account, queries: database).find(id) else {
      throw Problem.notFound
    }
    let logoID = changes.applied(to: seen.look).logoFileID
    let logo = try self.logo(of: changes.applied(to: seen.look), account: account)
    let code = try database.transaction { connection in
      let rows = QRCodeRows(account: account, queries: connection)
      // The link's row first, as everywhere: who has it has its codes.
      let link = try LinkRows(account: account, queries: connection).lock(seen.linkID)
      guard let link, let old = try rows.find(id) else { throw Problem.notFound }
      try preconditions.check(old.tag)
      let look = changes.applied(to: old.look)
      guard look.logoFileID == logoID else {
        throw Problem.unavailable("The code was changed at the same moment.", retryAfter: 1)
      }
      if let problem = look.problem { throw Problem.invalid([problem]) }
      _ = try drawing(old.text(baseURL: baseURL), look, logo, fitting: look == old.look)
      if let destination = changes.destination {
        guard old.ownsLink else {
          throw Problem.invalid(
            "destinationUrl", "not_own_link", "The code was made for a link: change where that leads.")
        }
        try links.redirect(link, to: destination, account: account, on: connection, at: now)
      } else {
        try LinkRows(account: account, queries: connection).touch(link.id, at: now)
      }
      try rows.update(id, title: changes.title.applied(to: old.title), look, at: now)
      guard let new = try rows.find(id) else { throw Problem.notFound }
      return new
    }
    links.wasChanged(code.shortCode)
    return code
  }

  /// Takes a code away, and its link where that was made with it.
  /// - Throws: `Problem` 404, 412, 409 where other codes lead to the link.
  func delete(_ id: QRCodeID, account: AccountID, if preconditions: Preconditions, at now: Timestamp) throws {
    guard let seen = try QRCodeRows(account: account, queries: database).find(id) else {
      throw Problem.notFound
    }
    try database.transaction { connection in
      let rows = QRCodeRows(account: account, queries: connection)
      let link = try LinkRows(account: account, queries: connection).lock(seen.linkID)
      guard let link, let code = try rows.find(id) else { throw Problem.notFound }
      try preconditions.check(code.tag)
      guard code.ownsLink else { return try rows.delete(code, at: now) }
      guard try rows.count(.init(link: link.id)) == 1 else {
        throw Problem(
          409, "conflict", "This conflicts with what is there already.",
          detail: "The code's link goes with it, and other codes lead to that: delete them first.")
      }
      try links.remove(link, account: account, on: connection, at: now)
    }
    links.wasChanged(seen.shortCode)
  }

  /// A code ready to be drawn.
  /// - Throws: `Problem` 503 where something that it needs is away.
  func drawing(of code: QRCode, account: AccountID) throws -> QRDrawing {
    let logo = try logo(of: code.look, account: account)
    return try drawing(code.text(baseURL: baseURL), code.look, logo, fitting: true)
  }

  private func drawing(
    _ text: String, _ look: QRLook, _ logo: Logo?, fitting: Bool = false
  ) throws -> QRDrawing {
    do throws(QRDrawing.Refusal) {
      return try QRDrawing(
        text, correction: look.correction, style: look.style, logo: logo,
        font: look.style.caption == nil ? nil : font.font, fitting: fitting)
    } catch {
      throw Problem(error)
    }
  }
}

extension NewLink {
  /// A link as it usually is.
  init(to destination: WebURL, shortCode: ShortCode?, title: String?) {
    self.init(
      destination: destination, shortCode: shortCode, title: title, utm: UTM(), tags: [], forwardQuery: false,
      redirectStatus: .found, isEnabled: true)
  }
}

extension Problem {
  init(_ refusal: QRDrawing.Refusal) {
    switch refusal {
    case .textTooLong:
      self = .invalid("shortCode", "too_long", "The short address is too long for a QR code.")
    case .logoHidesTooMuch(let most):
      let hint =
        most.map { "At most \($0) per cent are possible here." } ?? "Take a picture of other proportions."
      self = .invalid(
        "logoSize", "hides_too_much", "The logo would hide so much that the code is hard to read. \(hint)")
    case .captionCharacter(let character):
      self = .invalid(
        "caption", "unsupported_character",
        "The character \(character) can't be drawn: Latin, Greek, Cyrillic, Armenian and Georgian letters, digits and common signs can."
      )
    case .noFont: self = .unavailable("There is no font for captions on this server.", retryAfter: 60)
    case .tooSmall(let least):
      self = .invalid(
        "size", "too_small", "So small the code can't be read: it needs at least \(least) pixels.")
    case .noMemory: self = .unavailable("There is no memory to draw this.", retryAfter: 1)
    }
  }
}
