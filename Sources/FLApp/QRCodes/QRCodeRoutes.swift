import FLHTTP
import FLMariaDB
import FLQRCode
import FLValues

/// QR codes, their images and their statistics.
struct QRCodeRoutes {
  let database: Database
  let codes: QRCodeService
  let clicks: ClickRoutes
  let shape: Shape<QRCode>

  init(database: Database, codes: QRCodeService, clicks: ClickRoutes) {
    self.database = database
    self.codes = codes
    self.clicks = clicks
    shape = QRCode.shape(baseURL: codes.maker.baseURL)
  }

  var routes: [Route] {
    [
      Route(
        .get, "/api/qrcodes", "listQrCodes", access: .scope(.qrcodes), tag: "QR codes",
        summary: "List the QR codes, the newest first", .limit, .cursor,
        .query("search", Self.search, "Part of the title, the caption, the destination or the short code."),
        .query("linkId", Self.link, "The codes of this link."), reply: .list(shape, named: "QRCode"),
        handler: { call, limit, cursor, search, link in
          try list(call, .init(search: search, linkID: link), cursor, limit)
        }),
      Route(
        .post, "/api/qrcodes", "createQrCode", access: .scope(.qrcodes), tag: "QR codes",
        summary: "Make a QR code",
        description: """
          For a link that is there (`linkId`), or with a link of its own (`destinationUrl`, `shortCode`), which then \
          counts as a link of the month as well. What could not be read is refused: too little contrast, light on \
          dark, a logo that hides too much.
          """, problems: [409], body: NewQRCode.shape,
        reply: .created(shape, at: { "/api/qrcodes/\($0.id)" }).tagged(\.tag),
        handler: { call, new in try create(call, new) }),
      Route(
        .get, "/api/qrcodes/{id}", "getQrCode", access: .scope(.qrcodes), tag: "QR codes",
        summary: "Read a QR code", Self.id, reply: .ok(shape).tagged(\.tag),
        handler: { call, id in try find(call, id) }),
      Route(
        .patch, "/api/qrcodes/{id}", "updateQrCode", access: .scope(.qrcodes), tag: "QR codes",
        summary: "Change a QR code",
        description: "What its symbol says stays the same: printed codes go on working.", problems: [412],
        Self.id, body: QRCodeChanges.shape, reply: .ok(shape).tagged(\.tag),
        handler: { call, changes, id in try update(call, changes, id) }),
      Route(
        .delete, "/api/qrcodes/{id}", "deleteQrCode", access: .scope(.qrcodes), tag: "QR codes",
        summary: "Delete a QR code",
        description: "A link of its own goes with it, unless that has other codes.", problems: [412], Self.id,
        reply: .noContent,
        handler: { call, id in
          try codes.delete(id, account: call.caller.account, if: call.preconditions, at: call.now)
        }),
      Route(
        .get, "/api/qrcodes/{id}/image", "getQrCodeImage", access: .scope(.qrcodes), tag: "QR codes",
        summary: "Draw a QR code",
        description: "With a caption the image is higher than wide. It has a strong `ETag`.", Self.id,
        .query("format", Self.format, "The kind of image."),
        .query("size", Self.size, "The width in pixels; one that is too small to be read is refused."),
        .query("download", Self.download, "Whether it is to be saved rather than shown."),
        .query("v", Self.version, "The version, as `imageUrl` has it: the answer may then be kept for ever."),
        reply: .made(
          "image/png", "image/svg+xml", description: "The image",
          others: [(304, "The client has the image already.")]),
        handler: { call, id, format, size, download, version in
          try image(call, id, format, size, download, version)
        }),
      Route(
        .get, "/api/qrcodes/{id}/stats", "getQrCodeStatistics", access: .scope(.qrcodes), tag: "QR codes",
        summary: "Read the statistics of a QR code's scans", Self.id, ClickRoutes.from, ClickRoutes.to,
        ClickRoutes.interval, ClickRoutes.zone, reply: .ok(ClickStatistics.shape),
        handler: { call, id, from, to, interval, zone in
          _ = try find(call, id)
          return try clicks.statistics(call, of: .qrCode(id), from, to, interval, zone)
        }),
    ]
  }

  private static let id: Parameter<QRCodeID> = .path("id", .id(), "The QR code's id.")
  private static let search: Shape<String?> = .optional(.text(0...255))
  private static let link: Shape<LinkID?> = .optional(.id())
  private static let format: Shape<QRCodeImage.Format> = Shape<QRCodeImage.Format>.oneOf(
    QRCodeImage.Format.self
  )
  .defaulting(to: .png)
  private static let version: Shape<String?> = .optional(.text(1...64))
  private static let size: Shape<Int> = Shape<Int>.integer(QRDrawing.sizes).defaulting(to: 600)
  private static let download: Shape<Bool> = Shape<Bool>.bool.defaulting(to: false)

  func find(_ call: Call, _ id: QRCodeID) throws -> QRCode {
    guard let code = try QRCodeRows(account: call.caller.account, queries: database).find(id) else {
      throw Problem.notFound
    }
    return code
  }

  func list(_ call: Call, _ filter: QRCodeRows.Filter, _ cursor: Cursor?, _ limit: Int) throws -> Page<QRCode>
  {
    let rows = QRCodeRows(account: try call.caller.account, queries: database)
    let found = try rows.list(filter, behind: cursor, limit: limit + 1)
    return try Page(found, limit: limit, total: rows.count(filter)) { Cursor(id: $0.id) }
  }

  func create(_ call: Call, _ new: NewQRCode) throws -> QRCode {
    if new.wish.look.logoFileID != nil { try call.caller.checkMayReadFiles() }
    return try codes.create(new, account: call.caller.account, plan: call.caller.plan, at: call.now)
  }

  func update(_ call: Call, _ changes: QRCodeChanges, _ id: QRCodeID) throws -> QRCode {
    if case .set = changes.logoFileID { try call.caller.checkMayReadFiles() }
    return try codes.update(id, changes, account: call.caller.account, if: call.preconditions, at: call.now)
  }

  func image(
    _ call: Call, _ id: QRCodeID, _ format: QRCodeImage.Format, _ size: Int, _ isDownload: Bool,
    _ version: String?
  ) throws -> Response {
    let code = try find(call, id)
    let image = QRCodeImage(code: code, format: format, size: size, isDownload: isDownload, version: version)
    return try image.respond(baseURL: codes.maker.baseURL, if: call.preconditions) {
      let logo = try codes.maker.logo(of: code.look, account: call.caller.account)
      return try codes.maker.drawing(of: code, logo, fitting: true)
    }
  }
}
