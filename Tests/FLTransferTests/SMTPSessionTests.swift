import FLTransfer
import Foundation
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(60))) struct SMTPSessionTests {
  static let message = Array("Subject: hello\r\n\r\nHello\r\n".utf8)

  static func open(
    _ server: ScriptedServer,
    limits: SMTPSession.Limits = .init(connectMilliseconds: 5000, replyMilliseconds: 10_000)
  ) throws -> SMTPSession {
    try SMTPSession.open(SMTPServer(url: "smtp://127.0.0.1:\(server.port)"), limits: limits)
  }

  /// Sends to each recipient, and tells what became of each, in words.
  static func run(_ session: SMTPSession, _ recipients: [String]) -> [String] {
    var waiting = recipients[...]
    var told: [String] = []
    session.run(
      next: { waiting.popFirst().map { ($0, SMTPMessage(from: "me@a.test", to: $0, content: message)) } },
      beforeEnd: { told.append("\($0) ends") }, done: { told.append("\($0) \(word($1))") })
    return told
  }

  static func word(_ outcome: SMTPOutcome) -> String {
    switch outcome {
    case .accepted(let reply): "accepted \(reply.code)"
    case .refused(let reply, let stage): "refused \(reply.code) at \(stage)"
    case .lost(_, let mayHaveBeenTaken): mayHaveBeenTaken ? "uncertain" : "lost"
    }
  }

  /// A server that behaves, and refuses recipients whose address begins with a digit with that and two more.
  static func answer(_ peer: ScriptedServer.Peer, pipelining: Bool) {
    peer.greetMail(pipelining ? ["PIPELINING", "8BITMIME"] : ["8BITMIME"])
    var recipient = false
    var sender = false
    while let line = peer.line() {
      switch line.prefix(4) {
      case "MAIL":
        peer.say(sender ? "503 5.5.1 nested MAIL\r\n" : "250 2.1.0 Ok\r\n")
        sender = true
      case "RCPT":
        let name = line.dropFirst("RCPT TO:<".count)
        if let digit = name.first, digit.isNumber {
          peer.say("\(digit)52-\(digit).2.2 full\r\n\(digit)52 \(digit).2.2 really\r\n")
        } else {
          recipient = true
          peer.say("250 2.1.5 Ok\r\n")
        }
      case "RSET":
        (sender, recipient) = (false, false)
        peer.say("250 2.0.0 Ok\r\n")
      case "DATA":
        guard recipient else {
          peer.say("554 5.5.1 no valid recipients\r\n")
          continue
        }
        peer.say("354 go\r\n")
        guard peer.content() != nil else { return }
        (sender, recipient) = (false, false)
        peer.say("250 2.0.0 taken\r\n")
      case "QUIT":
        peer.say("221 bye\r\n")
        return
      default: peer.say("250 Ok\r\n")
      }
    }
  }

  @Test("Refused recipients hold up no other", arguments: [true, false])
  func refusedRecipients(pipelining: Bool) throws {
    let server = try ScriptedServer { Self.answer($0, pipelining: pipelining) }
    let session = try Self.open(server)
    #expect(session.sendsAhead == pipelining)
    #expect(
      Self.run(session, ["a@x.test", "4b@x.test", "c@x.test", "5d@x.test", "5e@x.test", "f@x.test"]) == [
        "a@x.test ends", "a@x.test accepted 250", "4b@x.test refused 452 at recipient",
        "c@x.test ends", "c@x.test accepted 250", "5d@x.test refused 552 at recipient",
        "5e@x.test refused 552 at recipient", "f@x.test ends", "f@x.test accepted 250",
      ])
    #expect(session.reset())
    #expect(session.noop())
    let outcome = session.send(from: "", to: "4g@x.test", message: Self.message, beforeEnd: {})
    guard case .refused(let reply, .recipient) = outcome else {
      Issue.record("\(outcome)")
      return
    }
    #expect(reply.enhanced == "4.2.2" && reply.text == "full really")
    #expect(reply.description == "452 4.2.2 full really")
    session.quit()
    #expect(!session.isUsable)
    #expect(server.connections == 1)
    #expect(server.lines.last == "QUIT" && server.lines.contains("MAIL FROM:<>"))
    #expect(Self.run(session, ["a@x.test"]) == [])
  }

  @Test("With pipelining the next envelope goes out with the end of a message")
  func sendsAhead() throws {
    let server = try ScriptedServer { peer in
      peer.greetMail(["PIPELINING"])
      for round in 0..<2 {
        if round == 0 {
          for start in ["MAIL", "RCPT", "DATA"] where peer.line()?.hasPrefix(start) != true { return }
          peer.say("250 a\r\n250 b\r\n354 c\r\n")
        }
        guard peer.content() != nil else { return }
        if round == 0 {
          // The next one is here though nothing was answered.
          for start in ["MAIL", "RCPT", "DATA"] where peer.line()?.hasPrefix(start) != true { return }
          peer.say("250 taken\r\n250 a\r\n250 b\r\n354 c\r\n")
        } else {
          peer.say("250 taken\r\n")
        }
      }
    }
    #expect(
      Self.run(try Self.open(server), ["a@x.test", "b@x.test"]) == [
        "a@x.test ends", "a@x.test accepted 250", "b@x.test ends", "b@x.test accepted 250",
      ])
  }

  @Test("A server that wants a message to nobody gets an empty one")
  func dataWithoutRecipient() throws {
    let server = try ScriptedServer { peer in
      peer.greetMail(["PIPELINING"])
      for _ in 0..<3 { _ = peer.line() }
      peer.say("250 a\r\n550 5.1.1 unknown\r\n354 c\r\n")
      guard peer.content() == [] else { return }
      peer.say("554 nobody\r\n")
      for _ in 0..<3 { _ = peer.line() }
      peer.say("250 a\r\n250 b\r\n354 c\r\n")
      guard peer.content() != nil else { return }
      peer.say("250 taken\r\n")
    }
    #expect(
      Self.run(try Self.open(server), ["a@x.test", "b@x.test"]) == [
        "a@x.test refused 550 at recipient", "b@x.test ends", "b@x.test accepted 250",
      ])
  }

  /// What the server says to the first message of two, from where on, and what becomes of both.
  static let bad: [(at: String, says: String?, told: [String])] = [
    ("MAIL", "421 4.3.2 stopping\r\n", ["a lost"]),
    ("MAIL", "hello\r\n", ["a lost"]),
    ("MAIL", "354 what\r\n", ["a lost"]),
    ("MAIL", String(repeating: "2", count: 9000), ["a lost"]),
    ("MAIL", nil, ["a lost"]),
    ("RCPT", "421 stopping\r\n", ["a lost"]),
    ("RCPT", "250-a\r\n251 b\r\n", ["a lost"]),
    ("DATA", "421 stopping\r\n", ["a lost"]),
    ("DATA", "250 no\r\n", ["a lost"]),
    ("DATA", nil, ["a lost"]),
    ("DATA", "354 go\r\n250 taken before it came\r\n", ["a lost"]),
    ("DATA", "451 4.3.0 later\r\n", ["a refused 451 at data"]),
    ("end", "451 4.3.0 later\r\n", ["a ends", "a refused 451 at message"]),
    ("end", "554 5.7.1 spam\r\n", ["a ends", "a refused 554 at message"]),
    ("end", "421 4.3.2 stopping\r\n", ["a ends", "a lost", "b lost"]),
    ("end", nil, ["a ends", "a uncertain", "b lost"]),
    ("end", "", ["a ends", "a uncertain", "b lost"]),
    ("end", "hello\r\n", ["a ends", "a uncertain", "b lost"]),
    ("end", "354 more\r\n", ["a ends", "a uncertain", "b lost"]),
    ("end", "250-taken\r\n251 what\r\n", ["a ends", "a uncertain", "b lost"]),
    ("end", String(repeating: "250-and\r\n", count: 200), ["a ends", "a uncertain", "b lost"]),
    ("end", "250 " + String(repeating: "x", count: 5000) + "\r\n", ["a ends", "a uncertain", "b lost"]),
  ]

  /// nil is silence; an empty answer closes the connection.
  @Test("A server that misbehaves", arguments: bad, [true, false])
  func misbehaving(_ one: (at: String, says: String?, told: [String]), pipelining: Bool) throws {
    let server = try ScriptedServer { peer in
      peer.greetMail(pipelining ? ["PIPELINING"] : [])
      var isFirst = true
      var wasRefused = false
      func answer(_ place: String, _ usual: String) -> Bool {
        guard isFirst, one.at == place else { return peer.say(usual) }
        isFirst = false
        guard let says = one.says else {
          _ = peer.line().flatMap { _ in peer.isSilent(milliseconds: 1500) }
          return false
        }
        return !says.isEmpty && peer.say(says)
      }
      while let line = peer.line() {
        switch line.prefix(4) {
        case "MAIL": guard answer("MAIL", "250 a\r\n") else { return }
        case "RCPT": guard answer("RCPT", "250 b\r\n") else { return }
        case "DATA":
          guard answer("DATA", "354 c\r\n") else { return }
          if one.at == "DATA", one.says?.hasPrefix("451") == true, !wasRefused {
            wasRefused = true
            continue
          }
          guard peer.content() != nil, answer("end", "250 taken\r\n") else { return }
        default: peer.say("250 d\r\n")
        }
      }
    }
    let patience = one.says == nil ? 3000 : 10_000
    let session = try Self.open(server, limits: .init(replyMilliseconds: patience, endMilliseconds: patience))
    var expected = one.told
    if !pipelining, one.at == "end", one.told.count > 2 { expected.removeLast() }
    let survives = one.told.last?.contains("refused") == true
    let told = Self.run(session, ["a", "b"])
    #expect(told == expected + (survives ? ["b ends", "b accepted 250"] : []))
    #expect(session.isUsable == survives)
  }

  @Test("A caller that can't note the end of a message sends none")
  func heldBack() throws {
    struct Full: Error {}
    let ended = Mutex(false)
    let server = try ScriptedServer { peer in
      peer.greetMail(["PIPELINING"])
      for _ in 0..<3 { _ = peer.line() }
      peer.say("250 a\r\n250 b\r\n354 c\r\n")
      if peer.content() != nil { ended.withLock { $0 = true } }
    }
    let session = try Self.open(server)
    var outcomes: [String] = []
    var waiting = ["a", "b", "c"][...]
    #expect(throws: Full.self) {
      try session.run(
        next: {
          waiting.popFirst().map { ($0, SMTPMessage(from: "m@a.test", to: $0, content: Self.message)) }
        },
        beforeEnd: { _ throws(Full) in throw Full() }, done: { outcomes.append("\($0) \(Self.word($1))") })
    }
    #expect(outcomes == ["a lost", "b lost"] && waiting == ["c"])
    #expect(!session.isUsable && !ended.withLock { $0 })
  }

  /// Sends content and returns its lines as they were on the wire, and the envelope's.
  static func wire(
    _ content: String, from: String = "m@a.test", to: String = "t@x.test",
    _ extensions: [String] = ["PIPELINING"]
  ) throws -> (outcome: SMTPOutcome, lines: [String], content: [String]) {
    let received = Mutex<[String]>([])
    let server = try ScriptedServer { peer in
      peer.greetMail(extensions)
      for _ in 0..<3 { guard peer.line() != nil else { return } }
      peer.say("250 a\r\n250 b\r\n354 c\r\n")
      guard let content = peer.content() else { return }
      received.withLock { $0 = content }
      peer.say("250 taken\r\n")
      // What would be behind a message that was smuggled in.
      while peer.line() != nil {}
    }
    let session = try Self.open(server)
    let outcome = session.send(from: from, to: to, message: Array(content.utf8), beforeEnd: {})
    session.quit()
    return (outcome, server.lines, received.withLock { $0 })
  }

  @Test(
    "Dots are stuffed, and no lone CR or LF ends a line",
    arguments: [
      ("", []), ("a", ["a"]), ("a\r\n", ["a"]), (".", [".."]),
      (".a\r\n.b\r\n..\r\n.", ["..a", "..b", "...", ".."]),
      ("a\n.\nMAIL FROM:<x>\n", ["a", "..", "MAIL FROM:<x>"]),
      ("a\r.\rb", ["a", "..", "b"]), ("a\r\n.\rb\n", ["a", "..", "b"]), ("a\n.\r\nb", ["a", "..", "b"]),
      ("a\r\r\n.\r\n", ["a", "", ".."]), ("a\n\r.\r\n", ["a", "", ".."]), ("\r\n\r\n", ["", ""]),
      ("a\r", ["a"]),
      ("\n", [""]), ("a\r\nb\rc\nd\r\n", ["a", "b", "c", "d"]),
    ])
  func stuffing(content: String, wire: [String]) throws {
    let sent = try Self.wire(content)
    #expect(sent.content == wire)
    #expect(Self.word(sent.outcome) == "accepted 250")
  }

  @Test func aLargeMessageArrives() throws {
    let line = String(repeating: "x", count: 70)
    let content = String(repeating: line + "\r\n.\r\n", count: 40_000)
    let sent = try Self.wire(content)
    #expect(sent.content.count == 80_000 && sent.content.allSatisfy { $0 == line || $0 == ".." })
    #expect(Self.word(sent.outcome) == "accepted 250")
  }

  @Test func theEnvelopeTellsWhatTheServerUnderstands() throws {
    let all = ["PIPELINING", "SIZE 100000", "8BITMIME", "SMTPUTF8"]
    #expect(try Self.wire("a\r\n", all).lines.contains("MAIL FROM:<m@a.test> SIZE=3"))
    #expect(try Self.wire("ä\r\n", all).lines.contains("MAIL FROM:<m@a.test> SIZE=4 BODY=8BITMIME"))
    let international = try Self.wire("a\r\n", to: "jürgen@x.test", all)
    #expect(international.lines.contains("MAIL FROM:<m@a.test> SIZE=3 SMTPUTF8"))
    #expect(try Self.wire("ä\r\n").lines.contains("MAIL FROM:<m@a.test>"))
  }

  @Test(
    "What can't be sent is refused here",
    arguments: [
      ("a@x.test>\r\nDATA", "5.1.3"), ("a b@x.test", "5.1.3"), ("<a@x.test", "5.1.3"),
      ("a@x.test\0", "5.1.3"),
      ("", "5.1.3"), ("jürgen@x.test", "5.6.7"), ("a\u{85}@x.test", "5.1.3"),
    ])
  func objections(address: String, status: String) throws {
    let sent = try Self.wire("a\r\n", to: address)
    guard case .refused(let reply, .recipient) = sent.outcome else {
      Issue.record("\(sent.outcome)")
      return
    }
    #expect(reply.code == 553 && reply.enhanced == status)
    #expect(sent.lines.filter { !$0.hasPrefix("EHLO") } == ["QUIT"])
    if status == "5.1.3", !address.isEmpty {
      #expect(Self.word(try Self.wire("a\r\n", from: address).outcome) == "refused 553 at mail")
    }
  }

  @Test func aMessageAboveTheServersLimitIsRefusedHere() throws {
    let sent = try Self.wire("12345\r\n", ["PIPELINING", "SIZE 6"])
    #expect(Self.word(sent.outcome) == "refused 552 at mail")
    #expect(Self.word(try Self.wire("12345\r\n", ["PIPELINING", "SIZE 0"]).outcome) == "accepted 250")
  }

  @Test func aReplyIsPlainText() throws {
    let server = try ScriptedServer { peer in
      peer.greetMail([])
      _ = peer.line()
      let long = String(repeating: "y", count: 400)
      peer.say("550-5.7.1 a\u{1B}[31mb\tc\u{202E}d\r\n550-5.7.1 \(long)\r\n550 4.7.1 \(long)\r\n")
    }
    let outcome = try Self.open(server).send(
      from: "m@a.test", to: "a@x.test", message: Self.message, beforeEnd: {})
    guard case .refused(let reply, .mail) = outcome else {
      Issue.record("\(outcome)")
      return
    }
    #expect(reply.enhanced == "5.7.1" && reply.text.hasPrefix("a [31mb c d yyy") && reply.text.count == 512)
  }

  @Test func anIdleSessionThatTheServerEndedIsFoundOut() throws {
    let server = try ScriptedServer { peer in
      peer.greetMail(["PIPELINING"])
      for _ in 0..<3 { _ = peer.line() }
      peer.say("250 a\r\n250 b\r\n354 c\r\n")
      _ = peer.content()
      peer.say("250 taken\r\n421 4.4.2 idle\r\n")
    }
    let session = try Self.open(server)
    #expect(
      Self.word(session.send(from: "", to: "a", message: Self.message, beforeEnd: {})) == "accepted 250")
    Thread.sleep(forTimeInterval: 0.1)
    #expect(!session.reset() && !session.isUsable)
  }

  @Test("A server that does not open", arguments: ["554 5.7.1 go away\r\n", "hello\r\n", "", "220 x\r\n"])
  func unopened(greeting: String) throws {
    let server = try ScriptedServer { peer in
      peer.say(greeting)
      if greeting == "220 x\r\n" {
        _ = peer.isSilent(milliseconds: 5000) || peer.isSilent(milliseconds: 5000)
      }
      if !greeting.isEmpty { while peer.line() != nil {} }
    }
    let start = Date()
    do {
      let patience = ["220 x\r\n", "hello\r\n"].contains(greeting) ? 500 : 10_000
      _ = try Self.open(server, limits: .init(connectMilliseconds: patience, replyMilliseconds: patience))
      Issue.record("it opened")
    } catch let failure as SMTPFailure {
      switch (greeting.prefix(3), failure) {
      case ("554", .refused(let said)): #expect(said.contains("go away"))
      case ("hel", .refused), ("hel", .timeout), ("220", .timeout), ("", .refused), ("", .broken): break
      default: Issue.record("\(failure)")
      }
    }
    #expect(Date().timeIntervalSince(start) < 30)
  }

  @Test func whatIsNotThereIsUnreachable() throws {
    #expect(throws: SMTPFailure.unreachable) {
      try SMTPSession.open(SMTPServer(url: "smtp://127.0.0.1:1"))
    }
    // Where the name server is silent, it is not known in time that there is none of this name.
    let unknown = #expect(throws: SMTPFailure.self) {
      try SMTPSession.open(
        SMTPServer(url: "smtp://nowhere.invalid"), limits: .init(connectMilliseconds: 1500))
    }
    #expect(unknown == .unreachable || unknown == .timeout)
  }

  @Test func withoutTheWantedEncryptionOrCredentialsThereIsNoSession() throws {
    let server = try ScriptedServer {
      $0.greetMail(["PIPELINING"])
      _ = $0.line()
    }
    let place = "127.0.0.1:\(server.port)"
    #expect(throws: SMTPFailure.notEncrypted) {
      try SMTPSession.open(SMTPServer(url: "smtp://\(place)?tls=required"))
    }
    #expect(throws: SMTPFailure.notAuthenticated("it offers no way to tell the credentials")) {
      try SMTPSession.open(SMTPServer(url: "smtp://u:p@\(place)"))
    }
  }
}
