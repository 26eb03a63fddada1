import FLHTTP
import FLValues
import HTTPTypes

/// Counts requests by the minute, over all processes of the host (draft-ietf-httpapi-ratelimit-headers).
///
/// A number of the shared table holds whom it is of (20 bits), which minute (20) and how many (24).
struct RateLimits: Sendable {
  /// What a caller without account may do in a minute, by client network.
  static let anonymousPerMinute = 2400
  /// What the header fields say where there is no limit: the largest integer they can hold (RFC 9651).
  static let unlimited = 999_999_999_999_999

  let table: SharedTable

  /// Where a caller stands in the present minute.
  struct State: Sendable {
    let limit: Int?
    let used: Int
    /// Seconds until the next minute begins.
    let resetsIn: Int

    var isOver: Bool { limit.map { used > $0 } ?? false }

    func write(to headers: inout HTTPFields) {
      let limit = limit ?? RateLimits.unlimited
      headers.append(HTTPField(name: .rateLimitPolicy, value: "\"minute\";q=\(limit);w=60"))
      headers.append(
        HTTPField(name: .rateLimit, value: "\"minute\";r=\(max(0, limit - used));t=\(resetsIn)"))
    }
  }

  /// Counts a request of `subject`.
  func take(_ subject: some Sequence<UInt8>, limit: Int?, at now: Timestamp) -> State {
    let seconds = UInt64(max(0, now.seconds))
    let minute = (seconds / 60) & 0xF_FFFF
    let resetsIn = Int(60 - seconds % 60)
    guard let limit else { return State(limit: nil, used: 0, resetsIn: resetsIn) }
    let hash = spread(subject)
    let owner = (hash >> 44) << 44 | minute << 24
    let mask: UInt64 = 0xFF_FFFF
    // A few cells are looked at; where all are taken by others in this minute, the request is not counted.
    var probe = 0
    while probe < 8 {
      let index = Int(truncatingIfNeeded: hash & 0xFFF_FFFF) &+ probe
      let cell = table.load(index)
      if cell & ~mask == owner {
        let used = min(cell & mask + 1, mask)
        if table.exchange(index, cell, owner | used) {
          return State(limit: limit, used: Int(used), resetsIn: resetsIn)
        }
      } else if (cell >> 24) & 0xF_FFFF != minute {
        if table.exchange(index, cell, owner | 1) { return State(limit: limit, used: 1, resetsIn: resetsIn) }
      } else {
        probe += 1
      }
    }
    return State(limit: limit, used: 0, resetsIn: resetsIn)
  }
}
