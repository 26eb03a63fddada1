/// Reports in the forms in which mail systems write them, about messages and addresses that do not exist.
enum ReportSamples {
  static let returned = """
    Return-Path: <bounce+token@go.example>
    Received: from go.example by mx.sender.example; Sun, 22 Nov 2026 08:27:00 +0000
    From: Anna <anna@go.example>
    To: ben@example.org
    Subject: 550 5.1.1 is no code in here
    Message-ID: <1@go.example>

    The words of the message: 550 5.1.1 User unknown.
    """

  /// A report as RFC 3464 has it, of the fields of one recipient.
  static func report(
    _ recipient: String, words: String = "Your message could not be delivered.",
    type: String = "delivery-status"
  ) -> String {
    """
    Return-Path: <>
    From: MAILER-DAEMON@mx.sender.example (Mail Delivery System)
    To: bounce+token@go.example
    Subject: Undelivered Mail Returned to Sender
    Auto-Submitted: auto-replied
    MIME-Version: 1.0
    Content-Type: multipart/report; report-type=\(type);
    \tboundary="8C1D2.1795335600/mx.sender.example"

    This is a MIME-encapsulated message.

    --8C1D2.1795335600/mx.sender.example
    Content-Description: Notification
    Content-Type: text/plain; charset=us-ascii

    \(words)

    --8C1D2.1795335600/mx.sender.example
    Content-Description: Delivery report
    Content-Type: message/\(type)

    Reporting-MTA: dns; mx.sender.example
    X-Postfix-Queue-ID: 8C1D2
    X-Postfix-Sender: rfc822; bounce+token@go.example
    Arrival-Date: Sun, 22 Nov 2026 08:27:00 +0000 (UTC)

    \(recipient)

    --8C1D2.1795335600/mx.sender.example
    Content-Description: Undelivered Message
    Content-Type: message/rfc822

    \(returned)

    --8C1D2.1795335600/mx.sender.example--
    """
  }

  static let postfix = report(
    """
    Final-Recipient: rfc822; ben@example.org
    Original-Recipient: rfc822;ben@example.org
    Action: failed
    Status: 5.1.1
    Remote-MTA: dns; mx.example.org
    Diagnostic-Code: smtp; 550 5.1.1 <ben@example.org>: Recipient address rejected:
        User unknown in virtual mailbox table
    """)

  static let postfixDelayed = report(
    """
    Final-Recipient: rfc822; ben@example.org
    Original-Recipient: rfc822;ben@example.org
    Action: delayed
    Status: 4.4.1
    Diagnostic-Code: X-Postfix; connect to mx.example.org[192.0.2.1]:25: Connection timed out
    Will-Retry-Until: Fri, 27 Nov 2026 08:27:00 +0000 (UTC)
    """)

  /// Exim says 5.0.0 whatever happened; what did is in the diagnostic, or in the words alone.
  static func exim(_ diagnostic: String?, words: String) -> String {
    report(
      """
      Action: failed
      Final-Recipient: rfc822;ben@example.org
      Status: 5.0.0
      """
        + (diagnostic.map { "\nRemote-MTA: dns; mx.example.org\nDiagnostic-Code: smtp; \($0)" } ?? ""),
      words: """
        This message was created automatically by mail delivery software.

        A message that you sent could not be delivered to one or more of its
        recipients. This is a permanent error. The following address(es) failed:

          ben@example.org
            \(words)
        """)
  }

