/// Reads the messages of a mailbox, and deletes those that were handled: blocking, within limits of time and size.
///
/// libcurl connects, encrypts and authenticates; what follows is said here, since POP3 numbers messages anew in each
/// connection, and a deletion must not go to another message.
public struct MailboxReader: Sendable {
  /// What holds for reading.
  public struct Limits: Sendable {
    /// Connecting, in milliseconds.
    public var connectMilliseconds: Int
    /// Each reply, in milliseconds.
    public var replyMilliseconds: Int
    /// All of it, connecting as well, in milliseconds.
    public var totalMilliseconds: Int
    /// How many messages are read.
    public var messages: Int
    /// How much of a message is read, in bytes; the rest is cut off.
    public var messageBytes: Int

    /// Limits.
    public init(
      connectMilliseconds: Int = 10_000, replyMilliseconds: Int = 60_000, totalMilliseconds: Int = 300_000,
      messages: Int = 500, messageBytes: Int = 1_048_576
    ) {
      self.connectMilliseconds = connectMilliseconds
      self.replyMilliseconds = replyMilliseconds
      self.totalMilliseconds = totalMilliseconds
      self.messages = messages
      self.messageBytes = messageBytes
    }
  }

  /// What is to become of a message that was read.
  public enum Verdict: Sendable {
    /// It was handled: it is deleted.
    case delete
    /// It stays. IMAP marks it as seen and does not give it again; POP3 can't, and does.
    case keep
    /// It stays as it is, and is given again next time.
    case later
    /// It stays as it is, and no more are read now.
    case stop
  }

  /// Why reading ended early.
  public enum Failure: Error, Sendable, Equatable, CustomStringConvertible {
    /// There was no connection.
    case connection(MailConnectionFailure)
    /// The connection broke or took too long, or the server said what the protocol does not know.
    case lost(String)
    /// The server did not do what it was asked; with what it said.
    case refused(String)

    /// A sentence for the operator.
    public var description: String {
      switch self {
      case .connection(let failure): failure.description
      case .lost(let reason): "The mailbox was lost: \(reason)"
      case .refused(let said): "The mailbox's server refused: \(said)"
      }
    }
  }

  /// How many messages of a POP3 mailbox are told apart.
  private static let mostListed = 100_000
  /// How many messages one search of IMAP looks at: its answer is one line, and has to fit into it.
  private static let searchedAtOnce = 5000
  /// How long the last words may take where no time is left, in milliseconds.
  fileprivate static let lastWordsMilliseconds = 5000

  private let server: MailboxServer
  private let limits: Limits

  /// A reader of this mailbox.
  public init(_ server: MailboxServer, limits: Limits = Limits()) {
    (self.server, self.limits) = (server, limits)
  }

  /// Gives each message to `handle` and does what that says, until `isOver`; returns how many were deleted.
  ///
  /// A deletion holds when this returns. Where it throws, messages may be there again next time that were handled.
  /// IMAP gives those that were not seen yet, POP3 all.
  public func read(
    until isOver: @escaping () -> Bool = { false }, _ handle: (_ message: [UInt8]) -> Verdict
  ) throws(Failure) -> Int {
    let deadline = Deadline(milliseconds: limits.totalMilliseconds)
    let scheme = server.kind.rawValue + (server.isImplicitlyEncrypted ? "s" : "")
    let way = MailConnection.Way(
      url: "\(scheme)://\(server.host):\(server.port)/", user: server.user, password: server.password,
      encryption: server.encryption, authorities: server.authorities,
      // Both together are the limit of opening.
      connectMilliseconds: min(limits.connectMilliseconds, limits.totalMilliseconds / 2),
      replyMilliseconds: min(limits.replyMilliseconds, limits.totalMilliseconds / 2))
    let connection: MailConnection
    do throws(MailConnectionFailure) { connection = try MailConnection.open(way) } catch {
      throw .connection(error)
    }
    let dialog = MailboxDialog(
      connection: connection, replyMilliseconds: limits.replyMilliseconds, deadline: deadline, isOver: isOver)
    switch server.kind {
    case .imap: return try readIMAP(dialog, handle)
    case .pop3: return try readPOP3(dialog, handle)
    }
  }

  // MARK: POP3

