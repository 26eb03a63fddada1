#if canImport(Glibc)
  import Glibc
#endif

/// An open file, or a part of one, as the body of a response: it is sent piece by piece, and closed with the last
/// reference.
public final class FileBody: Sendable {
  /// The open file; its position does not matter.
  public let descriptor: Int32
  /// The bytes of it that are the body.
  public let range: Range<Int>

  /// Takes over `descriptor`, which is closed with this object.
  public init(adopting descriptor: Int32, range: Range<Int>) {
    self.descriptor = descriptor
    self.range = range
  }

  deinit { close(descriptor) }

  /// How many bytes the body has.
  public var count: Int { range.count }

  /// Hands the body to `use` in pieces of up to 256 KiB, until `use` answers false; false unless all of it was taken:
  /// also where the file turns out to be shorter.
  public func forEachPiece(_ use: (UnsafeRawBufferPointer) -> Bool) -> Bool {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: min(262_144, max(1, count)), alignment: 64)
    defer { buffer.deallocate() }
    var offset = range.lowerBound
    while offset < range.upperBound {
      let got = pread(
        descriptor, buffer.baseAddress, min(buffer.count, range.upperBound - offset), off_t(offset))
      if got < 0 && errno == EINTR { continue }
      guard got > 0, use(UnsafeRawBufferPointer(rebasing: buffer[..<got])) else { return false }
      offset += got
    }
    return true
  }

  /// The body in memory, as far as the file goes.
  public var bytes: [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count)
    _ = forEachPiece { piece in
      bytes.append(contentsOf: piece)
      return true
    }
    return bytes
  }
}
