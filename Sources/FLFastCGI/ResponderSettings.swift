/// What a responder process may use: threads, memory and time.
public struct ResponderSettings: Sendable {
  /// Worker threads, each answering one request at a time; at least 1.
  public var threads: Int
  /// The longest body that is taken, in bytes; a longer one becomes `Request.Refusal.tooLarge`.
  /// 101 MiB unless told: a file of 100 MiB and the form around it.
  public var maxBodyBytes: Int
  /// A body longer than this many bytes is not read before the application asks for it.
  public var bodyMemoryBytes: Int
  /// How long a worker waits for the web server to send or take the next bytes before it hangs up.
  public var peerTimeout: Duration

  /// Settings; each has a default.
  public init(
    threads: Int = 4, maxBodyBytes: Int = 105_906_176, bodyMemoryBytes: Int = 65_536,
    peerTimeout: Duration = .seconds(30)
  ) {
    self.threads = max(1, threads)
    self.maxBodyBytes = maxBodyBytes
    self.bodyMemoryBytes = bodyMemoryBytes
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
