/// The sizes of statements with many rows: few, so that they are prepared once.
private let batchSizes = [500, 100, 20, 5, 1]

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
}
