extension QRDrawing {
  /// The code as a PNG, `size` pixels wide; with a caption it is higher than wide.
  ///
  /// Where the background is left out, its pixels are transparent and yet have its colour: readers that know of
  /// no transparency see it.
  /// - Throws: `Refusal.tooSmall`, `.noMemory`.
  public func png(size: Int) throws(Refusal) -> [UInt8] {
    try check(size)
    let height = size + Int(captionHeight(width: Double(size)).rounded(.up))
    let grid = QRPlane.Grid(self, size: size)
    var plane = QRPlane(width: size, height: height)
    plane.draw(self, grid)
    if style.caption != nil {
      guard let line = captionMask(width: size, height: height - size) else { throw .noMemory }
      plane.add(line, at: size)
    }
    guard let bytes = image(plane, grid)?.png(level: 1) else { throw .noMemory }
    return bytes
  }

  /// A logo up to this wide is reduced to a palette: libpng tries five filters on each row of an image without
  /// one, which would take most of the time. Larger ones are for print.
  private static let mostReduced = 256

  private func image(_ plane: QRPlane, _ grid: QRPlane.Grid) -> GDImage? {
    let shades = colors
    guard let logo, let hidden else {
      return GDImage(
        width: plane.width, height: plane.height, palette: shades,
        indexes: plane.values.map(Self.shade(of:)))
    }
    let place = LogoPlace(self, logo, in: hidden, grid)
    if place.width <= Self.mostReduced && !style.isTransparent {
      return reducedImage(plane, logo, place)
    }
    guard let image = colored(plane) else { return nil }
    place.draw(logo, on: image)
    return image
  }

  private func reducedImage(_ plane: QRPlane, _ logo: Logo, _ place: LogoPlace) -> GDImage? {
    var palette = colors
    guard let tile = GDImage(width: place.width, height: place.height), let back = palette.first else {
      return nil
    }
    for row in 0..<place.height {
      tile.withRow(row) { line in for column in 0..<line.count { line[column] = back.pixel } }
    }
    LogoPlace(x: 0, y: 0, width: place.width, height: place.height).draw(logo, on: tile)
    guard let (logoColors, logoIndexes) = tile.reduced(to: 256 - palette.count) else { return nil }
    var indexes = plane.values.map(Self.shade(of:))
    for row in 0..<place.height {
      for column in 0..<place.width {
        indexes[(place.y + row) * plane.width + place.x + column] =
          UInt8(palette.count) + logoIndexes[row * place.width + column]
      }
    }
    palette += logoColors
    return GDImage(width: plane.width, height: plane.height, palette: palette, indexes: indexes)
  }

  /// Shades of an edge; few, to leave room in the palette for a logo's colours.
  private static let shades = 52
  private static func shade(of coverage: UInt8) -> UInt8 { UInt8((Int(coverage) + 2) / 5) }

  /// The colours from background to foreground.
  private var colors: [GDColor] {
    (0..<Int32(Self.shades)).map { index in
      let share = index * 255 / Int32(Self.shades - 1)
      func mix(_ back: UInt8, _ front: UInt8) -> Int32 {
        (Int32(back) * (255 - share) + Int32(front) * share + 127) / 255
      }
      let (back, front) = (style.background, style.foreground)
      if style.isTransparent && share > 0 {
        return GDColor(
          red: Int32(front.red), green: Int32(front.green), blue: Int32(front.blue),
          alpha: 127 - (127 * share + 127) / 255)
      }
      return GDColor(
        red: mix(back.red, front.red), green: mix(back.green, front.green), blue: mix(back.blue, front.blue),
        alpha: style.isTransparent ? 127 : 0)
    }
  }

  private func colored(_ plane: QRPlane) -> GDImage? {
    guard let image = GDImage(width: plane.width, height: plane.height, savingAlpha: style.isTransparent)
    else { return nil }
    let pixels = colors.map(\.pixel)
    for row in 0..<plane.height {
      let start = row * plane.width
      image.withRow(row) { line in
        for column in 0..<line.count {
          line[column] = pixels[Int(Self.shade(of: plane.values[start + column]))]
        }
      }
    }
    return image
  }

  /// The caption in white on black.
  private func captionMask(width: Int, height: Int) -> GDImage? {
    guard let caption = style.caption, let font, let captionExtent,
      let mask = GDImage(width: width, height: height)
    else { return nil }
    let letters = letterSize(width: Double(width))
    let left = (Double(width) - captionExtent.width * letters) / 2 - captionExtent.start * letters
    let isDrawn = mask.draw(
      caption, font: font.path, pixels: letters, x: Int(left.rounded()),
      y: Int(captionBaseline(width: Double(width)).rounded()))
    return isDrawn ? mask : nil
  }
}

/// The pixels that a logo goes to.
private struct LogoPlace {
  var x: Int
  var y: Int
  var width: Int
  var height: Int

  func draw(_ logo: Logo, on image: GDImage) {
    guard let picture = logo.image(forWidth: width) else { return }
    image.draw(picture, x: x, y: y, width: width, height: height, blending: true)
  }
}

extension LogoPlace {
  init(_ drawing: QRDrawing, _ logo: Logo, in box: QRDrawing.Box, _ grid: QRPlane.Grid) {
    let frame = drawing.logoFrame(logo, in: box)
    let module = Double(grid.module)
    let width = max(1, Int((frame.width * module).rounded()))
    let height = max(1, Int((frame.height * module).rounded()))
    let middle = Double(grid.start) + Double(drawing.symbol.width) * module / 2
    self.init(
      x: Int(middle - Double(width) / 2), y: Int(middle - Double(height) / 2), width: width, height: height)
  }
}
