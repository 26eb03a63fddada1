/// What a User-Agent header says of the program, the system and the device.
///
/// The header is the client's claim and may be anything: only its first 512 bytes are looked at.
public struct UserAgent: Hashable, Sendable {
  /// The kind of device.
  public enum Device: UInt8, Sendable, CaseIterable {
    /// A computer with a screen of its own.
    case desktop = 1
    /// A phone.
    case mobile = 2
    /// A tablet or a reader.
    case tablet = 3
    /// A program without a person before it.
    case bot = 4
    /// A television, a console, or what is not known.
    case other = 5

    /// The word of the wire form and of the statistics.
    public var name: String {
      switch self {
      case .desktop: "desktop"
      case .mobile: "mobile"
      case .tablet: "tablet"
      case .bot: "bot"
      case .other: "other"
      }
    }
  }

  /// The browser's name; nil when it is not known.
  public let browser: String?
  /// The operating system's name; nil when it is not known.
  public let system: String?
  /// The kind of device.
  public let device: Device
  /// Whether it is a crawler, a preview fetcher, a monitor or a programming library; an empty header is one.
  public let isBot: Bool

  /// Whether `header` is that of a program without a person before it. Some 100 ns: it may be asked at each
  /// redirect.
  public static func isBot(_ header: String) -> Bool {
    isBot(Self.tokens(header, limit: ClickLimits.userAgent), header)
  }

  /// Reads a header.
  public init(_ header: String) {
    let found = Self.tokens(header, limit: ClickLimits.userAgent)
    isBot = Self.isBot(found, header)
    browser = isBot ? nil : Self.browsers.first { found.contains($0.token) }?.name
    system = Self.systems.first { found.contains($0.token) }?.name
    device = isBot ? .bot : Self.device(found)
  }

  private static func isBot(_ found: Token, _ header: String) -> Bool {
    // Cubot is a maker of phones, whose name stands in the headers of its customers.
    found.contains(.bot) || (found.contains(.botWord) && !found.contains(.cubot)) || header.isEmpty
      || header.utf8.prefix(8).allSatisfy { $0 == 32 || $0 == 45 }
  }

  private static func device(_ found: Token) -> Device {
    if !found.isDisjoint(with: [.television, .console]) { return .other }
    if found.contains(.iPad) || found.contains(.tabletWord) { return .tablet }
    if found.contains(.android) { return found.contains(.mobileWord) ? .mobile : .tablet }
    if !found.isDisjoint(with: [.iPhone, .mobileWord, .phone, .kaiOS]) { return .mobile }
    if !found.isDisjoint(with: [.windows, .mac, .chromeOS, .linux, .bsd]) { return .desktop }
    return .other
  }
}
