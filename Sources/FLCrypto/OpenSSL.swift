import COpenSSL

/// The algorithms that are looked up in OpenSSL once and kept for the life of the process: a lookup by name
/// costs more than hashing a short text. All of them are only read from then on, by any thread.
enum OpenSSL {
  /// SHA-256.
  nonisolated(unsafe) static let sha256 = unsafe required(EVP_MD_fetch(nil, "SHA256", nil))

  /// AES-256 in Galois/counter mode.
  nonisolated(unsafe) static let aes256GCM = unsafe required(EVP_CIPHER_fetch(nil, "AES-256-GCM", nil))

  /// HKDF.
  nonisolated(unsafe) static let hkdf = unsafe required(EVP_KDF_fetch(nil, "HKDF", nil))

  /// A context of HMAC over SHA-256 without a key, to be copied.
  nonisolated(unsafe) static let hmacSHA256 = unsafe required(
    fl_hmac_sha256_new(required(EVP_MAC_fetch(nil, "HMAC", nil))))

  /// `pointer`, or the end of the process: OpenSSL has no memory, or its default provider is missing.
  static func required(_ pointer: OpaquePointer?) -> OpaquePointer {
    guard let pointer = unsafe pointer else {
      preconditionFailure("libcrypto is out of memory or its default provider is not loaded")
    }
    return unsafe pointer
  }

  /// Ends the process when a call failed that no input can make fail: to go on without a digest or without
  /// randomness would open doors.
  static func check(_ result: Int32, _ call: StaticString) {
    precondition(result == 1, "\(call) failed")
  }
}
