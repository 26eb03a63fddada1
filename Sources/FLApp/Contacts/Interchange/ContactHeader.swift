import Foundation

/// Finds out by their names what the columns of other programs' files are: our own, the usual ones in English, German,
/// French and Spanish, and those of Google, Outlook and Mailchimp.
enum ContactHeader {
  /// What a column called `name` is; nil where nobody can know.
  static func column(_ name: String) -> ContactColumn? {
    let name = name.trimmingCharacters(in: .whitespacesAndNewlines)
    if name.hasPrefix("custom:"), case .custom(let field, _)? = ContactColumn(name: name) {
      return .custom(field, isTyped: true)
    }
    if let own = ContactColumn(name: name), own != .ignored { return own }
    let plain = plain(name)
    return usual[plain] ?? numbered(plain)
  }

  /// What all columns are, `said` being those of which an account says it, by their places. What nobody can know, and
  /// what is there already, is not taken.
  static func columns(_ names: [String], said: [Int: ContactColumn] = [:]) -> [ContactColumn] {
    var columns = names.indices.map { said[$0] ?? column(names[$0]) ?? .ignored }
    // In German and French a family name is called "name" where the given name has a column of its own.
    let guessed = names.indices.filter { said[$0] == nil }
    let plainNames = names.map(plain)
    if !columns.contains(.text("lastName")), columns.contains(.text("firstName")),
      let index = guessed.first(where: { plainNames[$0] == "name" })
    {
      columns[index] = .text("lastName")
    }
    // Outlook's title is "Dr."
    if let index = guessed.first(where: { plainNames[$0] == "title" }),
      columns.indices.contains(where: { $0 != index && columns[$0] == .text("jobTitle") })
    {
      columns[index] = .ignored
    }
    spreadPhones(&columns, said: said)
    spreadAddresses(&columns)
    var seen = Set(said.values.map(\.name))
    for index in guessed where !columns[index].mayRepeat {
      if !seen.insert(columns[index].name).inserted { columns[index] = .ignored }
    }
    return columns
  }

  /// Gives telephone numbers that have one place, as "Mobile" and "Phone 2", places of their own.
  private static func spreadPhones(_ columns: inout [ContactColumn], said: [Int: ContactColumn]) {
    var used: Set<Int> = []
    for case .phone(let number, _) in columns { used.insert(number) }
    for case .phoneLabel(let number) in columns { used.insert(number) }
    // A place in a column's name is kept, for the column of its kind has it as well.
    let guessed = columns.indices.filter { said[$0] == nil }
    let order =
      said.keys.sorted() + guessed.filter { columns[$0].label == nil }
      + guessed.filter { columns[$0].label != nil }
    var held: Set<Int> = []
    for index in order {
      guard case .phone(let number, let label) = columns[index], !held.insert(number).inserted,
        let free = ContactColumn.places.first(where: { !used.contains($0) })
      else { continue }
      columns[index] = .phone(free, label: label)
      used.insert(free)
    }
  }

  /// The same of addresses, all of whose columns go together.
  private static func spreadAddresses(_ columns: inout [ContactColumn]) {
    var used: Set<Int> = []
    var plain: Set<Int> = []
    for case .address(let number, _, let label) in columns {
      used.insert(number)
      if label == nil { plain.insert(number) }
    }
    var moved: [Int: Int] = [:]
    for index in columns.indices {
      guard case .address(let number, let part, let label?) = columns[index], plain.contains(number) else {
        continue
      }
      guard let free = moved[number] ?? ContactColumn.places.first(where: { !used.contains($0) }) else {
        continue
      }
      moved[number] = free
      used.insert(free)
      columns[index] = .address(free, part: part, label: label)
    }
  }

  /// A name without case, accents, and all that is no letter or digit.
  static func plain(_ name: String) -> String {
    let folded = name.folding(
      options: [.caseInsensitive, .diacriticInsensitive, .widthInsensitive], locale: nil)
    return String(String.UnicodeScalarView(folded.unicodeScalars.filter(\.properties.isAlphabeticOrDigit)))
  }

  /// Google's: `phone1value`, `address2city`.
  private static func numbered(_ plain: String) -> ContactColumn? {
    for (kind, parts) in google where plain.hasPrefix(kind) {
      let rest = plain.dropFirst(kind.count)
      guard let number = rest.first?.wholeNumberValue, (1...9).contains(number),
        let part = parts[String(rest.dropFirst())]
      else { continue }
      switch kind {
      case "phone": return part == "label" ? .phoneLabel(number) : .phone(number, label: nil)
      case "address": return .address(number, part: part, label: nil)
      case "website": return .website(number)
      case "email": return number == 1 ? .email : nil
      default: return number == 1 ? .text(part) : nil
      }
    }
    return nil
  }

  private static let google: [(String, [String: String])] = [
    ("phone", ["value": "", "": "", "label": "label", "type": "label"]),
    (
      "address",
      [
        "street": "line1", "extendedaddress": "line2", "city": "city", "region": "region",
        "postalcode": "postalCode", "country": "country", "label": "label", "type": "label",
      ]
    ),
    ("website", ["value": "", "": ""]), ("email", ["value": "", "": ""]),
    ("organization", ["name": "company", "title": "jobTitle"]),
  ]

