/// The sizes of statements with many rows: few, so that they are prepared once.
private let batchSizes = [500, 100, 20, 5, 1]
/// The most that the large values of such a statement may have, in bytes: MariaDB takes none beyond `max_allowed_packet`,
/// which is 16 MiB where nobody says otherwise.
private let batchBytes = 4 << 20

extension Array {
  /// The elements in pieces of at most `size`.
  package func chunks(of size: Int) -> [[Element]] {
    stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
  }

  /// The elements in pieces of `size`, and the rest in pieces whose sizes are powers of two: for statements with a row for
  /// each that are made again and again for few rows, and should be few as well.
  func halvedChunks(of size: Int) -> [[Element]] {
    var chunks: [[Element]] = []
    var start = 0
    while start < count {
      let left = count - start
      let length = left < size ? 1 << (Int.bitWidth - 1 - left.leadingZeroBitCount) : size
      chunks.append(Array(self[start..<start + length]))
      start += length
    }
    return chunks
  }

  /// Passes the elements to `body` in pieces of few different sizes, for statements with a row for each: there is then a
  /// prepared statement for each size.
  func inBatches(_ body: (ArraySlice<Element>) throws -> Void) rethrows {
    var rest = self[...]
    while !rest.isEmpty {
      let size = batchSizes.first { $0 <= rest.count } ?? 1
      try body(rest.prefix(size))
      rest = rest.dropFirst(size)
    }
  }

  /// The same, where elements may be large: `weight` tells how many bytes one has. One that is too large stands alone.
  func inBatches(weighing weight: (Element) -> Int, _ body: (ArraySlice<Element>) throws -> Void) rethrows {
    var (start, sum) = (0, 0)
    for (index, element) in enumerated() {
      let weight = weight(element)
      if sum + weight > batchBytes && index > start {
        try Array(self[start..<index]).inBatches(body)
        (start, sum) = (index, 0)
      }
      sum += weight
    }
    try (start == 0 ? self : Array(self[start...])).inBatches(body)
  }
}
