import FLHTTP
import FLMail
import FLMariaDB
import FLValues

/// Mailings, their recipients, and what is done with them.
struct MailingRoutes {
  let database: Database
  let mailings: MailingService
  let pages: Pages

  var routes: [Route] { collection + single + recipients + audience + actions + tests + looks }

  private static let id: Parameter<MailingID> = .path("id", .id(), "The mailing's id.")
  private static let search: Shape<String?> = .optional(.text(0...255))
  private static let status: Shape<MailingStatus?> = .optional(.oneOf(MailingStatus.self))
  private static let recipientStatus: Shape<RecipientStatus?> = .optional(.oneOf(RecipientStatus.self))
  private static let sort: Shape<MailingOrder> = Shape<MailingOrder>.oneOf(MailingOrder.self).defaulting(
    to: .newest)
  private static let format: Shape<MailingPreview.Format> = Shape<MailingPreview.Format>.oneOf(
    MailingPreview.Format.self
  ).defaulting(to: .json)
  private static let contact: Shape<ContactID?> = .optional(.id())

  private var collection: [Route] {
    [
      Route(
        .get, "/api/mailing", "listMailings", access: .scope(.mailing), tag: "Mailings",
        summary: "List the mailings",
        description: "A page has fewer than `limit` where their bodies are large.", .limit, .cursor,
        .query("status", Self.status, "Mailings in this state."),
        .query("search", Self.search, "Part of the subject."),
        .query("sort", Self.sort, "The order; `-` is downwards."),
        reply: .list(Mailing.shape, named: "Mailing"),
        handler: { call, limit, cursor, status, search, order in
          try list(call, .init(search: search, status: status), order, cursor, limit)
        }),
      Route(
        .post, "/api/mailing", "createMailing", access: .scope(.mailing), tag: "Mailings",
        summary: "Draft a mailing", body: MailingContent.shape, bodyLimit: 4 << 20,
        reply: .created(Mailing.shape, at: { "/api/mailing/\($0.id)" }).tagged(\.tag),
        handler: { call, new in try mailings.create(new, account: call.caller.account, at: call.now) }),
    ]
  }

  private var single: [Route] {
    [
      Route(
        .get, "/api/mailing/{id}", "getMailing", access: .scope(.mailing), tag: "Mailings",
        summary: "Read a mailing", Self.id, reply: .ok(Mailing.shape).tagged(\.tag),
        handler: { call, id in try mailings.find(id, account: call.caller.account) }),
      Route(
        .patch, "/api/mailing/{id}", "updateMailing", access: .scope(.mailing), tag: "Mailings",
        summary: "Change a mailing",
        description: """
          While it is a draft or scheduled. What is scheduled goes out as it is: 422 tells what would keep it from being \
          sent.
          """, problems: [409, 412],
        Self.id, body: MailingChanges.shape, bodyLimit: 4 << 20, reply: .ok(Mailing.shape).tagged(\.tag),
        handler: { call, changes, id in
          try mailings.update(
            id, changes, account: call.caller.account, if: call.preconditions, at: call.now)
        }),
      Route(
        .delete, "/api/mailing/{id}", "deleteMailing", access: .scope(.mailing), tag: "Mailings",
        summary: "Delete a mailing",
        description: """
          With all that is known of its recipients. Whoever has a message of it can still unsubscribe. Not while it is \
          queued or being sent.
          """,
        problems: [409, 412], Self.id, reply: .noContent,
        handler: { call, id in
          try mailings.delete(id, account: call.caller.account, if: call.preconditions, at: call.now)
        }),
    ]
  }

  private var recipients: [Route] {
    [
      Route(
        .get, "/api/mailing/{id}/recipients", "listMailingRecipients", access: .scope(.mailing),
        tag: "Mailings", summary: "List a mailing's recipients",
        description: "Each with what became of the message, when, and the server's words.", Self.id, .limit,
        .cursor,
        .query("status", Self.recipientStatus, "Recipients in this state."),
        .query("search", Self.search, "Part of the address."),
        reply: .list(MailingRecipient.shape, named: "MailingRecipient"),
        handler: { call, id, limit, cursor, status, search in
          try listRecipients(call, id, .init(status: status, search: search), cursor, limit)
        }),
      Route(
        .post, "/api/mailing/{id}/recipients", "addMailingRecipients", access: .scope(.mailing),
        tag: "Mailings", summary: "Add recipients",
        description: """
          Contacts by themselves, and those of groups and tags, which are looked at again when the sending begins. \
          Who comes by several ways is one recipient. What is not there is told in `errors` and stops nobody else.
          """, problems: [409], Self.id, body: RecipientWishes.shape, reply: .ok(RecipientsAdded.shape),
        handler: { call, wishes, id in
          try mailings.audience.add(wishes, to: id, account: call.caller.account)
        }),
      Route(
        .delete, "/api/mailing/{id}/recipients", "removeMailingRecipients", access: .scope(.mailing),
        tag: "Mailings", summary: "Take all recipients out", description: "Groups and tags as well.",
        problems: [409], Self.id, reply: .noContent,
        handler: { call, id in try mailings.audience.removeAll(from: id, account: call.caller.account) }),
      Route(
        .delete, "/api/mailing/{id}/recipients/{contactId}", "removeMailingRecipient",
        access: .scope(.mailing), tag: "Mailings", summary: "Take a recipient out",
        description: "For good: no group or tag brings the contact back.", problems: [409], Self.id,
        .path("contactId", .id(), "The contact's id."), reply: .noContent,
        handler: { call, id, contact in
          try mailings.audience.remove(contact, from: id, account: call.caller.account)
        }),
    ]
  }

