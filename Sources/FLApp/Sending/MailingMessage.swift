import FLCrypto
package import FLMail
package import FLValues

/// A mailing made ready to be sent: read once, rendered for each recipient, signed, with a return path of its own.
package struct MailingMessage: Sendable {
  /// A message for one recipient, with its envelope.
  package struct Mail: Sendable {
    /// The envelope's sender: the return path.
    package let sender: String
    /// The envelope's recipient.
    package let recipient: String
    /// The message.
    package let bytes: [UInt8]
  }

  /// Why a mailing can't be sent at all.
  package struct Failure: Error, CustomStringConvertible {
    package let description: String
  }

  /// The addresses that the mailing links to and whose clicks are counted, in their order.
  package let links: [String]

  private let message: MailMessage
  private let signers: [DKIMSigner]
  private let tokens: MailingTokens
  private let mark: [UInt8]
  private let name: String
  private let tracksOpens: Bool

  /// Reads `mailing`, which comes from `from`.
  /// - Throws: `PlaceholderText.Failure` for a placeholder that is none; the API saves no such mailing.
  package init(
    _ mailing: Mailing, from: Mailbox, signers: [DKIMSigner], tokens: MailingTokens, accountName: String
  )
    throws(PlaceholderText.Failure)
  {
    let content = mailing.content
    let body = HTMLBody(content.htmlBody)
    let html = try body.compiled(
      previewText: content.previewText, tracksOpens: content.trackOpens,
      isTracked: { content.trackClicks && Self.canBeTracked($0) })
    links = html.links
    let text = content.textBody ?? body.plainText
    let name = Hex.encode(mailing.mark)
    message = MailMessage(
      from: from, messageIDDomain: from.domain,
      replyTo: content.replyTo.flatMap { Mailbox(address: $0) },
      subject: try PlaceholderText(content.subject, in: .header), html: content.hasHTML ? html.text : nil,
      text: try PlaceholderText(text, in: .text),
      // One list an account: whoever filters its mailings, filters all of them.
      listID: .init(name: content.fromName ?? accountName, id: "\(mailing.account).\(from.domain)"),
      feedbackID: "\(name):\(mailing.account):mailing:fastlinkit")
    self.signers = signers
    self.tokens = tokens
    self.name = name
    mark = mailing.mark
    tracksOpens = content.trackOpens
  }

  /// Whether a link can go through this instance: whatever its placeholders become, a click must have an address to go
  /// on to. Others stay as they are, and mail programs make of them what they can.
  static func canBeTracked(_ link: String) -> Bool {
    if let start = link.range(of: "{{")?.lowerBound {
      // A host made of a contact's words may be none.
      guard let authority = link[..<start].range(of: "://")?.upperBound,
        link[authority..<start].contains(where: { "/?#".contains($0) })
      else { return false }
    }
    // What is kept is the link with its fallbacks.
    guard link.unicodeScalars.count <= WebURL.maximumLength else { return false }
    // Room for values that are long, and not for the longest there can be.
    return WebURL(link, filledWith: String(repeating: "x", count: 200)) != nil
  }

  /// The message of a recipient; nil for an address that no mail can be sent to.
  package func mail(for recipient: ClaimedRecipient, at now: Timestamp) -> Mail? {
    mail(
      to: recipient.email, contact: recipient.contact,
      RecipientName(
        email: recipient.email, firstName: recipient.firstName, lastName: recipient.lastName,
        fullName: recipient.fullName, company: recipient.company), returns: recipient.returns, at: now)
  }

  package func mail(
    to address: String, contact: ContactID, _ recipient: RecipientName, returns: Int = 0, at now: Timestamp
  ) -> Mail? {
    guard let to = Mailbox(name: recipient.name, address: address) else { return nil }
    let subject = MailingTokens.Subject(mark: mark, contact: contact, returns: returns)
    let unsubscribe = tokens.unsubscribeURL(subject)
    var values = recipient.values
    values.unsubscribeURL = unsubscribe
    values.links = links.indices.map { tokens.clickURL(.init(mark: mark, contact: contact, link: $0)) }
    if tracksOpens { values.openURL = tokens.openURL(subject) }
    let bytes = message.bytes(
      for: .init(
        to: to, messageID: "\(name).\(contact)", date: now, values: values, oneClickURL: unsubscribe),
      signedBy: signers)
    return Mail(sender: tokens.returnPath(subject), recipient: to.address, bytes: bytes)
  }
}
