import CGD

/// An image of libgd; the one owner of its pointer. For one thread at a time.
@safe
final class GDImage {
  private let image: gdImagePtr

  /// What is called of libgd.
  private let gd: fl_gd

  /// libgd, loaded when it is needed first; nil where it is not there.
  private static let library: fl_gd? = unsafe withUnsafeTemporaryAllocation(of: fl_gd.self, capacity: 1) {
    guard let place = $0.baseAddress, unsafe fl_gd_load(place) else { return nil }
    return unsafe place.pointee
  }

  private init(owning image: gdImagePtr, of gd: fl_gd) {
    unsafe self.image = image
    self.gd = gd
  }

  deinit {
    let isLarge = width * height > 1_000_000
    unsafe gd.gdImageDestroy(image)
    // glibc would keep what it took, in each thread's arena.
    if isLarge { malloc_trim(0) }
  }

  /// An image in true colour, transparent at first; nil without memory. One that is opaque in the end takes a
  /// quarter less time to encode without `savingAlpha`.
  convenience init?(width: Int, height: Int, savingAlpha: Bool = true) {
    guard let gd = Self.library, let image = unsafe gd.gdImageCreateTrueColor(Int32(width), Int32(height))
    else {
      return nil
    }
    unsafe self.init(owning: image, of: gd)
    unsafe gd.gdImageSaveAlpha(image, savingAlpha ? 1 : 0)
  }

  /// An image of which each pixel of `rows` is an index into `palette`, of 256 colours at most.
  convenience init?(width: Int, height: Int, palette: [GDColor], indexes: [UInt8]) {
    guard let gd = Self.library, let image = unsafe gd.gdImageCreate(Int32(width), Int32(height)) else {
      return nil
    }
    unsafe self.init(owning: image, of: gd)
    unsafe gd.gdImageSaveAlpha(image, 1)
    for color in palette {
      unsafe _ = gd.gdImageColorAllocateAlpha(image, color.red, color.green, color.blue, color.alpha)
    }
    unsafe indexes.withUnsafeBufferPointer { indexes in
      for row in 0..<height {
        guard let line = unsafe image.pointee.pixels[row], let first = indexes.baseAddress else {
          continue
        }
        unsafe line.update(from: first + row * width, count: width)
      }
    }
  }

  /// The kinds of image that are read.
  enum Format { case png, jpeg, webp }

  /// Decodes an image; nil where it is broken.
  convenience init?(_ format: Format, bytes: [UInt8]) {
    guard let gd = Self.library else { return nil }
    var bytes = bytes
    let count = Int32(bytes.count)
    let decoded = unsafe bytes.withUnsafeMutableBytes { buffer in
      switch format {
      case .png: unsafe gd.gdImageCreateFromPngPtr(count, buffer.baseAddress)
      // 0: what libjpeg only warns of, such as an end that came too early, is an error.
      case .jpeg: unsafe gd.gdImageCreateFromJpegPtrEx(count, buffer.baseAddress, 0)
      case .webp: unsafe gd.gdImageCreateFromWebpPtr(count, buffer.baseAddress)
      }
    }
    guard let decoded = unsafe decoded else { return nil }
    unsafe self.init(owning: decoded, of: gd)
  }

  var width: Int { unsafe Int(image.pointee.sx) }
  var height: Int { unsafe Int(image.pointee.sy) }

  /// Reads or writes the pixels of a true-colour image's row, each as libgd has them.
  func withRow<Result>(_ row: Int, _ body: (inout MutableSpan<Int32>) -> Result) -> Result? {
    guard let line = unsafe image.pointee.tpixels?[row] else { return nil }
    var span = unsafe MutableSpan(_unsafeStart: line, count: width)
    return body(&span)
  }

  /// Draws all of `source` into a part of this image, averaging where it gets smaller.
  func draw(_ source: GDImage, x: Int, y: Int, width: Int, height: Int, blending: Bool) {
    unsafe gd.gdImageAlphaBlending(image, blending ? 1 : 0)
    unsafe gd.gdImageCopyResampled(
      image, source.image, Int32(x), Int32(y), 0, 0, Int32(width), Int32(height), Int32(source.width),
      Int32(source.height))
  }

  /// Draws a line of text in white, with the left end of its base line at this place; false where the font can't
  /// be used.
  func draw(_ text: String, font: String, pixels: Double, x: Int, y: Int) -> Bool {
    var corners = [Int32](repeating: 0, count: 8)
    return unsafe gd.gdImageStringFT(
      image, &corners, 0xFFFFFF, font, pixels * 0.75, 0, Int32(x), Int32(y), Self.spelled(text)) == nil
  }

  /// From the left end of a line of text to its right end, in pixels; nil where the font can't be used.
  static func extent(of text: String, font: String, pixels: Double) -> ClosedRange<Int>? {
    guard let gd = library else { return nil }
    var corners = [Int32](repeating: 0, count: 8)
    guard
      unsafe gd.gdImageStringFT(nil, &corners, 0, font, pixels * 0.75, 0, 0, 0, spelled(text)) == nil,
      corners[0] <= corners[2]
    else { return nil }
    return Int(corners[0])...Int(corners[2])
  }

  /// libgd takes HTML's entities in a text for the characters that they stand for.
  private static func spelled(_ text: String) -> String { text.replacing("&", with: "&amp;") }

  /// Reduces a small opaque image to so many colours, dithered where it has more; answers them, and each pixel's.
  func reduced(to count: Int) -> (palette: [GDColor], indexes: [UInt8])? {
    guard unsafe gd.gdImageTrueColorToPalette(image, 1, Int32(count)) != 0 else { return nil }
    let palette = (0..<(unsafe image.pointee.colorsTotal)).map { place in
      GDColor(pixel: unsafe fl_gd_palette(image, place))
    }
    var indexes: [UInt8] = []
    for row in 0..<height {
      guard let line = unsafe image.pointee.pixels[row] else { return nil }
      unsafe indexes.append(contentsOf: UnsafeBufferPointer(start: line, count: width))
    }
    return (palette, indexes)
  }

  /// The image as a PNG; nil without memory. `level` is zlib's, 0 to 9.
  func png(level: Int) -> [UInt8]? {
    var count: Int32 = 0
    guard let bytes = unsafe gd.gdImagePngPtrEx(image, &count, Int32(level)) else { return nil }
    defer { unsafe gd.gdFree(bytes) }
    return unsafe Array(UnsafeRawBufferPointer(start: bytes, count: Int(count)))
  }
}

/// A colour as libgd has it; its alpha is 0 for opaque and 127 for transparent.
struct GDColor {
  var red: Int32
  var green: Int32
  var blue: Int32
  var alpha: Int32

  init(red: Int32, green: Int32, blue: Int32, alpha: Int32) {
    (self.red, self.green, self.blue, self.alpha) = (red, green, blue, alpha)
  }

  init(pixel: Int32) {
    self.init(
      red: pixel >> 16 & 255, green: pixel >> 8 & 255, blue: pixel & 255, alpha: pixel >> 24 & 127)
  }

  /// The pixel of a true-colour image.
  var pixel: Int32 { alpha << 24 | red << 16 | green << 8 | blue }
}
