import FLCrypto
public import FLMariaDB
public import FLValues
import Synchronization

/// The salts of the visitor digests: a random one for each UTC day, shared by all processes through the
/// database and deleted after two days, so that nobody can compute a digest again.
///
/// A redirect never waits for one. `refresh` fetches the salts of today and tomorrow ahead; a process that has
/// none for the day (it started, or lived on for a whole day, while the database was away) digests with a key
/// of its own until it has: the same visitor is then counted once more for each such process at most, and
/// nobody's digest becomes computable.
public final class ClickSalts: Sendable {
  private static let dayLength: Int64 = 86_400

  private let known = Mutex<[Timestamp: [UInt8]]>([:])
  private let interim = SecureRandom.bytes(32)

  /// No salts yet.
  public init() {}

  /// The digest of a visitor on a link on the day of `at`: 64 bits of HMAC-SHA-256 over link, address and
  /// User-Agent under the day's salt. About a microsecond.
  public func visitor(
    linkID: LinkID, address: String, userAgent: String, at: Timestamp
  ) -> UInt64 {
    let day = at.roundedDown(toSeconds: Self.dayLength)
    let salt = known.withLock { $0[day] } ?? HMACSHA256.code(Array(day.description.utf8), key: interim)
    var message = linkID.bytes
    message.append(contentsOf: address.utf8.prefix(64))
    message.append(0)
    message.append(contentsOf: userAgent.utf8.prefix(ClickLimits.userAgent))
    return HMACSHA256.code(message, key: salt).prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// Whether the salt of the day of `time` is there.
  public func isReady(for time: Timestamp) -> Bool {
    known.withLock { $0[time.roundedDown(toSeconds: Self.dayLength)] != nil }
  }

  /// Fetches the salts of today and tomorrow, makes those that no process has made yet, and forgets the older
  /// ones. Does nothing while both are known. Throws `DatabaseError`.
  public func refresh(_ database: some Queries, now: Timestamp = .now) throws {
    let today = now.roundedDown(toSeconds: Self.dayLength)
    let tomorrow = today + .seconds(Self.dayLength)
    let isComplete = known.withLock { $0[today] != nil && $0[tomorrow] != nil }
    if isComplete { return }
    var salts = try ClickLoading.salts(of: [today, tomorrow], on: database)
    if salts.count < 2 {
      try ClickLoading.makeSalts(
        [(today, SecureRandom.bytes(32)), (tomorrow, SecureRandom.bytes(32))], on: database)
      salts = try ClickLoading.salts(of: [today, tomorrow], on: database)
    }
    // Yesterday's stays for a request that began before midnight.
    let yesterday = today - .seconds(Self.dayLength)
    known.withLock { known in
      known = known.filter { $0.key >= yesterday }.merging(salts) { _, new in new }
    }
  }
}
