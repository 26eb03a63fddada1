import FLCrypto
import FLValues

/// The message of a mailing, put together once, of which each recipient gets a copy of their own (RFC 5322, RFC 2045
/// to 2047).
///
/// What it makes is ASCII with CR and LF at the end of each line, none of which is longer than 998 bytes. Dots at the
/// start of a line are as they are; it is for the SMTP session to double them.
public struct MailMessage: Sendable {
  /// What a mailing is told apart by (RFC 2919).
  public struct ListID: Sendable, Hashable {
    /// A name for people; nil for none.
    public var name: String?
    /// Looks like a host name: `01a2b3.lists.example.org`. Other characters become `-`.
    public var id: String

    /// A list.
    public init(name: String? = nil, id: String) { (self.name, self.id) = (name, id) }
  }

  /// One recipient's copy.
  public struct Recipient: Sendable {
    /// Who gets it.
    public var to: Mailbox
    /// What stands before the `@` of the `Message-ID`: letters, digits and `.-_+=`; anything else becomes `-`.
    public var messageID: String
    /// When it was written.
    public var date: Timestamp
    /// What its placeholders become.
    public var values: PlaceholderValues
    /// The https address that a POST to unsubscribes at once (RFC 8058); nil for none. One of more than 900 bytes is
    /// left out.
    public var oneClickURL: String?
    /// An address to send a message to that unsubscribes, without `mailto:`; may have a `?subject=…`.
    public var unsubscribeAddress: String?

    /// A recipient.
    public init(
      to: Mailbox, messageID: String, date: Timestamp, values: PlaceholderValues = PlaceholderValues(),
      oneClickURL: String? = nil, unsubscribeAddress: String? = nil
    ) {
      self.to = to
      self.messageID = messageID
      self.date = date
      self.values = values
      self.oneClickURL = oneClickURL
      self.unsubscribeAddress = unsubscribeAddress
    }
  }

  /// `From`, `Reply-To`.
  private let sender: [UInt8]
  /// `MIME-Version`, `List-Id` and what else is the same in all copies.
  private let constant: [UInt8]
  private let domain: [UInt8]
  private let subject: PlaceholderText
  private let html: PlaceholderText?
  private let text: PlaceholderText
  private let boundary: String

  /// Puts a message together.
  /// - Parameters:
  ///   - from: Whom it is from.
  ///   - messageIDDomain: The domain of its `Message-ID`; characters that no host name has become `-`.
  ///   - replyTo: Where answers go, if not to `from`.
  ///   - subject: A `PlaceholderText` read with `.header`.
  ///   - html: Read with `.html`; nil for a message of text alone.
  ///   - text: Read with `.text`.
  ///   - feedbackID: What a mailbox provider groups complaints by; `mailing:account:kind:sender`.
  ///   - isAutomatic: Whether nobody wrote it: it gets `Auto-Submitted: auto-generated` (RFC 3834).
  ///   - extraFields: Others; those that this type writes itself are left out.
  public init(
    from: Mailbox, messageIDDomain: String, replyTo: Mailbox? = nil, subject: PlaceholderText,
    html: PlaceholderText?, text: PlaceholderText, listID: ListID? = nil, feedbackID: String? = nil,
    isAutomatic: Bool = false, extraFields: [HeaderField] = []
  ) {
    (self.subject, self.html, self.text) = (subject, html, text)
    domain = Array("@".utf8) + Self.identifier(messageIDDomain, allowing: ".-") + Array(">".utf8)
    boundary = BodyPart.boundaryStart + SecureRandom.token(bytes: 18)

    var head = HeaderWriter()
    head.add("From", from)
    if let replyTo { head.add("Reply-To", replyTo) }
    sender = head.output

    head = HeaderWriter()
    head.add("MIME-Version", "1.0")
    if let listID {
      head.begin("List-Id")
      switch listID.name.flatMap(Mailbox.phrase) {
      case .words(let words)?: head.addText(words)
      case .encoded(let bytes)?: head.addEncoded(bytes[...])
      case nil: break
      }
      head.addWord("<".utf8 + Self.identifier(listID.id, allowing: ".-_") + ">".utf8)
      head.end()
    }
    if let feedbackID { head.add("Feedback-ID", text: Self.cleaned(feedbackID)) }
    if isAutomatic { head.add("Auto-Submitted", "auto-generated") }
    for field in extraFields where !Self.ownNames.contains(field.name.lowercased()) {
      head.add(field.name, text: Self.cleaned(field.value))
    }
    if html != nil {
      head.begin("Content-Type")
      head.addWord("multipart/alternative".utf8)
      head.addParameter("boundary", boundary)
      head.end()
    }
    constant = head.output
  }

