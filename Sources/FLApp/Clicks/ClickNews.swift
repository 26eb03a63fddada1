import FLHTTP
import FLMariaDB
import FLValues

/// Tells webhooks of clicks, in the transaction that loads them. Bots are not told of, and no address.
///
/// Where nobody wants to know it costs a batch one look at the subscriptions of its accounts, by their key.
public struct ClickNews: Sendable {
  /// So many accounts or links go into one statement: few sizes, so that the statements stay prepared.
  private static let sizes = [1, 4, 32, 256]

  let baseURL: String
  private let webhooks = WebhookOutbox()

  /// A click with the code of its link.
  struct Told: Sendable {
    let click: Click
    /// Nil where the link is gone.
    let code: ShortCode?
  }

  /// News of links whose short addresses begin with `baseURL`.
  public init(baseURL: String) { self.baseURL = baseURL }

  func tell(of clicks: [Click], on connection: some Queries, at now: Timestamp) throws {
    let people = clicks.filter { !$0.isBot }
    var wanting: Set<AccountID> = []
    try Self.inChunks(Set(people.lazy.map(\.accountID)).sorted()) {
      try wanting.formUnion(webhooks.accounts(among: $0, wanting: .linkClicked, on: connection))
    }
    guard !wanting.isEmpty else { return }
    let wanted = people.filter { wanting.contains($0.accountID) }
    var codes: [LinkID: ShortCode] = [:]
    try Self.inChunks(Set(wanted.lazy.map(\.linkID)).sorted()) { ids in
      for row in try connection.rows("SELECT id, short_code FROM links WHERE id IN (\(ids))") {
        codes[try row["id"]] = ShortCode(stored: try row["short_code"])
      }
    }
    let shape = Self.shape(baseURL: baseURL)
    // In the order of accounts: loaders that lock their endpoints in one order do not deadlock.
    for (account, clicks) in Dictionary(grouping: wanted, by: \.accountID).sorted(by: { $0.key < $1.key }) {
      let told = clicks.map { Told(click: $0, code: codes[$0.linkID]) }
      try webhooks.tell(.linkClicked, of: told, account: account, on: connection, at: now) {
        try JSON(reading: shape.bytes($0))
      }
    }
  }

  /// Runs `statement` on pieces of `ids`; the last one is repeated until a piece is of one of the sizes.
  private static func inChunks<Subject>(_ ids: [ID<Subject>], _ statement: ([ID<Subject>]) throws -> Void)
    rethrows
  {
    let most = sizes.last ?? 1
    for start in stride(from: 0, to: ids.count, by: most) {
      var chunk = Array(ids[start..<min(start + most, ids.count)])
      let size = sizes.first { $0 >= chunk.count } ?? most
      if let last = chunk.last { chunk += Array(repeating: last, count: size - chunk.count) }
      try statement(chunk)
    }
  }

  /// How a click is told.
  static func shape(baseURL: String) -> Shape<Told> {
    .output(
      "LinkClicked",
      [
        .init("linkId", \.click.linkID, .id()), .init("shortCode", \.code, .optional(.shortCode)),
        .init("shortUrl", { told in told.code.map { "\(baseURL)/\($0)" } }, .optional(.string)),
        .init("clickedAt", \.click.at, .timestamp), .init("country", \.click.country, .optional(.string)),
        .init("city", \.click.city, .optional(.string)),
        .init("browser", \.click.browser, .optional(.string)),
        .init("system", \.click.system, .optional(.string)),
        .init("device", \.click.device.name, .string),
        .init("referrer", \.click.referrerHost, .optional(.string)),
        .init("isQrScan", { $0.click.source == .scan }, .bool),
      ])
  }
}
