import Testing

@testable import FLMail

/// Reports of mail systems, and what they mean.
@Suite struct DeliveryReportTests {
  private func report(_ text: String) throws -> DeliveryReport {
    try #require(DeliveryReport(ReceivedMessage(Array(text.utf8))))
  }

  private func meaning(_ text: String, for address: String? = nil) throws -> BounceClassification {
    try report(text).classification(for: address)
  }

  // MARK: Forms

  @Test func postfix() throws {
    let report = try report(ReportSamples.postfix)
    #expect(report.reportingMTA == "mx.sender.example" && report.recipients.count == 1)
    let recipient = try #require(report.recipients.first)
    #expect(recipient.finalRecipient == "ben@example.org" && recipient.originalRecipient == "ben@example.org")
    #expect(recipient.action == .failed && recipient.status?.description == "5.1.1")
    #expect(recipient.remoteMTA == "mx.example.org")
    let found = report.classification(for: "BEN@example.org")
    #expect(found.kind == .hard && found.code == 550 && found.enhanced == EnhancedStatus(5, 1, 1))
    #expect(
      found.text
        == "550 5.1.1 <ben@example.org>: Recipient address rejected: User unknown in virtual mailbox table")
  }

  @Test func theLineEndsMayBeThoseOfTheNetwork() throws {
    let found = try meaning(ReportSamples.postfix.replacing("\n", with: "\r\n"))
    #expect(found.kind == .hard && found.code == 550)
    #expect(
      try meaning("From MAILER-DAEMON Sun Nov 22 08:27:00 2026\n" + ReportSamples.postfix).kind == .hard)
  }

  @Test func aDelayIsNoFailure() throws {
    #expect(try meaning(ReportSamples.postfixDelayed).kind == .delayed)
  }

  @Test(
    "Exim's 5.0.0 means what the diagnostic or the words say",
    arguments: [
      ("550 5.1.1 User unknown", "", .hard), ("550 No such user here", "", .hard),
      ("552 5.2.2 Over quota", "", .soft), ("451 4.7.1 Greylisted", "", .soft),
      ("550 5.7.1 Message rejected as spam", "", .refused),
      ("550 Blocked by a block list, see https://list.example", "", .refused),
      ("554 Refused", "", .refused), ("550 Refused", "", .hard), (nil, "Unrouteable address", .hard),
      (nil, "retry timeout exceeded", .soft), (nil, "something else", .soft),
    ] as [(String?, String, BounceClassification.Kind)])
  func exim(diagnostic: String?, words: String, kind: BounceClassification.Kind) throws {
    let found = try meaning(ReportSamples.exim(diagnostic, words: words))
    #expect(found.kind == kind, "\(found)")
    #expect(!found.text.isEmpty)
  }

  @Test func sendmail() throws {
    let found = try meaning(ReportSamples.sendmail)
    #expect(found.kind == .hard && found.code == 550 && found.text.contains("User unknown"))
  }

  @Test func outlook() throws {
    let report = try report(ReportSamples.outlook)
    let found = report.classification(for: "ben@example.org")
    #expect(found.kind == .hard && found.enhanced == EnhancedStatus(5, 1, 10))
    #expect(report.words.contains("ben wasn't found at example.org."))
  }

  @Test func gmail() throws {
    let found = try meaning(ReportSamples.gmail)
    #expect(found.kind == .soft && found.code == 552 && found.enhanced == EnhancedStatus(5, 2, 2))
  }

  @Test func aReportWithAddressesInUTF8() throws {
    let found = try meaning(
      ReportSamples.report(
        "Final-Recipient: utf-8; bén@example.org\nAction: failed\nStatus: 5.1.1",
        type: "global-delivery-status"),
      for: "bén@example.org")
    #expect(found.kind == .hard)
  }

  @Test func aReportInBase64() throws {
    let fields = """
      Reporting-MTA: dns; mx.example.org

      Final-Recipient: rfc822; ben@example.org
      Action: failed
      Status: 5.1.1

      """
    let encoded = base64(Array(fields.utf8)).split(every: 60)
    let found = try meaning(
      """
      Content-Type: multipart/report; report-type=delivery-status; boundary=b

      --b
      Content-Type: message/delivery-status
      Content-Transfer-Encoding: BASE64

      \(encoded)
      --b--
      """)
    #expect(found.kind == .hard)
  }

  // MARK: Several recipients

  @Test func ofSeveralRecipientsTheOneThatItWentToCounts() throws {
    let text = ReportSamples.report(
      """
      Final-Recipient: rfc822; carla@example.org
      Action: delivered
      Status: 2.1.5

      Final-Recipient: rfc822; ben@example.org
      Action: failed
      Status: 5.1.1

      Original-Recipient: rfc822; dora@example.org
      Final-Recipient: rfc822; d@elsewhere.example
      Action: failed
      Status: 5.2.2
      """)
    #expect(try report(text).recipients.count == 3)
    #expect(try meaning(text, for: "ben@example.org").kind == .hard)
    #expect(try meaning(text, for: "dora@example.org").kind == .soft)
    #expect(try meaning(text, for: "carla@example.org").kind == .none)
    // It was passed on to three, of which one has it.
    #expect(try meaning(text, for: "list@example.org").kind == .none)
  }

  @Test func theActionAloneOrTheStatusAloneTells() throws {
    func kind(_ fields: String) throws -> BounceClassification.Kind {
      try meaning(ReportSamples.report("Final-Recipient: rfc822; ben@example.org\n" + fields)).kind
    }
    #expect(try kind("Status: 5.1.1") == .hard)
    #expect(try kind("Action: Failed (really)\nStatus: 5.1.1 (bad destination mailbox address)") == .hard)
    #expect(try kind("Action: expanded\nStatus: 2.0.0") == .none)
    #expect(try kind("Action: relayed") == .none)
    #expect(try kind("Action: failed\nStatus: 4.4.7") == .soft)
    #expect(try kind("Status: 4.4.7") == .none)
    #expect(try kind("Action: nonsense\nStatus: nonsense") == .none)
    #expect(DeliveryReport(ReceivedMessage(Array(ReportSamples.report("X-Nothing: here").utf8))) == nil)
  }

  // MARK: The table

  @Test(
    "A refusal means",
    arguments: [
      (550, "5.1.1", "User unknown", .hard), (551, "5.1.6", "moved", .hard),
      (556, "5.1.10", "null MX", .hard),
      (553, "5.1.8", "bad sender", .refused), (550, "5.1.0", "Address rejected", .hard),
      (550, "5.1.0", "Sender blocked for spam", .refused), (550, "5.2.1", "disabled", .hard),
      (552, "5.2.2", "full", .soft), (552, "5.2.3", "too large", .refused),
      (552, "5.3.4", "too large", .refused),
      (550, "5.2.0", "?", .soft), (554, "5.3.0", "mailer error", .soft),
      (554, "5.3.0", "user unknown", .hard),
      (550, "5.4.1", "Recipient address rejected: Access denied.", .hard),
      (554, "5.4.1", "connection refused", .soft), (554, "5.4.6", "loop", .soft),
      (554, "5.4.4", "Host or domain name not found", .hard),
      (550, "5.4.310", "DNS domain does not exist", .hard),
      (550, "5.5.0", "Requested action not taken: mailbox unavailable", .hard),
      (501, "5.5.4", "Syntax error", .refused), (550, "5.5.0", "?", .refused),
      (554, "5.6.0", "content", .refused), (554, "5.7.1", "Delivery not authorized", .refused),
      (550, "5.7.26", "DMARC", .refused), (450, "4.2.1", "busy", .soft), (452, "4.2.2", "full", .soft),
      (550, nil, "No such user", .hard), (550, nil, "denied by policy", .refused), (552, nil, "?", .soft),
      (554, nil, "This user doesn't have a yahoo.example account (ben@yahoo.example)", .hard),
      (554, nil, "Transaction failed", .refused), (553, nil, "?", .hard), (521, nil, "?", .hard),
      (451, nil, "?", .soft), (500, nil, "?", .refused), (550, nil, "antispam.example: no such user", .hard),
      (550, nil, "<spamfan@example.org>: user unknown", .hard), (nil, nil, "?", .soft),
      (nil, nil, "550-5.1.1 The account that you tried to reach does not exist.", .hard),
      (550, nil, "550 #5.1.0 Address rejected.", .hard), (250, "2.1.5", "fine", .none),
      // Who does not like the sender says much that is else said of the recipient.
      (
        550, nil,
        "550-Verification failed for <b@go.example>\n550-Unrouteable address\n550 Sender verify failed",
        .refused
      ),
      (
        550, "5.1.0",
        "<b@go.example>: Sender address rejected: User unknown in virtual mailbox table", .refused
      ),
      (550, nil, "Sender domain does not exist", .refused),
      (550, nil, "Administrative prohibition", .refused),
      (550, nil, "Access denied", .refused), (550, nil, "Bad HELO - Host impersonating", .refused),
      (550, nil, "All recipient addresses rejected : Access denied", .hard),
      (550, "5.2.1", "The user you are trying to contact is receiving mail at a rate that", .refused),
      (521, "5.2.1", "AOL will not accept delivery of this message.", .refused),
      (550, "5.2.1", "The email account that you tried to reach is disabled.", .hard),
      (550, "5.4.5", "Daily user sending limit exceeded.", .refused), (550, "5.4.5", "congestion", .soft),
      (550, nil, "192.0.2.1 is listed at rbl.example", .refused),
      (550, nil, "ben (ben@example.org) not listed in Domino Directory", .hard),
    ] as [(Int?, String?, String, BounceClassification.Kind)])
  func table(code: Int?, enhanced: String?, text: String, kind: BounceClassification.Kind) {
    let found = BounceClassification(
      code: code, enhanced: enhanced.flatMap { EnhancedStatus($0) }, text: text)
    #expect(found.kind == kind, "\(found)")
  }

  @Test func theWordsAreFitToBeKept() {
    let long = String(repeating: "ä", count: 2000)
    #expect(BounceClassification(code: 550, enhanced: nil, text: long).text.count == 512)
    let dirty = BounceClassification(code: 550, enhanced: nil, text: " a\r\n\tb\u{0}\u{202E}c\u{1B}[31m ")
    #expect(dirty.text == "a b c [31m")
  }

  @Test func codes() {
    #expect(EnhancedStatus("5.1.1 (bad address)")?.description == "5.1.1")
    for text in ["", "5", "5.1", "5.1.", "3.1.1", "5.1.1.1", "5.1.1000", "5.1111.1", "x5.1.1", "5 .1.1"] {
      #expect(EnhancedStatus(text) == nil, "\(text)")
    }
    #expect(ServerReply(in: "host mx-550.example[192.0.2.5] said", alone: true) == nil)
    #expect(ServerReply(in: "version 4.9.1 of 10.5.1.1", alone: false) == nil)
    #expect(ServerReply(in: "said: 550-5.1.1 no", alone: false)?.status?.description == "5.1.1")
    #expect(ServerReply(in: "said: 550 4.1.1", alone: false)?.status == nil)
    #expect(ServerReply(in: "sorry (#5.1.1)", alone: false)?.status?.description == "5.1.1")
  }

  // MARK: Words alone

  private func words(_ text: String, isFromNobody: Bool = false) -> BounceClassification? {
    let message = ReceivedMessage(Array(text.utf8))
    #expect(DeliveryReport(message) == nil)
    return UnstructuredBounce(message, isFromNobody: isFromNobody)?.classification
  }

  @Test(
    "qmail says it in words",
    arguments: [
      ("Sorry, no mailbox here by that name. (#5.1.1)", .hard),
      (
        "192.0.2.1 does not like recipient.\nRemote host said: 550 5.1.1 User unknown\nGiving up on 192.0.2.1.",
        .hard
      ),
      ("192.0.2.1 does not like recipient.\nRemote host said: 550 no such user", .hard),
      ("192.0.2.1 failed after I sent the message.\nRemote host said: 554 5.7.1 spam", .refused),
      ("192.0.2.1 failed.\nRemote host said: 550 We do not want this", .soft),
      ("The users mailfolder is over the allowed quota (size). (#5.2.2)", .soft),
      ("Sorry, I couldn't find any host named example.invalid. (#5.1.2)", .hard),
      ("Something that nobody knows.", .soft),
    ] as [(String, BounceClassification.Kind)])
  func qmail(said: String, kind: BounceClassification.Kind) {
    let found = words(ReportSamples.qmail(said))
    #expect(found?.kind == kind, "\(String(describing: found))")
  }

  @Test func oldExchange() {
    #expect(words(ReportSamples.oldExchange)?.kind == .hard)
  }

  @Test func whatPeopleWriteIsNoBounce() {
    let letter = "From: Ben <ben@example.org>\nSubject: Re: News\n\nMy server says 550 5.1.1 User unknown."
    #expect(words(letter) == nil)
    let away = """
      Return-Path: <>
      From: Ben <ben@example.org>
      Subject: Out of office: News
      Auto-Submitted: auto-replied (vacation)

      I have left. This address does not exist any more: 550 5.1.1
      """
    #expect(words(away) == nil)
    #expect(words(away, isFromNobody: true) == nil)
    #expect(words("Return-Path: <>\nPrecedence: auto_reply\nSubject: Away\n\n550 5.1.1 User unknown") == nil)
    // From nobody, and yet it may be anything.
    let other = words("Return-Path: <>\nSubject: Thank you\n\nCall 550 or come by, room 5.1.1 please.")
    #expect(other?.kind == BounceClassification.Kind.none)
    #expect(
      words("Subject: Warning: message delayed 24 hours\n\nStill trying.", isFromNobody: true)?.kind
        == .delayed)
  }

  // MARK: Complaints

  @Test func aComplaint() throws {
    let report = try #require(
      FeedbackReport(ReceivedMessage(Array(ReportSamples.feedback(type: "Abuse").utf8))))
    #expect(report.isComplaint && report.feedbackType == "abuse")
    #expect(report.originalRecipients == ["<ben@example.org>"])
    #expect(report.originalMailFrom == "<bounce+token@go.example>")
    #expect(report.original?["list-unsubscribe"] == "<https://go.example/m/u/TOKEN>")
    for other in ["not-spam", "auth-failure", "virus", "other", "x"] {
      let report = FeedbackReport(ReceivedMessage(Array(ReportSamples.feedback(type: other).utf8)))
      #expect(report?.isComplaint == false, "\(other)")
    }
    #expect(FeedbackReport(ReceivedMessage(Array(ReportSamples.postfix.utf8))) == nil)
  }

  @Test func aComplaintWithTheHeaderAlone() throws {
    let text = ReportSamples.feedback(type: "abuse").replacing(
      "Content-Type: message/rfc822", with: "Content-Type: text/rfc822-headers; charset=us-ascii")
    let report = try #require(FeedbackReport(ReceivedMessage(Array(text.utf8))))
    #expect(report.original?["return-path"] == "<bounce+token@go.example>")
  }

  @Test func addressesInAField() {
    #expect(
      ReceivedMessage.addresses(in: "\"A, B\" <bounce+x@go.example>, other@example.org (c@d)")
        == ["bounce+x@go.example", "other@example.org", "c@d"])
    #expect(
      ReceivedMessage.addresses(in: "<mailto:u+x@go.example?subject=a>, <https://go.example/m/u/x>") == [
        "u+x@go.example"
      ])
    #expect(ReceivedMessage.addresses(in: String(repeating: "a@b,", count: 100_000)).count == 50)
  }
}

