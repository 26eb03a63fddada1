import FLCrypto
import FLValues
import Testing

@testable import FLApp

/// The signed names of messages: made here alone, and good for one thing each.
@Suite struct MailingTokensTests {
  private func tokens(_ digit: String = "5a", previous: [String] = []) throws -> MailingTokens {
    func key(_ digit: String) throws -> MasterKey {
      try #require(MasterKey(text: String(repeating: digit, count: 32)))
    }
    var settings = Settings(
      state: "/tmp", baseURL: "https://go.example", secret: try key(digit), share: "/tmp",
      database: .init(name: ""))
    settings.previousSecrets = try previous.map(key)
    return MailingTokens(settings: settings)
  }

  private let subject = MailingTokens.Subject(
    mark: [1, 2, 3, 250, 255], contact: ContactID(at: .now), link: 517)

  private func token(_ url: String) -> Substring { url.split(separator: "/").last ?? "" }

  @Test func aNameIsReadForItsPurposeAlone() throws {
    let tokens = try tokens()
    let click = token(tokens.clickURL(subject))
    #expect(tokens.subject(of: click, .click) == subject)
    for other in [MailingTokens.Purpose.open, .unsubscribe, .bounce] {
      #expect(tokens.subject(of: click, other) == nil)
    }
    let plain = MailingTokens.Subject(mark: subject.mark, contact: subject.contact)
    #expect(tokens.subject(of: token(tokens.openURL(subject)), .open) == plain)
    #expect(tokens.subject(of: token(tokens.openURL(subject)), .unsubscribe) == nil)
  }

  @Test func noByteOfItCanBeChanged() throws {
    let tokens = try tokens()
    let bytes = try #require(Base64URL.decode(String(token(tokens.clickURL(subject)))))
    for index in bytes.indices {
      var forged = bytes
      forged[index] ^= 1
      #expect(tokens.subject(of: Base64URL.encode(forged), .click) == nil, "\(index)")
    }
    #expect(tokens.subject(of: Base64URL.encode(Array(bytes.dropLast())), .click) == nil)
    #expect(tokens.subject(of: "", .click) == nil)
  }

  @Test func theReturnPathSurvivesAChangeOfCase() throws {
    let tokens = try tokens()
    let path = tokens.returnPath(subject)
    let plain = MailingTokens.Subject(mark: subject.mark, contact: subject.contact)
    #expect(path.hasPrefix("bounce+") && path.hasSuffix("@go.example"))
    #expect((path.split(separator: "@").first?.utf8.count ?? 99) <= 64)
    for spelled in [path, path.uppercased(), path.capitalized] {
      #expect(tokens.subject(ofReturnPath: spelled) == plain)
    }
    for forged in ["bounce@go.example", "bounce+@go.example", "bounce+aaaa@go.example", "", "+", "a+b@c"] {
      #expect(tokens.subject(ofReturnPath: forged) == nil, "\(forged)")
    }
    #expect(try self.tokens("6b").subject(ofReturnPath: path) == nil)
  }

  @Test func aLinkWithALongFallbackIsNotTracked() {
    func link(_ count: Int) -> String {
      "https://a.example/?n={{FirstName|\(String(repeating: "x", count: count))}}"
    }
    // What is kept of it has at most 2,048 characters.
    #expect(MailingMessage.canBeTracked(link(1900)) && !MailingMessage.canBeTracked(link(2100)))
  }

  @Test func theReturnPathTellsHowManyTimesItCameBack() throws {
    let tokens = try tokens()
    let paths = [0, 1, 2, 255].map {
      tokens.returnPath(.init(mark: subject.mark, contact: subject.contact, returns: $0))
    }
    #expect(Set(paths).count == 4 && Set(paths.map(\.utf8.count)).count == 1)
    #expect(paths.map { tokens.subject(ofReturnPath: $0.uppercased())?.returns } == [0, 1, 2, 255])
    #expect(paths.allSatisfy { tokens.subject(ofReturnPath: $0)?.contact == subject.contact })
    let bytes = try #require(
      paths[1].split(separator: "@").first?.split(separator: "+").last.flatMap { Base32.decode(String($0)) })
    for index in bytes.indices {
      var forged = bytes
      forged[index] ^= 1
      #expect(tokens.subject(ofReturnPath: "bounce+\(Base32.encode(forged))@x") == nil, "\(index)")
    }
    // It unsubscribes nobody.
    for purpose in [MailingTokens.Purpose.unsubscribe, .open, .click] {
      #expect(tokens.subject(of: Base64URL.encode(bytes), purpose) == nil)
    }
  }

  @Test func namesUnderAnEarlierSecretHold() throws {
    let old = try tokens().unsubscribeURL(subject)
    #expect(try tokens("6b", previous: ["5a"]).subject(of: token(old), .unsubscribe) != nil)
    #expect(try tokens("6b").subject(of: token(old), .unsubscribe) == nil)
  }

  @Test(
    "Base32 of RFC 4648, section 10, in lower case and without padding",
    arguments: [
      ("", ""), ("f", "my"), ("fo", "mzxq"), ("foo", "mzxw6"), ("foob", "mzxw6yq"), ("fooba", "mzxw6ytb"),
      ("foobar", "mzxw6ytboi"),
    ])
  func base32(text: String, encoded: String) {
    #expect(Base32.encode(Array(text.utf8)) == encoded)
    #expect(
      Base32.decode(encoded) == Array(text.utf8) && Base32.decode(encoded.uppercased()) == Array(text.utf8))
  }

  @Test(arguments: ["m", "my=", "m1", "mz", "m y", "mzx"])
  func whatIsNoBase32(text: String) { #expect(Base32.decode(text) == nil) }
}