  private var audience: [Route] {
    [
      Route(
        .get, "/api/mailing/{id}/audience", "getMailingAudience", access: .scope(.mailing), tag: "Mailings",
        summary: "See what a mailing's recipients come from",
        description: "Groups and tags that were deleted since are not told.", Self.id,
        reply: .ok(MailingAudience.Summary.shape),
        handler: { call, id in try mailings.audience.summary(of: id, account: call.caller.account) }),
      Route(
        .post, "/api/mailing/{id}/recipients/remove", "removeSomeMailingRecipients", access: .scope(.mailing),
        tag: "Mailings", summary: "Take contacts, groups and tags out",
        description: """
          While the mailing is a draft or scheduled. A contact is out for good: no group or tag brings it back, only \
          naming it singly, or taking all recipients out. With a group or a tag go those who came by it alone: who is \
          in another group or tag of the mailing, or was named singly, stays. They are not out for good: they come \
          back with the group, or with another that has them. What is not there is told in `errors` and keeps nothing \
          else from being taken out.
          """, problems: [409], Self.id, body: RecipientRemoval.shape, reply: .ok(RecipientsRemoved.shape),
        handler: { call, removal, id in
          try mailings.audience.remove(removal, from: id, account: call.caller.account)
        }),
    ]
  }

  private var actions: [Route] {
    [
      Route(
        .post, "/api/mailing/{id}/send", "sendMailing", access: .scope(.mailing), tag: "Mailings",
        summary: "Send a mailing, now or later",
        description: """
          A draft, or one that is scheduled: now, or at another time. 422 tells what keeps it from being sent; what would \
          only hurt is told by its check. Somebody must be there who would get it now, also in a group or with a tag that \
          nobody was in when it was added.
          """,
        problems: [409, 412], Self.id, body: MailingSending.shape, bodyMayBeAbsent: true,
        reply: .ok(Mailing.shape).tagged(\.tag),
        handler: { call, sending, id in
          try mailings.send(
            id, scheduledFor: sending.scheduledFor, account: call.caller.account, if: call.preconditions,
            at: call.now)
        }),
      action(
        "unschedule", "unscheduleMailing", "Make a draft again of a mailing",
        "One that is scheduled, queued, paused or failed, and of which no message went out."
      ) { try $0.unschedule($1, account: $2, if: $3, at: $4) },
      action("pause", "pauseMailing", "Pause a mailing", "Messages in hand still go out.") {
        try $0.pause($1, account: $2, if: $3, at: $4)
      },
      action(
        "resume", "resumeMailing", "Let a paused mailing go on",
        "At once, or at its time where that lies ahead."
      ) { try $0.resume($1, account: $2, if: $3, at: $4) },
      action(
        "cancel", "cancelMailing", "Stop a mailing for good",
        "Whoever waits is skipped; messages in hand still go out."
      ) { try $0.cancel($1, account: $2, if: $3, at: $4) },
      Route(
        .post, "/api/mailing/{id}/retry", "retryMailing", access: .scope(.mailing), tag: "Mailings",
        summary: "Send to those again who did not get it", description: Self.retryWords,
        problems: [409, 412], Self.id, body: MailingRetry.shape, bodyMayBeAbsent: true,
        reply: .ok(Mailing.shape).tagged(\.tag),
        handler: { call, retry, id in
          try mailings.retry(
            id, retry, account: call.caller.account, if: call.preconditions, at: call.now)
        }),
      Route(
        .post, "/api/mailing/{id}/test", "testMailing", access: .scope(.mailing), tag: "Mailings",
        summary: "Send test messages",
        description: """
          To up to five addresses, with `\(MailingTest.mark)` before the subject. \
          \(MailingTestRows.mostAnHour) an hour.
          """, problems: [429], Self.id, body: MailingTestWish.shape,
        reply: .accepted(MailingTestsQueued.shape),
        handler: { call, wish, id in
          try mailings.test(id, wish, account: call.caller.account, at: call.now)
        }),
    ]
  }

