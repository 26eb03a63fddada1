import COpenSSL

/// HMAC over SHA-256 (RFC 2104, RFC 4231): codes of 32 bytes that only holders of the key can make.
public enum HMACSHA256 {
  /// The code of `message` under `key`, which may have any length. Compare codes with `constantTimeEqual`.
  public static func code(_ message: [UInt8], key: [UInt8]) -> [UInt8] {
    unsafe key.withUnsafeBytes { unsafe code(message, key: $0) }
  }

  /// The code of `message` under `key`.
  static func code(_ message: [UInt8], key: Secret) -> [UInt8] {
    unsafe key.withBytes { unsafe code(message, key: $0) }
  }

  private static func code(_ message: [UInt8], key: UnsafeRawBufferPointer) -> [UInt8] {
    // A copy of a context that knows its digest already saves looking up HMAC and SHA-256 by name.
    let context = unsafe OpenSSL.required(EVP_MAC_CTX_dup(OpenSSL.hmacSHA256))
    defer { unsafe EVP_MAC_CTX_free(context) }
    // No address would mean "keep the key": an empty key needs an address too.
    let none: [UInt8] = [0]
    if unsafe key.isEmpty {
      unsafe OpenSSL.check(EVP_MAC_init(context, none, 0, nil), "EVP_MAC_init")
    } else {
      let address = unsafe key.baseAddress?.assumingMemoryBound(to: UInt8.self)
      unsafe OpenSSL.check(EVP_MAC_init(context, address, key.count, nil), "EVP_MAC_init")
    }
    unsafe OpenSSL.check(EVP_MAC_update(context, message, message.count), "EVP_MAC_update")
    return unsafe [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
      unsafe OpenSSL.check(EVP_MAC_final(context, buffer.baseAddress, &count, 32), "EVP_MAC_final")
    }
  }
}
