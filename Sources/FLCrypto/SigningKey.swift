import COpenSSL

/// A key that signs messages, so that whoever has its public half knows where they come from: RSA with 2048 bits or
/// Ed25519, as DKIM (RFC 6376, RFC 8463) uses them.
///
/// Any number of threads may sign with one key at once.
@safe
public final class SigningKey: @unchecked Sendable, CustomReflectable {
  /// Which kind of key it is.
  public enum Algorithm: String, Sendable, CaseIterable {
    /// RSA; signatures are RSASSA-PKCS1-v1_5 over SHA-256 (RFC 8017, section 8.2), as long as the modulus. New keys
    /// have 2048 bits, others are read with 1024 to 4096.
    case rsa2048
    /// Ed25519 (RFC 8032, section 5.1: pure, without a digest before); signatures of 64 bytes.
    case ed25519
  }

  // Only read after init, and libcrypto counts its references atomically: safe to share.
  private let key: OpaquePointer
  /// Which kind it is.
  public let algorithm: Algorithm

  private init(owning key: OpaquePointer, _ algorithm: Algorithm) {
    unsafe self.key = key
    self.algorithm = algorithm
  }

  deinit { unsafe EVP_PKEY_free(key) }

  /// A new key. One of RSA takes some 50 to 500 milliseconds.
  public static func generate(_ algorithm: Algorithm) -> SigningKey {
    switch algorithm {
    case .rsa2048: unsafe SigningKey(owning: OpenSSL.required(fl_rsa_generate(2048)), algorithm)
    case .ed25519: unsafe SigningKey(owning: OpenSSL.required(fl_ed25519_generate()), algorithm)
    }
  }

  /// Reads a private key in PKCS #8 (RFC 5208), DER, not encrypted; nil for anything else, for bytes behind it and
  /// for a key of another kind or size.
  public convenience init?(pkcs8: [UInt8]) {
    guard pkcs8.count <= 8192 else { return nil }
    let key = unsafe pkcs8.withUnsafeBufferPointer { unsafe fl_pkcs8_read($0.baseAddress, $0.count) }
    guard let key = unsafe key else {
      ERR_clear_error()
      return nil
    }
    switch unsafe EVP_PKEY_get_base_id(key) {
    case EVP_PKEY_ED25519: unsafe self.init(owning: key, .ed25519)
    case EVP_PKEY_RSA:
      guard unsafe (1024...4096).contains(EVP_PKEY_get_bits(key)) else {
        unsafe EVP_PKEY_free(key)
        return nil
      }
      unsafe self.init(owning: key, .rsa2048)
    default:
      unsafe EVP_PKEY_free(key)
      return nil
    }
  }

  /// The private key in PKCS #8, DER, not encrypted: to be sealed before it is stored.
  public var pkcs8: [UInt8] { unsafe Self.encoded { unsafe fl_pkcs8_write(key, $0) } }

  /// The public key as `p=` of a DKIM record has it: SubjectPublicKeyInfo (RFC 5280) in DER for RSA, the raw 32 bytes
  /// for Ed25519.
  public var publicKey: [UInt8] {
    switch algorithm {
    case .rsa2048: return unsafe Self.encoded { unsafe i2d_PUBKEY(key, $0) }
    case .ed25519:
      return unsafe [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
        count = 32
        unsafe OpenSSL.check(
          EVP_PKEY_get_raw_public_key(key, buffer.baseAddress, &count), "EVP_PKEY_get_raw_public_key")
      }
    }
  }

  /// The signature of `message`.
  public func sign(_ message: [UInt8]) -> [UInt8] {
    let context = unsafe OpenSSL.required(EVP_MD_CTX_new())
    defer { unsafe EVP_MD_CTX_free(context) }
    unsafe OpenSSL.check(
      fl_sign_begin(context, key, algorithm == .rsa2048 ? "SHA256" : nil), "EVP_DigestSignInit_ex")
    // 4096 bits are 512 bytes.
    return unsafe [UInt8](unsafeUninitializedCapacity: 512) { buffer, count in
      count = 512
      unsafe OpenSSL.check(
        EVP_DigestSign(context, buffer.baseAddress, &count, message, message.count), "EVP_DigestSign")
    }
  }

  /// Whether `signature` is one of `message` with this key.
  public func verify(_ message: [UInt8], signature: [UInt8]) -> Bool {
    let context = unsafe OpenSSL.required(EVP_MD_CTX_new())
    defer { unsafe EVP_MD_CTX_free(context) }
    unsafe OpenSSL.check(
      fl_verify_begin(context, key, algorithm == .rsa2048 ? "SHA256" : nil), "EVP_DigestVerifyInit_ex")
    let isRight = unsafe EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
    // What stays in this thread's queue would be taken for a failure of the next TLS call.
    if !isRight { ERR_clear_error() }
    return isRight
  }

  /// Shows nothing of the key.
  public var customMirror: Mirror { Mirror(self, children: []) }

  /// What a function of libcrypto writes into memory that it takes itself.
  private static func encoded(_ write: (UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>) -> Int32)
    -> [UInt8]
  {
    var memory: UnsafeMutablePointer<UInt8>?
    let count = unsafe Int(write(&memory))
    guard count > 0, let memory = unsafe memory else { preconditionFailure("a key can't be encoded") }
    defer { unsafe fl_free_secret(memory, count) }
    return unsafe [UInt8](UnsafeBufferPointer(start: memory, count: count))
  }
}
