/// A picture in memory, its pixels as libgd has them.
struct LogoPixels: Sendable {
  let width: Int
  let height: Int
  let values: [Int32]
}

extension LogoPixels {
  /// `image` at another size.
  init?(_ image: GDImage, width: Int, height: Int) {
    guard let scaled = GDImage(width: width, height: height) else { return nil }
    scaled.draw(image, x: 0, y: 0, width: width, height: height, blending: false)
    var values: [Int32] = []
    values.reserveCapacity(width * height)
    for row in 0..<height {
      scaled.withRow(row) { line in for column in 0..<line.count { values.append(line[column]) } }
    }
    self.init(width: width, height: height, values: values)
  }

  func image() -> GDImage? {
    guard let image = GDImage(width: width, height: height) else { return nil }
    for row in 0..<height {
      image.withRow(row) { line in
        for column in 0..<line.count { line[column] = values[row * width + column] }
      }
    }
    return image
  }

  /// The picture as it is meant to stand: cameras note how they were held (Exif 2.32, tag 0x0112).
  func upright(_ orientation: Int) -> Self {
    guard (2...8).contains(orientation) else { return self }
    let isTurned = orientation >= 5
    let (newWidth, newHeight) = isTurned ? (height, width) : (width, height)
    var turned: [Int32] = []
    turned.reserveCapacity(values.count)
    for row in 0..<newHeight {
      for column in 0..<newWidth {
        let (x, y) =
          switch orientation {
          case 2: (width - 1 - column, row)
          case 3: (width - 1 - column, height - 1 - row)
          case 4: (column, height - 1 - row)
          case 5: (row, column)
          case 6: (row, height - 1 - column)
          case 7: (width - 1 - row, height - 1 - column)
          default: (width - 1 - row, column)
          }
        turned.append(values[y * width + x])
      }
    }
    return Self(width: newWidth, height: newHeight, values: turned)
  }
}
