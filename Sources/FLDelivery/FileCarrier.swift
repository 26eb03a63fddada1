import Foundation
import Logging

/// Writes messages into a directory, one file each (RFC 5322), for as long as no mail server is set up.
struct FileCarrier: MailCarrier, Sendable {
  let directory: String
  let logger: Logger

  func carry(_ source: some MailSource) {
    while let mail = source.next(waits: true) {
      guard source.willEnd(mail) else {
        source.done(mail, .notTried)
        continue
      }
      do {
        try write(mail)
        source.done(mail, .taken(code: 250, reply: "250 written to \(name(of: mail))"))
      } catch {
        logger.error("a message can't be written", metadata: ["error": "\(error.loggable)"])
        source.done(mail, .notTaken(reason: "The file could not be written."))
      }
    }
  }

  /// A second time it writes the same file again.
  private func write(_ mail: OutgoingMail) throws {
    let path = "\(directory)/\(name(of: mail))"
    try Data(mail.bytes).write(to: URL(filePath: path), options: .atomic)
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
  }

  private func name(of mail: OutgoingMail) -> String {
    switch mail.subject {
    case .recipient(let mailing, let recipient): "\(mailing)-\(recipient.contact).eml"
    case .system(let id, _): "\(id).eml"
    case .test(let id, _): "\(id).eml"
    }
  }
}
