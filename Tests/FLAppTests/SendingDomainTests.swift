import FLHTTP
import FLMail
import FLMariaDB
import FLValues
import Foundation
import Synchronization
import Testing

@testable import FLApp

/// A name server on loopback that knows the texts it is told, and says of all else that there is none.
private final class NameServer: Sendable {
  let address: String
  private let descriptor: Int32
  private let texts = Mutex<[String: [String]]>([:])

  init() throws {
    descriptor = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
    var place = sockaddr_in()
    place.sin_family = sa_family_t(AF_INET)
    place.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let descriptor = descriptor
    let bound = withUnsafeMutablePointer(to: &place) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, length) + getsockname(descriptor, $0, &length)
      }
    }
    try #require(bound == 0)
    address = "127.0.0.1:\(UInt16(bigEndian: place.sin_port))"
    Thread.detachNewThread { [weak self] in
      while let server = self, server.answer() {}
    }
  }

  deinit {
    shutdown(descriptor, Int32(SHUT_RDWR))
    close(descriptor)
  }

  func set(_ name: String, _ values: [String]) { texts.withLock { $0[name.lowercased()] = values } }

  func clear() { texts.withLock { $0 = [:] } }

  private func answer() -> Bool {
    var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    guard poll(&wait, 1, 100) > 0 else { return true }
    var question = [UInt8](repeating: 0, count: 512)
    var client = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let count = withUnsafeMutablePointer(to: &client) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        recvfrom(descriptor, &question, question.count, 0, $0, &length)
      }
    }
    guard count > 12 else { return count >= 0 }
    var labels: [String] = []
    var index = 12
    while index < count, question[index] != 0 {
      let size = Int(question[index])
      labels.append(String(decoding: question[(index + 1)...].prefix(size), as: UTF8.self))
      index += 1 + size
    }
    let end = index + 5
    guard end <= count else { return true }
    let values = texts.withLock { $0[labels.joined(separator: ".").lowercased()] } ?? []
    var reply = Array(question[..<2]) + [0x81, 0x80, 0, 1, 0, UInt8(values.count), 0, 0, 0, 0]
    reply += question[12..<end]
    for value in values {
      // Strings of a record have up to 255 bytes; what is longer is several.
      let bytes = Array(value.utf8)
      let data = stride(from: 0, to: bytes.count, by: 255).flatMap { start -> [UInt8] in
        let part = bytes[start..<min(start + 255, bytes.count)]
        return [UInt8(part.count)] + part
      }
      reply += [0xC0, 12, 0, 16, 0, 1, 0, 0, 0, 60, UInt8(data.count >> 8), UInt8(data.count & 255)] + data
    }
    _ = withUnsafePointer(to: &client) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        sendto(descriptor, reply, reply.count, 0, $0, length)
      }
    }
    return true
  }
}

/// Domains that mail comes from.
@Suite struct SendingDomainTests {
  private static let shared = Result { try House() }
  let house: House

  init() throws { house = try Self.shared.get() }

