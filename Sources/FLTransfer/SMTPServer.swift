import Glibc

/// A mail server to send by: where it is, who sends, and when the connection is encrypted.
public struct SMTPServer: Sendable, Equatable, CustomStringConvertible {
  /// A name, or an IP address; an IPv6 one in brackets.
  public let host: String
  /// The TCP port.
  public let port: Int
  /// Who sends; nil without credentials.
  public let user: String?
  /// When the connection is encrypted; `required` for smtps.
  public let encryption: MailEncryption
  /// Whether TLS begins with the connection (RFC 8314, section 3) and not by STARTTLS (RFC 3207).
  public let isImplicitlyEncrypted: Bool
  /// The file of the certificate authorities to trust instead of the system's.
  public let authorities: String?
  /// The name by which the server is greeted (RFC 5321, section 4.1.1.1).
  public let ownName: String
  let password: String?

  /// Reads `smtp://[user:password@]host[:port][?tls=none|opportunistic|required&ca=/path&name=host.example.org]` or
  /// `smtps://…`; user and password are percent-encoded.
  ///
  /// The port is 25, of smtps 465. Without `tls`, smtp is encrypted where the server offers it, and always where there
  /// are credentials and the host is another one. Without `name` it is the host's own.
  public init(url: String) throws(MailServerURLError) {
    let parts = try MailServerURL(url, schemes: ["smtp", "smtps"], parameters: ["tls", "ca", "name"])
    guard parts.path.isEmpty else {
      throw MailServerURLError(
        description: "Behind the mail server's host is no path; its name is told by ?name=.")
    }
    isImplicitlyEncrypted = parts.scheme == "smtps"
    host = parts.host
    port = parts.port ?? (isImplicitlyEncrypted ? 465 : 25)
    (user, password) = (parts.user, parts.password)
    encryption = try parts.encryption(isImplicit: isImplicitlyEncrypted)
    authorities = parts.query["ca"]
    if let name = parts.query["name"] {
      guard MailServerURL.isName(name) else {
        throw MailServerURLError(
          description: "The mail server's name= is that of this host, as mail.example.org.")
      }
      ownName = name
    } else {
      ownName = Self.hostName
    }
  }

  private static let hostName: String = {
    var bytes = [CChar](repeating: 0, count: 256)
    // The last byte stays 0.
    guard unsafe gethostname(&bytes, bytes.count - 1) == 0 else { return "localhost" }
    let name = String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return MailServerURL.isName(name) ? name : "localhost"
  }()

  /// Where it is, without who sends.
  public var description: String { "smtp\(isImplicitlyEncrypted ? "s" : "")://\(host):\(port)" }
}

extension SMTPServer: CustomReflectable {
  /// Without the password, which would else be in a dump.
  public var customMirror: Mirror { Mirror(self, children: ["server": description]) }
}
