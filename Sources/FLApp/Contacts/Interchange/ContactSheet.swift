import FLGeoIP
import FLHTTP
import FLInterchange
import Foundation

/// What the rows of a CSV file say of contacts, by what its columns are.
struct ContactSheet: Sendable {
  /// The columns' names, as the file has them.
  let names: [String]
  /// What each of them is.
  let columns: [ContactColumn]

  /// Reads the file's first row; `mapping` says of columns what they are, by their names.
  init(header: [String], mapping: [String: ContactColumn] = [:], into reading: inout Reading) {
    let names = header.map { FormulaGuard.restored($0).trimmingCharacters(in: .whitespacesAndNewlines) }
    self.names = names
    var seen: Set<String> = []
    var repeated: [String] = []
    for name in names where !name.isEmpty {
      // The names of custom fields may differ in case alone.
      let key = name.hasPrefix("custom:") ? name : name.lowercased()
      if !seen.insert(key).inserted { repeated.append(name) }
    }
    if !repeated.isEmpty {
      reading.member("file") {
        $0.refuse(
          "duplicate_column", "Columns with the same name can't be told apart: \(Self.list(repeated)).")
      }
    }
    var said: [Int: ContactColumn] = [:]
    reading.member("mapping") { reading in
      for (name, column) in mapping.sorted(by: { $0.key < $1.key }) {
        guard let index = names.firstIndex(of: name) else {
          reading.member(String(name.prefix(100))) {
            $0.refuse("unknown_column", "The file has no such column; it has: \(Self.list(names)).")
          }
          continue
        }
        if !column.mayRepeat, said.values.contains(where: { $0.name == column.name }) {
          reading.member(String(name.prefix(100))) {
            $0.refuse("repeated", "Another column is \(column.name) already.")
          }
        }
        said[index] = column
      }
    }
    // What an account says goes before what is guessed.
    let columns = ContactHeader.columns(names, said: said)
    if !columns.contains(.email) {
      reading.member("file") {
        $0.refuse(
          "email_column_missing",
          "No column is known to have the e-mail addresses; the file has: \(Self.list(names)). Say which it is by "
            + "mapping, like {\"\(names.first ?? "")\": \"email\"}.")
      }
    }
    self.columns = columns
  }

  private static func list(_ names: [String]) -> String {
    let shown = names.prefix(50).map { String($0.prefix(50)) }.joined(separator: ", ")
    return names.count > 50 ? shown + ", …" : shown
  }

  /// What a row says, in the form in which contacts are given.
  func contact(_ cells: [String]) -> JSONObject {
    var contact = JSONObject()
    var fields = JSONObject()
    var phones: [Int: [(number: String, label: String?)]] = [:]
    var phoneLabels: [Int: String] = [:]
    var addresses: [Int: JSONObject] = [:]
    var websites: [Int: [String]] = [:]
    for (column, cell) in zip(columns, cells) where column != .ignored {
      let text = FormulaGuard.restored(cell).trimmingCharacters(in: .whitespacesAndNewlines)
      guard !text.isEmpty else { continue }
      switch column {
      case .ignored: break
      case .email: contact["email"] = .string(text)
      case .text(let name): contact[name] = .string(ContactText.line(text))
      case .birthday: contact["birthday"] = ContactText.day(text).map { .string($0) }
      case .phone(let number, let label):
        phones[number, default: []] += ContactText.several(text).map { ($0, label) }
      case .phoneLabel(let number): phoneLabels[number] = ContactText.label(text)
      case .address(let number, let part, let label):
        let value: String? =
          part == "country"
          ? ContactText.country(text) : part == "label" ? ContactText.label(text) : ContactText.line(text)
        addresses[number, default: [:]][part] = value.map { .string($0) }
        if let label { addresses[number, default: [:]]["label"] = .string(label) }
      case .website(let number): websites[number] = ContactText.several(text)
      case .tags: contact["tags"] = .array(ContactText.tags(text).map { .string($0) })
      case .note: contact["notes"] = [["body": .string(text)]]
      case .unsubscribed: if ContactText.isTrue(text) { contact["isUnsubscribed"] = true }
      case .bounced: if ContactText.isTrue(text) { contact["isBounced"] = true }
      case .status:
        switch ConsentStatus(text) {
        case .unsubscribed: contact["isUnsubscribed"] = true
        case .bounced: contact["isBounced"] = true
        case nil: break
        }
      case .custom(let name, let isTyped):
        fields[name] = isTyped ? ContactText.value(text) : .string(text)
      }
    }
    let numbers = phones.sorted { $0.key < $1.key }.flatMap { place, phones in
      phones.map { Self.labelled("number", $0.number, $0.label ?? phoneLabels[place]) }
    }
    if !numbers.isEmpty { contact["phones"] = .array(numbers) }
    // A label alone is no address.
    let places = addresses.sorted { $0.key < $1.key }.map(\.value).filter { address in
      address.members.contains { $0.name != "label" }
    }
    if !places.isEmpty { contact["addresses"] = .array(places.map { .object($0) }) }
    let pages = websites.sorted { $0.key < $1.key }.flatMap(\.value).map {
      Self.labelled("url", ContactText.address($0), nil)
    }
    if !pages.isEmpty { contact["websites"] = .array(pages) }
    if !fields.members.isEmpty { contact["customFields"] = .object(fields) }
    ContactText.dropPlainName(&contact)
    return contact
  }