  private static let retryWords = """
    To those whose message failed, and whom the members of the body name; nobody else gets anything. Behind a relay most \
    failures are told later, by a report: those are `bounced`. Whoever has unsubscribed by the time of sending, or whose \
    address is known not to exist, gets nothing whatever is named. A mailing that was sent or failed goes on at once, and \
    tells `mailing.sent` again at its end; with `includeSkipped` also a cancelled one, for those who were passed over (where \
    its sending had not begun, groups and tags are looked at when it does). 409 `nothing_failed` tells how many others \
    there are, and which member takes them.
    """

  /// An action without a body that takes a mailing into another state.
  private func action(
    _ verb: String, _ operation: String, _ summary: String, _ description: String,
    _ run:
      @escaping @Sendable (MailingService, MailingID, AccountID, Preconditions, Timestamp) throws -> Mailing
  ) -> Route {
    Route(
      .post, "/api/mailing/{id}/\(verb)", operation, access: .scope(.mailing), tag: "Mailings",
      summary: summary, description: description, problems: [409, 412], Self.id,
      reply: .ok(Mailing.shape).tagged(\.tag),
      handler: { call, id in try run(mailings, id, call.caller.account, call.preconditions, call.now) })
  }

  private var looks: [Route] {
    [
      Route(
        .get, "/api/mailing/{id}/preview", "previewMailing", access: .scope(.mailing), tag: "Mailings",
        summary: "See a mailing as a contact would", Self.id,
        .query("contactId", Self.contact, "Whose values the placeholders get; made-up ones without."),
        .query("format", Self.format, "JSON, a page to look at, or the HTML by itself."),
        reply: .made(
          "application/json", "text/html", description: "The mailing as the contact would see it."),
        handler: { call, id, contact, format in try preview(call, id, contact, format) }),
      Route(
        .get, "/api/mailing/{id}/check", "getMailingCheck", access: .scope(.mailing), tag: "Mailings",
        summary: "See what would hurt a mailing", description: Self.checkWords, Self.id,
        reply: .ok(MailingReport.shape), handler: { call, id in try check(call, id) }),
      Route(
        .post, "/api/mailing/{id}/check", "checkMailing", access: .scope(.mailing, reads: true),
        tag: "Mailings", summary: "Check a mailing", description: Self.checkWords, Self.id,
        reply: .ok(MailingReport.shape), handler: { call, id in try check(call, id) }),
      Route(
        .get, "/api/mailing/{id}/stats", "getMailingStats", access: .scope(.mailing), tag: "Mailings",
        summary: "Read what became of a mailing", Self.id, reply: .ok(MailingStatistics.shape),
        handler: { call, id in try mailings.statistics(of: id, account: call.caller.account) }),
    ]
  }

  /// Tests are looked at until they are forgotten, after 30 days.
  private var tests: [Route] {
    [
      Route(
        .get, "/api/mailing/{id}/tests", "listMailingTests", access: .scope(.mailing), tag: "Mailings",
        summary: "List the test messages", description: "Of the last 30 days, with the server's words.",
        Self.id, .limit, .cursor, reply: .list(MailingTestResult.shape, named: "MailingTest"),
        handler: { call, id, limit, cursor in
          let account = try call.caller.account
          guard try MailingRows(account: account, queries: database).exists(id) else {
            throw Problem.notFound
          }
          let rows = MailingTestRows(account: account, queries: database)
          let found = try rows.list(id, behind: cursor, limit: limit + 1)
          return try Page(found, limit: limit, total: rows.count(id)) { Cursor(id: $0.id) }
        })
    ]
  }

  private static let checkWords = """
    Errors keep it from being sent, warnings keep it from being read. Nobody outside of this instance is asked \
    but DNS: whether a sender's domain that was never verified here has SPF and DMARC records; where it does not answer \
    within seconds, that is told. The recipients are counted anew each time, which takes some seconds of a million.
    """

  func list(
    _ call: Call, _ filter: MailingRows.Filter, _ order: MailingOrder, _ cursor: Cursor?, _ limit: Int
  ) throws -> Page<Mailing> {
    if let cursor, !order.accepts(cursor) {
      throw Problem.invalid("cursor", "invalid_cursor", "This cursor is not of a list in this order.")
    }
    let rows = MailingRows(account: try call.caller.account, queries: database)
    let (items, more) = try rows.list(filter, order, behind: cursor, limit: limit)
    let next = items.last.flatMap {
      more ? Cursor(order: order.rawValue, value: order.value(of: $0), id: $0.id).text : nil
    }
    return try Page(items: mailings.counted(items), nextCursor: next, total: rows.count(filter))
  }

