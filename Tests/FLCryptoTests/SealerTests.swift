import Testing

@testable import FLCrypto

@Suite("Sealing") struct SealerTests {
  let key = [UInt8](0..<32)

  @Test("what was sealed is opened, of any length, and looks different each time")
  func roundTrip() throws {
    let sealer = Sealer(key: key)
    for count in [0, 1, 15, 16, 17, 100, 100_000] {
      let plain = SecureRandom.bytes(count)
      let sealed = sealer.seal(plain, context: "a")
      #expect(sealed.count == count + Sealer.overhead)
      #expect(try sealer.open(sealed, context: "a") == plain)
      #expect(sealer.seal(plain, context: "a") != sealed)
    }
  }

  @Test("opens what another implementation sealed (pyca/cryptography)")
  func knownText() throws {
    let sealed = try hex(
      "01630dcd296465666768696a6b6c6d6e6f3f7ebc0e16863dbe4d073c9abf116797df5913c86a39a1958787ff9b6579")
    #expect(try Sealer(key: key).open(sealed, context: "webhook:ä") == Array("webhook secret".utf8))
  }

  @Test("every altered bit is noticed")
  func tampering() {
    let sealer = Sealer(key: key)
    let sealed = sealer.seal(Array("secret".utf8), context: "c")
    for index in sealed.indices {
      for bit in 0..<8 {
        var altered = sealed
        altered[index] ^= 1 << UInt8(bit)
        let failure: Sealer.Failure = index == 0 ? .malformed : index < 5 ? .unknownKey : .forged
        #expect(throws: failure) { try sealer.open(altered, context: "c") }
      }
    }
  }

  @Test("another context does not open it")
  func context() {
    let sealer = Sealer(key: key)
    let sealed = sealer.seal([1, 2, 3], context: "webhook:1")
    for context in ["webhook:2", "", "webhook:1 ", "Webhook:1"] {
      #expect(throws: Sealer.Failure.forged) { try sealer.open(sealed, context: context) }
    }
  }

  @Test("cut or lengthened texts are refused")
  func truncation() {
    let sealer = Sealer(key: key)
    let sealed = sealer.seal([1, 2, 3], context: "c")
    for count in 0..<sealed.count {
      #expect(throws: count < Sealer.overhead ? Sealer.Failure.malformed : .forged) {
        try sealer.open(Array(sealed.prefix(count)), context: "c")
      }
    }
    #expect(throws: Sealer.Failure.forged) { try sealer.open(sealed + [0], context: "c") }
  }

  @Test("previous keys open, the current one seals, others do neither")
  func rotation() throws {
    let old = SecureRandom.bytes(32)
    let new = SecureRandom.bytes(32)
    let before = Sealer(key: old).seal([7], context: "c")
    let rotated = Sealer(key: new, previous: [SecureRandom.bytes(32), old])
    #expect(try rotated.open(before, context: "c") == [7])
    let after = rotated.seal([8], context: "c")
    #expect(try Sealer(key: new).open(after, context: "c") == [8])
    #expect(throws: Sealer.Failure.unknownKey) { try Sealer(key: old).open(after, context: "c") }
  }

  @Test("no description or dump shows a key")
  func description() throws {
    var text = ""
    dump(Sealer(key: key, previous: [key]), to: &text)
    dump(JWTSigner(secret: key), to: &text)
    dump(try #require(MasterKey(text: Hex.encode(key))), to: &text)
    text += "\(Sealer(key: key)) \(JWTSigner(secret: key))"
    #expect(!text.contains("30, 31") && !text.contains("- 31\n"))
  }
}
