import FLHTTP
import FLMariaDB
import FLValues

/// Takes strangers into public groups: always as `pending`, whatever the group asks of members that the account adds.
///
/// Anybody can type anybody's address into a form. The mail with the question goes to the address, and its owner alone
/// can answer it.
struct SubscriptionService: Sendable {
  let database: Database
  let attempts: Attempts
  let optIn: DoubleOptIn

  /// The group that strangers may subscribe to.
  func group(_ id: ContactGroupID) throws -> PublicGroup? { try PublicGroup.find(id, on: database) }

  /// Asks the owner of an address by mail whether to be in the group. Nothing tells whether the address was known, is
  /// in the group or gets no mail. What is known of a contact already stays as it is.
  /// - Throws: `Problem` 429 after too many from one client network, or for one address and this group: what was asked
  ///   elsewhere is nobody's business here.
  func subscribe(_ subscription: Subscription, to group: PublicGroup, from client: String, at now: Timestamp)
    throws
  {
    let key = subscription.email.key
    let subjects = [
      attempts.subject("subscribe \(group.id) \(key)", free: 3, inQuarterHourOf: now),
      attempts.subject("subscribe from \(clientNetwork(client))", free: 20, inQuarterHourOf: now),
    ]
    try attempts.check(
      subjects, at: now, longestWait: Attempts.restOfQuarterHour(at: now),
      "There were too many subscriptions for this address, or from where you are. Wait before the next one.")
    try attempts.failed(subjects, at: now)
    try database.transaction { connection in
      // Still public, and there: it can't go before the end.
      guard let group = try PublicGroup.find(group.id, on: connection),
        try ContactGroupRows(account: group.account, queries: connection).hold(group.id) != nil
      else { return }
      guard let contact = try contact(of: subscription, in: group.account, on: connection, at: now) else {
        return
      }
      let members = GroupMemberRows(account: group.account, group: group.id, queries: connection)
      _ = try members.insert([contact], status: .pending, at: now)
      try optIn.ask(
        [contact], into: .init(id: group.id, account: group.account, name: group.name), subscribing: true,
        on: connection, at: now)
    }
  }

  /// The contact with the address; where there is none, one is made.
  private func contact(
    of subscription: Subscription, in account: AccountID, on connection: Connection, at now: Timestamp
  ) throws -> ContactID? {
    let key = subscription.email.key
    let rows = ContactRows(account: account, queries: connection)
    if let known = try rows.ids(ofEmailKeys: [key])[key] { return known }
    var draft = ContactDraft(email: subscription.email)
    draft.firstName = subscription.firstName
    draft.lastName = subscription.lastName
    return try ContactUpsert(account: account, database: database).run(
      on: connection, [.draft(draft)], tags: [], source: "subscribe", at: now
    ).ids.first.flatMap { $0 }
  }
}
