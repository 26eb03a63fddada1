import Testing

@testable import FLCrypto

@Suite("Master key") struct MasterKeyTests {
  @Test("32 bytes are read from each of their texts and give the same keys")
  func texts() throws {
    let bytes = [UInt8](repeating: 0xfb, count: 31) + [0xff]
    let key = try #require(MasterKey(text: Hex.encode(bytes))).key(for: "jwt")
    #expect(key == HKDF.derive(from: bytes, info: "jwt"))
    #expect(key.count == 32)
    let url = Base64URL.encode(bytes)
    for text in [
      Hex.encode(bytes).uppercased(), Base64.encode(bytes), String(Base64.encode(bytes).dropLast()), url,
      url + "=", " \(url)\r\n",
    ] {
      #expect(MasterKey(text: text)?.key(for: "jwt") == key)
    }
  }

  @Test(
    "anything else is refused",
    arguments: [
      "", " ", "secret", String(repeating: "a", count: 63), String(repeating: "a", count: 65),
      String(repeating: "g", count: 64), String(repeating: "a", count: 42), String(repeating: "a", count: 43),
      String(repeating: "A", count: 44), String(repeating: "A", count: 42) + "==",
      String(repeating: "A", count: 21) + "\n" + String(repeating: "A", count: 21),
      "+_" + String(repeating: "A", count: 41), String(repeating: "é", count: 32),
    ])
  func malformed(text: String) { #expect(MasterKey(text: text) == nil) }

  @Test("purposes and installations have keys of their own")
  func purposes() throws {
    let (first, second) = (MasterKey.generate(), MasterKey.generate())
    #expect(first != second)
    let key = try #require(MasterKey(text: first))
    let other = try #require(MasterKey(text: second))
    #expect(key.key(for: "jwt") == key.key(for: "jwt"))
    #expect(key.key(for: "jwt") != key.key(for: "seal"))
    #expect(key.key(for: "jwt") != other.key(for: "jwt"))
  }
}
