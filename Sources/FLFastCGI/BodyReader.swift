import FLHTTP
import Glibc

/// Where a body's bytes come from.
protocol BodySource {
  /// Reads until `buffer` is full, the stream ends or it breaks; the number of bytes read.
  func read(into buffer: UnsafeMutableRawBufferPointer) -> Int
  /// Waits for at least one byte and reads what is there; 0 where the stream ended or broke.
  func readSome(into buffer: UnsafeMutableRawBufferPointer) -> Int
  /// Looks whether the stream has ended, taking at most one byte from it.
  func end() -> StreamEnd
}

/// What stands behind the bytes that were read.
enum StreamEnd {
  /// Nothing.
  case ended
  /// More bytes, which nobody will read: the connection is of no further use.
  case more
  /// The peer hung up, stalled or broke the protocol.
  case broken
}

/// What is left of a body when it is handed over.
enum UnreadBody {
  /// Nothing that anybody would read.
  case known(StreamEnd)
  /// All of it, or what the application leaves.
  case stream(BodyStream)

  /// Whether the peer has gone already.
  var isBroken: Bool { if case .known(.broken) = self { true } else { false } }

  /// How the stream stands after the application has answered.
  func end(of source: some BodySource) -> StreamEnd {
    switch self {
    case .known(let end): end
    case .stream(let stream): stream.left == 0 || stream.isBroken ? source.end() : .more
    }
  }
}

/// Takes a body: into memory where it is small, else as a stream that the application reads.
struct BodyReader {
  let settings: ResponderSettings

  /// The body, and what is left of it.
  func open(_ length: RequestHead.AnnouncedLength, from source: some BodySource) -> (Request.Body, UnreadBody)
  {
    switch length {
    case .invalid: return (.refused(.badLength), .known(.more))
    case .none:
      // Bytes that nobody announced: their number is unknown, so they are no body.
      let end = source.end()
      if case .more = end { return (.refused(.badLength), .known(.more)) }
      return (.empty, .known(end))
    case .bytes(0): return (.empty, .known(source.end()))
    case .bytes(let count) where count > settings.maxBodyBytes:
      return (.refused(.tooLarge(limit: settings.maxBodyBytes)), .known(.more))
    case .bytes(let count) where count > settings.bodyMemoryBytes:
      let stream = unsafe BodyStream(count: count) { unsafe source.readSome(into: $0) }
      return (.stream(stream), .stream(stream))
    case .bytes(let count):
      let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
        unsafe filled = source.read(into: UnsafeMutableRawBufferPointer(buffer))
      }
      return (bytes.count == count ? .bytes(bytes) : .refused(.truncated), .known(source.end()))
    }
  }
}

/// Writes all of `bytes`; false with `errno` where the descriptor does not take them.
func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
  var done = 0
  while done < bytes.count {
    let wrote = unsafe write(descriptor, bytes.baseAddress?.advanced(by: done), bytes.count - done)
    if wrote < 0 && errno == EINTR { continue }
    guard wrote > 0 else { return false }
    done += wrote
  }
  return true
}
