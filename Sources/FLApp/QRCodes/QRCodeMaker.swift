import FLHTTP
import FLMariaDB
import FLQRCode
import FLValues

/// Makes QR codes for links, and draws them: whatever it makes can be drawn and read.
struct QRCodeMaker: Sendable {
  let logos: Logos
  /// The font of captions, nil where there is none; it is read for the first caption.
  let font: Lazy<CaptionFont?>
  let baseURL: String

  /// The logo of a look; nil where it has none. `prefix` is where the look stands in the request.
  /// - Throws: `Problem` 422 or 503; `DatabaseError`.
  func logo(of look: QRCodeLook, account: AccountID, in prefix: String = "") throws -> Logo? {
    try look.logoFileID.map { try logos.logo($0, account: account, field: prefix + "logoFileId") }
  }

  /// Makes a code for a link, which the transaction has made or locked.
  /// - Throws: `Problem` 403 where the month is used up, 422 where nobody could read it.
  func make(
    _ wish: QRCodeWish, _ logo: Logo?, for link: Link, ownsLink: Bool, account: AccountID, _ plan: Plan,
    on connection: Connection, at now: Timestamp, in prefix: String = ""
  ) throws -> QRCode {
    try PlanRows(queries: connection).take(.qrcodes, of: account, plan, at: now)
    let rows = QRCodeRows(account: account, queries: connection)
    let code = QRCode(
      id: QRCodeID(at: now), linkID: link.id, ownsLink: ownsLink, mark: try rows.takeMark(of: link.id),
      title: wish.title, look: wish.look, version: 1, createdAt: now, updatedAt: now,
      shortCode: link.shortCode, target: link.target, linkVersion: link.version, scans: 0, lastScannedAt: nil)
    _ = try drawing(of: code, logo, in: prefix)
    try rows.insert(code)
    return code
  }

  /// What is drawn of a code. A logo that would hide too much is refused, unless it is `fitting`: a code that could
  /// be drawn stays one when its link's short code gets longer.
  /// - Throws: `Problem` 422.
  func drawing(of code: QRCode, _ logo: Logo?, fitting: Bool = false, in prefix: String = "") throws(Problem)
    -> QRDrawing
  {
    do {
      return try QRDrawing(
        code.text(baseURL: baseURL), correction: code.look.drawnCorrection, style: code.look.style,
        logo: logo,
        font: code.look.caption == nil ? nil : font.value, fitting: fitting)
    } catch {
      throw Self.problem(error, prefix)
    }
  }

  /// What a client is told of a code that can't be drawn.
  static func problem(_ refusal: QRDrawing.Refusal, _ prefix: String = "") -> Problem {
    switch refusal {
    case .textTooLong:
      .invalid(prefix + "shortCode", "too_long", "The short URL does not fit into a QR code.")
    case .logoHidesTooMuch(let most?):
      .invalid(
        prefix + "logoSize", "logo_hides_too_much",
        "A logo of this size hides too much of the symbol; at most \(most) leaves it readable.")
    case .logoHidesTooMuch(nil):
      .invalid(
        prefix + "logoFileId", "logo_hides_too_much", "A logo of this shape hides too much of the symbol.")
    case .captionCharacter(let scalar):
      .invalid(
        prefix + "caption", "unsupported_character",
        "The character \(String(scalar)) can't be drawn in a caption.")
    case .noFont:
      .unavailable("This server has no font to draw captions with (FL_FONT).", retryAfter: 3600)
    case .tooSmall(let least):
      .invalid(
        "size", "too_small", "An image of this size can't be read; it needs at least \(least) pixels.")
    case .noMemory: .unavailable("The server can't draw: it has no memory left, or no libgd.", retryAfter: 60)
    }
  }
}
