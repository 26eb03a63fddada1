import FLTransfer
import Foundation
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(60))) struct MailboxReaderTests {
  static let limits = MailboxReader.Limits(
    connectMilliseconds: 10_000, replyMilliseconds: 20_000, totalMilliseconds: 60_000, messages: 3,
    messageBytes: 40)

  /// Answers POP3 with these messages, until one is asked for that is not there.
  static func pop3(_ peer: ScriptedServer.Peer, _ messages: [String], deleted: @escaping (Int) -> Void) {
    peer.say("+OK ready\r\n")
    while let line = peer.line() {
      let words = line.split(separator: " ")
      let number = words.count > 1 ? Int(words[1]) ?? 0 : 0
      switch words.first {
      case "USER", "PASS": peer.say("+OK\r\n")
      case "LIST":
        peer.say("+OK\r\n" + messages.indices.map { "\($0 + 1) 100\r\n" }.joined() + ".\r\n")
      // One that the server lists, and can't give.
      case "RETR" where !messages.indices.contains(number - 1): peer.say("-ERR no such message\r\n")
      case "RETR" where messages[number - 1].isEmpty: peer.say("-ERR not now\r\n")
      case "RETR": peer.say("+OK\r\n\(messages[number - 1])\r\n.\r\n")
      case "DELE":
        deleted(number)
        peer.say("+OK\r\n")
      case "QUIT":
        deleted(0)
        peer.say("+OK\r\n")
        return
      default: peer.say("-ERR what\r\n")
      }
    }
  }

  @Test func pop3IsReadAndDeleted() throws {
    let deleted = Mutex<[Int]>([])
    let messages = ["A: b\r\n\r\n..x\r\nend", String(repeating: "y", count: 100), "third"]
    let server = try ScriptedServer { peer in
      Self.pop3(peer, messages) { number in deleted.withLock { $0.append(number) } }
    }
    var read: [String] = []
    let reader = MailboxReader(
      try MailboxServer(url: "pop3://me:secret@127.0.0.1:\(server.port)"), limits: Self.limits)
    let count = try reader.read { message in
      read.append(String(decoding: message, as: UTF8.self))
      return read.count == 2 ? .keep : .delete
    }
    #expect(count == 2)
    #expect(read == ["A: b\r\n\r\n.x\r\nend\r\n", String(repeating: "y", count: 40), "third\r\n"])
    #expect(deleted.withLock { $0 } == [1, 3, 0])
    #expect(server.lines.contains("PASS secret"))
  }

  @Test func ofMoreMessagesThanAreReadAllComeToTheirTurn() throws {
    let messages = (0..<8).map { "message \($0)" }
    let server = try ScriptedServer { peer in Self.pop3(peer, messages) { _ in } }
    let reader = MailboxReader(
      try MailboxServer(url: "pop3://me:secret@127.0.0.1:\(server.port)"), limits: Self.limits)
    var seen: Set<String> = []
    // None can be handled, and all stay. In a hundred rounds of three each one is reached, but once in 10^18 times.
    for _ in 0..<100 where seen.count < messages.count {
      var read = 0
      let count = try reader.read { message in
        read += 1
        seen.insert(String(decoding: message, as: UTF8.self))
        return .later
      }
      #expect(count == 0 && read == 3)
    }
    #expect(seen.count == messages.count)
  }

  @Test func aMessageThatCanNotBeReadHoldsUpNoOther() throws {
    let deleted = Mutex<[Int]>([])
    // Anybody can send a line that is longer than any buffer.
    let messages = ["A: b\r\n\r\n" + String(repeating: "y", count: 3_000_000) + "\r\nend", "", "third"]
    let server = try ScriptedServer { peer in
      Self.pop3(peer, messages) { number in deleted.withLock { $0.append(number) } }
    }
    var read: [Int] = []
    let reader = MailboxReader(
      try MailboxServer(url: "pop3://me:secret@127.0.0.1:\(server.port)"), limits: Self.limits)
    let count = try reader.read { message in
      read.append(message.count)
      return .delete
    }
    #expect(count == 2 && read == [40, 7] && deleted.withLock { $0 } == [1, 3, 0])
  }

  /// Answers IMAP with messages 7 and 9 at the beginning of a mailbox of `exists`, and `left` that are marked as deleted.
  static func imap(_ peer: ScriptedServer.Peer, expunges: Bool = true, exists: Int = 3, left: String = "") {
    peer.say("* OK ready\r\n")
    while let line = peer.line() {
      let words = line.split(separator: " ")
      func word(_ index: Int) -> Substring { words.indices.contains(index) ? words[index] : "" }
      let command = word(1) == "UID" ? "UID " + word(2) : String(word(1))
      switch command {
      case "CAPABILITY": peer.say("* CAPABILITY IMAP4rev1\r\n")
      case "SELECT": peer.say("* FLAGS (\\Seen)\r\n* \(exists) EXISTS\r\n")
      case "UID SEARCH" where word(5) == "DELETED": peer.say("* SEARCH\(left)\r\n")
      case "UID SEARCH" where !word(3).hasPrefix("1:"): peer.say("* SEARCH\r\n")
      case "UID SEARCH": peer.say("* 3 EXISTS\r\n* SEARCH 9 7\r\n")
      case "UID FETCH":
        let text = word(3) == "7" ? "A: b\r\n\r\nfl4 OK {5}\r\n" : "nine"
        peer.say("* 1 FETCH (UID \(word(3)) BODY[]<0> {\(text.utf8.count)}\r\n\(text))\r\n* 1 RECENT\r\n")
      case "UID EXPUNGE" where !expunges:
        peer.say("\(word(0)) BAD what\r\n")
        continue
      default: break
      }
      peer.say("\(word(0)) OK done\r\n")
      if command == "LOGOUT" { return }
    }
  }

  @Test("IMAP is read and deleted", arguments: [true, false])
  func imap(expunges: Bool) throws {
    let server = try ScriptedServer { Self.imap($0, expunges: expunges) }
    var read: [String] = []
    let reader = MailboxReader(
      try MailboxServer(url: "imap://me:secret@127.0.0.1:\(server.port)/a%22b"), limits: Self.limits)
    let count = try reader.read { message in
      read.append(String(decoding: message, as: UTF8.self))
      return read.count == 1 ? .delete : .keep
    }
    #expect(count == 1 && read == ["A: b\r\n\r\nfl4 OK {5}\r\n", "nine"])
    let said = server.lines.compactMap {
      $0.hasPrefix("fl") ? String($0.drop { $0 != " " }.dropFirst()) : nil
    }
    #expect(
      said == [
        "SELECT \"a\\\"b\"", "UID SEARCH 1:3 UNSEEN UNDELETED", "UID SEARCH 1:3 UNSEEN DELETED",
        "UID FETCH 7 (BODY.PEEK[]<0.40>)",
        "UID STORE 7 +FLAGS.SILENT (\\Deleted)", "UID FETCH 9 (BODY.PEEK[]<0.40>)",
        "UID STORE 9 +FLAGS.SILENT (\\Seen)", "UID EXPUNGE 7",
      ] + (expunges ? [] : ["EXPUNGE"]) + ["LOGOUT"])
  }

  private func said(to server: ScriptedServer, _ word: String) -> [String] {
    server.lines.filter { $0.hasPrefix("fl") && $0.contains(word) }
      .map { String($0.drop { $0 != " " }.dropFirst()) }
  }

  @Test func aLargeMailboxIsSearchedInParts() throws {
    let server = try ScriptedServer { Self.imap($0, exists: 12_001) }
    let reader = MailboxReader(
      try MailboxServer(url: "imap://me:secret@127.0.0.1:\(server.port)"), limits: Self.limits)
    #expect(try reader.read { _ in .delete } == 2)
    #expect(
      said(to: server, "UNDELETED") == [
        "UID SEARCH 1:5000 UNSEEN UNDELETED", "UID SEARCH 5001:10000 UNSEEN UNDELETED",
        "UID SEARCH 10001:12001 UNSEEN UNDELETED",
      ])
    let few = try ScriptedServer { Self.imap($0, exists: 0) }
    let other = MailboxReader(
      try MailboxServer(url: "imap://me:secret@127.0.0.1:\(few.port)"), limits: Self.limits)
    #expect(try other.read { _ in .delete } == 0)
    #expect(said(to: few, "SEARCH").isEmpty)
  }

  @Test func whatABrokenRoundHadMarkedGoesWithTheNext() throws {
    let server = try ScriptedServer { Self.imap($0, left: " 3 4") }
    let reader = MailboxReader(
      try MailboxServer(url: "imap://me:secret@127.0.0.1:\(server.port)"), limits: Self.limits)
    #expect(try reader.read { _ in .delete } == 2)
    #expect(said(to: server, "EXPUNGE") == ["UID EXPUNGE 3,4,7,9"])
  }

  @Test func whatIsForLaterIsLeftAsItIs() throws {
    let server = try ScriptedServer { Self.imap($0) }
    let reader = MailboxReader(
      try MailboxServer(url: "imap://me:secret@127.0.0.1:\(server.port)"), limits: Self.limits)
    var count = 0
    let deleted = try reader.read { _ in
      count += 1
      return .later
    }
    #expect(deleted == 0 && count == 2)
    #expect(said(to: server, "STORE").isEmpty && said(to: server, "EXPUNGE").isEmpty)
  }

  @Test func waitingEndsWhenAllIsOver() throws {
    let asked = DispatchSemaphore(value: 0)
    let isOver = Atomic<Bool>(false)
    // It takes LIST, and never answers.
    let server = try ScriptedServer { peer in
      peer.say("+OK\r\n")
      while let line = peer.line(), line != "LIST" {
        peer.say(line.hasPrefix("CAPA") ? "-ERR\r\n" : "+OK\r\n")
      }
      isOver.store(true, ordering: .releasing)
      asked.wait()
    }
    defer { asked.signal() }
    var limits = Self.limits
    (limits.replyMilliseconds, limits.totalMilliseconds) = (86_400_000, 86_400_000)
    let reader = MailboxReader(
      try MailboxServer(url: "pop3://u:p@127.0.0.1:\(server.port)"), limits: limits)
    #expect(throws: MailboxReader.Failure.lost("The server took too long.")) {
      try reader.read(until: { isOver.load(ordering: .acquiring) }) { _ in .delete }
    }
  }

  @Test(
    "A server that misbehaves",
    arguments: [
      "hello\r\n", "+OK\r\nx y\r\n.\r\n", "", "+OK\r\n1 1\r\n.\r\nhello\r\n", "-ERR no\r\n",
    ])
  func misbehaving(answer: String) throws {
    let server = try ScriptedServer { peer in
      peer.say("+OK\r\n")
      while let line = peer.line(), line != "LIST" {
        peer.say(line.hasPrefix("CAPA") ? "-ERR\r\n" : "+OK\r\n")
      }
      peer.say(answer)
      if !answer.isEmpty { while peer.line() != nil {} }
    }
    let reader = MailboxReader(
      try MailboxServer(url: "pop3://u:p@127.0.0.1:\(server.port)"), limits: Self.limits)
    do {
      _ = try reader.read { _ in .delete }
      Issue.record("it was read")
    } catch {
      switch error {
      case .lost: #expect(!answer.contains("-ERR"))
      case .refused(let said): #expect(said == "-ERR no" && answer.contains("-ERR"))
      case .connection: Issue.record("\(error)")
      }
    }
  }

  @Test func wrongCredentialsAreTold() throws {
    let server = try ScriptedServer { peer in
      peer.say("+OK\r\n")
      while let line = peer.line() { peer.say(line.hasPrefix("USER") ? "+OK\r\n" : "-ERR who are you\r\n") }
    }
    let reader = MailboxReader(
      try MailboxServer(url: "pop3://u:p@127.0.0.1:\(server.port)"), limits: Self.limits)
    #expect(throws: MailboxReader.Failure.connection(.notAuthenticated("-ERR who are you"))) {
      try reader.read { _ in .delete }
    }
  }

  @Test func addressesAreRead() throws {
    let server = try MailboxServer(url: "imaps://u:secret@mail.example.org/Bounces%20here")
    #expect("\(server)" == "imaps://mail.example.org:993" && server.folder == "Bounces here")
    #expect(try MailboxServer(url: "pop3://u:p@x").encryption == .required)
    var dumped = ""
    dump(server, to: &dumped)
    #expect(!dumped.contains("secret"))
    for url in [
      "imap://x", "pop3://u:p@x/folder", "smtp://u:p@x", "imaps://u:p@x?tls=none", "imap://u:p@x/%0D%0A",
    ] {
      #expect(throws: MailServerURLError.self) { try MailboxServer(url: url) }
    }
  }
}
