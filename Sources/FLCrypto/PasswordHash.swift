import Dispatch
import Foundation

/// Passwords as they are stored: Argon2id with OWASP's parameters (19 MiB, 2 passes, 1 lane), a salt of 16 and a
/// tag of 32 bytes.
///
/// Before hashing a password is brought to the form of RFC 8265, section 4.2 (OpaqueString): spaces of other
/// scripts become U+0020, then NFC, so that what one keyboard composes and another does not is the same
/// password. Unlike there no character is refused. At most two hashes are made at a time in a process, which
/// bounds their memory to 38 MiB (128 MiB for stored hashes of the greatest cost that is read); others wait.
public struct PasswordHash {
  /// Why a password was not hashed.
  public enum Failure: Error, Equatable {
    /// It has no character.
    case empty
    /// It has more than `sizeLimit` bytes.
    case tooLong
    /// There is no memory for it now.
    case outOfMemory
  }

  /// The longest password in bytes of UTF-8, as typed: 1024.
  public static let sizeLimit = 1024

  static let cost = Argon2Record.Cost(memory: 19_456, passes: 2, lanes: 1)
  private static let saltSize = 16
  private static let tagSize = 32
  private static let places = DispatchSemaphore(value: 2)

  /// What no password fits: to be verified against where there is nothing else.
  private static let decoy = Argon2Record(
    cost: cost, salt: SecureRandom.bytes(saltSize), tag: SecureRandom.bytes(tagSize))

  /// The text to store for `password`, with a new salt; throws a `Failure`.
  public static func hash(_ password: String) throws -> String {
    guard !password.isEmpty else { throw Failure.empty }
    guard password.utf8.count <= sizeLimit else { throw Failure.tooLong }
    let salt = SecureRandom.bytes(saltSize)
    guard let tag = tag(of: password, salt: salt, cost: cost, count: tagSize) else {
      throw Failure.outOfMemory
    }
    return Argon2Record(cost: cost, salt: salt, tag: tag).text
  }

  /// Whether `password` is the one that `encoded` was made of. False for a text that is malformed, of another
  /// kind or over the limits, after the same work.
  public static func verify(_ password: String, against encoded: String) -> Bool {
    let stored = Argon2Record(encoded)
    return matches(password, stored ?? decoy) && stored != nil
  }

  /// Whether `encoded` was made with other parameters than `hash` uses: hash anew at the next login.
  public static func needsRehash(_ encoded: String) -> Bool {
    guard let stored = Argon2Record(encoded) else { return true }
    return stored.cost != cost || stored.salt.count < saltSize || stored.tag.count != tagSize
  }

  /// Does the work of `verify` for nothing: for a login to an account that does not exist, which could be told
  /// from one that does by the time otherwise.
  public static func waste(_ password: String) {
    _ = matches(password, decoy)
  }

  private static func matches(_ password: String, _ stored: Argon2Record) -> Bool {
    guard !password.isEmpty, password.utf8.count <= sizeLimit,
      let tag = tag(of: password, salt: stored.salt, cost: stored.cost, count: stored.tag.count)
    else { return false }
    return constantTimeEqual(tag, stored.tag)
  }

  private static func tag(
    of password: String, salt: [UInt8], cost: Argon2Record.Cost, count: Int
  ) -> [UInt8]? {
    var prepared = prepare(password)
    defer { prepared.wipe() }
    places.wait()
    defer { places.signal() }
    return Argon2Record.tag(of: prepared, salt: salt, cost: cost, count: count)
  }

  /// The bytes of `password` that are hashed: spaces unified, NFC, UTF-8.
  static func prepare(_ password: String) -> [UInt8] {
    if password.utf8.allSatisfy({ $0 < 0x80 }) { return Array(password.utf8) }
    var unified = String.UnicodeScalarView()
    for scalar in password.unicodeScalars {
      unified.append(scalar.properties.generalCategory == .spaceSeparator ? " " : scalar)
    }
    return Array(String(unified).precomposedStringWithCanonicalMapping.utf8)
  }
}
