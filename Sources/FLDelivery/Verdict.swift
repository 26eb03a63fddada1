import FLApp
import FLMail
import FLValues

/// What a mail server's refusal means for the recipient: tried again, given up, or the address is no good.
struct Verdict {
  let code: Int
  let enhanced: String?
  let reply: String
  /// Whether it was the recipient's address that was refused, and not the sender or the message.
  let isOfRecipient: Bool

  private var status: EnhancedStatus? { enhanced.flatMap { EnhancedStatus($0) } }
  private var classification: BounceClassification {
    BounceClassification(code: code, enhanced: status, text: reply)
  }

  /// Whether it says something of the address. RFC 3463, section 3.2: x.1.z does, at whatever stage it is said.
  private var isAboutAddress: Bool { isOfRecipient || status?.subject == 1 }

  /// The outcome, where `retryAt` is when to try again; nil for not any more.
  func outcome(_ retryAt: Timestamp?) -> RecipientResult.Outcome {
    if (400..<500).contains(code), let retryAt { return .retry(at: retryAt) }
    return classification.kind == .hard && isAboutAddress ? .bounced : .failed
  }

  /// Whether the message was refused for good for what it is, or where it comes from: any other recipient's might be too.
  var isOfMessage: Bool { code >= 500 && classification.kind == .refused }

  /// What is noted with the contact, once the message is given up.
  func refusal(of email: String, _ outcome: RecipientResult.Outcome) -> RecipientResult.Refusal? {
    switch outcome {
    case .failed where isAboutAddress, .bounced: .init(email: email, classification: classification)
    default: nil
    }
  }
}

extension Verdict {
  /// Of a reply in one line, as `SMTPReply.description` writes it.
  init(code: Int, reply: String, isOfRecipient: Bool) {
    let words = reply.split(separator: " ", maxSplits: 2)
    self.init(
      code: code, enhanced: words.count > 1 ? String(words[1]) : nil, reply: reply,
      isOfRecipient: isOfRecipient)
  }
}
