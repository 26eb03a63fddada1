/// Reads JSON text strictly by RFC 8259, and refuses more than it does: bytes that are no UTF-8, a name twice
/// in one object, lone surrogates, and nesting beyond `maximumDepth`.
struct JSONReader {
  /// Why a text is no JSON, and where.
  struct Failure: Error {
    /// What is wrong, for a person.
    let reason: String
    /// The byte at which it is.
    let offset: Int
  }

  /// Arrays and objects inside one another, at the most.
  static let maximumDepth = 64

  private let bytes: [UInt8]
  private var index = 0
  private var depth = 0

  /// The value that `bytes` are the text of.
  static func read(_ bytes: [UInt8]) throws(Failure) -> JSON {
    var reader = JSONReader(bytes: bytes)
    let value = try reader.value()
    reader.skipSpace()
    guard reader.index == bytes.count else { throw reader.failure("something follows the value") }
    return value
  }

  private init(bytes: [UInt8]) { self.bytes = bytes }

  private func failure(_ reason: String) -> Failure { Failure(reason: reason, offset: index) }

  private var next: UInt8? { index < bytes.count ? bytes[index] : nil }

  private mutating func skipSpace() {
    while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { index += 1 }
  }

  private mutating func take(_ byte: UInt8) -> Bool {
    guard next == byte else { return false }
    index += 1
    return true
  }

  private mutating func value() throws(Failure) -> JSON {
    skipSpace()
    switch next {
    case UInt8(ascii: "{"): return try nested { reader throws(Failure) in try reader.objectMembers() }
    case UInt8(ascii: "["): return try nested { reader throws(Failure) in try reader.arrayElements() }
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    case nil: throw failure("the text ends where a value should be")
    case let byte? where byte == UInt8(ascii: "-") || (48...57).contains(byte): return try number()
    default: throw failure("no value begins like this")
    }
  }

  private mutating func nested(
    _ content: (inout JSONReader) throws(Failure) -> JSON
  ) throws(Failure) -> JSON {
    guard depth < Self.maximumDepth else { throw failure("nested deeper than \(Self.maximumDepth) levels") }
    depth += 1
    defer { depth -= 1 }
    index += 1
    return try content(&self)
  }

  private mutating func objectMembers() throws(Failure) -> JSON {
    var object = JSONObject()
    var names = Set<String>()
    skipSpace()
    if take(UInt8(ascii: "}")) { return .object(object) }
    while true {
      skipSpace()
      guard next == UInt8(ascii: "\"") else { throw failure("a member's name should be here") }
      let name = try string()
      // A few names are compared one by one; a set is for those who send many.
      if object.members.count == 16 { names.formUnion(object.members.map(\.name)) }
      let isNew = object.members.count < 16 ? object[name] == nil : names.insert(name).inserted
      guard isNew else { throw failure("the member \"\(name)\" stands here twice") }
      skipSpace()
      guard take(UInt8(ascii: ":")) else { throw failure("a colon should be here") }
      object.append(name, try value())
      skipSpace()
      if take(UInt8(ascii: "}")) { return .object(object) }
      guard take(UInt8(ascii: ",")) else { throw failure("a comma or the object's end should be here") }
    }
  }

  private mutating func arrayElements() throws(Failure) -> JSON {
    var elements: [JSON] = []
    skipSpace()
    if take(UInt8(ascii: "]")) { return .array(elements) }
    while true {
      elements.append(try value())
      skipSpace()
      if take(UInt8(ascii: "]")) { return .array(elements) }
      guard take(UInt8(ascii: ",")) else { throw failure("a comma or the array's end should be here") }
    }
  }

  private mutating func word(_ word: String, _ value: JSON) throws(Failure) -> JSON {
    guard bytes[index...].starts(with: word.utf8) else { throw failure("no value begins like this") }
    index += word.utf8.count
    return value
  }

  private mutating func number() throws(Failure) -> JSON {
    let start = index
    var whole = true
    _ = take(UInt8(ascii: "-"))
    if !take(UInt8(ascii: "0")) { try digits() }
    if take(UInt8(ascii: ".")) {
      whole = false
      try digits()
    }
    if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
      whole = false
      if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
      try digits()
    }
    let text = String(decoding: bytes[start..<index], as: UTF8.self)
    if whole, let integer = Int64(text) { return .integer(integer) }
    guard let number = Double(text), number.isFinite else {
      throw failure("a number beyond what can be held")
    }
    return .number(number)
  }

  private mutating func digits() throws(Failure) {
    guard let byte = next, (48...57).contains(byte) else { throw failure("a digit should be here") }
    while let byte = next, (48...57).contains(byte) { index += 1 }
  }

  private mutating func string() throws(Failure) -> String {
    index += 1
    let start = index
    // Most strings have no escape: they are taken as they stand.
    while let byte = next, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { index += 1 }
    if next == UInt8(ascii: "\"") {
      defer { index += 1 }
      return try text(bytes[start..<index])
    }
    var collected = Array(bytes[start..<index])
    while let byte = next {
      index += 1
      switch byte {
      case UInt8(ascii: "\""): return try text(collected[...])
      case UInt8(ascii: "\\"): try escape(into: &collected)
      case 0..<0x20: throw failure("a control character in a string must be escaped")
      default: collected.append(byte)
      }
    }
    throw failure("the text ends inside a string")
  }

  private func text(_ slice: ArraySlice<UInt8>) throws(Failure) -> String {
    guard let text = String(validating: slice, as: UTF8.self) else {
      throw failure("a string is not valid UTF-8")
    }
    return text
  }

  private mutating func escape(into collected: inout [UInt8]) throws(Failure) {
    guard let byte = next else { throw failure("the text ends inside a string") }
    index += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): collected.append(byte)
    case UInt8(ascii: "b"): collected.append(0x08)
    case UInt8(ascii: "f"): collected.append(0x0C)
    case UInt8(ascii: "n"): collected.append(0x0A)
    case UInt8(ascii: "r"): collected.append(0x0D)
    case UInt8(ascii: "t"): collected.append(0x09)
    case UInt8(ascii: "u"):
      var units = [try codeUnit()]
      if UTF16.isLeadSurrogate(units[0]) {
        guard take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else {
          throw failure("half a surrogate pair")
        }
        units.append(try codeUnit())
      }
      guard let character = String(validating: units, as: UTF16.self) else {
        throw failure("half a surrogate pair")
      }
      collected.append(contentsOf: character.utf8)
    default: throw failure("no such escape")
    }
  }

  private mutating func codeUnit() throws(Failure) -> UInt16 {
    var unit: UInt16 = 0
    for _ in 0..<4 {
      guard let digit = next.flatMap(PercentEncoding.hexadecimal) else {
        throw failure("four hexadecimal digits should be here")
      }
      unit = unit << 4 | UInt16(digit)
      index += 1
    }
    return unit
  }
}

extension JSON {
  /// Reads JSON text.
  /// - Throws: `Problem` 400 `malformed_json` that names the place.
  public init(reading bytes: [UInt8]) throws(Problem) {
    do throws(JSONReader.Failure) {
      self = try JSONReader.read(bytes)
    } catch {
      throw Problem(
        400, "malformed_json", "The body is not valid JSON.",
        detail: "At byte \(error.offset): \(error.reason).")
    }
  }
}
