/// Why there is no session with a mail server.
public typealias SMTPFailure = MailConnectionFailure

/// One connection to a mail server, over which messages are sent (RFC 5321): blocking, of one thread at a time.
///
/// libcurl connects, encrypts, greets and authenticates; the dialog of each message is said here, because libcurl's own
/// can't put commands together (RFC 2920), drops the connection when a recipient is refused, and does not tell how far a
/// message came. Where the server takes several commands at once, the envelope of the next message goes out with the
/// present one, and a message costs one turn of the line.
public final class SMTPSession {
  /// How long things may take, in milliseconds.
  public struct Limits: Sendable {
    /// Connecting, without what is said then.
    public var connectMilliseconds: Int
    /// Opening with all that is said, and each reply.
    public var replyMilliseconds: Int
    /// The reply behind a message. RFC 5321, section 4.5.3.2.6, has 10 minutes: whoever gives up before that does not
    /// know whether the message was taken.
    public var endMilliseconds: Int
    /// All of one message.
    public var messageMilliseconds: Int

    /// Limits: 10 seconds to connect, 60 for a reply, 5 minutes for the one behind a message, 8 for all of it.
    public init(
      connectMilliseconds: Int = 10_000, replyMilliseconds: Int = 60_000, endMilliseconds: Int = 300_000,
      messageMilliseconds: Int = 480_000
    ) {
      self.connectMilliseconds = connectMilliseconds
      self.replyMilliseconds = replyMilliseconds
      self.endMilliseconds = endMilliseconds
      self.messageMilliseconds = messageMilliseconds
    }
  }

  private let limits: Limits
  private let extensions: SMTPExtensions
  private let isEncrypted: Bool
  /// nil when the session has ended.
  private var connection: MailConnection?
  /// What is written next; its room is used again.
  private var output: [UInt8] = []
  /// Whether the server keeps the beginning of a transaction that was refused.
  private var needsReset = false

  /// The longest line and the most lines of a reply. RFC 5321, section 4.5.3.1.5, has 512 bytes for a line.
  private static let mostLineBytes = 4096
  private static let mostLines = 100
  /// How much of a large message goes out together with its end.
  private static let lastPart = 65_536

  private init(connection: MailConnection, limits: Limits, isEncrypted: Bool) {
    (self.connection, self.limits, self.isEncrypted) = (connection, limits, isEncrypted)
    extensions = SMTPExtensions(greeting: connection.greeting)
  }

  /// Connects to `server`, encrypts and authenticates.
  public static func open(_ server: SMTPServer, limits: Limits = Limits()) throws(SMTPFailure) -> SMTPSession
  {
    let scheme = server.isImplicitlyEncrypted ? "smtps" : "smtp"
    let connection = try MailConnection.open(
      MailConnection.Way(
        url: "\(scheme)://\(server.host):\(server.port)/\(server.ownName)", user: server.user,
        password: server.password, encryption: server.encryption, authorities: server.authorities,
        connectMilliseconds: limits.connectMilliseconds, replyMilliseconds: limits.replyMilliseconds))
    let codes = connection.greeting.compactMap { line in
      SMTPReply.part(of: line[...]).flatMap { $0.isLast ? $0.code : nil }
    }
    // Where the server offers no way that libcurl knows, it goes on without having authenticated.
    if server.user != nil && !codes.contains(235) {
      throw .notAuthenticated("it offers no way to tell the credentials")
    }
    // The second 220 is that to STARTTLS.
    let isEncrypted = server.isImplicitlyEncrypted || codes.count { $0 == 220 } > 1
    return SMTPSession(connection: connection, limits: limits, isEncrypted: isEncrypted)
  }

  /// Whether messages can be sent: not after the connection was lost, or after `quit`.
  public var isUsable: Bool { connection != nil }

  /// Whether the server takes several commands at once, so that `run` sends ahead.
  public var sendsAhead: Bool { extensions.pipelining }

  // MARK: Sending

  /// Sends one message.
  ///
  /// `beforeEnd` is called directly before the bytes with which the server can have the whole message. If it throws,
  /// they are not sent and the session ends.
  public func send<Failure: Error>(
    from sender: String, to recipient: String, message: [UInt8], beforeEnd: () throws(Failure) -> Void
  ) throws(Failure) -> SMTPOutcome {
    var waiting: SMTPMessage? = SMTPMessage(from: sender, to: recipient, content: message)
    var outcome = SMTPOutcome.lost(reason: "The session has ended.", mayHaveBeenTaken: false)
    try run(
      next: { () -> (Void, SMTPMessage)? in
        defer { waiting = nil }
        return waiting.map { ((), $0) }
      }, beforeEnd: { (_: Void) throws(Failure) in try beforeEnd() }, done: { _, told in outcome = told })
    return outcome
  }

