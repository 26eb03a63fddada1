/// How much of each pixel is of the foreground, 0 to 255.
struct QRPlane {
  let width: Int
  let height: Int
  private(set) var values: [UInt8]

  init(width: Int, height: Int) {
    (self.width, self.height) = (width, height)
    values = [UInt8](repeating: 0, count: width * height)
  }

  /// Where the symbol's modules are in an image: whole pixels, so that their edges are sharp. What is left over
  /// widens the quiet zone.
  struct Grid {
    let module: Int
    let start: Int

    init(_ drawing: QRDrawing, size: Int) {
      module = size / drawing.total
      start = (size - module * drawing.symbol.width) / 2
    }
  }

  /// Draws the symbol.
  mutating func draw(_ drawing: QRDrawing, _ grid: Grid) {
    let symbol = drawing.symbol
    let shape = drawing.style.shape
    var tiles: [UInt8: Tile] = [:]
    for row in 0..<symbol.width {
      for column in 0..<symbol.width where drawing.isDrawn(column, row) {
        if shape != .square && symbol.isFinder(column, row) { continue }
        let corners = drawing.freeCorners(column, row)
        let tile = tiles[corners] ?? Tile(shape, corners: corners, side: grid.module)
        tiles[corners] = tile
        put(tile, x: grid.start + column * grid.module, y: grid.start + row * grid.module)
      }
    }
    guard shape != .square else { return }
    let finder = Tile.finder(module: grid.module)
    for place in symbol.finders {
      put(finder, x: grid.start + place.column * grid.module, y: grid.start + place.row * grid.module)
    }
  }

  private mutating func put(_ tile: Tile, x: Int, y: Int) {
    for line in 0..<tile.side {
      let target = (y + line) * width + x
      values.replaceSubrange(
        target..<target + tile.side, with: tile.values[line * tile.side..<(line + 1) * tile.side])
    }
  }

  /// Takes over what is drawn in white in an image, from this row on.
  mutating func add(_ mask: GDImage, at row: Int) {
    for line in 0..<mask.height {
      let target = (row + line) * width
      mask.withRow(line) { pixels in
        for column in 0..<min(width, pixels.count) {
          // Drawn over black and transparent, so that the colour alone tells.
          values[target + column] = UInt8(truncatingIfNeeded: pixels[column] & 0xFF)
        }
      }
    }
  }
}

/// The pixels of one module, or of a finder pattern.
struct Tile {
  let side: Int
  let values: [UInt8]

  /// A module; `corners` are those that are round.
  init(_ shape: QRModuleShape, corners: UInt8, side: Int) {
    let half = Double(side) / 2
    self.init(side: side) { x, y in
      switch shape {
      case .square: return 1
      case .dots:
        return corners == 0 ? 1 : Self.inside(Self.distance(x - half, y - half) - half * QRDrawing.dotSize)
      case .rounded:
        let corner: UInt8 = (x < half ? 1 : 2) << (y < half ? 0 : 2)
        return corners & corner == 0 ? 1 : Self.inside(Self.distance(x - half, y - half) - half)
      }
    }
  }

  /// A finder pattern with a round middle.
  static func finder(module: Int) -> Tile {
    let unit = Double(module)
    return Tile(side: module * 7) { x, y in
      let (x, y) = (x - 3.5 * unit, y - 3.5 * unit)
      let ring = min(
        inside(box(x, y, half: 3.5 * unit, radius: QRDrawing.finderRadii.0 * unit)),
        1 - inside(box(x, y, half: 2.5 * unit, radius: QRDrawing.finderRadii.1 * unit)))
      return max(ring, inside(box(x, y, half: 1.5 * unit, radius: QRDrawing.finderRadii.2 * unit)))
    }
  }

  private init(side: Int, _ coverage: (Double, Double) -> Double) {
    var values: [UInt8] = []
    values.reserveCapacity(side * side)
    for row in 0..<side {
      for column in 0..<side {
        values.append(UInt8((coverage(Double(column) + 0.5, Double(row) + 0.5) * 255).rounded()))
      }
    }
    self.side = side
    self.values = values
  }

  private static func distance(_ x: Double, _ y: Double) -> Double { (x * x + y * y).squareRoot() }

  /// How far a point is outside of a square around the origin with round corners.
  private static func box(_ x: Double, _ y: Double, half: Double, radius: Double) -> Double {
    let (dx, dy) = (abs(x) - half + radius, abs(y) - half + radius)
    return distance(max(dx, 0), max(dy, 0)) + min(max(dx, dy), 0) - radius
  }

  /// How much of a pixel is inside of an edge that is so far from its centre.
  private static func inside(_ distance: Double) -> Double { min(1, max(0, 0.5 - distance)) }
}

extension QRDrawing {
  /// The diameter of a dot, in modules.
  static let dotSize = 0.92
  /// The radii of a finder pattern's outer edge, inner edge and middle where modules are round, in modules. Only
  /// the middle is: OpenCV takes the corners of the outer edge for where the symbol lies, and misses round ones.
  static let finderRadii = (0.0, 0.0, 0.75)

  /// The corners of a dark module that are round: bits 0 to 3 for top left, top right, bottom left and bottom
  /// right. Of a rounded one those where it has no neighbour; of a dot all, unless it is part of a pattern that
  /// readers take their bearings from.
  func freeCorners(_ column: Int, _ row: Int) -> UInt8 {
    switch style.shape {
    case .square: return 0
    case .dots: return symbol.isData(column, row) ? 15 : 0
    case .rounded: break
    }
    let top = isDrawn(column, row - 1)
    let bottom = isDrawn(column, row + 1)
    let left = isDrawn(column - 1, row)
    let right = isDrawn(column + 1, row)
    return (top || left ? 0 : 1) | (top || right ? 0 : 2) | (bottom || left ? 0 : 4)
      | (bottom || right ? 0 : 8)
  }
}
