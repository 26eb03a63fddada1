import FLHTTP
import FLMariaDB
import FLValues
import Logging
import Testing

@testable import FLApp
@testable import FLDelivery

/// Mails of the system and tests of mailings: how often they are tried, and when they are given up.
@Suite struct MailOutboxTests {
  private let house: House
  private let anna: Client

  init() throws {
    house = try House()
    anna = try house.account()
    _ = try house.app.database.run("DELETE FROM mail_outbox")
  }

  private func round() throws -> SingleMailRound {
    try SingleMailRound(
      app: house.app, logger: Logger(label: "test"), isLast: { true }, stop: { false })
  }

  /// Takes the one that waits, whatever it waits for, and lets it end like this; false where none waits any more.
  private func attempt(_ fate: MailFate) throws -> Bool {
    _ = try house.app.database.run("UPDATE mail_outbox SET due_at = NULL")
    _ = try house.app.database.run("UPDATE mailing_tests SET leased_until = NULL")
    let round = try round()
    guard let mail = round.next(waits: false) else { return false }
    round.done(mail, fate)
    return true
  }

  private func forget() {
    #expect(anna.post("/api/auth/password/forgot", ["email": .string(anna.email)]).status < 300)
  }

  @Test func oneOfUnknownFateIsSentAFewTimesAtMost() throws {
    forget()
    for _ in 0..<3 { #expect(try attempt(.unknown(reason: "it hung up"))) }
    #expect(try !attempt(.unknown(reason: "it hung up")))
    #expect(
      try house.count(
        "SELECT COUNT(*) FROM mail_outbox WHERE failed_at IS NOT NULL AND smtp_reply = 'it hung up' AND body = ''"
      )
        == 1)
  }

  @Test func oneOverWhichConnectionsBreakIsGivenUp() throws {
    forget()
    let most = house.settings.sending.attempts
    for _ in 0..<most { #expect(try attempt(.notTaken(reason: "broken"))) }
    #expect(try !attempt(.notTaken(reason: "broken")))
  }

  @Test func whatWasNotTriedIsNoAttempt() throws {
    forget()
    for _ in 0..<20 { #expect(try attempt(.notTried)) }
    #expect(try house.count("SELECT COUNT(*) FROM mail_outbox WHERE attempts = 0 AND failed_at IS NULL") == 1)
    #expect(try attempt(.taken(code: 250, reply: "ok")))

    let mailing = try anna.mailing().string("id")
    #expect(anna.post("/api/mailing/\(mailing)/test", ["to": ["t@example.org"]]).status == 202)
    for _ in 0..<5 { #expect(try attempt(.notTried)) }
    for _ in 0..<3 { #expect(try attempt(.notTaken(reason: "broken"))) }
    #expect(try !attempt(.notTaken(reason: "broken")))
  }

  @Test func whatCanNotBeOpenedHoldsUpNobody() throws {
    let queue = MailOutbox(settings: house.settings)
    let (database, now) = (house.app.database, Timestamp.now)
    for number in 0..<25 {
      try queue.queue(
        toAccountWithEmailKey: anna.email.lowercased(), subject: "\(number)", body: "x", on: database, at: now
      )
    }
    // Under a secret that is gone.
    _ = try database.run("UPDATE mail_outbox SET body = REVERSE(body)")
    forget()
    let found = try queue.claim(10, for: .seconds(60), from: database, at: .now)
    #expect(found.count == 1)
    #expect(try queue.claim(10, for: .seconds(60), from: database, at: .now).isEmpty)
    #expect(try house.count("SELECT COUNT(*) FROM mail_outbox WHERE failed_at IS NULL") == 26)
    let later = now + .seconds(4 * 86_400)
    _ = try queue.claim(10, for: .seconds(60), from: database, at: later)
    #expect(try house.count("SELECT COUNT(*) FROM mail_outbox WHERE failed_at IS NOT NULL") == 25)
  }
}
