import CEpoll
import Glibc
public import Logging

/// The parent of several responder processes that share a listening socket, and keeps their number.
///
/// It never forks without an exec: each child is started anew by `posix_spawn`, with the listening socket as
/// descriptor 0. SIGTERM and SIGINT stop the children and then the parent; SIGHUP replaces them one after the
/// other. A child gets SIGTERM when its parent dies in whatever way.
public struct Supervisor {
  /// The socket that the children serve.
  public let listener: Listener
  /// The program to start, by its path.
  public let program: String
  /// Its arguments, without the program's own name.
  public let arguments: [String]
  /// How many children are kept alive; at least 1.
  public let processes: Int
  private let logger: Logger

  /// The variable that tells a child its parent.
  static let parentVariable = "FASTLINKIT_SUPERVISOR"
  /// How long a child may take to stop (milliseconds) before it is killed.
  static let stopMilliseconds = 30_000
  /// How long a new child must live to count as started (milliseconds).
  static let startMilliseconds = 500

  /// A supervisor of `processes` children; `program` is this program unless told otherwise.
  ///
  /// The path is looked up now, so that a reload finds the program that was installed there meanwhile.
  public init(
    listener: Listener, program: String? = nil, arguments: [String], processes: Int, logger: Logger
  ) {
    self.listener = listener
    self.program = program ?? Supervisor.ownPath()
    self.arguments = arguments
    self.processes = max(1, processes)
    self.logger = logger
  }

  /// Runs until SIGTERM or SIGINT. Returns the exit code: 0, or 1 where a child had to be killed.
  ///
  /// Call it on the main thread before any other thread is started. The thread that calls it must live as
  /// long as the process, because the kernel counts the end of that thread as the parent's death.
  public func run() -> Int32 {
    let signals = SignalSet([SIGTERM, SIGINT, SIGHUP, SIGCHLD])
    signals.block()
    var family = Family(slots: Array(repeating: Family.Slot(), count: processes), supervisor: self)
    logger.info("supervising", metadata: ["listener": "\(listener.name)", "processes": "\(processes)"])
    while true {
      family.step(now: monotonicMilliseconds())
      switch signals.wait(milliseconds: 100) {
      case SIGTERM?, SIGINT?:
        logger.info("stopping")
        return family.stop(signals) ? 0 : 1
      case SIGHUP?:
        logger.info("replacing the processes")
        family.reload()
      default: break
      }
    }
  }

  /// Whether this process was started by a supervisor that is gone. If the supervisor lives, this process
  /// gets SIGTERM at its death from here on.
  static func isOrphaned() -> Bool {
    guard let parent = environment(parentVariable) else { return false }
    _ = fl_signal_on_parent_death(SIGTERM)
    return Int32(parent) != getppid()
  }

  private static func ownPath() -> String {
    var buffer = [UInt8](repeating: 0, count: 4096)
    let length = unsafe fl_own_program(&buffer, buffer.count)
    return length > 0 ? String(decoding: buffer[..<length], as: UTF8.self) : "/proc/self/exe"
  }

  /// Starts a child; nil with a log line where the system does not let us.
  fileprivate func start() -> pid_t? {
    var actions = unsafe posix_spawn_file_actions_t()
    var attributes = posix_spawnattr_t()
    unsafe posix_spawn_file_actions_init(&actions)
    unsafe posix_spawnattr_init(&attributes)
    defer {
      unsafe posix_spawn_file_actions_destroy(&actions)
      unsafe posix_spawnattr_destroy(&attributes)
    }
    unsafe posix_spawn_file_actions_adddup2(&actions, listener.descriptor, 0)
    // Blocked and ignored signals would be inherited.
    var none = SignalSet([]).value
    var usual = SignalSet([SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGPIPE]).value
    unsafe posix_spawnattr_setsigmask(&attributes, &none)
    unsafe posix_spawnattr_setsigdefault(&attributes, &usual)
    unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

    var variables: [String] = []
    var next = unsafe fl_environment()
    while let text = unsafe next?.pointee {
      let variable = unsafe String(cString: text)
      let own = [Supervisor.parentVariable + "=", "LISTEN_PID=", "LISTEN_FDS="]
      if !own.contains(where: variable.hasPrefix) { variables.append(variable) }
      unsafe next = next?.advanced(by: 1)
    }
    variables.append("\(Supervisor.parentVariable)=\(getpid())")
    var pid = pid_t()
    let code = unsafe withCStrings([program] + arguments) { arguments in
      unsafe withCStrings(variables) { variables in
        unsafe posix_spawn(&pid, program, &actions, &attributes, arguments, variables)
      }
    }
    guard code == 0 else {
      logger.error("can't start a process", metadata: ["error": "\(errorText(code))"])
      return nil
    }
    return pid
  }

