import FLValues
import Foundation
import Testing

@testable import FLApp
@testable import FLDelivery

/// The journal of a run: what it tells when the run is gone.
@Suite struct SenderJournalTests {
  let directory = NSTemporaryDirectory() + "fl-journal-\(UInt64.random(in: 0...UInt64.max))"

  private func message() -> SenderJournal.Message {
    .init(mailing: MailingID(at: .now), contact: ContactID(at: .now))
  }

  @Test func tellsWhatWasAnsweredAndWhatMayHaveGoneOut() throws {
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let sender = SenderID(at: .now)
    let (sent, refused, unknown, open) = (message(), message(), message(), message())
    let (lost, never) = (message(), message())
    var journal: SenderJournal? = try SenderJournal(of: sender, in: directory)
    for one in [sent, refused, open, lost] { #expect(journal?.willEnd(one) == true) }
    let time = Timestamp(microseconds: 1_790_000_000_000_000)
    journal?.answered(sent, code: 250, reply: "250 2.0.0 taken\r\nE forged line", at: time)
    journal?.answered(refused, code: 554, reply: "554 5.7.1 no", at: time)
    journal?.answered(unknown, code: 550, reply: "550 5.1.1 who", isOfRecipient: true, at: time)
    journal?.notTaken(lost)
    // While it lives, nobody else reads it.
    #expect(SenderJournal.remains(in: directory).isEmpty)
    journal = nil
    let remains = try #require(SenderJournal.remains(in: directory).first)
    #expect(remains.sender == sender)
    let fates = try #require(remains.fates)
    #expect(
      fates[sent]
        == .answered(code: 250, reply: "250 2.0.0 taken  E forged line", isOfRecipient: false, at: time))
    #expect(fates[refused] == .answered(code: 554, reply: "554 5.7.1 no", isOfRecipient: false, at: time))
    #expect(fates[unknown] == .answered(code: 550, reply: "550 5.1.1 who", isOfRecipient: true, at: time))
    #expect(fates[open] == .perhaps && fates[lost] == nil && fates[never] == nil && fates.count == 4)
    // Two recoveries at once do not both have it.
    #expect(SenderJournal.remains(in: directory).isEmpty)
    remains.remove()
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory).isEmpty)
  }

  @Test func aLineThatWasCutOffIsLeftOut() throws {
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let (whole, torn) = (message(), message())
    do {
      let journal = try SenderJournal(of: SenderID(at: .now), in: directory)
      _ = journal.willEnd(whole)
      _ = journal.willEnd(torn)
    }
    let name = try #require(try FileManager.default.contentsOfDirectory(atPath: directory).first)
    var data = try Data(contentsOf: URL(fileURLWithPath: directory + "/" + name))
    try #require(data.count > 9)
    data.removeLast(9)
    #expect(SenderJournal.read(data) == [whole: .perhaps])
    // What is noted behind it, when there is room again, is read.
    let next = message()
    data += Data("\nE \(next.mailing) \(next.contact)\n".utf8)
    #expect(SenderJournal.read(data) == [whole: .perhaps, next: .perhaps])
  }

  @Test func eachRecordStandsOnALineOfItsOwnWhateverIsBeforeIt() throws {
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let one = message()
    let journal = try SenderJournal(of: SenderID(at: .now), in: directory)
    let torn = try #require(FileHandle(forWritingAtPath: journal.path))
    try torn.seekToEnd()
    try torn.write(contentsOf: Data("E 01a216".utf8))
    #expect(journal.willEnd(one))
    #expect(SenderJournal.read(try Data(contentsOf: URL(fileURLWithPath: journal.path))) == [one: .perhaps])
  }

  @Test func ofAnotherBootNothingIsKnown() {
    let one = message()
    let text = "boot 00000000-0000-0000-0000-000000000000\nE \(one.mailing) \(one.contact)\n"
    #expect(SenderJournal.read(Data(text.utf8)) == nil)
    #expect(SenderJournal.read(Data()) == nil)
  }
}

/// When to try again, and whose turn it is.
@Suite struct SendingRulesTests {
  @Test func pausesGrowUntilItIsGivenUp() throws {
    let now = Timestamp.now
    var last = Duration.zero
    for attempts in 1..<10 {
      let pause = try #require(Backoff.time(after: attempts, of: 10, at: now)) - now
      #expect(pause > last * 0.8 && pause >= .seconds(50), "\(attempts)")
      last = pause
    }
    #expect(Backoff.time(after: 10, of: 10, at: now) == nil)
  }

