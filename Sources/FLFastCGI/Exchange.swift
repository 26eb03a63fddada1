import CFastCGI
import FLHTTP
import HTTPTypes

/// One worker's reading and answering of FastCGI requests: the owner of a libfcgi request.
@safe
final class Exchange {
  private let request: UnsafeMutablePointer<FCGX_Request>
  private var reader = HeadReader()
  private var responseHead = ResponseHead()
  private let bodies: BodyReader
  private let worker: (Request) -> Response

  init(settings: ResponderSettings, worker: @escaping (Request) -> Response) {
    unsafe request = .allocate(capacity: 1)
    unsafe FCGX_InitRequest(request, -1, 0)
    bodies = BodyReader(settings: settings)
    self.worker = worker
  }

  deinit {
    unsafe FCGX_Free(request, 1)
    unsafe request.deallocate()
  }

  /// What is to become of a connection after a request on it.
  enum Outcome {
    /// It waits for the next request.
    case keep
    /// It ends in order.
    case close
    /// It ends, and the peer may still be sending what nobody reads.
    case drain
    /// libfcgi has closed it.
    case closed
  }

  /// Reads one request from `connection`, which is readable, and answers it.
  ///
  /// `mayKeep` is asked after the answer was made.
  func serve(_ connection: Int32, mayKeep: () -> Bool) -> Outcome {
    unsafe fl_fcgi_adopt(request, connection)
    guard unsafe FCGX_Accept_r(request) == 0, let variables = unsafe request.pointee.envp,
      let input = unsafe request.pointee.in, let output = unsafe request.pointee.out
    else { return .closed }
    guard unsafe request.pointee.role == FL_FCGI_RESPONDER else { return hangUp() }
    let stream = unsafe InputStream(stream: input)

    let response: Response
    var rest: UnreadBody
    var method: HTTPRequest.Method?
    do {
      let head = try unsafe reader.read(variables)
      method = head.method
      let body: Request.Body
      (body, rest) = bodies.open(head.length, from: stream)
      // The web server has gone, or given the request up: there is nobody to answer.
      if rest.isBroken { return hangUp() }
      response = worker(
        Request(
          method: head.method, path: head.target.path, query: head.target.query, headers: head.headers,
          body: body, clientAddress: head.clientAddress, isSecure: head.isSecure))
    } catch {
      response = error.response
      rest = .known(stream.end())
    }
    let end = rest.end(of: stream)
    if case .broken = end { return hangUp() }

    let hasBody = responseHead.fill(response, for: method)
    unsafe responseHead.bytes.withUnsafeBytes { _ = unsafe put($0, to: output) }
    if hasBody {
      switch response.body {
      case .empty: break
      case .bytes(let bytes): unsafe bytes.withUnsafeBytes { _ = unsafe put($0, to: output) }
      case .file(let file):
        // A file that is shorter than was said can't be answered any more: the peer must not take it for whole.
        guard unsafe file.forEachPiece({ unsafe put($0, to: output) }) else { return hangUp() }
      case .stream(let stream):
        // The same. Without the record that ends the answer nginx breaks its own off, if it keeps connections.
        guard unsafe stream.forEachPiece({ unsafe put($0, to: output) }) else { return hangUp() }
      }
    }

    let peerKeeps = unsafe request.pointee.keepConnection != 0
    unsafe request.pointee.keepConnection = 1  // closing is ours, so that it never waits in a worker
    unsafe FCGX_Finish_r(request)
    guard unsafe fl_fcgi_release(request) >= 0 else { return .closed }
    if case .more = end { return .drain }
    return peerKeeps && mayKeep() ? .keep : .close
  }

  private func hangUp() -> Outcome {
    unsafe FCGX_Free(request, 1)
    return .closed
  }

  /// Sends `bytes`; false where the peer has gone, at which FCGX_Finish_r closes the connection.
  private func put(_ bytes: UnsafeRawBufferPointer, to output: UnsafeMutablePointer<FCGX_Stream>) -> Bool {
    var done = 0
    // libfcgi counts with int.
    while done < bytes.count, let start = bytes.baseAddress {
      let part = min(bytes.count - done, 1 << 30)
      let text = unsafe (start + done).assumingMemoryBound(to: CChar.self)
      guard unsafe FCGX_PutStr(text, Int32(part), output) == part else { return false }
      done += part
    }
    return true
  }
}

/// A request's FCGI_STDIN stream.
@safe
private struct InputStream: BodySource {
  let stream: UnsafeMutablePointer<FCGX_Stream>

  func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
    guard let start = buffer.baseAddress else { return 0 }
    var done = 0
    while done < buffer.count {
      let wanted = Int32(min(buffer.count - done, 1 << 30))
      let got = unsafe FCGX_GetStr(
        start.advanced(by: done).assumingMemoryBound(to: CChar.self), wanted, stream)
      done += Int(got)
      if got < wanted { break }
    }
    return done
  }

  func readSome(into buffer: UnsafeMutableRawBufferPointer) -> Int {
    guard let start = buffer.baseAddress, buffer.count > 0 else { return 0 }
    // Waits for the next record; what came with it lies in libfcgi's buffer then, and is there without waiting.
    let first = unsafe FCGX_GetChar(stream)
    guard first >= 0 else { return 0 }
    unsafe start.storeBytes(of: UInt8(truncatingIfNeeded: first), as: UInt8.self)
    let there = unsafe min(stream.pointee.stop - stream.pointee.rdNext, buffer.count - 1)
    guard there > 0 else { return 1 }
    let text = unsafe (start + 1).assumingMemoryBound(to: CChar.self)
    return unsafe 1 + Int(FCGX_GetStr(text, Int32(there), stream))
  }

  /// Reads on to the record that ends the stream. Left unread, it would stand before the next request of the
  /// connection, or be lost in libfcgi's buffer.
  func end() -> StreamEnd {
    if unsafe FCGX_GetChar(stream) >= 0 { return .more }
    return unsafe FCGX_GetError(stream) == 0 ? .ended : .broken
  }
}
