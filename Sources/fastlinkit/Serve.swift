import ArgumentParser
import FLApp
import FLFastCGI
import FLHTTP
import Foundation
import Logging
import Synchronization

/// `fastlinkit serve`: answers FastCGI requests until it is told to stop.
struct Serve: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Answer FastCGI requests until SIGTERM.",
    discussion: """
      Without --socket and --listen the socket is the one that spawn-fcgi, multiwatch or systemd hands over, or \
      else the one at FL_SOCKET. \
      With --processes the program keeps so many of itself alive; SIGHUP replaces them one after the other.
      """)

  @OptionGroup var settings: SettingsOptions
  @Option(help: ArgumentHelp("A Unix socket to listen on.", valueName: "path"))
  var socket: String?
  @Option(help: ArgumentHelp("The socket's permissions, octal.", valueName: "mode"))
  var socketMode = "0660"
  @Option(help: ArgumentHelp("A TCP address to listen on.", valueName: "address:port"))
  var listen: String?
  @Option(help: "Processes to keep alive; 0: answer in this one.")
  var processes = 0
  @Option(help: "Worker threads in each process.")
  var threads = 4

  func validate() throws {
    guard socket == nil || listen == nil else {
      throw ValidationError("Give --socket or --listen, not both.")
    }
    guard (0...256).contains(processes) else { throw ValidationError("--processes must be from 0 to 256.") }
    guard (1...256).contains(threads) else { throw ValidationError("--threads must be from 1 to 256.") }
    guard let mode = UInt32(socketMode, radix: 8), mode <= 0o777 else {
      throw ValidationError("--socket-mode must be octal, like 0660.")
    }
  }

  func run() throws {
    let settings = try settings.load()
    let (logger, log) = makeLogger("fastlinkit")
    let listener = try listener(settings)
    if processes > 0 {
      var arguments = ["serve", "--threads", String(threads)]
      if let file = self.settings.config { arguments += ["--config", file] }
      let supervisor = Supervisor(
        listener: listener, arguments: arguments, processes: processes, logger: logger)
      throw ExitCode(supervisor.run())
    }
    let app: App
    do {
      app = try App(settings: settings, logger: logger, log: log, workers: threads)
    } catch {
      throw Failure("\(error)")
    }
    app.prepareForMany()
    let background = Background(app)
    try serve(
      on: listener,
      settings: ResponderSettings(threads: threads),
      logger: logger
    ) {
      // Threads that are started here, and not before, leave SIGTERM to the main thread.
      background.start()
      return { app.respond(to: $0) }
    }
    background.stop()
    app.finish()
  }

  private func listener(_ settings: Settings) throws -> Listener {
    if let socket = socket
      ?? (listen == nil && Invocation.detect() != .inheritedSocket ? settings.socket : nil)
    {
      return try .unix(path: socket, mode: mode_t(UInt32(socketMode, radix: 8) ?? 0o660))
    }
    if let listen {
      let parts = listen.split(separator: ":", omittingEmptySubsequences: false)
      guard parts.count >= 2, let port = UInt16(parts[parts.count - 1]) else {
        throw ValidationError("--listen must be like 127.0.0.1:9000.")
      }
      let address = parts.dropLast().joined(separator: ":").filter { $0 != "[" && $0 != "]" }
      return try .tcp(address: address, port: port)
    }
    guard let inherited = Listener.inherited() else {
      throw ValidationError("Give --socket or --listen, or start it by spawn-fcgi or systemd with a socket.")
    }
    return inherited
  }
}

/// The threads of a process that work beside its requests.
private final class Background: Sendable {
  private let app: App
  private let isStopping = Atomic<Bool>(false)
  private let hasStarted = Atomic<Bool>(false)
  private let ended = DispatchSemaphore(value: 0)

  init(_ app: App) { self.app = app }

  /// Starts them, once.
  func start() {
    guard hasStarted.exchange(true, ordering: .acquiringAndReleasing) == false else { return }
    run { $0.app.work(until: { self.isStopping.load(ordering: .relaxed) }) }
    run { $0.app.watchGeoIP(until: { self.isStopping.load(ordering: .relaxed) }) }
    run { $0.app.runImports(until: { self.isStopping.load(ordering: .relaxed) }) }
    run { $0.app.writeLog(until: { self.isStopping.load(ordering: .relaxed) }) }
  }

  private func run(_ work: @escaping @Sendable (Background) -> Void) {
    Thread.detachNewThread {
      work(self)
      self.ended.signal()
    }
  }

  /// Stops them and waits: what they leave undone after ten seconds, another process does.
  func stop() {
    guard hasStarted.load(ordering: .acquiring) else { return }
    isStopping.store(true, ordering: .relaxed)
    let deadline = DispatchTime.now() + 10
    for _ in 0..<4 { _ = ended.wait(timeout: deadline) }
  }
}

/// The one request of a plain CGI process.
enum OneRequest {
  static func answer() {
    let (logger, log) = makeLogger("fastlinkit")
    let app: App
    do {
      var settings = try Settings.load()
      // Whatever server starts CGI programs, it sends what they print, and no file that they name.
      settings.accel = nil
      app = try App(settings: settings, logger: logger, log: log)
    } catch {
      logger.critical("the settings can't be used", metadata: ["reason": "\(error)"])
      answerOnce { _ in
        Response(
          status: 503, headers: [.contentType: "text/plain; charset=utf-8", .retryAfter: "60"],
          body: .bytes(
            Array("The service is not set up. The reason is in the web server's error log.\n".utf8)))
      }
      return
    }
    // Without the day's salt every visitor would be a new one.
    app.prepareForOne()
    answerOnce(settings: ResponderSettings(threads: 1)) {
      app.respond(to: $0)
    }
    // The answer is out: let the web server have it before the click is put into the database.
    close(1)
    app.finish()
    _ = try? app.loadClicks(within: .seconds(2))
  }
}
