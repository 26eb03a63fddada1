import FLGeoIP
import FLHTTP
import FLInterchange
import FLValues
import Foundation

extension VCard {
  /// What the card says, in the form in which contacts are given.
  var contact: JSONObject {
    var contact = JSONObject()
    func set(_ name: String, _ text: String?) {
      if let text = text.map(ContactText.line), !text.isEmpty { contact[name] = .string(text) }
    }
    set("email", emails.first?.value)
    set("firstName", name?.given)
    set("lastName", name?.family)
    set("name", fullName == emails.first?.value ? nil : fullName)
    set("company", organization.first)
    set("jobTitle", title)
    if let birthday, let year = birthday.year {
      contact["birthday"] = CalendarDay(year: year, month: birthday.month, day: birthday.day)
        .map { .string($0.description) }
    }
    let numbers = phones.map { Self.labelled("number", $0) }
    if !numbers.isEmpty { contact["phones"] = .array(numbers) }
    let places = addresses.map(Self.address).filter { $0.members.contains { $0.name != "label" } }
    if !places.isEmpty { contact["addresses"] = .array(places.map { .object($0) }) }
    let pages = urls.map { Self.labelled("url", .init(ContactText.address($0.value), label: $0.label)) }
    if !pages.isEmpty { contact["websites"] = .array(pages) }
    if !notes.isEmpty { contact["notes"] = .array(notes.map { ["body": .string($0)] }) }
    if !categories.isEmpty { contact["tags"] = .array(categories.map { .string(ContactText.line($0)) }) }
    var fields = JSONObject()
    for property in extensions {
      switch property.name {
      case CardExtension.unsubscribed: contact["isUnsubscribed"] = true
      case CardExtension.bounced: contact["isBounced"] = true
      case CardExtension.source: set("source", property.value)
      case CardExtension.custom:
        if let name = property.parameters["X-NAME"] { fields[name] = ContactText.value(property.value) }
      default: break
      }
    }
    if !fields.members.isEmpty { contact["customFields"] = .object(fields) }
    ContactText.dropPlainName(&contact)
    return contact
  }

  private static func labelled(_ name: String, _ value: Labelled) -> JSON {
    var object: JSONObject = [name: .string(ContactText.line(value.value))]
    if let label = value.label.flatMap(ContactText.label) { object["label"] = .string(label) }
    return .object(object)
  }

  private static func address(_ address: Address) -> JSONObject {
    var object = JSONObject()
    let second = [address.extended, address.box].filter { !$0.isEmpty }.joined(separator: ", ")
    // An address of nothing but a second line has it as its first.
    let lines = address.street.isEmpty ? (second, "") : (address.street, second)
    for (name, text) in [
      ("label", address.label ?? ""), ("line1", lines.0), ("line2", lines.1), ("city", address.locality),
      ("region", address.region), ("postalCode", address.code),
      ("country", ContactText.country(address.countryCode ?? address.country)),
    ] {
      let line = ContactText.line(text)
      if !line.isEmpty { object[name] = .string(line) }
    }
    return object
  }

  /// A contact as a card.
  init(_ contact: Contact) {
    self.init()
    uid = "urn:uuid:\(contact.id)"
    fullName = contact.name ?? contact.email
    if contact.firstName != nil || contact.lastName != nil {
      var name = Name()
      (name.given, name.family) = (contact.firstName ?? "", contact.lastName ?? "")
      self.name = name
    }
    emails = [.init(contact.email)]
    phones = contact.phones.map { .init($0.number, label: $0.label) }
    addresses = contact.addresses.map { place in
      var address = Address()
      address.label = place.label
      (address.street, address.extended) = (place.line1 ?? "", place.line2 ?? "")
      (address.locality, address.region) = (place.city ?? "", place.region ?? "")
      address.code = place.postalCode ?? ""
      address.countryCode = place.country
      address.country = place.country.flatMap { Countries[$0]?.name } ?? ""
      return address
    }
    urls = contact.websites.map { .init($0.url, label: $0.label) }
    organization = [contact.company].compactMap { $0 }
    title = contact.jobTitle
    birthday = contact.birthday.map { .init(year: $0.year, month: $0.month, day: $0.day) }
    notes = contact.notes.map(\.body)
    categories = contact.tags
    extensions = [.init("CREATED", ContactExport.compact(contact.createdAt))]
    if let source = contact.source { extensions.append(.init(CardExtension.source, source)) }
    for group in contact.groups { extensions.append(.init(CardExtension.group, group.name)) }
    for field in contact.customFields.members.members {
      extensions.append(
        .init(CardExtension.custom, ContactText.spelled(field.value), parameters: ["X-NAME": field.name]))
    }
    if let time = contact.unsubscribedAt {
      extensions.append(.init(CardExtension.unsubscribed, ContactExport.compact(time)))
    }
    if let time = contact.bouncedAt {
      extensions.append(.init(CardExtension.bounced, ContactExport.compact(time)))
    }
  }
}

/// The names of what vCard has no property for.
private enum CardExtension {
  static let source = "X-FASTLINKIT-SOURCE"
  static let group = "X-FASTLINKIT-GROUP"
  static let custom = "X-FASTLINKIT-CUSTOM"
  static let unsubscribed = "X-FASTLINKIT-UNSUBSCRIBED"
  static let bounced = "X-FASTLINKIT-BOUNCED"
}