  static let sendmail = """
    Return-Path: <MAILER-DAEMON@mx.sender.example>
    From: Mail Delivery Subsystem <MAILER-DAEMON@mx.sender.example>
    To: <bounce+token@go.example>
    MIME-Version: 1.0
    Content-Type: multipart/report; report-type=delivery-status;
     boundary="xAM8R0aa012345.1795335600/mx.sender.example"
    Subject: Returned mail: see transcript for details
    Auto-Submitted: auto-generated (failure)

    This is a MIME-encapsulated message

    --xAM8R0aa012345.1795335600/mx.sender.example

    The original message was received at Sun, 22 Nov 2026 08:27:00 GMT
    from go.example [192.0.2.7]

       ----- The following addresses had permanent fatal errors -----
    <ben@example.org>
        (reason: 550 5.1.1 <ben@example.org>... User unknown)

    --xAM8R0aa012345.1795335600/mx.sender.example
    Content-Type: message/delivery-status

    Reporting-MTA: dns; mx.sender.example
    Received-From-MTA: DNS; go.example
    Arrival-Date: Sun, 22 Nov 2026 08:27:00 GMT

    Final-Recipient: RFC822; ben@example.org
    Action: failed
    Status: 5.1.1
    Remote-MTA: DNS; mx.example.org
    Diagnostic-Code: SMTP; 550 5.1.1 <ben@example.org>... User unknown
    Last-Attempt-Date: Sun, 22 Nov 2026 08:27:01 GMT

    --xAM8R0aa012345.1795335600/mx.sender.example
    Content-Type: text/rfc822-headers

    From: Anna <anna@go.example>

    --xAM8R0aa012345.1795335600/mx.sender.example--
    """

  /// Office 365: a mixed body inside, HTML in base64, codes of three digits.
  static let outlook = """
    From: <postmaster@outlook.example>
    To: <bounce+token@go.example>
    MIME-Version: 1.0
    Content-Type: multipart/report; report-type=delivery-status;
    \tboundary="2bb9a5f1-0000-4000-8000-2f0d6c1f2d11"
    X-MS-Exchange-Message-Is-Ndr:
    Content-Language: en-US
    Subject: Undeliverable: News
    Auto-Submitted: auto-replied

    --2bb9a5f1-0000-4000-8000-2f0d6c1f2d11
    Content-Type: multipart/alternative; differences=Content-Type;
    \tboundary="0d1b1c5c-0000-4000-8000-a5c2a3b0aa01"

    --0d1b1c5c-0000-4000-8000-a5c2a3b0aa01
    Content-Type: text/plain; charset="us-ascii"
    Content-Transfer-Encoding: quoted-printable

    Your message to ben@example.org couldn't be delivered.=0D=0Aben wasn't foun=
    d at example.org.

    --0d1b1c5c-0000-4000-8000-a5c2a3b0aa01
    Content-Type: text/html; charset="us-ascii"
    Content-Transfer-Encoding: base64

    PHA+WW91ciBtZXNzYWdlIGNvdWxkbid0IGJlIGRlbGl2ZXJlZC48L3A+

    --0d1b1c5c-0000-4000-8000-a5c2a3b0aa01--

    --2bb9a5f1-0000-4000-8000-2f0d6c1f2d11
    Content-Type: message/delivery-status

    Reporting-MTA: dns;AM0PR01MB0000.eurprd01.prod.outlook.example
    Received-From-MTA: dns;go.example
    Arrival-Date: Sun, 22 Nov 2026 08:27:00 +0000

    Final-Recipient: rfc822;ben@example.org
    Action: failed
    Status: 5.1.10
    Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient ben@example.org not found by SMTP address lookup

    --2bb9a5f1-0000-4000-8000-2f0d6c1f2d11
    Content-Type: message/rfc822

    From: Anna <anna@go.example>
    Subject: News

    Hello.

    --2bb9a5f1-0000-4000-8000-2f0d6c1f2d11--
    """