  func listRecipients(
    _ call: Call, _ id: MailingID, _ filter: RecipientRows.Filter, _ cursor: Cursor?, _ limit: Int
  ) throws -> Page<MailingRecipient> {
    let account = try call.caller.account
    guard try MailingRows(account: account, queries: database).exists(id) else { throw Problem.notFound }
    let rows = RecipientRows(account: account, mailing: id, queries: database)
    let recipients = try rows.list(filter, behind: cursor, limit: limit + 1)
    return try Page(recipients, limit: limit, total: rows.count(filter)) { Cursor(id: $0.contact) }
  }

  func check(_ call: Call, _ id: MailingID) throws -> MailingReport {
    let mailing = try mailings.find(id, account: call.caller.account)
    return try mailings.check.report(on: mailing, in: database, at: call.now)
  }

  func preview(_ call: Call, _ id: MailingID, _ contact: ContactID?, _ format: MailingPreview.Format) throws
    -> Response
  {
    let account = try call.caller.account
    let mailing = try mailings.find(id, account: account)
    let unsubscribe = mailings.baseURL + "/m/unsubscribe/preview"
    var values = PlaceholderValues.sample(unsubscribeURL: unsubscribe)
    if let contact {
      guard let found = try ContactRows(account: account, queries: database).find(contact) else {
        throw Problem.invalid("contactId", "not_found", "There is no such contact.")
      }
      values = PlaceholderValues(found, unsubscribeURL: unsubscribe)
    }
    let address = mailing.content.fromEmail ?? mailings.domains.operatorAddress
    let name = try mailing.content.fromName ?? AccountRows(queries: database).find(account)?.name ?? ""
    let from = name.isEmpty ? address : "\(name) <\(address)>"
    return try MailingPreview(mailing.content, values, from: from).response(format, pages: pages)
  }
}

extension PlaceholderValues {
  /// The values of a contact; links and pictures that tell of reading are for whoever sends.
  public init(_ contact: Contact, unsubscribeURL: String?) {
    self.init(
      name: contact.name, email: contact.email, firstName: contact.firstName, lastName: contact.lastName,
      company: contact.company, unsubscribeURL: unsubscribeURL)
  }
}

/// How a mailing is to be sent.
struct MailingSending: Sendable {
  let scheduledFor: Timestamp?

  static let time: Shape<Timestamp?> = Shape<Timestamp?>.optional(.timestamp).described(
    "When it is to begin; at once without.")
  static let shape = Shape(MailingSending.init(scheduledFor:), Field("scheduledFor", \.scheduledFor, time))
    .named("MailingSending")
}

/// Whom a mailing is to be sent to again, beside those whose message failed.
struct MailingRetry: Sendable {
  /// Those of whom it is not known whether they have it.
  let includeUncertain: Bool
  /// Those whose message came back, as far as their contacts may get mail.
  let includeBounced: Bool
  /// Those who were passed over, as far as their contacts may get mail.
  let includeSkipped: Bool

  /// The states whose recipients wait anew.
  var statuses: [RecipientStatus] { includeUncertain ? [.failed, .uncertain] : [.failed] }

  /// The states of whose recipients those wait anew whose contacts may get mail.
  var statusesOfReachable: [RecipientStatus] {
    (includeBounced ? [.bounced] : []) + (includeSkipped ? [.skipped] : [])
  }

  /// Whether a mailing in this state can be sent again so.
  func takes(_ status: MailingStatus) -> Bool {
    status == .sent || status == .failed || (status == .cancelled && includeSkipped)
  }

  private static let uncertain: Shape<Bool> = Shape<Bool>.bool.defaulting(to: false).described(
    """
    Also those of whom it is not known whether they have the message, since the sender died over it: some of them get \
    it twice then.
    """)
  private static let bounced: Shape<Bool> = Shape<Bool>.bool.defaulting(to: false).described(
    """
    Also those whose message came back and whose contact may get mail now: is neither unsubscribed nor bounced, because a \
    mailbox was full, because a policy refused the message, or because the address is another one now.
    """)
  private static let skipped: Shape<Bool> = Shape<Bool>.bool.defaulting(to: false).described(
    """
    Also those who were passed over and whose contact may get mail now: by a cancelling, or because they had unsubscribed \
    or bounced then.
    """)
  static let shape = Shape(
    MailingRetry.init(includeUncertain:includeBounced:includeSkipped:),
    Field("includeUncertain", \.includeUncertain, uncertain),
    Field("includeBounced", \.includeBounced, bounced),
    Field("includeSkipped", \.includeSkipped, skipped)
  ).named("MailingRetry")
}
