/// A mailbox to read: where it is, whose, and when the connection is encrypted.
public struct MailboxServer: Sendable, Equatable, CustomStringConvertible, CustomReflectable {
  /// How it is read.
  public enum Kind: String, Sendable {
    /// RFC 9051, of which nothing is used that RFC 3501 does not have.
    case imap
    /// RFC 1939.
    case pop3
  }

  /// How it is read.
  public let kind: Kind
  /// A name, or an IP address; an IPv6 one in brackets.
  public let host: String
  /// The TCP port.
  public let port: Int
  /// Whose it is.
  public let user: String
  /// The folder of IMAP.
  public let folder: String
  /// When the connection is encrypted; `required` for imaps and pop3s.
  public let encryption: MailEncryption
  /// Whether TLS begins with the connection.
  public let isImplicitlyEncrypted: Bool
  /// The file of the certificate authorities to trust instead of the system's.
  public let authorities: String?
  let password: String

  /// Reads `imap://user:password@host[:port][/folder][?tls=none|opportunistic|required&ca=/path]`, or the same with
  /// `imaps`, `pop3` and `pop3s`; POP3 has no folders.
  ///
  /// The port is the protocol's own. Without `tls` the connection is always encrypted, but to this host itself only
  /// where the server offers it.
  public init(url: String) throws(MailServerURLError) {
    let parts = try MailServerURL(
      url, schemes: ["imap", "imaps", "pop3", "pop3s"], parameters: ["tls", "ca"])
    guard let user = parts.user, let password = parts.password else {
      throw MailServerURLError(
        description: "A mailbox needs a user and a password, as in imaps://user:password@host.")
    }
    kind = parts.scheme.hasPrefix("imap") ? .imap : .pop3
    isImplicitlyEncrypted = parts.scheme.hasSuffix("s")
    (host, self.user, self.password) = (parts.host, user, password)
    port =
      parts.port ?? (kind == .imap ? (isImplicitlyEncrypted ? 993 : 143) : isImplicitlyEncrypted ? 995 : 110)
    guard kind == .imap || parts.path.isEmpty else {
      throw MailServerURLError(description: "POP3 has no folders: behind the mail server's host is no path.")
    }
    guard parts.path.utf8.allSatisfy({ $0 < 128 }) else {
      throw MailServerURLError(description: "The name of the mailbox's folder is written in ASCII.")
    }
    folder = parts.path.isEmpty ? "INBOX" : parts.path
    encryption = try parts.encryption(isImplicit: isImplicitlyEncrypted)
    authorities = parts.query["ca"]
  }

  /// Where it is, without whose.
  public var description: String { "\(kind.rawValue)\(isImplicitlyEncrypted ? "s" : "")://\(host):\(port)" }

  /// Without the password, which would else be in a dump.
  public var customMirror: Mirror { Mirror(self, children: ["server": description]) }
}
