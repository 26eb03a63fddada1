import FLValues

/// What is wrong with the address of a mail server, in a sentence for the operator that shows no password.
public struct MailServerURLError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The sentence.
  public let description: String
}

/// When a connection to a mail server is encrypted. A certificate that does not hold is never taken.
public enum MailEncryption: String, Sendable, Equatable {
  /// Never.
  case none
  /// Where the server offers it: who can change what is on the wire can take that away.
  case opportunistic
  /// Always, or there is no connection.
  case required
}

/// The parts of a URL of a mail server (RFC 3986), which are the same for each protocol.
struct MailServerURL: Sendable, Equatable {
  var scheme = ""
  var user: String?
  var password: String?
  /// A name, or an IP address; an IPv6 one in brackets.
  var host = ""
  var port: Int?
  /// What is behind the host, decoded and without the first slash.
  var path = ""
  var query: [String: String] = [:]

  /// Whether the host is this one by its name or its address.
  var isLoopback: Bool {
    if host.lowercased() == "localhost" { return true }
    guard let address = IPAddress(String(host.filter { $0 != "[" && $0 != "]" })) else { return false }
    return address.isIPv4 ? address.low >> 24 == 127 : address == IPAddress(high: 0, low: 1)
  }

  init(_ text: String, schemes: [String], parameters: Set<String>) throws(MailServerURLError) {
    func wrong(_ sentence: String) -> MailServerURLError { MailServerURLError(description: sentence) }
    let example = "\(schemes[0])://user:password@mail.example.org"
    guard let colon = text.firstIndex(of: ":"), text[colon...].hasPrefix("://") else {
      throw wrong("The address of the mail server has no scheme; it looks like \(example).")
    }
    scheme = text[..<colon].lowercased()
    guard schemes.contains(scheme) else {
      throw wrong(
        "The address of the mail server begins with \(schemes.map { $0 + "://" }.joined(separator: " or ")).")
    }
    var rest = text[text.index(colon, offsetBy: 3)...]
    guard !rest.contains("#") else { throw wrong("A # in the address of the mail server is written as %23.") }
    if let question = rest.firstIndex(of: "?") {
      for pair in rest[rest.index(after: question)...].split(separator: "&") {
        let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let name = String(halves[0])
        guard parameters.contains(name) else {
          // Not the name itself, which may be a part of a password with a question mark.
          throw wrong(
            "The mail server's settings behind the ? are \(parameters.sorted().joined(separator: ", ")).")
        }
        guard halves.count == 2, let value = Self.decoded(halves[1]), !value.isEmpty, query[name] == nil
        else {
          throw wrong("The mail server's setting \"\(name)\" needs one value, as in ?\(name)=value.")
        }
        query[name] = value
      }
      rest = rest[..<question]
    }
    if let at = rest.lastIndex(of: "@") {
      let halves = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      guard let user = Self.decoded(halves[0]), !user.isEmpty,
        let password = halves.count == 2 ? Self.decoded(halves[1]) : ""
      else {
        throw wrong("The mail server's user or password is not written as in a URL: a % is %25, an @ is %40.")
      }
      (self.user, self.password) = (user, password)
      rest = rest[rest.index(after: at)...]
    }
    if let slash = rest.firstIndex(of: "/") {
      guard let path = Self.decoded(rest[rest.index(after: slash)...]) else {
        throw wrong("The path of the mail server's address is not written as in a URL: a % is %25.")
      }
      self.path = path
      rest = rest[..<slash]
    }
    var port: Substring?
    if rest.hasPrefix("["), let bracket = rest.firstIndex(of: "]") {
      host = String(rest[...bracket])
      let behind = rest[rest.index(after: bracket)...]
      guard behind.isEmpty || behind.hasPrefix(":") else {
        throw wrong("Behind the mail server's ] is a : and the port.")
      }
      if !behind.isEmpty { port = behind.dropFirst() }
    } else if let colon = rest.firstIndex(of: ":") {
      (host, port) = (String(rest[..<colon]), rest[rest.index(after: colon)...])
    } else {
      host = String(rest)
    }
    guard Self.isHost(host) else {
      throw wrong("The address of the mail server needs a host, as in \(example).")
    }
    if let port {
      guard (1...5).contains(port.utf8.count), port.utf8.allSatisfy({ (48...57).contains($0) }),
        let number = Int(port), (1...65_535).contains(number)
      else { throw wrong("The mail server's port is a number from 1 to 65535.") }
      self.port = number
    }
  }

  /// The way of encryption that `?tls=` tells, or what holds without it.
  func encryption(isImplicit: Bool) throws(MailServerURLError) -> MailEncryption {
    guard let written = query["tls"] else {
      if isImplicit { return .required }
      return user != nil && !isLoopback ? .required : .opportunistic
    }
    guard let encryption = MailEncryption(rawValue: written) else {
      throw MailServerURLError(description: "The mail server's tls is none, opportunistic or required.")
    }
    guard !isImplicit || encryption == .required else {
      throw MailServerURLError(
        description: "\(scheme):// is always encrypted; tls=\(written) does not go with it.")
    }
    return encryption
  }

  /// Text without percent-encoding; nil where that is wrong, or for control characters.
  private static func decoded(_ text: Substring) -> String? {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard rest.count >= 2, let high = Character(UnicodeScalar(rest.removeFirst())).hexDigitValue,
        let low = Character(UnicodeScalar(rest.removeFirst())).hexDigitValue
      else { return nil }
      bytes.append(UInt8(high << 4 | low))
    }
    guard bytes.allSatisfy({ $0 >= 32 && $0 != 127 }) else { return nil }
    return String(validating: bytes, as: UTF8.self)
  }

  private static func isHost(_ host: String) -> Bool {
    if host.hasPrefix("[") {
      guard let address = IPAddress(String(host.dropFirst().dropLast())) else { return false }
      return !address.isIPv4
    }
    return isName(host)
  }

  /// Whether it is a name of a host, or an IPv4 address; an underscore is seen in names of container networks.
  static func isName(_ name: String) -> Bool {
    (1...253).contains(name.utf8.count) && !name.hasPrefix("-")
      && name.utf8.allSatisfy {
        (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || $0 == UInt8(ascii: "-")
          || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "_")
      }
  }
}
