import CEpoll
import FLHTTP
import Glibc
import HTTPTypes

/// Answers the one request of a plain CGI process (RFC 3875): from the environment and standard input to
/// standard output.
public func answerOnce(settings: ResponderSettings = ResponderSettings(), worker: (Request) -> Response) {
  guard let variables = unsafe fl_environment() else { return }
  _ = fl_ignore_signal(SIGPIPE)
  var reader = HeadReader()
  var head = ResponseHead()
  var method: HTTPRequest.Method?
  var response: Response
  do {
    let request = try unsafe reader.read(variables)
    method = request.method
    let (body, _) = BodyReader(settings: settings).open(request.length, from: StandardInput())
    response = worker(
      Request(
        method: request.method, path: request.target.path, query: request.target.query,
        headers: request.headers, body: body, clientAddress: request.clientAddress,
        isSecure: request.isSecure))
  } catch {
    response = error.response
  }
  // Here only the length tells a whole answer from one that broke off.
  if case .stream(let stream) = response.body, method != .head {
    if let file = stream.file() {
      response.body = .file(file)
    } else {
      let name = HTTPField.Name("x-request-id")
      let id = name.flatMap { response.headers[$0] } ?? ""
      response = Problem.unavailable("The answer could not be made to its end.").response(
        instance: "urn:request:\(id)", requestID: id)
      if let name { response.headers[name] = id }
    }
  }
  let hasBody = head.fill(response, for: method)
  // One write where there is room for it; a failed one has nobody to be told.
  var bytes = head.bytes
  if hasBody, case .bytes(let body) = response.body { bytes += body }
  guard unsafe bytes.withUnsafeBytes({ unsafe writeAll($0, to: 1) }) else { return }
  if hasBody, case .file(let file) = response.body {
    _ = unsafe file.forEachPiece { unsafe writeAll($0, to: 1) }
  }
}

/// The body of a plain CGI request: it has no end of its own, only its length (RFC 3875, section 4.2).
private struct StandardInput: BodySource {
  func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
    var done = 0
    while done < buffer.count {
      let got = unsafe Glibc.read(0, buffer.baseAddress?.advanced(by: done), buffer.count - done)
      if got < 0 && errno == EINTR { continue }
      guard got > 0 else { break }
      done += got
    }
    return done
  }

  func readSome(into buffer: UnsafeMutableRawBufferPointer) -> Int {
    while true {
      let got = unsafe Glibc.read(0, buffer.baseAddress, buffer.count)
      if got < 0 && errno == EINTR { continue }
      return max(0, got)
    }
  }

  func end() -> StreamEnd { .ended }
}
