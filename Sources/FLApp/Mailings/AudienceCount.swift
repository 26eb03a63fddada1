import FLMariaDB
import FLValues

/// How many would get a mailing if its sending began now: nothing is written for it.
///
/// Its rows are what was there when groups and tags were added. This goes by who is in them now, and by what the contacts
/// say now, as `MailingAudience.refresh` will. It goes in stretches by their ids, as that does; of a million it takes
/// seconds.
struct AudienceCount {
  private let rows: RecipientRows
  /// Whether groups and tags will be looked at before the sending begins.
  private let isOpen: Bool

  /// Counts those of `mailing`.
  init(of mailing: Mailing, in queries: any Queries) {
    rows = RecipientRows(account: mailing.account, mailing: mailing.id, queries: queries)
    isOpen = mailing.preparedAt == nil && mailing.status != .cancelled
  }

  /// Who would get it, and who would not.
  func all() throws -> MailingReport.Audience {
    var audience = MailingReport.Audience()
    try eachOfRows { audience.add($0) }
    guard isOpen else { return audience }
    let named = audience.total > 0
    let excluded = try rows.hasExclusions()
    for (index, source) in try rows.sources().enumerated() {
      var others: RecipientRows.Others = index > 0 ? [.earlier] : []
      if named { others.insert(.named) }
      if excluded { others.insert(.excluded) }
      try each(of: source, butFor: others) { audience.add($0) }
    }
    return audience
  }

  /// Members of its groups who would not get it, since they have not confirmed: who comes by another way, and who was
  /// taken out, is none of them.
  func unconfirmed() throws -> Int {
    guard isOpen else { return 0 }
    var number = 0
    for case .group(let group) in try rows.sources() {
      var after = MailingAudience.beginning
      let members = GroupMemberRows(account: rows.account, group: group, queries: rows.queries)
      while let last = try members.lastPending(after: after, limit: MailingAudience.atOnce) {
        number += try rows.countUnconfirmed(of: group, after: after, through: last)
        after = last
      }
    }
    return number
  }

  /// Whether somebody would get it; most often the first stretch tells.
  func reachesSomebody() throws -> Bool {
    var isSomebody = false
    func look(_ some: MailingReport.Audience) { isSomebody = isSomebody || some.willReceive > 0 }
    if isOpen {
      for source in try rows.sources() where !isSomebody {
        try each(of: source, butFor: [.excluded], while: { !isSomebody }, look)
      }
    }
    if !isSomebody { try eachOfRows(while: { !isSomebody }, look) }
    return isSomebody
  }

  /// Passes on the numbers of those who were named singly, or of all rows where it is settled who they are.
  private func eachOfRows(while goesOn: () -> Bool = { true }, _ body: (MailingReport.Audience) -> Void)
    throws
  {
    var after = MailingAudience.beginning
    while goesOn(), let last = try rows.last(after: after, limit: MailingAudience.atOnce) {
      body(try rows.audience(after: after, through: last, namedOnly: isOpen))
      after = last
    }
  }

  private func each(
    of source: RecipientSource, butFor others: RecipientRows.Others, while goesOn: () -> Bool = { true },
    _ body: (MailingReport.Audience) -> Void
  ) throws {
    var after = MailingAudience.beginning
    while goesOn(), let stretch = try rows.stretch(of: source, after: after, limit: MailingAudience.atOnce) {
      body(try rows.audience(of: source, in: stretch, butFor: others))
      after = stretch.through
    }
  }
}
