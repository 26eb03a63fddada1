import FLValues
import Synchronization

/// The links that this process was asked for lately.
///
/// An entry holds while its code's generation does, and for `lifetime` at most: that is how long another host's
/// change may take to be seen here.
struct RedirectCache: Sendable {
  /// How long an entry holds without another look at the database.
  static let lifetime = Duration.seconds(30)
  /// How long a process goes on with what it has before it tries a database again that is away.
  static let patience = Duration.seconds(5)
  private static let shardCount = 16
  /// What a shard may hold, in estimated bytes: 24 MiB in a process.
  private static let shardCapacity = 3 << 19

  struct Entry {
    let target: RedirectTarget
    let generation: UInt64
    let freshUntil: Timestamp
  }

  private final class Absence: Sendable {
    let until = Atomic<Int64>(.min)
  }

  private struct Entries {
    var byCode: [ShortCode: Entry] = [:]
    var bytes = 0

    subscript(code: ShortCode) -> Entry? {
      get { byCode[code] }
      set {
        bytes += (newValue?.target.cost ?? 0) - (byCode[code]?.target.cost ?? 0)
        byCode[code] = newValue
      }
    }
  }

  private final class Shard: Sendable {
    let entries = Mutex(Entries())
  }

  private let absence = Absence()
  private let shards = (0..<shardCount).map { _ in Shard() }

  private func shard(_ code: ShortCode) -> Shard {
    shards[Int(truncatingIfNeeded: spread(code.text.utf8) >> 32) & (Self.shardCount - 1)]
  }

  /// To be called when the database could not be asked: to find that out again for each link would hold the
  /// workers for as long as connecting may take.
  func databaseIsAway(at now: Timestamp) {
    absence.until.store((now + Self.patience).microseconds, ordering: .relaxed)
  }

  /// Whether what is here counts, fresh or not, because the database could not be asked a moment ago.
  func isDatabaseAway(at now: Timestamp) -> Bool {
    now.microseconds < absence.until.load(ordering: .relaxed)
  }

  subscript(code: ShortCode) -> Entry? { shard(code).entries.withLock { $0[code] } }

  /// Keeps an entry; a full shard loses half of what it has.
  func keep(_ entry: Entry, for code: ShortCode) {
    shard(code).entries.withLock { entries in
      entries[code] = entry
      guard entries.bytes > Self.shardCapacity else { return }
      for old in Array(entries.byCode.keys.prefix(entries.byCode.count / 2)) where old != code {
        entries[old] = nil
      }
    }
  }

  func remove(_ code: ShortCode) { shard(code).entries.withLock { $0[code] = nil } }
}
