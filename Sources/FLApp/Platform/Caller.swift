import FLHTTP
import FLMariaDB
import FLValues

/// A call of an operation of this application.
public typealias Call = FLHTTP.Call<Caller>
/// An operation of this application.
public typealias Route = FLHTTP.Route<Caller>

/// The part of the API that an API key may be limited to.
public enum Scope: String, Sendable, CaseIterable {
  case links, qrcodes, contacts
  case contactGroups = "contact-groups"
  case mailing, organizer, payments, geoip, files, tags

  /// The feature of a plan that this part needs; nil where every plan has it.
  var feature: Plan.Feature? {
    switch self {
    case .links, .qrcodes, .geoip, .files, .tags: nil
    case .contacts, .contactGroups: .contacts
    case .mailing: .mailings
    case .organizer: .organizer
    case .payments: .payments
    }
  }
}

/// A scope as an API key has it: a part of the API, to read or to change as well.
public struct Grant: Sendable, Hashable, CustomStringConvertible {
  /// The part.
  public let scope: Scope
  /// Whether nothing may be changed.
  public let isReadOnly: Bool

  /// Reads `links` or `links:read`.
  public init?(_ text: some StringProtocol) {
    isReadOnly = text.hasSuffix(":read")
    guard let scope = Scope(rawValue: String(isReadOnly ? text.dropLast(5) : text[...])) else { return nil }
    self.scope = scope
  }

  /// `links` or `links:read`.
  public var description: String { isReadOnly ? scope.rawValue + ":read" : scope.rawValue }
}

extension Access {
  static func scope(_ scope: Scope, reads: Bool = false) -> Access { .scope(scope.rawValue, reads: reads) }
}

/// Who makes a request, and by what right.
public struct Caller: Sendable {
  /// How the caller showed who it is.
  public enum Credential: Sendable {
    /// Not at all.
    case none
    /// A JWT of this session.
    case token(SessionID)
    /// The cookie of this session.
    case cookie(SessionID)
    /// An API key; no grants are full access.
    case key(APIKeyID, grants: [Grant])
  }

  /// How the caller showed who it is.
  public let credential: Credential
  /// The account and its plan; nil for a caller without a credential.
  let member: Member?

  /// What a request needs to know of the account that makes it.
  struct Member: Sendable {
    let account: AccountID
    let plan: Plan
  }

  /// Nobody in particular.
  static let nobody = Caller(credential: .none, member: nil)

  /// The account.
  /// - Throws: `Problem` 401 for a caller without one; operations that need an account are never called by such.
  var account: AccountID {
    get throws(Problem) {
      guard let member else { throw .unauthenticated("No credential came with the request.") }
      return member.account
    }
  }

  /// The account's plan.
  var plan: Plan {
    get throws(Problem) {
      guard let member else { throw .unauthenticated("No credential came with the request.") }
      return member.plan
    }
  }

  /// Whether this is an API key that is limited to some scopes, and so to a part of the account's data.
  var isRestricted: Bool {
    if case .key(_, let grants) = credential { !grants.isEmpty } else { false }
  }

  /// Checks that this caller may call an operation.
  /// - Throws: `Problem` 401 or 403.
  func check(_ route: Route) throws(Problem) {
    guard route.access != .anyone else { return }
    guard let member else { throw .unauthenticated("No credential came with the request.") }
    switch (route.access, credential) {
    case (.person, .key):
      throw Problem(
        403, "person_required", "This is for people, not for API keys.",
        detail: "Log in and use the JWT or the session cookie.")
    case (.unrestricted, _) where isRestricted:
      throw .restricted("This needs full access: a key that is limited to no scopes.")
    case (.scope(let name, let reads), _):
      try checkGrant(name, isRead: reads || route.method == .get)
      if let feature = Scope(rawValue: name)?.feature, !member.plan.features.contains(feature) {
        throw .planLimit(
          "The plan \(member.plan.name) does not have \(feature.rawValue).", limit: 0, used: 0,
          plan: member.plan)
      }
    default: break
    }
  }

  /// Checks that this caller may see the files of its account, where an operation of another scope shows one.
  /// - Throws: `Problem` 403.
  func checkMayReadFiles() throws(Problem) { try checkGrant(Scope.files.rawValue, isRead: true) }

  private func checkGrant(_ name: String, isRead: Bool) throws(Problem) {
    guard case .key(_, let grants) = credential, !grants.isEmpty,
      !grants.contains(where: { $0.scope.rawValue == name && (isRead || !$0.isReadOnly) })
    else { return }
    let required = isRead ? "\(name):read" : name
    throw Problem(
      403, "scope_missing", "The API key lacks a scope.", detail: "This needs the scope \(required).",
      members: ["requiredScope": .string(required)])
  }
}

extension Problem {
  /// 403: this is not for keys that are limited to scopes.
  static func restricted(_ detail: String) -> Problem {
    Problem(
      403, "scope_missing", "The API key lacks a scope.", detail: detail, members: ["requiredScope": "*"])
  }
}