  private func readPOP3(_ dialog: MailboxDialog, _ handle: ([UInt8]) -> Verdict) throws(Failure) -> Int {
    try dialog.ask("LIST")
    var numbers: [Int] = []
    while let line = try dialog.lineOfMany() {
      guard let word = line.split(separator: 32).first,
        let number = Int(String(decoding: word, as: UTF8.self)),
        number > 0
      else { throw .lost(MailboxDialog.noReply) }
      if numbers.count < Self.mostListed { numbers.append(number) }
    }
    var deleted = 0
    reading: for number in some(numbers) {
      // Without the QUIT below nothing would be deleted, and the next round would come no further than this one.
      if isShort(dialog) { break }
      do throws(Failure) { try dialog.ask("RETR \(number)") } catch {
        if case .refused = error { continue }
        throw error
      }
      var message: [UInt8] = []
      while let line = try dialog.lineOfMany() {
        guard message.count < limits.messageBytes else { continue }
        message += line
        message += [13, 10]
      }
      switch handle(Array(message.prefix(limits.messageBytes))) {
      case .delete:
        try dialog.ask("DELE \(number)")
        deleted += 1
      case .keep, .later: break
      case .stop: break reading
      }
    }
    dialog.sayLastWords()
    // Only with this the server deletes (RFC 1939, section 6).
    try dialog.ask("QUIT")
    return deleted
  }

  /// As many of these as are read: where there are more, from any place on, so that messages that stay and can't be handled
  /// hold up none behind them.
  private func some<Number>(_ numbers: [Number]) -> [Number] {
    guard numbers.count > limits.messages else { return numbers }
    let start = Int.random(in: 0..<numbers.count)
    return Array((numbers[start...] + numbers[..<start]).prefix(limits.messages))
  }

  /// Whether it is time to end, while there is some for that.
  private func isShort(_ dialog: MailboxDialog) -> Bool {
    dialog.isOver() || dialog.timeLeft < limits.totalMilliseconds / 5
  }

  // MARK: IMAP

  private func readIMAP(_ dialog: MailboxDialog, _ handle: ([UInt8]) -> Verdict) throws(Failure) -> Int {
    let folder = server.folder.flatMap { $0 == "\"" || $0 == "\\" ? ["\\", $0] : [$0] }
    let selected = try dialog.command("SELECT \"\(String(folder))\"")
    // `* 3 EXISTS`
    let count = selected.compactMap { answer -> Int? in
      let words = answer.text.split(separator: " ")
      return words.count == 3 && words[2].uppercased() == "EXISTS" ? Int(words[1]) : nil
    }.last
    var numbers: [UInt32] = []
    var leftBehind: [UInt32] = []
    for first in stride(from: 1, through: count ?? 0, by: Self.searchedAtOnce) {
      guard numbers.count < limits.messages, leftBehind.count < limits.messages, !isShort(dialog) else {
        break
      }
      let some = "\(first):\(min(first + Self.searchedAtOnce - 1, count ?? 0))"
      numbers += try search("\(some) UNSEEN UNDELETED", dialog)
      // What was handled before a connection broke: it was marked, and is never given again.
      leftBehind += try search("\(some) UNSEEN DELETED", dialog)
    }
    var deleted: [UInt32] = []
    reading: for number in some(numbers.sorted()) {
      if isShort(dialog) { break }
      let answers = try dialog.command(
        "UID FETCH \(number) (BODY.PEEK[]<0.\(limits.messageBytes)>)", mostBytes: limits.messageBytes)
      // It may be gone: another one reads the mailbox too.
      guard
        let message = answers.lazy.filter({ $0.text.uppercased().contains(" FETCH ") }).compactMap(\.literal)
          .first
      else { continue }
      switch handle(message) {
      case .delete:
        _ = try dialog.command("UID STORE \(number) +FLAGS.SILENT (\\Deleted)")
        deleted.append(number)
      case .keep: _ = try dialog.command("UID STORE \(number) +FLAGS.SILENT (\\Seen)")
      case .later: break
      case .stop: break reading
      }
    }
    dialog.sayLastWords()
    let marked = leftBehind.prefix(limits.messages) + deleted
    if !marked.isEmpty {
      // Those alone (RFC 4315), or where the server can't, all that are marked.
      let set = marked.map(String.init).joined(separator: ",")
      do throws(Failure) { _ = try dialog.command("UID EXPUNGE \(set)") } catch {
        guard case .refused = error else { throw error }
        _ = try dialog.command("EXPUNGE")
      }
    }
    // Whether the server says goodbye matters no more.
    _ = try? dialog.command("LOGOUT")
    return deleted.count
  }

  private func search(_ what: String, _ dialog: MailboxDialog) throws(Failure) -> [UInt32] {
    try dialog.command("UID SEARCH \(what)").flatMap { answer -> [UInt32] in
      let words = answer.text.split(separator: " ")
      guard words.count > 1, words[1].uppercased() == "SEARCH" else { return [] }
      return words.dropFirst(2).compactMap { UInt32($0) }
    }
  }
}

/// The lines that are said to a mailbox's server.
private final class MailboxDialog {
  static let noReply = "The server said what is no reply."
  private static let mostLineBytes = 1_048_576
  private static let mostAnswers = 10_000

  private let connection: MailConnection
  private var replyMilliseconds: Int
  private let deadline: Deadline
  private var commands = 0
  let isOver: () -> Bool

