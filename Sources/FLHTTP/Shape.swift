/// The wire form of a `Value`: how it is read from JSON with every problem told at once, how it is written, and
/// its JSON Schema.
public struct Shape<Value>: Sendable {
  /// The JSON Schema.
  public var schema: Schema
  /// Whether a member of this shape must be there.
  private(set) var isRequired = true
  /// What an object's member has when it is not there; nil where it must be there.
  ///
  /// No enum with this closure as its payload: the optimizing compiler (Swift 6.3.1) crashes over such a one in
  /// an element of a pack.
  private(set) var whenAbsent: @Sendable () -> Value? = { nil }
  /// How a query parameter or a path segment of this shape is spelled.
  var lexical: Lexical
  /// The same of each element, where `lexical` is a list.
  var elementLexical: Lexical = .text
  private let reader: @Sendable (JSON, inout Reading) -> Value?
  private let writer: @Sendable (Value, inout JSONWriter) -> Void

  /// A shape from its parts. `read` answers nil after it has told a problem.
  public init(
    schema: Schema, lexical: Lexical = .text,
    read: @escaping @Sendable (JSON, inout Reading) -> Value?,
    write: @escaping @Sendable (Value, inout JSONWriter) -> Void
  ) {
    self.schema = schema
    self.lexical = lexical
    reader = read
    writer = write
  }

  /// A shape that is a string on the wire. `readText` answers nil after it has told a problem.
  public init(
    schema: Schema, readText: @escaping @Sendable (String, inout Reading) -> Value?,
    write: @escaping @Sendable (Value, inout JSONWriter) -> Void
  ) {
    self.init(
      schema: schema,
      read: { json, reading in
        guard let text = json.string else {
          reading.refuseType("a string")
          return nil
        }
        return readText(text, &reading)
      }, write: write)
  }

  /// Reads a value; nil when a problem was told to `reading`.
  public func read(_ json: JSON, into reading: inout Reading) -> Value? { reader(json, &reading) }

  /// Writes a value.
  public func write(_ value: Value, into writer: inout JSONWriter) { self.writer(value, &writer) }

  /// Reads a whole body.
  /// - Throws: `Problem` 422 with every field that is wrong.
  public func read(_ json: JSON) throws(Problem) -> Value {
    var reading = Reading()
    let value = reader(json, &reading)
    guard let value, reading.problems.isEmpty else { throw .invalid(reading.problems) }
    return value
  }

  /// The JSON text of a value.
  public func bytes(_ value: Value) -> [UInt8] {
    var json = JSONWriter()
    writer(value, &json)
    return json.bytes
  }

  /// The same shape with more keywords in its schema (`description`, `examples`, …).
  public func described(_ description: String, example: JSON? = nil) -> Shape {
    var shape = self
    var keywords: JSONObject = ["description": .string(description)]
    if let example { keywords["examples"] = .array([example]) }
    shape.schema = schema.with(keywords)
    return shape
  }

  /// The same shape for a member that may be absent, and then is what `value` answers.
  func absent(as value: @escaping @Sendable () -> Value) -> Shape {
    var shape = self
    shape.isRequired = false
    shape.whenAbsent = { value() }
    return shape
  }

  /// The same shape with its schema as a component called `name`.
  public func named(_ name: String) -> Shape {
    var shape = self
    shape.schema = schema.named(name)
    return shape
  }

  /// The shape of `Other` that is this one on the wire, and must be there: say `optional` and `defaulting` of
  /// the result. `from` answers nil after it has told a problem.
  public func map<Other>(
    to from: @escaping @Sendable (Value, inout Reading) -> Other?,
    from to: @escaping @Sendable (Other) -> Value
  ) -> Shape<Other> {
    var mapped = Shape<Other>(
      schema: schema, lexical: lexical,
      read: { json, reading in self.reader(json, &reading).flatMap { from($0, &reading) } },
      write: { self.writer(to($0), &$1) })
    mapped.elementLexical = elementLexical
    return mapped
  }
}

/// How a value is spelled outside JSON, in a path or a query.
public enum Lexical: Sendable {
  /// As it is.
  case text
  /// As JSON spells it: numbers, `true` and `false`.
  case literal
  /// Several, with commas between.
  case list
}

/// The state of reading one body: where the reader is, and what is wrong so far.
public struct Reading: Sendable {
  /// What is wrong so far.
  public private(set) var problems: [FieldProblem] = []
  private let base: String
  private var steps: [Step] = []

  private enum Step {
    case member(String)
    case element(Int)
  }

  /// The most problems that are told: an answer stays in proportion to what was sent.
  static let mostProblems = 1000

  /// A reading that begins at `path`, the name that a problem with the whole value gets.
  public init(at path: String = "") { base = path }

  /// Tells a problem with the field that is being read.
  public mutating func refuse(_ code: String, _ message: String) {
    guard problems.count < Self.mostProblems else { return }
    problems.append(FieldProblem(path.isEmpty ? "body" : path, code, message))
  }