  /// Google's: an image in the report, a related part in an alternative one, and a full mailbox.
  static let gmail = """
    Return-Path: <>
    From: Mail Delivery Subsystem <mailer-daemon@googlemail.example>
    To: bounce+token@go.example
    Auto-Submitted: auto-replied
    Subject: Delivery Status Notification (Failure)
    Content-Type: multipart/report; boundary="000000000000a1b2c3061f2e3d4c"; report-type=delivery-status

    --000000000000a1b2c3061f2e3d4c
    Content-Type: multipart/related; boundary="000000000000a1b2d9061f2e3d50"

    --000000000000a1b2d9061f2e3d50
    Content-Type: multipart/alternative; boundary="000000000000a1b2e4061f2e3d51"

    --000000000000a1b2e4061f2e3d51
    Content-Type: text/plain; charset="UTF-8"

    ** Message not delivered **

    Your message couldn't be delivered to ben@example.org because their inbox is full.

    --000000000000a1b2e4061f2e3d51--
    --000000000000a1b2d9061f2e3d50
    Content-Type: image/png; name="icon.png"
    Content-Transfer-Encoding: base64

    iVBORw0KGgo=
    --000000000000a1b2d9061f2e3d50--
    --000000000000a1b2c3061f2e3d4c
    Content-Type: message/delivery-status

    Reporting-MTA: dns; googlemail.example
    Received-From-MTA: dns; bounce+token@go.example
    Arrival-Date: Sun, 22 Nov 2026 00:27:00 -0800 (PST)
    X-Original-Message-ID: <1@go.example>

    Final-Recipient: rfc822; ben@example.org
    Action: failed
    Status: 5.2.2
    Remote-MTA: dns; gmail-smtp-in.example (192.0.2.26, the server for the domain example.org.)
    Diagnostic-Code: smtp; 552-5.2.2 The email account that you tried to reach is over quota. Please direct
     552 5.2.2 the recipient to https://support.example/mail/?p=OverQuotaPerm - gsmtp
    Last-Attempt-Date: Sun, 22 Nov 2026 00:27:01 -0800 (PST)

    --000000000000a1b2c3061f2e3d4c
    Content-Type: message/rfc822

    From: Anna <anna@go.example>

    Hello.
    --000000000000a1b2c3061f2e3d4c--
    """

  static func qmail(_ words: String) -> String {
    """
    Return-Path: <>
    Delivered-To: bounce+token@go.example
    From: MAILER-DAEMON@mx.example.org
    To: bounce+token@go.example
    Subject: failure notice

    Hi. This is the qmail-send program at mx.example.org.
    I'm afraid I wasn't able to deliver your message to the following addresses.
    This is a permanent error; I've given up. Sorry it didn't work out.

    <ben@example.org>:
    \(words)

    --- Below this line is a copy of the message.

    \(returned)
    """
  }

  /// Exchange 2003, where the code stands after a number sign.
  static let oldExchange = """
    From: System Administrator <postmaster@mail.example.org>
    To: bounce+token@go.example
    Subject: Undeliverable: News

    Your message

      To:      ben@example.org
      Subject: News

    did not reach the following recipient(s):

    ben@example.org on Sun, 22 Nov 2026 09:27:00 +0100
        The e-mail account does not exist at the organization this message was sent to.
        <mail.example.org #5.1.1 smtp;550 5.1.1 User unknown>
    """

  static func feedback(type: String, returnPath: String = "<bounce+token@go.example>") -> String {
    """
    From: <feedback@provider.example>
    To: <abuse@go.example>
    Subject: FW: News
    MIME-Version: 1.0
    Content-Type: multipart/report; report-type=feedback-report; boundary="part1_13d.2e68ed54_boundary"

    --part1_13d.2e68ed54_boundary
    Content-Type: text/plain; charset="US-ASCII"
    Content-Transfer-Encoding: 7bit

    This is an email abuse report for an email message received from IP 192.0.2.1.

    --part1_13d.2e68ed54_boundary
    Content-Type: message/feedback-report

    Feedback-Type: \(type)
    User-Agent: SomeGenerator/1.0
    Version: 1
    Original-Mail-From: \(returnPath)
    Original-Rcpt-To: <ben@example.org>
    Arrival-Date: Sun, 22 Nov 2026 08:27:00 +0000
    Source-IP: 192.0.2.1

    --part1_13d.2e68ed54_boundary
    Content-Type: message/rfc822
    Content-Disposition: inline

    Return-Path: \(returnPath)
    From: <anna@go.example>
    To: <ben@example.org>
    Subject: News
    List-Unsubscribe: <https://go.example/m/u/TOKEN>

    Hello.
    --part1_13d.2e68ed54_boundary--
    """
  }

  static func message(_ text: String) -> [UInt8] { Array(text.utf8) }
}
