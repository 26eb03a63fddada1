/// A request body that is read while it comes: once, from its beginning to its end, by the worker that answers.
public final class BodyStream {
  /// How many bytes were announced.
  public let count: Int
  /// How many of them were not read yet.
  public private(set) var left: Int
  /// Whether no more come, though `left` says that there should be some.
  public private(set) var isBroken = false

  private let source: (UnsafeMutableRawBufferPointer) -> Int
  private let began = ContinuousClock.now
  private var kept: [UInt8]?

  /// A body of `count` bytes from `source`, which waits for at least one byte and answers how many it wrote into the
  /// buffer that it is given; 0 where no more come.
  public init(count: Int, source: @escaping (UnsafeMutableRawBufferPointer) -> Int) {
    self.count = count
    left = count
    self.source = source
  }

  /// The least speed of a sender that holds a worker.
  public struct Pace: Sendable {
    /// Bytes in a second, on average since the body began.
    public let bytesPerSecond: Int
    /// How long nothing is asked.
    public let grace: Duration

    /// At least so many bytes in a second, once `grace` is over.
    public init(bytesPerSecond: Int, grace: Duration) {
      self.bytesPerSecond = bytesPerSecond
      self.grace = grace
    }
  }

  /// Reads until `buffer` is full or the body ends; answers the number of bytes, 0 at the end.
  /// - Throws: `Problem` 400 where the body ends too early, 408 where it comes slower than `pace`.
  public func read(into buffer: UnsafeMutableRawBufferPointer, pace: Pace? = nil) throws(Problem) -> Int {
    let wanted = min(buffer.count, left)
    var done = 0
    while done < wanted {
      let got = source(UnsafeMutableRawBufferPointer(rebasing: buffer[done..<wanted]))
      guard got > 0 else {
        isBroken = true
        throw .incompleteBody
      }
      done += got
      left -= got
      if left > 0, let pace { try check(pace) }
    }
    return done
  }

  private func check(_ pace: Pace) throws(Problem) {
    let spent = began.duration(to: .now)
    guard spent > pace.grace else { return }
    let (seconds, attoseconds) = spent.components
    let expected = (Double(seconds) + Double(attoseconds) / 1e18) * Double(pace.bytesPerSecond)
    guard Double(count - left) < expected else { return }
    throw Problem(
      408, "too_slow", "The body came too slowly.",
      detail: "At least \(pace.bytesPerSecond) bytes a second are expected.")
  }

  /// The whole body, which is kept for whoever asks again.
  /// - Throws: `Problem` 400 where it does not come whole.
  public func bytes() throws(Problem) -> [UInt8] {
    if let kept { return kept }
    guard left == count else { throw .incompleteBody }
    var failure: Problem?
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      do throws(Problem) {
        filled = try read(into: UnsafeMutableRawBufferPointer(buffer))
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    kept = bytes
    return bytes
  }
}

extension Request {
  /// Hands the body to `use` piece by piece, however it came.
  /// - Throws: `Problem` 413 above `limit` bytes, and then nothing is read; 400 where it does not come whole; 408 where
  ///   it comes slower than `pace`; and what `use` throws.
  public func readBody(
    limit: Int, pace: BodyStream.Pace? = nil, _ use: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    guard case .stream(let stream) = body else {
      return try bodyBytes(limit: limit).withUnsafeBytes { try use($0) }
    }
    guard stream.count <= limit else { throw Problem.bodyTooLarge(limit) }
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 262_144, alignment: 64)
    defer { buffer.deallocate() }
    while true {
      let count = try stream.read(into: buffer, pace: pace)
      if count == 0 { return }
      try use(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
    }
  }

  /// How many bytes the body has, as announced; 0 where it was refused.
  public var announcedBytes: Int {
    switch body {
    case .empty, .refused: 0
    case .bytes(let bytes): bytes.count
    case .stream(let stream): stream.count
    }
  }
}

extension Problem {
  static let incompleteBody = Problem(
    400, "incomplete_body", "The body did not come whole.",
    detail: "Fewer bytes came than Content-Length announced.")
}
