/// How this process was started.
public enum Invocation: Sendable, Equatable {
  /// By a web server for one request, which is in the environment and on descriptor 0 (RFC 3875).
  case cgi
  /// With a listening socket, by spawn-fcgi, systemd or a `Supervisor`.
  case inheritedSocket
  /// Otherwise: by a person or a service manager.
  case commandLine

  /// Looks at the environment and at descriptors 0 and 3.
  public static func detect() -> Invocation {
    if Listener.isListening(0) { return .inheritedSocket }
    if environment("GATEWAY_INTERFACE") != nil || environment("REQUEST_METHOD") != nil { return .cgi }
    return environment("LISTEN_FDS") != nil && Listener.isListening(3) ? .inheritedSocket : .commandLine
  }
}
