import FLHTTP
import FLQRCode
public import FLValues

/// The identifier of a QR code.
public typealias QRCodeID = ID<QRCode>

/// A QR code of a link.
public struct QRCode: Sendable {
  var id: QRCodeID
  var linkID: LinkID
  /// Whether the link was made with the code, and goes with it.
  var ownsLink: Bool
  /// The number by which its scans are known among those of the link's codes.
  var mark: Int
  var title: String?
  var look: QRCodeLook
  var version: Int
  var createdAt: Timestamp
  var updatedAt: Timestamp

  /// The link's.
  var shortCode: ShortCode
  /// The link's.
  var target: LinkTarget
  /// The link's.
  var linkVersion: Int
  var scans: Int
  var lastScannedAt: Timestamp?

  var tag: EntityTag { EntityTag(version: version, state: "\(linkVersion).\(scans)") }

  /// What the symbol says, given where short URLs begin.
  func text(baseURL: String) -> String { "\(baseURL)/\(shortCode)?qr=\(mark)" }

  /// How the API shows codes of links whose short addresses begin with `baseURL`.
  static func shape(baseURL: String) -> Shape<QRCode> {
    func image(_ format: QRCodeImage.Format) -> @Sendable (QRCode) -> String {
      { code in
        let version = QRCodeImage.version(of: code, baseURL: baseURL)
        return "\(baseURL)/api/qrcodes/\(code.id)/image?format=\(format.rawValue)&v=\(version)"
      }
    }
    return .output(
      "QRCode",
      [
        .init("id", \.id, .id()), .init("title", \.title, .optional(.string)),
        .init("linkId", \.linkID, .id()), .init("shortCode", \.shortCode, .shortCode),
        .init("shortUrl", { "\(baseURL)/\($0.shortCode)" }, .string),
        .init("destinationUrl", \.target.url, .optional(.string)),
        .init("fileId", \.target.file, .optional(.id())),
        .init("ownsLink", \.ownsLink, .bool),
        .init("content", { $0.text(baseURL: baseURL) }, Shape.string.described("What the symbol says.")),
        .init("imageUrl", image(.png), .string), .init("svgUrl", image(.svg), .string),
        .init("foregroundColor", \.look.foreground, .qrColor),
        .init("backgroundColor", \.look.background, .qrColor),
        .init("isTransparent", \.look.isTransparent, .bool),
        .init("logoFileId", \.look.logoFileID, .optional(.id())), .init("logoSize", \.look.logoSize, .count),
        .init("errorCorrection", \.look.drawnCorrection, .oneOf(QRCorrection.self)),
        .init("margin", \.look.margin, .count),
        .init("moduleShape", \.look.moduleShape, .oneOf(QRModuleShape.self)),
        .init("caption", \.look.caption, .optional(.string)),
        .init("scans", \.scans, .count), .init("lastScannedAt", \.lastScannedAt, .optional(.timestamp)),
        .init("createdAt", \.createdAt, .timestamp), .init("updatedAt", \.updatedAt, .timestamp),
      ])
  }
}

/// How a QR code looks.
struct QRCodeLook: Sendable, Equatable {
  var foreground = QRColor(red: 0, green: 0, blue: 0)
  var background = QRColor(red: 255, green: 255, blue: 255)
  var isTransparent = false
  var logoFileID: FileID?
  var logoSize = 22
  var errorCorrection = QRCorrection.medium
  var margin = 4
  var moduleShape = QRModuleShape.square
  var caption: String?

  /// The level that is drawn: a logo hides a part of the symbol, which only H makes up for.
  var drawnCorrection: QRCorrection { logoFileID == nil ? errorCorrection : .high }

  var style: QRStyle {
    QRStyle(
      foreground: foreground, background: background, isTransparent: isTransparent, margin: margin,
      shape: moduleShape, caption: caption, logoSize: logoSize)
  }

  /// What is wrong with the colours together: the member, the code and the words.
  var colorProblem: FieldProblem? {
    switch style.colorProblem {
    case nil: nil
    case .lightOnDark:
      FieldProblem(
        "foregroundColor", "light_on_dark",
        "This must be darker than backgroundColor: many readers take no light symbol on a dark ground.")
    case .lowContrast(let ratio):
      FieldProblem(
        "foregroundColor", "low_contrast",
        "This is too much like backgroundColor to be read: the contrast is \(Self.words(ratio)), and at "
          + "least \(Self.words(QRStyle.leastContrast)) with a clear difference of lightness is needed.")
    }
  }

  private static func words(_ ratio: Double) -> String {
    let tenths = Int((ratio * 10).rounded(.down))
    return "\(tenths / 10).\(tenths % 10):1"
  }

  /// This look with `changes` made to it.
  func changed(by changes: QRCodeChanges) -> QRCodeLook {
    QRCodeLook(
      foreground: changes.foreground ?? foreground, background: changes.background ?? background,
      isTransparent: changes.isTransparent ?? isTransparent,
      logoFileID: changes.logoFileID.applied(to: logoFileID), logoSize: changes.logoSize ?? logoSize,
      errorCorrection: changes.errorCorrection ?? errorCorrection, margin: changes.margin ?? margin,
      moduleShape: changes.moduleShape ?? moduleShape, caption: changes.caption.applied(to: caption))
  }
}

/// A QR code that is to be made for a link.
struct QRCodeWish: Sendable {
  var title: String?
  var look: QRCodeLook
}

/// A QR code that is to be made, and for what.
struct NewQRCode: Sendable {
  /// What the symbol leads to.
  enum Subject: Sendable {
    /// A link that is there.
    case link(LinkID)
    /// A link of its own.
    case url(WebURL, shortCode: ShortCode?)
  }

  let subject: Subject
  let wish: QRCodeWish
}

/// What is to be changed of a QR code (a merge patch).
struct QRCodeChanges: Sendable {
  var destination: WebURL?
  var title: Change<String>
  var foreground: QRColor?
  var background: QRColor?
  var isTransparent: Bool?
  var logoFileID: Change<FileID>
  var logoSize: Int?
  var errorCorrection: QRCorrection?
  var margin: Int?
  var moduleShape: QRModuleShape?
  var caption: Change<String>
}
