import Glibc

/// A message and its envelope, for one recipient.
public struct SMTPMessage: Sendable {
  /// The address that failures are reported to (RFC 5321, section 4.4); empty for none, as of a report itself.
  public var sender: String
  /// The address that it goes to.
  public var recipient: String
  /// Header and body (RFC 5322) with CR LF at the ends of lines.
  public var content: [UInt8]

  /// A message.
  public init(from sender: String, to recipient: String, content: [UInt8]) {
    (self.sender, self.recipient, self.content) = (sender, recipient, content)
  }
}

/// What became of a message.
public enum SMTPOutcome: Sendable, Equatable {
  /// Where in the dialog a message was refused.
  public enum Stage: String, Sendable {
    /// At the sender's address (MAIL).
    case mail
    /// At the recipient's address (RCPT).
    case recipient
    /// Before the message (DATA).
    case data
    /// Behind the message.
    case message
  }

  /// The server has it, and answers for it.
  case accepted(SMTPReply)
  /// The server does not take it: for now with a code of 4xx, for good with one of 5xx. What a server would refuse
  /// anyway is refused before it is sent, with the codes 552 and 553.
  case refused(SMTPReply, stage: Stage)
  /// The connection broke, took too long, or said what is no reply; or the server ended it (421). The session can't
  /// be used any more.
  ///
  /// `mayHaveBeenTaken` tells that the end of the message may have reached the server, and no reply came: to send it
  /// again may be to send it twice.
  case lost(reason: String, mayHaveBeenTaken: Bool)
}

/// What a mail server can do (RFC 5321, section 4.2).
struct SMTPExtensions: Equatable {
  /// Takes several commands at once (RFC 2920).
  var pipelining = false
  /// Takes the size of a message before it (RFC 1870).
  var size = false
  /// The largest message that it takes, in bytes; nil where it tells none.
  var mostBytes: Int?
  /// Takes bytes beyond ASCII in a message (RFC 6152).
  var eightBit = false
  /// Takes addresses beyond ASCII (RFC 6531).
  var internationalAddresses = false

  init() {}

  /// Reads what was said while the connection was opened, of which the last reply with code 250 is that to EHLO:
  /// of what was said before STARTTLS nothing counts.
  init(greeting: [[UInt8]]) {
    var block: [ArraySlice<UInt8>] = []
    var isComplete = true
    for line in greeting {
      guard let part = SMTPReply.part(of: line[...]), part.code == 250 else {
        isComplete = true
        continue
      }
      if isComplete { block = [] }
      isComplete = part.isLast
      block.append(part.text)
    }
    // The first line is the server's name.
    for line in block.dropFirst() {
      let words = String(decoding: line, as: UTF8.self).uppercased().split(separator: " ")
      switch words.first {
      case "PIPELINING": pipelining = true
      case "8BITMIME": eightBit = true
      case "SMTPUTF8": internationalAddresses = true
      case "SIZE":
        size = true
        if words.count > 1, let most = Int(words[1]), most > 0 { mostBytes = most }
      default: break
      }
    }
  }
}

/// What of a message goes over the wire.
enum SMTPWire {
  /// Appends content as it is said behind DATA, and its end; returns where the dot is with which it is complete.
  ///
  /// A line that begins with a dot gets another one (RFC 5321, section 4.5.2). A CR or an LF that stands alone becomes
  /// a whole end of a line: servers differ in what they take for one, and so a message could hold the end of itself
  /// and commands behind it.
  static func appendContent(_ content: [UInt8], to output: inout [UInt8]) -> Int {
    output.reserveCapacity(output.count + content.count + 1024)
    unsafe content.withUnsafeBytes { content in
      if unsafe isPlain(content) {
        unsafe output.append(contentsOf: content)
      } else {
        unsafe appendStuffed(content, to: &output)
      }
    }
    if !output.isEmpty && output.last != 10 { output += [13, 10] }
    output += [46, 13, 10]
    return output.count - 3
  }

  /// Whether all ends of lines are CR LF, and no line begins with a dot.
  private static func isPlain(_ content: UnsafeRawBufferPointer) -> Bool {
    guard let base = content.baseAddress, let first = unsafe content.first else { return true }
    guard first != 46 else { return false }
    var ends = 0
    var index = 0
    while index < content.count, let found = unsafe memchr(base + index, 10, content.count - index) {
      let place = unsafe UnsafeRawPointer(found) - base
      index = place + 1
      guard place > 0, unsafe content[place - 1] == 13 else { return false }
      if index < content.count, unsafe content[index] == 46 { return false }
      ends += 1
    }
    // As many CRs as LFs, and one before each LF: none stands alone.
    index = 0
    while index < content.count, let found = unsafe memchr(base + index, 13, content.count - index) {
      index = unsafe UnsafeRawPointer(found) - base + 1
      ends -= 1
    }
    return ends == 0
  }

  private static func appendStuffed(_ content: UnsafeRawBufferPointer, to output: inout [UInt8]) {
    var isAtBeginning = true
    var index = 0
    while index < content.count {
      let byte = unsafe content[index]
      index += 1
      switch byte {
      case 13, 10:
        if byte == 13, index < content.count, unsafe content[index] == 10 { index += 1 }
        output.append(13)
        output.append(10)
        isAtBeginning = true
      default:
        if isAtBeginning && byte == 46 { output.append(46) }
        output.append(byte)
        isAtBeginning = false
      }
    }
  }

  /// Whether an address can stand between `<` and `>`: nothing in it ends the address or the command.
  static func isAddress(_ address: String) -> Bool {
    address.utf8.count <= 320
      && address.utf8.allSatisfy {
        $0 > 32 && $0 != 127 && $0 != UInt8(ascii: "<") && $0 != UInt8(ascii: ">")
      }
      // C1 control characters, which are two bytes.
      && !address.unicodeScalars.contains { (0x80...0x9F).contains($0.value) }
  }

  static func isASCII(_ bytes: some Sequence<UInt8>) -> Bool { bytes.reduce(0, |) < 128 }
}
