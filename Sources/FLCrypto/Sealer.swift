import COpenSSL

/// Encrypts secrets that are kept in the database, with AES-256-GCM (NIST SP 800-38D), so that they can neither
/// be read nor altered nor moved to another place without the key.
///
/// A sealed text is: the version byte 1, 4 bytes that name the key (the start of its SHA-256), a random nonce
/// of 12, the ciphertext, a tag of 16. Version, key name and the context are authenticated too. Random nonces
/// bear 2³² sealings with one key.
public struct Sealer: Sendable {
  /// Why a sealed text was not opened.
  public enum Failure: Error, Equatable {
    /// It is too short, too long or of another version.
    case malformed
    /// It was sealed with a key that is not held.
    case unknownKey
    /// It was altered, or sealed for another context.
    case forged
  }

  /// How many bytes a sealed text is longer than the plain one: 33.
  public static let overhead = headerSize + nonceSize + tagSize

  private static let version: UInt8 = 1
  private static let headerSize = 5
  private static let nonceSize = 12
  private static let tagSize = 16

  private struct Key {
    let header: [UInt8]
    let secret: Secret

    init(_ key: [UInt8]) {
      precondition(key.count == 32)
      header = [Sealer.version] + SHA256.digest(key).prefix(4)
      secret = Secret(key)
    }
  }

  private let current: Key
  private let all: [Key]

  /// Seals with `key`, and opens what was sealed with it or with one of `previous`; each has 32 bytes.
  public init(key: [UInt8], previous: [[UInt8]] = []) {
    current = Key(key)
    all = [current] + previous.map(Key.init)
  }

  /// `plain`, less than 2 GiB, encrypted. `context` says what and whose it is, such as
  /// `webhook.secret:<id>`: it is not stored, and `open` wants the same again.
  public func seal(_ plain: [UInt8], context: String) -> [UInt8] {
    precondition(plain.count < Int32.max)
    let nonce = SecureRandom.bytes(Self.nonceSize)
    let cipher = unsafe OpenSSL.required(EVP_CIPHER_CTX_new())
    defer { unsafe EVP_CIPHER_CTX_free(cipher) }
    unsafe current.secret.withBytes { key in
      let key = unsafe key.baseAddress?.assumingMemoryBound(to: UInt8.self)
      unsafe OpenSSL.check(
        EVP_EncryptInit_ex2(cipher, OpenSSL.aes256GCM, key, nonce, nil), "EVP_EncryptInit_ex2")
    }
    let data = current.header + Array(context.utf8)
    var count: Int32 = 0
    unsafe OpenSSL.check(EVP_EncryptUpdate(cipher, nil, &count, data, Int32(data.count)), "EVP_EncryptUpdate")
    var encrypted = [UInt8](repeating: 0, count: plain.count)
    if !plain.isEmpty {
      unsafe OpenSSL.check(
        EVP_EncryptUpdate(cipher, &encrypted, &count, plain, Int32(plain.count)), "EVP_EncryptUpdate")
    }
    // A counter mode has no last block: nothing is written here, but room is asked for.
    var rest = [UInt8](repeating: 0, count: 16)
    unsafe OpenSSL.check(EVP_EncryptFinal_ex(cipher, &rest, &count), "EVP_EncryptFinal_ex")
    var tag = [UInt8](repeating: 0, count: Self.tagSize)
    unsafe OpenSSL.check(
      EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, Int32(Self.tagSize), &tag), "EVP_CTRL_AEAD_GET_TAG")
    return current.header + nonce + encrypted + tag
  }

  /// The plain bytes of `sealed`, which was sealed with the same `context`; throws a `Failure`.
  public func open(_ sealed: [UInt8], context: String) throws(Failure) -> [UInt8] {
    guard sealed.count >= Self.overhead, sealed.count < Int32.max, sealed[0] == Self.version
    else { throw .malformed }
    let header = sealed[..<Self.headerSize]
    guard let key = all.first(where: { $0.header.elementsEqual(header) }) else { throw .unknownKey }
    let nonce = Array(sealed[Self.headerSize..<Self.headerSize + Self.nonceSize])
    let encrypted = Array(sealed[(Self.headerSize + Self.nonceSize)..<(sealed.count - Self.tagSize)])
    var tag = Array(sealed.suffix(Self.tagSize))
    let data = key.header + Array(context.utf8)
    let cipher = unsafe OpenSSL.required(EVP_CIPHER_CTX_new())
    defer { unsafe EVP_CIPHER_CTX_free(cipher) }
    unsafe key.secret.withBytes { key in
      let key = unsafe key.baseAddress?.assumingMemoryBound(to: UInt8.self)
      unsafe OpenSSL.check(
        EVP_DecryptInit_ex2(cipher, OpenSSL.aes256GCM, key, nonce, nil), "EVP_DecryptInit_ex2")
    }
    var count: Int32 = 0
    unsafe OpenSSL.check(EVP_DecryptUpdate(cipher, nil, &count, data, Int32(data.count)), "EVP_DecryptUpdate")
    var plain = [UInt8](repeating: 0, count: encrypted.count)
    if !encrypted.isEmpty {
      unsafe OpenSSL.check(
        EVP_DecryptUpdate(cipher, &plain, &count, encrypted, Int32(encrypted.count)), "EVP_DecryptUpdate")
    }
    unsafe OpenSSL.check(
      EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, Int32(Self.tagSize), &tag), "EVP_CTRL_AEAD_SET_TAG")
    var rest = [UInt8](repeating: 0, count: 16)
    guard unsafe EVP_DecryptFinal_ex(cipher, &rest, &count) == 1 else {
      plain.wipe()
      // What stays in this thread's queue would be taken for a failure of the next TLS call.
      ERR_clear_error()
      throw .forged
    }
    return plain
  }
}
