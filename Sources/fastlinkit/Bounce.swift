import ArgumentParser
import FLApp
import FLMariaDB
import FLValues
import Foundation

/// `fastlinkit bounce`: takes a message that came back from a mail server.
///
/// The exit codes are those of `sysexits.h`, by which mail servers know what to do: whatever keeps the message from being
/// read and noted now is `EX_TEMPFAIL`, so that it is handed in again; a bounce that is refused would be lost.
struct Bounce: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Take a bounce or a complaint from standard input.",
    discussion: """
      For a mail server's pipe or alias. It reads a message, finds out by its signed return path whose it is, and notes \
      what it tells: a contact whose address does not exist gets no more mailings, and who complained is unsubscribed. \
      What is forged, or no report, is ignored.

      Exit code 0: done or ignored; 75: the database can't be reached or the settings can't be used, try again later.
      """)

  /// `EX_TEMPFAIL` of `sysexits.h`.
  private static let tryAgain = ExitCode(75)
  /// What is read of a message; the rest tells nothing more, and is read away so that the mail server is not hung up on.
  private static let largest = 1 << 20

  @OptionGroup var settings: SettingsOptions
  @Option(
    help: ArgumentHelp(
      "The address that the message came to; without it, what the environment and the message say.",
      valueName: "address"))
  var recipient: [String] = []

  func run() throws {
    let result: BounceResult
    do {
      let message = try Self.message()
      let settings = try Settings.load(file: settings.config)
      let database = Database(settings.database, logger: makeLogger("fastlinkit").0)
      result = try BounceService(database: database, settings: settings).receive(
        message, Self.envelope(recipient, ProcessInfo.processInfo.environment), at: .now)
    } catch {
      FileHandle.standardError.write(Data("The message could not be taken now: \(error.loggable)\n".utf8))
      throw Self.tryAgain
    }
    print(result)
  }

  private static func message() throws -> [UInt8] {
    var message: [UInt8] = []
    while let some = try FileHandle.standardInput.read(upToCount: 65_536), !some.isEmpty {
      message += some.prefix(largest - message.count)
    }
    return message
  }

  /// What the mail server tells by the environment: postfix's `local`, exim's `pipe` and qmail each in their way.
  private static func envelope(_ recipients: [String], _ environment: [String: String])
    -> BounceService.Envelope
  {
    var recipients = recipients
    for name in ["ORIGINAL_RECIPIENT", "RECIPIENT"] {
      if let address = environment[name] { recipients.append(address) }
    }
    if let local = environment["LOCAL_PART"], let suffix = environment["LOCAL_PART_SUFFIX"] {
      recipients.append("\(local)\(suffix)@\(environment["DOMAIN"] ?? "localhost")")
    }
    if let token = environment["EXTENSION"] { recipients.append("bounce+\(token)@localhost") }
    let sender = environment["SENDER"].map { $0.uppercased() }
    return BounceService.Envelope(
      recipients: recipients.map { String($0.prefix(1000)) },
      isFromNobody: sender.map { $0.isEmpty || $0 == "<>" || $0.hasPrefix("MAILER-DAEMON") } ?? false)
  }
}
