import FLTransfer
import Testing

@Suite struct SMTPServerTests {
  @Test(
    "An address is read",
    arguments: [
      ("smtp://mail.example.org", "smtp://mail.example.org:25", MailEncryption.opportunistic),
      ("SMTP://localhost:2525/", "smtp://localhost:2525", .opportunistic),
      ("smtps://mail.example.org", "smtps://mail.example.org:465", .required),
      ("smtps://mail.example.org?tls=required", "smtps://mail.example.org:465", .required),
      ("smtp://u:p@mail.example.org:587", "smtp://mail.example.org:587", .required),
      ("smtp://u:p@mail.example.org?tls=none", "smtp://mail.example.org:25", .none),
      ("smtp://u:p@127.0.0.1", "smtp://127.0.0.1:25", .opportunistic),
      ("smtp://u:p@[::1]:26", "smtp://[::1]:26", .opportunistic),
      ("smtp://[2001:db8::1]?tls=required&ca=/etc/ca.pem&name=a.b", "smtp://[2001:db8::1]:25", .required),
    ])
  func good(url: String, place: String, encryption: MailEncryption) throws {
    let server = try SMTPServer(url: url)
    #expect(server.description == place && server.encryption == encryption)
  }

  @Test func credentialsAreDecodedAndNeverShown() throws {
    let server = try SMTPServer(
      url: "smtp://me%40example.org:se:cr%25et@mail.example.org?name=own.example.org")
    #expect(server.user == "me@example.org" && server.ownName == "own.example.org")
    var dumped = ""
    dump(server, to: &dumped)
    for text in ["\(server)", String(reflecting: server), dumped] {
      #expect(!text.contains("cr%et"), "\(text)")
    }
  }

  @Test(
    "What is no address of a mail server is refused in a sentence, without the password",
    arguments: [
      "", "mail.example.org", "http://geheim@x", "smtp://", "smtp://u:geheim@", "smtp://u:geheim@x:0",
      "smtp://x:99999",
      "smtp://x:", "smtp://x:2a", "smtp://u:geheim%2@x", "smtp://:geheim@x", "smtp://u:geheim%00@x",
      "smtp://[::1",
      "smtp://[::1]2", "smtp://[1.2.3.4]", "smtp://a b", "smtp://-x", "smtp://x/path", "smtp://x?tls=yes",
      "smtp://x?tls=", "smtp://x?tls", "smtp://x?geheim=1&a", "smtps://x?tls=none", "smtp://x?name=a%0D%0Ab",
      "smtp://x?tls=none&tls=required", "smtp://x#y", "smtp://u:ge?heim@x",
    ])
  func bad(url: String) {
    do {
      _ = try SMTPServer(url: url)
      Issue.record("\(url) was taken")
    } catch {
      #expect(error.description.hasSuffix(".") && !error.description.contains("u:geheim"), "\(error)")
    }
  }
}
