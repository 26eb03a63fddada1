import FLCrypto
public import FLMariaDB
public import FLValues
import Synchronization

/// The salts of the visitor digests and of the sealed addresses: a random one for each UTC day, shared by all
/// processes through the database and deleted after two days, so that nobody can compute a digest again or open an
/// address.
///
/// A redirect never waits for one. `refresh` fetches the salts of today and tomorrow ahead; a process that has
/// none for the day (it started, or lived on for a whole day, while the database was away) digests with a key
/// of its own until it has: the same visitor is then counted once more for each such process at most, and
/// nobody's digest becomes computable. An address is not kept then, since no loader could open it.
public final class ClickSalts: Sendable {
  private static let dayLength: Int64 = 86_400

  private struct Day {
    let salt: [UInt8]
    let addressKey: [UInt8]
  }

  private let known = Mutex<[Timestamp: Day]>([:])
  private let interim = SecureRandom.bytes(32)

  /// No salts yet.
  public init() {}

  /// The digest of a visitor on a link on the day of `at`: 64 bits of HMAC-SHA-256 over link, address and
  /// User-Agent under the day's salt. About a microsecond.
  public func visitor(
    linkID: LinkID, address: String, userAgent: String, at: Timestamp
  ) -> UInt64 {
    let day = at.roundedDown(toSeconds: Self.dayLength)
    let salt = known.withLock { $0[day]?.salt } ?? HMACSHA256.code(Array(day.description.utf8), key: interim)
    var message = linkID.bytes
    message.append(contentsOf: address.utf8.prefix(64))
    message.append(0)
    message.append(contentsOf: userAgent.utf8.prefix(ClickLimits.userAgent))
    return HMACSHA256.code(message, key: salt).prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
  }

  /// The client's address for the spool; nil where it is none, or the day's salt is not known. About a microsecond.
  public func sealed(_ address: String, of click: ID<Click>, at: Timestamp) -> SealedAddress? {
    let day = at.roundedDown(toSeconds: Self.dayLength)
    guard let key = known.withLock({ $0[day]?.addressKey }) else { return nil }
    return SealedAddress(address, of: click, key: key)
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
    // Yesterday's stays for a request that began before midnight; older ones go, though the database be away.
    let yesterday = today - .seconds(Self.dayLength)
    let isComplete = known.withLock { known in
      if known.keys.contains(where: { $0 < yesterday }) { known = known.filter { $0.key >= yesterday } }
      return known[today] != nil && known[tomorrow] != nil
    }
    if isComplete { return }
    var salts = try ClickLoading.salts(of: [today, tomorrow], on: database)
    if salts.count < 2 {
      try ClickLoading.makeSalts(
        [(today, SecureRandom.bytes(32)), (tomorrow, SecureRandom.bytes(32))], on: database)
      salts = try ClickLoading.salts(of: [today, tomorrow], on: database)
    }
    let days = salts.mapValues { Day(salt: $0, addressKey: SealedAddress.key(salt: $0)) }
    known.withLock { $0.merge(days) { _, new in new } }
  }
}
