import Testing

@testable import FLCrypto

@Suite("SigningKey") struct SigningKeyTests {
  /// PKCS #8 of a raw Ed25519 key (RFC 8410, section 7).
  private func ed25519(_ raw: String) throws -> SigningKey {
    try #require(SigningKey(pkcs8: hex("302e020100300506032b657004220420" + raw)))
  }

  @Test("Ed25519 vectors of RFC 8032, section 7.1")
  func vectors() throws {
    let empty = try ed25519("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    #expect(
      Hex.encode(empty.publicKey) == "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    #expect(
      Hex.encode(empty.sign([]))
        == "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
        + "d25bf5f0595bbe24655141438e7a100b")
    let byte = try ed25519("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    #expect(
      Hex.encode(byte.sign([0x72]))
        == "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
        + "387b2eaeb4302aeeb00d291612bb0c00")
  }

  @Test("a new key comes back from its PKCS #8, and each verifies what the other signed")
  func roundTrip() throws {
    for algorithm in SigningKey.Algorithm.allCases {
      let key = SigningKey.generate(algorithm)
      let copy = try #require(SigningKey(pkcs8: key.pkcs8))
      #expect(copy.algorithm == algorithm)
      #expect(copy.publicKey == key.publicKey)
      #expect(copy.pkcs8 == key.pkcs8)
      let message = Array("a message".utf8)
      let signature = key.sign(message)
      #expect(signature.count == (algorithm == .rsa2048 ? 256 : 64))
      // Neither has anything random in it.
      #expect(copy.sign(message) == signature)
      #expect(copy.verify(message, signature: signature))
      #expect(!copy.verify(message + [0], signature: signature))
      #expect(!copy.verify(message, signature: Array(signature.dropLast())))
      #expect(!copy.verify(message, signature: []))
      #expect(!SigningKey.generate(algorithm).verify(message, signature: signature))
    }
  }

  @Test("the public key of RSA is a SubjectPublicKeyInfo of 2048 bits")
  func publicKey() {
    let key = SigningKey.generate(.rsa2048).publicKey
    // SEQUENCE, then the algorithm rsaEncryption with NULL.
    #expect(Hex.encode(Array(key.prefix(24))).hasPrefix("30820122300d06092a864886f70d01010105000382010f"))
    #expect(key.count == 294)
    #expect(SigningKey.generate(.ed25519).publicKey.count == 32)
  }

  @Test("what is no key is refused")
  func refused() throws {
    let key = SigningKey.generate(.ed25519).pkcs8
    #expect(SigningKey(pkcs8: []) == nil)
    #expect(SigningKey(pkcs8: key + [0]) == nil)
    #expect(SigningKey(pkcs8: Array(key.dropLast())) == nil)
    #expect(SigningKey(pkcs8: [UInt8](repeating: 0x30, count: 9000)) == nil)
    // X25519, which signs nothing.
    let exchange = try hex("302e020100300506032b656e04220420" + String(repeating: "11", count: 32))
    #expect(SigningKey(pkcs8: exchange) == nil)
  }

  @Test("threads sign with one key at once")
  func threads() async {
    for algorithm in SigningKey.Algorithm.allCases {
      let key = SigningKey.generate(algorithm)
      let first = key.sign([1, 2, 3])
      await withTaskGroup(of: Bool.self) { group in
        for _ in 0..<8 {
          group.addTask { (0..<50).allSatisfy { _ in key.sign([1, 2, 3]) == first } }
        }
        for await same in group { #expect(same) }
      }
    }
  }

  @Test("a dump shows nothing of it")
  func dump() {
    var text = ""
    Swift.dump(SigningKey.generate(.ed25519), to: &text)
    #expect(!text.contains("key:"))
  }
}
