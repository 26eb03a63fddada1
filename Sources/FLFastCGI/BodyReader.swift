import CEpoll
import FLHTTP
import Glibc

/// Where a body's bytes come from.
protocol BodySource {
  /// Reads until `buffer` is full, the stream ends or it breaks; the number of bytes read.
  func read(into buffer: UnsafeMutableRawBufferPointer) -> Int
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

/// Reads a body to its announced length, into memory or a file.
struct BodyReader {
  let settings: ResponderSettings

  /// The body, and how its stream stands afterwards.
  func read(_ length: RequestHead.AnnouncedLength, from source: some BodySource) -> (Request.Body, StreamEnd)
  {
    switch length {
    case .invalid: return (.refused(.badLength), .more)
    case .none:
      // Bytes that nobody announced: their number is unknown, so they are no body.
      let end = source.end()
      if case .more = end { return (.refused(.badLength), .more) }
      return (.empty, end)
    case .bytes(0): return (.empty, source.end())
    case .bytes(let count) where count > settings.maxBodyBytes:
      return (.refused(.tooLarge(limit: settings.maxBodyBytes)), .more)
    case .bytes(let count) where count > settings.bodyMemoryBytes: return spool(count, from: source)
    case .bytes(let count):
      let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
        unsafe filled = source.read(into: UnsafeMutableRawBufferPointer(buffer))
      }
      return (bytes.count == count ? .bytes(bytes) : .refused(.truncated), source.end())
    }
  }

  private func spool(_ count: Int, from source: some BodySource) -> (Request.Body, StreamEnd) {
    guard let file = BodyReader.openTemporary(in: settings.temporaryDirectory) else {
      return (.refused(.noSpace), .more)
    }
    let body = SpooledBody(adopting: file, count: count)
    var refusal: Request.Refusal?
    unsafe withUnsafeTemporaryAllocation(byteCount: 65_536, alignment: 16) { buffer in
      var left = count
      while left > 0 && refusal == nil {
        let wanted = min(left, 65_536)
        let part = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted])
        let got = unsafe source.read(into: part)
        if got < wanted {
          refusal = .truncated
        } else if unsafe !writeAll(UnsafeRawBufferPointer(part), to: file) {
          refusal = .noSpace
        }
        left -= got
      }
    }
    switch refusal {
    case nil: return (.file(body), source.end())
    case .noSpace?: return (.refused(.noSpace), .more)
    case let refusal?: return (.refused(refusal), source.end())
    }
  }

  private static func openTemporary(in directory: String) -> Int32? {
    let unnamed = unsafe fl_open_unnamed(directory)
    if unnamed >= 0 { return unnamed }
    // Overlay and network file systems have no O_TMPFILE: a file whose name goes at once is as good.
    var template = Array("\(directory)/body.XXXXXX".utf8CString)
    let named = unsafe fl_open_temporary(&template)
    guard named >= 0 else { return nil }
    unsafe unlink(template)
    return named
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
