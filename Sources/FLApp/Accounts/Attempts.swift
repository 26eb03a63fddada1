import Foundation
import FLCrypto
import FLHTTP
import FLMariaDB
import FLValues

/// Slows down who guesses secrets: wrong guesses are counted in the database, so that they count over all
/// processes, and after some free ones each doubles the wait until the next is looked at.
struct Attempts: Sendable {
  let database: Database
  private let key: [UInt8]

  /// What is guarded, and how many wrong guesses in a quarter of an hour are free.
  struct Subject: Sendable {
    fileprivate let digest: [UInt8]
    let free: Int
  }

  init(database: Database, secret: MasterKey) {
    self.database = database
    key = secret.key(for: "attempts")
  }

  /// The subject called `name`. It is kept as a keyed digest, so that no address stands in the database.
  func subject(_ name: String, free: Int) -> Subject {
    Subject(digest: digest(name), free: free)
  }

  /// The subject called `name` in the quarter of an hour that `now` is in, for what is no guess: it counts until that is
  /// over, however steadily it goes on.
  func subject(_ name: String, free: Int, inQuarterHourOf now: Timestamp) -> Subject {
    subject("\(name) \(now.seconds / 900)", free: free)
  }

  /// How long the quarter of an hour that `now` is in will be.
  static func restOfQuarterHour(at now: Timestamp) -> Duration {
    Timestamp(seconds: (now.seconds / 900 + 1) * 900) - now
  }

  private func digest(_ name: String) -> [UInt8] { HMACSHA256.code(Array(name.utf8), key: key) }

  /// Lets a guess at all of `subjects` pass.
  /// - Throws: `Problem` 429 while one of them is blocked, with `words` and a wait of at most `longestWait`.
  func check(
    _ subjects: [Subject], at now: Timestamp, longestWait: Duration = .seconds(900),
    _ words: String = "There were too many wrong tries. Wait before the next one."
  ) throws {
    let row = try database.row(
      "SELECT MAX(blocked_until) AS until FROM attempts WHERE subject IN (\(subjects.map(\.digest)))")
    guard let until: Timestamp = try row?["until"], until > now else { return }
    throw Problem.rateLimited(retryAfter: min(until - now, longestWait), words)
  }

  /// Counts a wrong guess.
  func failed(_ subjects: [Subject], at now: Timestamp) throws {
    let forgotten = now - .seconds(900)
    for subject in subjects.sorted(by: { $0.digest.lexicographicallyPrecedes($1.digest) }) {
      // MariaDB assigns from left to right: `failures` is the new number in the last line.
      _ = try database.run(
        """
        INSERT INTO attempts (subject, failures, last_failed_at, blocked_until)
        VALUES (\(subject.digest), 1, \(now), \(now))
        ON DUPLICATE KEY UPDATE
          failures = IF(last_failed_at < \(forgotten), 1, failures + 1),
          last_failed_at = \(now),
          blocked_until = IF(failures <= \(subject.free), \(now),
            TIMESTAMPADD(SECOND, LEAST(900, POW(2, LEAST(failures - \(subject.free) - 1, 10))), \(now)))
        """)
    }
  }

  /// Forgets the wrong guesses.
  func succeeded(_ subject: Subject) throws {
    _ = try database.run("DELETE FROM attempts WHERE subject = \(subject.digest)")
  }

  /// Whether the account with this address was logged in to from `client` in the last 30 days.
  func knows(client: String, emailKey: String, at now: Timestamp) throws -> Bool {
    try database.row(
      """
      SELECT 1 AS known FROM known_clients
      WHERE subject = \(digest("known \(client) \(emailKey)")) AND seen_at > \(now - .seconds(30 * 86_400))
      """) != nil
  }

  /// Remembers that the account was logged in to from `client`.
  func remember(client: String, emailKey: String, account: AccountID, at now: Timestamp) throws {
    _ = try database.run(
      """
      INSERT INTO known_clients (subject, account_id, seen_at)
      VALUES (\(digest("known \(client) \(emailKey)")), \(account), \(now))
      ON DUPLICATE KEY UPDATE seen_at = \(now)
      """)
  }

  /// Takes away what is too old to matter.
  func purge(at now: Timestamp) throws {
    _ = try database.run("DELETE FROM attempts WHERE last_failed_at < \(now - .seconds(86_400)) LIMIT 10000")
    _ = try database.run(
      "DELETE FROM known_clients WHERE seen_at < \(now - .seconds(30 * 86_400)) LIMIT 10000")
  }
}

/// A client as limits see it: an IPv4 address, or the /64 network of an IPv6 one, which is one customer's.
func clientNetwork(_ address: String) -> String {
  guard address.contains(":") else { return address }
  var parsed = in6_addr()
  guard inet_pton(AF_INET6, address, &parsed) == 1 else { return address }
  let bytes = withUnsafeBytes(of: &parsed) { Array($0) }
  if bytes[..<10].allSatisfy({ $0 == 0 }) && bytes[10] == 0xFF && bytes[11] == 0xFF {
    return bytes[12...].map(String.init).joined(separator: ".")
  }
  return Hex.encode(Array(bytes[..<8])) + "/64"
}