  private static let ownNames: Set<String> = [
    "date", "from", "sender", "to", "cc", "bcc", "reply-to", "subject", "message-id", "mime-version",
    "content-type", "content-transfer-encoding", "list-id", "list-unsubscribe", "list-unsubscribe-post",
    "feedback-id", "auto-submitted", "dkim-signature", "return-path", "received",
  ]

  /// The copy of `recipient`, with a signature of each of `signers` in front.
  public func bytes(for recipient: Recipient, signedBy signers: [DKIMSigner] = []) -> [UInt8] {
    var head = HeaderWriter()
    head.output.reserveCapacity(2048 + (text.literalCount + (html?.literalCount ?? 0)) * 5 / 4)
    head.begin("Date")
    head.addBytes(" ".utf8)
    MailDate.append(recipient.date, to: &head.output)
    head.end()
    head.addBytes(sender)
    head.add("To", recipient.to)

    var rendered = [UInt8]()
    rendered.reserveCapacity(1024 + max(text.literalCount, html?.literalCount ?? 0))
    subject.render(recipient.values, into: &rendered)
    head.add("Subject", text: rendered)

    head.begin("Message-ID")
    head.addBytes(" <".utf8)
    head.addBytes(Self.identifier(recipient.messageID, allowing: ".-_+="))
    head.addBytes(domain)
    head.end()
    addUnsubscribing(recipient, to: &head)
    head.addBytes(constant)

    rendered.removeAll(keepingCapacity: true)
    text.render(recipient.values, into: &rendered)
    var output = head.output
    head.output = []
    if let html {
      output.append(contentsOf: "\r\n--\(boundary)\r\n".utf8)
      BodyPart.append(rendered, type: "text/plain", to: &output)
      output.append(contentsOf: "--\(boundary)\r\n".utf8)
      rendered.removeAll(keepingCapacity: true)
      html.render(recipient.values, into: &rendered)
      BodyPart.append(rendered, type: "text/html", to: &output)
      output.append(contentsOf: "--\(boundary)--\r\n".utf8)
    } else {
      BodyPart.append(rendered, type: "text/plain", to: &output)
    }
    return signers.isEmpty
      ? output : DKIMSigner.signatures(of: output, by: signers, at: recipient.date) + output
  }

  private func addUnsubscribing(_ recipient: Recipient, to head: inout HeaderWriter) {
    let url = recipient.oneClickURL.flatMap(Self.address)
    let address = recipient.unsubscribeAddress.flatMap(Self.address)
    guard url != nil || address != nil else { return }
    head.begin("List-Unsubscribe")
    if let url {
      head.addWord("<".utf8 + url + ">".utf8)
      if address != nil { head.addBytes(",".utf8) }
    }
    if let address { head.addWord("<mailto:".utf8 + address + ">".utf8) }
    head.end()
    if url != nil { head.add("List-Unsubscribe-Post", "List-Unsubscribe=One-Click") }
  }

  /// An address for between angle brackets: printable ASCII without those, others percent-encoded. Nil for one of more
  /// than 900 bytes, which no line has room for.
  private static func address(_ text: String) -> [UInt8]? {
    var output = [UInt8]()
    for byte in text.utf8 {
      if (0x21...0x7E).contains(byte), byte != UInt8(ascii: "<"), byte != UInt8(ascii: ">") {
        output.append(byte)
      } else {
        Escaping.appendPercent(byte, to: &output)
      }
      if output.count > 900 { return nil }
    }
    return output
  }

  /// Letters, digits and `signs`; anything else as `-`. At most 255 bytes.
  private static func identifier(_ text: String, allowing signs: String) -> [UInt8] {
    text.utf8.prefix(255).map {
      $0.isLetter || $0.isDigit || signs.utf8.contains($0) ? $0 : UInt8(ascii: "-")
    }
  }

  private static func cleaned(_ text: String) -> [UInt8] {
    var output = [UInt8]()
    Escaping.header.append(text, to: &output)
    return output
  }
}

/// A message of the program itself to one person: plain text.
public enum SystemMessage {
  /// The message, in ASCII with CR and LF. It has `Auto-Submitted: auto-generated`, so that no machine answers.
  /// - Parameters:
  ///   - messageID: What stands before the `@` of the `Message-ID`, as in `MailMessage.Recipient`.
  ///   - messageIDDomain: What stands behind it.
  ///   - body: Plain text with any line ends.
  public static func bytes(
    from: Mailbox, to: Mailbox, subject: String, body: String, date: Timestamp, messageID: String,
    messageIDDomain: String, signedBy signers: [DKIMSigner] = []
  ) -> [UInt8] {
    MailMessage(
      from: from, messageIDDomain: messageIDDomain, subject: PlaceholderText(literal: subject, in: .header),
      html: nil, text: PlaceholderText(literal: body, in: .text), isAutomatic: true
    ).bytes(for: MailMessage.Recipient(to: to, messageID: messageID, date: date), signedBy: signers)
  }
}
