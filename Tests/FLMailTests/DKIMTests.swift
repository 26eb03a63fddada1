import FLCrypto
import FLValues
import Testing

@testable import FLMail

@Suite("DKIM") struct DKIMTests {
  /// Whether the signature in the first field of `message` is one of `key` over it.
  private func verifies(_ message: [UInt8], _ key: SigningKey) -> Bool {
    let text = String(decoding: message, as: UTF8.self)
    guard let blank = text.firstRange(of: "\r\n\r\n") else { return false }
    // Fields with their line ends and folds.
    var fields: [String] = []
    for line in text[..<blank.lowerBound].split(separator: "\r\n" as Character) {
      if line.hasPrefix(" "), !fields.isEmpty {
        fields[fields.count - 1] += line + "\r\n"
      } else {
        fields.append(line + "\r\n")
      }
    }
    guard let own = fields.first, own.hasPrefix("DKIM-Signature:") else { return false }
    var tags: [String: String] = [:]
    for tag in own.dropFirst(15).split(separator: ";") {
      let halves = tag.split(separator: "=", maxSplits: 1)
      guard let name = halves.first else { return false }
      let value = halves.count > 1 ? halves[1].filter { !$0.isWhitespace } : ""
      tags[name.filter { !$0.isWhitespace }] = value
    }
    let body = Canonical.relaxed(body: Array(text[blank.upperBound...].utf8)[...])
    guard tags["v"] == "1", tags["c"] == "relaxed/relaxed",
      Base64.decode(tags["bh"] ?? "") == SHA256.digest(body)
    else { return false }
    var signed = [UInt8]()
    var unused = Array(fields.dropFirst())
    for name in (tags["h"] ?? "").split(separator: ":") {
      if let index = unused.lastIndex(where: { $0.lowercased().hasPrefix(name.lowercased() + ":") }) {
        Canonical.appendRelaxed(field: Array(unused.remove(at: index).utf8)[...], to: &signed)
      }
    }
    guard let b = own.range(ofLast: " b=") else { return false }
    Canonical.appendRelaxed(field: Array(own[..<b.upperBound].utf8)[...], to: &signed)
    signed.removeLast(min(2, signed.count))
    guard let signature = Base64.decode(tags["b"] ?? "") else { return false }
    return key.algorithm == .ed25519
      ? tags["a"] == "ed25519-sha256" && key.verify(SHA256.digest(signed), signature: signature)
      : tags["a"] == "rsa-sha256" && key.verify(signed, signature: signature)
  }

  private func lines(_ text: String) -> [UInt8] { Array(text.replacing("\n", with: "\r\n").utf8) }

  private let example = """
    From: Joe SixPack <joe@football.example.com>
    To: Suzie Q <suzie@shopping.example.net>
    Subject: Is dinner ready?
    Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
    Message-ID: <20030712040037.46341.5F8J@football.example.com>

    Hi.

    We lost the game.  Are you hungry yet?

    Joe.

    """

  /// The key of RFC 8463, appendix A.2.
  private func exampleKey() throws -> SigningKey {
    let raw = try #require(Base64.decode("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="))
    let head = try #require(Hex.decode("302e020100300506032b657004220420"))
    return try #require(SigningKey(pkcs8: head + raw))
  }

  @Test("the example of RFC 8463, appendix A")
  func vector() throws {
    let key = try exampleKey()
    #expect(DKIMRecord.text(key) == "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")
    let signature = """
      DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
       d=football.example.com; i=@football.example.com;
       q=dns/txt; s=brisbane; t=1528637909; h=from : to :
       subject : date : message-id : from : subject : date;
       bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
       b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
       Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==

      """
    #expect(verifies(lines(signature + example), key))
    #expect(!verifies(lines(signature + example.replacing("hungry", with: "angry")), key))
    // The same body hash is made here.
    let signer = try #require(DKIMSigner(domain: "football.example.com", selector: "brisbane", key: key))
    let own = String(
      decoding: signer.sign(lines(example), at: Timestamp(seconds: 1_528_637_909)), as: UTF8.self)
    #expect(own.contains("bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;"))
  }

