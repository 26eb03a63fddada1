import FLApp
import FLValues

/// Whose turn it is: the endpoints that something waits for, one after the other, so that none is held up by what
/// waits for another, by how slow another is, or by how many another account has.
struct WebhookTurns {
  /// Attempts at once.
  static let threads = 8
  /// Attempts at once at the endpoints of one account.
  private static let perAccount = 4
  /// Attempts at once at endpoints that were slow or failed the last time.
  private static let ofDoubtful = 4
  /// How many of those one account may have.
  private static let ofDoubtfulPerAccount = 2

  private var healthy: [WebhookQueue.Turn] = []
  private var doubtful: [WebhookQueue.Turn] = []
  private var byEndpoint: [WebhookEndpointID: Int] = [:]
  private var byAccount: [AccountID: Int] = [:]
  private var doubtfulByAccount: [AccountID: Int] = [:]
  private var doubtfulInHand = 0
  private(set) var inHand = 0

  /// Whether nothing waits that is known of.
  var isEmpty: Bool { healthy.isEmpty && doubtful.isEmpty }

  /// Takes over what is due by now. Who waited before keeps its place; who is new goes to the end.
  mutating func refresh(_ due: [WebhookQueue.Turn]) {
    healthy = Self.merged(healthy, due.filter { !$0.isDoubtful })
    doubtful = Self.merged(doubtful, due.filter(\.isDoubtful))
  }

  private static func merged(_ old: [WebhookQueue.Turn], _ due: [WebhookQueue.Turn]) -> [WebhookQueue.Turn] {
    let now = Set(due.map(\.endpoint))
    let kept = old.filter { now.contains($0.endpoint) }
    let before = Set(kept.map(\.endpoint))
    return kept + due.filter { !before.contains($0.endpoint) }
  }

  /// The next endpoint that may have an attempt, which goes to the end; nil where none may just now.
  mutating func next() -> WebhookQueue.Turn? {
    // One is always for the doubtful, so that they come to their turn where the others have no end.
    if doubtfulInHand == 0, let turn = nextDoubtful() { return turn }
    if let turn = take(from: \.healthy, atOnce: WebhookQueue.inFlight) { return turn }
    return nextDoubtful()
  }

  /// Each may hang to the end of its time: the account that has the fewest of them in hand comes first.
  private mutating func nextDoubtful() -> WebhookQueue.Turn? {
    guard doubtfulInHand < Self.ofDoubtful else { return nil }
    for held in 0..<Self.ofDoubtfulPerAccount {
      let inHand = doubtfulByAccount
      guard let turn = take(from: \.doubtful, atOnce: 1, where: { inHand[$0, default: 0] == held }) else {
        continue
      }
      doubtfulByAccount[turn.account, default: 0] += 1
      doubtfulInHand += 1
      return turn
    }
    return nil
  }

  private mutating func take(
    from queue: WritableKeyPath<WebhookTurns, [WebhookQueue.Turn]>, atOnce: Int,
    where mayHaveOne: (AccountID) -> Bool = { _ in true }
  ) -> WebhookQueue.Turn? {
    let index = self[keyPath: queue].firstIndex {
      byEndpoint[$0.endpoint, default: 0] < atOnce && byAccount[$0.account, default: 0] < Self.perAccount
        && mayHaveOne($0.account)
    }
    guard let index else { return nil }
    let turn = self[keyPath: queue].remove(at: index)
    self[keyPath: queue].append(turn)
    byEndpoint[turn.endpoint, default: 0] += 1
    byAccount[turn.account, default: 0] += 1
    inHand += 1
    return turn
  }

  /// Ends an attempt. One that found nothing, or did not go well, waits until it is known anew what is due.
  mutating func end(_ turn: WebhookQueue.Turn, isGoingOn: Bool) {
    inHand -= 1
    Self.lower(&byEndpoint[turn.endpoint])
    Self.lower(&byAccount[turn.account])
    if turn.isDoubtful {
      doubtfulInHand -= 1
      Self.lower(&doubtfulByAccount[turn.account])
    }
    guard !isGoingOn else { return }
    healthy.removeAll { $0.endpoint == turn.endpoint }
    doubtful.removeAll { $0.endpoint == turn.endpoint }
  }

  private static func lower(_ count: inout Int?) { count = count.flatMap { $0 > 1 ? $0 - 1 : nil } }

  /// Takes up nothing more.
  mutating func stop() { (healthy, doubtful) = ([], []) }
}