  /// Sends messages until there are none, or the session can't be used any more.
  ///
  /// Each item that `next` gave is told to `done` once, in the order of `next` except for those that are refused
  /// unsent. Where the server allows, `next` is called for the message behind before the present one is done: after a
  /// loss there are up to two messages told as lost, of which only the first may have been taken.
  ///
  /// - Parameters:
  ///   - next: the next message with what the caller knows it by; nil ends the run.
  ///   - beforeEnd: called directly before the bytes with which the server can have the whole message. If it throws,
  ///     they are not sent, all items are told as lost and not taken, the session ends, and `run` throws the same.
  ///   - done: what became of a message.
  public func run<Item, Failure: Error>(
    next: () -> (Item, SMTPMessage)?, beforeEnd: (Item) throws(Failure) -> Void,
    done: (Item, SMTPOutcome) -> Void
  ) throws(Failure) {
    guard let connection, var current = take(next, done) else { return }
    var isAsked = false
    while true {
      let deadline = Deadline(milliseconds: limits.messageMilliseconds)
      var following: (Item, SMTPMessage)?
      var heldBack: Failure?
      do throws(Lost) {
        switch try offer(current.1, isAsked: isAsked, on: connection, by: deadline) {
        case .refused(let reply, let stage):
          done(current.0, .refused(reply, stage: stage))
          isAsked = false
        case .wanted:
          // What is there now no command has asked for: the next reply would be taken for another one.
          guard !connection.hasInput else { throw Lost(reason: Self.noReply) }
          output.removeAll(keepingCapacity: true)
          let dot = SMTPWire.appendContent(current.1.content, to: &output)
          if extensions.pipelining {
            following = take(next, done)
            if let following { appendEnvelope(following.1) }
          }
          try writeBeginning(upTo: dot, on: connection, by: deadline)
          do throws(Failure) { try beforeEnd(current.0) } catch { heldBack = error }
          if heldBack != nil { throw Lost(reason: "The message was held back.") }
          let reply = try finish(dot: dot, on: connection, by: deadline)
          done(current.0, reply.code < 300 ? .accepted(reply) : .refused(reply, stage: .message))
          isAsked = following != nil
        }
      } catch {
        self.connection = nil
        done(current.0, .lost(reason: error.reason, mayHaveBeenTaken: error.mayHaveBeenTaken))
        if let following { done(following.0, .lost(reason: error.reason, mayHaveBeenTaken: false)) }
        if let heldBack { throw heldBack }
        return
      }
      guard let after = following ?? take(next, done) else { return }
      current = after
    }
  }

  /// Forgets what the server keeps of an unfinished message (RSET): false where the session can't be used any more.
  /// So an idle session is found out that the server has ended.
  public func reset() -> Bool { say("RSET") }

  /// Says nothing in particular (NOOP), which keeps an idle session: false where it can't be used any more.
  public func noop() -> Bool { say("NOOP") }

  /// Ends the session politely; waits a second at most.
  public func quit() {
    guard let connection else { return }
    self.connection = nil
    let deadline = Deadline(milliseconds: 1000)
    guard (try? connection.write(Array("QUIT\r\n".utf8), by: deadline)) != nil else { return }
    _ = try? connection.line(most: Self.mostLineBytes, by: deadline)
  }

  private func say(_ command: String) -> Bool {
    guard let connection else { return false }
    do throws(Lost) {
      let reply = try ask(
        command + "\r\n", on: connection, by: Deadline(milliseconds: limits.replyMilliseconds))
      if command == "RSET" { needsReset = false }
      if reply.code < 300 { return true }
    } catch {}
    self.connection = nil
    return false
  }

  // MARK: The dialog of one message

  /// What ends a session.
  private struct Lost: Error {
    var reason: String
    var mayHaveBeenTaken = false
  }

  private static let noReply = "The server said what is no reply."

  private enum Answer {
    case wanted
    case refused(SMTPReply, SMTPOutcome.Stage)
  }

  /// The next message that can be offered to this server; those that can't are told as refused.
  private func take<Item>(
    _ next: () -> (Item, SMTPMessage)?, _ done: (Item, SMTPOutcome) -> Void
  ) -> (Item, SMTPMessage)? {
    while let (item, message) = next() {
      guard let (reply, stage) = objection(to: message) else { return (item, message) }
      done(item, .refused(reply, stage: stage))
    }
    return nil
  }

