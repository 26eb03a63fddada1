import CEpoll
import Glibc

/// The system's sentence for an `errno`.
func errorText(_ code: Int32) -> String {
  guard let text = unsafe fl_error_text(code) else { return "error \(code)" }
  return unsafe String(cString: text)
}

/// A thread of the operating system that can be waited for.
struct WorkerThread {
  private let id: pthread_t

  private final class Start {
    let run: () -> Void
    init(_ run: @escaping () -> Void) { self.run = run }
  }

  /// Starts a thread that runs `run`; throws where the system has none left.
  init(_ run: @escaping @Sendable () -> Void) throws {
    var id = pthread_t()
    let start = unsafe Unmanaged.passRetained(Start(run))
    let code = unsafe pthread_create(
      &id, nil,
      { raw in
        if let raw = unsafe raw {
          unsafe Unmanaged<Start>.fromOpaque(raw).takeRetainedValue().run()
        }
        return nil
      }, start.toOpaque())
    guard code == 0 else {
      unsafe start.release()
      throw TransportError(what: "can't start a thread", code: code)
    }
    self.id = id
  }

  /// Returns when the thread has ended.
  func wait() { _ = pthread_join(id, nil) }
}

/// A set of signals for `sigprocmask`, `sigtimedwait` and `posix_spawn`.
struct SignalSet {
  var value = sigset_t()

  init(_ signals: [Int32]) {
    unsafe sigemptyset(&value)
    for signal in signals { unsafe sigaddset(&value, signal) }
  }

  /// Keeps these signals from this thread, and from those that it starts.
  func block() {
    var set = value
    unsafe _ = pthread_sigmask(SIG_BLOCK, &set, nil)
  }

  /// The next of these signals; nil when none came in `milliseconds`.
  func wait(milliseconds: Int) -> Int32? {
    var set = value
    var time = timespec(tv_sec: milliseconds / 1000, tv_nsec: milliseconds % 1000 * 1_000_000)
    let signal = unsafe sigtimedwait(&set, nil, &time)
    return signal > 0 ? signal : nil
  }
}

/// The clock for time limits: it never jumps.
func monotonicMilliseconds() -> Int {
  var time = timespec()
  unsafe _ = clock_gettime(CLOCK_MONOTONIC, &time)
  return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
}
