import FLMariaDB
import Testing

@testable import FLApp

@Suite struct BounceMailboxTests {
  private struct Unexpected: Error {}

  @Test func oneMessageThatNobodyExpectedHoldsUpNoOther() {
    for error in [
      Unexpected(), DatabaseError.tooLong(column: "a"), DatabaseError.duplicate(constraint: "a"),
      DatabaseError.failed(code: 1064, state: "42000", message: ""),
    ] as [any Error] {
      #expect(!BounceMailbox.isAboutAll(error), "\(error)")
    }
    for error in [DatabaseError.unavailable("away"), .exhausted, .conflict] {
      #expect(BounceMailbox.isAboutAll(error), "\(error)")
    }
  }
}
