package import FLMail
package import FLValues

/// What became of a recipient's message.
package struct RecipientResult: Sendable {
  package enum Outcome: Sendable {
    /// A server has taken it.
    case sent
    /// It is to be tried again, not before then.
    case retry(at: Timestamp)
    /// It was not tried at all, and waits as before.
    case released
    /// It was not tried, and is to wait until then.
    case postponed(until: Timestamp)
    /// It is given up.
    case failed
    /// The address does not exist.
    case bounced
    /// Nobody can say whether a server has taken it.
    case uncertain
    /// It is not to be sent, for this reason.
    case skipped(String)
  }

  package let contact: ContactID
  package let outcome: Outcome
  package let code: Int?
  package let reply: String?
  /// What a refusal says of the address that it was for; nil where there was none.
  package let refusal: Refusal?
  package let at: Timestamp
  /// Whether the message was tried: a server was asked to take it, or was about to be.
  let wasTried: Bool

  /// An address that a server refused.
  package struct Refusal: Sendable {
    package let email: String
    package let classification: BounceClassification

    package init(email: String, classification: BounceClassification) {
      self.email = email
      self.classification = classification
    }
  }

  package init(
    contact: ContactID, outcome: Outcome, code: Int? = nil, reply: String? = nil, refusal: Refusal? = nil,
    at: Timestamp
  ) {
    self.init(
      contact: contact, outcome: outcome, code: code, reply: reply, refusal: refusal, at: at,
      wasTried: outcome.wasTried)
  }

  fileprivate init(
    contact: ContactID, outcome: Outcome, code: Int?, reply: String?, refusal: Refusal?, at: Timestamp,
    wasTried: Bool
  ) {
    self.contact = contact
    self.outcome = outcome
    self.wasTried = wasTried
    self.code = code
    // A reply is whatever a server says; what the column can't take would hold up all others.
    self.reply = reply?.cut(toScalars: 512)
    self.refusal = refusal
    self.at = at
  }
}

extension RecipientResult {
  /// The same of a mailing that is over; what was tried before stays so.
  var passedOver: RecipientResult {
    RecipientResult(
      contact: contact, outcome: .skipped("cancelled"), code: code, reply: reply, refusal: refusal, at: at,
      wasTried: wasTried)
  }
}

extension RecipientResult.Outcome {
  /// Whether another message goes out to the recipient.
  package var waitsAgain: Bool {
    switch self {
    case .retry, .released, .postponed: true
    case .sent, .failed, .bounced, .uncertain, .skipped: false
    }
  }

  var status: String {
    switch self {
    case .sent: "sent"
    case .retry, .released, .postponed: "pending"
    case .failed: "failed"
    case .bounced: "bounced"
    case .uncertain: "uncertain"
    case .skipped: "skipped"
    }
  }

  var dueAt: Timestamp? {
    switch self {
    case .retry(let time), .postponed(let time): time
    default: nil
    }
  }

  var reason: String? {
    if case .skipped(let reason) = self { reason } else { nil }
  }

  /// Whether the attempt counts that began with the claim.
  var countsAsAttempt: Bool {
    switch self {
    case .released, .postponed: false
    default: true
    }
  }

  /// Whether the message was tried.
  var wasTried: Bool {
    switch self {
    case .sent, .retry, .failed, .bounced, .uncertain: true
    case .released, .postponed, .skipped: false
    }
  }
}
