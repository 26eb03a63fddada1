import Testing

@testable import FLCrypto

/// The bytes of hexadecimal digits that the test itself wrote.
func hex(_ digits: String) throws -> [UInt8] { try #require(Hex.decode(digits)) }

@Suite("SHA-256, HMAC, HKDF") struct DigestTests {
  @Test(
    "SHA-256 vectors of FIPS 180-4",
    arguments: [
      ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
      ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
      (
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
      ),
    ])
  func sha256(text: String, digest: String) {
    #expect(Hex.encode(SHA256.digest(text)) == digest)
    #expect(Hex.encode(SHA256.digest(Array(text.utf8))) == digest)
    #expect(Hex.encode(SHA256.digest(Array(text.utf8)[...])) == digest)
    #expect(Hex.encode(SHA256.digest(text.utf8.lazy.map { $0 })) == digest)
  }

  @Test("a stream gives the digest of all pieces, and begins anew")
  func stream() {
    let stream = SHA256.Stream()
    #expect(stream.finish() == SHA256.digest(""))
    for _ in 0..<1000 { stream.update([UInt8](repeating: UInt8(ascii: "a"), count: 1000)) }
    let million = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
    #expect(Hex.encode(stream.finish()) == million)
    stream.update("ab".utf8)
    stream.update([] as [UInt8])
    stream.update("c".utf8.lazy.map { $0 })
    #expect(stream.finish() == SHA256.digest("abc"))
  }

  @Test(
    "HMAC vectors of RFC 4231",
    arguments: [
      (
        String(repeating: "0b", count: 20), "4869205468657265",
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
      ),
      (
        "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
      ),
      (
        String(repeating: "aa", count: 20), String(repeating: "dd", count: 50),
        "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
      ),
      (
        String(repeating: "aa", count: 131),
        "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2048617368204b6579204669"
          + "727374",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
      ),
      // Not of the RFC: neither key nor message.
      ("", "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"),
    ])
  func hmac(key: String, message: String, code: String) throws {
    #expect(Hex.encode(HMACSHA256.code(try hex(message), key: try hex(key))) == code)
  }

  @Test("HMAC on many threads at once gives the same codes")
  func hmacConcurrently() async {
    let expected = (0..<64).map { HMACSHA256.code([UInt8($0)], key: [UInt8($0), 1]) }
    await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<4 {
        group.addTask {
          (0..<2000).allSatisfy {
            HMACSHA256.code([UInt8($0 % 64)], key: [UInt8($0 % 64), 1]) == expected[$0 % 64]
          }
        }
      }
      for await same in group { #expect(same) }
    }
  }

  @Test("HKDF vectors of RFC 5869, appendix A.1 to A.3")
  func hkdf() throws {
    let first = HKDF.derive(
      from: [UInt8](repeating: 0x0b, count: 22), salt: Array(0...12), info: Array(0xf0...0xf9), count: 42)
    #expect(
      Hex.encode(first)
        == "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")
    let second = HKDF.derive(
      from: Array(0x00...0x4f), salt: Array(0x60...0xaf), info: Array(0xb0...0xff), count: 82)
    #expect(
      Hex.encode(second)
        == "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
        + "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87")
    let third = HKDF.derive(from: [UInt8](repeating: 0x0b, count: 22), info: "", count: 42)
    #expect(
      Hex.encode(third)
        == "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8")
  }

  @Test("constant-time equality is equality")
  func equality() {
    #expect(constantTimeEqual([], []))
    #expect(constantTimeEqual([1, 2, 3], [1, 2, 3]))
    #expect(!constantTimeEqual([1, 2, 3], [1, 2]))
    #expect(!constantTimeEqual([], [0]))
    let bytes = SecureRandom.bytes(32)
    for index in bytes.indices {
      for bit in 0..<8 {
        var other = bytes
        other[index] ^= 1 << UInt8(bit)
        #expect(!constantTimeEqual(bytes, other))
      }
    }
  }
}
