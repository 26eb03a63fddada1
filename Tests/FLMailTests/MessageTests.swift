import FLValues
import Testing

@testable import FLMail

@Suite("Messages") struct MessageTests {
  private func mailbox(_ name: String?, _ address: String) throws -> Mailbox {
    try #require(Mailbox(name: name, address: address))
  }

  private func message(
    subject: String = "Hello {{FirstName}}", html: String? = "<p>Hi {{FirstName}}</p>",
    text: String = "Hi {{FirstName}}\n",
    listID: MailMessage.ListID? = MailMessage.ListID(name: "News", id: "news.example.org"),
    extraFields: [HeaderField] = []
  ) throws -> MailMessage {
    MailMessage(
      from: try mailbox("Shop", "shop@example.org"), messageIDDomain: "example.org",
      replyTo: try mailbox(nil, "help@example.org"), subject: try PlaceholderText(subject, in: .header),
      html: try html.map { try PlaceholderText($0, in: .html) }, text: try PlaceholderText(text, in: .text),
      listID: listID, extraFields: extraFields)
  }

  private func recipient(
    _ values: PlaceholderValues = PlaceholderValues(firstName: "Anna"),
    oneClickURL: String? = "https://l.example/u/1",
    unsubscribeAddress: String? = nil
  ) throws -> MailMessage.Recipient {
    MailMessage.Recipient(
      to: try mailbox("Anna", "anna@example.net"), messageID: "m1.r2",
      date: Timestamp(seconds: 1_795_336_020),
      values: values, oneClickURL: oneClickURL, unsubscribeAddress: unsubscribeAddress)
  }