/// What is only there to break a reader.
@Suite struct HostileReportTests {
  private func read(_ bytes: [UInt8]) -> (ReceivedMessage, DeliveryReport?, UnstructuredBounce?) {
    let message = ReceivedMessage(bytes)
    _ = FeedbackReport(message)
    return (message, DeliveryReport(message), UnstructuredBounce(message, isFromNobody: true))
  }

  @Test func brokenBoundaries() {
    // The last boundary is missing, the inner one is cut by the outer.
    let cut = """
      Content-Type: multipart/report; boundary="a"

      --a
      Content-Type: multipart/mixed; boundary="aa"

      --aa

      Words.
      --a
      Content-Type: message/delivery-status

      Reporting-MTA: dns; x

      Final-Recipient: rfc822; ben@example.org
      Action: failed
      Status: 5.1.1
      """
    #expect(read(Array(cut.utf8)).1?.classification(for: nil).kind == .hard)
    for header in [
      "multipart/report", "multipart/report; boundary=", "multipart/report; boundary=\"\"",
      "multipart/report; boundary=\"a", "multipart/report; boundary=z", ";;;=;=", "/", "", "multipart/",
      "multipart/report; boundary*0=a; boundary*1=b", String(repeating: ";a=b", count: 10_000),
    ] {
      let text = "Content-Type: \(header)\nSubject: Undeliverable\n\n--a\n\n550 5.1.1 User unknown\n--a--\n"
      _ = read(Array(text.utf8))
    }
  }

