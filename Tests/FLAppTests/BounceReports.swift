/// Messages as mail systems and providers send them to a return path.
enum BounceReports {
  static func report(
    to path: String, status: String = "5.1.1", code: String = "550", action: String = "failed",
    recipient: String = "ben@example.org", in field: String = "To"
  ) -> [UInt8] {
    Array(
      """
      From: MAILER-DAEMON@mx.example.org
      \(field): <\(path)>
      Subject: Undelivered Mail Returned to Sender
      Auto-Submitted: auto-replied
      Content-Type: multipart/report; report-type=delivery-status; boundary="b"

      --b

      It could not be delivered.

      --b
      Content-Type: message/delivery-status

      Reporting-MTA: dns; mx.example.org

      Final-Recipient: rfc822; \(recipient)
      Action: \(action)
      Status: \(status)
      Diagnostic-Code: smtp; \(code) \(status) Said by the server

      --b--
      """.utf8)
  }

  static func complaint(
    _ type: String, path: String, unsubscribe: String = "", to: String = "abuse@go.example"
  )
    -> [UInt8]
  {
    Array(
      """
      From: feedback@provider.example
      To: \(to)
      Content-Type: multipart/report; report-type=feedback-report; boundary="b"

      --b

      Somebody complained.

      --b
      Content-Type: message/feedback-report

      Feedback-Type: \(type)
      Version: 1

      --b
      Content-Type: message/rfc822

      Return-Path: <\(path)>
      List-Unsubscribe: <mailto:x@go.example>, <\(unsubscribe)>
      Subject: News

      Hello.
      --b--
      """.utf8)
  }
}
