import COpenSSL

/// Random bytes that nobody can guess, from OpenSSL's generator (seeded by the kernel, safe across forks).
///
/// The process ends when the generator fails: there is no safe way on without it.
public enum SecureRandom {
  /// `count` random bytes; `count` is at least 0.
  public static func bytes(_ count: Int) -> [UInt8] {
    unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      unsafe OpenSSL.check(RAND_bytes_ex(nil, buffer.baseAddress, count, 0), "RAND_bytes_ex")
      filled = count
    }
  }

  /// A random text of `bytes` bytes in base64url without padding: 43 characters for 32 bytes.
  public static func token(bytes count: Int = 32) -> String { Base64URL.encode(bytes(count)) }
}

/// `SecureRandom` where the standard library asks for a generator: `shuffled(using:)`, `Int.random(in:using:)`.
public struct SystemSecureRandom: RandomNumberGenerator, Sendable {
  /// The generator; it has no state of its own.
  public init() {}

  /// 64 random bits.
  public mutating func next() -> UInt64 {
    SecureRandom.bytes(8).reduce(0) { $0 << 8 | UInt64($1) }
  }
}
