import CEpoll
import Glibc

/// A listening socket that this process owns: non-blocking, closed with the last reference to it.
public final class Listener: Sendable {
  /// The listening socket.
  public let descriptor: Int32
  /// Where it can be reached, for log lines.
  public let name: String
  /// The socket file that is removed with this object, if it is still the one made here.
  private let file: SocketFile?

  private struct SocketFile: Sendable {
    let path: String
    let device: dev_t
    let inode: ino_t
  }

  /// How many connections may wait to be accepted. Linux cuts it to `net.core.somaxconn` (4096 since 5.4).
  static let backlog: Int32 = 4096

  private init(descriptor: Int32, name: String, file: SocketFile? = nil) {
    self.descriptor = descriptor
    self.name = name
    self.file = file
    _ = fl_set_nonblocking(descriptor)
    _ = fl_set_close_on_exec(descriptor)
  }

  deinit {
    removeFile()
    close(descriptor)
  }

  /// Takes the socket file away, so that new connections fail at once instead of waiting for nobody.
  func removeFile() {
    guard let file else { return }
    var found = stat()
    guard unsafe lstat(file.path, &found) == 0, found.st_dev == file.device, found.st_ino == file.inode
    else { return }
    unsafe unlink(file.path)
  }

  /// Listens on a Unix socket at `path` (at most 107 bytes) with the permissions `mode`.
  ///
  /// A socket file that nobody listens on is replaced; one in use, or a file that is no socket, is refused.
  public static func unix(path: String, mode: mode_t = 0o660) throws -> Listener {
    let socket = try open(AF_UNIX)
    do {
      if !bindUnix(socket, path) {
        guard errno == EADDRINUSE else { throw TransportError(what: "can't bind \(path)", code: errno) }
        try removeStale(path)
        guard bindUnix(socket, path) else { throw TransportError(what: "can't bind \(path)", code: errno) }
      }
      // Nobody can connect before listen(), so the permissions are in place first.
      guard unsafe chmod(path, mode) == 0, listen(socket, backlog) == 0 else {
        throw TransportError(what: "can't listen on \(path)", code: errno)
      }
      var made = stat()
      guard unsafe lstat(path, &made) == 0 else {
        throw TransportError(what: "can't look at \(path)", code: errno)
      }
      return Listener(
        descriptor: socket, name: path,
        file: SocketFile(path: path, device: made.st_dev, inode: made.st_ino))
    } catch {
      close(socket)
      throw error
    }
  }

  /// Listens on the IPv4 or IPv6 `address` (numeric) at `port`; 0 lets the system choose one.
  public static func tcp(address: String, port: UInt16) throws -> Listener {
    var hints = unsafe addrinfo()
    unsafe hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE
    unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    guard unsafe getaddrinfo(address, String(port), &hints, &found) == 0, let first = unsafe found else {
      throw TransportError(what: "\(address) is no numeric address", code: 0)
    }
    defer { unsafe freeaddrinfo(first) }
    let socket = try open(unsafe first.pointee.ai_family)
    var on: Int32 = 1
    unsafe setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
    guard unsafe bind(socket, first.pointee.ai_addr, first.pointee.ai_addrlen) == 0,
      listen(socket, backlog) == 0
    else {
      let code = errno
      close(socket)
      throw TransportError(what: "can't listen on \(address) port \(port)", code: code)
    }
    return Listener(descriptor: socket, name: "\(address) port \(boundPort(socket) ?? port)")
  }

  /// The listening socket that this process was started with: descriptor 0 (spawn-fcgi, `Supervisor`), or
  /// 3 by systemd's `LISTEN_PID` and `LISTEN_FDS` (sd_listen_fds(3)); nil when there is none.
  public static func inherited() -> Listener? {
    if isListening(0) { return Listener(descriptor: 0, name: "descriptor 0") }
    if let process = environment("LISTEN_PID"), Int32(process) == getpid(),
      let count = environment("LISTEN_FDS"), (Int(count) ?? 0) >= 1, isListening(3)
    {
      return Listener(descriptor: 3, name: "descriptor 3")
    }
    return nil
  }

  /// The TCP port that a socket is bound to; nil for other families.
  static func boundPort(_ socket: Int32) -> UInt16? {
    var address = sockaddr_in6()
    var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
    let code = unsafe withUnsafeMutableBytes(of: &address) { bytes in
      unsafe getsockname(socket, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), &length)
    }
    guard code == 0, [AF_INET, AF_INET6].contains(Int32(address.sin6_family)) else { return nil }
    return UInt16(bigEndian: address.sin6_port)  // at the same place in sockaddr_in
  }

  /// Whether `descriptor` is a socket that listens.
  static func isListening(_ descriptor: Int32) -> Bool {
    var listening: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    return unsafe getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) == 0
      && listening != 0
  }

  private static func open(_ family: Int32) throws -> Int32 {
    let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let descriptor = socket(family, kind, 0)
    guard descriptor >= 0 else { throw TransportError(what: "can't open a socket", code: errno) }
    return descriptor
  }

  private static func bindUnix(_ socket: Int32, _ path: String) -> Bool {
    unsafe withUnixAddress(path) { address, length in unsafe bind(socket, address, length) } == 0
  }

  /// Removes a socket file that refuses connections.
  private static func removeStale(_ path: String) throws {
    var found = stat()
    guard unsafe lstat(path, &found) == 0 else {
      throw TransportError(what: "can't look at \(path)", code: errno)
    }
    guard found.st_mode & S_IFMT == S_IFSOCK else {
      throw TransportError(what: "\(path) is no socket", code: EADDRINUSE)
    }
    let probe = try open(AF_UNIX)
    defer { close(probe) }
    let code = unsafe withUnixAddress(path) { address, length in unsafe connect(probe, address, length) }
    guard code != 0, errno == ECONNREFUSED else {
      throw TransportError(what: "\(path) is in use", code: EADDRINUSE)
    }
    unsafe unlink(path)
  }

  private static func withUnixAddress(
    _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
  ) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    let room = MemoryLayout.size(ofValue: address.sun_path)
    guard !bytes.isEmpty, bytes.count < room, !bytes.contains(0) else {
      errno = ENAMETOOLONG
      return -1
    }
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
    return unsafe withUnsafeBytes(of: &address) { raw in
      guard let base = raw.baseAddress else { return -1 }
      return unsafe body(
        base.assumingMemoryBound(to: sockaddr.self), socklen_t(MemoryLayout<sockaddr_un>.size))
    }
  }
}

/// The environment's value of `name`.
func environment(_ name: String) -> String? {
  guard let value = unsafe getenv(name) else { return nil }
  return unsafe String(cString: value)
}
