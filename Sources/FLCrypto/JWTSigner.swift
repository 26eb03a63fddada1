/// Signs and verifies JSON Web Tokens (RFC 7519) in compact form with HMAC-SHA-256, `HS256` of RFC 7518.
///
/// Of headers only those are accepted that this type itself writes, byte for byte:
/// `{"alg":"HS256","typ":"JWT","kid":"…"}` with the `kid` of a key it holds. So there is no algorithm to
/// confuse and no header to parse. The `kid` is the first 8 hexadecimal digits of the key's SHA-256.
public struct JWTSigner: Sendable {
  /// Why a token was refused.
  public enum Failure: Error, Equatable {
    /// It is longer than `sizeLimit`.
    case tooLong
    /// It is not three parts of base64url.
    case malformed
    /// Its header is none of ours: another algorithm, another type, a key that is not held.
    case unknownHeader
    /// The signature does not fit header and payload.
    case badSignature
  }

  /// The size in bytes up to which tokens are read: 4 KiB.
  public static let sizeLimit = 4096

  private struct Key {
    let header: [UInt8]
    let secret: Secret

    init(_ secret: [UInt8]) {
      // RFC 7518, section 3.2: a key as long as the digest, or longer.
      precondition(secret.count >= 32)
      let kid = Hex.encode(Array(SHA256.digest(secret).prefix(4)))
      header = Array(Base64URL.encode(Array(#"{"alg":"HS256","typ":"JWT","kid":"\#(kid)"}"#.utf8)).utf8)
      self.secret = Secret(secret)
    }
  }

  private let current: Key
  private let all: [Key]

  /// Signs with `secret`, and verifies what was signed with it or with one of `previous`; each has at least
  /// 32 bytes.
  public init(secret: [UInt8], previous: [[UInt8]] = []) {
    current = Key(secret)
    all = [current] + previous.map(Key.init)
  }

  /// The token with the payload `claimsJSON`, the bytes of a JSON object. Up to 2.9 KiB of it make a token
  /// inside `sizeLimit`.
  public func sign(_ claimsJSON: [UInt8]) -> String {
    let signed = current.header + [UInt8(ascii: ".")] + Array(Base64URL.encode(claimsJSON).utf8)
    let signature = Base64URL.encode(HMACSHA256.code(signed, key: current.secret))
    return String(decoding: signed, as: UTF8.self) + "." + signature
  }

  /// The payload of `token` once its signature has been checked; throws a `Failure`. What the claims say, `exp`
  /// above all, is for the caller to check.
  public func verify(_ token: String) throws(Failure) -> [UInt8] {
    guard token.utf8.count <= Self.sizeLimit else { throw .tooLong }
    let bytes = Array(token.utf8)
    let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 3 else { throw .malformed }
    guard let key = all.first(where: { $0.header.elementsEqual(parts[0]) }) else { throw .unknownHeader }
    guard let signature = Base64URL.alphabet.decode(Array(parts[2])) else { throw .malformed }
    let code = HMACSHA256.code(Array(bytes[..<parts[1].endIndex]), key: key.secret)
    guard constantTimeEqual(code, signature) else { throw .badSignature }
    guard let payload = Base64URL.alphabet.decode(Array(parts[1])) else { throw .malformed }
    return payload
  }
}
