import CEpoll
import Glibc
import Logging
import Synchronization

/// All connections of a responder process, and the epoll set in which its workers wait for them.
///
/// Connections are not workers: an idle one costs a descriptor, and a worker takes whichever is readable.
/// (libfcgi's own loop pins a thread to each kept connection, and those in the backlog starve.)
final class Connections: Sendable {
  private let listener: Listener
  private let epoll: Int32
  /// A semaphore that wakes each worker once when the process is to stop.
  private let wake: Int32
  private let settings: ResponderSettings
  private let logger: Logger
  private let isTCP: Bool
  private let stopping = Atomic<Bool>(false)
  private let acceptPaused = Atomic<Bool>(false)
  private let open = Mutex(Open())

  /// The connections by descriptor. A descriptor's number may be in use again before its former user has
  /// struck it off, so each entry has a serial number.
  private struct Open {
    var serials: [Int32: UInt32] = [:]
    /// When to give up on connections that are being drained, in monotonic milliseconds.
    var drainUntil: [Int32: Int] = [:]
    var lastSerial: UInt32 = 0
  }

  /// What epoll says about a descriptor that is ready: its kind, serial number and number.
  private struct Tag {
    enum Kind: UInt64 { case listener, wake, connection, draining }
    let kind: Kind
    var descriptor: Int32
    var serial: UInt32 = 0

    var bits: UInt64 {
      kind.rawValue << 62 | UInt64(serial & 0x3FFF_FFFF) << 32 | UInt64(UInt32(bitPattern: descriptor))
    }

    init(_ kind: Kind, _ descriptor: Int32, serial: UInt32 = 0) {
      self.kind = kind
      self.descriptor = descriptor
      self.serial = serial
    }

    init?(bits: UInt64) {
      guard let kind = Kind(rawValue: bits >> 62) else { return nil }
      self.kind = kind
      serial = UInt32(truncatingIfNeeded: bits >> 32) & 0x3FFF_FFFF
      descriptor = Int32(truncatingIfNeeded: bits)
    }
  }

  /// Connections taken in one go, so that one process does not take what the others could serve at once.
  private static let acceptsInOneGo = 8
  /// How long a peer may go on sending what nobody reads, so that it finds the answer (milliseconds).
  private static let drainMilliseconds = 5000
  /// How long all must be quiet before a stopping worker ends (milliseconds): a web server that has just
  /// connected, or just taken a kept connection, still gets its answer.
  private static let quietMilliseconds = 50

