import FLHTTP
import FLMariaDB
import FLValues
public import Logging

/// What an operator does beside the API, from the command line.
public struct Administration {
  private let settings: Settings
  private let database: Database
  private let accounts: AccountService

  /// Why something can't be done.
  public enum Failure: Error, CustomStringConvertible {
    /// There is an account with the address.
    case addressTaken
    /// There is no account with the address.
    case noAccount(String)
    /// There is no plan of that code.
    case noPlan(String, known: [String])
    /// A field is wrong.
    case invalid(String)

    /// Whether it is about an address that has an account.
    public var isAddressTaken: Bool { if case .addressTaken = self { true } else { false } }

    /// The text, for people.
    public var description: String {
      switch self {
      case .addressTaken: "There is an account with this address already."
      case .noAccount(let email): "There is no account with the address \(email)."
      case .noPlan(let plan, let known):
        "There is no plan \(plan); the plans are \(known.joined(separator: ", "))."
      case .invalid(let words): words
      }
    }
  }

  /// Works on the copy that `settings` are of.
  public init(_ settings: Settings, logger: Logger) {
    self.settings = settings
    database = Database(settings.database, logger: logger)
    accounts = AccountService(
      database: database, tokens: Tokens(settings: settings),
      attempts: Attempts(database: database, secret: settings.secret), mail: MailOutbox(settings: settings),
      passwords: Passwords(lane: Lane(workers: 1)),
      baseURL: settings.baseURL)
  }

  /// Brings the database to this program's schema; answers the names of the changes.
  public func migrate() throws -> [String] {
    try Migrations(directory: settings.share + "/sql").apply(to: database)
  }

  /// An account that was made, with what is never shown again.
  public struct NewAccount {
    let email: String
    let password: String
    let apiKey: String?
    let baseURL: String

    /// One line of JSON.
    public var json: String {
      JSON.object([
        "baseUrl": .string(baseURL), "email": .string(email), "password": .string(password),
        "apiKey": apiKey.map { .string($0) } ?? .null,
      ]).text
    }

    /// Lines for a person.
    public var words: String {
      "email:    \(email)\npassword: \(password)" + (apiKey.map { "\nAPI key:  \($0)" } ?? "")
    }
  }

  /// Makes an account, and an API key with full access where a name for it is given.
  public func createAccount(email: String, password: String, name: String, plan: String, apiKeyName: String?)
    throws
    -> NewAccount
  {
    try check(plan: plan)
    let registration: Registration
    do {
      registration = try Registration.shape.read(
        ["email": .string(email), "password": .string(password), "name": .string(name)])
    } catch {
      throw Failure.invalid(error.errors.map { "\($0.field): \($0.message)" }.joined(separator: "\n"))
    }
    let now = Timestamp.now
    let account: Account
    do {
      account = try accounts.register(registration, plan: plan, at: now)
    } catch let problem as Problem where problem.status == 409 {
      throw Failure.addressTaken
    }
    let key = try apiKeyName.map {
      try APIKeyRoutes(database: database, generations: Generations(settings: settings)).create(
        NewAPIKey(name: $0, grants: nil, expiresAt: nil), account: account.id, at: now
      ).key
    }
    return NewAccount(email: account.email, password: password, apiKey: key, baseURL: settings.baseURL)
  }

  /// Puts the account with this address on a plan.
  public func setPlan(_ plan: String, of email: String) throws {
    try check(plan: plan)
    guard
      try AccountRows(queries: database).setPlan(plan, emailKey: email.lowercased(), at: .now)
    else { throw Failure.noAccount(email) }
    try Generations(settings: settings).changed(.credentials)
  }

  /// A line for each plan.
  public func plans() throws -> [String] {
    try PlanRows(queries: database).all().map { plan in
      func amount(_ limit: Int?) -> String { limit.map(String.init) ?? "no limit" }
      return """
        \(plan.code): links a month \(amount(plan.linksPerMonth)), QR codes a month \(amount(plan.qrcodesPerMonth)), \
        requests a minute \(amount(plan.requestsPerMinute)), upload \(plan.maxUploadBytes) bytes, storage \
        \(amount(plan.storageBytes)) bytes, \(plan.features.isEmpty ? "no more" : plan.features.sorted().map(\.rawValue).joined(separator: ", "))
        """
    }
  }

  private func check(plan: String) throws {
    let known = try PlanRows(queries: database).all().map(\.code)
    guard known.contains(plan) else { throw Failure.noPlan(plan, known: known) }
  }
}
