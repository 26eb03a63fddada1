import FLHTTP
import FLQRCode
import FLValues

extension NewQRCode {
  static let shape = Draft.shape.map(
    to: { draft, reading in
      guard let subject = draft.subject(&reading) else { return nil }
      return NewQRCode(subject: subject, wish: draft.wish)
    },
    from: { Draft($0) })

  /// A code whose members are still to be compared with one another.
  private struct Draft: Sendable {
    let linkID: LinkID?
    let destination: WebURL?
    let shortCode: ShortCode?
    let wish: QRCodeWish

    init(linkID: LinkID?, destination: WebURL?, shortCode: ShortCode?, wish: QRCodeWish) {
      (self.linkID, self.destination, self.shortCode, self.wish) = (linkID, destination, shortCode, wish)
    }

    init(_ new: NewQRCode) {
      switch new.subject {
      case .link(let id): self.init(linkID: id, destination: nil, shortCode: nil, wish: new.wish)
      case .url(let url, let code): self.init(linkID: nil, destination: url, shortCode: code, wish: new.wish)
      }
    }

    func subject(_ reading: inout Reading) -> Subject? {
      let colors = wish.look.refuseColors(&reading)
      switch (linkID, destination) {
      case (let id?, nil):
        if shortCode != nil {
          reading.member("shortCode") { $0.refuse("conflicting", "The link of linkId has a short code.") }
          return nil
        }
        return colors ? .link(id) : nil
      case (nil, let url?): return colors ? .url(url, shortCode: shortCode) : nil
      case (nil, nil):
        reading.member("linkId") {
          $0.refuse("required", "A linkId is needed, or a destinationUrl for a link of its own.")
        }
      case (_?, _?):
        reading.member("destinationUrl") {
          $0.refuse("conflicting", "Give a linkId or a destinationUrl, not both.")
        }
      }
      return nil
    }

    static let shape = Shape<Draft>(
      {
        link, destination, code, title, foreground, background, transparent, logo, logoSize, correction,
        margin,
        shape, caption in
        Draft(
          linkID: link, destination: destination, shortCode: code,
          wish: QRCodeWish(
            title: title,
            look: QRCodeLook(
              foreground: foreground, background: background, isTransparent: transparent, logoFileID: logo,
              logoSize: logoSize, errorCorrection: correction, margin: margin, moduleShape: shape,
              caption: caption)))
      },
      Field("linkId", \.linkID, Member.link), Field("destinationUrl", \.destination, Member.url),
      Field("shortCode", \.shortCode, Member.code), Field("title", \.wish.title, Member.title),
      Field("foregroundColor", \.wish.look.foreground, Member.black),
      Field("backgroundColor", \.wish.look.background, Member.white),
      Field("isTransparent", \.wish.look.isTransparent, Member.no),
      Field("logoFileId", \.wish.look.logoFileID, Member.logo),
      Field("logoSize", \.wish.look.logoSize, Member.logoSize),
      Field("errorCorrection", \.wish.look.errorCorrection, Member.correction),
      Field("margin", \.wish.look.margin, Member.margin),
      Field("moduleShape", \.wish.look.moduleShape, Member.moduleShape),
      Field("caption", \.wish.look.caption, Member.caption)
    ).named("NewQRCode")
  }
}

extension QRCodeWish {
  /// The member `qrCode` of a link that is to be made: with `enabled`, what is wished for; else nil.
  static let nested = Nested.shape.map(
    to: { nested, reading -> QRCodeWish?? in
      // The outer nil is a problem, the inner one no code.
      guard nested.isEnabled else { return .some(nil) }
      return nested.wish.look.refuseColors(&reading) ? .some(.some(nested.wish)) : nil
    },
    from: { Nested(isEnabled: $0 != nil, wish: $0 ?? QRCodeWish(title: nil, look: QRCodeLook())) })

  private struct Nested: Sendable {
    let isEnabled: Bool
    let wish: QRCodeWish

    static let shape = Shape<Nested>(
      {
        enabled, title, foreground, background, transparent, logo, logoSize, correction, margin, shape,
        caption
        in
        Nested(
          isEnabled: enabled,
          wish: QRCodeWish(
            title: title,
            look: QRCodeLook(
              foreground: foreground, background: background, isTransparent: transparent, logoFileID: logo,
              logoSize: logoSize, errorCorrection: correction, margin: margin, moduleShape: shape,
              caption: caption)))
      },
      Field("enabled", \.isEnabled, Member.yes), Field("title", \.wish.title, Member.title),
      Field("foregroundColor", \.wish.look.foreground, Member.black),
      Field("backgroundColor", \.wish.look.background, Member.white),
      Field("isTransparent", \.wish.look.isTransparent, Member.no),
      Field("logoFileId", \.wish.look.logoFileID, Member.logo),
      Field("logoSize", \.wish.look.logoSize, Member.logoSize),
      Field("errorCorrection", \.wish.look.errorCorrection, Member.correction),
      Field("margin", \.wish.look.margin, Member.margin),
      Field("moduleShape", \.wish.look.moduleShape, Member.moduleShape),
      Field("caption", \.wish.look.caption, Member.caption)
    ).named("NewLinkQRCode")
  }
}

