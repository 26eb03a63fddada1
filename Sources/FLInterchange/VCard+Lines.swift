extension VCard {
  /// The card that these properties make.
  init(_ lines: [VCardLine]) {
    let isOld = lines.contains { $0.name == "VERSION" && $0.value.trimmed == "2.1" }
    // Apple and Google tell kinds of the owner's in a line of their own, tied to the value's by the group.
    var labels: [String: String] = [:]
    for line in lines where line.name == "X-ABLABEL" && !line.group.isEmpty {
      let text = VCardText.text(line.value, isOld: isOld).trimmed
      labels[line.group] =
        text.hasPrefix("_$!<") && text.hasSuffix(">!$_") ? String(text.dropFirst(4).dropLast(4)) : text
    }
    var emails: [(preference: Int, value: Labelled)] = []
    for line in lines {
      func text() -> String { VCardText.text(line.value, isOld: isOld).trimmed }
      func parts(_ sign: Unicode.Scalar) -> [String] {
        VCardText.parts(line.value, at: sign, isOld: isOld).map(\.trimmed)
      }
      let label = Self.label(line, labels)
      switch line.name {
      case "UID": uid = uid ?? text().nonEmpty
      case "FN": fullName = fullName ?? text().nonEmpty
      case "N": name = name ?? Self.name(parts(";"))
      case "EMAIL":
        if let address = Self.without("mailto:", text()).nonEmpty {
          emails.append((line.preference, Labelled(address, label: label)))
        }
      case "TEL":
        if let number = Self.without("tel:", text()).nonEmpty {
          phones.append(Labelled(number, label: label))
        }
      case "ADR": if let address = Self.address(parts(";"), line, label) { addresses.append(address) }
      case "URL": if let url = text().nonEmpty { urls.append(Labelled(url, label: label)) }
      case "ORG": if organization.isEmpty { organization = parts(";").filter { !$0.isEmpty } }
      case "TITLE": title = title ?? text().nonEmpty
      case "BDAY": birthday = birthday ?? Birthday(text(), omitting: Self.omittedYear(line))
      case "NOTE": if let note = VCardText.text(line.value, isOld: isOld).nonEmpty { notes.append(note) }
      case "CATEGORIES": categories += parts(",").filter { !$0.isEmpty }
      case "CREATED": extensions.append(Extension(line.name, text()))
      case let name where name.hasPrefix("X-") && name != "X-ABLABEL":
        let named = line.parameters.filter { !$0.name.isEmpty }
        extensions.append(
          Extension(
            name, VCardText.text(line.value, isOld: isOld),
            parameters: Dictionary(named.map { ($0.name, $0.value) }) { first, _ in first }))
      default: break
      }
    }
    // A stable order among those that are preferred alike.
    self.emails = emails.enumerated().sorted {
      ($0.element.preference, $0.offset) < ($1.element.preference, $1.offset)
    }.map(\.element.value)
  }

  private static func label(_ line: VCardLine, _ labels: [String: String]) -> String? {
    if let label = labels[line.group]?.nonEmpty { return label }
    let types = line.types.filter { !["pref", "internet", "voice", "x-internet", "other"].contains($0) }
    return types.isEmpty ? nil : types.joined(separator: " ")
  }

  private static func name(_ parts: [String]) -> Name? {
    var name = Name()
    let parts = parts + Array(repeating: "", count: 5)
    (name.family, name.given, name.additional) = (parts[0], parts[1], parts[2])
    (name.prefix, name.suffix) = (parts[3], parts[4])
    return name == Name() ? nil : name
  }

  private static func address(_ parts: [String], _ line: VCardLine, _ label: String?) -> Address? {
    var address = Address()
    let parts = parts + Array(repeating: "", count: 7)
    (address.box, address.extended, address.street) = (parts[0], parts[1], parts[2])
    (address.locality, address.region) = (parts[3], parts[4])
    (address.code, address.country) = (parts[5], parts[6])
    address.countryCode = line.parameters.first { $0.name == "CC" }?.value.trimmed.nonEmpty
    guard address != Address() else { return nil }
    address.label = label
    return address
  }

  private static func without(_ scheme: String, _ text: String) -> String {
    text.lowercased().hasPrefix(scheme) ? String(text.dropFirst(scheme.count)) : text
  }

  /// The year that stands for none (Apple's way to write a birthday of no year in version 3.0).
  private static func omittedYear(_ line: VCardLine) -> Int? {
    line.parameters.first { $0.name == "X-APPLE-OMIT-YEAR" }.flatMap { Int($0.value) }
  }
}

extension VCard.Birthday {
  /// Reads a date or a time (RFC 6350, section 4.3, and the forms of the older versions): `1996-04-15`, `19960415`,
  /// `--0415`, `--04-15`, each with a time behind it. Nil for what names no day.
  public init?(_ text: String, omitting omitted: Int? = nil) {
    let date = text.prefix { $0 != "T" && $0 != "t" && $0 != " " }
    let digits = date.utf8.filter { $0 != UInt8(ascii: "-") }
    guard digits.allSatisfy({ (48...57).contains($0) }) else { return nil }
    let numbers = digits.map { Int($0) - 48 }
    func number(_ range: Range<Int>) -> Int { numbers[range].reduce(0) { $0 * 10 + $1 } }
    switch (date.hasPrefix("--"), numbers.count) {
    case (true, 4): self.init(year: nil, month: number(0..<2), day: number(2..<4))
    case (false, 8):
      let year = number(0..<4)
      self.init(year: year == omitted ? nil : year, month: number(4..<6), day: number(6..<8))
    default: return nil
    }
    guard (1...12).contains(month), (1...31).contains(day) else { return nil }
  }
}

extension String {
  /// This text, unless it is empty.
  var nonEmpty: String? { isEmpty ? nil : self }
}
