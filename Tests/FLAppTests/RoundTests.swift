import FLMariaDB
import FLValues
import Testing

@testable import FLApp

/// What is done only so often over all hosts.
@Suite struct RoundTests {
  private static let shared = Result { try House() }
  let house: House

  init() throws { house = try Self.shared.get() }

  @Test func oneOfManyGetsIt() throws {
    let database = house.app.database
    let now = Timestamp.now
    for time in [now, now + .seconds(60)] {
      let taken = try inParallel(8) { _ in
        Result { try Rounds(queries: database).begin("many", for: .seconds(60), at: time) }
      }.map { try $0.get() }
      #expect(taken.filter { $0 }.count == 1)
    }
  }

  @Test func itIsHeldUntilItIsGivenBackOrTheLeaseIsOver() throws {
    let rounds = Rounds(queries: house.app.database)
    let now = Timestamp.now
    #expect(try rounds.begin("held", for: .seconds(600), at: now))
    #expect(try !rounds.begin("held", for: .seconds(600), at: now + .seconds(599)))
    #expect(try rounds.begin("other", for: .seconds(600), at: now))
    try rounds.end("held", nextAt: now + .seconds(60))
    #expect(try !rounds.begin("held", for: .seconds(600), at: now + .seconds(59)))
    #expect(try rounds.begin("held", for: .seconds(600), at: now + .seconds(60)))
    // Whoever has it now dies.
    #expect(try rounds.begin("held", for: .seconds(600), at: now + .seconds(660)))
  }
}
