public import FLMariaDB

/// How far one recipient's message has come.
public enum RecipientStatus: String, Sendable, CaseIterable, SQLConvertible {
  /// It waits.
  case pending
  /// A sender has it in hand.
  case sending
  /// A server has taken it.
  case sent
  /// It was refused, or tried too often.
  case failed
  /// It came back.
  case bounced
  /// It is not to be sent.
  case skipped
  /// A server may have taken it or not: the sender died over it. It is not sent again unless somebody says so.
  case uncertain
}

/// Why a recipient is passed over.
public enum SkippedReason: String, Sendable, CaseIterable, SQLConvertible {
  /// The contact wants no mailings.
  case unsubscribed
  /// Mail to the contact has come back.
  case bounced
  /// The contact is gone.
  case deleted
  /// The mailing was cancelled before.
  case cancelled
  /// No mail can be sent to the address.
  case invalidAddress = "invalid_address"
  /// The contact has not confirmed a membership.
  case pending
}