  private static func labelled(_ name: String, _ value: String, _ label: String?) -> JSON {
    label.map { [name: .string(value), "label": .string($0)].json } ?? [name: .string(value)].json
  }
}

extension Dictionary where Key == String, Value == JSON {
  fileprivate var json: JSON {
    .object(sorted { $0.key < $1.key }.reduce(into: JSONObject()) { $0[$1.key] = $1.value })
  }
}

/// What a word in a column of a status says, where mailings are not to go to somebody.
private enum ConsentStatus {
  case unsubscribed, bounced

  /// What `text` says; nil where it is no word for one of these.
  init?(_ text: String) {
    let word = ContactHeader.plain(text)
    if Self.words.contains(word) || Self.stems.contains(where: { word.contains($0) }) {
      self = .unsubscribed
    } else if Self.bounces.contains(word) {
      self = .bounced
    } else {
      return nil
    }
  }

  /// With what stands around them: "Unsubscribed by user", "désabonnée", "dado de baja".
  private static let stems = [
    "unsubscri", "nonsubscri", "notsubscri", "optout", "optedout", "notoptedin", "abgemeldet", "abbestellt",
    "widerrufen", "desabonn", "desinscri", "desuscri", "debaja", "donotmail", "donotemail", "donotcontact",
  ]
  private static let words: Set<String> = [
    "suppressed", "blocked", "blacklisted", "blocklisted", "excluded", "removed", "complained", "complaint",
    "complainer", "spam", "spamcomplaint", "spamreport", "reportedspam", "abuse", "dnc", "unconfirmed",
    "gesperrt", "blockiert", "ausgetragen", "bloque", "bloqueado", "baja", "cancelado", "nonabonne",
  ]
  private static let bounces: Set<String> = [
    "cleaned", "bounced", "bounce", "hardbounced", "hardbounce", "undeliverable", "undelivered",
    "unzustellbar",
  ]
}

/// How files spell what a contact has, and how that is spelled in files.
enum ContactText {
  /// Whether a word says yes. What is not known is one: of two readings of a consent the stricter one holds.
  static func isTrue(_ text: String) -> Bool {
    ![
      "0", "false", "no", "n", "nein", "non", "f", "falsch", "faux", "falso", "-", "never", "null",
      "subscribed",
    ]
    .contains(text.lowercased())
  }

  /// A day as `YYYY-MM-DD`; nil where it has no year, or is Outlook's `0/0/00`. What is no day stays as it is, and is
  /// refused.
  static func day(_ text: String) -> String? {
    if text == "0/0/00" || text.hasPrefix("--") { return nil }
    if let day = VCardDay.day(text) { return day }
    let parts = text.split { $0 == "." || $0 == "/" }.map { $0.trimmingCharacters(in: .whitespaces) }
    guard parts.allSatisfy({ Int($0) != nil }) else { return text }
    // Mailchimp's have a month and a day.
    if parts.count == 2 { return nil }
    guard parts.count == 3 else { return text }
    // 31.12.1980 and 1980/12/31; with slashes nobody knows whether day or month is first.
    if text.contains("."), parts[2].count == 4 { return padded(parts[2], parts[1], parts[0]) }
    return parts[0].count == 4 ? padded(parts[0], parts[1], parts[2]) : text
  }

  private static func padded(_ year: String, _ month: String, _ day: String) -> String {
    [year, month, day].map { $0.count == 1 ? "0" + $0 : $0 }.joined(separator: "-")
  }

  /// Google puts several values into one cell.
  static func several(_ text: String) -> [String] {
    text.components(separatedBy: ":::").map { line($0) }.filter { !$0.isEmpty }
  }

