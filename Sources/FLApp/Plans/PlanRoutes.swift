import FLHTTP
import FLMariaDB
import FLValues

/// Plans, and what an account has used of its own.
struct PlanRoutes {
  let database: Database

  var routes: [Route] {
    [
      Route(
        .get, "/api/plans", "listPlans", access: .anyone, tag: "Account", summary: "List the plans",
        reply: .list(Plan.shape, named: "Plan"), handler: { _ in try list() }),
      Route(
        .get, "/api/account/usage", "getUsage", access: .account, tag: "Account",
        summary: "Read what was used of the plan",
        reply: .ok(Usage.shape), handler: { call in try usage(call) }),
    ]
  }

  func list() throws -> Page<Plan> {
    let plans = try PlanRows(queries: database).all()
    return Page(items: plans, nextCursor: nil, total: plans.count)
  }

  func usage(_ call: Call) throws -> Usage {
    let month = call.now.startOfMonth
    let storage = try FileRows(account: call.caller.account, queries: database).storage()
    let used = try PlanRows(queries: database).usage(of: call.caller.account, in: month)
    return Usage(
      plan: try call.caller.plan, month: month, resetsAt: month.startOfNextMonth, links: used.links,
      qrcodes: used.qrcodes, storage: storage.bytes, files: storage.files)
  }
}

extension Timestamp {
  /// The first moment of this point's calendar month (UTC).
  var startOfMonth: Timestamp {
    let civil = civil
    return CivilTime(year: civil.year, month: civil.month, day: 1)?.timestamp ?? self
  }

  /// The first moment of the calendar month (UTC) after this point's.
  var startOfNextMonth: Timestamp { (startOfMonth + .seconds(32 * 86_400)).startOfMonth }
}
