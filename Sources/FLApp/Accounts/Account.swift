import FLHTTP
import FLValues

/// The identifier of an account.
public typealias AccountID = ID<Account>
/// The identifier of a log-in that still holds.
public typealias SessionID = ID<Session>

/// A log-in that still holds.
public enum Session {}

/// A tenant: whoever registered. Everything else belongs to one, and is seen by nobody else.
public struct Account: Sendable {
  /// Who it is.
  public var id: AccountID
  /// The address to log in with, as it was typed.
  public var email: String
  /// The name for people.
  public var name: String
  /// The code of its plan.
  public var plan: String
  /// Counts the changes.
  public var version: Int
  /// When it was made.
  public var createdAt: Timestamp
  /// When it was last changed.
  public var updatedAt: Timestamp

  static let shape = Shape<Account>.output(
    "User",
    [
      .init("id", \.id, .id()), .init("email", \.email, .string), .init("name", \.name, .string),
      .init("plan", \.plan, .string), .init("createdAt", \.createdAt, .timestamp),
      .init("updatedAt", \.updatedAt, .timestamp),
    ])

  var tag: EntityTag { EntityTag(version: version) }
}

/// An e-mail address as it is taken: `local@domain` of at most 254 characters (RFC 5321, section 4.5.3.1).
struct EmailAddress: Sendable, Hashable {
  /// As it was typed.
  let text: String
  /// What two addresses are compared by: the text in lower case.
  var key: String { text.lowercased() }

  /// Reads an address; nil for what no mail could be sent to.
  init?(_ text: String) {
    // By scalars: a combining mark behind a character makes another `Character` of it.
    let scalars = text.unicodeScalars
    let halves = scalars.split(separator: "@", omittingEmptySubsequences: false)
    let refused = Set("\"(),:;<>[\\]".unicodeScalars)
    guard scalars.count <= 254, halves.count == 2, (1...64).contains(String(halves[0]).utf8.count),
      !scalars.contains(where: {
        $0.value <= 0x20 || (0x7F...0xA0).contains($0.value) || $0.properties.isWhitespace
          || refused.contains($0)
      })
    else { return nil }
    // A dot-atom (RFC 5322, section 3.2.3): dots stand between characters.
    let atoms = halves[0].split(separator: ".", omittingEmptySubsequences: false)
    guard atoms.allSatisfy({ !$0.isEmpty }) else { return nil }
    let labels = halves[1].split(separator: ".", omittingEmptySubsequences: false)
    guard labels.count >= 2,
      labels.allSatisfy({ label in
        // Letters, digits and hyphens (RFC 1123, section 2.1), and what an international name is written with.
        !label.isEmpty && String(label).utf8.count <= 63 && label.first != "-" && label.last != "-"
          && label.allSatisfy {
            $0.value > 0x7F || $0.properties.isAlphabetic || ("0"..."9").contains($0) || $0 == "-"
          }
      })
    else { return nil }
    self.text = text
  }
}

extension Shape where Value == EmailAddress {
  static var email: Shape {
    let atom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
    let label = "[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
    return Shape(
      schema: Schema([
        "type": "string", "format": "email", "maxLength": 254,
        "pattern":
          // All that is taken of ASCII: what it forbids is refused.
          .string("^\(atom)(\\.\(atom))*@(\(label)\\.)+\(label)$"),
      ]),
      readText: { text, reading in
        guard let address = EmailAddress(text) else {
          reading.refuse("invalid_email", "This must be an e-mail address like anna@example.org.")
          return nil
        }
        return address
      },
      write: { $1.string($0.text) })
  }
}

extension Shape where Value == String {
  /// A password that somebody chooses: 8 to 256 characters of any kind.
  static var newPassword: Shape { secret(8...256) }

  /// A password that somebody proves to know.
  static var password: Shape { secret(1...256) }

  private static func secret(_ length: ClosedRange<Int>) -> Shape {
    Shape(
      schema: Schema([
        "type": "string", "format": "password", "minLength": .integer(Int64(length.lowerBound)),
        "maxLength": .integer(Int64(length.upperBound)), "writeOnly": true,
      ]),
      readText: { text, reading in
        guard length.contains(text.unicodeScalars.count) else {
          reading.refuse(
            text.unicodeScalars.count < length.lowerBound ? "too_short" : "too_long",
            "This must have \(length.lowerBound) to \(length.upperBound) characters.")
          return nil
        }
        return text
      },
      write: { $1.string($0) })
  }
}

/// Who wants to register.
struct Registration: Sendable {
  let email: EmailAddress
  let password: String
  let name: String

  static let shape = Shape(
    Registration.init(email:password:name:),
    Field("email", \.email, .email), Field("password", \.password, .newPassword),
    Field("name", \.name, .text(1...255))
  ).named("Registration")
}

/// An address and a password.
struct Credentials: Sendable {
  let email: String
  let password: String

  // The address is any text here: what is no address is simply unknown.
  static let shape = Shape(
    Credentials.init(email:password:),
    Field("email", \.email, .text(1...254)), Field("password", \.password, .password)
  ).named("Credentials")
}

/// What a person may change of the own account.
struct AccountChanges: Sendable {
  let name: String?
  let email: EmailAddress?
  let currentPassword: String?

  static let shape = Shape(
    AccountChanges.init(name:email:currentPassword:),
    Field("name", \.name, .maybe(.text(1...255))), Field("email", \.email, .maybe(.email)),
    Field(
      "currentPassword", \.currentPassword,
      .maybe(.password.described("Needed to change the address.")))
  ).named("UserChanges")
}

/// A new password from somebody who knows the present one.
struct PasswordChange: Sendable {
  let currentPassword: String
  let newPassword: String

  static let shape = Shape(
    PasswordChange.init(currentPassword:newPassword:),
    Field("currentPassword", \.currentPassword, .password), Field("newPassword", \.newPassword, .newPassword)
  ).named("PasswordChange")
}

/// A new password from somebody who got the reset mail.
struct PasswordReset: Sendable {
  let token: String
  let newPassword: String

  static let shape = Shape(
    PasswordReset.init(token:newPassword:),
    Field("token", \.token, .text(1...255)), Field("newPassword", \.newPassword, .newPassword)
  ).named("PasswordReset")
}

/// What a log-in gives to a program.
struct TokenPair: Sendable {
  let token: String
  let expiresIn: Int
  let refreshToken: String
  let user: Account

  static let shape = Shape<TokenPair>.output(
    "Tokens",
    [
      .init("token", \.token, .string), .init("tokenType", { _ in "Bearer" }, .string),
      .init("expiresIn", \.expiresIn, Shape.count.described("Seconds that `token` holds.")),
      .init("refreshToken", \.refreshToken, .string), .init("user", \.user, Account.shape),
    ])
}

/// What a log-in gives to the web UI, beside the cookie.
struct CookieSession: Sendable {
  let user: Account
  let csrfToken: String

  static let shape = Shape<CookieSession>.output(
    "Session",
    [
      .init("user", \.user, Account.shape),
      .init("csrfToken", \.csrfToken, Shape.string.described("Goes into `X-CSRF-Token` of every write.")),
    ])
}
