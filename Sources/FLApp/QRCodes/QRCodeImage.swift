import FLCrypto
import FLHTTP
import FLQRCode
import HTTPTypes

/// The image of a QR code, as it is asked for.
struct QRCodeImage: Sendable {
  let code: QRCode
  let format: Format
  /// Pixels from side to side.
  let size: Int
  /// Whether it is to be saved rather than shown.
  let isDownload: Bool
  /// The version that is asked for; nil for whatever there is.
  let version: String?

  /// The kinds of image.
  enum Format: String, Sendable, CaseIterable {
    case png, svg

    var contentType: String { self == .png ? "image/png" : "image/svg+xml" }
  }

  /// A digest of all that the image shows, but for format and size. It is in the addresses of images, so that these
  /// can be kept for ever.
  static func version(of code: QRCode, baseURL: String) -> String {
    let look = code.look
    let parts = [
      "\(QRDrawing.version)", code.text(baseURL: baseURL), look.foreground.description,
      look.background.description, "\(look.isTransparent)", look.logoFileID.map(\.description) ?? "",
      "\(look.logoSize)", look.drawnCorrection.rawValue, "\(look.margin)", look.moduleShape.rawValue,
      look.caption ?? "", code.title ?? "",
    ]
    return String(Hex.encode(SHA256.digest(Array(parts.joined(separator: "\u{0}").utf8))).prefix(20))
  }

  /// Answers with the image, which `draw` makes where the client does not have it.
  func respond(baseURL: String, if preconditions: Preconditions, _ draw: () throws -> QRDrawing) throws
    -> Response
  {
    let current = Self.version(of: code, baseURL: baseURL)
    let tag = "\"\(current).\(format.rawValue).\(size)\""
    var headers: HTTPFields = [
      .eTag: tag,
      .cacheControl: version == current ? "private, max-age=31536000, immutable" : "private, max-age=300",
    ]
    if preconditions.isFresh(tag) { return Response(status: 304, headers: headers) }
    let drawing = try draw()
    let bytes: [UInt8]
    do throws(QRDrawing.Refusal) {
      switch format {
      case .png: bytes = try drawing.png(size: size)
      case .svg: bytes = try drawing.svg(size: size, title: code.title ?? code.look.caption ?? "QR code")
      }
    } catch {
      throw QRCodeMaker.problem(error)
    }
    headers[.contentType] = format.contentType
    headers[.contentTypeOptions] = "nosniff"
    headers[.contentSecurityPolicy] = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox"
    headers[.contentDisposition] =
      "\(isDownload ? "attachment" : "inline"); filename=\"qr-\(code.shortCode).\(format.rawValue)\""
    return Response(status: 200, headers: headers, body: .bytes(bytes))
  }
}