  private func objection(to message: SMTPMessage) -> (SMTPReply, SMTPOutcome.Stage)? {
    guard SMTPWire.isAddress(message.sender) else {
      return (SMTPReply(code: 553, enhanced: "5.1.7", text: "The sender's address can't be sent."), .mail)
    }
    guard SMTPWire.isAddress(message.recipient), !message.recipient.isEmpty else {
      return (
        SMTPReply(code: 553, enhanced: "5.1.3", text: "The recipient's address can't be sent."), .recipient
      )
    }
    if !extensions.internationalAddresses {
      for (address, stage) in [(message.sender, SMTPOutcome.Stage.mail), (message.recipient, .recipient)]
      where !SMTPWire.isASCII(address.utf8) {
        let text = "The mail server takes no addresses beyond ASCII."
        return (SMTPReply(code: 553, enhanced: "5.6.7", text: text), stage)
      }
    }
    if let most = extensions.mostBytes, message.content.count > most {
      let text = "The message has \(message.content.count) bytes; the mail server takes \(most)."
      return (SMTPReply(code: 552, enhanced: "5.3.4", text: text), .mail)
    }
    return nil
  }

  private func mailCommand(_ message: SMTPMessage) -> String {
    var command = "MAIL FROM:<\(message.sender)>"
    if extensions.size { command += " SIZE=\(message.content.count)" }
    if extensions.eightBit && !SMTPWire.isASCII(message.content) { command += " BODY=8BITMIME" }
    if extensions.internationalAddresses
      && !(SMTPWire.isASCII(message.sender.utf8) && SMTPWire.isASCII(message.recipient.utf8))
    {
      command += " SMTPUTF8"
    }
    return command + "\r\n"
  }

  /// Appends all commands of an envelope.
  private func appendEnvelope(_ message: SMTPMessage) {
    output += (needsReset ? "RSET\r\n" : "").utf8
    output += mailCommand(message).utf8
    output += "RCPT TO:<\(message.recipient)>\r\nDATA\r\n".utf8
  }

  /// Says the envelope, unless it was said already, and hears whether the server wants the message.
  private func offer(
    _ message: SMTPMessage, isAsked: Bool, on connection: MailConnection, by deadline: Deadline
  ) throws(Lost) -> Answer {
    guard extensions.pipelining else { return try offerInSteps(message, on: connection, by: deadline) }
    if !isAsked {
      try expectSilence(on: connection, by: deadline)
      output.removeAll(keepingCapacity: true)
      appendEnvelope(message)
      try write(on: connection, by: deadline)
    }
    if needsReset {
      try expectReset(hear(on: connection, by: deadline))
    }
    // All replies are heard, whichever they are, to know which is whose.
    let sender = try hear(on: connection, by: deadline)
    let recipient = try hear(on: connection, by: deadline)
    let data = try hear(on: connection, by: deadline)
    let (atSender, atRecipient) = (try Self.refusal(sender, .mail), try Self.refusal(recipient, .recipient))
    let refusal = atSender ?? atRecipient
    if data.code == 354 {
      guard let refusal else { return .wanted }
      // RFC 2920, section 3.1: the server waits for a message to nobody, and must get one.
      _ = try ask(".\r\n", on: connection, by: deadline)
      return refusal
    }
    needsReset = sender.code < 300
    guard let atData = try Self.refusal(data, .data) else { throw Lost(reason: Self.noReply) }
    return refusal ?? atData
  }

  private func offerInSteps(
    _ message: SMTPMessage, on connection: MailConnection, by deadline: Deadline
  ) throws(Lost) -> Answer {
    try expectSilence(on: connection, by: deadline)
    if needsReset { try expectReset(ask("RSET\r\n", on: connection, by: deadline)) }
    let sender = try ask(mailCommand(message), on: connection, by: deadline)
    if let refusal = try Self.refusal(sender, .mail) { return refusal }
    needsReset = true
    let recipient = try ask("RCPT TO:<\(message.recipient)>\r\n", on: connection, by: deadline)
    if let refusal = try Self.refusal(recipient, .recipient) { return refusal }
    let data = try ask("DATA\r\n", on: connection, by: deadline)
    if data.code == 354 {
      needsReset = false
      return .wanted
    }
    guard let refusal = try Self.refusal(data, .data) else { throw Lost(reason: Self.noReply) }
    return refusal
  }

  /// What was said unasked between two messages can only be that the session ends.
  private func expectSilence(on connection: MailConnection, by deadline: Deadline) throws(Lost) {
    guard connection.hasInput else { return }
    _ = try hear(on: connection, by: deadline)
    throw Lost(reason: Self.noReply)
  }

