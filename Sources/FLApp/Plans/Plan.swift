import FLHTTP
import FLValues

/// A plan: what an account may do, and how much of it. `nil` is without limit.
public struct Plan: Sendable, Equatable {
  /// The stable name: `free`, `starter`, `basic`, `professional`, `unlimited`.
  public var code: String
  /// The name for people.
  public var name: String
  /// Links that may be made in a calendar month (UTC).
  public var linksPerMonth: Int?
  /// QR codes that may be made in a calendar month (UTC).
  public var qrcodesPerMonth: Int?
  /// API requests in a minute.
  public var requestsPerMinute: Int?
  /// The largest file that may be uploaded, in bytes.
  public var maxUploadBytes: Int
  /// What all files may take together, in bytes.
  public var storageBytes: Int?
  /// What the plan has beside links, QR codes, files, tags and GeoIP.
  public var features: Set<Feature>
  /// The code of the next larger plan.
  public var next: String?

  /// What only some plans have.
  public enum Feature: String, Sendable, CaseIterable, Comparable {
    case contacts, mailings, organizer, payments

    /// Orders the two.
    public static func < (left: Feature, right: Feature) -> Bool { left.rawValue < right.rawValue }
  }

  static let shape = Shape<Plan>.output(
    "Plan",
    [
      .init("code", \.code, .string), .init("name", \.name, .string),
      .init("linksPerMonth", \.linksPerMonth, .optional(.count)),
      .init("qrcodesPerMonth", \.qrcodesPerMonth, .optional(.count)),
      .init("requestsPerMinute", \.requestsPerMinute, .optional(.count)),
      .init("maxUploadBytes", \.maxUploadBytes, .count),
      .init("storageBytes", \.storageBytes, .optional(.count)),
      .init("features", { $0.features.sorted() }, .list(of: .oneOf(Feature.self))),
    ])
}

/// What an account has used of its plan.
public struct Usage: Sendable {
  /// The plan.
  var plan: Plan
  /// The first moment of the calendar month (UTC) that the numbers are of.
  var month: Timestamp
  /// The first moment of the next one, when they begin anew.
  var resetsAt: Timestamp
  /// Links made in this month.
  var links: Int
  /// QR codes made in this month.
  var qrcodes: Int
  /// Bytes that the files take together.
  var storage: Int
  /// How many files there are.
  var files: Int

  struct Amount: Sendable {
    let used: Int
    let limit: Int?

    static let shape = Shape<Amount>.output(
      "UsageAmount",
      [
        .init("used", \.used, .count), .init("limit", \.limit, .optional(.count)),
        .init("remaining", { amount in amount.limit.map { max(0, $0 - amount.used) } }, .optional(.count)),
      ])
  }

  static let shape = Shape<Usage>.output(
    "Usage",
    [
      .init("plan", \.plan.code, .string), .init("planName", \.plan.name, .string),
      .init("features", { $0.plan.features.sorted() }, .list(of: .oneOf(Plan.Feature.self))),
      .init("month", \.month, .timestamp), .init("resetsAt", \.resetsAt, .timestamp),
      .init("links", { Amount(used: $0.links, limit: $0.plan.linksPerMonth) }, Amount.shape),
      .init("qrcodes", { Amount(used: $0.qrcodes, limit: $0.plan.qrcodesPerMonth) }, Amount.shape),
      .init("storage", { Amount(used: $0.storage, limit: $0.plan.storageBytes) }, Amount.shape),
      .init("files", \.files, .count), .init("maxUploadBytes", \.plan.maxUploadBytes, .count),
    ])
}

extension Problem {
  /// 403: the plan has no more of this, or not at all.
  static func planLimit(_ detail: String, limit: Int, used: Int, plan: Plan) -> Problem {
    Problem(
      403, "plan_limit", "The account's plan does not allow this.", detail: detail,
      members: [
        "limit": .integer(Int64(limit)), "used": .integer(Int64(used)), "plan": .string(plan.code),
        "upgradeTo": plan.next.map { .string($0) } ?? .null,
      ])
  }
}
