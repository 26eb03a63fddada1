import FLApp
import FLValues

/// One message on its way: the envelope and what is in it.
struct OutgoingMail: Sendable {
  /// What the message is of, and so where its fate is noted.
  enum Subject: Sendable {
    /// A recipient of a mailing.
    case recipient(MailingID, ClaimedRecipient)
    /// A message of the system.
    case system(SystemMailID, attempts: Int)
    /// A test of a mailing.
    case test(MailingTestID, attempts: Int)
  }

  let subject: Subject
  /// The envelope's sender, to which what can't be delivered comes back.
  let sender: String
  /// The envelope's recipient.
  let recipient: String
  /// The message (RFC 5322) with CRLF at the ends of its lines.
  let bytes: [UInt8]
}

/// What became of a message, as far as whoever carried it knows.
enum MailFate: Sendable {
  /// The server has taken it.
  case taken(code: Int, reply: String)
  /// The server has refused it, for the time being (4xx) or for good (5xx); the recipient's address or something else.
  case refused(code: Int, enhanced: String?, reply: String, isOfRecipient: Bool)
  /// There was no connection to send it by.
  case notTried
  /// The connection broke before the message can have been taken.
  case notTaken(reason: String)
  /// The connection broke when the message may have been taken or not.
  case unknown(reason: String)
}

/// The messages that a carrier takes, one after the other, and where it tells what became of them.
protocol MailSource: Sendable {
  /// The next message; waits for one where `waits`, and answers nil when there will be none any more, or without
  /// waiting when there is none just now.
  func next(waits: Bool) -> OutgoingMail?
  /// Called before the bytes are sent that can complete a message; where it answers false they must not be.
  func willEnd(_ mail: OutgoingMail) -> Bool
  /// Tells what became of a message, once for each that was taken.
  func done(_ mail: OutgoingMail, _ fate: MailFate)
}

/// Whoever carries messages to a mail server, or to where they are kept: one for each thread.
protocol MailCarrier {
  /// Carries what `source` has until it has no more.
  func carry(_ source: some MailSource)
}
