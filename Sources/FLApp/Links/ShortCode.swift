import FLHTTP

/// A code of the public namespace: what stands behind the slash of a short address.
public struct ShortCode: Sendable, Hashable, CustomStringConvertible {
  /// How long a code may be, in characters.
  static let length = 3...64
  /// How long a generated one is.
  static let generatedLength = 7
  /// No look-alikes: 0 and O, 1, I and l are left out.
  private static let alphabet = Array("23456789abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ".utf8)

  /// The code, as it was written.
  public let text: String

  /// Reads a code; nil unless it is 3 to 64 of `A-Z a-z 0-9 - _`.
  public init?(_ text: some StringProtocol) {
    guard Self.length.contains(text.utf8.count), text.utf8.allSatisfy(Self.isAllowed) else { return nil }
    self.text = String(text)
  }

  /// A code as the database has it.
  init(stored text: String) { self.text = text }

  /// A new code of 7 characters.
  static func random() -> ShortCode {
    var random = SystemRandomNumberGenerator()
    let bytes = (0..<generatedLength).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
    }
    return ShortCode(stored: String(decoding: bytes, as: UTF8.self))
  }

  /// The text, for people.
  public var description: String { text }

  /// Whether the code is kept for the product itself.
  var isReserved: Bool { Self.reserved.contains(text.lowercased()) }

  private static func isAllowed(_ byte: UInt8) -> Bool {
    (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
      || byte == UInt8(ascii: "-")
      || byte == UInt8(ascii: "_")
  }

  private static let reserved: Set<String> = [
    "about", "account", "accounts", "admin", "api", "app", "assets", "auth", "billing", "blog", "book",
    "booking",
    "bookings", "calendar", "click", "confirm", "contact", "contacts", "dashboard", "docs", "download",
    "embed",
    "error", "favicon", "feed", "files", "geoip", "health", "help", "home", "index", "legal", "link", "links",
    "login", "logout", "mail", "mailing", "new", "null", "oauth", "open", "openapi", "organizer", "password",
    "pay",
    "payment", "payments", "plans", "preview", "pricing", "privacy", "public", "qr", "qrcode", "qrcodes",
    "register",
    "robots", "root", "scalar", "security", "sessions", "settings", "signin", "signup", "sitemap", "static",
    "status", "stripe", "subscribe", "support", "system", "tags", "terms", "track", "undefined",
    "unsubscribe",
    "webhook", "webhooks", "well-known", "www",
  ]
}

extension Shape where Value == ShortCode {
  static var shortCode: Shape {
    Shape(
      schema: Schema([
        "type": "string", "minLength": 3, "maxLength": 64, "pattern": "^[A-Za-z0-9_-]{3,64}$",
        "examples": ["spring-sale"],
      ]),
      readText: { text, reading in
        guard let code = ShortCode(text) else {
          reading.refuse("invalid_code", "This must be 3 to 64 letters, digits, hyphens and underscores.")
          return nil
        }
        guard !code.isReserved else {
          reading.refuse("reserved", "This code is kept for the product itself.")
          return nil
        }
        return code
      },
      write: { $1.string(plain: Array($0.text.utf8)) })
  }
}
