import CResolv
import FLValues
import Glibc

/// Asks the DNS (RFC 1035) for text and for mail exchangers: blocking, within a limit of time.
///
/// What is answered comes from somebody else, and is only read, never trusted to be well made.
public struct DNSResolver: Sendable {
  /// Why there is no answer. That there is no such name, or nothing of the kind, is an answer.
  public enum Failure: Error, Sendable, Equatable {
    /// The name can't be one.
    case badName
    /// No server answered in time.
    case unanswered
    /// The server could not or would not answer: its code (RFC 1035, section 4.1.1), such as 2 for SERVFAIL.
    case refused(code: Int)
    /// The answer can't be read.
    case garbage
  }

  /// What is wrong with a server's address, in a sentence for the operator.
  public struct BadServer: Error, Sendable, Equatable, CustomStringConvertible {
    /// The sentence.
    public let description: String
  }

  /// Who takes the mail of a domain (RFC 5321, section 5.1).
  public struct MailExchanger: Sendable, Equatable {
    /// The lower one is asked first.
    public let preference: Int
    /// Its name; empty for a domain that takes no mail (RFC 7505).
    public let host: String
  }

  private let server: (address: IPAddress, port: UInt16)?
  private let milliseconds: Int

  /// A resolver.
  ///
  /// - Parameters:
  ///   - server: an address with a port or without, such as `127.0.0.1:5353` or `[::1]:53`; nil asks the servers of
  ///     the host (`/etc/resolv.conf`).
  ///   - milliseconds: how long a question may take.
  public init(server: String? = nil, milliseconds: Int = 3000) throws(BadServer) {
    self.milliseconds = max(1, min(milliseconds, 60_000))
    guard let server else {
      self.server = nil
      return
    }
    guard let read = Self.place(server) else {
      throw BadServer(description: "\"\(server)\" is no DNS server: write it as 127.0.0.1:53 or [::1]:53.")
    }
    self.server = read
  }

  /// The texts of `name` (TXT, RFC 1035, section 3.3.14), each with its strings put together; empty where there is no
  /// such name or no text. What is no UTF-8 is mended.
  public func txt(_ name: String) throws(Failure) -> [String] {
    try records(ns_t_txt, of: name).map { record throws(Failure) in
      var text: [UInt8] = []
      var rest = record.data[...]
      while let length = rest.popFirst() {
        guard rest.count >= Int(length) else { throw .garbage }
        text += rest.prefix(Int(length))
        rest = rest.dropFirst(Int(length))
      }
      return String(decoding: text, as: UTF8.self)
    }
  }

  /// The mail exchangers of `name`, the preferred ones first; empty where there are none.
  public func mx(_ name: String) throws(Failure) -> [MailExchanger] {
    let exchangers = try records(ns_t_mx, of: name).map {
      MailExchanger(preference: $0.preference, host: $0.target == "." ? "" : $0.target)
    }
    return exchangers.sorted { ($0.preference, $0.host) < ($1.preference, $1.host) }
  }

  private struct Record {
    let owner: String
    let type: UInt32
    let data: [UInt8]
    let preference: Int
    let target: String
  }

  /// The records of a type that belong to the name, or to what it is another name for (CNAME).
  private func records(_ type: ns_type, of name: String) throws(Failure) -> [Record] {
    let all = try ask(type, of: name)
    var owner = name
    // No more names than any honest answer has; a circle ends as well.
    for _ in 0..<16 {
      let found = all.filter { $0.type == type.rawValue && Self.isSame($0.owner, owner) }
      if !found.isEmpty { return found }
      guard let alias = all.first(where: { $0.type == ns_t_cname.rawValue && Self.isSame($0.owner, owner) })
      else {
        return []
      }
      owner = alias.target
    }
    return []
  }

  private func ask(_ type: ns_type, of name: String) throws(Failure) -> [Record] {
    guard Self.isName(name) else { throw .badName }
    var place = fl_dns_server()
    if let server {
      place.family = server.address.isIPv4 ? AF_INET : AF_INET6
      place.port = server.port
      unsafe withUnsafeMutableBytes(of: &place.address) { bytes in
        let (high, low) = (server.address.high, server.address.low)
        for index in 0..<16 {
          let bits = server.address.isIPv4 ? low << 32 : index < 8 ? high : low
          unsafe bytes[index] = UInt8(truncatingIfNeeded: bits >> UInt64(56 - 8 * (index % 8)))
        }
      }
    }
    var answer = [UInt8](repeating: 0, count: 65_535)
    let length = unsafe fl_dns_ask(
      name, Int32(type.rawValue), &place, Int32(milliseconds), &answer, Int32(answer.count))
    guard length >= 0 else { throw Int(length) == FL_DNS_BAD_NAME ? .badName : .unanswered }
    let code = unsafe fl_dns_code(&answer, length)
    switch code {
    case Int32(ns_r_noerror.rawValue): break
    case Int32(ns_r_nxdomain.rawValue): return []
    case 0...: throw .refused(code: Int(code))
    default: throw .garbage
    }
    var records: [Record] = []
    var record = fl_dns_record()
    for index in 0..<max(0, unsafe fl_dns_count(&answer, length)) {
      guard unsafe fl_dns_read(&answer, length, index, &record) else { throw .garbage }
      records.append(
        Record(
          owner: Self.text(record.owner), type: UInt32(record.type),
          data: Array(answer[Int(record.start)..<Int(record.start + record.length)]),
          preference: Int(record.preference), target: Self.text(record.target)))
    }
    return records
  }

  private static func isSame(_ one: String, _ other: String) -> Bool { unsafe fl_dns_same(one, other) }

  /// The text of a field of characters, which is terminated.
  private static func text<Field>(_ field: Field) -> String {
    unsafe withUnsafeBytes(of: field) { bytes in
      unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
  }

  /// Whether it is a name to ask for: letters, digits, hyphens and underscores (RFC 1035, RFC 8552).
  private static func isName(_ name: String) -> Bool {
    let labels = (name.hasSuffix(".") ? name.dropLast() : name[...]).utf8
      .split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    return name.utf8.count <= 254
      && labels.allSatisfy { label in
        (1...63).contains(label.count)
          && label.allSatisfy {
            (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0)
              || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_")
          }
      }
  }

  private static func place(_ text: String) -> (IPAddress, UInt16)? {
    if let address = IPAddress(text) { return (address, 53) }
    if text.hasPrefix("["), text.hasSuffix("]") {
      return IPAddress(String(text.dropFirst().dropLast())).map { ($0, 53) }
    }
    guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]), port > 0,
      !text[colon...].hasPrefix(":+")
    else { return nil }
    let host = text[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") {
      return IPAddress(String(host.dropFirst().dropLast())).map { ($0, port) }
    }
    guard let address = IPAddress(String(host)), address.isIPv4 else { return nil }
    return (address, port)
  }
}
