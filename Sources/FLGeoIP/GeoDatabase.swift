import CMaxMindDB
public import FLValues
import Glibc
import Synchronization

/// Why a file can't be used as a database.
public struct GeoDatabaseError: Error, CustomStringConvertible {
  /// One sentence for the operator.
  public let description: String
  /// Whether it is not the file's own fault, so that the same file may do later.
  let isPassing: Bool

  init(description: String, isPassing: Bool = false) {
    (self.description, self.isPassing) = (description, isPassing)
  }
}

/// One open database, a file in MaxMind's format; closed when nobody uses it any more.
@safe public final class GeoDatabase: Sendable {
  /// What a database is about, the most specific first.
  public enum Kind: String, Sendable, CaseIterable {
    case enterprise, city, country, isp, asn, domain, connectionType, anonymous, other

    /// The kind that a database's type tells, such as `GeoLite2-City` or `DBIP-ASN-Lite`; `other` where it tells none,
    /// as with flat ones: its records tell then.
    public init(type: String) {
      let type = type.lowercased()
      func has(_ words: String...) -> Bool { words.contains { type.contains($0) } }
      self =
        if has("enterprise") { .enterprise } else if has("anonymous", "privacy", "proxy") {
          .anonymous
        } else if has(
          "connection-type", "connection_type")
        { .connectionType } else if has("location-isp", "city") { .city } else if has("country") {
          .country
        } else if has("isp") { .isp } else if has("asn") { .asn } else if has("domain") { .domain } else {
          .other
        }
    }

    fileprivate var rank: Int { Self.allCases.firstIndex(of: self) ?? Self.allCases.count }
  }

  /// The file's name in the operator's directory.
  public let name: String
  /// Its type, as its maker calls it.
  public let type: String
  /// What it is about.
  public let kind: Kind
  /// What its maker says of it, in English.
  public let about: String?
  /// When it was made.
  public let builtAt: Timestamp
  /// Its size in bytes.
  public let size: Int
  /// 4, or 6 for both.
  public let ipVersion: Int

  private nonisolated(unsafe) let handle: UnsafeMutablePointer<MMDB_s>
  /// What was read lately, by its place in the file: very many networks share a record.
  private let known = Mutex<[UInt32: GeoRecord]>([:])
  private static let mostKnown = 8192
  private let damaged = Atomic<Int>(0)

  /// How often something was read that is not as the format has it.
  public var damage: Int { damaged.load(ordering: .relaxed) }

  /// Opens the file at `path`, which nobody may change as long as it is open (it is mapped).
  /// - Throws: `GeoDatabaseError`.
  public init(path: String, name: String) throws {
    let metadata = try Metadata(path: path)
    let handle = UnsafeMutablePointer<MMDB_s>.allocate(capacity: 1)
    let status = unsafe MMDB_open(path, UInt32(MMDB_MODE_MMAP), handle)
    guard status == MMDB_SUCCESS else {
      unsafe handle.deallocate()
      let words = unsafe MMDB_strerror(status).map { unsafe String(cString: $0) } ?? "it can't be opened"
      throw GeoDatabaseError(description: words)
    }
    unsafe self.handle = unsafe handle
    self.name = name
    type = metadata.type
    kind = Kind(type: metadata.type)
    about = metadata.about
    builtAt = Timestamp(seconds: Int64(clamping: min(metadata.buildEpoch, 253_402_300_799)))
    size = unsafe Int(handle.pointee.file_size)
    ipVersion = unsafe Int(handle.pointee.metadata.ip_version)
  }

  deinit {
    unsafe MMDB_close(handle)
    unsafe handle.deallocate()
  }

  /// Whether this one goes before `other` where both know something.
  func precedes(_ other: GeoDatabase) -> Bool {
    if kind != other.kind { return kind.rank < other.kind.rank }
    if builtAt != other.builtAt { return builtAt > other.builtAt }
    return name < other.name
  }

  /// What the file has on an address; nil without any. Damage is counted, and answers nil.
  func record(of address: IPAddress) -> GeoRecord? {
    guard let offset = offset(of: address) else { return nil }
    if let record = known.withLock({ $0[offset] }) { return record.isEmpty ? nil : record }
    let section = unsafe DataSection(
      handle.pointee.data_section, count: Int(handle.pointee.data_section_size))
    var record = GeoRecord()
    do {
      record = try RecordReader.read(section, at: Int(offset))
    } catch {
      damaged.add(1, ordering: .relaxed)
    }
    known.withLock { known in
      if known.count >= Self.mostKnown { known.removeAll(keepingCapacity: true) }
      known[offset] = record
    }
    return record.isEmpty ? nil : record
  }

