import FLHTTP
import FLMariaDB
import FLValues

/// One kind of the parts of contacts as resources of their own.
struct ContactPartRoutes<Part: ContactPart>: Sendable {
  let database: Database
  let contacts: ContactService

  /// A part with where it is.
  struct Place: Sendable {
    let contact: ContactID
    let part: Part
    /// The contact's.
    let tag: EntityTag

    static var shape: Shape<Place> {
      let shape = Part.shape
      return Shape(
        schema: shape.schema,
        read: { _, reading in
          reading.refuse("read_only", "This is only ever answered.")
          return nil
        },
        write: { shape.write($0.part, into: &$1) })
    }
  }

  private var kind: ContactPartKind { Part.kind }
  private var base: String { "/api/contacts/{id}/\(kind.rawValue)" }

  var routes: [Route] {
    let contact = Parameter<ContactID>.path("id", .id(), "The contact's id.")
    let part = Parameter<ID<Part>>.path("\(kind.single)Id", .id(), "The \(kind.single)'s id.")
    let path = "\(base)/{\(kind.single)Id}"
    let single = kind.single
    let segment = kind.rawValue
    return [
      Route(
        .get, base, "listContact\(kind.capital)", access: .scope(.contacts), tag: "Contacts",
        summary: "List a contact's \(kind.rawValue)", contact, .limit, .cursor,
        reply: .list(Part.shape, named: "Contact\(kind.singleCapital)"),
        handler: { call, id, limit, cursor in try list(call, id, limit, cursor) }),
      Route(
        .post, base, "addContact\(kind.singleCapital)", access: .scope(.contacts), tag: "Contacts",
        summary: "Add a \(single) to a contact", contact, body: Part.input,
        reply: .created(Place.shape, at: { "/api/contacts/\($0.contact)/\(segment)/\($0.part.id)" })
          .tagged(\.tag),
        handler: { call, new, id in try add(call, new, id) }),
      Route(
        .get, path, "getContact\(kind.singleCapital)", access: .scope(.contacts), tag: "Contacts",
        summary: "Read a \(single) of a contact", contact, part, reply: .ok(Place.shape).tagged(\.tag),
        handler: { call, id, part in try find(call, id, part) }),
      Route(
        .patch, path, "updateContact\(kind.singleCapital)", access: .scope(.contacts), tag: "Contacts",
        summary: "Change a \(single) of a contact", problems: [412], contact, part, body: Self.patch,
        reply: .ok(Place.shape).tagged(\.tag),
        handler: { call, patch, id, part in try update(call, patch, id, part) }),
      Route(
        .delete, path, "deleteContact\(kind.singleCapital)", access: .scope(.contacts), tag: "Contacts",
        summary: "Take a \(single) from a contact", problems: [412], contact, part, reply: .noContent,
        handler: { call, id, part in try delete(call, id, part) }),
    ]
  }

  /// A merge patch: the members of `Part.input`, of which none must be there. The part with the patch made to it is
  /// what is checked.
  private static var patch: Shape<JSONObject> {
    let names = Part.input.schema.members
    var schema = Schema(Part.input.schema.component ?? [:]).json.object ?? [:]
    schema["required"] = nil
    return Shape<JSONObject>(
      schema: Schema(.object(schema)),
      read: { json, reading in
        guard let object = json.object else {
          reading.refuseType("an object")
          return nil
        }
        reading.refuseMembers(of: object, notIn: Set(names), listed: names.joined(separator: ", "))
        return object
      },
      write: { $1.value(.object($0)) }
    ).named("Contact\(Part.kind.singleCapital)Changes")
  }

  func list(_ call: Call, _ id: ContactID, _ limit: Int, _ cursor: Cursor?) throws -> Page<Part> {
    _ = try contact(call, id)
    let all = try ContactPartRows<Part>(queries: database).all(of: [id])[id] ?? []
    let after: ID<Part>? = cursor?.id()
    let rest = all.filter { part in after.map { part.id > $0 } ?? true }
    return Page(rest, limit: limit, total: all.count) { Cursor(id: $0.id) }
  }

  func find(_ call: Call, _ id: ContactID, _ part: ID<Part>) throws -> Place {
    let contact = try contact(call, id)
    guard let part = try ContactPartRows<Part>(queries: database).find(part, of: id) else {
      throw Problem.notFound
    }
    return Place(contact: id, part: part, tag: contact.tag)
  }

  func add(_ call: Call, _ new: Part, _ id: ContactID) throws -> Place {
    try change(call, id) { parts in
      let added = [new].numbered(at: call.now)
      try parts.insert(added.map { (id, $0) })
      return added[0]
    }
  }

  func update(_ call: Call, _ patch: JSONObject, _ id: ContactID, _ part: ID<Part>) throws -> Place {
    // As everywhere, what is wrong with the body is told before what does not hold any more.
    _ = try Self.changed(try find(call, id, part).part, by: patch)
    return try change(call, id) { parts in
      guard let old = try parts.find(part, of: id) else { throw Problem.notFound }
      let new = try Self.changed(old, by: patch)
      try parts.update(new, of: id)
      return new
    }
  }

  private static func changed(_ old: Part, by patch: JSONObject) throws -> Part {
    var members = try JSON(reading: Part.shape.bytes(old)).object ?? [:]
    for member in patch.members { members[member.name] = member.unlessNull }
    var new = try Part.input.read(.object(members)).made(like: old)
    new.id = old.id
    return new
  }

  func delete(_ call: Call, _ id: ContactID, _ part: ID<Part>) throws {
    _ = try contacts.changeParts(
      of: id, account: call.caller.account, if: call.preconditions, at: call.now
    ) { (parts: ContactPartRows<Part>) in
      guard try parts.delete(part, of: id) else { throw Problem.notFound }
    }
  }

  private func contact(_ call: Call, _ id: ContactID) throws -> Contact {
    guard let contact = try ContactRows(account: call.caller.account, queries: database).find(id) else {
      throw Problem.notFound
    }
    return contact
  }

  private func change(_ call: Call, _ id: ContactID, _ change: (ContactPartRows<Part>) throws -> Part) throws
    -> Place
  {
    let (part, contact) = try contacts.changeParts(
      of: id, account: call.caller.account, if: call.preconditions, at: call.now, change)
    return Place(contact: id, part: part, tag: contact.tag)
  }
}

extension Schema {
  /// The schema that this one refers to, where it is a reference.
  fileprivate var component: JSON? {
    guard let name = json["$ref"]?.string?.split(separator: "/").last else { return json }
    return named[String(name)]
  }

  /// The names of an object's members.
  fileprivate var members: [String] { component?["properties"]?.object?.members.map(\.name) ?? [] }
}