  /// A text in one line.
  static func line(_ text: String) -> String {
    text.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }.filter {
      !$0.isEmpty
    }
    .joined(separator: ", ")
  }

  /// A kind, without Google's mark of the preferred one.
  static func label(_ text: String) -> String? {
    let label = line(text.hasPrefix("* ") ? String(text.dropFirst(2)) : text)
    return label.isEmpty ? nil : label
  }

  /// A web address, which many write without its beginning.
  static func address(_ text: String) -> String { text.contains("://") ? text : "https://" + text }

  /// Tags with semicolons between (ours, which have backslashes before those inside of a tag), or commas, or as Google
  /// writes its labels.
  static func tags(_ text: String) -> [String] {
    if text.contains(":::") { return several(text).filter { !$0.hasPrefix("*") } }
    let parts = split(text, at: ";")
    let tags = parts.count > 1 ? parts : split(text, at: ",")
    var seen: Set<String> = []
    return tags.map { $0.trimmingCharacters(in: .whitespaces) }
      // Mailchimp's are in quotes.
      .map {
        $0.count > 1 && $0.hasPrefix("\"") && $0.hasSuffix("\"") ? String($0.dropFirst().dropLast()) : $0
      }
      .map { unescaped($0) }
      .filter { !$0.isEmpty && seen.insert($0.lowercased()).inserted }
  }

  /// Texts in one cell, for `tags`.
  static func joined(_ texts: [String]) -> String {
    texts.map { text in
      text.reduce(into: "") { result, sign in
        if separators.contains(sign) { result.append("\\") }
        result.append(sign)
      }
    }.joined(separator: ";")
  }

  /// What has a backslash before it inside of a tag.
  private static let separators: Set<Character> = [";", ",", "\\", "\""]

  private static func split(_ text: String, at sign: Character) -> [String] {
    var parts = [""]
    var isEscaped = false
    for character in text {
      if character == sign && !isEscaped {
        parts.append("")
      } else {
        parts[parts.count - 1].append(character)
      }
      isEscaped = character == "\\" && !isEscaped
    }
    return parts
  }

  private static func unescaped(_ text: String) -> String {
    var isEscaped = false
    return text.reduce(into: "") { result, sign in
      if isEscaped && !separators.contains(sign) { result.append("\\") }
      if sign == "\\" && !isEscaped {
        isEscaped = true
      } else {
        isEscaped = false
        result.append(sign)
      }
    } + (isEscaped ? "\\" : "")
  }

  /// A custom field as our exports spell it: numbers and truth values as JSON does, and a text that could be taken for
  /// one of these, or for a text in quotes, in quotes.
  static func value(_ text: String) -> JSON {
    switch try? JSON(reading: Array(text.utf8)) {
    case .some(.integer(let number)) where String(number) == text: .integer(number)
    case .some(.number(let number)): .number(number)
    case .some(.bool(let value)): .bool(value)
    case .some(.string(let inner)): .string(inner)
    default: .string(text)
    }
  }

  /// The text that `value` reads as this.
  static func spelled(_ value: JSON) -> String {
    guard case .string(let text) = value else { return value == .null ? "" : value.text }
    // Cells lose white space at their ends.
    let isPlain = self.value(text) == value && text == text.trimmingCharacters(in: .whitespacesAndNewlines)
    return isPlain && !text.isEmpty ? text : value.text
  }

  /// The code of a country; what is none stays as it is, and is refused.
  static func country(_ text: String) -> String {
    let upper = text.uppercased()
    if Countries[upper] != nil { return upper }
    let name = text.folding(options: [.caseInsensitive, .diacriticInsensitive], locale: nil)
    return countries[name] ?? text
  }

  /// The countries by their names in the languages that files come in.
  private static let countries: [String: String] = {
    var names = ["uk": "GB", "usa": "US", "u.s.a.": "US", "united states of america": "US", "england": "GB"]
    for (code, country) in Countries.all {
      for locale in ["en", "de", "fr", "es", "it", "nl", "pt"] {
        let name = Locale(identifier: locale).localizedString(forRegionCode: code) ?? country.name
        for name in [name, country.name] {
          names[name.folding(options: [.caseInsensitive, .diacriticInsensitive], locale: nil)] = code
        }
      }
    }
    return names
  }()

  /// The whole name is kept only where it is more than first and last name.
  static func dropPlainName(_ contact: inout JSONObject) {
    let parts = [contact["firstName"]?.string, contact["lastName"]?.string].compactMap { $0 }
    if let name = contact["name"]?.string, name == parts.joined(separator: " ") { contact["name"] = nil }
  }
}

/// Days in the forms of vCards, which other files have as well.
enum VCardDay {
  /// `YYYY-MM-DD` of `19800512` or `1980-05-12T00:00:00Z`.
  static func day(_ text: String) -> String? {
    guard let birthday = VCard.Birthday(text), let year = birthday.year else { return nil }
    return CalendarDay(year: year, month: birthday.month, day: birthday.day)?.description
  }
}
