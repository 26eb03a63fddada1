import FLHTTP
import FLMail
import FLMariaDB
import FLValues
import Foundation

/// What would hurt of the links of a mailing, and of the addresses in its text. Nobody outside is asked: whoever writes
/// a mailing could else have this instance call any address.
struct MailingLinkCheck: Sendable {
  let baseURL: String

  /// So many links are named of each kind.
  private static let mostNamed = 20
  /// Longer ones can't be tracked, and some programs break them.
  private static let longest = 2000

  /// What is wrong with a link.
  private typealias Fault = (code: String, url: String, words: String)

  func items(in content: MailingContent, _ queries: any Queries, at now: Timestamp) throws
    -> [MailingReport.Item]
  {
    let links = HTMLBody(content.htmlBody).namedLinks
    let misleading = links.filter(Self.misleads).map { link -> Fault in
      ("misleading_link", link.url, "Its text “\(link.text.prefix(100))” is another place's address.")
    }
    let html = try faults(of: links.map(\.url), queries, at: now) + misleading
    let text = try faults(of: TextAddresses.found(in: content.textBody ?? ""), queries, at: now)
    return Self.items(html, field: "htmlBody") + Self.items(text, field: "textBody")
  }

  private static func items(_ faults: [Fault], field: String) -> [MailingReport.Item] {
    var named: [String: Int] = [:]
    return faults.compactMap { code, url, words in
      named[code, default: 0] += 1
      guard named[code, default: 0] <= mostNamed else { return nil }
      return .init(.warning, code, "The link to \(url.prefix(200)): \(words)", field: field)
    }
  }

  /// What is wrong with each of `urls`, once.
  private func faults(of urls: [String], _ queries: any Queries, at now: Timestamp) throws -> [Fault] {
    var seen: Set<String> = []
    let faults = urls.compactMap { url -> Fault? in
      guard seen.insert(url).inserted, let (code, words) = Self.fault(of: url) else { return nil }
      return (code, url, words)
    }
    return try faults + deadLinks(among: seen, queries, at: now)
  }

  /// What is wrong with an address by itself.
  private static func fault(of url: String) -> (code: String, words: String)? {
    // What a placeholder makes is made by this program, or is the contact's own.
    if url.hasPrefix("{{") || url.hasPrefix("#") { return nil }
    let scheme = String(url.prefix { $0 != ":" }).lowercased()
    switch scheme {
    case "http", "https": break
    case "mailto", "tel", "sms": return nil
    case "javascript", "vbscript", "data", "file", "blob":
      return ("unsafe_link", "mail programs drop it, and spam filters count it.")
    default:
      return ("invalid_link", "it is no address that leads anywhere from a mail: begin it with https://.")
    }
    guard let address = WebURL(url, filledWith: "x") else {
      return ("invalid_link", "it is no valid address.")
    }
    if url.utf8.count > longest { return ("long_link", "it has more than \(longest) characters.") }
    let host = address.host.lowercased()
    if isAddress(host) {
      return ("ip_link", "it leads to an IP address, as spam does: give the host's name.")
    }
    if isPrivate(host) { return ("private_link", "it leads nowhere outside of your own network.") }
    if scheme == "http" { return ("insecure_link", "it is not encrypted: use https.") }
    return nil
  }

  private static func isAddress(_ host: String) -> Bool {
    // Browsers read `0x7f.1` and `2130706433` as addresses, too: what ends in a number is none of a name.
    if host.hasPrefix("[") { return true }
    let last = host.split(separator: ".").last ?? ""
    return last.utf8.allSatisfy { (48...57).contains($0) } || last.hasPrefix("0x")
  }

  private static func isPrivate(_ host: String) -> Bool {
    let ends = ["localhost", "local", "internal", "lan", "home.arpa", "test", "invalid", "onion"]
    return !host.contains(".") || ends.contains { host == $0 || host.hasSuffix("." + $0) }
  }

  /// Whether a link's text is an address itself, and that of another site than it leads to.
  private static func misleads(_ link: HTMLBody.NamedLink) -> Bool {
    guard !link.text.contains(" "), let target = WebURL(link.url) else { return false }
    let lower = link.text.lowercased()
    let text = lower.hasPrefix("http://") || lower.hasPrefix("https://") ? link.text : "https://" + link.text
    guard let shown = WebURL(text), let name = DomainName(shown.host), link.text.contains("."),
      // “3.5” and “report.pdf” are no addresses, and nor is a mail address.
      lower.hasPrefix("http") || lower.hasPrefix("www.") || name.text.hasSuffix(".com")
        || name.text.hasSuffix(".org") || name.text.hasSuffix(".net")
    else { return false }
    func site(_ host: String) -> String {
      host.lowercased().split(separator: ".").suffix(2).joined(separator: ".")
    }
    return site(shown.host) != site(target.host)
  }

  /// Short links of this instance that lead nowhere.
  private func deadLinks(among urls: Set<String>, _ queries: any Queries, at now: Timestamp) throws -> [Fault]
  {
    let codes = urls.sorted().compactMap { url -> (url: String, code: ShortCode)? in
      guard url.lowercased().hasPrefix(baseURL + "/") else { return nil }
      let path = url.dropFirst(baseURL.count + 1).prefix { $0 != "?" && $0 != "#" }
      return ShortCode(path.hasSuffix("+") ? path.dropLast() : path).map { (url, $0) }
    }.filter { !$0.code.isReserved }.prefix(1000)
    guard !codes.isEmpty else { return [] }
    let rows = try queries.rows(
      """
      SELECT c.code FROM public_codes c LEFT JOIN links l ON l.id = c.subject_id AND c.kind = 'link'
      WHERE c.code IN (\(codes.map(\.code.text))) AND c.kind <> 'retired'
        AND (c.kind <> 'link' OR (l.is_enabled AND (l.expires_at IS NULL OR l.expires_at > \(now))))
      """)
    let alive = Set(try rows.map { row -> String in try row["code"] })
    return codes.filter { !alive.contains($0.code.text) }.map {
      ("dead_link", $0.url, "there is no such short link here, or it does not lead anywhere any more.")
    }
  }
}

extension WebURL {
  /// What an address becomes with `text` in place of each placeholder; nil where that is none.
  init?(_ template: String, filledWith text: String) {
    self.init(template.replacing(#/\{\{[^}]*\}\}/#, with: text))
  }
}