  fileprivate func log(ended pid: pid_t, _ status: Int32) {
    let signal = status & 0x7F
    let cause = signal == 0 ? "exit code \(status >> 8 & 0xFF)" : "signal \(signal)"
    logger.warning("a process ended by itself", metadata: ["process": "\(pid)", "cause": "\(cause)"])
  }

  fileprivate func log(_ text: Logger.Message, _ pid: pid_t) {
    logger.warning(text, metadata: ["process": "\(pid)"])
  }
}

/// A supervisor's children: one a slot, and those that are on their way out.
private struct Family {
  struct Child {
    let pid: pid_t
    let since: Int

    /// The wait status of a child that has ended; nil while it lives.
    func ended() -> Int32? {
      var status: Int32 = 0
      return unsafe waitpid(pid, &status, WNOHANG) == pid ? status : nil
    }
  }

  struct Slot {
    var child: Child?
    /// A new child that is being tried before `child` is sent away.
    var successor: Child?
    var startAt = 0
    /// How long to wait after the next quick death (milliseconds).
    var pause = 100
  }

  var slots: [Slot]
  let supervisor: Supervisor
  var leaving: [Child] = []
  var toReplace: [Int] = []
  var killed = false

  /// Looks after every child once.
  mutating func step(now: Int) {
    for index in slots.indices {
      if let child = slots[index].child, let status = child.ended() {
        supervisor.log(ended: child.pid, status)
        slots[index].child = slots[index].successor
        slots[index].successor = nil
        // A child that dies at once will do so again: it is given more and more time.
        if now - child.since < 1000 {
          slots[index].startAt = now + slots[index].pause
          slots[index].pause = min(slots[index].pause * 2, 10_000)
        } else {
          slots[index].pause = 100
        }
      }
      if slots[index].child == nil, now >= slots[index].startAt {
        slots[index].child = start(now)
        if slots[index].child == nil { slots[index].startAt = now + 1000 }
      }
      follow(index, now)
    }
    leaving = leaving.filter { $0.ended() == nil }
    killLate()
    replaceNext(now)
  }

  /// Puts a successor in its place once it has lived for a while; gives the reload up where it has not.
  private mutating func follow(_ index: Int, _ now: Int) {
    guard let successor = slots[index].successor else { return }
    if let status = successor.ended() {
      supervisor.log(ended: successor.pid, status)
      supervisor.log("the new process does not start: the old ones stay", successor.pid)
      slots[index].successor = nil
      toReplace = []
    } else if now - successor.since >= Supervisor.startMilliseconds {
      if let child = slots[index].child {
        kill(child.pid, SIGTERM)
        leaving.append(Child(pid: child.pid, since: now))
      }
      slots[index].child = successor
      slots[index].successor = nil
    }
  }

  /// One after the other: the next is replaced when the last has gone.
  private mutating func replaceNext(_ now: Int) {
    guard let index = toReplace.first, leaving.isEmpty, slots.allSatisfy({ $0.successor == nil }) else {
      return
    }
    toReplace.removeFirst()
    slots[index].successor = start(now)
    if slots[index].successor == nil { toReplace = [] }
  }

  mutating func reload() { toReplace = Array(slots.indices) }

  /// Sends all away and waits for them; whether all went by themselves.
  mutating func stop(_ signals: SignalSet) -> Bool {
    let now = monotonicMilliseconds()
    let staying = slots.flatMap { [$0.child, $0.successor].compactMap { $0 } }
    for child in staying { kill(child.pid, SIGTERM) }
    leaving += staying.map { Child(pid: $0.pid, since: now) }
    while !leaving.isEmpty {
      leaving = leaving.filter { $0.ended() == nil }
      killLate()
      if !leaving.isEmpty { _ = signals.wait(milliseconds: 50) }
    }
    return !killed
  }

  private mutating func killLate() {
    for child in leaving where monotonicMilliseconds() - child.since > Supervisor.stopMilliseconds {
      supervisor.log("a process did not stop in time and is killed", child.pid)
      kill(child.pid, SIGKILL)
      killed = true
    }
  }

  private func start(_ now: Int) -> Child? { supervisor.start().map { Child(pid: $0, since: now) } }
}

/// Calls `body` with a NULL-terminated array of C strings.
private func withCStrings<Result>(
  _ texts: [String], _ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
  let array = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: texts.count + 1)
  for (index, text) in texts.enumerated() { unsafe array[index] = strdup(text) }
  unsafe array[texts.count] = nil
  defer {
    for index in texts.indices { unsafe free(array[index]) }
    unsafe array.deallocate()
  }
  return unsafe body(array)
}