extension QRCodeLook {
  /// Tells what is wrong with the colours together; false where something is.
  fileprivate func refuseColors(_ reading: inout Reading) -> Bool {
    guard let problem = colorProblem else { return true }
    reading.member(problem.field) { $0.refuse(problem.code, problem.message) }
    return false
  }
}

extension QRCodeChanges {
  static let shape = Shape<QRCodeChanges>(
    QRCodeChanges.init(
      destination:title:foreground:background:isTransparent:logoFileID:logoSize:errorCorrection:margin:
      moduleShape:
      caption:),
    Field("destinationUrl", \.destination, Member.maybeURL), Field("title", \.title, Member.titleChange),
    Field("foregroundColor", \.foreground, Member.maybeColor),
    Field("backgroundColor", \.background, Member.maybeColor),
    Field("isTransparent", \.isTransparent, Member.maybeBool),
    Field("logoFileId", \.logoFileID, Member.logoChange), Field("logoSize", \.logoSize, Member.maybeLogoSize),
    Field("errorCorrection", \.errorCorrection, Member.maybeCorrection),
    Field("margin", \.margin, Member.maybeMargin),
    Field("moduleShape", \.moduleShape, Member.maybeModuleShape),
    Field("caption", \.caption, Member.captionChange)
  ).named("QRCodeChanges")
}

/// The shapes of a code's members, each with its type written out for the compiler's sake (see `LinkShapes.swift`).
private enum Member {
  static let link: Shape<LinkID?> = Shape<LinkID?>.optional(.id()).described(
    "The link that it is made for; or give a destinationUrl, and it gets a link of its own.")
  static let url: Shape<WebURL?> = .optional(.webURL)
  static let code: Shape<ShortCode?> = .optional(.shortCode)
  static let title: Shape<String?> = .optional(.text(1...255))
  static let black: Shape<QRColor> = Shape<QRColor>.qrColor.defaulting(to: QRCodeLook().foreground)
  static let white: Shape<QRColor> = Shape<QRColor>.qrColor.defaulting(to: QRCodeLook().background)
  static let no: Shape<Bool> = Shape<Bool>.bool.defaulting(to: false)
  static let yes: Shape<Bool> = Shape<Bool>.bool.defaulting(to: true)
  static let logo: Shape<FileID?> = Shape<FileID?>.optional(.id()).described(
    "A PNG, JPEG or WebP file of the account. It raises errorCorrection to H. A key needs the scope files:read as well."
  )
  static let sizes: Shape<Int> = .integer(QRStyle.logoSizes)
  static let logoSize: Shape<Int> = sizes.defaulting(to: QRCodeLook().logoSize).described(
    "The logo's longer side, in per cent of the symbol's width.")
  static let correction: Shape<QRCorrection> = Shape<QRCorrection>.oneOf(QRCorrection.self)
    .defaulting(to: .medium)
  static let margins: Shape<Int> = .integer(QRStyle.margins)
  static let margin: Shape<Int> = margins.defaulting(to: 4).described("The quiet zone, in modules.")
  static let moduleShape: Shape<QRModuleShape> = Shape<QRModuleShape>.oneOf(QRModuleShape.self)
    .defaulting(to: .square)
  static let captions: Shape<String> = .text(QRStyle.captionLength)
  static let caption: Shape<String?> = .optional(captions)
  static let maybeURL: Shape<WebURL?> = Shape<WebURL?>.maybe(.webURL).described(
    "Where the link leads; only of a code with a link of its own.")
  static let titleChange: Shape<Change<String>> = .change(.text(1...255))
  static let maybeColor: Shape<QRColor?> = .maybe(.qrColor)
  static let maybeBool: Shape<Bool?> = .maybe(.bool)
  static let logoChange: Shape<Change<FileID>> = .change(.id())
  static let maybeLogoSize: Shape<Int?> = .maybe(sizes)
  static let maybeCorrection: Shape<QRCorrection?> = .maybe(.oneOf(QRCorrection.self))
  static let maybeMargin: Shape<Int?> = .maybe(margins)
  static let maybeModuleShape: Shape<QRModuleShape?> = .maybe(.oneOf(QRModuleShape.self))
  static let captionChange: Shape<Change<String>> = .change(captions)
}

extension Shape where Value == QRColor {
  static var qrColor: Shape {
    Shape<String>.color.map(to: { text, _ in QRColor(text) }, from: \.description)
  }
}
