import FLCrypto
import FLDNS
import FLMariaDB
public import FLTransfer
public import FLValues
import Foundation

/// How this copy of FastLinkIt is set up: read from environment variables and a file of `NAME=value` lines.
public struct Settings: Sendable {
  /// The directory of what must survive a restart: `spool`, `mail`, `files`, `run`.
  public var state: String
  /// The public address without a slash at its end: `https://go.example.org`.
  public var baseURL: String
  /// The secret from which all keys are derived.
  public var secret: MasterKey
  /// Secrets that were in force before: what they sealed or signed still holds.
  public var previousSecrets: [MasterKey]
  /// The directory with `sql` and `web`.
  public var share: String
  /// The directory with Scalar's `standalone.js`.
  public var scalar: String
  /// The path below which nginx sends files of `files` (`X-Accel-Redirect`); nil where the program does.
  public var accel: String?
  /// The TrueType font of the captions below QR codes.
  public var font = "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"
  /// How many hosts this copy runs on. With more than one nothing is remembered that another host could revoke.
  public var hosts = 1
  /// The Unix socket of `fastlinkit serve`; nil where it is handed over by whoever starts the program.
  public var socket: String?
  /// The directory with the operator's GeoIP databases; nil for none.
  public var geoIPDirectory: String?
  /// The address of a GeoIP provider with `{ip}` in it; nil for none. It may hold a key.
  public var geoIPProvider: String?
  /// How many seconds the provider may take.
  public var geoIPTimeout = 2
  /// The mail server that mail is handed to, as `SMTPServer` reads it; nil writes files into `mail`. It may hold a
  /// password.
  public var smtpServer: String?
  /// The limits of sending.
  public var sending = Sending()
  /// Where what can't be delivered comes back to; each message has a return path of its own made of it.
  public var bounceAddress: String
  /// The mailbox that bounces are fetched from; nil for none.
  public var bounceMailbox: MailboxServer?
  /// The address that mail comes from, where nothing else is said.
  public var mailFrom: String
  /// The DNS server that is asked for the records of sending domains, `address:port`; nil for the system's.
  public var dnsServer: String?
  /// Networks of the operator's own that webhooks may be sent to although they are not public.
  public var webhookAllow = AddressNetworks()
  /// How the database is reached.
  public var database: Database.Configuration

  /// The limits of sending mail.
  public struct Sending: Sendable {
    /// Connections to the mail server at once, of one run of the sender.
    public var connections = 8
    /// Messages in a minute in all; nil without limit. Over all hosts, as the next two.
    public var perMinute: Int?
    /// Messages in a minute of one account.
    public var perMinuteOfAccount: Int?
    /// Messages in a minute to one receiving domain.
    public var perMinuteToDomain: Int?
    /// How many times a message is tried that a server refuses for the time being.
    public var attempts = 10
  }

  /// Why the settings can't be used, and what to do about it.
  public struct Failure: Error, CustomStringConvertible {
    /// One sentence for the operator.
    public let description: String

    /// A reason.
    package init(description: String) { self.description = description }
  }

  /// Settings from their parts, as tests make them.
  public init(
    state: String, baseURL: String, secret: MasterKey, share: String, scalar: String? = nil,
    database: Database.Configuration
  ) {
    self.state = state
    self.baseURL = baseURL
    self.secret = secret
    previousSecrets = []
    bounceAddress = "bounce@" + Self.host(of: baseURL)
    self.share = share
    self.scalar = scalar ?? share + "/scalar"
    mailFrom = Self.mailFrom(at: baseURL)
    self.database = database
  }