  init(listener: Listener, settings: ResponderSettings, logger: Logger) throws {
    self.listener = listener
    self.settings = settings
    self.logger = logger
    isTCP = Listener.boundPort(listener.descriptor) != nil
    epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
    wake = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE))
    guard epoll >= 0, wake >= 0, fl_epoll_add(epoll, wake, Tag(.wake, wake).bits) == 0,
      fl_epoll_add_shared(epoll, listener.descriptor, Tag(.listener, listener.descriptor).bits) == 0
    else { throw TransportError(what: "can't use epoll", code: errno) }
  }

  deinit {
    for descriptor in open.withLock({ Array($0.serials.keys) }) { close(descriptor) }
    close(epoll)
    close(wake)
  }

  // MARK: In the workers

  /// Serves whatever connection is ready, until `stop`.
  func work(_ exchange: Exchange) {
    while !stopping.load(ordering: .relaxed) {
      if let tag = next(within: -1) { handle(tag, exchange) }
    }
    var counted: UInt64 = 0
    unsafe _ = read(wake, &counted, 8)
    var quietSince = monotonicMilliseconds()
    while true {
      let left = quietSince + Connections.quietMilliseconds - monotonicMilliseconds()
      guard left > 0 else { return }
      guard let tag = next(within: left) else { continue }
      if case .wake = tag.kind {
        usleep(1000)  // another worker's, which is still busy
      } else {
        handle(tag, exchange)
        quietSince = monotonicMilliseconds()
      }
    }
  }

  private func next(within milliseconds: Int) -> Tag? {
    var bits: UInt64 = 0
    let count = unsafe fl_epoll_next(epoll, Int32(milliseconds), &bits)
    return count == 1 ? Tag(bits: bits) : nil
  }

  private func handle(_ tag: Tag, _ exchange: Exchange) {
    switch tag.kind {
    case .listener: accept(atMost: Connections.acceptsInOneGo)
    case .wake: break
    case .connection:
      switch exchange.serve(tag.descriptor, mayKeep: { !stopping.load(ordering: .relaxed) }) {
      case .keep: wait(for: tag, FL_EPOLL_CHANGE)
      case .close: end(tag)
      case .drain: beginDraining(tag)
      case .closed: forget(tag)
      }
    case .draining: drain(tag)
    }
  }

  private func accept(atMost limit: Int) {
    for _ in 0..<limit {
      let descriptor = fl_accept(listener.descriptor)
      guard descriptor >= 0 else {
        let code = errno
        if [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(code) { pauseAccepting(code) }
        if code == ECONNABORTED || code == EINTR { continue }
        return
      }
      prepare(descriptor)
      let serial = open.withLock { open in
        open.lastSerial = (open.lastSerial + 1) & 0x3FFF_FFFF
        open.serials[descriptor] = open.lastSerial
        return open.lastSerial
      }
      wait(for: Tag(.connection, descriptor, serial: serial), FL_EPOLL_ADD)
    }
  }

  /// Sets the time limits, so that a peer that stalls frees its worker.
  private func prepare(_ descriptor: Int32) {
    let (seconds, attoseconds) = settings.peerTimeout.components
    var limit = timeval(tv_sec: Int(seconds), tv_usec: Int(attoseconds / 1_000_000_000_000))
    let size = socklen_t(MemoryLayout<timeval>.size)
    unsafe setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
    unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
    if isTCP {
      var on: Int32 = 1
      unsafe setsockopt(
        descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    }
  }

  private func wait(for tag: Tag, _ operation: some BinaryInteger) {
    if fl_epoll_once(epoll, Int32(operation), tag.descriptor, tag.bits) != 0 { end(tag) }
  }

  /// Strikes a connection off that is closed.
  private func forget(_ tag: Tag) {
    open.withLock { open in
      guard open.serials[tag.descriptor] == tag.serial else { return }
      open.serials[tag.descriptor] = nil
      open.drainUntil[tag.descriptor] = nil
    }
  }

  /// Closes a connection. It is struck off first: its number may be another's as soon as it is closed.
  private func end(_ tag: Tag) {
    forget(tag)
    close(tag.descriptor)
  }

  /// Ends our side, and reads away what the peer still sends: closing at once would reset the connection,
  /// and the answer could be lost with it.
  private func beginDraining(_ tag: Tag) {
    shutdown(tag.descriptor, Int32(SHUT_WR))
    let until = monotonicMilliseconds() + Connections.drainMilliseconds
    open.withLock { $0.drainUntil[tag.descriptor] = until }
    wait(for: Tag(.draining, tag.descriptor, serial: tag.serial), FL_EPOLL_CHANGE)
  }

  private func drain(_ tag: Tag) {
    let ended = unsafe withUnsafeTemporaryAllocation(byteCount: 65_536, alignment: 16) { buffer in
      for _ in 0..<16 {
        let got = unsafe recv(tag.descriptor, buffer.baseAddress, 65_536, Int32(MSG_DONTWAIT))
        if got <= 0 { return got == 0 || errno != EAGAIN }
      }
      return false
    }
    if ended { end(tag) } else { wait(for: tag, FL_EPOLL_CHANGE) }
  }

  /// Without a descriptor left, the listening socket would be readable for ever: it rests until `tick`.
  private func pauseAccepting(_ code: Int32) {
    guard !acceptPaused.exchange(true, ordering: .acquiringAndReleasing) else { return }
    _ = fl_epoll_remove(epoll, listener.descriptor)
    logger.warning("can't accept connections for the moment", metadata: ["error": "\(errorText(code))"])
  }

  // MARK: In the main thread

  /// Does what is due: accepting again after a pause, hanging up on peers that never stop sending.
  func tick() {
    if acceptPaused.exchange(false, ordering: .acquiringAndReleasing) {
      _ = fl_epoll_add_shared(epoll, listener.descriptor, Tag(.listener, listener.descriptor).bits)
    }
    let now = monotonicMilliseconds()
    open.withLock { open in
      // shutdown() makes it readable, and the worker that wakes closes it; under the lock nobody else does.
      for (descriptor, until) in open.drainUntil where until < now {
        shutdown(descriptor, Int32(SHUT_RDWR))
      }
    }
  }

  /// Takes no new connections, and has `workers` threads end when they have answered what is in flight.
  func stop(workers: Int) {
    _ = fl_epoll_remove(epoll, listener.descriptor)
    listener.removeFile()
    stopping.store(true, ordering: .sequentiallyConsistent)
    // What waits in the backlog is in flight too. Other processes may share it: what they take is theirs.
    accept(atMost: Int(Listener.backlog))
    var count = UInt64(workers)
    unsafe _ = write(wake, &count, 8)
  }
}
