import FLHTTP
import FLMail
import FLMariaDB
import FLValues
import Foundation
import HTTPTypes

/// What is at the signed addresses of a message, below `/m/`: the image that tells of opening, the links, and
/// unsubscribing.
struct MailingVisits: Sendable {
  let database: Database
  let tokens: MailingTokens
  let webhooks: WebhookOutbox
  let pages: Pages

  // MARK: Opening

  /// Answers the image, whatever becomes of noting it: a mail must never show a broken one.
  func image(_ token: Substring, _ request: Request, at now: Timestamp) throws -> Response {
    try refuseUnless(request, [.get, .head])
    if request.method == .get, let subject = tokens.subject(of: token, .open) {
      // Without the database nothing can be noted, and the image is shown all the same.
      _ = try? note(.mailingOpened, subject, at: now) { try $0.open($1, $2, at: now) }
    }
    return Response(
      status: 200,
      headers: [
        .contentType: "image/gif", .cacheControl: "private, no-store", .xContentTypeOptions: "nosniff",
      ],
      body: .bytes(Self.pixel))
  }

  /// A transparent GIF of one pixel (GIF89a).
  private static let pixel: [UInt8] = [
    0x47, 0x49, 0x46, 0x38, 0x39, 0x61, 1, 0, 1, 0, 0x80, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0x21, 0xF9, 4, 1,
    0, 0, 0,
    0, 0x2C, 0, 0, 0, 0, 1, 0, 1, 0, 0, 2, 2, 0x44, 1, 0, 0x3B,
  ]

  // MARK: Clicking

  /// Sends the recipient on to the link of the mailing that the token has the number of.
  func click(_ token: Substring, _ request: Request, at now: Timestamp) throws -> Response {
    try refuseUnless(request, [.get, .head])
    guard let subject = tokens.subject(of: token, .click),
      let message = try SentMessageRows(queries: database).find(subject),
      let template = try MailingVisitRows(queries: database).destination(of: subject),
      // With values that make no address of it, such as very long ones, it is followed without them.
      let url = try WebURL(destination(template, message)) ?? WebURL(destination(template, nil))
    else { throw Problem.notFound }
    if request.method == .get {
      // Whether it can be counted or not, as when very many click at once, the reader goes on.
      _ = try? note(.mailingClicked, subject, url: url.text, at: now) {
        try $0.click(subject.link, of: $1, by: $2, at: now)
      }
    }
    return Response(
      status: 302, headers: [.location: url.location(), .cacheControl: "private, no-store"])
  }

  /// The address, in which the placeholders have the contact's present values; none without a message.
  private func destination(_ template: String, _ message: SentMessage?) throws -> String {
    guard template.contains("{{"), let text = try? PlaceholderText(template, in: .url) else {
      return template
    }
    var values = PlaceholderValues()
    if let message, let contact = message.contact,
      let name = try MailingVisitRows(queries: database).name(of: contact, of: message.account)
    {
      values = name.values
    }
    var bytes: [UInt8] = []
    text.render(values, into: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Runs `change` in a transaction that tells the webhooks where it answers that this is the first time. Of a mailing
  /// that was deleted nothing is counted.
  private func note(
    _ event: WebhookEvent, _ subject: MailingTokens.Subject, url: String? = nil, at now: Timestamp,
    _ change: (MailingVisitRows, MailingID, ContactID) throws -> Bool
  ) throws {
    try database.transaction { connection in
      guard let message = try SentMessageRows(queries: connection).find(subject),
        let mailing = message.mailing, let recipient = message.recipient,
        try change(MailingVisitRows(queries: connection), mailing, recipient)
      else { return }
      try webhooks.tell(event, account: message.account, on: connection, at: now) {
        var data: JSONObject = [
          "mailingId": .string(mailing.description), "subject": .string(message.subject),
          "contactId": .string((message.contact ?? recipient).description),
          "email": message.knownEmail.map { .string($0) } ?? .null,
        ]
        if let url { data["url"] = .string(url) }
        return .object(data)
      }
    }
  }

  // MARK: Unsubscribing

  /// The page to unsubscribe; a POST does so at once, also by a mail program that asks nobody (RFC 8058).
  func unsubscribe(_ token: Substring, _ request: Request, at now: Timestamp) throws -> Response {
    try refuseUnless(request, [.get, .head, .post])
    guard let subject = tokens.subject(of: token, .unsubscribe),
      let message = try SentMessageRows(queries: database).find(subject),
      // Without contact and address there is nothing that could be noted.
      let email = message.knownEmail
    else { return pages.render(UnsubscribePage(state: .unknown)) }
    func page(_ state: UnsubscribePage.State) -> Response {
      pages.render(
        UnsubscribePage(
          state: state, from: message.from, address: Self.masked(email), action: request.path))
    }
    guard request.method == .post else { return page(message.isUnsubscribed ? .done : .asking) }
    let form = FormValues(reading: String(decoding: try request.bodyBytes(limit: 65_536), as: UTF8.self))
    if form["undo"] != nil {
      try changing(subject) { try $0.subscribeAgain(on: $1, at: now) }
      return page(.back)
    }
    let reason: UnsubscribeReason = form["List-Unsubscribe"] != nil ? .oneClick : .page
    try changing(subject) { message, queries in
      _ = try message.unsubscribe(reason: reason, on: queries, at: now)
      // Of a deleted mailing the address goes with the contact, which was there a moment ago.
      if message.knownEmail == nil {
        try ContactConsent(account: message.account, queries: queries)
          .unsubscribe(addresses: [email], reason: reason, at: now)
      }
    }
    return page(.done)
  }

  /// Runs `change` with a message whose contact nobody else changes meanwhile.
  private func changing(
    _ subject: MailingTokens.Subject, _ change: (SentMessage, any Queries) throws -> Void
  ) throws {
    try database.transaction { connection in
      if let message = try SentMessageRows(queries: connection).hold(subject) {
        try change(message, connection)
      }
    }
  }

  /// An address as it may be shown to whoever has the link: `a…@example.org`.
  private static func masked(_ email: String) -> String {
    let halves = email.split(separator: "@", maxSplits: 1)
    guard halves.count == 2, let first = halves[0].first else { return email }
    return "\(first)…@\(halves[1])"
  }

  private func refuseUnless(_ request: Request, _ methods: [HTTPRequest.Method]) throws {
    guard methods.contains(request.method) else {
      throw Problem(
        405, "method_not_allowed", "This address does not take this method.",
        headers: [.allow: methods.map(\.rawValue).joined(separator: ", ")])
    }
  }
}
