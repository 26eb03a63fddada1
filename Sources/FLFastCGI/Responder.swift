import CEpoll
import CFastCGI
public import FLHTTP
import Glibc
public import Logging
import Synchronization

/// Answers FastCGI requests from `listener` until SIGTERM or SIGINT, then finishes what is in flight and
/// returns.
///
/// Call it on the main thread before any other thread is started: the signals are blocked here, and only
/// threads started later inherit that. `makeWorker` runs once in each worker thread; what it makes never
/// leaves that thread. Throws when epoll, libfcgi or a thread can't be had.
public func serve(
  on listener: Listener, settings: ResponderSettings, logger: Logger,
  makeWorker: @escaping @Sendable () -> (Request) -> Response
) throws {
  let signals = SignalSet([SIGTERM, SIGINT])
  signals.block()
  // A write to a connection that is gone is an error there, not the end of the process.
  _ = fl_ignore_signal(SIGPIPE)
  guard !Supervisor.isOrphaned() else { return }
  raiseDescriptorLimit()
  guard FCGX_Init() == 0 else { throw TransportError(what: "can't start libfcgi", code: errno) }

  let connections = try Connections(listener: listener, settings: settings, logger: logger)
  var threads: [WorkerThread] = []
  do {
    for _ in 0..<settings.threads {
      threads.append(
        try WorkerThread {
          connections.work(Exchange(settings: settings, worker: makeWorker()))
        })
    }
  } catch {
    connections.stop(workers: threads.count)
    threads.forEach { $0.wait() }
    throw error
  }
  logger.info("serving", metadata: ["listener": "\(listener.name)", "threads": "\(settings.threads)"])

  while signals.wait(milliseconds: 250) == nil { connections.tick() }
  logger.info("stopping")
  connections.stop(workers: threads.count)
  threads.forEach { $0.wait() }
}

/// Lets the process open as many descriptors as the system allows it: each kept connection is one.
private func raiseDescriptorLimit() {
  var limit = rlimit()
  guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
  limit.rlim_cur = limit.rlim_max
  unsafe _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
}
