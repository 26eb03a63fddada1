import FLCrypto
import FLHTTP
import FLMariaDB
import FLTestDatabase
import FLValues
import Foundation
import HTTPTypes
import Logging
import Synchronization
import Testing

@testable import FLApp

/// The whole application over a database and a state directory of its own, and the people who call it.
final class House: Sendable {
  /// The repository's root.
  static let share = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path
  static let password = "correct horse battery"
  static let origin = "https://go.example"

  /// Where the state directories are: a house that a suite keeps to the end has no end of its own.
  static let directory = {
    atexit { try? FileManager.default.removeItem(atPath: House.path) }
    return path
  }()
  private static let path = NSTemporaryDirectory() + "fl-houses-\(getpid())"

  let app: App
  let settings: Settings
  let clock = Clock()
  let log = TestLog()
  private let number = Atomic<Int>(0)

  /// The time of a house: the real one, until it is set.
  final class Clock: Sendable {
    private let fixed = Mutex<Timestamp?>(nil)

    var now: Timestamp {
      get { fixed.withLock { $0 ?? .now } }
      set { fixed.withLock { $0 = newValue } }
    }

    /// Stops the clock where it is, or moves it on from there.
    func move(by seconds: Int = 0) {
      fixed.withLock { $0 = ($0 ?? .now) + .seconds(seconds) }
    }
  }

  init(on server: TestServer? = nil) throws {
    var configuration = try server.map { try TestDatabase.fresh(on: $0) } ?? TestDatabase.fresh()
    // Other tests keep the machine busy.
    configuration.poolWait = .seconds(60)
    var settings = Settings(
      state: Self.directory + "/house-\(UInt64.random(in: 0...UInt64.max))", baseURL: Self.origin,
      secret: try #require(MasterKey(text: String(repeating: "5a", count: 32))), share: Self.share,
      database: configuration)
    // Nobody answers there: no test asks the DNS of the machine.
    settings.dnsServer = "127.0.0.1:9"
    self.settings = settings
    app = try Self.app(settings, clock, log)
    _ = try app.migrations.apply(to: app.database)
  }

  deinit { try? FileManager.default.removeItem(atPath: settings.state) }

  private static func app(_ settings: Settings, _ clock: Clock, _ log: TestLog) throws -> App {
    try App(
      settings: settings, logger: Logger(label: "house") { _ in log }, log: LogSink(descriptor: -1),
      clock: { clock.now })
  }

  /// A second process on the same host: it shares the state directory and the database.
  func secondApp(_ change: (inout Settings) throws -> Void = { _ in }) throws -> App {
    var settings = settings
    try change(&settings)
    return try Self.app(settings, clock, log)
  }

  var administration: Administration {
    Administration(settings, logger: Logger(label: "house") { [log] _ in log })
  }

  /// A client address that no other test uses.
  private func address() -> String {
    let number = number.add(1, ordering: .relaxed).newValue
    return "10.\(number >> 16 & 255).\(number >> 8 & 255).\(number & 255)"
  }

  /// Somebody without a credential.
  var nobody: Client { Client(app: app, address: address()) }

  /// Somebody who has just registered and logged in.
  func account(_ plan: String = "unlimited") throws -> Client {
    var client = nobody
    client.email = "anna-\(UInt64.random(in: 0...UInt64.max))@example.org"
    let registered = client.post(
      "/api/auth/register",
      ["email": .string(client.email), "password": .string(Self.password), "name": "Anna"])
    try #require(registered.status == 201)
    if plan != "free" { try administration.setPlan(plan, of: client.email) }
    return try client.loggedIn()
  }

  /// A program with an API key of `owner`, or of an account of its own.
  func keyholder(scopes: [String] = [], of owner: Client? = nil) throws -> Client {
    let owner = try owner ?? account()
    let made = owner.post(
      "/api/api-keys", ["name": "Program", "scopes": .array(scopes.map { .string($0) })])
    try #require(made.status == 201)
    var client = nobody
    client.email = owner.email
    client.credentials[.apiKey] = try made.string("key")
    return client
  }

  /// How many rows a statement counts.
  func count(_ sql: SQL) throws -> Int { try app.database.row(sql).map { try $0[0] } ?? 0 }
}

/// Somebody who calls the application: a person, a program, a visitor.
struct Client: Sendable {
  var app: App
  var address: String
  var email = ""
  var credentials: HTTPFields = [:]

  func get(_ path: String, _ headers: HTTPFields = [:]) -> Answer { send(.get, path, headers) }

  func head(_ path: String, _ headers: HTTPFields = [:]) -> Answer { send(.head, path, headers) }

  func post(_ path: String, _ body: JSON? = nil, _ headers: HTTPFields = [:]) -> Answer {
    send(.post, path, headers, body)
  }

  func put(_ path: String, _ body: JSON, _ headers: HTTPFields = [:]) -> Answer {
    send(.put, path, headers, body)
  }

  func patch(_ path: String, _ body: JSON, _ headers: HTTPFields = [:]) -> Answer {
    send(.patch, path, headers, body)
  }

  func delete(_ path: String, _ headers: HTTPFields = [:]) -> Answer { send(.delete, path, headers) }

  /// Sends a form as a browser does.
  func submit(_ path: String, _ form: String, _ headers: HTTPFields = [:]) -> Answer {
    var headers = headers
    headers[.contentType] = "application/x-www-form-urlencoded"
    return send(.post, path, headers, bytes: Array(form.utf8))
  }

