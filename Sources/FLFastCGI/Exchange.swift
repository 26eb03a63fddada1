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
    let end: StreamEnd
    var method: HTTPRequest.Method?
    do {
      let head = try unsafe reader.read(variables)
      method = head.method
      let body: Request.Body
      (body, end) = bodies.read(head.length, from: stream)
      // The web server has gone, or given the request up: there is nobody to answer.
      if case .broken = end { return hangUp() }
      response = worker(
        Request(
          method: head.method, path: head.target.path, query: head.target.query, headers: head.headers,
          body: body, clientAddress: head.clientAddress, isSecure: head.isSecure))
    } catch {
      response = error.response
      end = stream.end()
      if case .broken = end { return hangUp() }
    }

    let hasBody = responseHead.fill(response, for: method)
    unsafe responseHead.bytes.withUnsafeBufferPointer { unsafe put($0, to: output) }
    if hasBody, case .bytes(let bytes) = response.body {
      unsafe bytes.withUnsafeBufferPointer { unsafe put($0, to: output) }
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

  private func put(_ bytes: UnsafeBufferPointer<UInt8>, to output: UnsafeMutablePointer<FCGX_Stream>) {
    var rest = unsafe bytes[...]
    // libfcgi counts with int.
    while let start = unsafe UnsafeBufferPointer(rebasing: rest).baseAddress, unsafe !rest.isEmpty {
      let part = unsafe min(rest.count, 1 << 30)
      let wrote = unsafe start.withMemoryRebound(to: CChar.self, capacity: part) { text in
        unsafe FCGX_PutStr(text, Int32(part), output)
      }
      guard wrote == part else { return }  // the peer has gone: FCGX_Finish_r closes the connection
      unsafe rest = rest.dropFirst(part)
    }
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

  /// Reads on to the record that ends the stream. Left unread, it would stand before the next request of the
  /// connection, or be lost in libfcgi's buffer.
  func end() -> StreamEnd {
    if unsafe FCGX_GetChar(stream) >= 0 { return .more }
    return unsafe FCGX_GetError(stream) == 0 ? .ended : .broken
  }
}
