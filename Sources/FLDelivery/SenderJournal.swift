import FLApp
import FLValues
import Foundation

/// What a run of the sender notes on the disk of its host before and after the end of each message, so that after its
/// death it is known of each message in hand whether a server has taken it: not yet, surely, or perhaps.
///
/// A record is appended by one `write`: it is in the kernel's page cache when `append` returns, which survives `kill -9`.
/// After a loss of power the last records may be missing; the name of the boot in the first line tells of one.
final class SenderJournal: Sendable {
  /// One message.
  struct Message: Hashable {
    let mailing: MailingID
    let contact: ContactID
  }

  /// What is known of a message that was in hand.
  enum Fate: Equatable {
    /// Its end was about to be sent, and no answer is noted.
    case perhaps
    /// A server answered with this code, and took it or not; it may have been the recipient's address that it refused.
    case answered(code: Int, reply: String, isOfRecipient: Bool, at: Timestamp)
  }

  static let suffix = ".journal"

  let path: String
  private let descriptor: CInt

  /// A new journal for `sender`, locked for as long as this process lives.
  /// - Throws: `Failure` where the file can't be made.
  init(of sender: SenderID, in directory: String) throws {
    do {
      try FileManager.default.createDirectory(
        atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    } catch {
      throw Failure(description: "The directory \(directory) can't be made.")
    }
    path = "\(directory)/\(sender)\(Self.suffix)"
    // Locked before it has its name: who finds it by that finds it locked.
    let draft = path + ".new"
    descriptor = open(draft, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0, flock(descriptor, LOCK_EX | LOCK_NB) == 0, append(Self.boot + "\n"),
      rename(draft, path) == 0
    else {
      throw Failure(description: "The journal \(path) can't be made: \(String(cString: strerror(errno))).")
    }
  }

  deinit { close(descriptor) }

  /// Why there is no journal; without one nothing is sent.
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  /// Notes that the end of a message is about to be sent; false where it can't be noted, and then it must not be sent.
  func willEnd(_ message: Message) -> Bool { append(line: "E \(message.mailing) \(message.contact)") }

  /// Notes a server's answer to the end of a message, or to its recipient.
  func answered(
    _ message: Message, code: Int, reply: String, isOfRecipient: Bool = false, at time: Timestamp
  ) {
    let reply = reply.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : Character($0) }
    let kind = isOfRecipient ? "R" : "A"
    _ = append(
      line: "\(kind) \(message.mailing) \(message.contact) \(code) \(time.microseconds) \(String(reply))")
  }

  /// Notes that a server has surely not taken a message whose end was noted.
  func notTaken(_ message: Message) { _ = append(line: "N \(message.mailing) \(message.contact)") }

  /// Each line begins with an end: one that was cut off for want of room does not swallow the next.
  private func append(line: String) -> Bool { append("\n" + line + "\n") }

  private func append(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    while true {
      let written = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      if written == bytes.count { return true }
      if written >= 0 || errno != EINTR { return false }
    }
  }

  /// Takes the journal away: nothing is in hand any more.
  func remove() { unlink(path) }

  // MARK: Those of the dead

  /// The journal of a run that is gone, held so that nobody else reads it at the same time.
  final class Remains {
    let sender: SenderID
    /// What is known of the messages; nil where the host was started anew since: then it is not known what is missing.
    let fates: [Message: Fate]?
    private let path: String
    private let descriptor: CInt

    /// The journal at `path`; nil while its run lives, or another reads it.
    init?(path: String) {
      let name = (path as NSString).lastPathComponent
      guard let sender = SenderID(String(name.dropLast(SenderJournal.suffix.count))) else { return nil }
      let descriptor = open(path, O_RDONLY | O_CLOEXEC)
      guard descriptor >= 0 else { return nil }
      var opened = stat()
      var named = stat()
      guard flock(descriptor, LOCK_EX | LOCK_NB) == 0, fstat(descriptor, &opened) == 0,
        stat(path, &named) == 0,
        opened.st_ino == named.st_ino, let data = FileManager.default.contents(atPath: path)
      else {
        close(descriptor)
        return nil
      }
      (self.path, self.sender, self.descriptor) = (path, sender, descriptor)
      fates = SenderJournal.read(data)
    }

    deinit { close(descriptor) }

    /// Takes the journal away, when what it tells is in the database.
    func remove() { unlink(path) }
  }

  /// The journals in `directory` whose runs are gone.
  static func remains(in directory: String) -> [Remains] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
    return names.filter { $0.hasSuffix(suffix) }.sorted().compactMap { Remains(path: "\(directory)/\($0)") }
  }

  /// Reads a journal; nil where it is of another boot. A line that was cut off is left out.
  static func read(_ data: Data) -> [Message: Fate]? {
    // The replies of servers are any text: broken UTF-8 must not hide a line.
    let lines = data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast()
      .map { String(decoding: $0, as: UTF8.self) }
    guard let first = lines.first, first == boot else { return nil }
    return lines.dropFirst().reduce(into: [:]) { fates, line in
      let parts = line.split(separator: " ", maxSplits: 5, omittingEmptySubsequences: false)
      guard parts.count >= 3, let mailing = MailingID(String(parts[1])),
        let contact = ContactID(String(parts[2]))
      else { return }
      let message = Message(mailing: mailing, contact: contact)
      switch parts[0] {
      case "E": fates[message] = .perhaps
      case "N": fates[message] = nil
      case "A", "R":
        guard parts.count == 6, let code = Int(parts[3]), let time = Int64(parts[4]) else { return }
        fates[message] = .answered(
          code: code, reply: String(parts[5]), isOfRecipient: parts[0] == "R",
          at: Timestamp(microseconds: time))
      default: break
      }
    }
  }

  /// What names this start of the host.
  private static let boot: String = {
    let text = (try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)) ?? ""
    return "boot " + text.trimmingCharacters(in: .whitespacesAndNewlines)
  }()
}