  private static let usual: [String: ContactColumn] = {
    let words: [(ContactColumn, String)] = [
      (
        .email,
        """
        email emailaddress mail mailaddress emailadresse mailadresse emailprivat adresseemail adressemail courriel
        adresseelectronique correo correoelectronico emaildirection direcciondecorreo direcciondecorreoelectronico
        direcciondeemail subscriberemail useremail emailaddress1 contactemail epost
        """
      ),
      (
        .text("firstName"),
        "firstname givenname fname forename vorname rufname prenom nombre nombredepila primernombre"
      ),
      (
        .text("lastName"),
        "lastname familyname surname lname nachname familienname zuname nom nomdefamille apellido apellidos"
      ),
      (
        .text("name"),
        "name fullname displayname vollername vollstandigername anzeigename nomcomplet nombrecompleto contactname"
      ),
      (
        .text("company"),
        """
        company companyname organization organisation organizationname organisationname firma firmenname unternehmen
        societe entreprise empresa compania
        """
      ),
      (
        .text("jobTitle"),
        "jobtitle title position role organizationtitle beruf funktion stelle berufsbezeichnung fonction poste cargo puesto"
      ),
      (.text("source"), "source quelle herkunft origine origen fuente"),
      (
        .birthday,
        "birthday birthdate dateofbirth dob geburtstag geburtsdatum anniversaire datedenaissance cumpleanos fechadenacimiento"
      ),
      (
        .phone(1, label: nil),
        "phone phonenumber telephone tel telefon telefonnummer rufnummer telefono numerodetelefono numerodetelephone primaryphone"
      ),
      (
        .phone(2, label: "cell"),
        "mobile mobilephone mobilenumber cell cellphone handy handynummer mobil mobiltelefon mobilnummer portable movil telefonomovil"
      ),
      (
        .phone(3, label: "work"), "businessphone workphone companymainphone telefongeschaftlich telefonarbeit"
      ),
      (.phone(4, label: "home"), "homephone telefonprivat"),
      (.phone(5, label: "work"), "businessphone2"), (.phone(6, label: "home"), "homephone2"),
      (.phone(7, label: "fax"), "fax businessfax faxnummer"), (.phone(8, label: nil), "otherphone"),
      (
        .address(1, part: "line1", label: nil),
        """
        address address1 addressline1 street streetaddress strasse straße strassehausnummer straßehausnummer adresse
        anschrift rue adressepostale calle direccion domicilio
        """
      ),
      (
        .address(1, part: "line2", label: nil),
        "address2 addressline2 street2 adresszusatz complementdadresse"
      ),
      (.address(1, part: "city", label: nil), "city town ort stadt wohnort ville ciudad localidad"),
      (
        .address(1, part: "region", label: nil),
        "region state province bundesland kanton etat provincia estado"
      ),
      (
        .address(1, part: "postalCode", label: nil),
        "postalcode postcode zip zipcode plz postleitzahl codepostal codigopostal cp"
      ),
      (.address(1, part: "country", label: nil), "country countryregion countrycode land pays pais"),
      (.address(2, part: "line1", label: "work"), "businessstreet"),
      (.address(2, part: "line2", label: "work"), "businessstreet2"),
      (.address(2, part: "city", label: "work"), "businesscity"),
      (.address(2, part: "region", label: "work"), "businessstate"),
      (.address(2, part: "postalCode", label: "work"), "businesspostalcode"),
      (.address(2, part: "country", label: "work"), "businesscountryregion businesscountry"),
      (.address(3, part: "line1", label: "home"), "homestreet"),
      (.address(3, part: "line2", label: "home"), "homestreet2"),
      (.address(3, part: "city", label: "home"), "homecity"),
      (.address(3, part: "region", label: "home"), "homestate"),
      (.address(3, part: "postalCode", label: "home"), "homepostalcode"),
      (.address(3, part: "country", label: "home"), "homecountryregion homecountry"),
      (
        .website(1),
        "website web webpage url homepage internetseite webseite webadresse siteweb siteinternet sitioweb paginaweb"
      ),
      (
        .tags,
        "tags tag labels label categories category groupmembership schlagworter kategorien etiquettes etiquetas categorias"
      ),
      (
        .note,
        "note notes notiz notizen bemerkung bemerkungen kommentar remarques commentaire notas comentarios"
      ),
      (
        .unsubscribed,
        "isunsubscribed unsubscribed unsubscribedat unsubscribedate unsubtime optout optedout abgemeldet desabonne desinscrit emailoptout optedoutofemail hasoptedoutofemail unsubscribedfromallemail donotemail donotcontact"
      ),
      (.bounced, "isbounced bounced bouncedat"),
      (.status, "status subscriptionstatus emailstatus memberstatus emailmarketing marketingstatus"),
    ]
    var columns: [String: ContactColumn] = [:]
    for (column, names) in words {
      for name in names.split(whereSeparator: \.isWhitespace) { columns[String(name)] = column }
    }
    return columns
  }()
}

extension Unicode.Scalar.Properties {
  fileprivate var isAlphabeticOrDigit: Bool { isAlphabetic || numericType == .decimal }
}
