import Testing

@testable import FLCrypto

@Suite("JSON Web Tokens") struct JWTSignerTests {
  let secret = [UInt8](0..<32)
  let claims = Array(#"{"sub":"anna","exp":2000000000}"#.utf8)

  /// A token with this header and payload, signed rightly with `secret`.
  func token(header: String, payload: [UInt8]? = nil) -> String {
    let signed = Base64URL.encode(Array(header.utf8)) + "." + Base64URL.encode(payload ?? claims)
    return signed + "." + Base64URL.encode(HMACSHA256.code(Array(signed.utf8), key: secret))
  }

  @Test("makes the very token that was made and read elsewhere (Python's hmac and PyJWT)")
  func knownToken() throws {
    let known =
      "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6IjYzMGRjZDI5In0"
      + ".eyJzdWIiOiJhbm5hIiwiZXhwIjoyMDAwMDAwMDAwfQ.B5E19iHLOmcKSif_NwGcc3erho_Ns87fhvt8AE2HLXw"
    #expect(JWTSigner(secret: secret).sign(claims) == known)
    #expect(try JWTSigner(secret: secret).verify(known) == claims)
    #expect(token(header: #"{"alg":"HS256","typ":"JWT","kid":"630dcd29"}"#) == known)
  }

  @Test(
    "rightly signed tokens with any other header are refused",
    arguments: [
      #"{"alg":"none","typ":"JWT","kid":"630dcd29"}"#, #"{"alg":"None","typ":"JWT","kid":"630dcd29"}"#,
      #"{"alg":"HS384","typ":"JWT","kid":"630dcd29"}"#, #"{"alg":"RS256","typ":"JWT","kid":"630dcd29"}"#,
      #"{"alg":"HS256","typ":"JWT","kid":"630dcd2a"}"#, #"{"alg":"HS256","typ":"JWT"}"#,
      #"{"typ":"JWT","alg":"HS256","kid":"630dcd29"}"#, #"{"alg":"HS256","typ":"JWT","kid":"630dcd29"} "#,
      #"{"alg":"HS256","typ":"at+jwt","kid":"630dcd29"}"#, #"{}"#, "",
      #"{"alg":"HS256","typ":"JWT","kid":"630dcd29","alg":"none"}"#,
      #"{"alg":"HS256","typ":"JWT","kid":"630dcd29","jwk":{"kty":"oct","k":"AA"}}"#,
    ])
  func headers(header: String) {
    #expect(throws: JWTSigner.Failure.unknownHeader) {
      try JWTSigner(secret: secret).verify(token(header: header))
    }
  }

  @Test("a token without signature is refused, whatever its header")
  func unsigned() throws {
    let signer = JWTSigner(secret: secret)
    let parts = signer.sign(claims).split(separator: ".")
    try #require(parts.count == 3)
    let none = Base64URL.encode(Array(#"{"alg":"none","typ":"JWT"}"#.utf8))
    #expect(throws: JWTSigner.Failure.unknownHeader) { try signer.verify("\(none).\(parts[1]).") }
    #expect(throws: JWTSigner.Failure.badSignature) { try signer.verify("\(parts[0]).\(parts[1]).") }
    #expect(throws: JWTSigner.Failure.malformed) { try signer.verify("\(parts[0]).\(parts[1])") }
  }

  @Test("every replaced, inserted or removed character is noticed")
  func tampering() throws {
    let signer = JWTSigner(secret: secret)
    let token = Array(signer.sign(claims).utf8)
    for index in token.indices {
      for character in Array("Aa0_.=+ ".utf8) where character != token[index] {
        var altered = token
        altered[index] = character
        #expect(throws: JWTSigner.Failure.self) {
          try signer.verify(String(decoding: altered, as: UTF8.self))
        }
        altered = token
        altered.insert(character, at: index)
        #expect(throws: JWTSigner.Failure.self) {
          try signer.verify(String(decoding: altered, as: UTF8.self))
        }
      }
      let prefix = String(decoding: token[..<index], as: UTF8.self)
      #expect(throws: JWTSigner.Failure.self) { try signer.verify(prefix) }
    }
    #expect(throws: JWTSigner.Failure.self) {
      try signer.verify(String(decoding: token, as: UTF8.self) + ".")
    }
    #expect(throws: JWTSigner.Failure.self) {
      try signer.verify(String(decoding: token, as: UTF8.self) + "\n")
    }
  }

  @Test("the payload of one token does not go with the signature of another")
  func swapping() throws {
    let signer = JWTSigner(secret: secret)
    let anna = signer.sign(claims).split(separator: ".")
    let otto = signer.sign(Array(#"{"sub":"otto"}"#.utf8)).split(separator: ".")
    try #require(anna.count == 3 && otto.count == 3)
    #expect(throws: JWTSigner.Failure.badSignature) { try signer.verify("\(anna[0]).\(otto[1]).\(anna[2])") }
  }

  @Test("tokens of a previous secret verify, new ones are signed with the current")
  func rotation() throws {
    let old = SecureRandom.bytes(32)
    let new = SecureRandom.bytes(48)
    let before = JWTSigner(secret: old).sign(claims)
    let rotated = JWTSigner(secret: new, previous: [old])
    #expect(try rotated.verify(before) == claims)
    let after = rotated.sign(claims)
    #expect(try JWTSigner(secret: new).verify(after) == claims)
    #expect(throws: JWTSigner.Failure.unknownHeader) { try JWTSigner(secret: old).verify(after) }
    #expect(throws: JWTSigner.Failure.unknownHeader) { try JWTSigner(secret: new).verify(before) }
  }

  @Test("4 KiB are read, more is not")
  func size() throws {
    let signer = JWTSigner(secret: secret)
    var payload = [UInt8](repeating: UInt8(ascii: "x"), count: 2000)
    while signer.sign(payload + [0]).utf8.count <= JWTSigner.sizeLimit { payload.append(0) }
    #expect(try signer.verify(signer.sign(payload)) == payload)
    #expect(throws: JWTSigner.Failure.tooLong) { try signer.verify(signer.sign(payload + [0])) }
    #expect(payload.count > 2900)
  }

  @Test("texts that are no token are refused", arguments: ["", ".", "..", "...", "a.b.c", "é.é.é", "\0"])
  func noToken(text: String) {
    #expect(throws: JWTSigner.Failure.self) { try JWTSigner(secret: secret).verify(text) }
  }
}
