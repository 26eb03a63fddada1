import FLValues
import Testing

@testable import FLApp
@testable import FLDelivery

/// Whose turn it is: nobody is held up by another.
@Suite struct WebhookTurnsTests {
  private func turn(of account: AccountID = AccountID(at: .now), isDoubtful: Bool = false)
    -> WebhookQueue.Turn
  {
    WebhookQueue.Turn(
      endpoint: WebhookEndpointID(at: .now), account: account, isDoubtful: isDoubtful)
  }

  private func take(_ turns: inout WebhookTurns, _ count: Int) -> [WebhookQueue.Turn] {
    (0..<count).compactMap { _ in turns.next() }
  }

  @Test func endpointsTakeTurns() throws {
    var turns = WebhookTurns()
    let three = [turn(), turn(), turn()]
    turns.refresh(three)
    let taken = take(&turns, 8)
    try #require(taken.map(\.endpoint) == (three + three).map(\.endpoint))
    turns.end(taken[1], isGoingOn: true)
    #expect(turns.next()?.endpoint == three[1].endpoint && turns.next() == nil)
  }

  @Test func anAccountLeavesRoomForOthers() {
    var turns = WebhookTurns()
    let (greedy, other) = (AccountID(at: .now), turn())
    turns.refresh((0..<25).map { _ in turn(of: greedy) } + [other])
    let taken = take(&turns, 8)
    #expect(taken.count { $0.account == greedy } == 4 && taken.count { $0.endpoint == other.endpoint } == 2)
  }

  @Test func theSlowLeaveRoomForTheHealthy() {
    var turns = WebhookTurns()
    let slow = (0..<20).map { _ in turn(isDoubtful: true) }
    turns.refresh(slow)
    #expect(take(&turns, 8).map(\.endpoint) == slow[..<4].map(\.endpoint))
    let healthy = turn()
    turns.refresh(slow + [healthy])
    #expect(take(&turns, 8).map(\.endpoint) == [healthy.endpoint, healthy.endpoint])
  }

  @Test func anAccountWithManySlowOnesHoldsUpNoOther() throws {
    var turns = WebhookTurns()
    let greedy = AccountID(at: .now)
    turns.refresh((0..<25).map { _ in turn(of: greedy, isDoubtful: true) } + [turn(isDoubtful: true)])
    let taken = take(&turns, 8)
    #expect(taken.count { $0.account == greedy } == 2 && taken.count == 3)
    // Who has none in hand comes before who has some, wherever it stands.
    let (second, third) = (AccountID(at: .now), turn(isDoubtful: true))
    turns = WebhookTurns()
    turns.refresh([greedy, greedy, greedy, second, second].map { turn(of: $0, isDoubtful: true) })
    let four = take(&turns, 8)
    try #require(four.map(\.account) == [greedy, second, greedy, second])
    turns.refresh((0..<5).map { _ in turn(of: greedy, isDoubtful: true) } + [third])
    turns.end(four[0], isGoingOn: false)
    #expect(turns.next()?.endpoint == third.endpoint && turns.next() == nil)
  }

  @Test func theSlowComeToTheirTurn() {
    var turns = WebhookTurns()
    let slow = turn(isDoubtful: true)
    turns.refresh((0..<20).map { _ in turn() } + [slow])
    #expect(take(&turns, 8).count { $0.endpoint == slow.endpoint } == 1)
  }

  @Test func whoWaitedKeepsItsPlaceAndWhoFailedWaits() {
    var turns = WebhookTurns()
    let (first, second, third) = (turn(), turn(), turn())
    turns.refresh([first, second])
    _ = turns.next()
    turns.refresh([third, first, second])
    #expect(turns.next()?.endpoint == second.endpoint)
    turns.end(first, isGoingOn: false)
    #expect(turns.next()?.endpoint == third.endpoint && turns.next()?.endpoint == second.endpoint)
    turns.refresh([])
    #expect(turns.isEmpty && turns.inHand == 3)
  }
}