  @Test func accountsTakeTurns() throws {
    let (anna, bob) = (AccountID(at: .now), AccountID(at: .now))
    func mailing(_ account: AccountID) -> MailingInHand {
      MailingInHand(id: MailingID(at: .now), account: account, isPrepared: true)
    }
    let mailings = [mailing(anna), mailing(anna), mailing(bob)]
    var turns = Turns()
    var served: [AccountID] = []
    for _ in 0..<6 {
      let next = try #require(turns.order(mailings).first)
      turns.took(next, last: nil)
      served.append(next.account)
    }
    #expect(served == [anna, bob, anna, bob, anna, bob])
  }

  @Test func aServerThatIsDownIsLeftAloneAndTriedNowAndThen() {
    let breaker = Breaker()
    let now = ContinuousClock.now
    for _ in 0..<Breaker.tolerance {
      #expect(breaker.mayConnect(at: now))
      breaker.failed("down", at: now)
    }
    #expect(breaker.isOpen && !breaker.mayConnect(at: now) && breaker.trouble == "down")
    // Others that were connecting at the same moment make the pause no longer.
    for _ in 0..<10 { breaker.failed("down too", at: now) }
    // One knocks after the pause, and nobody else beside it.
    #expect(breaker.mayConnect(at: now + .seconds(3)) && !breaker.mayConnect(at: now + .seconds(3)))
    breaker.failed("down", at: now + .seconds(3))
    #expect(!breaker.mayConnect(at: now + .seconds(5)) && breaker.mayConnect(at: now + .seconds(8)))
    breaker.succeeded()
    #expect(!breaker.isOpen && breaker.mayConnect(at: now + .seconds(8)) && breaker.trouble == nil)
  }

  @Test func portionsFollowThePaceOfTheServer() {
    var portion = Portion(carriers: 4)
    var now = ContinuousClock.now
    #expect(portion.size == 8)
    for _ in 0..<10 {
      portion.wasClaimed(at: now)
      now += .milliseconds(20)
    }
    #expect(portion.size == 500)
    for _ in 0..<3 {
      now += .seconds(2)
      portion.wasClaimed(at: now)
    }
    #expect(portion.size == 62)
    now += .milliseconds(500)
    portion.wasClaimed(at: now)
    #expect(portion.size == 62)
    for _ in 0..<10 {
      now += .seconds(9)
      portion.wasClaimed(at: now)
    }
    #expect(portion.size == 8)
  }

  @Test(
    "What a server says is judged by its code, its status, and what it is about",
    arguments: [
      (550, "5.1.1", "no such user", true, "bounced"), (550, nil, "no such user here", true, "bounced"),
      (552, "5.2.2", "mailbox full", true, "failed"), (554, "5.7.1", "spam", false, "failed"),
      (550, "5.7.1", "policy", true, "failed"), (550, "5.1.1", "no such user", false, "bounced"),
      (550, nil, "sender refused", false, "failed"), (452, "4.3.1", "later", true, "retry"),
      (421, nil, "busy", false, "retry"),
    ] as [(Int, String?, String, Bool, String)])
  func verdicts(code: Int, enhanced: String?, words: String, isOfRecipient: Bool, wanted: String) {
    let verdict = Verdict(
      code: code, enhanced: enhanced,
      reply: [String(code), enhanced, words].compactMap { $0 }.joined(separator: " "),
      isOfRecipient: isOfRecipient)
    let outcome: String
    switch verdict.outcome(.now) {
    case .bounced: outcome = "bounced"
    case .failed: outcome = "failed"
    case .retry: outcome = "retry"
    default: outcome = "other"
    }
    #expect(outcome == wanted)
  }

  @Test func piecesAreFewAndWhole() {
    let all = Array(0..<1000)
    #expect(
      all.halvedChunks(of: 128).flatMap { $0 } == all
        && all.chunks(of: 300).map(\.count) == [300, 300, 300, 100])
    #expect(Array(0..<77).halvedChunks(of: 128).map(\.count) == [64, 8, 4, 1])
    #expect([Int]().halvedChunks(of: 5).isEmpty)
  }
}
