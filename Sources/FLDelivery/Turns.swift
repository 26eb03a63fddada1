import FLApp
import FLValues

/// Whose turn it is: accounts take turns, and within an account the mailing that was queued first goes first.
struct Turns {
  private var served: [AccountID: Int] = [:]
  private var count = 0
  private var places: [MailingID: ContactID] = [:]

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
