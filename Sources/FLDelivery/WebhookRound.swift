public import FLApp
import FLTransfer
import FLValues
import Foundation
public import Logging
import Synchronization

/// Delivers to webhooks what is due, to many at once.
///
/// Several may run at once, on one host or on many: each takes what no other has.
public final class WebhookRound: Sendable {
  /// How long connecting may take, and all of an attempt. The lease is longer.
  private static let limits = HTTPClient.Limits(
    connectMilliseconds: 5000, totalMilliseconds: 15_000, bodyBytes: WebhookOutcome.keptResponse)
  /// How often it is asked what is due.
  private static let refresh = Duration.seconds(1)

  private let queue: WebhookQueue
  private let client: HTTPClient
  private let logger: Logger
  private let state = Mutex(State())

  private struct State {
    var turns = WebhookTurns()
    var isStopped = false
    var delivered = 0
  }

  /// A round for the copy of `app`.
  public init(app: App, logger: Logger) {
    queue = app.webhooks
    self.logger = logger
    client = HTTPClient(
      limits: Self.limits, userAgent: "FastLinkIt/\(App.version)",
      addressGuard: AddressGuard(allowing: app.settings.webhookAllow), mostIdle: WebhookTurns.threads)
  }

  /// Delivers until nothing is due, and begins nothing when `isStopping` answers true; what is under way then is ended,
  /// which takes 15 seconds at most. Answers how many deliveries were taken; what is not done stays for the next round.
  /// For a thread of its own.
  public func run(until isStopping: () -> Bool) -> Int {
    let threads = DispatchGroup()
    do {
      try deliver(threads, until: isStopping)
    } catch {
      logger.warning("webhooks wait", metadata: ["error": "\(error.loggable)"])
    }
    stop()
    threads.wait()
    return state.withLock { $0.delivered }
  }

  private func deliver(_ threads: DispatchGroup, until isStopping: () -> Bool) throws {
    var isStarted = false
    while !isStopping() {
      // Where nothing was in hand before it was asked, nothing that is due can have been missed.
      let wasIdle = isIdle
      let due = try queue.turns(at: .now)
      if due.isEmpty && wasIdle { return }
      guard HTTPClient.isAvailable else {
        logger.error("webhooks wait: libcurl is not installed, or can't be loaded (libcurl.so.4)")
        return
      }
      state.withLock { $0.turns.refresh(due) }
      if !isStarted {
        isStarted = true
        for _ in 0..<WebhookTurns.threads { start(in: threads) }
      }
      rest(until: .now + Self.refresh, isStopping)
    }
  }

  private var isIdle: Bool { state.withLock { $0.turns.isEmpty && $0.turns.inHand == 0 } }

  private func stop() {
    state.withLock { state in
      state.isStopped = true
      state.turns.stop()
    }
  }

  /// Rests until `end`, or until there is nothing more to do of what is known.
  private func rest(until end: ContinuousClock.Instant, _ isStopping: () -> Bool) {
    repeat { usleep(50_000) } while ContinuousClock.now < end && !isIdle && !isStopping()
  }

  private func start(in threads: DispatchGroup) {
    threads.enter()
    let thread = Thread { [self] in
      work()
      threads.leave()
    }
    thread.stackSize = 2 << 20
    thread.start()
  }

  private func work() {
    while true {
      let (isStopped, turn) = state.withLock { ($0.isStopped, $0.turns.next()) }
      if let turn {
        let isGoingOn = attempt(turn)
        state.withLock { $0.turns.end(turn, isGoingOn: isGoingOn) }
      } else if isStopped {
        return
      } else {
        usleep(20_000)
      }
    }
  }

  /// Makes one attempt for an endpoint; false where there is no other to be made at once.
  private func attempt(_ turn: WebhookQueue.Turn) -> Bool {
    do {
      guard let attempt = try queue.claim(for: turn.endpoint, at: .now) else { return false }
      let outcome = send(attempt)
      try queue.settle(attempt, outcome, at: .now, jitter: .random(in: 0...1))
      if outcome.isSuccess { state.withLock { $0.delivered += 1 } }
      return outcome.isSuccess && !outcome.isSlow
    } catch {
      logger.warning(
        "a webhook's delivery is tried again later",
        metadata: ["endpoint": "\(turn.endpoint)", "error": "\(error.loggable)"])
      return false
    }
  }

  private func send(_ attempt: WebhookAttempt) -> WebhookOutcome {
    guard let address = attempt.address else { return WebhookOutcome(failure: "The address is none.") }
    guard let headers = attempt.headers(at: .now) else {
      return WebhookOutcome(failure: "The secret can't be opened any more: rotate it.")
    }
    let start = ContinuousClock.now
    do throws(HTTPClient.Failure) {
      let reply = try client.post(address, headers: headers, body: attempt.body)
      let wait = reply.status == 429 || reply.status == 503 ? reply.retryAfterSeconds : nil
      return WebhookOutcome(
        statusCode: reply.status, response: reply.body, retryAfter: wait.map { .seconds($0) },
        duration: .now - start)
    } catch {
      return WebhookOutcome(failure: Self.words(error), duration: .now - start)
    }
  }

  private static func words(_ failure: HTTPClient.Failure) -> String {
    switch failure {
    case .badAddress: "The address is none."
    case .badHeader: "A header field is not allowed."
    case .unreachable: "The host is not known, or takes no connection."
    case .forbiddenAddress:
      "The host has no public address: private, loopback and link-local ones are refused, and this server's own but for the ports 80 and 443."
    case .timeout: "There was no answer within 15 seconds."
    case .tooLarge: "The answer is too large."
    case .untrusted:
      "The host's certificate does not hold: it has expired, is for another name, or is of an unknown authority."
    case .broken(let code): "The connection broke, or is no HTTP (\(code))."
    }
  }
}
