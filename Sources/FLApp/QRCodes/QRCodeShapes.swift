import FLHTTP
import FLQRCode
import FLValues
import Foundation

extension NewQRCode {
  static let shape: Shape<NewQRCode> = members.map(
    to: { new, reading in
      new.wishes.tell(to: &reading)
      if new.linkID == nil && new.destination == nil {
        reading.member("linkId") { $0.refuse("required", "This or destinationUrl is required.") }
      }
      if new.linkID != nil && new.destination != nil {
        reading.member("destinationUrl") {
          $0.refuse("excluded", "A code is for the link of linkId, or has a link of its own: not both.")
        }
      }
      if new.linkID != nil && new.shortCode != nil {
        reading.member("shortCode") { $0.refuse("excluded", "The link of linkId has a short code already.") }
      }
      return new
    }, from: { $0 }
  ).named("NewQRCode")

  private static let members = Shape<NewQRCode>(
    {
      link, destination, code, title, foreground, background, transparent, logo, logoSize, correction, margin,
      shape, caption in
      NewQRCode(
        linkID: link, destination: destination, shortCode: code, title: title,
        wishes: QRLookWishes(
          foreground: foreground, background: background, isTransparent: transparent, logo: logo,
          logoSize: logoSize, correction: correction, margin: margin, shape: shape, caption: caption))
    },
    Field("linkId", \.linkID, Member.link), Field("destinationUrl", \.destination, Member.url),
    Field("shortCode", \.shortCode, Member.code), Field("title", \.title, Member.text),
    Field("foregroundColor", \.wishes.foreground, Member.color),
    Field("backgroundColor", \.wishes.background, Member.color),
    Field("isTransparent", \.wishes.isTransparent, Member.flag),
    Field("logoFileId", \.wishes.logo, Member.file),
    Field("logoSize", \.wishes.logoSize, Member.logoSize),
    Field("errorCorrection", \.wishes.correction, Member.correction),
    Field("margin", \.wishes.margin, Member.margin), Field("moduleShape", \.wishes.shape, Member.moduleShape),
    Field("caption", \.wishes.caption, Member.caption))
}

extension NestedQRCode {
  static let shape: Shape<NestedQRCode> = members.map(
    to: { new, reading in
      new.wishes.tell(to: &reading)
      return new
    }, from: { $0 }
  ).named("NestedQRCode")

  private static let members = Shape<NestedQRCode>(
    {
      isEnabled, title, foreground, background, transparent, logo, logoSize, correction, margin, shape,
      caption in
      NestedQRCode(
        isEnabled: isEnabled, title: title,
        wishes: QRLookWishes(
          foreground: foreground, background: background, isTransparent: transparent, logo: logo,
          logoSize: logoSize, correction: correction, margin: margin, shape: shape, caption: caption))
    },
    Field("enabled", \.isEnabled, Member.yes), Field("title", \.title, Member.text),
    Field("foregroundColor", \.wishes.foreground, Member.color),
    Field("backgroundColor", \.wishes.background, Member.color),
    Field("isTransparent", \.wishes.isTransparent, Member.flag),
    Field("logoFileId", \.wishes.logo, Member.file),
    Field("logoSize", \.wishes.logoSize, Member.logoSize),
    Field("errorCorrection", \.wishes.correction, Member.correction),
    Field("margin", \.wishes.margin, Member.margin), Field("moduleShape", \.wishes.shape, Member.moduleShape),
    Field("caption", \.wishes.caption, Member.caption))
}

