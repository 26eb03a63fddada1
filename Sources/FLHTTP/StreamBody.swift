#if canImport(Glibc)
  import Glibc
#endif

/// The body of a response that is made while it is sent: nobody knows before how long it gets.
public final class StreamBody: Sendable {
  private let make: @Sendable (_ put: (UnsafeRawBufferPointer) throws -> Void) throws -> Void

  /// Nobody takes the body any more.
  private struct Gone: Error {}

  /// A body that `make` hands to `put` piece by piece. What `put` throws is to be thrown on: the peer has gone. An error
  /// of its own breaks the answer off.
  public init(_ make: @escaping @Sendable (_ put: (UnsafeRawBufferPointer) throws -> Void) throws -> Void) {
    self.make = make
  }

  /// Hands the body to `use` in pieces, until `use` answers false; false unless all of it was made and taken. The peer
  /// must not take it for whole then.
  public func forEachPiece(_ use: (UnsafeRawBufferPointer) -> Bool) -> Bool {
    do {
      try make { piece in if !use(piece) { throw Gone() } }
      return true
    } catch {
      return false
    }
  }

  /// The body in memory, as far as it can be made.
  public var bytes: [UInt8] {
    var bytes: [UInt8] = []
    _ = forEachPiece { piece in
      bytes.append(contentsOf: piece)
      return true
    }
    return bytes
  }

  /// The whole body in a file without a name, in the directory for what is temporary and may be large, for who must know
  /// its length before; nil where it can't be made.
  public func file() -> FileBody? {
    let directory = getenv("TMPDIR").map { String(cString: $0) } ?? "/var/tmp"
    var path = Array("\(directory)/fastlinkit-XXXXXX".utf8CString)
    let descriptor = mkstemp(&path)
    guard descriptor >= 0 else { return nil }
    unlink(path)
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    var count = 0
    let isWhole = forEachPiece { piece in
      var rest = piece
      while rest.count > 0 {
        let written = write(descriptor, rest.baseAddress, rest.count)
        if written < 0 && errno == EINTR { continue }
        guard written > 0 else { return false }
        rest = UnsafeRawBufferPointer(rebasing: rest[written...])
      }
      count += piece.count
      return true
    }
    guard isWhole else {
      close(descriptor)
      return nil
    }
    return FileBody(adopting: descriptor, range: 0..<count)
  }
}