  private func offset(of address: IPAddress) -> UInt32? {
    guard address.isIPv4 || ipVersion == 6 else { return nil }
    var failure: Int32 = 0
    let result: MMDB_lookup_result_s
    if address.isIPv4 {
      var place = sockaddr_in()
      place.sin_family = sa_family_t(AF_INET)
      place.sin_addr.s_addr = UInt32(address.low).bigEndian
      unsafe result = unsafe withUnsafePointer(to: &place) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          unsafe MMDB_lookup_sockaddr(handle, $0, &failure)
        }
      }
    } else {
      var place = sockaddr_in6()
      place.sin6_family = sa_family_t(AF_INET6)
      unsafe withUnsafeMutableBytes(of: &place.sin6_addr) { bytes in
        unsafe bytes.storeBytes(of: address.high.bigEndian, as: UInt64.self)
        unsafe bytes.storeBytes(of: address.low.bigEndian, toByteOffset: 8, as: UInt64.self)
      }
      unsafe result = unsafe withUnsafePointer(to: &place) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          unsafe MMDB_lookup_sockaddr(handle, $0, &failure)
        }
      }
    }
    guard failure == MMDB_SUCCESS else {
      damaged.add(1, ordering: .relaxed)
      return nil
    }
    return unsafe result.found_entry ? unsafe result.entry.offset : nil
  }
}

/// What a database says of itself, read before libmaxminddb does: it would go as deep as a file makes it.
private struct Metadata {
  var type = ""
  var about: String?
  var buildEpoch: UInt64 = 0
  private var nodes: UInt64 = 0
  private var recordBits: UInt64 = 0

  private static let marker: [UInt8] = [0xAB, 0xCD, 0xEF] + Array("MaxMind.com".utf8)
  /// The format's limit of the metadata.
  private static let mostBytes = 131_072

  init(path: String) throws {
    let (bytes, size) = try Self.tail(of: path)
    guard let start = Self.lastMarker(in: bytes) else {
      throw GeoDatabaseError(description: "it is no MaxMind database, or not whole: it has no metadata")
    }
    let metadata = Array(bytes[start...])
    do {
      try unsafe metadata.withUnsafeBufferPointer { buffer throws(DataSection.Failure) in
        guard let base = buffer.baseAddress else { throw DataSection.Failure.malformed }
        var section = unsafe DataSection(base, count: buffer.count, budget: 2048)
        let top = try section.value(at: 0)
        guard case .map = top.content else { throw DataSection.Failure.malformed }
        try read(top, &section)
      }
    } catch {
      throw GeoDatabaseError(description: "its metadata is damaged")
    }
    guard !type.isEmpty else { throw GeoDatabaseError(description: "its metadata has no type") }
    // A node is two records; the data follow behind 16 bytes. (libmaxminddb 1.7 multiplies in 32 bits.)
    guard [24, 28, 32].contains(recordBits), nodes <= UInt64(UInt32.max),
      nodes * recordBits / 4 + 16 + UInt64(bytes.count - start) <= UInt64(size)
    else { throw GeoDatabaseError(description: "it has not as many networks as its metadata says") }
  }

  private mutating func read(_ top: DataSection.Value, _ section: inout DataSection) throws(DataSection
    .Failure)
  {
    var found = self
    var names: Set<String> = []
    try section.members(of: top, depth: 0) { section, name, value throws(DataSection.Failure) in
      // Of two that are called the same, libmaxminddb takes the first, which would not have been looked at.
      guard names.insert(name).inserted else { throw .malformed }
      switch (name, value.content) {
      case ("database_type", .text(let range)):
        found.type = section.text(range).flatMap(GeoRecord.clean) ?? ""
      case ("build_epoch", .unsigned(let number)): found.buildEpoch = number
      case ("node_count", .unsigned(let number)): found.nodes = number
      case ("record_size", .unsigned(let number)): found.recordBits = number
      case ("description", .map):
        try section.members(of: value, depth: 1) { section, language, words throws(DataSection.Failure) in
          // libmaxminddb would read whatever is below.
          guard case .text(let range) = words.content else { throw .malformed }
          if language == "en" || found.about == nil {
            found.about = section.text(range).flatMap(GeoRecord.clean)
          }
        }
      case ("languages", .array(let size)):
        var place = value.inside
        for _ in 0..<size {
          let language = try section.value(at: place)
          guard case .text = language.content else { throw .malformed }
          place = language.next
        }
      case ("languages", _), ("description", _): throw .malformed
      default: break
      }
    }
    self = found
  }

  private static func tail(of path: String) throws -> (bytes: [UInt8], size: Int) {
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw GeoDatabaseError(description: "it can't be read") }
    defer { close(descriptor) }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else {
      throw GeoDatabaseError(description: "it can't be read")
    }
    let length = min(Int(status.st_size), mostBytes + marker.count)
    var bytes = [UInt8](repeating: 0, count: length)
    let got = unsafe bytes.withUnsafeMutableBytes {
      unsafe pread(descriptor, $0.baseAddress, length, off_t(Int(status.st_size) - length))
    }
    guard got == length else { throw GeoDatabaseError(description: "it can't be read") }
    return (bytes, Int(status.st_size))
  }

  /// Where the metadata begins, behind the last marker.
  private static func lastMarker(in bytes: [UInt8]) -> Int? {
    guard bytes.count >= marker.count else { return nil }
    for start in stride(from: bytes.count - marker.count, through: 0, by: -1)
    where bytes[start] == marker[0] && bytes[start..<start + marker.count].elementsEqual(marker) {
      return start + marker.count
    }
    return nil
  }
}