  /// Reads the settings: the environment goes before the file.
  ///
  /// The file is `path`, else `$FL_CONFIG`, else the first that is there of `$FL_STATE/fastlinkit.env`
  /// (FL_STATE: `./var`), `fastlinkit.env` beside the program, and `/etc/fastlinkit/fastlinkit.env`.
  /// - Throws: `Failure` that names the setting.
  public static func load(
    file path: String? = nil, environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws -> Settings {
    var values: [String: String] = [:]
    if let file = path ?? environment["FL_CONFIG"] {
      guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
        throw Failure(description: "The settings file \(file) can't be read.")
      }
      values = parse(text)
    } else {
      let candidates = [
        (environment["FL_STATE"] ?? "var") + "/fastlinkit.env", programDirectory + "/fastlinkit.env",
        "/etc/fastlinkit/fastlinkit.env",
      ]
      for candidate in candidates {
        guard let text = try? String(contentsOfFile: candidate, encoding: .utf8) else { continue }
        values = parse(text)
        break
      }
    }
    values.merge(environment.filter { $0.key.hasPrefix("FL_") }) { _, new in new }
    return try Settings(values)
  }

  private init(_ values: [String: String]) throws {
    func value(_ name: String) -> String? { values[name].flatMap { $0.isEmpty ? nil : $0 } }
    func number(_ name: String, _ standard: Int, _ range: ClosedRange<Int>) throws -> Int {
      guard let text = value(name) else { return standard }
      guard let number = Int(text), range.contains(number) else {
        throw Failure(
          description: "\(name) must be a number from \(range.lowerBound) to \(range.upperBound).")
      }
      return number
    }
    state = Self.absolute(value("FL_STATE") ?? "var")
    guard let secretText = value("FL_SECRET") else {
      throw Failure(
        description:
          "FL_SECRET is not set: put the line that `fastlinkit secret` prints into the settings file.")
    }
    guard let secret = MasterKey(text: secretText) else {
      throw Failure(description: "FL_SECRET must be 32 random bytes as base64 or 64 hexadecimal digits.")
    }
    self.secret = secret
    previousSecrets = try (value("FL_SECRET_PREVIOUS") ?? "").split(separator: ",").map {
      guard let key = MasterKey(text: String($0)) else {
        throw Failure(description: "FL_SECRET_PREVIOUS must be secrets like FL_SECRET with commas between.")
      }
      return key
    }
    let base = value("FL_BASE_URL") ?? "http://127.0.0.1:8080"
    guard let url = WebURL(base), ["", "/"].contains(url.path), url.query == nil, url.fragment == nil else {
      throw Failure(
        description: "FL_BASE_URL must be an address like https://go.example.org, without a path or a query.")
    }
    // As browsers write it, which it is compared with.
    baseURL = url.origin
    accel = value("FL_ACCEL")
    if let accel, !accel.hasPrefix("/") || !accel.hasSuffix("/") {
      throw Failure(
        description: "FL_ACCEL must be a path like /files-internal/, as the location of nginx has it.")
    }
    if let path = value("FL_FONT") { font = Self.absolute(path) }
    hosts = try number("FL_HOSTS", 1, 1...1000)
    socket = value("FL_SOCKET").map(Self.absolute)
    share = Self.absolute(value("FL_SHARE") ?? Self.programDirectory + "/../share/fastlinkit")
    scalar = Self.absolute(value("FL_SCALAR") ?? share + "/scalar")
    geoIPDirectory = value("FL_GEOIP_DIR").map(Self.absolute)
    geoIPProvider = value("FL_GEOIP_URL")
    if let address = geoIPProvider,
      !address.contains("{ip}") || WebURL(address.replacing("{ip}", with: "ip")) == nil
    {
      throw Failure(description: "FL_GEOIP_URL must be an address like https://ipwho.is/{ip}.")
    }
    mailFrom = value("FL_MAIL_FROM") ?? Self.mailFrom(at: baseURL)
    guard EmailAddress(mailFrom) != nil else {
      throw Failure(description: "FL_MAIL_FROM must be an e-mail address like no-reply@example.org.")
    }
    dnsServer = value("FL_DNS")
    do {
      _ = try DNSResolver(server: dnsServer)
    } catch {
      throw Failure(description: "FL_DNS: \(error)")
    }
    geoIPTimeout = try number("FL_GEOIP_TIMEOUT", 2, 1...10)
    smtpServer = value("FL_SMTP_URL")
    func maybe(_ name: String) throws -> Int? {
      try value(name) == nil ? nil : number(name, 1, 1...1_000_000_000)
    }
    sending.connections = try number("FL_SMTP_CONNECTIONS", 8, 1...100)
    sending.perMinute = try maybe("FL_SMTP_PER_MINUTE")
    sending.perMinuteOfAccount = try maybe("FL_SMTP_ACCOUNT_PER_MINUTE")
    sending.perMinuteToDomain = try maybe("FL_SMTP_DOMAIN_PER_MINUTE")
    sending.attempts = try number("FL_SMTP_ATTEMPTS", 10, 1...50)
    bounceAddress = value("FL_BOUNCE_ADDRESS") ?? "bounce@" + Self.host(of: baseURL)
    let bounceParts = bounceAddress.split(separator: "@", omittingEmptySubsequences: false)
    // `local+<48 characters>` must not be longer than a local part may be (RFC 5321, section 4.5.3.1.1).
    guard bounceParts.count == 2, (1...15).contains(bounceParts[0].utf8.count), !bounceParts[1].isEmpty,
      bounceAddress.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !"+<>,;:\"()[]\\".utf8.contains($0) })
    else {
      throw Failure(
        description:
          "FL_BOUNCE_ADDRESS must be an address like bounce@example.org, with at most 15 characters before the @."
      )
    }
    do {
      bounceMailbox = try value("FL_BOUNCE_MAILBOX").map { try MailboxServer(url: $0) }
    } catch {
      throw Failure(description: "FL_BOUNCE_MAILBOX can't be used. \(error)")
    }
    do {
      webhookAllow = try AddressNetworks(value("FL_WEBHOOK_ALLOW") ?? "")
    } catch {
      throw Failure(description: "FL_WEBHOOK_ALLOW must be networks with commas between. \(error)")
    }
    var database = Database.Configuration(name: value("FL_DB_NAME") ?? "fastlinkit")
    database.socket = value("FL_DB_SOCKET")
    database.host = value("FL_DB_HOST") ?? "localhost"
    database.port = try number("FL_DB_PORT", 3306, 1...65_535)
    database.user = value("FL_DB_USER") ?? "fastlinkit"
    database.password = value("FL_DB_PASSWORD") ?? ""
    database.poolSize = try number("FL_DB_POOL", 8, 1...256)
    self.database = database
  }

  /// The host of an address, without a port.
  static func host(of url: String) -> String { WebURL(url)?.host ?? "localhost" }
  /// The address that mail comes from where none is set; what runs at an IP address or without a domain sends nothing
  /// that anybody could answer.
  private static func mailFrom(at baseURL: String) -> String {
    let host = WebURL(baseURL).flatMap { DomainName($0.host) }
    return "no-reply@" + (host?.text ?? "localhost.localdomain")
  }

  /// The directory that the running program lies in.
  public static var programDirectory: String {
    let program = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    return (program as NSString).deletingLastPathComponent
  }

  private static func absolute(_ path: String) -> String {
    path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
  }

  /// Reads `NAME=value` lines; `#` begins a comment line, quotes around a value are taken away.
  static func parse(_ text: String) -> [String: String] {
    var values: [String: String] = [:]
    for line in text.split(whereSeparator: \.isNewline) {
      let line = line.trimmingCharacters(in: .whitespaces)
      guard !line.hasPrefix("#"), let equals = line.firstIndex(of: "=") else { continue }
      let name = line[..<equals].trimmingCharacters(in: .whitespaces)
      var value = line[line.index(after: equals)...].trimmingCharacters(in: .whitespaces)
      for quote in ["\"", "'"] where value.count >= 2 && value.hasPrefix(quote) && value.hasSuffix(quote) {
        value = String(value.dropFirst().dropLast())
      }
      values[name] = value
    }
    return values
  }

  /// Makes the directories of the state that are not there yet.
  /// - Throws: `Failure` where one can't be made.
  public func makeDirectories() throws {
    for name in ["spool", "mail", "files", "imports", "run"] {
      let path = state + "/" + name
      do {
        try FileManager.default.createDirectory(
          atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
      } catch {
        throw Failure(
          description: "The directory \(path) can't be made: give the program's user FL_STATE to write to.")
      }
    }
  }
}
