import Testing

@testable import FLCrypto

@Suite("Base64, hexadecimal, random texts") struct TextFormTests {
  @Test(
    "vectors of RFC 4648, section 10",
    arguments: [
      ("", "", ""), ("f", "Zg==", "66"), ("fo", "Zm8=", "666f"), ("foo", "Zm9v", "666f6f"),
      ("foob", "Zm9vYg==", "666f6f62"), ("fooba", "Zm9vYmE=", "666f6f6261"),
      ("foobar", "Zm9vYmFy", "666f6f626172"),
    ])
  func vectors(text: String, base64: String, hex: String) {
    let bytes = Array(text.utf8)
    #expect(Base64.encode(bytes) == base64)
    #expect(Base64.decode(base64) == bytes)
    let bare = String(base64.prefix { $0 != "=" })
    #expect(Base64URL.encode(bytes) == bare)
    #expect(Base64URL.decode(bare) == bytes)
    #expect(Hex.encode(bytes) == hex)
    #expect(Hex.decode(hex) == bytes)
    #expect(Hex.decode(hex.uppercased()) == bytes)
  }

  @Test("the two alphabets differ in two symbols")
  func alphabets() {
    #expect(Base64.encode([0xfb, 0xff, 0xfe]) == "+//+")
    #expect(Base64URL.encode([0xfb, 0xff, 0xfe]) == "-__-")
    #expect(Base64.decode("-__-") == nil)
    #expect(Base64URL.decode("+//+") == nil)
  }

  @Test(
    "base64 refuses what it does not write",
    arguments: [
      "Zg", "Zg=", "Zg===", "Z===", "====", "=", "Zh==", "Zm9=", "Zm9v\n", " Zm9v", "Zm9vYg==Zg==", "Zm=v",
      "Zm9vÄ", "Z", "Zm9vZ", "Zm9v\0",
    ])
  func badBase64(text: String) { #expect(Base64.decode(text) == nil) }

  @Test(
    "base64url refuses what it does not write",
    arguments: ["Zg==", "Zm8=", "Z", "Zm9vY", "Zh", "Zm9", "Zm9v\n", "Zm 9", "Zm9.", "Zm9vä"])
  func badBase64URL(text: String) { #expect(Base64URL.decode(text) == nil) }

  @Test(
    "hexadecimal refuses other characters and odd numbers",
    arguments: ["0", "0g", "0x00", "ab c", "é0", "000"])
  func badHex(text: String) { #expect(Hex.decode(text) == nil) }

  @Test("random bytes of every length come back from every form")
  func roundTrips() {
    for count in 0..<100 {
      let bytes = SecureRandom.bytes(count)
      #expect(bytes.count == count)
      #expect(Base64.decode(Base64.encode(bytes)) == bytes)
      #expect(Base64URL.decode(Base64URL.encode(bytes)) == bytes)
      #expect(Hex.decode(Hex.encode(bytes)) == bytes)
    }
  }

  @Test("each text of two symbols that decodes is the one that encodes")
  func canonical() {
    let symbols = (32...126).map { Character(Unicode.Scalar(UInt8($0))) }
    var accepted = 0
    for first in symbols {
      for second in symbols {
        guard let bytes = Base64URL.decode("\(first)\(second)") else { continue }
        accepted += 1
        #expect(Base64URL.encode(bytes) == "\(first)\(second)")
      }
    }
    #expect(accepted == 256)
  }

  @Test("tokens have the length asked for and do not repeat")
  func tokens() {
    let tokens = Set((0..<1000).map { _ in SecureRandom.token() })
    #expect(tokens.count == 1000)
    #expect(tokens.allSatisfy { $0.utf8.count == 43 && Base64URL.decode($0)?.count == 32 })
    #expect(SecureRandom.token(bytes: 12).utf8.count == 16)
  }

  @Test("the generator fills all 64 bits")
  func generator() {
    var random = SystemSecureRandom()
    let (ones, zeros) = (0..<200).reduce((UInt64.zero, UInt64.zero)) { bits, _ in
      let number = random.next()
      return (bits.0 | number, bits.1 | ~number)
    }
    #expect(ones == .max && zeros == .max)
  }
}
