import COpenSSL

/// SHA-256 (FIPS 180-4): digests of 32 bytes.
public enum SHA256 {
  /// The digest of `bytes`.
  public static func digest(_ bytes: [UInt8]) -> [UInt8] {
    unsafe bytes.withUnsafeBytes { unsafe digest(of: $0) }
  }

  /// The digest of the UTF-8 of `text`.
  public static func digest(_ text: String) -> [UInt8] {
    var text = text
    return text.withUTF8 { unsafe digest(of: UnsafeRawBufferPointer($0)) }
  }

  /// The digest of `bytes`, copied first where they do not lie in one piece.
  public static func digest(_ bytes: some Collection<UInt8>) -> [UInt8] {
    bytes.withContiguousStorageIfAvailable { unsafe digest(of: UnsafeRawBufferPointer($0)) }
      ?? digest(Array(bytes))
  }

  private static func digest(of bytes: UnsafeRawBufferPointer) -> [UInt8] {
    unsafe [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
      unsafe OpenSSL.check(
        EVP_Digest(bytes.baseAddress, bytes.count, buffer.baseAddress, nil, OpenSSL.sha256, nil), "EVP_Digest"
      )
      count = 32
    }
  }

  /// A digest over bytes that come in pieces, such as a file. For one thread at a time.
  @safe
  public final class Stream {
    private let context: OpaquePointer

    /// The digest of nothing so far.
    public init() {
      unsafe context = OpenSSL.required(EVP_MD_CTX_new())
      begin()
    }

    deinit { unsafe EVP_MD_CTX_free(context) }

    private func begin() {
      unsafe OpenSSL.check(EVP_DigestInit_ex2(context, OpenSSL.sha256, nil), "EVP_DigestInit_ex2")
    }

    /// Adds `bytes` to what is digested.
    public func update(_ bytes: some Collection<UInt8>) {
      if bytes.withContiguousStorageIfAvailable({ unsafe update(UnsafeRawBufferPointer($0)) }) == nil {
        unsafe Array(bytes).withUnsafeBytes { unsafe update($0) }
      }
    }

    /// Adds the bytes of `buffer` to what is digested.
    public func update(_ buffer: UnsafeRawBufferPointer) {
      unsafe OpenSSL.check(EVP_DigestUpdate(context, buffer.baseAddress, buffer.count), "EVP_DigestUpdate")
    }

    /// The digest of all that was added; the stream begins anew.
    public func finish() -> [UInt8] {
      let digest = unsafe [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
        unsafe OpenSSL.check(EVP_DigestFinal_ex(context, buffer.baseAddress, nil), "EVP_DigestFinal_ex")
        count = 32
      }
      begin()
      return digest
    }
  }
}
