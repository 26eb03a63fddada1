import FLApp
import FLValues

/// Whose turn it is: accounts take turns, and within an account the mailing that was queued first goes first.
struct Turns {
  /// How far ahead, in minutes, somebody is put off at most.
  private static let mostMinutes: Int64 = 60

  private var served: [AccountID: Int] = [:]
  private var count = 0
  private var places: [MailingID: ContactID] = [:]
  private var slots: [String: (minute: Int64, used: Int)] = [:]

  /// The mailings, those first whose account has waited longest.
  func order(_ mailings: [MailingInHand]) -> [MailingInHand] {
    mailings.enumerated().sorted {
      let (left, right) = (served[$0.element.account] ?? -1, served[$1.element.account] ?? -1)
      return left == right ? $0.offset < $1.offset : left < right
    }.map(\.element)
  }

  /// Behind which contact the next claim begins.
  func last(of mailing: MailingID) -> ContactID? { places[mailing] }

  /// Notes that a mailing had its turn.
  mutating func took(_ mailing: MailingInHand, last: ContactID?) {
    count += 1
    served[mailing.account] = count
    places[mailing.id] = last
  }

  /// The minute from which a recipient at `domain` is tried again, which takes no more in the present one: as many get
  /// each as its limit lets through, and who finds no place in the next hour any of that.
  mutating func minute(for domain: String, limit: Int, now: Int64) -> Int64 {
    var slot = slots[domain] ?? (now + 1, 0)
    if slot.minute <= now { slot = (now + 1, 0) }
    if slot.used >= max(1, limit) { slot = (slot.minute + 1, 0) }
    guard slot.minute <= now + Self.mostMinutes else { return now + .random(in: 1...Self.mostMinutes) }
    slot.used += 1
    slots[domain] = slot
    return slot.minute
  }
}

/// When a message is tried again that was refused for the time being.
enum Backoff {
  /// Seconds between the attempts: first for greylisting, then longer, three days in all with ten attempts.
  private static let pauses = [60, 300, 900, 1800, 3600, 7200, 14_400, 28_800, 43_200, 86_400]

  /// When to try again after so many attempts, at `now`; nil when it is to be given up.
  static func time(after attempts: Int, of most: Int, at now: Timestamp) -> Timestamp? {
    guard attempts < most else { return nil }
    let pause = Double(pauses[min(max(0, attempts - 1), pauses.count - 1)])
    // Spread, so that those who were refused together do not come together.
    return now + .milliseconds(Int(pause * Double.random(in: 850...1150)))
  }
}
