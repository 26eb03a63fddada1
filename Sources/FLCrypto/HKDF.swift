import COpenSSL

/// Keys derived from a secret by HKDF over SHA-256 (RFC 5869): one for each purpose, none of which tells
/// anything about another or about the secret.
public enum HKDF {
  /// `count` bytes, 1 to 8160, for the purpose that `info` names. No salt: `secret` is random already, and not
  /// empty.
  public static func derive(from secret: [UInt8], info: String, count: Int = 32) -> [UInt8] {
    derive(from: secret, salt: [], info: Array(info.utf8), count: count)
  }

  /// The same with a salt and any bytes as `info`.
  static func derive(from secret: [UInt8], salt: [UInt8], info: [UInt8], count: Int) -> [UInt8] {
    precondition(!secret.isEmpty && (1...255 * 32).contains(count))
    return unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      unsafe OpenSSL.check(
        fl_hkdf_sha256(
          OpenSSL.hkdf, secret, secret.count, salt, salt.count, info, info.count, buffer.baseAddress, count),
        "EVP_KDF_derive")
      filled = count
    }
  }
}