extension QRCodeChanges {
  static let shape = Shape<QRCodeChanges>(
    QRCodeChanges.init(
      title:destination:foreground:background:isTransparent:logo:logoSize:correction:margin:shape:caption:),
    Field("title", \.title, Member.textChange), Field("destinationUrl", \.destination, Member.maybeURL),
    Field("foregroundColor", \.foreground, Member.maybeColor),
    Field("backgroundColor", \.background, Member.maybeColor),
    Field("isTransparent", \.isTransparent, Member.maybeFlag), Field("logoFileId", \.logo, Member.fileChange),
    Field("logoSize", \.logoSize, Member.maybeLogoSize),
    Field("errorCorrection", \.correction, Member.maybeCorrection),
    Field("margin", \.margin, Member.maybeMargin), Field("moduleShape", \.shape, Member.maybeModuleShape),
    Field("caption", \.caption, Member.captionChange)
  ).named("QRCodeChanges")
}

extension QRLookWishes {
  /// Tells what is wrong with the colours together.
  fileprivate func tell(to reading: inout Reading) {
    guard let problem = look.problem else { return }
    reading.member(problem.field) { $0.refuse(problem.code, problem.message) }
  }
}

/// The shapes of a QR code's members, each with its type written out, for the compiler's sake.
private enum Member {
  static let link: Shape<LinkID?> = .optional(.id())
  static let url: Shape<WebURL?> = .optional(.webURL)
  static let maybeURL: Shape<WebURL?> = .maybe(.webURL)
  static let code: Shape<ShortCode?> = .optional(.shortCode)
  static let text: Shape<String?> = .optional(.text(1...255))
  static let textChange: Shape<Change<String>> = .change(.text(1...255))
  static let color: Shape<QRColor?> = .optional(.color)
  static let maybeColor: Shape<QRColor?> = .maybe(.color)
  static let yes: Shape<Bool> = Shape<Bool>.bool.defaulting(to: true)
  static let flag: Shape<Bool?> = .optional(.bool)
  static let maybeFlag: Shape<Bool?> = .maybe(.bool)
  static let oneFile: Shape<FileID> = Shape<FileID>.id().described(
    "A PNG, JPEG or WebP file of the account. It raises the error correction to H.")
  static let file: Shape<FileID?> = .optional(oneFile)
  static let fileChange: Shape<Change<FileID>> = .change(oneFile)
  static let size: Shape<Int> = Shape<Int>.integer(QRStyle.logoSizes).described(
    "The longer side of the logo, in per cent of the symbol's width.")
  static let logoSize: Shape<Int?> = .optional(size)
  static let maybeLogoSize: Shape<Int?> = .maybe(size)
  static let level: Shape<QRCorrection> = .oneOf(QRCorrection.self)
  static let correction: Shape<QRCorrection?> = .optional(level)
  static let maybeCorrection: Shape<QRCorrection?> = .maybe(level)
  static let modules: Shape<Int> = Shape<Int>.integer(QRStyle.margins).described(
    "The quiet zone, in modules.")
  static let margin: Shape<Int?> = .optional(modules)
  static let maybeMargin: Shape<Int?> = .maybe(modules)
  static let form: Shape<QRModuleShape> = .oneOf(QRModuleShape.self)
  static let moduleShape: Shape<QRModuleShape?> = .optional(form)
  static let maybeModuleShape: Shape<QRModuleShape?> = .maybe(form)
  /// Composed, since the caption's font has letters with their accents, and no accents to put over letters.
  static let line: Shape<String> = Shape<String>.text(QRStyle.captionLength).map(
    to: { text, _ in text.precomposedStringWithCanonicalMapping }, from: { $0 })
  static let caption: Shape<String?> = .optional(line)
  static let captionChange: Shape<Change<String>> = .change(line)
}

extension Shape where Value == QRColor {
  /// `#rgb` or `#rrggbb`; written in the long form in lower case.
  static var color: Shape {
    Shape(
      schema: Schema([
        "type": "string", "pattern": "^#([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})$", "examples": ["#1a2b3c"],
      ]),
      readText: { text, reading in
        guard let color = QRColor(text) else {
          reading.refuse("invalid_color", "This must be a colour like #1a2b3c or #123.")
          return nil
        }
        return color
      },
      write: { $1.string($0.description) })
  }
}