  @Test func aPartOfNothing() {
    for text in ["", "\n", "\r\n", "\r", ":", "a:", " a", "\n\n\n", "From ", "From x", "a: b", "\u{0}"] {
      let (message, report, _) = read(Array(text.utf8))
      #expect(report == nil && message.all.count == 1)
    }
    let empty = "Content-Type: multipart/report; boundary=a\n\n--a\n--a\n--a--"
    #expect(read(Array(empty.utf8)).0.parts.count == 2)
  }

  @Test(
    "A MiB of anything is read in its time",
    arguments: [
      "\u{0}", "\n", "a", "a: b\n", "--a\n", "\n\n--a\n", " \n", "=", "=\n", "5.1.1 ", "550 ", "a@", "<>",
      "(", "\"",
      "Received: x\n", "Content-Type: multipart/mixed; boundary=a\n\n--a\n",
    ])
  func aMebibyte(of piece: String) {
    let junk = Array(String(repeating: piece, count: 1_100_000 / piece.utf8.count).utf8)
    let heads = [
      "", "Subject: ", "Content-Type: multipart/report; boundary=a\n\n--a\n",
      "Content-Type: message/delivery-status\n\n", "Subject: Undeliverable\n\n",
      "Content-Type: message/delivery-status\nContent-Transfer-Encoding: base64\n\n",
      "Content-Type: message/delivery-status\nContent-Transfer-Encoding: quoted-printable\n\n",
    ]
    let clock = ContinuousClock()
    let time = clock.measure {
      for head in heads { _ = read(Array(head.utf8) + junk) }
    }
    // Some milliseconds each in a release build; what is quadratic takes hours.
    #expect(time < .seconds(60), "\(time)")
  }

