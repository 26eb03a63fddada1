public import FLMariaDB
import FLValues
import Foundation
import Glibc
public import Logging
import Synchronization

/// Puts the clicks of spool files into the database: each exactly once, whatever is killed when.
///
/// A batch of records is one transaction, in which the file's position moves on with the rows. Files whose
/// process is dead are adopted, loaded to their end and removed.
public final class ClickLoader: Sendable {
  /// How a loader shares the machine with the redirects.
  public struct Pace: Sendable {
    /// Records in a transaction at most. The clicks of a link in a quarter of an hour are summed up before they
    /// are added, so that a backlog is loaded the faster the larger this is, and is held in memory.
    public var batch = 8000
    /// How long it rests when there is nothing to load.
    public var idle = Duration.milliseconds(500)
    /// The least it rests between two batches while there is a backlog.
    public var leastRest = Duration.milliseconds(50)
    /// How many times the duration of the last batch it rests while there is a backlog.
    public var restFactor = 3.0
    /// How often it looks for the files of dead processes.
    public var lookAround = Duration.seconds(5)
    /// How long it looks for the places of the clicks of a batch; what is left then has none.
    public var placing = Duration.seconds(5)
    /// The longest it waits before it tries a database again that is away.
    public var longestBackOff = Duration.seconds(30)

    /// The pace for a process that answers requests.
    public init() {}
  }

  /// Tells where an address is: the country (ISO 3166-1 alpha-2) and the city. What is neither known nor looks
  /// like one counts as nil, and so does an error.
  public typealias Locate = @Sendable (_ address: String) throws -> (country: String?, city: String?)

  let directory: String
  private let spool: ClickSpool?
  private let database: Database
  private let salts: ClickSalts?
  private let locate: Locate?
  private let news: ClickNews?
  private let pace: Pace
  private let distinctValues = DistinctValues()
  private let logger: Logger
  private let loaded = Atomic<Int>(0)
  private let refused = Atomic<Int>(0)
  private let torn = Atomic<Int>(0)

  /// A loader of the spools in `directory`. `spool` is what this process itself appends to, if it does, and
  /// `salts` is kept supplied on the way. Without `locate` no sealed address is opened,
  /// without `news` no webhook told.
  public init(
    directory: String, spool: ClickSpool?, database: Database, salts: ClickSalts? = nil,
    locate: Locate? = nil, news: ClickNews? = nil, pace: Pace = Pace(), logger: Logger
  ) {
    (self.directory, self.spool, self.database, self.salts) = (directory, spool, database, salts)
    (self.locate, self.news, self.pace, self.logger) = (locate, news, pace, logger)
  }

  /// How many clicks this loader has put into the database.
  public var loadedClicks: Int { loaded.load(ordering: .relaxed) }
  /// How many clicks the database refused and were left out; each is in the log.
  public var refusedClicks: Int { refused.load(ordering: .relaxed) }
  /// How many times bytes of a spool were passed over that are no record.
  public var tornRecords: Int { torn.load(ordering: .relaxed) }