  private func expectReset(_ reply: SMTPReply) throws(Lost) {
    guard reply.code < 300 else { throw Lost(reason: "The server does not begin anew: \(reply)") }
    needsReset = false
  }

  /// The refusal that a reply is; nil for one that says yes, and to ask for more is an answer to DATA only.
  private static func refusal(_ reply: SMTPReply, _ stage: SMTPOutcome.Stage) throws(Lost) -> Answer? {
    guard reply.code < 300 || reply.code >= 400 else { throw Lost(reason: noReply) }
    return reply.code >= 400 ? .refused(reply, stage) : nil
  }

  /// Sends a large message up to its last part, which can't be taken for a whole one.
  private func writeBeginning(upTo dot: Int, on connection: MailConnection, by deadline: Deadline)
    throws(Lost)
  {
    let length = dot - Self.lastPart
    guard length > 0 else { return }
    let failure = unsafe output.withUnsafeBytes {
      unsafe connection.write(UnsafeRawBufferPointer(rebasing: $0[..<length]), by: deadline).failure
    }
    if let failure { throw lost(failure, on: connection) }
  }

  /// Sends the rest of what is to be written, in which the dot is the end of the message, and hears the reply to it.
  private func finish(dot: Int, on connection: MailConnection, by deadline: Deadline) throws(Lost)
    -> SMTPReply
  {
    let start = max(0, dot - Self.lastPart)
    let (taken, failure) = unsafe output.withUnsafeBytes {
      unsafe connection.write(UnsafeRawBufferPointer(rebasing: $0[start...]), by: deadline)
    }
    // Without the dot no server has the message; what is behind it is the next one's. TLS tells of no byte before it
    // has sent all of them.
    let isOut = start + taken > dot || (failure != nil && isEncrypted)
    if let failure, !isOut { throw lost(failure, on: connection) }
    let reply = try hear(on: connection, by: deadline, isEnd: true)
    guard reply.code < 300 || reply.code >= 400 else {
      throw Lost(reason: Self.noReply, mayHaveBeenTaken: true)
    }
    return reply
  }

  // MARK: Commands and replies

  private func ask(_ command: String, on connection: MailConnection, by deadline: Deadline) throws(Lost)
    -> SMTPReply
  {
    output.removeAll(keepingCapacity: true)
    output += command.utf8
    try write(on: connection, by: deadline)
    return try hear(on: connection, by: deadline)
  }

  private func write(on connection: MailConnection, by deadline: Deadline) throws(Lost) {
    let failure = unsafe output.withUnsafeBytes {
      unsafe connection.write($0, by: deadline.within(milliseconds: limits.replyMilliseconds)).failure
    }
    if let failure { throw lost(failure, on: connection) }
  }

  /// The next reply; 421 is thrown, with which a server says that it ends the session (RFC 5321, section 3.8).
  private func hear(
    on connection: MailConnection, by deadline: Deadline, isEnd: Bool = false
  ) throws(Lost) -> SMTPReply {
    let limit = isEnd ? limits.endMilliseconds : limits.replyMilliseconds
    let reply: SMTPReply
    do throws(MailConnection.Failure) {
      reply = try Self.reply(on: connection, by: deadline.within(milliseconds: limit))
    } catch {
      throw Lost(reason: Self.reason(error), mayHaveBeenTaken: isEnd)
    }
    guard reply.code != 421 else { throw Lost(reason: reply.description) }
    return reply
  }

  private static func reply(
    on connection: MailConnection, by deadline: Deadline
  ) throws(MailConnection.Failure) -> SMTPReply {
    var lines: [[UInt8]] = []
    var code: Int?
    while true {
      let line = try connection.line(most: mostLineBytes, by: deadline)
      guard let part = SMTPReply.part(of: line[...]), part.code == code ?? part.code, lines.count < mostLines
      else {
        throw .garbage
      }
      code = part.code
      lines.append(Array(part.text))
      if part.isLast { return SMTPReply(code: part.code, lines: lines) }
    }
  }

  /// Why the connection is lost, in the server's words where it has said some before it closed.
  private func lost(_ failure: MailConnection.Failure, on connection: MailConnection) -> Lost {
    if failure == .closed, let reply = try? Self.reply(on: connection, by: Deadline(milliseconds: 0)) {
      return Lost(reason: reply.description)
    }
    return Lost(reason: Self.reason(failure))
  }

  private static func reason(_ failure: MailConnection.Failure) -> String {
    switch failure {
    case .closed: "The server closed the connection."
    case .timeout: "The server took too long."
    case .garbage: noReply
    case .broken(let text): "The connection broke: \(text)."
    }
  }
}
