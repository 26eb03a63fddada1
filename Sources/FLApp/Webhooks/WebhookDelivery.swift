import FLHTTP
import FLMariaDB
import FLValues

/// The identifier of a delivery.
public typealias WebhookDeliveryID = ID<WebhookDelivery>

/// One event on its way to one endpoint, or there.
public struct WebhookDelivery: Sendable {
  /// How far a delivery has come.
  enum Status: String, Sendable, CaseIterable, SQLConvertible {
    /// It waits for its next attempt.
    case pending
    /// It was taken.
    case delivered
    /// It was given up.
    case failed
  }

  var id: WebhookDeliveryID
  var eventID: ID<WebhookEventRow>
  var event: String
  var status: Status
  var attempts: Int
  var statusCode: Int?
  var error: String?
  var response: String?
  var durationMilliseconds: Int?
  var createdAt: Timestamp
  var attemptedAt: Timestamp?
  var deliveredAt: Timestamp?
  /// Nil while it is not known: it is being attempted, or is not attempted any more.
  var nextAttemptAt: Timestamp?

  static let shape = Shape<WebhookDelivery>.output("WebhookDelivery", members())

  fileprivate static func members() -> [Shape<WebhookDelivery>.Member] {
    [
      .init("id", \.id, .id()), .init("eventId", \.eventID, eventID),
      .init("event", \.event, .string), .init("status", \.status, .oneOf(Status.self)),
      .init("attempts", \.attempts, .count), .init("statusCode", \.statusCode, statusCode),
      .init("error", \.error, error), .init("response", \.response, response),
      .init("durationMs", \.durationMilliseconds, .optional(.count)),
      .init("createdAt", \.createdAt, .timestamp), .init("attemptedAt", \.attemptedAt, time),
      .init("deliveredAt", \.deliveredAt, delivered), .init("nextAttemptAt", \.nextAttemptAt, next),
    ]
  }

  private static let eventID: Shape<ID<WebhookEventRow>> = Shape<ID<WebhookEventRow>>.id().described(
    "The `id` of the body and the `webhook-id`: the same at each attempt and each endpoint.")
  private static let statusCode: Shape<Int?> = Shape<Int?>.optional(.count).described(
    "Of the last answer.")
  private static let error: Shape<String?> = Shape<String?>.optional(.string).described(
    "Why there was no answer, or none that counts.")
  private static let response: Shape<String?> = Shape<String?>.optional(.string).described(
    "The beginning of the last answer.")
  private static let time: Shape<Timestamp?> = .optional(.timestamp)
  private static let delivered: Shape<Timestamp?> = Shape<Timestamp?>.optional(.timestamp).described(
    "When it was taken the last time; it stays where the event is sent once more.")
  private static let next: Shape<Timestamp?> = Shape<Timestamp?>.optional(.timestamp).described(
    "Null while it is being attempted, and where it is not attempted any more.")
}

/// A delivery with what is sent.
struct WebhookDeliveryWithBody: Sendable {
  let delivery: WebhookDelivery
  let body: JSON

  static let shape = Shape<WebhookDeliveryWithBody>.output(
    "WebhookDeliveryWithBody",
    WebhookDelivery.members().map { $0.lifted(from: \.delivery) } + [
      .init("body", \.body, message)
    ])

  private static let message: Shape<JSON> = {
    var shape = Shape<JSON>.any
    shape.schema = WebhookMessage.schema(event: ["type": "string"], data: Schema(["type": "object"]))
      .named("WebhookMessage")
    return shape
  }()
}

/// What is sent to an endpoint: `{"id", "event", "timestamp", "data"}`.
struct WebhookMessage: Sendable {
  let id: ID<WebhookEventRow>
  let event: String
  let happenedAt: Timestamp
  /// JSON, as it was written when it happened: each attempt sends the same bytes.
  let data: String

  var bytes: [UInt8] {
    Array("{\"id\":\"\(id)\",\"event\":\"\(event)\",\"timestamp\":\"\(happenedAt)\",\"data\":\(data)}".utf8)
  }

  static func schema(event: JSON, data: Schema) -> Schema {
    Schema(
      [
        "type": "object",
        "properties": [
          "id": ["type": "string", "format": "uuid"], "event": event,
          "timestamp": ["type": "string", "format": "date-time"], "data": data.json,
        ],
        "required": ["id", "event", "timestamp", "data"],
      ], named: data.named)
  }
}
