import FLMail
import FLValues

/// What became of something that was handed in as a bounce or a complaint.
public struct BounceResult: Sendable, Equatable, CustomStringConvertible {
  /// What was done.
  public enum Effect: Sendable, Equatable {
    /// The address does not exist. `isNew`: the contact is flagged now, and was not before.
    case hard(isNew: Bool)
    /// It did not arrive this time. `isBounce`: it was one too many in a row, and the contact is flagged now.
    case soft(isBounce: Bool)
    /// The message was refused, which says nothing about the address.
    case refused
    /// The reader complained. `isNew`: the contact is unsubscribed now, and was not before.
    case complaint(isNew: Bool)
    /// It is late, and still tried: nothing was done.
    case delayed
    /// It arrived: nothing was done.
    case delivered
    /// This was told before: nothing was done.
    case again
    /// Nothing was done, for this reason.
    case ignored(Reason)
  }

  /// Why something is ignored.
  public enum Reason: String, Sendable, Equatable {
    /// It came to no address that was made here: it is forged, or not meant for this.
    case unknown = "it came to no return path of ours"
    /// The mailing, or its account, was deleted, and what is left of it says nothing.
    case gone = "the mailing is gone"
    /// A letter, or an automatic reply of a person.
    case noReport = "it is no report of a mail system"
    /// A report of a provider about something else than a complaint.
    case noComplaint = "it is no complaint"
    /// The message is not on its way, and has not arrived either.
    case notSent = "the message was not sent"
  }

  /// What was done.
  public let effect: Effect
  /// The mailing that it is about.
  public let mailing: MailingID?
  /// The recipient that it is about.
  public let contact: ContactID?
  /// What the server said; empty for a complaint.
  public let text: String

  init(_ effect: Effect, mailing: MailingID? = nil, contact: ContactID? = nil, text: String = "") {
    self.effect = effect
    self.mailing = mailing
    self.contact = contact
    self.text = text
  }

  /// Whether anything was changed.
  public var hasChanged: Bool {
    switch effect {
    case .hard, .soft, .refused: true
    case .complaint(let isNew): isNew
    case .delayed, .delivered, .again, .ignored: false
    }
  }

  /// One line for a log.
  public var description: String {
    let words =
      switch effect {
      case .hard(true): "hard bounce: the contact gets no more mailings"
      case .hard(false): "hard bounce"
      case .soft(true): "soft bounce, one too many in a row: the contact gets no more mailings"
      case .soft(false): "soft bounce"
      case .refused: "refused for what it is, which is not held against the contact"
      case .complaint(true): "complaint: the contact is unsubscribed"
      case .complaint(false): "complaint of a contact who is unsubscribed"
      case .delayed: "delayed, nothing done"
      case .delivered: "delivered, nothing done"
      case .again: "told before, nothing done"
      case .ignored(let reason): "ignored: \(reason.rawValue)"
      }
    let subject = mailing.flatMap { mailing in contact.map { "mailing \(mailing), contact \($0): " } } ?? ""
    return subject + words + (text.isEmpty ? "" : " (\(text))")
  }
}
