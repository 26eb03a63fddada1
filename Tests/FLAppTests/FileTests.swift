import FLCrypto
import FLHTTP
import FLMariaDB
import FLValues
import Foundation
import HTTPTypes
import Synchronization
import Testing

@testable import FLApp

/// Files as those who upload and download them see them.
@Suite struct FileTests {
  private static let shared = Result { try House() }
  /// The house of all these tests; one that looks at what is left on the disk takes a house of its own.
  private(set) var house: House

  init() throws { house = try Self.shared.get() }

  private func disk(_ id: String) throws -> String {
    house.app.files.store.path(of: try #require(FileID(id)))
  }

  private func plan(_ code: String, upload: Int, storage: Int) throws {
    _ = try house.app.database.run(
      """
      INSERT INTO plans (code, name, position, links_per_month, qrcodes_per_month, requests_per_minute, max_upload_bytes,
        storage_bytes, has_contacts, has_mailings, has_organizer, has_payments)
      VALUES (\(code), 'Small', \(Int.random(in: 100...1_000_000_000)), 5, 5, NULL, \(upload), \(storage), 0, 0, 0, 0)
      """)
  }

  @Test mutating func aFileIsKeptAndComesBack() throws {
    house = try House()
    let anna = try house.account()
    let bytes = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 6) }
    let made = anna.upload(bytes, as: "../../Über\u{202E} x.bin")
    #expect(made.status == 201, "\(made)")
    let id = try made.string("id")
    #expect(made.location == "/api/files/" + id && made.headers[.eTag] == "\"1\"")
    #expect(made["name"]?.string == "Über x.bin" && made["size"]?.integer == 3_000_000)
    #expect(made["sha256"]?.string == Hex.encode(SHA256.digest(bytes)))
    #expect(made["contentType"]?.string == "application/octet-stream")
    let read = anna.get("/api/files/" + id)
    #expect(read.status == 200 && read.bytes == made.bytes)
    let content = anna.get("/api/files/\(id)/content")
    #expect(content.status == 200 && content.bytes == bytes)
    #expect(content.headers[.eTag] == "\"\(try made.string("sha256"))\"")
    #expect(content[field: "X-Content-Type-Options"] == "nosniff")
    #expect(content.headers[.contentSecurityPolicy] == "default-src 'none'; sandbox")
    #expect(
      content.headers[.contentDisposition]
        == "attachment; filename=\"_ber x.bin\"; filename*=UTF-8''%C3%9Cber%20x.bin")
    #expect(content[field: "Cross-Origin-Resource-Policy"] == "same-origin")
    #expect(try Data(contentsOf: URL(fileURLWithPath: disk(id))).count == 3_000_000)
    #expect(try disk(id).hasSuffix("/files/\(id.suffix(2))/\(id.dropLast(2).suffix(2))/\(id)"))
    let usage = anna.get("/api/account/usage")
    #expect(
      usage["storage"]?["used"] == 3_000_000 && usage["storage"]?["limit"] == JSON.null && usage["files"] == 1
    )
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: house.settings.state + "/files/incoming").isEmpty)
  }

  @Test func rangesAndConditions() throws {
    let anna = try house.account()
    let made = anna.upload(Array("0123456789".utf8), as: "d.txt")
    let path = "/api/files/\(try made.string("id"))/content"
    let tag = "\"\(try made.string("sha256"))\""
    func get(_ headers: HTTPFields) -> Answer { anna.get(path, headers) }
    let part = get([.range: "bytes=2-4"])
    #expect(part.status == 206 && part.text == "234" && part.headers[.contentRange] == "bytes 2-4/10")
    #expect(get([.range: "bytes=-3"]).text == "789" && get([.range: "bytes=8-"]).text == "89")
    let behind = get([.range: "bytes=10-"])
    #expect(behind.status == 416 && behind.code == "range_not_satisfiable")
    #expect(behind.headers[.contentRange] == "bytes */10")
    #expect(get([.range: "bytes=0-1,3-4"]).status == 200 && get([.range: "lines=1-2"]).text == "0123456789")
    #expect(get([.range: "bytes=0-1", .ifRange: tag]).status == 206)
    #expect(get([.range: "bytes=0-1", .ifRange: "\"other\""]).status == 200)
    #expect(get([.range: "bytes=0-1", .ifRange: "W/" + tag]).status == 200)
    #expect(get([.range: "bytes=0-1", .ifRange: "Tue, 24 Nov 2026 08:00:00 GMT"]).status == 200)
    let fresh = get([.ifNoneMatch: tag])
    #expect(fresh.status == 304 && fresh.bytes.isEmpty && fresh.headers[.eTag] == tag)
    #expect(get([.ifNoneMatch: "\"1\""]).status == 200)
    #expect(anna.head(path, [.range: "bytes=0-1"]).status == 200)
    #expect(
      anna.get(path + "?disposition=inline").headers[.contentDisposition] == "inline; filename=\"d.txt\"")
    #expect(anna.get(path + "?disposition=sideways").fields == ["disposition invalid_choice"])
    let page = anna.upload(Array("<!doctype html><script>1</script>".utf8), as: "x.png")
    #expect(page["contentType"]?.string == "text/html")
    let shown = anna.get("/api/files/\(try page.string("id"))/content?disposition=inline")
    #expect(shown.headers[.contentDisposition] == "attachment; filename=\"x.png\"")
    #expect(shown.headers[.contentType] == "text/html; charset=utf-8")
  }

  @Test func theWebServerIsToldWhatToSend() throws {
    let anna = try house.account()
    let made = anna.upload(Array("0123456789".utf8), as: "d.txt")
    let id = try made.string("id")
    var there = anna
    there.app = try house.secondApp { $0.accel = "/files-internal/" }
    let sent = there.get("/api/files/\(id)/content", [.range: "bytes=0-3"])
    #expect(sent.status == 200 && sent.bytes.isEmpty)
    #expect(
      sent[field: "X-Accel-Redirect"] == "/files-internal/\(id.suffix(2))/\(id.dropLast(2).suffix(2))/\(id)")
    #expect(there.get("/api/files/\(id)/content", [.range: "bytes=10-"]).status == 416)
    #expect(there.get("/api/files/\(id)/content", [.ifMatch: "\"x\""])[field: "X-Accel-Redirect"] == nil)
    // Bytes that are not there are no 404 of the web server's.
    try FileManager.default.removeItem(atPath: disk(id))
    #expect(there.get("/api/files/\(id)/content").status == 503)
    #expect(anna.get("/api/files/\(id)/content").status == 503)
  }

  @Test mutating func formsAreChecked() throws {
    house = try House()
    let anna = try house.account()
    #expect(anna.upload([1], fields: [("name", "  other.txt ")])["name"]?.string == "other.txt")
    #expect(anna.upload([], as: "empty.txt").status == 201)
    #expect(anna.upload([], as: "").fields == ["file required"])
    #expect(
      anna.upload([1], fields: [("title", "x"), ("name", ""), ("name", "y")]).fields.sorted() == [
        "name repeated", "name too_short", "title unknown_field",
      ])
    #expect(
      anna.upload([1], fields: [("name", String(repeating: "x", count: 5000))]).fields == ["name too_long"])
    #expect(anna.upload([1], fields: [("name", "a\u{1}")]).fields == ["name control_character"])
    #expect(anna.upload([1], fields: [("file", "x")]).fields == ["file repeated"])
    func send(_ type: String?, _ body: String) -> Answer {
      anna.send(.post, "/api/files", type.map { [.contentType: $0] } ?? [:], bytes: Array(body.utf8))
    }
    #expect(send(nil, "").status == 415 && send("application/json", "{}").status == 415)
    #expect(send("multipart/form-data", "x").code == "malformed_form")
    #expect(send("multipart/form-data; boundary=x", "--x--").fields == ["file required"])
    #expect(send("multipart/form-data; boundary=x", "--x\r\n").code == "malformed_form")
    // Large enough to be digested by a thread of its own, which ends with an upload that is given up.
    let large = [UInt8](repeating: 1, count: 5_000_000)
    for _ in 0..<20 { #expect(anna.upload(large, fields: [("x", "y")]).fields == ["x unknown_field"]) }
    #expect(anna.upload([1], fields: Array(repeating: ("a", "b"), count: 30)).status == 413)
    #expect(anna.post("/api/files?x=1").fields == ["x unknown_field"])
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: house.settings.state + "/files/incoming").isEmpty)
    #expect(anna.get("/api/files")["total"] == 2)
  }

  @Test func theyAreListed() throws {
    let anna = try house.account()
    for (name, text) in [("b.txt", "1"), ("a.csv", "22"), ("100%.txt", "333"), ("c.txt", "4444")] {
      #expect(anna.upload(Array(text.utf8), as: name).status == 201)
    }
    func names(_ query: String) -> [String] { JSON.texts(anna.get("/api/files" + query).items, "name") }
    #expect(names("") == ["c.txt", "100%.txt", "a.csv", "b.txt"])
    #expect(names("?sort=name") == ["100%.txt", "a.csv", "b.txt", "c.txt"])
    #expect(
      names("?sort=-size&limit=2") == ["c.txt", "100%.txt"] && names("?sort=createdAt&limit=1") == ["b.txt"])
    #expect(names("?search=%25") == ["100%.txt"] && names("?search=TXT").count == 3)
    #expect(names("?contentType=text/csv") == ["a.csv"] && names("?contentType=text/*").count == 4)
    #expect(names("?contentType=image/*").isEmpty)
    #expect(anna.get("/api/files?contentType=nonsense").fields == ["contentType invalid_type"])
    #expect(anna.get("/api/files?contentType=ü/x").status == 422)
    for order in ["name", "-size", "createdAt", "-createdAt"] {
      var seen: [String] = []
      var cursor = ""
      repeat {
        let page = anna.get("/api/files?limit=1&sort=\(order)" + cursor)
        #expect(page.status == 200 && page["total"] == 4)
        seen += JSON.texts(page.items, "name")
        cursor = page["nextCursor"]?.string.map { "&cursor=\($0)" } ?? ""
      } while !cursor.isEmpty && seen.count < 9
      #expect(seen == names("?sort=\(order)"), "\(order)")
    }
    let foreign = anna.get("/api/files?limit=1&sort=name")["nextCursor"]?.string ?? ""
    #expect(anna.get("/api/files?cursor=\(foreign)").fields == ["cursor invalid_cursor"])
  }

  @Test func theyAreRenamedAndDeleted() throws {
    let anna = try house.account()
    let stranger = try house.account()
    let made = anna.upload([1, 2, 3], as: "a.bin")
    let path = try made.path("/api/files")
    #expect(stranger.get(path).status == 404 && stranger.get(path + "/content").status == 404)
    #expect(stranger.patch(path, ["name": "mine"]).status == 404 && stranger.delete(path).status == 404)
    #expect(stranger.get("/api/files")["total"] == 0)
    let renamed = anna.patch(path, ["name": "../con"])
    #expect(renamed["name"]?.string == "_con" && renamed.headers[.eTag] == "\"2\"")
    #expect(anna.patch(path, ["name": "x"], [.ifMatch: "\"1\""]).status == 412)
    #expect(
      anna.patch(path, [:])["name"]?.string == "_con" && anna.patch(path, ["name": .null]).status == 422)
    #expect(anna.patch(path, ["name": "a\u{7}"]).fields == ["name control_character"])
    #expect(anna.delete(path, [.ifMatch: "\"1\""]).status == 412)
    #expect(
      anna.delete(path).status == 204 && anna.get(path).status == 404 && anna.delete(path).status == 404)
    #expect(!FileManager.default.fileExists(atPath: try disk(try made.string("id"))))
    let usage = anna.get("/api/account/usage")
    #expect(usage["storage"]?["used"] == 0 && usage["files"] == 0)
  }

  @Test func aFileInUseIsNotDeleted() throws {
    let anna = try house.account()
    let made = anna.upload([1, 2, 3])
    let link = try anna.link()
    let (file, id) = (
      try #require(FileID(try made.string("id"))), try #require(LinkID(try link.string("id")))
    )
    _ = try house.app.database.run(
      "UPDATE links SET destination_url = NULL, file_id = \(file) WHERE id = \(id)")
    let refused = anna.delete(try made.path("/api/files"))
    #expect(refused.status == 409 && refused.code == "conflict", "\(refused)")
    #expect(anna.get(try made.path("/api/files") + "/content").status == 200)
    _ = try house.app.database.run("DELETE FROM links WHERE id = \(id)")
    #expect(anna.delete(try made.path("/api/files")).status == 204)
  }

  @Test mutating func aRepetitionWithAnotherBoundaryIsReplayed() throws {
    house = try House()
    try plan("twice", upload: 100, storage: 150)
    let anna = try house.account("twice")
    let first = anna.upload([UInt8](repeating: 1, count: 100), as: "a", [.idempotencyKey: "k"])
    #expect(first.status == 201)
    // The storage has no room for a second one: it is the first that is answered.
    let again = anna.upload([UInt8](repeating: 1, count: 100), as: "a", [.idempotencyKey: "k"])
    #expect(
      again.status == 201 && again.bytes == first.bytes && again.headers[.idempotencyReplayed] == "true")
    let other = anna.upload([UInt8](repeating: 2, count: 100), as: "a", [.idempotencyKey: "k"])
    #expect(other.code == "idempotency_key_reused")
    #expect(
      anna.upload([UInt8](repeating: 1, count: 100), as: "b", [.idempotencyKey: "k"]).code
        == "idempotency_key_reused")
    #expect(anna.get("/api/files")["total"] == 1)
    let full = anna.upload([UInt8](repeating: 1, count: 100), as: "a", [.idempotencyKey: "k2"])
    #expect(full.code == "plan_limit")
    // Nothing of the refused ones is left on the disk.
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: house.settings.state + "/files/incoming").isEmpty)
  }

  @Test func plansLimitSizeAndStorage() throws {
    try plan("tiny", upload: 1000, storage: 2500)
    let anna = try house.account("tiny")
    let large = anna.upload([UInt8](repeating: 1, count: 1001))
    #expect(
      large.status == 403 && large.code == "plan_limit" && large["limit"] == 1000 && large["used"] == 1001)
    #expect(large["plan"]?.string == "tiny" && large["upgradeTo"] != nil)
    #expect(anna.upload([UInt8](repeating: 1, count: 200_000)).code == "plan_limit")
    #expect(anna.upload([UInt8](repeating: 1, count: 1000)).status == 201)
    #expect(anna.upload([UInt8](repeating: 2, count: 1000)).status == 201)
    let full = anna.upload([UInt8](repeating: 3, count: 501))
    #expect(full.code == "plan_limit" && full["limit"] == 2500 && full["used"] == 2000)
    #expect(anna.upload([UInt8](repeating: 3, count: 500)).status == 201)
    #expect(anna.get("/api/account/usage")["storage"]?["remaining"] == 0)
  }

  @Test func parallelUploadsDoNotPassTheLimitTogether() throws {
    try plan("narrow", upload: 1000, storage: 5500)
    let anna = try house.account("narrow")
    let answers = inParallel(20) { number in
      anna.upload([UInt8](repeating: UInt8(number), count: 1000), as: "f\(number)")
    }
    #expect(answers.count { $0.status == 201 } == 5)
    #expect(answers.filter { $0.status != 201 }.allSatisfy { $0.code == "plan_limit" })
    let usage = anna.get("/api/account/usage")
    #expect(usage["storage"]?["used"] == 5000 && usage["files"] == 5)
    #expect(anna.get("/api/files")["total"] == 5)
  }

  @Test func uploadsLeaveWorkersFree() throws {
    let files = FileService(
      database: house.app.database, directory: house.settings.state + "/files", lane: Lane(workers: 4))
    let plan = try #require(try PlanRows(queries: house.app.database).all().first { $0.code == "unlimited" })
    let anna = try house.account()
    let account =
      try #require(
        try house.app.database.row("SELECT id FROM accounts WHERE email = \(anna.email)"))["id"] as AccountID
    // Two uploads wait for bytes until the three that come later are answered.
    let waiting = Mutex<Set<Int>>([])
    let answered = Atomic<Int>(0)
    let statuses = inParallel(5) { number -> Int in
      let isEarly = number < 2
      let request = Request(
        method: .post, path: "/api/files", headers: [.contentType: "multipart/form-data; boundary=x"],
        body: .stream(
          BodyStream(count: 1000) { _ in
            guard isEarly else { return 0 }
            waiting.withLock { _ = $0.insert(number) }
            for _ in 0..<6000 where answered.load(ordering: .acquiring) < 3 { usleep(10_000) }
            return 0
          }))
      if !isEarly { for _ in 0..<6000 where waiting.withLock({ $0.count }) < 2 { usleep(10_000) } }
      defer { if !isEarly { answered.add(1, ordering: .acquiringAndReleasing) } }
      do {
        _ = try files.stage(request, account: account, plan: plan)
        return 201
      } catch { return (error as? Problem)?.status ?? 0 }
    }
    #expect(statuses.sorted() == [400, 400, 503, 503, 503])
    // The places are free again.
    #expect(anna.upload([1]).status == 201)
  }

  @Test func whatACrashLeavesIsSwept() throws {
    let house = try House()
    let anna = try house.account()
    let kept = try anna.upload([1, 2, 3]).string("id")
    let store = house.app.files.store
    house.clock.move()
    // Bytes whose row was never made, young and old; one whose row is; and what an upload left.
    let young = FileID(at: house.clock.now - .seconds(1800))
    let old = FileID(at: house.clock.now - .seconds(3700))
    for id in [young, old] { try store.keep(try store.stage(), as: id) }
    let staged = store.directory + "/incoming/left"
    try Data([1]).write(to: URL(fileURLWithPath: staged))
    #expect(try house.app.files.sweep(at: house.clock.now, parts: 256) == 1)
    #expect(store.has(young, size: 0) && !store.has(old, size: 0))
    #expect(FileManager.default.fileExists(atPath: staged))
    house.clock.move(by: 90_000)
    #expect(try house.app.files.sweep(at: house.clock.now, parts: 256) == 2)
    #expect(!store.has(young, size: 0) && !FileManager.default.fileExists(atPath: staged))
    #expect(store.has(try #require(FileID(kept)), size: 3))
    // Rounds of a part each come to all of them.
    let late = FileID(at: house.clock.now - .seconds(9999))
    try store.keep(try store.stage(), as: late)
    for _ in 0..<32 { try house.app.purge(at: house.clock.now) }
    #expect(!store.has(late, size: 0))
  }

  @Test func aFailedTransactionLeavesNoRowAndNoCount() throws {
    let anna = try house.account()
    #expect(anna.upload([1]).status == 201)
    // The account goes while the upload runs: its row can't be made any more.
    let account: AccountID = try #require(
      try house.app.database.row("SELECT id FROM accounts WHERE email = \(anna.email)"))["id"]
    let plan = try #require(try PlanRows(queries: house.app.database).all().first { $0.code == "unlimited" })
    var form = "--x\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\n".utf8.map { $0 }
    form += [7] + Array("\r\n--x--".utf8)
    let upload = try house.app.files.stage(
      Request(
        method: .post, path: "/api/files", headers: [.contentType: "multipart/form-data; boundary=x"],
        body: .bytes(form)), account: account, plan: plan)
    _ = try house.app.database.run("DELETE FROM accounts WHERE id = \(account)")
    #expect(throws: DatabaseError.self) {
      _ = try house.app.files.create(upload, account: account, plan: plan, at: house.clock.now)
    }
    #expect(try house.count("SELECT COUNT(*) FROM files WHERE account_id = \(account)") == 0)
    #expect(try house.count("SELECT COUNT(*) FROM account_storage WHERE account_id = \(account)") == 0)
  }
}
