/// An enhanced mail system status code such as `5.1.1` (RFC 3463): class, subject, detail.
public struct EnhancedStatus: Sendable, Hashable, CustomStringConvertible {
  /// 2 for success, 4 for a transient failure that lasted, 5 for a permanent one.
  public let kind: Int
  /// What it is about: 1 address, 2 mailbox, 3 mail system, 4 network and routing, 5 protocol, 6 content, 7 policy.
  public let subject: Int
  /// What exactly, 0 for anything else.
  public let detail: Int

  /// The code of these numbers; nil for a class that is none, and for numbers above 999.
  public init?(_ kind: Int, _ subject: Int, _ detail: Int) {
    guard [2, 4, 5].contains(kind), (0...999).contains(subject), (0...999).contains(detail) else {
      return nil
    }
    self.kind = kind
    self.subject = subject
    self.detail = detail
  }

  /// The code that `text` begins with, as a `Status` field has it; nil where it begins with none.
  public init?(_ text: String) {
    let bytes = Array(text.utf8.prefix(64).drop { $0 == 32 || $0 == 9 })
    guard let found = Self.code(in: bytes[...], at: 0) else { return nil }
    self = found.status
  }

  /// `5.1.1`.
  public var description: String { "\(kind).\(subject).\(detail)" }

  /// Whether it says of nothing what it is: `5.0.0`, which some send whatever happened.
  var isUndefined: Bool { subject == 0 }

  /// The code that begins at `index`, and where it ends. What goes on as an address of numbers does is none.
  static func code(in bytes: ArraySlice<UInt8>, at index: Int) -> (status: EnhancedStatus, end: Int)? {
    var numbers: [Int] = []
    var index = index
    for place in 0..<3 {
      var number = 0
      let start = index
      while index < bytes.endIndex, (48...57).contains(bytes[index]), index - start < 3 {
        number = number * 10 + Int(bytes[index]) - 48
        index += 1
      }
      guard index > start else { return nil }
      numbers.append(number)
      if place < 2 {
        guard index < bytes.endIndex, bytes[index] == UInt8(ascii: ".") else { return nil }
        index += 1
      }
    }
    if index < bytes.endIndex {
      if (48...57).contains(bytes[index]) { return nil }
      let next = index + 1 < bytes.endIndex ? bytes[index + 1] : 0
      if bytes[index] == UInt8(ascii: "."), (48...57).contains(next) { return nil }
    }
    return EnhancedStatus(numbers[0], numbers[1], numbers[2]).map { ($0, index) }
  }
}

/// What an SMTP server answered, found in a text: the reply code and the enhanced one.
struct ServerReply: Equatable {
  /// From 400 to 599.
  var code: Int?
  /// Of the same class as `code` where both are there.
  var status: EnhancedStatus?

  /// Looks for `550 5.1.1`, `550-5.1.1`, `550 `, `#5.1.1` and, with `alone`, for `5.1.1` by itself in the first 4 KiB of
  /// `text`. The first that is found counts; a reply code counts where a word of the text begins with it.
  init?(in text: String, alone: Bool) {
    let bytes = Array(text.utf8.prefix(4096))
    var index = 0
    var isAtWord = true
    while index < bytes.count {
      defer {
        isAtWord = !Self.isPartOfWord(bytes[index])
        index += 1
      }
      guard isAtWord, bytes[index] == UInt8(ascii: "4") || bytes[index] == UInt8(ascii: "5") else { continue }
      if let found = EnhancedStatus.code(in: bytes[...], at: index) {
        let isMarked = index > 0 && bytes[index - 1] == UInt8(ascii: "#")
        guard isMarked || alone else { continue }
        status = found.status
        return
      }
      guard let code = Self.code(bytes, at: index) else { continue }
      self.code = code
      let next = index + 4
      if let found = EnhancedStatus.code(in: bytes[...], at: next), found.status.kind == code / 100 {
        status = found.status
      } else if next < bytes.count, bytes[next] == UInt8(ascii: "#"),
        let found = EnhancedStatus.code(in: bytes[...], at: next + 1), found.status.kind == code / 100
      {
        // `550 #5.1.0 Address rejected.`
        status = found.status
      }
      return
    }
    return nil
  }

  /// What could stand before a number that is a part of something else: of a host's name, an address, a version.
  private static func isPartOfWord(_ byte: UInt8) -> Bool {
    switch byte {
    case 48...57, 65...90, 97...122, UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"),
      UInt8(ascii: "@"),
      UInt8(ascii: "/"), UInt8(ascii: "+"), 128...:
      true
    default: false
    }
  }

  /// Three digits, the second from 0 to 5 as RFC 5321, section 4.2.1 has it, with a blank, a hyphen or the end behind.
  private static func code(_ bytes: [UInt8], at index: Int) -> Int? {
    guard index + 2 < bytes.count, (48...53).contains(bytes[index + 1]), (48...57).contains(bytes[index + 2])
    else { return nil }
    if index + 3 < bytes.count {
      let next = bytes[index + 3]
      guard next == 32 || next == UInt8(ascii: "-") || next == 10 || next == 13 else { return nil }
    }
    return bytes[index..<index + 3].reduce(0) { $0 * 10 + Int($1) - 48 }
  }
}
