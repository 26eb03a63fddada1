/// What a responder process may use: threads, memory, disk and time.
public struct ResponderSettings: Sendable {
  /// Worker threads, each answering one request at a time; at least 1.
  public var threads: Int
  /// The longest body that is taken, in bytes; a longer one becomes `Request.Refusal.tooLarge`.
  public var maxBodyBytes: Int
  /// A body longer than this many bytes goes to a temporary file without a name.
  public var bodyMemoryBytes: Int
  /// The directory of those files.
  public var temporaryDirectory: String
  /// How long a worker waits for the web server to send or take the next bytes before it hangs up.
  public var peerTimeout: Duration

  /// Settings; each has a default.
  public init(
    threads: Int = 4, maxBodyBytes: Int = 104_857_600, bodyMemoryBytes: Int = 65_536,
    temporaryDirectory: String = "/tmp", peerTimeout: Duration = .seconds(30)
  ) {
    self.threads = max(1, threads)
    self.maxBodyBytes = maxBodyBytes
    self.bodyMemoryBytes = bodyMemoryBytes
    self.temporaryDirectory = temporaryDirectory
    self.peerTimeout = peerTimeout
  }
}

/// A system call that failed while the transport was set up.
public struct TransportError: Error, CustomStringConvertible {
  /// What was tried, in words, with the path or address.
  public let what: String
  /// `errno`; 0 where the cause is none of the system's.
  public let code: Int32

  /// What was tried, and the system's reason.
  public var description: String {
    code == 0 ? what : "\(what): \(errorText(code))"
  }
}