  /// Loads until `isStopping` (asked ten times a second), and then for five seconds at most what is left; what
  /// remains after that is adopted by the next process. Runs on the calling thread, at a lower priority.
  public func run(until isStopping: () -> Bool) {
    // On Linux this is about the calling thread alone.
    _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10)
    let clock = ContinuousClock()
    var own: LoadingSpool?
    var adopted: LoadingSpool?
    var nextLook = clock.now
    var failures = 0
    while !isStopping() {
      do {
        let start = clock.now
        try salts?.refresh(database)
        let change = try ownFile(&own)
        if adopted == nil, change || clock.now >= nextLook {
          adopted = adoptNext()
          if adopted == nil { nextLook = clock.now + pace.lookAround }
        }
        var hasBacklog = false
        if let own { hasBacklog = try !loadBatch(own) }
        if let spool = adopted {
          if try loadBatch(spool) {
            try end(spool)
            adopted = nil
            nextLook = clock.now
          }
          hasBacklog = true
        }
        spool?.reportLosses()
        failures = 0
        rest(hasBacklog ? max(pace.leastRest, (clock.now - start) * pace.restFactor) : pace.idle, isStopping)
      } catch {
        adopted = nil
        failures += 1
        if failures.isMultiple(of: 10) || failures == 1 {
          logger.warning(
            "clicks wait in the spool", metadata: ["error": "\(error.loggable)", "attempt": "\(failures)"])
        }
        rest(min(pace.longestBackOff, .milliseconds(250) * (1 << min(failures, 8))), isStopping)
      }
    }
    own = nil
    adopted = nil
    do {
      try drainOnce(within: .seconds(5))
    } catch {
      logger.warning("clicks are left in the spool", metadata: ["error": "\(error.loggable)"])
    }
  }

  /// Loads what can be had now, this process's file (which is finished by this) and those of dead processes,
  /// and answers how many clicks that were. For a process of plain CGI, after its answer. Throws
  /// `DatabaseError` and `ClickSpoolError`; what was not loaded stays for the next time.
  @discardableResult
  public func drainOnce(within limit: Duration) throws -> Int {
    spool?.finish()
    spool?.reportLosses()
    let deadline = ContinuousClock.now + limit
    let before = loadedClicks
    while ContinuousClock.now < deadline, let spool = adoptNext() {
      while ContinuousClock.now < deadline {
        guard try loadBatch(spool) else { continue }
        try end(spool)
        break
      }
    }
    return loadedClicks - before
  }

  private func rest(_ duration: Duration, _ isStopping: () -> Bool) {
    let end = ContinuousClock.now + duration
    while !isStopping() {
      let left = (end - ContinuousClock.now).wholeMicroseconds
      guard left > 0 else { return }
      usleep(UInt32(min(left, 100_000)))
    }
  }

  // MARK: Files

  /// Sets `own` to the file that this process appends to; true when that is another one than before.
  private func ownFile(_ own: inout LoadingSpool?) throws -> Bool {
    guard let file = spool?.currentFile else {
      defer { own = nil }
      return own != nil
    }
    if own?.reader.id == file.id { return false }
    guard let reader = try SpoolReader(directory: directory, id: file.id) else {
      logger.error("the spool file of this process was removed", metadata: ["file": "\(file.path)"])
      spool?.finish()
      own = nil
      return true
    }
    own = LoadingSpool(reader, isGrowing: true)
    return true
  }

  /// Takes over the oldest file whose process is dead. Files that were loaded and not yet removed are removed on
  /// the way. What cannot be read is told and passed over.
  private func adoptNext() -> LoadingSpool? {
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
    } catch {
      logger.error("the spool directory cannot be read", metadata: ["error": "\(error.loggable)"])
      return nil
    }
    for name in names {
      do {
        if name.hasSuffix(SpoolFile.doneSuffix), let id = ID<SpoolFile>(String(name.dropLast(5))),
          !skipped.withLock({ $0.contains(id) })
        {
          if let reader = try SpoolReader(directory: directory, id: id, suffix: SpoolFile.doneSuffix),
            reader.adopt()
          {
            try end(LoadingSpool(reader, isGrowing: false))
          }
        } else if name.hasSuffix(SpoolFile.suffix), let id = ID<SpoolFile>(String(name.dropLast(6))),
          id != spool?.currentFile?.id, !skipped.withLock({ $0.contains(id) }),
          let reader = try SpoolReader(directory: directory, id: id), reader.adopt()
        {
          return LoadingSpool(reader, isGrowing: false)
        }
      } catch {
        logger.error(
          "a spool file was passed over", metadata: ["file": "\(name)", "error": "\(error.loggable)"])
      }
    }
    return nil
  }

  /// Files of a later version of this program, or that cannot be read or removed.
  private let skipped = Mutex<Set<ID<SpoolFile>>>([])

  private func end(_ spool: LoadingSpool) throws {
    let isSkipped = skipped.withLock { $0.contains(spool.reader.id) }
    if isSkipped { return }
    do {
      try spool.reader.end(directory: directory) { try ClickLoading.forget(spool.reader.id, on: database) }
    } catch let error as ClickSpoolError {
      // It is loaded, and its position known, so it may stay: it must not hold up the others.
      logger.error(
        "a loaded spool cannot be removed",
        metadata: ["spool": "\(spool.reader.id)", "error": "\(error.loggable)"])
      skipped.withLock { _ = $0.insert(spool.reader.id) }
    }
  }

  // MARK: Batches

  /// A file and how far it is known to be loaded.
  private final class LoadingSpool {
    let reader: SpoolReader
    let isGrowing: Bool
    /// Nil until it was asked for, and after a failure, when it is not known whether the transaction took hold.
    var position: Int?
    /// Whether the database may have no row for it yet.
    var isNew = true

    init(_ reader: SpoolReader, isGrowing: Bool) {
      (self.reader, self.isGrowing) = (reader, isGrowing)
    }
  }

  /// Somebody else loaded this file meanwhile.
  private struct Moved: Error {}

  /// Loads the next batch of a file. True when nothing more can be read from it now.
  private func loadBatch(_ spool: LoadingSpool) throws -> Bool {
    do {
      let position: Int
      if let known = spool.position {
        position = known
      } else {
        position = try ClickLoading.position(of: spool.reader.id, on: database)
      }
      let batch = try spool.reader.read(from: position, limit: pace.batch, isGrowing: spool.isGrowing)
      spool.position = position
      if !batch.records.isEmpty {
        let clicks = try clicks(of: batch)
        try store(clicks[...], of: spool, to: batch.end)
      }
      if batch.torn > 0 {
        torn.add(batch.torn, ordering: .relaxed)
        logger.warning(
          "a spool holds torn records", metadata: ["spool": "\(spool.reader.id)", "count": "\(batch.torn)"])
      }
      spool.position = batch.end
      if batch.isFromLater {
        logger.error(
          "a spool of a later version is left alone", metadata: ["spool": "\(spool.reader.id)"])
        skipped.withLock { _ = $0.insert(spool.reader.id) }
        return true
      }
      return batch.isAtEnd
    } catch is Moved {
      spool.position = nil
      return false
    } catch {
      spool.position = nil
      if error is ClickSpoolError {
        logger.error(
          "a spool cannot be read", metadata: ["spool": "\(spool.reader.id)", "error": "\(error.loggable)"])
        skipped.withLock { _ = $0.insert(spool.reader.id) }
        return true
      }
      throw error
    }
  }

  /// The clicks of a batch, with their places.
  private func clicks(of batch: SpoolReader.Batch) throws -> [(click: Click, end: Int)] {
    guard let locate else { return batch.records.map { (Click($0.record), $0.end) } }
    var places = try ClickPlaces(
      of: batch.records.map(\.record), by: locate, within: pace.placing, on: database)
    let clicks = batch.records.map { (Click($0.record, from: places.place(of: $0.record)), $0.end) }
    if places.failures + places.late > 0 {
      // Nothing of the error: it may tell the address.
      logger.warning(
        "clicks are loaded without their place",
        metadata: ["failures": "\(places.failures)", "late": "\(places.late)"])
    }
    return clicks
  }

  /// Puts clicks into the database and the position behind them. Where it refuses them they are tried by
  /// halves, until the refused one stands alone and is left out.
  private func store(
    _ clicks: ArraySlice<(click: Click, end: Int)>, of spool: LoadingSpool, to end: Int
  ) throws {
    do {
      try commit(clicks.map(\.click), of: spool, to: end)
      loaded.add(clicks.count, ordering: .relaxed)
    } catch let error as DatabaseError where error.isAboutValues {
      guard clicks.count > 1 else {
        logger.error(
          "the database refuses a click",
          metadata: ["click": "\(clicks.first.map { "\($0.click.id)" } ?? "")", "error": "\(error.loggable)"])
        try commit([], of: spool, to: end)
        refused.add(1, ordering: .relaxed)
        return
      }
      let middle = clicks.startIndex + clicks.count / 2
      try store(clicks[..<middle], of: spool, to: clicks[middle - 1].end)
      try store(clicks[middle...], of: spool, to: end)
    }
  }

  private func commit(_ clicks: [Click], of spool: LoadingSpool, to end: Int) throws {
    let file = spool.reader.id
    let position = spool.position
    let isNew = spool.isNew
    try database.transaction { [news] connection in
      let now = Timestamp.now
      guard try ClickLoading.lockPosition(of: file, isNew: isNew, now: now, on: connection) == position else {
        throw Moved()
      }
      var clicks = clicks
      let uniqueScans = try Self.markUnique(&clicks, on: connection)
      try ClickLoading.insertClicks(clicks, on: connection)
      try news?.tell(of: clicks, on: connection, at: now)
      var tally = ClickTally(clicks, uniqueScans: uniqueScans)
      try ClickLoading.addBuckets(tally, on: connection)
      tally.fold(try distinctValues.surplus(of: tally, on: connection))
      try ClickLoading.addBreakdowns(tally, on: connection)
      try ClickLoading.move(file, to: end, now: now, on: connection)
    }
    spool.position = end
    spool.isNew = false
  }

  /// Notes the visitors of the clicks, and marks each one's first on its link and day. Answers the clicks that were
  /// a visitor's first scan of a QR code on the day, which is another thing: the visitor may have clicked before.
  private static func markUnique(_ clicks: inout [Click], on connection: some Queries) throws -> Set<
    ID<Click>
  > {
    func key<Subject>(_ subject: ID<Subject>, _ click: Click) -> ClickLoading.VisitorKey {
      ClickLoading.VisitorKey(
        day: click.at.roundedDown(toSeconds: BreakdownPeriod.day.length), subject: ID(subject: subject),
        visitor: Int64(bitPattern: click.visitor))
    }
    var keys: Set<ClickLoading.VisitorKey> = []
    for click in clicks where !click.isBot {
      keys.insert(key(click.linkID, click))
      if let code = click.qrCodeID { keys.insert(key(code, click)) }
    }
    var new = try ClickLoading.insertVisitors(keys.sorted(), on: connection)
    var uniqueScans: Set<ID<Click>> = []
    for index in clicks.indices where !clicks[index].isBot {
      let click = clicks[index]
      if new.remove(key(click.linkID, click)) != nil { clicks[index].isUnique = true }
      if let code = click.qrCodeID, new.remove(key(code, click)) != nil { uniqueScans.insert(click.id) }
    }
    return uniqueScans
  }
}

extension DatabaseError {
  /// Whether a value was refused, so that the statement will fail each time it is tried.
  fileprivate var isAboutValues: Bool {
    switch self {
    case .duplicate, .foreignKey, .check, .tooLong, .conversion: true
    case .failed(_, let state, _): state.hasPrefix("22")
    case .unavailable, .exhausted, .conflict: false
    }
  }
}
