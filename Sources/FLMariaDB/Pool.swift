import Glibc

/// The connections of a process: at most so many at once, made when first needed, the one used last lent first.
///
/// A pthread mutex and conditions, because `Synchronization.Mutex` has nothing to wait with, and a waiting with
/// a time limit must be by a clock that nobody sets. Each waiter has a condition of its own and they are served
/// in the order they came: with one for all, a newcomer could overtake them again and again.
///
/// `@unchecked Sendable`: `idle` and the counters are touched under the mutex alone, and a connection is held by
/// one thread or by `idle`.
@safe final class Pool: @unchecked Sendable {
  @safe private final class Waiter {
    let condition: UnsafeMutablePointer<pthread_cond_t>
    var isGranted = false

    init() {
      unsafe condition = .allocate(capacity: 1)
      unsafe condition.initialize(to: pthread_cond_t())
      var attributes = pthread_condattr_t()
      unsafe pthread_condattr_init(&attributes)
      unsafe pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
      unsafe pthread_cond_init(condition, &attributes)
      unsafe pthread_condattr_destroy(&attributes)
    }

    deinit {
      unsafe pthread_cond_destroy(condition)
      unsafe condition.deallocate()
    }
  }

  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let make: () -> Connection
  private let patience: Duration
  private var idle: [Connection] = []
  private var permits: Int
  private var waiters: [Waiter] = []

  init(size: Int, patience: Duration, make: @escaping @Sendable () -> Connection) {
    unsafe mutex = .allocate(capacity: 1)
    unsafe mutex.initialize(to: pthread_mutex_t())
    unsafe pthread_mutex_init(mutex, nil)
    permits = max(1, size)
    self.patience = patience
    self.make = make
  }

  deinit {
    unsafe pthread_mutex_destroy(mutex)
    unsafe mutex.deallocate()
  }

  /// Lends a connection to `body`, which has it for itself. Throws `DatabaseError.exhausted` when none comes
  /// free in time.
  func lend<Result>(_ body: (Connection) throws -> Result) throws -> Result {
    let connection = try take()
    let losses = connection.losses
    defer { giveBack(connection, wasLost: connection.losses != losses) }
    connection.checkIdle()
    return try body(connection)
  }

  private func take() throws -> Connection {
    unsafe pthread_mutex_lock(mutex)
    defer { unsafe pthread_mutex_unlock(mutex) }
    if permits > 0 && waiters.isEmpty {
      permits -= 1
    } else {
      try wait()
    }
    return idle.popLast() ?? make()
  }

  /// Waits for a permit that somebody hands over; the mutex is held before and after.
  private func wait() throws {
    let waiter = Waiter()
    waiters.append(waiter)
    var limit = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &limit)
    let nanoseconds = limit.tv_nsec + Int(patience.components.attoseconds / 1_000_000_000)
    limit.tv_sec += Int(patience.components.seconds) + nanoseconds / 1_000_000_000
    limit.tv_nsec = nanoseconds % 1_000_000_000
    while !waiter.isGranted {
      if unsafe pthread_cond_timedwait(waiter.condition, mutex, &limit) == ETIMEDOUT { break }
    }
    if !waiter.isGranted {
      waiters.removeAll { $0 === waiter }
      throw DatabaseError.exhausted
    }
  }

  private func giveBack(_ connection: Connection, wasLost: Bool) {
    connection.tidy()
    // Where one connection broke, the others have most likely broken too; they are closed outside of the lock.
    var discarded: [Connection] = []
    unsafe pthread_mutex_lock(mutex)
    if wasLost { swap(&discarded, &idle) }
    if connection.session != nil { idle.append(connection) }
    if waiters.isEmpty {
      permits += 1
    } else {
      let next = waiters.removeFirst()
      next.isGranted = true
      unsafe pthread_cond_signal(next.condition)
    }
    unsafe pthread_mutex_unlock(mutex)
    discarded.removeAll()
  }
}
