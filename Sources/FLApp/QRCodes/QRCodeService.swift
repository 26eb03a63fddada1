import FLHTTP
import FLMariaDB
import FLQRCode
import FLValues

/// The rules of QR codes: their links, plans, and that what is made can be read.
struct QRCodeService: Sendable {
  let database: Database
  let links: LinkService
  let generations: Generations
  let maker: QRCodeMaker

  /// Makes a code, and a link where it is to have one of its own.
  /// - Throws: `Problem` 403 when the plan's month is used up, 409 when the short code is taken, 422 where the link or
  ///   the logo is not there, or nobody could read the code.
  func create(_ new: NewQRCode, account: AccountID, plan: Plan, at now: Timestamp) throws -> QRCode {
    let logo = try maker.logo(of: new.wish.look, account: account)
    let code = try links.translatingRefusals {
      try database.transaction { connection in
        var link: Link
        let ownsLink: Bool
        switch new.subject {
        case .link(let id):
          guard let found = try LinkRows(account: account, queries: connection).lock(id) else {
            throw Problem.invalid("linkId", "not_found", "There is no such link.")
          }
          (link, ownsLink) = (found, false)
        case .url(let url, let shortCode):
          var wish = NewLink(to: url)
          wish.shortCode = shortCode
          wish.title = new.wish.title
          link = try links.make(wish, passwordHash: nil, account: account, plan, on: connection, at: now)
          ownsLink = true
        }
        let code = try maker.make(
          new.wish, logo, for: link, ownsLink: ownsLink, account: account, plan, on: connection, at: now)
        if ownsLink {
          link.qrCode = code
          try links.tellCreated(link, account: account, on: connection, at: now)
        }
        return code
      }
    }
    generations.changed(.code(code.shortCode))
    return code
  }

  /// Changes a code, and the destination of its own link.
  /// - Throws: `Problem` 404, 412 where `preconditions` name another version, 422.
  func update(
    _ id: QRCodeID, _ changes: QRCodeChanges, account: AccountID, if preconditions: Preconditions,
    at now: Timestamp
  ) throws -> QRCode {
    var logo: Logo?
    if let before = try QRCodeRows(account: account, queries: database).find(id) {
      logo = try maker.logo(of: before.look.changed(by: changes), account: account)
    }
    let code = try links.translatingRefusals {
      try database.transaction { [logo] connection in
        let rows = QRCodeRows(account: account, queries: connection)
        guard var code = try rows.lock(id) else { throw Problem.notFound }
        try preconditions.check(code.tag)
        let old = code.look
        code.title = changes.title.applied(to: code.title)
        code.look = old.changed(by: changes)
        if let problem = code.look.colorProblem { throw Problem.invalid([problem]) }
        // What is drawn stays as it was where nothing of it changes, though the rules were others then.
        if code.look != old { _ = try maker.drawing(of: code, logo) }
        if let url = changes.destination {
          try lead(code, to: url, account: account, on: connection, at: now)
        }
        try rows.update(code, at: now)
        guard let new = try rows.find(id) else { throw Problem.notFound }
        return new
      }
    }
    generations.changed(.code(code.shortCode))
    return code
  }

  private func lead(
    _ code: QRCode, to url: WebURL, account: AccountID, on connection: Connection, at now: Timestamp
  ) throws {
    guard code.ownsLink else {
      throw Problem.invalid(
        "destinationUrl", "not_own_link", "This code was made for a link: change that link's destination.")
    }
    let rows = LinkRows(account: account, queries: connection)
    guard var link = try rows.lock(code.linkID) else { throw Problem.notFound }
    link.target = .url(url.text)
    try rows.update(link, at: now)
  }

  /// Takes a code away, and its own link with it, unless that has other codes.
  /// - Throws: `Problem` 404 or 412.
  func delete(_ id: QRCodeID, account: AccountID, if preconditions: Preconditions, at now: Timestamp) throws {
    let code = try database.transaction { connection in
      let rows = QRCodeRows(account: account, queries: connection)
      guard let code = try rows.lock(id) else { throw Problem.notFound }
      try preconditions.check(code.tag)
      try rows.delete(code)
      let others = try rows.count(.init(linkID: code.linkID))
      if code.ownsLink, others == 0,
        let link = try LinkRows(account: account, queries: connection).lock(code.linkID)
      {
        try links.remove(link, account: account, on: connection, at: now)
      }
      return code
    }
    generations.changed(.code(code.shortCode))
  }
}

extension NewLink {
  /// A link with nothing but a destination.
  fileprivate init(to url: WebURL) {
    self.init(
      target: .url(url.text), shortCode: nil, title: nil, utm: UTM(), tags: [], expiresAt: nil,
      expiredURL: nil,
      maxClicks: nil, password: nil, forwardQuery: false, redirectStatus: .found, isEnabled: true,
      externalID: nil, qrCode: nil)
  }
}
