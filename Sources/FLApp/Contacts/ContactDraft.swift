import FLHTTP
import FLValues

/// A contact as it is given: to make one, or to bring what is known of it up to date. What is nil is not said.
///
/// The members are checked: they come from `shape`, or from a file's columns by the shapes that it is made of.
struct ContactDraft: Sendable {
  var email: EmailAddress
  var firstName: String?
  var lastName: String?
  var fullName: String?
  var company: String?
  var jobTitle: String?
  var birthday: CalendarDay?
  var source: String?
  var customFields = CustomFields()
  var phones: [ContactPhone] = []
  var addresses: [ContactAddress] = []
  var websites: [ContactWebsite] = []
  var notes: [ContactNote] = []
  var tags: [TagName] = []
  /// True sets the flag; false lifts nothing, as no import does.
  var isBounced: Bool?
  /// True sets the flag; false lifts nothing, as no import does.
  var isUnsubscribed: Bool?

  static let shape = Shape<ContactDraft>(
    {
      email, first, last, full, company, job, birthday, source, fields, phones, addresses, websites, notes,
      tags, isBounced, isUnsubscribed in
      ContactDraft(
        email: email, firstName: first, lastName: last, fullName: full, company: company, jobTitle: job,
        birthday: birthday, source: source, customFields: fields?.withoutNulls ?? CustomFields(),
        phones: phones ?? [], addresses: addresses ?? [], websites: websites ?? [], notes: notes ?? [],
        tags: tags ?? [], isBounced: isBounced, isUnsubscribed: isUnsubscribed)
    },
    Field("email", \.email, ContactMember.email),
    Field("firstName", \.firstName, ContactMember.text),
    Field("lastName", \.lastName, ContactMember.text),
    Field("name", \.fullName, ContactMember.fullName),
    Field("company", \.company, ContactMember.text),
    Field("jobTitle", \.jobTitle, ContactMember.text),
    Field("birthday", \.birthday, ContactMember.birthday),
    Field("source", \.source, ContactMember.source),
    Field("customFields", { .some($0.customFields) }, ContactMember.fields),
    Field("phones", { .some($0.phones) }, ContactMember.phones),
    Field("addresses", { .some($0.addresses) }, ContactMember.addresses),
    Field("websites", { .some($0.websites) }, ContactMember.websites),
    Field("notes", { .some($0.notes) }, ContactMember.notes),
    Field("tags", { .some($0.tags) }, ContactMember.tags),
    Field("isBounced", \.isBounced, ContactMember.flag),
    Field("isUnsubscribed", \.isUnsubscribed, ContactMember.flag)
  ).named("NewContact")
}

/// One of many contacts that are given at once: what it says, or why that can't be taken.
enum ContactRow: Sendable {
  /// How many problems of a row are told.
  static let mostProblems = 5

  case draft(ContactDraft)
  /// `optOut` is what holds of it nevertheless.
  case bad([FieldProblem], email: String?, optOut: ContactOptOut? = nil)

  /// Reads a row of a request; whatever is wrong with it stays its own.
  init(reading json: JSON) {
    do throws(Problem) {
      self = .draft(try ContactDraft.shape.read(json))
    } catch {
      // No more than is told: a hostile body has thousands of wrong members in each of thousands of rows.
      let email = json["email"]?.string?.cut(toScalars: 254)
      self = .bad(
        Array(error.errors.prefix(Self.mostProblems)), email: email, optOut: ContactOptOut(reading: json))
    }
  }
}

/// That an address is to get no mailings. It holds where the rest of a row can't be taken.
struct ContactOptOut: Sendable {
  let email: EmailAddress
  let isUnsubscribed: Bool
  let isBounced: Bool

  /// What a row says that can be taken; nil where it says no such thing.
  init?(_ draft: ContactDraft) {
    self.init(draft.email, isUnsubscribed: draft.isUnsubscribed, isBounced: draft.isBounced)
  }

  /// What a row says that can't be taken; nil where it says no such thing, or nobody knows of whom.
  init?(reading json: JSON) {
    var reading = Reading()
    guard let address = json["email"], let email = ContactMember.email.read(address, into: &reading) else {
      return nil
    }
    self.init(email, isUnsubscribed: json["isUnsubscribed"]?.bool, isBounced: json["isBounced"]?.bool)
  }

  private init?(_ email: EmailAddress, isUnsubscribed: Bool?, isBounced: Bool?) {
    guard isUnsubscribed == true || isBounced == true else { return nil }
    self.email = email
    self.isUnsubscribed = isUnsubscribed == true
    self.isBounced = isBounced == true
  }
}

/// What is to be changed of a contact (a merge patch).
struct ContactChanges: Sendable {
  let email: EmailAddress?
  let firstName: Change<String>
  let lastName: Change<String>
  let fullName: Change<String>
  let company: Change<String>
  let jobTitle: Change<String>
  let birthday: Change<CalendarDay>
  let source: Change<String>
  let customFields: Change<CustomFields>
  let phones: Change<[ContactPhone]>
  let addresses: Change<[ContactAddress]>
  let websites: Change<[ContactWebsite]>
  let notes: Change<[ContactNote]>
  let tags: Change<[TagName]>
  let isBounced: Bool?
  let isUnsubscribed: Bool?

