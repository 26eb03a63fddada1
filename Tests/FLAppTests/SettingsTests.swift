import FLCrypto
import Foundation
import Testing

@testable import FLApp

@Suite struct SettingsTests {
  static let secret = String(repeating: "0f", count: 32)

  private func load(_ values: [String: String]) throws -> Settings {
    // A file of nothing, so that none that lies around is read.
    let path = NSTemporaryDirectory() + "settings-\(UUID().uuidString).env"
    try Data().write(to: URL(fileURLWithPath: path))
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try Settings.load(file: path, environment: values)
  }

  @Test func needTheSecretAlone() throws {
    let settings = try load(["FL_SECRET": Self.secret])
    #expect(settings.baseURL == "http://127.0.0.1:8080")
    #expect(settings.state == FileManager.default.currentDirectoryPath + "/var")
    #expect(settings.database.name == "fastlinkit" && settings.database.user == "fastlinkit")
    #expect(
      settings.database.socket == nil && settings.database.port == 3306 && settings.database.poolSize == 8)
    #expect(settings.previousSecrets.isEmpty)
    #expect(settings.secret.key(for: "jwt") == MasterKey(text: Self.secret)?.key(for: "jwt"))
  }

  @Test func areReadFromTheEnvironment() throws {
    let settings = try load([
      "FL_SECRET": Self.secret, "FL_STATE": "/s", "FL_SHARE": "/share", "FL_BASE_URL": "https://go.example/",
      "FL_DB_SOCKET": "/run/db", "FL_DB_HOST": "db", "FL_DB_PORT": "3307", "FL_DB_USER": "u",
      "FL_DB_PASSWORD": "p",
      "FL_DB_NAME": "n", "FL_DB_POOL": "3",
      "FL_SECRET_PREVIOUS": MasterKey.generate() + "," + MasterKey.generate(),
    ])
    #expect(settings.state == "/s" && settings.share == "/share" && settings.scalar == "/share/scalar")
    #expect(settings.baseURL == "https://go.example")
    #expect(settings.database.socket == "/run/db" && settings.database.host == "db")
    #expect(settings.database.port == 3307 && settings.database.poolSize == 3)
    #expect(
      settings.database.user == "u" && settings.database.password == "p" && settings.database.name == "n")
    #expect(settings.previousSecrets.count == 2)
    #expect(!"\(settings.database)".contains("p@"))
  }

  @Test func ofWebhooks() throws {
    #expect(try load(["FL_SECRET": Self.secret]).webhookAllow.isEmpty)
    let settings = try load(["FL_SECRET": Self.secret, "FL_WEBHOOK_ALLOW": "10.1.2.0/24, fd00::/8"])
    #expect(settings.webhookAllow.description == "10.1.2.0/24,fd00::/8")
    for wrong in ["10.1.2.3/24", "intranet", "10.0.0.0/33"] {
      #expect(throws: Settings.Failure.self) {
        try load(["FL_SECRET": Self.secret, "FL_WEBHOOK_ALLOW": wrong])
      }
    }
  }

  @Test func ofGeoIP() throws {
    let usual = try load(["FL_SECRET": Self.secret])
    #expect(usual.geoIPDirectory == nil && usual.geoIPProvider == nil && usual.geoIPTimeout == 2)
    let settings = try load([
      "FL_SECRET": Self.secret, "FL_GEOIP_DIR": "geoip", "FL_GEOIP_URL": "https://geo.example/{ip}?key=k",
      "FL_GEOIP_TIMEOUT": "10",
    ])
    #expect(settings.geoIPDirectory == FileManager.default.currentDirectoryPath + "/geoip")
    #expect(settings.geoIPProvider == "https://geo.example/{ip}?key=k" && settings.geoIPTimeout == 10)
  }

  @Test func ofTheBounceMailbox() throws {
    #expect(try load(["FL_SECRET": Self.secret]).bounceMailbox == nil)
    let settings = try load([
      "FL_SECRET": Self.secret,
      "FL_BOUNCE_MAILBOX": "imaps://ben%40example.org:hidden@mail.example.org/Bounces",
    ])
    #expect(settings.bounceMailbox?.user == "ben@example.org" && settings.bounceMailbox?.folder == "Bounces")
    #expect(!"\(String(describing: settings.bounceMailbox))".contains("hidden"))
  }

  @Test(
    "A wrong one is named",
    arguments: [
      ["FL_BOUNCE_MAILBOX": "mail.example.org"], ["FL_BOUNCE_MAILBOX": "https://ben:short@mail.example.org"],
      ["FL_BOUNCE_MAILBOX": "imaps://mail.example.org"],
      ["FL_BOUNCE_MAILBOX": "pop3s://a:short@mail.example.org/x"],
      ["FL_SECRET": ""], ["FL_SECRET": "short"], ["FL_SECRET_PREVIOUS": "short"], ["FL_DB_PORT": "0"],
      ["FL_DB_PORT": "65536"], ["FL_DB_PORT": "x"], ["FL_DB_POOL": "0"], ["FL_DB_POOL": "257"],
      ["FL_BASE_URL": "go.example"], ["FL_BASE_URL": "ftp://go.example"],
      ["FL_BASE_URL": "https://go.example/x"],
      ["FL_BASE_URL": "https://go.example?x"], ["FL_BASE_URL": "https://go.example/#x"],
      ["FL_BASE_URL": "https://user@go.example"],
      ["FL_GEOIP_URL": "https://geo.example/"], ["FL_GEOIP_URL": "ftp://geo.example/{ip}"],
      ["FL_GEOIP_URL": "{ip}"], ["FL_GEOIP_TIMEOUT": "0"], ["FL_GEOIP_TIMEOUT": "11"],
      ["FL_GEOIP_TIMEOUT": "1.5"],
    ])
  func wrong(values: [String: String]) throws {
    let name = try #require(values.keys.first)
    let failure = #expect(throws: Settings.Failure.self) {
      try load(["FL_SECRET": Self.secret].merging(values) { _, new in new })
    }
    #expect(failure?.description.contains(name) == true)
    // The secret is in no message.
    #expect(failure?.description.contains("short") != true)
  }

  @Test func theEnvironmentGoesBeforeTheFile() throws {
    let path = NSTemporaryDirectory() + "settings-\(UUID().uuidString).env"
    try Data("FL_SECRET=\(Self.secret)\nFL_DB_NAME=file\nFL_DB_USER=file\n".utf8).write(
      to: URL(fileURLWithPath: path))
    defer { try? FileManager.default.removeItem(atPath: path) }
    for settings in [
      try Settings.load(file: path, environment: ["FL_DB_NAME": "environment", "DB_USER": "x"]),
      try Settings.load(environment: ["FL_CONFIG": path, "FL_DB_NAME": "environment"]),
    ] {
      #expect(settings.database.name == "environment" && settings.database.user == "file")
    }
    let failure = #expect(throws: Settings.Failure.self) {
      try Settings.load(file: path + "x", environment: [:])
    }
    #expect(failure?.description.contains(path + "x") == true)
  }

  @Test func aFileIsLinesOfNamesAndValues() {
    let values = Settings.parse(
      """
      # FL_A=comment
      FL_B = spaces around

        FL_C="in quotes # no comment"
      FL_D='a=b'\r
      FL_E=
      FL_F="open
      nonsense
      """)
    #expect(
      values == [
        "FL_B": "spaces around", "FL_C": "in quotes # no comment", "FL_D": "a=b", "FL_E": "",
        "FL_F": "\"open",
      ])
  }

  @Test(
    "The public address is written as browsers write an origin",
    arguments: [
      ("HTTPS://Go.Example", "https://go.example"), ("https://go.example:443", "https://go.example"),
      ("http://go.example:80/", "http://go.example"), ("http://go.example:8080", "http://go.example:8080"),
      ("https://bücher.example", "https://xn--bcher-kva.example"),
    ])
  func origin(written: String, origin: String) throws {
    #expect(try load(["FL_SECRET": Self.secret, "FL_BASE_URL": written]).baseURL == origin)
  }

  @Test func theStateIsForTheOwnUserAlone() throws {
    let house = try House()
    for name in ["spool", "mail", "files", "run"] {
      let attributes = try FileManager.default.attributesOfItem(atPath: house.settings.state + "/" + name)
      #expect(attributes[.posixPermissions] as? Int == 0o700, "\(name)")
    }
    var settings = house.settings
    settings.state = "/proc/nowhere"
    let failure = #expect(throws: Settings.Failure.self) { try settings.makeDirectories() }
    #expect(failure?.description.contains("/proc/nowhere") == true)
  }
}