  @Test func aDomainIsVerifiedByDNSAndThenSentFrom() throws {
    let server = try NameServer()
    let app = try house.secondApp { $0.dnsServer = server.address }
    var anna = try house.account()
    anna.app = app
    let made = anna.post("/api/mailing/domains", ["domain": "News.Example.ORG"])
    #expect(
      made.status == 201 && made["domain"] == "news.example.org" && made["status"] == "pending", "\(made)")
    #expect(made["hasDkim"] == JSON.null && made["verifiedAt"] == JSON.null)
    let path = "/api/mailing/domains/" + (try made.string("id"))
    #expect(made.location == path && anna.get(path).bytes == made.bytes)
    #expect(anna.post("/api/mailing/domains", ["domain": "news.example.org"]).fields == ["domain taken"])
    let records = try #require(made["records"]?.array)
    #expect(JSON.texts(records, "purpose") == ["dkim", "dkim", "spf", "dmarc"])
    let unseen = anna.post(path + "/verify")
    #expect(unseen.status == 200 && unseen["status"] == "pending" && unseen["hasDkim"] == false, "\(unseen)")
    #expect(anna.post("/api/mailing", ["subject": "x", "fromEmail": "a@news.example.org"]).status == 422)
    // DMARC of the domain above counts, and so does an SPF record that is another than the one proposed.
    let record = try #require(records.first)
    let rsa = try #require(record["name"]?.string)
    server.set(rsa, ["other", try #require(record["value"]?.string)])
    server.set("news.example.org", ["v=spf1 include:mail.example.net -all"])
    server.set("_dmarc.example.org", ["v=DMARC1; p=reject"])
    let seen = anna.post(path + "/verify")
    #expect(seen["status"] == "verified" && seen["hasDkim"] == true && seen["hasSpf"] == true, "\(seen)")
    #expect(seen["hasDmarc"] == true && seen["verifiedAt"] != JSON.null)
    #expect(seen["records"]?[0]?["isPresent"] == true && seen["records"]?[1]?["isPresent"] == false)
    let mailing = try anna.mailing(["fromEmail": "a@news.example.org", "fromName": "Anna"])
    let check = anna.get("/api/mailing/" + (try mailing.string("id")) + "/check")
    #expect(!check.text.contains("no_dkim") && !check.text.contains("domain_not_verified"))
    // Only the key that DNS has signs.
    let id = MailingID(try mailing.string("id"))
    let row = try #require(
      try house.app.database.row("SELECT \(Mailing.columns) FROM mailings m WHERE m.id = \(id)"))
    let domains = SendingDomains(settings: house.settings)
    let identity = try #require(
      try domains.identity(of: Mailing(row), accountName: "x", in: house.app.database))
    #expect(
      identity.from.address == "a@news.example.org" && identity.from.name == "Anna"
        && identity.signers.count == 1)
    let signer = try #require(identity.signers.first)
    #expect(rsa == "\(signer.selector)._domainkey.\(signer.domain)")
    // Nobody else may send from it.
    #expect(
      try house.account().post("/api/mailing", ["subject": "x", "fromEmail": "a@news.example.org"]).status
        == 422)
    // Another's key at the name is none of it, and the domain is given up.
    server.set(rsa, ["v=DKIM1; k=rsa; p=AAAA"])
    #expect(anna.post(path + "/verify")["status"] == "pending")
    #expect(try domains.identity(of: Mailing(row), accountName: "x", in: house.app.database) == nil)
    #expect(anna.delete(path).status == 204 && anna.get(path).status == 404)
  }

  @Test func withoutDNSNothingChanges() throws {
    var anna = try house.account()
    anna.app = try house.secondApp { $0.dnsServer = "127.0.0.1:9" }
    let made = anna.post("/api/mailing/domains", ["domain": "example.net"])
    let path = "/api/mailing/domains/" + (try made.string("id"))
    let answer = anna.post(path + "/verify")
    #expect(answer.status == 503 && answer.headers[.retryAfter] != nil)
    #expect(anna.get(path)["checkedAt"] == JSON.null)
  }

  /// The items of a mailing's check that are about its sender, as an app that asks `server` tells them.
  private func senderItems(_ anna: Client, _ mailing: Answer, asking server: String) throws -> [JSON] {
    var anna = anna
    // One of its own, which has kept no answer.
    anna.app = try house.secondApp { $0.dnsServer = server }
    let check = anna.get("/api/mailing/" + (try mailing.string("id")) + "/check")
    try #require(check.status == 200, "\(check)")
    return check["items"]?.array?.filter { $0["field"] == "fromEmail" } ?? []
  }

  @Test func ofADomainThatIsNotHereDNSIsAsked() throws {
    let server = try NameServer()
    let anna = try house.account()
    let mailing = try anna.mailing()
    let bare = try senderItems(anna, mailing, asking: server.address)
    #expect(JSON.texts(bare, "code") == ["no_dkim", "no_spf", "no_dmarc"], "\(bare)")
    for item in bare {
      let words = item["message"]?.string ?? ""
      #expect(item["severity"] == "warning" && words.contains("go.example"), "\(words)")
      #expect(words.contains("POST /api/mailing/domains"), "\(words)")
      #expect(words.contains("fastlinkit domain add go.example"), "\(words)")
    }
    // A record of another kind is none.
    server.set("go.example", ["v=spf10 x", "google-site-verification=x"])
    #expect(try senderItems(anna, mailing, asking: server.address).count == 3)
    server.set("go.example", ["V=SPF1 mx -all"])
    #expect(
      JSON.texts(try senderItems(anna, mailing, asking: server.address), "code") == ["no_dkim", "no_dmarc"])
    server.set("_dmarc.go.example", ["v=DMARC1; p=none"])
    #expect(JSON.texts(try senderItems(anna, mailing, asking: server.address), "code") == ["no_dkim"])
  }

  @Test func whatDNSDoesNotAnswerIsNotKnown() throws {
    let anna = try house.account()
    let items = try senderItems(anna, try anna.mailing(), asking: "127.0.0.1:9")
    #expect(JSON.texts(items, "code") == ["no_dkim", "dns_unanswered"], "\(items)")
    #expect(items.last?["severity"] == "info")
    #expect(items.last?["message"]?.string?.contains("an SPF and a DMARC record is not known") == true)
  }

  @Test func whatAVerifiedDomainLacksIsNamed() throws {
    let server = try NameServer()
    var anna = try house.account()
    anna.app = try house.secondApp { $0.dnsServer = server.address }
    let made = anna.post("/api/mailing/domains", ["domain": "bare.example.org"])
    let path = "/api/mailing/domains/" + (try made.string("id"))
    let key = try #require(made["records"]?[0])
    server.set(try #require(key["name"]?.string), [try #require(key["value"]?.string)])
    #expect(anna.post(path + "/verify")["status"] == "verified")
    let mailing = try anna.mailing(["fromEmail": "a@bare.example.org"])
    // What was noted is told, and nobody is asked.
    let items = try senderItems(anna, mailing, asking: "127.0.0.1:9")
    #expect(JSON.texts(items, "code") == ["no_spf", "no_dmarc"], "\(items)")
    for item in items {
      #expect(item["severity"] == "warning")
      #expect(item["message"]?.string?.contains("POST \(path)/verify") == true, "\(item)")
    }
    server.set("bare.example.org", ["v=spf1 mx -all"])
    #expect(anna.post(path + "/verify")["hasSpf"] == true)
    #expect(JSON.texts(try senderItems(anna, mailing, asking: "127.0.0.1:9"), "code") == ["no_dmarc"])
    // Without its key it is not sent from, and the three are told.
    server.clear()
    #expect(anna.post(path + "/verify")["status"] == "pending")
    #expect(
      JSON.texts(try senderItems(anna, mailing, asking: "127.0.0.1:9"), "code") == [
        "domain_not_verified", "no_dkim", "no_spf", "no_dmarc",
      ])
  }

  @Test(
    "What is no domain is refused",
    arguments: [
      "", "example", "-a.example.org", "a..org", "192.0.2.1", "a b.org", "example.org/x", "ex_ample.o\u{0}rg",
      "\"x\".org", "a@b.org",
    ])
  func badDomains(name: String) throws {
    let answer = try house.account().post("/api/mailing/domains", ["domain": .string(name)])
    #expect(answer.status == 422 && answer.text.contains("\"field\":\"domain\""), "\(answer)")
  }

  @Test func internationalNamesAreKeptAsDNSHasThem() throws {
    let made = try house.account().post("/api/mailing/domains", ["domain": "Bücher.example"])
    #expect(made.status == 201 && made["domain"] == "xn--bcher-kva.example", "\(made)")
  }

  @Test func theOperatorsDomainIsForAll() throws {
    let server = try NameServer()
    var settings = house.settings
    settings.dnsServer = server.address
    let domains = try OperatorDomains(settings, logger: .init(label: "test"))
    let words = try domains.add("mail.go.example")
    #expect(words.contains("_domainkey.mail.go.example"))
    #expect(throws: Administration.Failure.self) { try domains.add("mail.go.example") }
    #expect(try !domains.verify("mail.go.example").isVerified)
    let anna = try house.account()
    #expect(anna.post("/api/mailing", ["subject": "x", "fromEmail": "a@mail.go.example"]).status == 422)
    for line in words.split(separator: "\n").dropFirst() {
      let parts = line.split(separator: "  TXT  ")
      try #require(parts.count == 2, "\(line)")
      server.set(
        parts[0].trimmingCharacters(in: .whitespaces), [parts[1].trimmingCharacters(in: ["\""])])
    }
    #expect(try domains.verify("mail.go.example").isVerified)
    #expect(try domains.list().contains { $0.hasPrefix("mail.go.example  verified") })
    #expect(anna.post("/api/mailing", ["subject": "x", "fromEmail": "a@mail.go.example"]).status == 201)
    // It is the operator's, and in nobody's list.
    #expect(anna.get("/api/mailing/domains")["total"] == 0)
    try domains.remove("mail.go.example")
    #expect(anna.post("/api/mailing", ["subject": "x", "fromEmail": "a@mail.go.example"]).status == 422)
  }
}
