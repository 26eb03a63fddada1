import FLApp
import FLValues
import Foundation

/// Delivers messages into a directory, one file each (RFC 5322), for as long as no mail server is set up.
struct MailFiles {
  let directory: String
  let host: String

  /// Writes a message; a second time it writes the same file again.
  /// - Throws: where the file can't be written.
  func deliver(_ mail: SystemMail) throws {
    let path = "\(directory)/\(mail.id).eml"
    try Data(message(mail).utf8).write(to: URL(filePath: path), options: .atomic)
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
  }

  private func message(_ mail: SystemMail) -> String {
    let fields = [
      ("Date", date(mail.createdAt)), ("From", "FastLinkIt <no-reply@\(host)>"), ("To", mail.recipient),
      ("Subject", encodedWord(mail.subject)), ("Message-ID", "<\(mail.id)@\(host)>"), ("MIME-Version", "1.0"),
      ("Content-Type", "text/plain; charset=utf-8"), ("Content-Transfer-Encoding", "8bit"),
      ("Auto-Submitted", "auto-generated"),
    ]
    let head = fields.map { "\($0): \(oneLine($1))\r\n" }.joined()
    return head + "\r\n" + mail.body.replacing("\r\n", with: "\n").replacing("\n", with: "\r\n")
  }

  /// A field's value can't begin another field.
  private func oneLine(_ text: String) -> String {
    String(text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : Character($0) })
  }

  /// A text in a header field: as it is in ASCII, otherwise an encoded word (RFC 2047).
  private func encodedWord(_ text: String) -> String {
    text.utf8.allSatisfy { $0 < 0x80 } ? text : "=?utf-8?B?\(Data(text.utf8).base64EncodedString())?="
  }

  /// `Sun, 22 Nov 2026 08:27:00 +0000` (RFC 5322, section 3.3).
  private func date(_ time: Timestamp) -> String {
    let civil = time.civil
    let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    func two(_ number: Int) -> String { number < 10 ? "0\(number)" : String(number) }
    let day = days[Int(time.seconds / 86_400 % 7)]
    return "\(day), \(two(civil.day)) \(months[civil.month - 1]) \(civil.year) "
      + "\(two(civil.hour)):\(two(civil.minute)):\(two(civil.second)) +0000"
  }
}
