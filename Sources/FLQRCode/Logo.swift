/// A picture for the middle of a QR code, decoded and small.
public struct Logo: Sendable {
  /// The largest file that is read, in bytes.
  public static let mostBytes = 5 << 20
  /// The most pixels a side may have.
  public static let mostSide = 4096
  /// The most pixels there may be in all. It bounds the memory of decoding to some 80 MB.
  public static let mostPixels = 8_000_000
  /// The longer side that is kept, in pixels.
  static let keptSide = 512

  /// Why a file can't be a logo.
  public enum Refusal: Error, Sendable, Equatable {
    /// Not a PNG, JPEG or WebP by its content, or one of a kind that is not read.
    case unsupported
    /// More bytes than `mostBytes`.
    case tooManyBytes
    /// Wider, higher or with more pixels than is read; these are told.
    case tooLarge(width: Int, height: Int)
    /// It moves.
    case animated
    /// It can't be decoded: not all of it is there, or it is not what it says.
    case broken
  }

  /// Pixels in a row.
  public let width: Int
  /// Rows.
  public let height: Int
  /// The picture encoded anew, without anything else that came with it.
  public let png: [UInt8]
  /// The picture at its full size and at halves of it, for drawing without reading many more pixels than there
  /// will be.
  private let steps: [LogoPixels]

  /// Reads a PNG, JPEG or WebP file. Nothing is decoded before its dimensions are known to be in bounds.
  /// - Throws: `Refusal`.
  public init(_ bytes: [UInt8]) throws(Refusal) {
    guard bytes.count <= Self.mostBytes else { throw .tooManyBytes }
    let header = try LogoHeader(bytes)
    guard header.width <= Self.mostSide, header.height <= Self.mostSide,
      header.width * header.height <= Self.mostPixels
    else { throw .tooLarge(width: header.width, height: header.height) }
    guard let image = GDImage(header.format, bytes: header.bytes), image.width == header.width,
      image.height == header.height
    else { throw .broken }
    let longer = max(image.width, image.height)
    let side = min(longer, Self.keptSide)
    guard
      let kept = LogoPixels(
        image, width: max(1, image.width * side / longer), height: max(1, image.height * side / longer))
    else { throw .broken }
    let upright = kept.upright(header.orientation)
    guard let encoded = upright.image()?.png(level: 9) else { throw .broken }
    png = encoded
    (width, height) = (upright.width, upright.height)
    var steps = [upright]
    while let last = steps.last, min(last.width, last.height) >= 64,
      let half = last.image().flatMap({ LogoPixels($0, width: last.width / 2, height: last.height / 2) })
    {
      steps.append(half)
    }
    self.steps = steps
  }

  /// About how much memory it takes, in bytes.
  public var memory: Int { png.count + steps.reduce(0) { $0 + $1.values.count * 4 } }

  /// The picture to be drawn at this width.
  func image(forWidth width: Int) -> GDImage? {
    (steps.last { $0.width >= width } ?? steps.first)?.image()
  }
}
