import CArgon2

/// What is stored of a password: the parameters, the salt and the tag of Argon2id version 1.3 (RFC 9106), as
/// text `$argon2id$v=19$m=19456,t=2,p=1$salt$tag` (the PHC string format).
struct Argon2Record: Equatable {
  /// What a hash costs.
  struct Cost: Equatable {
    /// Memory in KiB.
    var memory: UInt32
    /// Passes over the memory.
    var passes: UInt32
    /// Lanes; all are computed in one thread.
    var lanes: UInt32
  }

  var cost: Cost
  var salt: [UInt8]
  var tag: [UInt8]

  /// The most memory that a stored text can ask for: 64 MiB.
  static let memoryLimit: UInt32 = 65_536

  init(cost: Cost, salt: [UInt8], tag: [UInt8]) {
    (self.cost, self.salt, self.tag) = (cost, salt, tag)
  }

  /// Reads `text`; nil when it is malformed, of another kind or version, or beyond the limits: 64 MiB, 16
  /// passes, 16 lanes, salt of 8 to 64 and tag of 16 to 64 bytes.
  init?(_ text: String) {
    guard text.utf8.count <= 256 else { return nil }
    let parts = text.utf8.split(separator: UInt8(ascii: "$"), omittingEmptySubsequences: false)
      .map { Array($0) }
    guard parts.count == 6, parts[0].isEmpty, parts[1] == Array("argon2id".utf8),
      parts[2] == Array("v=19".utf8)
    else { return nil }
    let costs = parts[3].split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
    guard costs.count == 3, let memory = Self.number(costs[0], after: "m"),
      let passes = Self.number(costs[1], after: "t"), let lanes = Self.number(costs[2], after: "p"),
      (1...16).contains(passes), (1...16).contains(lanes), (8 * lanes...Self.memoryLimit).contains(memory),
      let salt = Base64.alphabet.decode(parts[4]), (8...64).contains(salt.count),
      let tag = Base64.alphabet.decode(parts[5]), (16...64).contains(tag.count)
    else { return nil }
    self.init(cost: Cost(memory: memory, passes: passes, lanes: lanes), salt: salt, tag: tag)
  }

  /// The value of `name=value`, written without sign and leading zeros in at most 9 digits.
  private static func number(_ text: ArraySlice<UInt8>, after name: Character) -> UInt32? {
    guard text.starts(with: "\(name)=".utf8) else { return nil }
    let digits = text.dropFirst(2)
    guard (1...9).contains(digits.count), digits.first != UInt8(ascii: "0") else { return nil }
    var value: UInt32 = 0
    for digit in digits {
      guard (48...57).contains(digit) else { return nil }
      value = value * 10 + UInt32(digit - 48)
    }
    return value
  }

  /// The text that is stored.
  var text: String {
    let (salt, tag) = (
      Base64.alphabet.encode(salt, padded: false), Base64.alphabet.encode(tag, padded: false)
    )
    return "$argon2id$v=19$m=\(cost.memory),t=\(cost.passes),p=\(cost.lanes)$\(salt)$\(tag)"
  }

  /// The tag of `password`; nil when there is no memory for it.
  static func tag(of password: [UInt8], salt: [UInt8], cost: Cost, count: Int) -> [UInt8]? {
    var tag = [UInt8](repeating: 0, count: count)
    let result = unsafe fl_argon2id(
      password, UInt32(password.count), salt, UInt32(salt.count), cost.memory, cost.passes, cost.lanes, &tag,
      UInt32(count))
    return result == ARGON2_OK.rawValue ? tag : nil
  }
}
