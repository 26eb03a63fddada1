import FLValues
public import Logging
import Synchronization

/// All databases of a directory, for all threads of the process: what they know is merged, and files that are
/// replaced, added or taken away are noticed by `look()`.
///
/// A look-up holds no lock: it takes the databases of the moment, which stay open until it is done with them.
public final class GeoDatabases: Sendable {
  /// What became of one file.
  public struct Report: Sendable {
    /// The file's name.
    public let name: String
    /// The database in use under this name; nil without a good one.
    public let database: GeoDatabase?
    /// What is wrong with the file; nil where nothing is.
    public let problem: String?
  }

  /// What is known, and by which databases.
  public struct Finding: Sendable {
    /// What is known.
    public var record = GeoRecord()
    /// The types of the databases that knew something, in their order.
    public var sources: [String] = []
  }

  /// The most files that are looked at.
  public static let mostFiles = 32

  private final class Snapshot: Sendable {
    let databases: [GeoDatabase]
    let reports: [Report]
    let generation: Int64

    init(_ databases: [GeoDatabase], _ reports: [Report], _ generation: Int64) {
      (self.databases, self.reports, self.generation) = (databases, reports, generation)
    }
  }

  /// What the looks at the directory remember of a file.
  private struct Known {
    var seen: DatabaseCopies.Version
    var used: DatabaseCopies.Version?
    var database: GeoDatabase?
    var problem: String?
    /// When the same version is to be tried again, where what failed may pass.
    var retryAt: ContinuousClock.Instant?
  }

  private struct Looking {
    var files: [String: Known] = [:]
    var hasLooked = false
  }

  /// The operator's directory; nil where none is set.
  public let directory: String?
  private let copies: DatabaseCopies
  private let logger: Logger
  private let retryAfter: Duration
  private let looking = Mutex(Looking())
  private let current = Mutex(Snapshot([], [], 0))
  private let isReady = Atomic<Bool>(false)

  /// The databases of `directory`; their copies go into `copies`, a directory of the program's own. What could not be
  /// copied is tried again after `retryAfter`.
  public init(
    directory: String?, copies: String, logger: Logger, retryAfter: Duration = .seconds(60)
  ) {
    self.retryAfter = retryAfter
    self.directory = directory
    self.copies = DatabaseCopies(directory: copies)
    self.logger = logger
  }

  private var snapshot: Snapshot {
    if !isReady.load(ordering: .acquiring) { look() }
    return current.withLock { $0 }
  }

  /// What is wrong with the directory as a whole; nil where nothing is.
  public var problem: String? {
    guard let directory else { return "FL_GEOIP_DIR is not set" }
    let reports = reports
    if reports.isEmpty { return "there is no .mmdb file in \(directory)" }
    return reports.contains { $0.database != nil } ? nil : "no .mmdb file in \(directory) can be used"
  }

  /// What became of each file, by name.
  public var reports: [Report] { snapshot.reports }
  /// Whether there is any database.
  public var isEmpty: Bool { snapshot.databases.isEmpty }
  /// A number that changes with the databases in use, the same in every process that uses the same.
  public var generation: Int64 { snapshot.generation }

  /// What the databases know of an address, looked up by its `located`.
  public func find(_ address: IPAddress) -> Finding {
    let address = address.located
    var finding = Finding()
    for database in snapshot.databases {
      guard let record = database.record(of: address) else { continue }
      if finding.sources.isEmpty { finding.record = record } else { finding.record.fill(from: record) }
      if !finding.sources.contains(database.type) { finding.sources.append(database.type) }
    }
    return finding
  }

  /// The code of the country and the city of an address; both nil for what is no address, is reserved or unknown.
  public func place(of address: String) -> (country: String?, city: String?) {
    guard let address = IPAddress(address), !address.isReserved else { return (nil, nil) }
    let record = find(address).record
    return (record.countryCode, record.city)
  }

  /// Looks at the directory, and takes up what has changed. Cheap where nothing has.
  ///
  /// Beyond the first look a file is taken when two looks find it unchanged, so that none is read while it is written.
  public func look() {
    looking.withLock { looking in
      let isFirst = !looking.hasLooked
      looking.hasLooked = true
      defer { isReady.store(true, ordering: .releasing) }
      guard let directory else { return }
      let all = DatabaseFolder.names(in: directory).filter { $0.hasSuffix(".mmdb") && !$0.hasPrefix(".") }
      if isFirst && all.count > Self.mostFiles {
        logger.warning(
          "too many GeoIP databases", metadata: ["used": "\(Self.mostFiles)", "found": "\(all.count)"])
      }
      var versions: [String: DatabaseCopies.Version] = [:]
      for name in all.prefix(Self.mostFiles) {
        versions[name] = DatabaseCopies.version(of: "\(directory)/\(name)")
      }
      var hasChanged = isFirst
      for name in looking.files.keys where versions[name] == nil {
        looking.files[name] = nil
        hasChanged = true
      }
      for (name, version) in versions
      where take(name, version, isFirst: isFirst, in: directory, &looking.files) {
        hasChanged = true
      }
      guard hasChanged else { return }
      copies.keep(only: Set(versions.keys))
      publish(looking.files)
    }
  }

  /// Takes up one file; true where something has changed.
  private func take(
    _ name: String, _ version: DatabaseCopies.Version, isFirst: Bool, in directory: String,
    _ files: inout [String: Known]
  ) -> Bool {
    let known = files[name]
    if let known, known.used == version {
      guard let retryAt = known.retryAt, retryAt <= .now else { return false }
    }
    guard isFirst || known?.seen == version else {
      files[name] = Known(
        seen: version, used: known?.used, database: known?.database, problem: known?.problem)
      return false
    }
    var new = Known(seen: version, used: version, database: known?.database, problem: nil)
    do {
      new.database = try copies.open("\(directory)/\(name)", name: name, version)
    } catch {
      let error = error as? GeoDatabaseError
      let problem = error?.description ?? "it can't be used"
      if error?.isPassing == true { new.retryAt = .now + retryAfter }
      new.database = known?.database ?? copies.last(of: name)
      new.problem = problem + (new.database == nil ? "" : "; its last good version is in use")
      logger.warning("a GeoIP database can't be used", metadata: ["file": "\(name)", "reason": "\(problem)"])
    }
    files[name] = new
    return true
  }

  private func publish(_ files: [String: Known]) {
    let databases = files.values.compactMap(\.database).sorted { $0.precedes($1) }
    let reports = files.filter { $0.value.used != nil }.sorted { $0.key < $1.key }.map {
      Report(name: $0.key, database: $0.value.database, problem: $0.value.problem)
    }
    // FNV-1a, which is the same in every process.
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for database in databases {
      for byte in "\(database.name) \(database.type) \(database.size) \(database.builtAt.seconds);".utf8 {
        hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3
      }
    }
    let snapshot = Snapshot(databases, reports, Int64(bitPattern: hash))
    current.withLock { $0 = snapshot }
    if !databases.isEmpty {
      logger.info(
        "GeoIP databases in use", metadata: ["files": "\(databases.map(\.name).joined(separator: ", "))"])
    }
  }
}
