import FLHTTP
import FLMariaDB
import FLValues
import Foundation
public import Logging
import Synchronization

/// Writes log lines as JSON, one a line, to standard error; request lines go through a buffer, which is written
/// when it is full, and at least every fifth of a second by who calls `flush`.
public final class LogSink: Sendable {
  private let buffer = Mutex<[UInt8]>([])
  private let descriptor: Int32

  /// A sink that writes to `descriptor`.
  public init(descriptor: Int32 = 2) { self.descriptor = descriptor }

  /// Adds a line to the buffer.
  func append(_ line: [UInt8]) {
    let full: [UInt8]? = buffer.withLock { buffer in
      buffer.append(contentsOf: line)
      buffer.append(UInt8(ascii: "\n"))
      guard buffer.count >= 32_768 else { return nil }
      defer { buffer.removeAll(keepingCapacity: true) }
      return buffer
    }
    if let full { write(full) }
  }

  /// Writes what is in the buffer.
  public func flush() {
    let bytes = buffer.withLock { buffer in
      defer { buffer.removeAll(keepingCapacity: true) }
      return buffer
    }
    if !bytes.isEmpty { write(bytes) }
  }

  private func write(_ bytes: [UInt8]) {
    // A log that can't be written must not stop what is logged.
    var written = 0
    while written < bytes.count {
      let count = bytes[written...].withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
      guard count > 0 else { return }
      written += count
    }
  }
}

extension Error {
  /// This error as a log may hold it: of a statement that the server refused no message, which may quote values.
  public var loggable: String {
    if let error = self as? DatabaseError, case .failed(let code, let state, _) = error {
      return "statement failed: \(code) \(state)"
    }
    return "\(self)"
  }
}

/// What is logged of a request: never a secret, a body or a query's value.
struct RequestRecord {
  let method: String
  var route: String
  var status = 0
  var account: AccountID?
  let requestID: String
  let started: ContinuousClock.Instant
  let time: Timestamp

  /// The line, as JSON.
  func line(at end: ContinuousClock.Instant) -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      writer.name("time")
      writer.string(plain: time.civil.rfc3339)
      writer.name("level")
      writer.string(status >= 500 ? "error" : "info")
      writer.name("message")
      writer.string("request")
      writer.name("method")
      writer.string(method)
      writer.name("route")
      writer.string(route)
      writer.name("status")
      writer.integer(status)
      writer.name("microseconds")
      writer.integer((end - started).wholeMicroseconds)
      if let account {
        writer.name("account")
        writer.string(account.description)
      }
      writer.name("requestId")
      writer.string(requestID)
    }
    return writer.bytes
  }
}

/// Lines of swift-log as JSON through a `LogSink`, written at once.
public struct JSONLogHandler: LogHandler {
  private let label: String
  private let sink: LogSink
  /// Lines below this level are not written.
  public var logLevel = Logger.Level.info
  /// What every line carries.
  public var metadata: Logger.Metadata = [:]

  /// A handler for the logger called `label`.
  public init(label: String, sink: LogSink) {
    self.label = label
    self.sink = sink
  }

  /// A value that every line carries.
  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  /// Writes a line.
  public func log(event: LogEvent) {
    var writer = JSONWriter()
    writer.object { writer in
      writer.name("time")
      writer.string(plain: Timestamp.now.civil.rfc3339)
      writer.name("level")
      writer.string(event.level.rawValue)
      writer.name("logger")
      writer.string(label)
      writer.name("message")
      writer.string(event.message.description)
      for (key, value) in metadata.merging(event.metadata ?? [:], uniquingKeysWith: { $1 }).sorted(by: {
        $0.key < $1.key
      }) {
        writer.name(key)
        writer.string(value.description)
      }
    }
    sink.append(writer.bytes)
    sink.flush()
  }
}
