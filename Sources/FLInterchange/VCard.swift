/// One business card (vCard, RFC 6350), as far as it is of use for a contact.
public struct VCard: Sendable, Equatable {
  /// A value, and what kind of it it is: `work`, `home`, or words of the owner's.
  public struct Labelled: Sendable, Equatable {
    /// The kind.
    public var label: String?
    /// The value.
    public var value: String

    /// A value of a kind.
    public init(_ value: String, label: String? = nil) {
      self.label = label
      self.value = value
    }
  }

  /// The parts of a name; empty where there is none.
  public struct Name: Sendable, Equatable {
    /// The family name.
    public var family = ""
    /// The given name.
    public var given = ""
    /// Other given names.
    public var additional = ""
    /// What stands before it: `Dr.`
    public var prefix = ""
    /// What stands behind it: `Jr.`
    public var suffix = ""

    /// No name.
    public init() {}
  }

  /// A postal address; its parts are empty where there are none.
  public struct Address: Sendable, Equatable {
    /// The kind.
    public var label: String?
    /// The post office box.
    public var box = ""
    /// What goes beside the street: floor, apartment.
    public var extended = ""
    /// Street and number.
    public var street = ""
    /// The town.
    public var locality = ""
    /// Province, state.
    public var region = ""
    /// The postal code.
    public var code = ""
    /// The country's name.
    public var country = ""
    /// The country by ISO 3166-1 alpha-2 (`CC`, RFC 8605), in whatever case.
    public var countryCode: String?

    /// An address of nothing.
    public init() {}
  }

  /// A day, of a known year or of any.
  public struct Birthday: Sendable, Equatable {
    /// The year; nil where only the day was told.
    public var year: Int?
    /// 1 to 12.
    public var month: Int
    /// 1 to 31.
    public var day: Int

    /// A day.
    public init(year: Int?, month: Int, day: Int) {
      self.year = year
      self.month = month
      self.day = day
    }
  }

  /// A property of a program's own (`X-…`, and `CREATED` of RFC 9554).
  public struct Extension: Sendable, Equatable {
    /// The name in upper case.
    public var name: String
    /// The parameters' values by their names in upper case, the first of each.
    public var parameters: [String: String]
    /// The value.
    public var value: String

    /// A property.
    public init(_ name: String, _ value: String, parameters: [String: String] = [:]) {
      self.name = name
      self.parameters = parameters
      self.value = value
    }
  }

  /// What tells this card from all others.
  public var uid: String?
  /// The name as it is to be shown (`FN`).
  public var fullName: String?
  /// The name in its parts (`N`).
  public var name: Name?
  /// E-mail addresses, the preferred one first.
  public var emails: [Labelled] = []
  /// Telephone numbers.
  public var phones: [Labelled] = []
  /// Postal addresses.
  public var addresses: [Address] = []
  /// Web addresses.
  public var urls: [Labelled] = []
  /// The organization, and its units from the largest on.
  public var organization: [String] = []
  /// The job title.
  public var title: String?
  /// The birthday, where day and month are known.
  public var birthday: Birthday?
  /// Notes.
  public var notes: [String] = []
  /// Tags.
  public var categories: [String] = []
  /// What programs have added.
  public var extensions: [Extension] = []

  /// An empty card.
  public init() {}

  /// Why a card could not be read.
  public enum Flaw: String, Sendable {
    /// Another card begins, or the file ends, before this one has ended.
    case unclosed = "unclosed_card"
    /// A value that is of use has more than 64 KiB, or all of them together more than 4 MiB.
    case tooLarge = "card_too_large"

    /// What is wrong, for a person.
    public var message: String {
      switch self {
      case .unclosed: "The card has no END:VCARD."
      case .tooLarge:
        "A value of a card may have at most \(VCard.mostLineBytes) bytes, and all together \(VCard.mostBytes)."
      }
    }
  }

  /// What comes out of a file of cards.
  public enum Event: Sendable, Equatable {
    /// A card, the line in which it begins, and where reading goes on.
    case card(VCard, line: Int, next: FilePlace)
    /// A card that could not be read; others go on.
    case fault(Flaw, line: Int, next: FilePlace)

    /// Where reading goes on.
    public var next: FilePlace {
      switch self {
      case .card(_, _, let next), .fault(_, _, let next): next
      }
    }
  }

  /// The most bytes of one property that is of use, in UTF-8.
  public static let mostLineBytes = 65_536
  /// The most bytes of all properties of a card that are of use: a hundred notes of 5,000 characters have their room.
  public static let mostBytes = 4_194_304
  /// The most properties of a card that are of use.
  public static let mostProperties = 1000
}
