import Foundation
import Logging
import Testing

@testable import FLGeoIP

/// Database files as an operator puts them into a directory.
@Suite struct GeoDatabasesTests {
  private let place: URL

  init() throws {
    place = FileManager.default.temporaryDirectory.appending(path: "geoip-\(UUID().uuidString)")
    try FileManager.default.createDirectory(
      at: place.appending(path: "files"), withIntermediateDirectories: true)
  }

  private func databases(retryAfter: Duration = .seconds(60)) -> GeoDatabases {
    GeoDatabases(
      directory: place.path + "/files", copies: place.path + "/copies",
      logger: Logger(label: "geoip") { _ in SwiftLogNoOpLogHandler() }, retryAfter: retryAfter)
  }

  private static func text(_ text: String) -> [UInt8] { [0x40 | UInt8(text.utf8.count)] + Array(text.utf8) }

  /// The smallest whole database: a tree of one node, by which every IPv4 address is in Germany.
  static func file(metadata more: [(String, [UInt8])] = [], data: [UInt8]? = nil) -> Data {
    let record: [UInt8] = [0, 0, 17]
    let data = data ?? [0xE1] + text("country") + [0xE1] + text("iso_code") + text("DE")
    let members: [(String, [UInt8])] =
      [
        ("node_count", [0xC1, 1]), ("record_size", [0xA1, 24]), ("ip_version", [0xA1, 4]),
        ("database_type", text("Test-City")), ("languages", [0, 4]),
        ("binary_format_major_version", [0xA1, 2]),
        ("binary_format_minor_version", [0xA0]), ("build_epoch", [1, 2, 1]), ("description", [0xE0]),
      ] + more
    let metadata = [0xE0 | UInt8(members.count)] + members.flatMap { text($0.0) + $0.1 }
    return Data(
      record + record + [UInt8](repeating: 0, count: 16) + data + [0xAB, 0xCD, 0xEF]
        + Array("MaxMind.com".utf8)
        + metadata)
  }

  private func put(_ content: Data) throws { try content.write(to: place.appending(path: "files/a.mmdb")) }

  @Test func theSmallestIsRead() throws {
    defer { try? FileManager.default.removeItem(at: place) }
    try put(Self.file())
    #expect(databases().place(of: "8.8.8.8").country == "DE")
  }

  @Test(
    "Metadata that says something twice is damaged: libmaxminddb would believe the other one",
    arguments: [("node_count", [0xC1, 1]), ("record_size", [0xA1, 24]), ("description", [0xE0])]
      as [(String, [UInt8])])
  func twice(name: String, value: [UInt8]) throws {
    defer { try? FileManager.default.removeItem(at: place) }
    try put(Self.file(metadata: [(name, value)]))
    let databases = databases()
    #expect(databases.isEmpty)
    #expect(databases.reports.map(\.problem) == ["its metadata is damaged"])
  }

  @Test func aFullDiskIsTriedAgain() throws {
    defer { try? FileManager.default.removeItem(at: place) }
    try put(Self.file())
    // No copy can be made where a file is in the place of the directory.
    try Data().write(to: place.appending(path: "copies"))
    let (patient, prompt) = (databases(), databases(retryAfter: .zero))
    for databases in [patient, prompt] {
      databases.look()
      #expect(databases.isEmpty && databases.reports.first?.problem?.contains("can't be written") == true)
    }
    try FileManager.default.removeItem(at: place.appending(path: "copies"))
    patient.look()
    prompt.look()
    #expect(patient.isEmpty)
    #expect(prompt.place(of: "8.8.8.8").country == "DE" && prompt.reports.map(\.problem) == [nil])
  }
}