  init(
    connection: MailConnection, replyMilliseconds: Int, deadline: Deadline, isOver: @escaping () -> Bool
  ) {
    (self.connection, self.replyMilliseconds, self.deadline) = (connection, replyMilliseconds, deadline)
    self.isOver = isOver
    connection.isOver = isOver
  }

  /// From here on only what ends the dialog is said. It gets its time also where all is over, but not much.
  func sayLastWords() {
    if isOver() { replyMilliseconds = min(replyMilliseconds, MailboxReader.lastWordsMilliseconds) }
    connection.isOver = { false }
  }

  private func attempt<Value>(
    _ body: (MailConnection, Deadline) throws(MailConnection.Failure) -> Value
  ) throws(MailboxReader.Failure) -> Value {
    do throws(MailConnection.Failure) {
      return try body(connection, deadline.within(milliseconds: replyMilliseconds))
    } catch {
      switch error {
      case .closed: throw .lost("The server closed the connection.")
      case .timeout: throw .lost("The server took too long.")
      case .garbage: throw .lost(Self.noReply)
      case .broken(let text): throw .lost("The connection broke: \(text).")
      }
    }
  }

  private func say(_ line: String) throws(MailboxReader.Failure) {
    try attempt { connection, deadline throws(MailConnection.Failure) in
      try connection.write(Array((line + "\r\n").utf8), by: deadline)
    }
  }

  private func line(isCut: Bool = false) throws(MailboxReader.Failure) -> [UInt8] {
    try attempt { connection, deadline throws(MailConnection.Failure) in
      try connection.line(most: Self.mostLineBytes, isCut: isCut, by: deadline)
    }
  }

  /// How much of the time for all is left, in milliseconds.
  var timeLeft: Int { Int(deadline.left) }

  private static func plain(_ line: [UInt8]) -> String {
    String(SMTPReply.plain(line.prefix(4096)).unicodeScalars.prefix(SMTPReply.mostText))
  }

  // MARK: POP3

  /// Says a command of POP3, to which the answer is +OK.
  func ask(_ command: String) throws(MailboxReader.Failure) {
    try say(command)
    let answer = try line()
    if answer.starts(with: "+OK".utf8) { return }
    guard answer.starts(with: "-ERR".utf8) else { throw .lost(Self.noReply) }
    throw .refused(Self.plain(answer))
  }

  /// A line of an answer of many, without the dot that was put before one; nil behind the last. One that is too long is
  /// cut: anybody can send a message with such a line.
  func lineOfMany() throws(MailboxReader.Failure) -> ArraySlice<UInt8>? {
    let line = try line(isCut: true)
    guard line.first == 46 else { return line[...] }
    return line.count == 1 ? nil : line.dropFirst()
  }

  // MARK: IMAP

  /// An untagged answer: its text without literals, and the first literal.
  struct Answer {
    var text: String
    var literal: [UInt8]?
  }

  /// Says a command of IMAP, and returns what is answered; `mostBytes` is the largest literal.
  func command(_ command: String, mostBytes: Int = 65_536) throws(MailboxReader.Failure) -> [Answer] {
    commands += 1
    let tag = "fl\(commands)"
    try say("\(tag) \(command)")
    var answers: [Answer] = []
    while true {
      var answer = Answer(text: "")
      while true {
        let line = try line()
        guard let length = Self.literalLength(line) else {
          answer.text += String(decoding: line, as: UTF8.self)
          break
        }
        guard length <= mostBytes, answer.text.utf8.count < Self.mostLineBytes else {
          throw .lost(Self.noReply)
        }
        answer.text += String(decoding: line, as: UTF8.self)
        let literal = try attempt { connection, deadline throws(MailConnection.Failure) in
          try connection.bytes(length, by: deadline)
        }
        if answer.literal == nil { answer.literal = literal }
      }
      if answer.text.hasPrefix("* ") {
        answers.append(answer)
        guard answers.count < Self.mostAnswers else { throw .lost(Self.noReply) }
      } else if answer.text.hasPrefix(tag + " ") {
        if answer.text.dropFirst(tag.count + 1).uppercased().hasPrefix("OK") { return answers }
        throw .refused(Self.plain(Array(answer.text.utf8)))
      } else {
        throw .lost(Self.noReply)
      }
    }
  }

  /// The length of the literal that a line announces at its end: `{123}`.
  private static func literalLength(_ line: [UInt8]) -> Int? {
    guard line.last == UInt8(ascii: "}"), let start = line.lastIndex(of: UInt8(ascii: "{")) else {
      return nil
    }
    let digits = line[(start + 1)...].dropLast()
    guard (1...10).contains(digits.count), digits.allSatisfy({ (48...57).contains($0) }) else { return nil }
    return Int(String(decoding: digits, as: UTF8.self))
  }
}
