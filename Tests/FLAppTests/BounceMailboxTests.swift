import FLMariaDB
import FLTransfer
import Testing

@testable import FLApp

@Suite struct BounceMailboxTests {
  private struct Unexpected: Error {}

  @Test func oneMessageThatNobodyExpectedHoldsUpNoOther() {
    for error in [DatabaseError.unavailable("away"), .exhausted, .conflict] {
      #expect(BounceMailbox.verdict(error) == .stop, "\(error)")
    }
    #expect(BounceMailbox.verdict(DatabaseError.tooLong(column: "a")) == .keep)
    for error in [
      Unexpected(), DatabaseError.duplicate(constraint: "a"),
      DatabaseError.failed(code: 1290, state: "HY000", message: "read-only"),
    ] as [any Error] {
      #expect(BounceMailbox.verdict(error) == .later, "\(error)")
    }
  }
}
