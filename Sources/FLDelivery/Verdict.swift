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

  /// The outcome, where `retryAt` is when to try again; nil for not any more.
  func outcome(_ retryAt: Timestamp?) -> RecipientResult.Outcome {
    let status = enhanced.flatMap { EnhancedStatus($0) }
    let classification = BounceClassification(code: code, enhanced: status, text: reply)
    if (400..<500).contains(code) {
      if let retryAt { return .retry(at: retryAt) }
      return .failed(isSoftBounce: true)
    }
    switch classification.kind {
    // RFC 3463, section 3.2: x.1.z is about the address, at whatever stage it is said.
    case .hard where isOfRecipient || status?.subject == 1: return .bounced
    case .soft: return .failed(isSoftBounce: isOfRecipient)
    default: return .failed(isSoftBounce: false)
    }
  }
}
