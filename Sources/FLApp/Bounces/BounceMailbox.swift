import FLMail
import FLMariaDB
import FLTransfer
public import FLValues
public import Logging

/// The mailbox that bounces come to where no mail server hands them over.
///
/// Over all hosts one sender at a time looks into it, once a minute. What was read is deleted, whatever it was: the
/// mailbox is for nothing else. What the database could not take stays for the next time.
public struct BounceMailbox: Sendable {
  /// The most messages of one round.
  static let most = 200
  /// How often a round begins.
  static let interval = Duration.seconds(60)
  /// The longest round.
  public static let longest = Duration.seconds(300)
  /// How long a round of a process that died holds up the next.
  static let lease = Duration.seconds(900)
  /// The round's name in the database.
  static let round = "bounces"

  private let database: Database
  private let bounces: BounceService
  private let server: MailboxServer?
  private let logger: Logger

  /// The mailbox of the copy of `app`.
  public init(app: App, logger: Logger) {
    database = app.database
    bounces = BounceService(database: app.database, settings: app.settings)
    server = app.settings.bounceMailbox
    self.logger = logger
  }

  /// Reads what is in the mailbox, if there is one and it is time, until `isOver` and for at most `limit`, also of a
  /// server that does not answer; answers how many bounces and complaints changed something. A mailbox that can't be
  /// reached is logged, and is no error.
  /// - Throws: `DatabaseError` where the database is away.
  public func run(
    until isOver: @escaping () -> Bool, within limit: Duration = longest, at now: Timestamp = .now
  ) throws -> Int {
    let limit = min(limit, Self.longest)
    guard let server, !isOver(), limit > .seconds(1) else { return 0 }
    let rounds = Rounds(queries: database)
    guard try rounds.begin(Self.round, for: Self.lease, at: now) else { return 0 }
    // Where even that fails, the lease ends by itself.
    defer { try? rounds.end(Self.round, nextAt: now + Self.interval) }
    var changed = 0
    var unavailable: (any Error)?
    let reader = MailboxReader(
      server,
      limits: .init(
        totalMilliseconds: Int(limit / .milliseconds(1)), messages: Self.most,
        messageBytes: ReceivedMessage.largest))
    do {
      _ = try reader.read(until: isOver) { message in
        guard !isOver() else { return .stop }
        switch take(message) {
        case .success(let result):
          if result.hasChanged { changed += 1 }
          return .delete
        case .failure(let error):
          let verdict = Self.verdict(error)
          if case .stop = verdict { unavailable = error }
          return verdict
        }
      }
    } catch {
      logger.warning(
        "the bounce mailbox can't be read", metadata: ["mailbox": "\(server)", "reason": "\(error)"])
    }
    if let unavailable { throw unavailable }
    return changed
  }

  /// Does what one message asks for, and logs it.
  func take(_ message: [UInt8]) -> Result<BounceResult, any Error> {
    do {
      let result = try bounces.receive(message, BounceService.Envelope(), at: .now)
      logger.info("bounce", metadata: ["result": "\(result)"])
      return .success(result)
    } catch {
      logger.error("a bounce is left in its mailbox", metadata: ["error": "\(error.loggable)"])
      return .failure(error)
    }
  }

  /// What is to become of a message that could not be handled. Without the database nothing more is tried now. What nobody
  /// expected may be this message's fault or not: it is tried again, and holds up no other.
  static func verdict(_ error: any Error) -> MailboxReader.Verdict {
    switch error as? DatabaseError {
    case .unavailable, .exhausted, .conflict: .stop
    case .tooLong, .check, .conversion: .keep
    default: .later
    }
  }
}
