import FLHTTP
import Foundation
import HTTPTypes
import Logging
import Testing

@testable import FLApp

@Suite struct RequestLogTests {
  @Test func aLineTellsTheRequestAndNoSecret() throws {
    let house = try House()
    let anna = try house.account()
    let link = try anna.link(["shortCode": "logged", "password": "open sesame"])
    let path = house.settings.state + "/log"
    let file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    try #require(file >= 0)
    defer { close(file) }
    let sink = LogSink(descriptor: file)
    let app = try App(
      settings: house.settings, logger: Logger(label: "app") { JSONLogHandler(label: $0, sink: sink) },
      log: sink)
    var client = anna
    client.app = app
    _ = client.get("/api/links?search=hush", [.requestID: "request-1"])
    _ = client.post("/api/api-keys", ["name": "k"], [.idempotencyKey: "hush-key"])
    _ = client.get("/api/links/" + (try link.string("id")))
    _ = client.logIn("hush hush hush")
    _ = client.submit("/logged?hush=1", "password=open+sesame")
    _ = client.get("/account/reset-password?token=hush-token")
    _ = client.get("/api/nothing/hush")
    _ = client.get("/api/links", [.authorization: "", .apiKey: "fli_hush", .cookie: "fl_session=hush"])
    sink.flush()
    let text = try String(contentsOfFile: path, encoding: .utf8)
    let lines = try text.split(separator: "\n").map { try JSON(reading: Array($0.utf8)) }
    try #require(lines.count == 8)
    #expect(lines.map { $0["status"] } == [200, 201, 200, 401, 303, 410, 404, 401])
    #expect(
      lines[0]["requestId"] == "request-1" && lines[0]["method"] == "GET" && lines[0]["route"] == "/api/links"
    )
    #expect(lines[2]["route"] == "/api/links/{id}" && lines[4]["route"] == "/{shortCode}")
    #expect(
      lines[0]["account"]?.string == anna.get("/api/auth/me")["id"]?.string && lines[3]["account"] == nil)
    #expect(lines.allSatisfy { $0["microseconds"]?.integer ?? 0 > 0 && $0["time"]?.string != nil })
    let token = try #require(anna.credentials[.authorization]).dropFirst(7)
    for secret in ["hush", "sesame", "fli_", String(token), anna.email, anna.address] {
      #expect(!text.contains(secret), "\(secret)")
    }
  }
}