  private var path: String {
    steps.reduce(into: base) { path, step in
      switch step {
      case .member(let name): path += path.isEmpty ? name : ".\(name)"
      case .element(let index): path += "[\(index)]"
      }
    }
  }

  /// Tells that the value is of another JSON type than `expected`.
  public mutating func refuseType(_ expected: String) {
    refuse("invalid_type", "This must be \(expected).")
  }

  /// Reads below the member `name`.
  public mutating func member<Result>(_ name: String, _ read: (inout Reading) -> Result) -> Result {
    steps.append(.member(name))
    defer { steps.removeLast() }
    return read(&self)
  }

  /// Reads below the element at `index`.
  public mutating func element<Result>(_ index: Int, _ read: (inout Reading) -> Result) -> Result {
    steps.append(.element(index))
    defer { steps.removeLast() }
    return read(&self)
  }
}

/// One member of `Owner`'s wire form.
public struct Field<Owner, Value>: Sendable {
  let name: String
  let shape: Shape<Value>
  let get: @Sendable (Owner) -> Value

  /// The member `name`, whose value is at `get`.
  public init(_ name: String, _ get: @escaping @Sendable (Owner) -> Value, _ shape: Shape<Value>) {
    self.name = name
    self.shape = shape
    self.get = get
  }
}

extension Reading {
  /// Notes a problem for each member of `object` that is none of `names`; `list` is how they are told.
  package mutating func refuseMembers(of object: JSONObject, notIn names: Set<String>, listed list: String) {
    for member in object.members where !names.contains(member.name) {
      self.member(member.name) {
        $0.refuse("unknown_field", "There is no such member here; known are: \(list).")
      }
    }
  }
}

extension Shape {
  /// An object that is read and written: `make` takes the members' values in the order of `fields`.
  public init<each Member>(
    _ make: @escaping @Sendable (repeat each Member) -> Value, _ fields: repeat Field<Value, each Member>
  ) {
    var members: [(name: String, schema: Schema, isRequired: Bool)] = []
    for field in repeat each fields {
      members.append((field.name, field.shape.schema, field.shape.isRequired))
    }
    let names = Set(members.map(\.name))
    let sortedNames = members.map(\.name).joined(separator: ", ")
    self.init(
      schema: .object(members),
      read: { json, reading in
        guard let object = json.object else {
          reading.refuseType("an object")
          return nil
        }
        reading.refuseMembers(of: object, notIn: names, listed: sortedNames)
        let values = (repeat (each fields).read(from: object, into: &reading))
        for isMissing in repeat (each values).isMissing { if isMissing { return nil } }
        return make(repeat (each values).unsafelyTaken)
      },
      write: { value, writer in
        writer.object { writer in
          for field in repeat each fields {
            writer.name(field.name)
            field.shape.write(field.get(value), into: &writer)
          }
        }
      })
  }

  /// A member of an object that is only ever written.
  public struct Member: Sendable {
    let name: String
    let written: [UInt8]
    let schema: Schema
    let write: @Sendable (Value, inout JSONWriter) -> Void

    /// The member `name`, whose value is at `get`.
    public init<Part>(
      _ name: String, _ get: @escaping @Sendable (Value) -> Part, _ shape: Shape<Part>
    ) {
      self.name = name
      written = Array("\"\(name)\":".utf8)
      schema = shape.schema
      write = { shape.write(get($0), into: &$1) }
    }

    private init(name: String, schema: Schema, write: @escaping @Sendable (Value, inout JSONWriter) -> Void) {
      self.name = name
      written = Array("\"\(name)\":".utf8)
      self.schema = schema
      self.write = write
    }

    /// The same member of a `Whole` that has a `Value` at `get`.
    public func lifted<Whole>(
      from get: @escaping @Sendable (Whole) -> Value
    ) -> Shape<Whole>.Member {
      Shape<Whole>.Member(name: name, schema: schema, write: { write(get($0), &$1) })
    }
  }

  /// An object that is only written; all its members are always there.
  public static func output(_ name: String, _ members: [Member]) -> Shape {
    Shape(
      schema: Schema.object(members.map { ($0.name, $0.schema, true) }).named(name),
      read: { _, reading in
        reading.refuse("read_only", "This is only ever answered.")
        return nil
      },
      write: { value, writer in
        writer.object { writer in
          for member in members {
            writer.name(written: member.written)
            member.write(value, &writer)
          }
        }
      })
  }
}

extension Field {
  fileprivate func read(from object: JSONObject, into reading: inout Reading) -> Value? {
    reading.member(name) { reading in
      if let json = object[name] { return shape.read(json, into: &reading) }
      if shape.isRequired { reading.refuse("required", "This is required.") }
      return shape.whenAbsent()
    }
  }
}

extension Optional {
  fileprivate var isMissing: Bool { if case .none = self { true } else { false } }

  /// The value of an optional that was just found not to be nil.
  fileprivate var unsafelyTaken: Wrapped {
    guard let self else { preconditionFailure("a member was read and is not there") }
    return self
  }
}
