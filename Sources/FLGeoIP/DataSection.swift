/// The bytes of a MaxMind DB's data section (or of its metadata), read value by value.
///
/// (https://maxmind.github.io/MaxMind-DB/, "Output Data Section".) libmaxminddb's own readers go as deep and as long
/// as a file makes them; this one has a budget of values, so that no file can keep a thread or the stack. Whatever
/// lies outside of the bytes is refused.
@safe struct DataSection {
  /// A file that is not as the format has it.
  enum Failure: Error { case malformed, tooMuch }

  /// Maps and arrays inside of one another, at most.
  static let maximumDepth = 16

  private let base: UnsafePointer<UInt8>
  let count: Int
  /// How many more values may be read.
  private(set) var budget: Int

  /// The `count` bytes at `base`, which must outlive this value.
  init(_ base: UnsafePointer<UInt8>, count: Int, budget: Int = 4096) {
    unsafe self.base = unsafe base
    self.count = count
    self.budget = budget
  }

  /// What stands at a place, and where the next value is.
  struct Value {
    enum Content {
      case map(Int), array(Int), text(Range<Int>), double(Double), unsigned(UInt64), signed(Int32), bool(Bool)
      case other
    }

    let content: Content
    /// Where its elements begin, for a map and an array.
    let inside: Int
    /// Where what follows it begins; for a map or an array behind their control bytes, unless it was pointed to.
    let next: Int
    /// Whether it was pointed to: then `next` is behind the pointer.
    let isPointedTo: Bool
  }

  private func byte(_ offset: Int) throws(Failure) -> UInt8 {
    guard offset >= 0, offset < count else { throw .malformed }
    return unsafe base[offset]
  }

  private func number(_ offset: Int, _ length: Int) throws(Failure) -> UInt64 {
    guard length <= 8, offset >= 0, offset <= count - length else { throw .malformed }
    var number: UInt64 = 0
    for index in offset..<offset + length { number = unsafe number << 8 | UInt64(base[index]) }
    return number
  }

  /// The value at `offset`; a pointer is followed, once.
  mutating func value(at offset: Int) throws(Failure) -> Value { try value(at: offset, wasPointedTo: false) }

  private mutating func value(at offset: Int, wasPointedTo: Bool) throws(Failure) -> Value {
    budget -= 1
    guard budget > 0 else { throw .tooMuch }
    let control = try byte(offset)
    var type = Int(control >> 5)
    var place = offset + 1
    if type == 1 {
      guard !wasPointedTo else { throw .malformed }
      let size = Int(control >> 3 & 3)
      let start = size == 3 ? 0 : UInt64(control & 7) << (8 * UInt64(size + 1))
      let target = try start | number(place, size + 1)
      let value = try value(at: Int(target) + [0, 2048, 526_336, 0][size], wasPointedTo: true)
      return Value(content: value.content, inside: value.inside, next: place + size + 1, isPointedTo: true)
    }
    if type == 0 {
      type = 7 + Int(try byte(place))
      place += 1
      guard type >= 8 else { throw .malformed }
    }
    var size = Int(control & 31)
    if size >= 29 {
      let length = size - 28
      size = Int(try number(place, length)) + [29, 285, 65_821][length - 1]
      place += length
    }
    let isContainer = type == 7 || type == 11 || type == 14
    // Each element takes a byte at least, and a member of a map two.
    guard type == 14 || size * (type == 7 ? 2 : 1) <= count - place else { throw .malformed }
    let content = try content(type, size, at: place)
    return Value(
      content: content, inside: place, next: isContainer ? place : place + size, isPointedTo: false)
  }

  private func content(_ type: Int, _ size: Int, at place: Int) throws(Failure) -> Value.Content {
    switch type {
    case 2: return .text(place..<place + size)
    case 3:
      guard size == 8 else { throw .malformed }
      return .double(Double(bitPattern: try number(place, 8)))
    case 5, 6, 9:
      guard size <= (type == 5 ? 2 : type == 6 ? 4 : 8) else { throw .malformed }
      return .unsigned(try number(place, size))
    case 7: return .map(size)
    case 8:
      guard size <= 4 else { throw .malformed }
      return .signed(Int32(truncatingIfNeeded: try number(place, size)))
    case 11: return .array(size)
    case 14:
      guard size <= 1 else { throw .malformed }
      return .bool(size == 1)
    case 15:
      guard size == 4 else { throw .malformed }
      return .double(Double(Float(bitPattern: UInt32(try number(place, 4)))))
    case 4, 10: return .other
    default: throw .malformed
    }
  }

  /// The text in a range that a value told; nil where it is no UTF-8, or longer than 255 bytes.
  func text(_ range: Range<Int>) -> String? {
    guard range.count <= 255, range.lowerBound >= 0, range.upperBound <= count else { return nil }
    let bytes = unsafe UnsafeBufferPointer(start: base + range.lowerBound, count: range.count)
    return unsafe String(validating: bytes, as: UTF8.self)
  }

  /// Where what follows `value` begins.
  mutating func end(of value: Value, depth: Int = 0) throws(Failure) -> Int {
    if value.isPointedTo { return value.next }
    let elements: Int
    switch value.content {
    case .map(let size): elements = 2 * size
    case .array(let size): elements = size
    default: return value.next
    }
    guard depth < Self.maximumDepth else { throw .tooMuch }
    var place = value.inside
    for _ in 0..<elements { place = try end(of: self.value(at: place), depth: depth + 1) }
    return place
  }

  /// Goes over the members of a map at `inside`. `body` answers where the member's value ends when it read that far,
  /// and nil where it did not look inside.
  mutating func members(
    of value: Value, depth: Int,
    _ body: (inout DataSection, _ name: String, _ value: Value) throws(Failure) -> Void
  ) throws(Failure) {
    guard case .map(let size) = value.content else { return }
    guard depth < Self.maximumDepth else { throw .tooMuch }
    var place = value.inside
    for _ in 0..<size {
      let key = try self.value(at: place)
      guard case .text(let range) = key.content else { throw .malformed }
      let member = try self.value(at: key.next)
      if let name = text(range) { try body(&self, name, member) }
      place = try end(of: member, depth: depth + 1)
    }
  }
}
