/// Writes vCards of version 4.0 (RFC 6350): UTF-8, CR LF, lines folded at 75 octets between characters.
public struct VCardWriter {
  /// What was written and not taken yet.
  public private(set) var bytes: [UInt8] = []
  private var groups = 0

  /// The most octets of a line, without its end (RFC 6350, section 3.2).
  public static let lineLength = 75

  /// A writer.
  public init() {}

  /// Takes what was written so far.
  public mutating func take() -> [UInt8] {
    defer { bytes.removeAll(keepingCapacity: true) }
    return bytes
  }

  /// Writes a card. One without a name is shown by its address, since `FN` must be there.
  public mutating func card(_ card: VCard) {
    groups = 0
    line("BEGIN:VCARD")
    line("VERSION:4.0")
    if let uid = card.uid { line("UID:" + escape(uid)) }
    line("FN:" + escape(card.fullName ?? Self.shownName(of: card)))
    if let name = card.name {
      line("N:" + structured([name.family, name.given, name.additional, name.prefix, name.suffix]))
    }
    for (index, email) in card.emails.enumerated() {
      let preference = card.emails.count > 1 ? ";PREF=\(min(100, index + 1))" : ""
      labelled("EMAIL", preference, email.label, escape(email.value))
    }
    for phone in card.phones { labelled("TEL", "", phone.label, escape(phone.value)) }
    for address in card.addresses {
      let parameters = address.countryCode.map { ";CC=" + Self.parameter($0) } ?? ""
      labelled(
        "ADR", parameters, address.label,
        structured([
          address.box, address.extended, address.street, address.locality, address.region, address.code,
          address.country,
        ]))
    }
    for url in card.urls { labelled("URL", "", url.label, escape(url.value)) }
    if !card.organization.isEmpty { line("ORG:" + structured(card.organization)) }
    if let title = card.title { line("TITLE:" + escape(title)) }
    if let birthday = card.birthday { line("BDAY:" + Self.date(birthday)) }
    for note in card.notes { line("NOTE:" + escape(note)) }
    if !card.categories.isEmpty {
      line("CATEGORIES:" + card.categories.map(escape).joined(separator: ","))
    }
    for property in card.extensions {
      let parameters = property.parameters.sorted { $0.key < $1.key }
        .map { ";\($0.key)=\(Self.parameter($0.value))" }.joined()
      line(property.name + parameters + ":" + escape(property.value))
    }
    line("END:VCARD")
  }

  private static func shownName(of card: VCard) -> String {
    let parts = [card.name?.given ?? "", card.name?.family ?? ""].filter { !$0.isEmpty }
    if !parts.isEmpty { return parts.joined(separator: " ") }
    return card.organization.first ?? card.emails.first?.value ?? ""
  }

  private func escape(_ text: String) -> String { VCardText.escaped(text) }

  private func structured(_ parts: [String]) -> String { parts.map(escape).joined(separator: ";") }

  private static func date(_ birthday: VCard.Birthday) -> String {
    func padded(_ number: Int, _ count: Int) -> String {
      let digits = String(max(0, number))
      return String(repeating: "0", count: max(0, count - digits.count)) + digits
    }
    return (birthday.year.map { padded($0, 4) } ?? "--") + padded(birthday.month, 2) + padded(birthday.day, 2)
  }

  /// A parameter's value, in quotes where it needs them (RFC 6350, section 3.3, and RFC 6868).
  private static func parameter(_ text: String) -> String {
    var result = ""
    var needsQuotes = text.isEmpty
    for scalar in text.unicodeScalars {
      switch scalar {
      case "^": result += "^^"
      case "\"": result += "^'"
      case "\n": result += "^n"
      case ":", ";", ",", " ":
        needsQuotes = true
        result.unicodeScalars.append(scalar)
      case let control where control.value < 0x20 || control.value == 0x7F: continue
      default: result.unicodeScalars.append(scalar)
      }
    }
    return needsQuotes ? "\"\(result)\"" : result
  }

  /// Kinds that every reader knows; others are told in a line of their own, as Apple and Google do.
  private static let types: Set<String> = [
    "home", "work", "cell", "fax", "pager", "text", "video", "textphone",
  ]

  private mutating func labelled(_ name: String, _ parameters: String, _ label: String?, _ value: String) {
    guard let label, !label.isEmpty else { return line("\(name)\(parameters):\(value)") }
    let words = label.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
    if words.allSatisfy(Self.types.contains) {
      return line("\(name)\(words.map { ";TYPE=\($0)" }.joined())\(parameters):\(value)")
    }
    groups += 1
    line("item\(groups).\(name)\(parameters):\(value)")
    line("item\(groups).X-ABLabel:\(escape(label))")
  }

  /// Writes a line, folded.
  private mutating func line(_ text: String) {
    var length = 0
    for scalar in text.unicodeScalars {
      let encoded = UTF8.encode(scalar) ?? .init()
      if length + encoded.count > Self.lineLength {
        bytes.append(contentsOf: [13, 10, 32])
        length = 1
      }
      bytes.append(contentsOf: encoded)
      length += encoded.count
    }
    bytes.append(contentsOf: [13, 10])
  }
}
