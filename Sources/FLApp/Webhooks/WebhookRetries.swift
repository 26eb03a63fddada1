import FLMariaDB
import FLValues

/// What came of an attempt to deliver.
public struct WebhookOutcome: Sendable {
  /// The HTTP status of the answer; nil where there was none.
  public var statusCode: Int?
  /// Why there was no answer.
  public var failure: String?
  /// The beginning of the answer's body, as it came.
  public var response: [UInt8]
  /// How long the receiver wants to be left alone (`Retry-After`).
  public var retryAfter: Duration?
  /// How long it took.
  public var duration: Duration

  /// An outcome: a status, or a failure.
  public init(
    statusCode: Int? = nil, failure: String? = nil, response: [UInt8] = [], retryAfter: Duration? = nil,
    duration: Duration = .zero
  ) {
    (self.statusCode, self.failure, self.response) = (statusCode, failure, response)
    (self.retryAfter, self.duration) = (retryAfter, duration)
  }

  /// Only 2xx is success.
  public var isSuccess: Bool { statusCode.map { (200...299).contains($0) } ?? false }

  /// The receiver wants nothing more, ever.
  var isGone: Bool { statusCode == 410 }

  /// What the log says of it; nil where it went well.
  var error: String? {
    guard let statusCode else { return (failure ?? "There was no answer.").cut(toBytes: 250) }
    return switch statusCode {
    case 200...299: nil
    case 300...399: "Redirects are not followed: give the address that it leads to."
    case 410: "The receiver wants nothing more (410), so the webhook is disabled."
    default: "Status \(statusCode) is no success."
    }
  }

  /// How much of an answer is kept, in bytes.
  public static let keptResponse = 1024

  /// The beginning of the answer as text: broken UTF-8 repaired, control characters but line ends and tabs taken away.
  var responseText: String? {
    let text = String(decoding: response.prefix(Self.keptResponse), as: UTF8.self)
    let clean = text.unicodeScalars.filter {
      $0.properties.generalCategory != .control || $0 == "\n" || $0 == "\t"
    }
    // Repairing may have made it longer, and the column counts characters.
    let kept = String(String.UnicodeScalarView(clean.prefix(Self.keptResponse)))
    return kept.isEmpty ? nil : kept
  }

  var milliseconds: Int { Int(duration.wholeMicroseconds / 1000) }

  /// Whether it took so long that others are not to wait behind it.
  public var isSlow: Bool { duration >= .seconds(2) }
}

/// When a delivery is tried again, and when an endpoint is given up.
enum WebhookRetries {
  /// How long after an attempt the next one comes (Standard Webhooks 1.0 has the same): ten attempts in three days.
  private static let delays: [Duration] = [
    .seconds(5), .seconds(5 * 60), .seconds(30 * 60), .seconds(2 * 3600), .seconds(5 * 3600),
    .seconds(10 * 3600),
    .seconds(14 * 3600), .seconds(20 * 3600), .seconds(24 * 3600),
  ]

  /// Attempts in all.
  static let attempts = delays.count + 1

  /// The longest that a receiver may put a delivery off.
  private static let longestDelay = Duration.seconds(24 * 3600)

  /// The longest that a receiver may have the whole endpoint left alone.
  private static let longestHold = Duration.seconds(3600)

  /// How long after the attempt `number`, counted from 1, the next one comes; nil after the last. `jitter` is from 0
  /// to 1 and makes it up to a tenth shorter or longer: what failed together does not come together again.
  static func delay(after number: Int, jitter: Double, retryAfter: Duration?) -> Duration? {
    guard number >= 1, number <= delays.count else { return nil }
    let delay = delays[number - 1] * (0.9 + 0.2 * min(max(jitter, 0), 1))
    return min(max(delay, retryAfter ?? .zero), max(longestDelay, delay))
  }

  /// How long nothing at all is sent to an endpoint.
  static func hold(_ outcome: WebhookOutcome) -> Duration? {
    outcome.retryAfter.map { min($0, longestHold) }
  }

  /// An endpoint is given up when nothing has succeeded for three days, in which ten attempts or more failed.
  static func isHopeless(failures: Int, since: Timestamp?, at now: Timestamp) -> Bool {
    guard let since else { return false }
    return failures >= attempts && now - since >= .seconds(3 * 86_400)
  }
}
