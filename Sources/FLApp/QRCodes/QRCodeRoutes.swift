import FLCrypto
import FLHTTP
import FLMariaDB
import FLQRCode
import FLValues
import HTTPTypes

/// QR codes and their images.
struct QRCodeRoutes {
  let database: Database
  let qrcodes: QRCodeService
  let clicks: ClickRoutes
  let shape: Shape<QRCode>

  init(database: Database, qrcodes: QRCodeService, clicks: ClickRoutes) {
    self.database = database
    self.qrcodes = qrcodes
    self.clicks = clicks
    shape = QRCode.shape(baseURL: qrcodes.baseURL)
  }

  var routes: [Route] { collection + single + shown }

  private var collection: [Route] {
    [
      Route(
        .get, "/api/qrcodes", "listQRCodes", access: .scope(.qrcodes), tag: "QR codes",
        summary: "List the QR codes, the newest first", .limit, .cursor,
        .query("search", Self.search, "Part of the title, the caption, the destination or the short code."),
        .query("linkId", Self.link, "The codes of this link."), reply: .list(shape, named: "QRCode"),
        handler: { call, limit, cursor, search, link in
          try list(call, .init(search: search, link: link), cursor, limit)
        }),
      Route(
        .post, "/api/qrcodes", "createQRCode", access: .scope(.qrcodes), tag: "QR codes",
        summary: "Make a QR code",
        description: """
          For the link of `linkId`, or with a link of its own that leads to `destinationUrl`. What could not be read \
          is refused: a foreground that is not darker than the background by a contrast of 3:1 and by 0.4 of \
          relative luminance, or a logo that hides more than two thirds of what can be corrected. A logo raises \
          the error correction to H. A key needs `files:read` to name a logo. A transparent image is judged by its \
          background colour: put it on something as light.
          """, problems: [409], body: NewQRCode.shape,
        reply: .created(shape, at: { "/api/qrcodes/\($0.id)" }).tagged(\.tag),
        handler: { call, new in try qrcodes.create(new, by: call.caller, at: call.now) }),
    ]
  }

  private var single: [Route] {
    [
      Route(
        .get, "/api/qrcodes/{id}", "getQRCode", access: .scope(.qrcodes), tag: "QR codes",
        summary: "Read a QR code", .path("id", .id(), "The QR code's id."), reply: .ok(shape).tagged(\.tag),
        handler: { call, id in try find(call, id) }),
      Route(
        .patch, "/api/qrcodes/{id}", "updateQRCode", access: .scope(.qrcodes), tag: "QR codes",
        summary: "Change a QR code",
        description:
          "What the symbol says stays as it is. `destinationUrl` can be changed where the link is the code's own.",
        problems: [409, 412], .path("id", .id(), "The QR code's id."), body: QRCodeChanges.shape,
        reply: .ok(shape).tagged(\.tag),
        handler: { call, changes, id in
          try qrcodes.update(id, changes, by: call.caller, if: call.preconditions, at: call.now)
        }),
      Route(
        .delete, "/api/qrcodes/{id}", "deleteQRCode", access: .scope(.qrcodes), tag: "QR codes",
        summary: "Delete a QR code", description: "A link that was made with the code goes with it.",
        problems: [409, 412], .path("id", .id(), "The QR code's id."), reply: .noContent,
        handler: { call, id in
          try qrcodes.delete(id, account: call.caller.account, if: call.preconditions, at: call.now)
        }),
    ]
  }