  @Test("a copy has the fields that it should, each once, and text before HTML")
  func whole() throws {
    let bytes = try message().bytes(for: try recipient(unsubscribeAddress: "u+1@l.example?subject=stop"))
    let parsed = try #require(ParsedMessage(bytes))
    #expect(
      parsed.fields.map(\.name) == [
        "Date", "From", "Reply-To", "To", "Subject", "Message-ID", "List-Unsubscribe",
        "List-Unsubscribe-Post",
        "MIME-Version", "List-Id", "Content-Type",
      ])
    #expect(parsed["Date"] == ["Sun, 22 Nov 2026 08:27:00 +0000"])
    #expect(parsed["From"] == ["Shop <shop@example.org>"])
    #expect(parsed["To"] == ["Anna <anna@example.net>"])
    #expect(parsed["Reply-To"] == ["help@example.org"])
    #expect(parsed["Subject"] == ["Hello Anna"])
    #expect(parsed["Message-ID"] == ["<m1.r2@example.org>"])
    #expect(parsed["List-Unsubscribe"] == ["<https://l.example/u/1>, <mailto:u+1@l.example?subject=stop>"])
    #expect(parsed["List-Unsubscribe-Post"] == ["List-Unsubscribe=One-Click"])
    #expect(parsed["List-Id"] == ["News <news.example.org>"])
    let parts = parsed.parts
    #expect(
      parts.map { $0["Content-Type"] } == [["text/plain; charset=utf-8"], ["text/html; charset=utf-8"]])
    #expect(parts.map { $0["Content-Transfer-Encoding"] } == [["7bit"], ["7bit"]])
    #expect(parts.map(\.content) == ["Hi Anna\r\n", "<p>Hi Anna</p>\r\n"])
  }

  @Test("without HTML it is text alone, and without an address there is nothing to unsubscribe with")
  func plain() throws {
    let parsed = try #require(
      ParsedMessage(message(html: nil, listID: nil).bytes(for: recipient(oneClickURL: nil))))
    #expect(
      parsed.fields.map(\.name) == [
        "Date", "From", "Reply-To", "To", "Subject", "Message-ID", "MIME-Version", "Content-Type",
        "Content-Transfer-Encoding",
      ])
    #expect(parsed.content == "Hi Anna\r\n")
    let mailto = try ParsedMessage(
      message().bytes(for: recipient(oneClickURL: nil, unsubscribeAddress: "u@l.example")))
    #expect(mailto?["List-Unsubscribe"] == ["<mailto:u@l.example>"])
    #expect(mailto?["List-Unsubscribe-Post"] == [])
    let long = "https://l.example/" + String(repeating: "u", count: 900)
    let without = try ParsedMessage(message().bytes(for: recipient(oneClickURL: long)))
    #expect(without?["List-Unsubscribe"] == [])
    #expect(without?["List-Unsubscribe-Post"] == [])
  }

  @Test(
    "nothing that comes from outside begins another field",
    arguments: [
      "\r\nBcc: evil@x.example\r\n\r\nbody", "\nBcc: evil@x.example", "\rBcc: evil@x.example",
      "\u{0}\u{1B}Bcc: evil@x.example",
      "\u{85}Bcc: x\u{2028}Bcc: y", "é\r\nBcc: evil@x.example",
      String(repeating: "a ", count: 200) + "\r\nBcc: x",
      ">\r\nBcc: x", "\"\r\nBcc: x",
    ])
  func injection(hostile: String) throws {
    let mail = MailMessage(
      from: try mailbox(hostile, "shop@example.org"), messageIDDomain: hostile,
      replyTo: try mailbox(hostile, "a@example.org"),
      subject: try PlaceholderText(hostile + "{{Name}}{{Company|\r\nBcc: z}}", in: .header), html: nil,
      text: try PlaceholderText("x", in: .text), listID: MailMessage.ListID(name: hostile, id: hostile),
      feedbackID: hostile, isAutomatic: true,
      extraFields: try [
        #require(HeaderField(name: "X-A", value: hostile)), #require(HeaderField(name: "BCC", value: "a@b")),
      ])
    let bytes = mail.bytes(
      for: MailMessage.Recipient(
        to: try mailbox(hostile, "a@example.org"), messageID: hostile, date: Timestamp(seconds: 0),
        values: PlaceholderValues(name: hostile), oneClickURL: hostile, unsubscribeAddress: hostile))
    let parsed = try #require(ParsedMessage(bytes))
    #expect(
      parsed.fields.map(\.name) == [
        "Date", "From", "Reply-To", "To", "Subject", "Message-ID", "List-Unsubscribe",
        "List-Unsubscribe-Post",
        "MIME-Version", "List-Id", "Feedback-ID", "Auto-Submitted", "X-A", "Content-Type",
        "Content-Transfer-Encoding",
      ])
    #expect(parsed.body == "x\r\n")
    #expect(parsed["Message-ID"].first?.filter { $0 == ">" || $0 == "<" || $0 == "@" } == "<@>")
    #expect(parsed["List-Unsubscribe"].first?.filter { $0 == ">" || $0 == "<" } == "<><>")
  }

  @Test(
    "any body comes back with CR and LF",
    arguments: [
      ("", ""), ("a", "a\r\n"), ("a\nb\r\nc\rd\n\n", "a\r\nb\r\nc\r\nd\r\n\r\n"),
      ("\r\r\n\n", "\r\n\r\n\r\n"),
      (".\n..\n.a\n", ".\r\n..\r\n.a\r\n"), ("a\u{0}b\u{0}", "ab\r\n"),
      ("From me\nFrom you =", "From me\r\nFrom you =\r\n"),
      ("é =3D = \t\n \t\né", "é =3D = \t\r\n \t\r\né\r\n"),
      (String(repeating: "x", count: 998), String(repeating: "x", count: 998) + "\r\n"),
      (String(repeating: "x", count: 999), String(repeating: "x", count: 999) + "\r\n"),
      (String(repeating: "日本", count: 400), String(repeating: "日本", count: 400) + "\r\n"),
      ("--=_a\né", "--=_a\r\né\r\n"), ("\u{1B}[1m\u{7F}", "\u{1B}[1m\u{7F}\r\n"), ("é\r", "é\r\n"),
      (String(repeating: "é.\nFrom é \n", count: 50), String(repeating: "é.\r\nFrom é \r\n", count: 50)),
    ])
  func body(text: String, expected: String) throws {
    for html in [nil, "<p>é"] {
      let mail = MailMessage(
        from: try mailbox(nil, "a@example.org"), messageIDDomain: "example.org",
        subject: PlaceholderText(literal: "", in: .header),
        html: try html.map { try PlaceholderText($0, in: .html) },
        text: PlaceholderText(literal: text, in: .text))
      let parsed = try #require(ParsedMessage(mail.bytes(for: try recipient())))
      let part = try #require(html == nil ? parsed : parsed.parts.first)
      #expect(part.content == expected || (html != nil && expected.isEmpty))
      if part["Content-Transfer-Encoding"] == ["quoted-printable"] {
        for line in part.body.split(separator: "\r\n" as Character) {
          #expect(line.utf8.count <= 76)
          #expect(line.last != " " && line.last != "\t" && !line.hasPrefix(".") && !line.hasPrefix("From "))
        }
      }
    }
  }

  @Test(
    "the encoding is 7bit only for what nobody alters",
    arguments: [
      ("a\tb\n", true), ("é", false), ("From ", false), ("a\nFrom b", false), ("a From b", true),
      ("From", true),
      (">From b", true), ("Frob x", true), ("\u{0}", false), ("\u{C}", false), ("--=_x", false),
      ("a\n--=_", false), ("x--=_", true), ("--=", true), ("=3D", true), ("", true),
    ])
  func encoding(text: String, isPlain: Bool) { #expect(BodyPart.canGoPlain(Array(text.utf8)) == isPlain) }

  @Test("quoted-printable fills its lines and no more")
  func quotedPrintable() {
    for count in 70...160 {
      for text in [
        String(repeating: "a", count: count), String(repeating: "=", count: count),
        String(repeating: "a", count: count) + " \n",
      ] {
        var output = [UInt8]()
        QuotedPrintable.append(Array(text.utf8), to: &output)
        let lines = String(decoding: output, as: UTF8.self).split(separator: "\r\n" as Character)
        #expect(lines.allSatisfy { $0.utf8.count <= 76 })
        #expect(lines.dropLast().allSatisfy { $0.utf8.count >= 74 && $0.hasSuffix("=") })
        #expect(
          ParsedMessage.quoted(String(decoding: output, as: UTF8.self)).replacing("\r\n", with: "\n")
            == (text.hasSuffix("\n") ? text : text + "\n"))
      }
    }
  }

  @Test("a value that knows the boundary ends no part")
  func boundary() throws {
    let mail = try message(html: "{{Name}}", text: "{{Name}}")
    let boundary = try #require(
      ParsedMessage(mail.bytes(for: recipient()))?["Content-Type"].first?.split(separator: "\"").dropFirst()
        .first)
    let evil = "\r\n--\(boundary)\r\nContent-Type: text/html\r\n\r\n<b>\r\n--\(boundary)--\r\n"
    let parsed = try #require(ParsedMessage(mail.bytes(for: recipient(PlaceholderValues(name: evil)))))
    #expect(parsed.parts.count == 2)
    #expect(
      parsed.parts.map { $0["Content-Transfer-Encoding"] } == [["quoted-printable"], ["quoted-printable"]])
    #expect(parsed.parts.first?.content == evil)
  }

  @Test("the program's own mail is plain text that no machine answers")
  func system() throws {
    let bytes = SystemMessage.bytes(
      from: try mailbox("FastLinkIt", "no-reply@example.org"), to: try mailbox(nil, "x@b\u{FC}cher.example"),
      subject: "Grüße {{Name}}", body: "Hä?\n{{Name}}\n", date: Timestamp(seconds: -1), messageID: "1",
      messageIDDomain: "example.org")
    let parsed = try #require(ParsedMessage(bytes))
    #expect(parsed["Auto-Submitted"] == ["auto-generated"])
    #expect(parsed["To"] == ["x@xn--bcher-kva.example"])
    #expect(parsed["Date"] == ["Wed, 31 Dec 1969 23:59:59 +0000"])
    #expect(parsed.text("Subject") == "Grüße {{Name}}")
    #expect(parsed.content == "Hä?\r\n{{Name}}\r\n")
  }
}
