import FLCrypto
import FLHTTP
import FLQRCode
public import FLValues

/// The identifier of a QR code.
public typealias QRCodeID = ID<QRCode>

/// A QR code of a link.
public struct QRCode: Sendable {
  var id: QRCodeID
  var title: String?
  var linkID: LinkID
  /// Whether the link was made with the code, and goes with it.
  var ownsLink: Bool
  /// The number by which a scan of this code is known among those of the link.
  var mark: Int
  var shortCode: ShortCode
  /// Where the link leads; nil where that is a file.
  var destination: String?
  var look: QRLook
  var scans: Int
  var version: Int
  /// The link's version: the code shows some of the link.
  var linkVersion: Int
  var createdAt: Timestamp
  var updatedAt: Timestamp

  var tag: EntityTag { EntityTag(version: version, state: "\(linkVersion).\(scans)") }

  /// What the symbol says. It changes with the link's short code, and with nothing else.
  func text(baseURL: String) -> String { "\(baseURL)/\(shortCode)?qr=\(mark)" }

  /// The image's identity: a digest of all that it shows.
  func imageDigest(baseURL: String) -> String {
    let title = title ?? "\(baseURL)/\(shortCode)"
    let parts = [String(QRDrawing.version), text(baseURL: baseURL), title, look.identity]
    return String(Hex.encode(SHA256.digest(parts.joined(separator: "\u{0}"))).prefix(20))
  }

  /// How the API shows codes of links whose short addresses begin with `baseURL`.
  static func shape(baseURL: String) -> Shape<QRCode> {
    func image(_ format: String) -> @Sendable (QRCode) -> String {
      { code in
        "\(baseURL)/api/qrcodes/\(code.id)/image?format=\(format)&v=\(code.imageDigest(baseURL: baseURL))"
      }
    }
    return .output(
      "QRCode",
      [
        .init("id", \.id, .id()), .init("title", \.title, .optional(.string)),
        .init("linkId", \.linkID, .id()),
        .init("ownsLink", \.ownsLink, .bool), .init("shortCode", \.shortCode, .shortCode),
        .init("shortUrl", { "\(baseURL)/\($0.shortCode)" }, .string),
        .init("destinationUrl", \.destination, .optional(.string)),
        .init("foregroundColor", \.look.style.foreground, .color),
        .init("backgroundColor", \.look.style.background, .color),
        .init("isTransparent", \.look.style.isTransparent, .bool),
        .init("logoFileId", \.look.logoFileID, .optional(.id())),
        .init("logoSize", \.look.style.logoSize, .count),
        .init("errorCorrection", \.look.correction, .oneOf(QRCorrection.self)),
        .init("margin", \.look.style.margin, .count),
        .init("moduleShape", \.look.style.shape, .oneOf(QRModuleShape.self)),
        .init("caption", \.look.style.caption, .optional(.string)),
        .init("content", { $0.text(baseURL: baseURL) }, Shape.string.described("What the symbol says.")),
        .init("imageUrl", image("png"), .string), .init("svgUrl", image("svg"), .string),
        .init("scans", \.scans, .count), .init("createdAt", \.createdAt, .timestamp),
        .init("updatedAt", \.updatedAt, .timestamp),
      ])
  }
}

/// How a QR code looks.
struct QRLook: Sendable, Hashable {
  var style = QRStyle()
  var correction = QRCorrection.medium
  var logoFileID: FileID?

  /// All of it as a text.
  var identity: String {
    [
      "\(style.foreground)", "\(style.background)", "\(style.isTransparent)", "\(style.margin)",
      style.shape.rawValue, "\(style.logoSize)", correction.rawValue, logoFileID?.description ?? "",
      style.caption ?? "",
    ].joined(separator: "|")
  }

  /// What is wrong with the colours.
  var problem: FieldProblem? {
    switch style.colorProblem {
    case nil: nil
    case .lightOnDark:
      FieldProblem(
        "foregroundColor", "light_on_dark",
        "The foreground must be darker than the background: many readers find no light code on a dark ground."
      )
    case .lowContrast(let ratio):
      FieldProblem(
        "foregroundColor", "low_contrast",
        "This has too little contrast to the background to be read (\(Int(ratio * 10) / 10).\(Int(ratio * 10) % 10):1). Take a darker foreground or a lighter background."
      )
    }
  }

  /// A code with a logo is always made with the highest correction.
  var raised: QRLook {
    var look = self
    if logoFileID != nil { look.correction = .high }
    return look
  }
}

/// A look that is wished for; what is nil is as usual.
struct QRLookWishes: Sendable {
  var foreground: QRColor?
  var background: QRColor?
  var isTransparent: Bool?
  var logo: FileID?
  var logoSize: Int?
  var correction: QRCorrection?
  var margin: Int?
  var shape: QRModuleShape?
  var caption: String?

  var look: QRLook {
    let usual = QRStyle()
    let style = QRStyle(
      foreground: foreground ?? usual.foreground, background: background ?? usual.background,
      isTransparent: isTransparent ?? false, margin: margin ?? usual.margin, shape: shape ?? usual.shape,
      caption: caption, logoSize: logoSize ?? usual.logoSize)
    return QRLook(style: style, correction: correction ?? .medium, logoFileID: logo).raised
  }
}

/// A QR code that is to be made, for a link that there is or with one of its own.
struct NewQRCode: Sendable {
  var linkID: LinkID?
  var destination: WebURL?
  var shortCode: ShortCode?
  var title: String?
  var wishes: QRLookWishes
}

/// The member `qrCode` of a link that is to be made.
struct NestedQRCode: Sendable {
  var isEnabled: Bool
  var title: String?
  var wishes: QRLookWishes
}

/// What is to be changed of a QR code (a merge patch).
struct QRCodeChanges: Sendable {
  var title: Change<String>
  var destination: WebURL?
  var foreground: QRColor?
  var background: QRColor?
  var isTransparent: Bool?
  var logo: Change<FileID>
  var logoSize: Int?
  var correction: QRCorrection?
  var margin: Int?
  var shape: QRModuleShape?
  var caption: Change<String>

  /// `look` with these changes made to it.
  func applied(to look: QRLook) -> QRLook {
    var new = look
    new.style.foreground = foreground ?? look.style.foreground
    new.style.background = background ?? look.style.background
    new.style.isTransparent = isTransparent ?? look.style.isTransparent
    new.style.logoSize = logoSize ?? look.style.logoSize
    new.style.margin = margin ?? look.style.margin
    new.style.shape = shape ?? look.style.shape
    new.style.caption = caption.applied(to: look.style.caption)
    new.correction = correction ?? look.correction
    new.logoFileID = logo.applied(to: look.logoFileID)
    return new.raised
  }
}