  func send(_ method: HTTPRequest.Method, _ path: String, _ headers: HTTPFields = [:], _ body: JSON? = nil)
    -> Answer
  {
    var headers = headers
    if body != nil && headers[.contentType] == nil { headers[.contentType] = "application/json" }
    return send(method, path, headers, bytes: body?.bytes)
  }

  /// Uploads a file as a browser does; `fields` go before it.
  func upload(
    _ content: [UInt8], as name: String = "file.bin", fields: [(String, String)] = [],
    _ headers: HTTPFields = [:]
  ) -> Answer {
    let boundary = "----boundary\(UInt64.random(in: 0...UInt64.max))"
    var body: [UInt8] = []
    for (field, value) in fields {
      body += Array(
        "--\(boundary)\r\nContent-Disposition: form-data; name=\"\(field)\"\r\n\r\n\(value)\r\n".utf8)
    }
    let quoted = name.replacing("\"", with: "%22").replacing("\r", with: "%0D").replacing("\n", with: "%0A")
    body += Array(
      "--\(boundary)\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\(quoted)\"\r\n".utf8)
    body += Array("Content-Type: application/octet-stream\r\n\r\n".utf8) + content
    body += Array("\r\n--\(boundary)--\r\n".utf8)
    var headers = headers
    headers[.contentType] = "multipart/form-data; boundary=\(boundary)"
    return send(.post, "/api/files", headers, bytes: body)
  }

  func send(_ method: HTTPRequest.Method, _ path: String, _ headers: HTTPFields, bytes: [UInt8]?)
    -> Answer
  {
    var all = credentials
    for field in headers { all[field.name] = field.value }
    let halves = path.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    return Answer(
      app.respond(
        to: Request(
          method: method, path: String(halves[0]), query: halves.count == 2 ? String(halves[1]) : nil,
          headers: all, body: bytes.map { .bytes($0) } ?? .empty, clientAddress: address, isSecure: true)))
  }

  /// The same person with a new JWT.
  func loggedIn(_ password: String = House.password) throws -> Client {
    var client = self
    client.credentials = [:]
    let answer = client.logIn(password)
    try #require(answer.status == 200)
    client.credentials[.authorization] = "Bearer " + (try answer.string("token"))
    return client
  }

  func logIn(_ password: String = House.password) -> Answer {
    post("/api/auth/login", ["email": .string(email), "password": .string(password)])
  }

  /// Makes a link; answers its members.
  func link(_ members: JSONObject = [:]) throws -> Answer {
    var members = members
    if members["destinationUrl"] == nil { members["destinationUrl"] = "https://example.org/" }
    let made = post("/api/links", .object(members))
    try #require(made.status == 201, "\(made)")
    return made
  }
}

extension Client {
  /// Makes a contact with an address of its own, unless `members` have one.
  func contact(_ members: JSONObject = [:]) throws -> Answer {
    var members = members
    if members["email"] == nil {
      members["email"] = .string("bob-\(UInt64.random(in: 0...UInt64.max))@example.org")
    }
    let made = post("/api/contacts", .object(members))
    try #require(made.status == 201, "\(made)")
    return made
  }
}

/// What came back.
struct Answer: Sendable, CustomStringConvertible {
  let status: Int
  let headers: HTTPFields
  let bytes: [UInt8]
  let body: JSON?

  init(_ response: Response) {
    status = response.status
    headers = response.headers
    bytes = response.bytes
    body = try? JSON(reading: bytes)
  }

  var text: String { String(decoding: bytes, as: UTF8.self) }
  var description: String { "\(status) \(text.prefix(600))" }
  var location: String? { headers[.location] }
  /// The `code` of a problem.
  var code: String? { self["code"]?.string }
  /// The fields that a problem names, with their codes: `title too_long`.
  var fields: [String] {
    self["errors"]?.array?.map { "\($0["field"]?.string ?? "") \($0["code"]?.string ?? "")" } ?? []
  }
  /// The items of a list.
  var items: [JSON] { self["items"]?.array ?? [] }

  subscript(name: String) -> JSON? { body?[name] }
  subscript(field name: String) -> String? { HTTPField.Name(name).flatMap { headers[$0] } }

  func string(_ name: String) throws -> String {
    try #require(self[name]?.string, "\(name) is no text in \(self)")
  }

  /// The address of a resource that was made.
  func path(_ collection: String = "/api/links") throws -> String { collection + "/" + (try string("id")) }

  /// The path of a link's short address.
  func shortPath() throws -> String { "/" + (try string("shortCode")) }
}

extension JSON {
  /// What a list's items have in `name`.
  static func texts(_ items: [JSON], _ name: String) -> [String] { items.compactMap { $0[name]?.string } }
}

/// Runs `body` in `count` threads at once; answers what they answered.
func inParallel<Result: Sendable>(_ count: Int, _ body: @escaping @Sendable (Int) -> Result) -> [Result] {
  let results = Mutex<[Result]>([])
  let done = DispatchGroup()
  for index in 0..<count {
    done.enter()
    let thread = Thread {
      let result = body(index)
      results.withLock { $0.append(result) }
      done.leave()
    }
    thread.stackSize = 8 << 20
    thread.start()
  }
  done.wait()
  return results.withLock { $0 }
}
