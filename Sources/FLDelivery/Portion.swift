/// How many recipients are claimed at a time: so many that the line does not run dry, and so few that accounts take turns
/// within a second or two, however slow the mail server is.
struct Portion {
  private static let most = 500
  private static let (short, long) = (Duration.milliseconds(250), Duration.seconds(1))

  private let least: Int
  private(set) var size: Int
  private var last: ContinuousClock.Instant?

  init(carriers: Int) {
    least = max(2, carriers * 2)
    size = least
  }

  /// Notes that one was claimed. The time since the one before is what that took to go out.
  mutating func wasClaimed(at now: ContinuousClock.Instant = .now) {
    defer { last = now }
    guard let time = last?.duration(to: now) else { return }
    if time < Self.short { size = min(Self.most, size * 2) }
    if time > Self.long { size = max(least, size / 2) }
  }
}
