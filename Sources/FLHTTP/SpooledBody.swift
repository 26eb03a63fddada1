#if canImport(Glibc)
  import Glibc
#endif

/// A request body in a file that has no name any more: it goes with the last reference to it.
public final class SpooledBody: Sendable {
  /// The open file, positioned anywhere: read it with `pread`.
  public let descriptor: Int32
  /// Its length in bytes.
  public let count: Int

  /// Takes over `descriptor`, which is closed with this object.
  public init(adopting descriptor: Int32, count: Int) {
    self.descriptor = descriptor
    self.count = count
  }

  deinit { close(descriptor) }

  /// The whole body; nil if it can't be read.
  public func bytes() -> [UInt8]? {
    var complete = true
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      while filled < count {
        let got = pread(descriptor, buffer.baseAddress?.advanced(by: filled), count - filled, off_t(filled))
        if got < 0 && errno == EINTR { continue }
        guard got > 0 else { break }
        filled += got
      }
      complete = filled == count
    }
    return complete ? bytes : nil
  }
}