  @Test("each of several signatures verifies, and no altered message does")
  func signs() throws {
    let keys = SigningKey.Algorithm.allCases.map { SigningKey.generate($0) }
    let signers = try keys.map { try #require(DKIMSigner(domain: "example.org", selector: "s1", key: $0)) }
    let fields = DKIMSigner.signatures(of: lines(example), by: signers, at: Timestamp(seconds: 1_795_336_020))
    #expect(ParsedMessage.hasWholeLines(fields))
    for line in String(decoding: fields, as: UTF8.self).split(separator: "\r\n" as Character) {
      #expect(line.utf8.count <= 78)
    }
    let texts = String(decoding: fields, as: UTF8.self).components(separatedBy: "DKIM-Signature:").dropFirst()
      .map { "DKIM-Signature:" + $0 }
    #expect(texts.count == 2)
    for (text, key) in zip(texts, keys) {
      let message = Array(text.utf8) + lines(example)
      #expect(verifies(message, key))
      #expect(verifies(Array(text.utf8) + lines("Received: x\n" + example + "\n\n"), key))
      for (old, new) in [
        ("Joe.", "Jo."), ("Suzie Q", "Suzie"), ("Subject", "subject"), ("From:", "From: a@b.example\nFrom:"),
        ("-0700", "-0701"),
      ] {
        let altered = Array(text.utf8) + lines(example.replacing(old, with: new, maxReplacements: 1))
        #expect(verifies(altered, key) == (old == "Subject"))
      }
      #expect(
        !verifies(Array(text.replacing("d=example.org", with: "d=example.com").utf8) + lines(example), key))
    }
  }

  @Test("the fields that tell how to unsubscribe are signed")
  func signedFields() throws {
    let mail = MailMessage(
      from: try #require(Mailbox(name: "Jörg", address: "a@example.org")), messageIDDomain: "example.org",
      replyTo: Mailbox(address: "b@example.org"), subject: try PlaceholderText("Grüße {{Name}}", in: .header),
      html: try PlaceholderText("<p>{{Name}}", in: .html),
      text: try PlaceholderText("{{Name}}  \n\n\n", in: .text),
      listID: MailMessage.ListID(id: "a.example.org"), feedbackID: "a:b:mailing:fastlinkit")
    let keys = SigningKey.Algorithm.allCases.map { SigningKey.generate($0) }
    for key in keys {
      let signer = try #require(DKIMSigner(domain: "example.org", selector: "s1", key: key))
      let message = mail.bytes(
        for: MailMessage.Recipient(
          to: try #require(Mailbox(address: "c@example.net")), messageID: "1",
          date: Timestamp(seconds: 1_795_336_020),
          values: PlaceholderValues(name: "Ä"),
          oneClickURL: "https://l.example/" + String(repeating: "u", count: 100)),
        signedBy: [signer])
      #expect(verifies(message, key))
      let field = try #require(ParsedMessage(message)?["DKIM-Signature"].first)
      #expect(
        field.filter { $0 != " " }.contains(
          "h=from:to:subject:date:message-id:reply-to:mime-version:content-type:list-unsubscribe:"
            + "list-unsubscribe-post:list-id:feedback-id:from;"))
    }
  }

  @Test(
    "the relaxed forms of RFC 6376, section 3.4.5",
    arguments: [
      (" C \r\nD \t E\r\n\r\n\r\n", " C\r\nD E\r\n"), ("", ""), ("\r\n", ""), (" \r\n\t\r\n", ""),
      ("a", "a\r\n"),
      ("a \t", "a\r\n"), ("a\r\n\r\nb\r\n", "a\r\n\r\nb\r\n"), ("a\rb\nc\r\n", "a\rb\nc\r\n"), ("  ", ""),
    ])
  func relaxedBody(body: String, canonical: String) {
    #expect(String(decoding: Canonical.relaxed(body: Array(body.utf8)[...]), as: UTF8.self) == canonical)
  }

  @Test(
    "the relaxed form of a field",
    arguments: [
      ("A: X\r\n", "a:X\r\n"), ("B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n"), ("C:\r\n \r\n", "c:\r\n"),
      ("D:a:b\r\n", "d:a:b\r\n"),
    ])
  func relaxedField(field: String, canonical: String) {
    var output = [UInt8]()
    Canonical.appendRelaxed(field: Array(field.utf8)[...], to: &output)
    #expect(String(decoding: output, as: UTF8.self) == canonical)
  }

  @Test("any bytes are signed")
  func anything() throws {
    let signer = try #require(DKIMSigner(domain: "example.org", selector: "a.b", key: exampleKey()))
    for message in [
      "", "\r\n", "\r\n\r\n", "From", "From:", "From: a\r\n", " x\r\nFrom: a\r\n\r\n", ":\r\n", "\n",
      "From: a\n\nb",
    ] {
      #expect(ParsedMessage.hasWholeLines(signer.sign(Array(message.utf8), at: Timestamp(seconds: 0))))
    }
  }

  @Test func namesAreHostNames() throws {
    let key = try exampleKey()
    #expect(DKIMRecord.name(selector: "s1", domain: "example.org") == "s1._domainkey.example.org")
    for (domain, selector) in [
      ("", "a"), ("a", ""), ("a.example;", "a"), ("a\r\nb", "a"), ("a", "b c"), ("ä", "b"), ("a..b", "c"),
    ] {
      #expect(DKIMSigner(domain: domain, selector: selector, key: key) == nil)
    }
  }
}

extension String {
  /// Where `text` stands last.
  fileprivate func range(ofLast text: String) -> Range<Index>? { ranges(of: text).last }
}
