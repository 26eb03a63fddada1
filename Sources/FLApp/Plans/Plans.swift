import FLMariaDB
import FLValues
import Synchronization

/// The plans as this process knows them: every request needs one, and they hardly ever change. What an operator
/// edits holds after `lifetime` at the latest.
final class Plans: Sendable {
  /// How long the plans are not asked for again.
  static let lifetime = Duration.seconds(5)

  private let database: Database
  private let known = Mutex<(plans: [String: Plan], until: Timestamp)>(([:], Timestamp(microseconds: .min)))

  init(database: Database) { self.database = database }

  /// The plan with this code.
  /// - Throws: `DatabaseError`.
  func plan(_ code: String, at now: Timestamp) throws -> Plan {
    if let plan = known.withLock({ now < $0.until ? $0.plans[code] : nil }) { return plan }
    let plans = try PlanRows(queries: database).all()
    let byCode = Dictionary(plans.map { ($0.code, $0) }) { first, _ in first }
    known.withLock { $0 = (byCode, now + Self.lifetime) }
    guard let plan = byCode[code] else {
      throw DatabaseError.conversion(column: "plan", detail: "no such plan")
    }
    return plan
  }
}
