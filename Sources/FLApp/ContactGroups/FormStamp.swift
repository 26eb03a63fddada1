import FLCrypto
import FLValues

/// The time at which a form was shown, signed: it tells programs, which fill in a form at once, from people.
///
/// Forms on other sites and scripts have no stamp, and are taken without: a program can leave it out, but one that
/// fills in whatever forms it finds does not.
struct FormStamp: Sendable {
  /// How a stamp looks to whoever gets it back.
  enum Verdict: Sendable, Equatable {
    case good
    /// The form was sent sooner than a person can fill it in.
    case tooYoung
    /// The form was shown too long ago, or its stamp is none of ours.
    case tooOld
  }

  /// The time that a person needs at least.
  static let least = Duration.seconds(2)
  /// How long a form may lie around.
  static let most = Duration.seconds(86_400)

  private let keys: [[UInt8]]

  init(settings: Settings) {
    keys = ([settings.secret] + settings.previousSecrets).map { $0.key(for: "forms") }
  }

  /// The stamp of a form about `subject` that is shown now.
  func make(for subject: String, at now: Timestamp) -> String {
    let text = String(now.microseconds)
    return text + "." + code(text, subject, keys[0])
  }

  /// Looks at a stamp that came back.
  func check(_ stamp: String, for subject: String, at now: Timestamp) -> Verdict {
    let halves = stamp.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard halves.count == 2, let microseconds = Int64(halves[0]),
      keys.contains(where: { key in
        constantTimeEqual(Array(halves[1].utf8), Array(code(halves[0], subject, key).utf8))
      })
    else { return .tooOld }
    let age = now - Timestamp(microseconds: microseconds)
    if age < Self.least { return .tooYoung }
    return age > Self.most ? .tooOld : .good
  }

  private func code(_ text: String, _ subject: String, _ key: [UInt8]) -> String {
    Base64URL.encode(Array(HMACSHA256.code(Array("\(subject) \(text)".utf8), key: key).prefix(16)))
  }
}