  @Test func partsInPartsInParts() {
    var text = ""
    for level in 0..<10_000 { text += "Content-Type: multipart/mixed; boundary=b\(level)\n\n--b\(level)\n" }
    let (message, report, _) = read(Array(text.utf8))
    #expect(report == nil && message.all.count == ReceivedMessage.deepest + 1)
    let messages = String(repeating: "Content-Type: message/rfc822\n\n", count: 10_000)
    #expect(read(Array(messages.utf8)).0.all.count == ReceivedMessage.deepest + 1)
    let wide =
      "Content-Type: multipart/mixed; boundary=b\n\n" + String(repeating: "--b\n\nx\n", count: 10_000)
    #expect(read(Array(wide.utf8)).0.all.count == ReceivedMessage.mostParts + 1)
  }

  @Test func manyFieldsAndManyRecipients() {
    let fields = String(repeating: "X-Field: value\n", count: 50_000) + "Subject: late\n\n"
    #expect(read(Array(fields.utf8)).0.fields.count == 1000)
    let groups = String(repeating: "Final-Recipient: rfc822; a@example.org\nStatus: 5.1.1\n\n", count: 15_000)
    let report = read(Array(("Content-Type: message/delivery-status\n\n" + groups).utf8)).1
    #expect(report?.recipients.count == 1000)
  }

  @Test func bytesThatAreNoText() {
    let bytes =
      Array("Subject: ".utf8) + (0...255).map { UInt8($0) } + Array("\n\n".utf8) + [0xFF, 0xFE, 0xC0, 0x80]
    let (message, _, _) = read(bytes)
    #expect(message.fields.allSatisfy { !$0.value.contains("\n") && !$0.value.contains("\u{0}") })
    #expect(message.text.unicodeScalars.contains("\u{FFFD}"))
  }
}

private func base64(_ bytes: [UInt8]) -> String {
  let symbols = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
  var text = ""
  for start in stride(from: 0, to: bytes.count, by: 3) {
    let some = bytes[start..<min(start + 3, bytes.count)]
    let bits = some.reduce(0) { $0 << 8 | Int($1) } << (8 * (3 - some.count))
    for place in 0..<4 { text.append(place <= some.count ? symbols[bits >> (18 - 6 * place) & 63] : "=") }
  }
  return text
}

extension String {
  fileprivate func split(every count: Int) -> String {
    var lines = ""
    for (index, character) in enumerated() {
      lines += (index > 0 && index % count == 0 ? "\n" : "") + String(character)
    }
    return lines
  }
}