  static let shape = Shape<ContactChanges>(
    {
      email, first, last, full, company, job, birthday, source, fields, phones, addresses, websites, notes,
      tags, isBounced, isUnsubscribed in
      ContactChanges(
        email: email, firstName: first, lastName: last, fullName: full, company: company, jobTitle: job,
        birthday: birthday, source: source, customFields: fields, phones: phones, addresses: addresses,
        websites: websites, notes: notes, tags: tags, isBounced: isBounced, isUnsubscribed: isUnsubscribed)
    },
    Field("email", \.email, ContactMember.maybeEmail),
    Field("firstName", \.firstName, ContactMember.textChange),
    Field("lastName", \.lastName, ContactMember.textChange),
    Field("name", \.fullName, ContactMember.textChange),
    Field("company", \.company, ContactMember.textChange),
    Field("jobTitle", \.jobTitle, ContactMember.textChange),
    Field("birthday", \.birthday, ContactMember.birthdayChange),
    Field("source", \.source, ContactMember.sourceChange),
    Field("customFields", \.customFields, ContactMember.fieldsChange),
    Field("phones", \.phones, ContactMember.phonesChange),
    Field("addresses", \.addresses, ContactMember.addressesChange),
    Field("websites", \.websites, ContactMember.websitesChange),
    Field("notes", \.notes, ContactMember.notesChange),
    Field("tags", \.tags, ContactMember.tagsChange),
    Field("isBounced", \.isBounced, ContactMember.flagChange),
    Field("isUnsubscribed", \.isUnsubscribed, ContactMember.flagChange)
  ).named("ContactChanges")
}

/// The shapes of a contact's members, each with its type written out for the compiler's sake.
enum ContactMember {
  /// The key of an address may be longer than the address: a capital can have two small letters.
  static let email: Shape<EmailAddress> = Shape<EmailAddress>.email.map(
    to: { address, reading in
      if address.text.utf8.count <= 127 || address.key.unicodeScalars.count <= 254 { return address }
      reading.refuse("too_long", "This may have at most 254 characters.")
      return nil
    }, from: { $0 })
  static let maybeEmail: Shape<EmailAddress?> = .maybe(email)
  static let text: Shape<String?> = .optional(.text(1...255))
  static let fullName: Shape<String?> = text.described(
    "The whole name, where it is more than first and last name.")
  static let birthday: Shape<CalendarDay?> = .optional(.calendarDay)
  static let source: Shape<String?> = Shape<String?>.optional(.text(1...64)).described(
    "Where the contact came from.")
  static let fields: Shape<CustomFields?> = .optional(.customFields)
  static let phoneList: Shape<[ContactPhone]> = .list(of: ContactPhone.input, atMost: ContactPhone.most)
  static let addressList: Shape<[ContactAddress]> = .list(
    of: ContactAddress.input, atMost: ContactAddress.most)
  static let websiteList: Shape<[ContactWebsite]> = .list(
    of: ContactWebsite.input, atMost: ContactWebsite.most)
  static let noteList: Shape<[ContactNote]> = .list(of: ContactNote.input, atMost: ContactNote.most)
  static let tagList: Shape<[TagName]> = .list(of: .tagName, atMost: TagName.most)
  static let phones: Shape<[ContactPhone]?> = .optional(phoneList)
  static let addresses: Shape<[ContactAddress]?> = .optional(addressList)
  static let websites: Shape<[ContactWebsite]?> = .optional(websiteList)
  static let notes: Shape<[ContactNote]?> = .optional(noteList)
  static let tags: Shape<[TagName]?> = .optional(tagList)
  static let flag: Shape<Bool?> = Shape<Bool?>.optional(.bool).described(
    "true sets the flag; false lifts nothing.")
  static let textChange: Shape<Change<String>> = .change(.text(1...255))
  static let birthdayChange: Shape<Change<CalendarDay>> = .change(.calendarDay)
  static let sourceChange: Shape<Change<String>> = .change(.text(1...64))
  static let fieldsChange: Shape<Change<CustomFields>> = Shape<Change<CustomFields>>.change(.customFields)
    .described(
      "Merged name by name; null for a name takes it away.")
  static let phonesChange: Shape<Change<[ContactPhone]>> = .change(phoneList)
  static let addressesChange: Shape<Change<[ContactAddress]>> = .change(addressList)
  static let websitesChange: Shape<Change<[ContactWebsite]>> = .change(websiteList)
  static let notesChange: Shape<Change<[ContactNote]>> = .change(noteList)
  static let tagsChange: Shape<Change<[TagName]>> = .change(tagList)
  static let flagChange: Shape<Bool?> = Shape<Bool?>.maybe(.bool).described(
    "false lifts the flag: the act of a person.")
}