  private var shown: [Route] {
    [
      Route(
        .get, "/api/qrcodes/{id}/image", "getQRCodeImage", access: .scope(.qrcodes), tag: "QR codes",
        summary: "Draw a QR code",
        description:
          "A caption makes the image higher than `size`. Sizes at which a module had less than 3 pixels are refused.",
        .path("id", .id(), "The QR code's id."), .query("format", Self.format, "What to draw."),
        .query("size", Self.size, "The width in pixels; 600 unless given."),
        .query("download", Self.flag, "Whether browsers save the image."),
        .query("v", Self.digest, "As `imageUrl` has it: then the image may be kept for a year."),
        reply: .made("image/png", "image/svg+xml", description: "The image"),
        handler: { call, id, format, size, download, digest in
          try image(call, id, format, size, download, digest)
        }),
      Route(
        .get, "/api/qrcodes/{id}/stats", "getQRCodeStatistics", access: .scope(.qrcodes), tag: "Statistics",
        summary: "Read the statistics of a QR code's scans", .path("id", .id(), "The QR code's id."),
        ClickRoutes.from, ClickRoutes.to, ClickRoutes.interval, ClickRoutes.zone,
        reply: .ok(ClickStatistics.shape),
        handler: { call, id, from, to, interval, zone in
          let code = try find(call, id)
          // Scans are also rolled up by the code's id.
          let subject = LinkID(high: code.id.high, low: code.id.low)
          return try clicks.statistics(call, of: subject, from, to, interval, zone)
        }),
    ]
  }

  /// What an image is drawn as.
  enum Format: String, Sendable, CaseIterable { case png, svg }

  private static let search: Shape<String?> = .optional(.text(0...255))
  private static let link: Shape<LinkID?> = .optional(.id())
  private static let format: Shape<Format> = Shape<Format>.oneOf(Format.self).defaulting(to: .png)
  private static let size: Shape<Int?> = .optional(.integer(QRDrawing.sizes))
  private static let flag: Shape<Bool> = Shape<Bool>.bool.defaulting(to: false)
  private static let digest: Shape<String?> = .optional(.text(1...64))

  func find(_ call: Call, _ id: QRCodeID) throws -> QRCode {
    guard let code = try QRCodeRows(account: call.caller.account, queries: database).find(id) else {
      throw Problem.notFound
    }
    return code
  }

  func list(_ call: Call, _ filter: QRCodeRows.Filter, _ cursor: Cursor?, _ limit: Int) throws -> Page<QRCode>
  {
    let rows = QRCodeRows(account: try call.caller.account, queries: database)
    let codes = try rows.list(filter, behind: cursor?.id(), limit: limit + 1)
    return try Page(codes, limit: limit, total: rows.count(filter)) { Cursor(id: $0.id) }
  }

  func image(
    _ call: Call, _ id: QRCodeID, _ format: Format, _ size: Int?, _ download: Bool, _ wanted: String?
  ) throws -> Response {
    let code = try find(call, id)
    let digest = code.imageDigest(baseURL: qrcodes.baseURL)
    let tag = "\"\(digest)-\(format.rawValue)-\(size.map { String($0) } ?? "usual")\""
    var headers: HTTPFields = [.eTag: tag, .xContentTypeOptions: "nosniff"]
    // Without the digest the address stays when the look changes: then it is asked each time, which costs no drawing.
    headers[.cacheControl] = wanted == digest ? "private, max-age=31536000, immutable" : "private, no-cache"
    if call.preconditions.isFresh(tag) { return Response(status: 304, headers: headers) }
    let drawing = try qrcodes.drawing(of: code, account: call.caller.account)
    let width = size ?? max(600, drawing.leastSize)
    let bytes: [UInt8]
    do throws(QRDrawing.Refusal) {
      switch format {
      case .png: bytes = try drawing.png(size: width)
      case .svg:
        bytes = try drawing.svg(size: width, title: code.title ?? "\(qrcodes.baseURL)/\(code.shortCode)")
      }
    } catch {
      throw Problem(error)
    }
    switch format {
    case .png: headers[.contentType] = "image/png"
    case .svg:
      headers[.contentType] = "image/svg+xml"
      headers[.contentSecurityPolicy] = "default-src 'none'; img-src data:; sandbox"
    }
    let kind = download ? "attachment" : "inline"
    headers[.contentDisposition] = "\(kind); filename=\"qr-\(code.shortCode).\(format.rawValue)\""
    return Response(status: 200, headers: headers, body: .bytes(bytes))
  }
}
