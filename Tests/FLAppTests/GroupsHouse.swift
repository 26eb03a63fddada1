import FLHTTP
import FLMariaDB
import FLValues
import Testing

@testable import FLApp

extension Client {
  /// Makes a group; answers its path.
  func group(_ name: String = "News", _ members: JSONObject = [:]) throws -> String {
    var members = members
    members["name"] = .string(name)
    let made = post("/api/contact-groups", .object(members))
    try #require(made.status == 201, "\(made)")
    return "/api/contact-groups/" + (try made.string("id"))
  }

  /// Makes a contact; answers its id.
  func contact(_ email: String, _ members: JSONObject = [:]) throws -> String {
    var members = members
    members["email"] = .string(email)
    let made = post("/api/contacts", .object(members))
    try #require(made.status == 201, "\(made)")
    return try made.string("id")
  }

  /// The members of a group, `address status` each.
  func members(_ group: String, _ query: String = "") -> [String] {
    get(group + "/members" + query).items.map {
      "\($0["email"]?.string ?? "") \($0["status"]?.string ?? "")"
    }.sorted()
  }
}

extension House {
  /// The mails that wait for this address, oldest first; they are marked as sent.
  func mails(to address: String) throws -> [SystemMail] {
    let outbox = MailOutbox(settings: settings)
    // Without a claim, which would take the mails of others who share the house.
    let mails = try app.database.rows(
      """
      SELECT id, subject, body, attempts, created_at FROM mail_outbox
      WHERE recipient = \(address) AND sent_at IS NULL AND failed_at IS NULL ORDER BY id
      """
    ).map { row in
      let id: SystemMailID = try row["id"]
      return try SystemMail(
        id: id, recipient: address, subject: row["subject"],
        body: String(decoding: outbox.sealer.open(row["body"], context: id.description), as: UTF8.self),
        attempts: row["attempts"], createdAt: row["created_at"])
    }
    for mail in mails { try outbox.markSent(mail.id, in: app.database, at: clock.now) }
    return mails
  }

  /// The path that the only waiting mail to `address` leads to.
  func confirmationPath(to address: String) throws -> String {
    let mails = try mails(to: address)
    try #require(mails.count == 1, "\(mails.count) mails")
    let mail = try #require(mails.first)
    let found = try #require(
      mail.body.firstMatch(of: #/https://go\.example(/m/confirm/[A-Za-z0-9_-]{43})\n/#))
    return String(found.1)
  }
}
