import Foundation
import Testing

@testable import FLCrypto

@Suite("Password hashing") struct PasswordHashTests {
  @Test(
    "reads what another implementation made (argon2-cffi)",
    arguments: [
      (
        "pässword",
        "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$tmg8kTzmJLkguc2kOGId3nFi6amvRKU5PrSeYJW6QRk"
      ),
      ("password", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"),
      ("password", "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc"),
    ])
  func knownHashes(password: String, encoded: String) {
    #expect(PasswordHash.verify(password, against: encoded))
    #expect(!PasswordHash.verify(password + " ", against: encoded))
    #expect(Argon2Record(encoded)?.text == encoded)
  }

  @Test("a password verifies against its own hash and no other does")
  func roundTrip() throws {
    let encoded = try PasswordHash.hash("correct horse")
    #expect(encoded.hasPrefix("$argon2id$v=19$m=19456,t=2,p=1$"))
    #expect(encoded.utf8.count == 97)
    #expect(PasswordHash.verify("correct horse", against: encoded))
    #expect(!PasswordHash.verify("correct Horse", against: encoded))
    #expect(!PasswordHash.verify("correct horse\0", against: encoded))
    #expect(!PasswordHash.verify("", against: encoded))
    #expect(try PasswordHash.hash("correct horse") != encoded)
    #expect(!PasswordHash.needsRehash(encoded))
  }

  @Test("a byte zero does not end a password")
  func zeroByte() throws {
    let encoded = try PasswordHash.hash("a\0b")
    #expect(PasswordHash.verify("a\0b", against: encoded))
    #expect(!PasswordHash.verify("a\0c", against: encoded))
    #expect(!PasswordHash.verify("a", against: encoded))
  }

  @Test("composed and decomposed letters, and spaces of any script, are the same password")
  func normalisation() throws {
    #expect(PasswordHash.prepare("plain ASCII\t~") == Array("plain ASCII\t~".utf8))
    #expect(PasswordHash.prepare("u\u{308}ber") == Array("\u{fc}ber".utf8))
    #expect(PasswordHash.prepare("a\u{a0}b\u{3000}c\u{2009}d é") == Array("a b c d \u{e9}".utf8))
    #expect(PasswordHash.prepare("\u{1100}\u{1161}") == Array("\u{ac00}".utf8))
    // NFC, not NFKC: a ligature and full-width forms stay what they are.
    #expect(PasswordHash.prepare("\u{fb01}\u{ff21}") == Array("\u{fb01}\u{ff21}".utf8))
    let encoded = try PasswordHash.hash("cafe\u{301}\u{a0}noir")
    #expect(PasswordHash.verify("caf\u{e9} noir", against: encoded))
    #expect(!PasswordHash.verify("cafe noir", against: encoded))
  }

  @Test("1024 bytes are taken, 1025 and none are not")
  func limits() throws {
    let longest = String(repeating: "é", count: 512)
    let encoded = try PasswordHash.hash(longest)
    #expect(PasswordHash.verify(longest, against: encoded))
    #expect(!PasswordHash.verify(longest + "x", against: encoded))
    #expect(throws: PasswordHash.Failure.tooLong) { try PasswordHash.hash(longest + "x") }
    #expect(throws: PasswordHash.Failure.empty) { try PasswordHash.hash("") }
  }

  static let salt = "c29tZXNhbHQ"
  static let tag = "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"

  @Test(
    "malformed, foreign and oversized hashes are refused",
    arguments: [
      "", "$", "$$$$$", "password", "$2b$12$abcdefghijklmnopqrstuv",
      "argon2id$v=19$m=65536,t=2,p=1$\(salt)$\(tag)", "$argon2i$v=19$m=65536,t=2,p=1$\(salt)$\(tag)",
      "$argon2d$v=19$m=65536,t=2,p=1$\(salt)$\(tag)", "$argon2id$v=16$m=65536,t=2,p=1$\(salt)$\(tag)",
      "$argon2id$m=65536,t=2,p=1$\(salt)$\(tag)", "$argon2id$v=19$t=2,m=65536,p=1$\(salt)$\(tag)",
      "$argon2id$v=19$m=65536,t=2$\(salt)$\(tag)", "$argon2id$v=19$m=65536,t=2,p=1,x=1$\(salt)$\(tag)",
      "$argon2id$v=19$m=+65536,t=2,p=1$\(salt)$\(tag)", "$argon2id$v=19$m=065536,t=2,p=1$\(salt)$\(tag)",
      "$argon2id$v=19$m=,t=2,p=1$\(salt)$\(tag)", "$argon2id$v=19$m=65537,t=2,p=1$\(salt)$\(tag)",
      "$argon2id$v=19$m=4294967296,t=2,p=1$\(salt)$\(tag)", "$argon2id$v=19$m=7,t=2,p=1$\(salt)$\(tag)",
      "$argon2id$v=19$m=65536,t=0,p=1$\(salt)$\(tag)", "$argon2id$v=19$m=65536,t=17,p=1$\(salt)$\(tag)",
      "$argon2id$v=19$m=65536,t=2,p=0$\(salt)$\(tag)", "$argon2id$v=19$m=65536,t=2,p=17$\(salt)$\(tag)",
      "$argon2id$v=19$m=65536,t=2,p=1$c2E$\(tag)", "$argon2id$v=19$m=65536,t=2,p=1$\(salt)$c2E",
      "$argon2id$v=19$m=65536,t=2,p=1$\(salt)=$\(tag)", "$argon2id$v=19$m=65536,t=2,p=1$\(salt)$\(tag)$",
      "$argon2id$v=19$m=65536,t=2,p=1$\(salt)$\(tag)\n", "$argon2id$v=19$m=65536,t=2,p=1$\(salt)",
      "$argon2id$v=19$m=65536,t=2,p=1$\(salt)$" + String(repeating: "A", count: 300),
    ])
  func malformed(encoded: String) {
    #expect(Argon2Record(encoded) == nil)
    #expect(!PasswordHash.verify("password", against: encoded))
    #expect(PasswordHash.needsRehash(encoded))
  }

  @Test("hashes of another cost, a shorter salt or another tag want to be made anew")
  func rehash() {
    let salt = "MDEyMzQ1Njc4OWFiY2RlZg"
    #expect(!PasswordHash.needsRehash("$argon2id$v=19$m=19456,t=2,p=1$\(salt)$\(Self.tag)"))
    #expect(PasswordHash.needsRehash("$argon2id$v=19$m=19457,t=2,p=1$\(salt)$\(Self.tag)"))
    #expect(PasswordHash.needsRehash("$argon2id$v=19$m=19456,t=3,p=1$\(salt)$\(Self.tag)"))
    #expect(PasswordHash.needsRehash("$argon2id$v=19$m=19456,t=2,p=2$\(salt)$\(Self.tag)"))
    #expect(PasswordHash.needsRehash("$argon2id$v=19$m=19456,t=2,p=1$\(Self.salt)$\(Self.tag)"))
    #expect(PasswordHash.needsRehash("$argon2id$v=19$m=19456,t=2,p=1$\(salt)$\(salt)"))
  }

  @Test("many hashes at once all come out right")
  func concurrently() async throws {
    let encoded = try PasswordHash.hash("anna")
    await withTaskGroup(of: Bool.self) { group in
      for index in 0..<8 {
        let right = index % 2 == 0
        group.addTask { PasswordHash.verify(right ? "anna" : "otto", against: encoded) == right }
      }
      for await right in group { #expect(right) }
    }
  }

  @Test("hashes leave no memory behind, and take no more than two blocks at a time")
  func memory() async {
    // In a process of its own, where no other test takes memory meanwhile.
    await #expect(processExitsWith: .success) {
      _ = PasswordHash.prepare("é") + SecureRandom.bytes(1)
      let before = try kibibytes("VmRSS")
      // Threads: a task group would not run more at once than there are cores.
      let done = DispatchSemaphore(value: 0)
      for _ in 0..<8 {
        Thread.detachNewThread {
          PasswordHash.waste("anna")
          done.signal()
        }
      }
      for _ in 0..<8 { #expect(done.wait(timeout: .now() + 60) == .success) }
      for _ in 0..<3 { PasswordHash.waste("anna") }
      #expect(try kibibytes("VmRSS") - before < 10_000)
      #expect((19_000..<50_000).contains(try kibibytes("VmHWM") - before))
    }
  }
}
