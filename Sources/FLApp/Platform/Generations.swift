/// Tells the processes of this host what has changed: a number for each subject, which grows with a change. What a
/// process remembers holds while the number is the one that it read before it asked the database.
///
/// Subjects share numbers; a neighbour's change costs a needless look-up, no more.
struct Generations: Sendable {
  let table: SharedTable

  /// The table of the copy that `settings` are of.
  /// - Throws: `Settings.Failure` where the file can't be used.
  init(settings: Settings) throws {
    try settings.makeDirectories()
    table = try SharedTable(path: settings.state + "/run/generations", count: 1 << 16)
  }

  /// What changes.
  enum Subject {
    /// What is at a short code.
    case code(ShortCode)
    /// Any API key, or the plan of any account.
    case credentials

    fileprivate var index: Int {
      switch self {
      case .code(let code): Int(truncatingIfNeeded: spread(code.text.utf8) & 0xFFF_FFFF)
      // Not the number of a code: of those all have three characters at least.
      case .credentials: Int(truncatingIfNeeded: spread("=".utf8) & 0xFFF_FFFF)
      }
    }
  }

  /// To be called when a change is in the database, and before it is answered.
  func changed(_ subject: Subject) { table.increment(subject.index) }

  /// To be read before the database is asked.
  func current(_ subject: Subject) -> UInt64 { table.load(subject.index) }
}
