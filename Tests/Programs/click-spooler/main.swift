import FLApp
import FLMariaDB
import FLValues
import Foundation
import Logging

// A process for the tests to kill, and a stopwatch:
//
//   click-spooler append DIRECTORY LINK ACCOUNT COUNT
//     appends COUNT clicks with four threads; after each it writes a byte to standard output.
//   click-spooler load DIRECTORY SOCKET DATABASE
//     loads what is there and what comes, until standard input ends.
//   click-spooler measure DIRECTORY SOCKET DATABASE COUNT LINKS BATCH
//     appends COUNT clicks on LINKS links, loads them without resting, and prints both rates.

/// Clicks as a busy host has them: some browsers, hosts and languages, every tenth a bot's, every seventh a scan of the
/// link's QR code, whose identifier is the link's next one.
func click(_ number: Int, link: LinkID, account: AccountID, at: Timestamp = .now)
  -> ClickRecord
{
  let agents = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
      + "Version/26.0 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
  ]
  let isBot = number % 10 == 9
  return ClickRecord(
    id: ID(at: at), linkID: link, accountID: account, at: at,
    visitor: UInt64(number / 3) &* 0x9E37_79B9_7F4A_7C15, isBot: isBot,
    source: number % 7 == 0 ? .scan : .click,
    qrCodeID: number % 7 == 0 ? QRCodeID(high: link.high, low: link.low + 1) : nil,
    userAgent: isBot ? "Googlebot/2.1 (+http://www.google.com/bot.html)" : agents[number % agents.count],
    referrer: number % 4 == 0 ? "" : "https://www.site\(number % 20).example/page?q=\(number)",
    acceptLanguage: ["de-DE,de;q=0.9", "en-US", "fr"][number % 3])
}

func loader(_ directory: String, _ socket: String, _ name: String, pace: ClickLoader.Pace) -> ClickLoader {
  let logger = Logger(label: "click-spooler") { _ in SwiftLogNoOpLogHandler() }
  let database = Database(.init(socket: socket, name: name), logger: logger)
  return ClickLoader(directory: directory, spool: nil, database: database, pace: pace, logger: logger)
}

let arguments = CommandLine.arguments
let quiet = Logger(label: "click-spooler") { _ in SwiftLogNoOpLogHandler() }
switch (arguments.dropFirst().first, arguments.count) {
case ("append", 6):
  guard let link = LinkID(arguments[3]), let account = AccountID(arguments[4]),
    let count = Int(arguments[5])
  else { exit(64) }
  let spool = try ClickSpool(directory: arguments[2], rotateAfter: 64 << 10, logger: quiet)
  DispatchQueue.concurrentPerform(iterations: 4) { thread in
    for number in 0..<count / 4 {
      spool.append(click(thread + number * 4, link: link, account: account))
      FileHandle.standardOutput.write(Data([46]))
    }
  }
case ("load", 5):
  var pace = ClickLoader.Pace()
  (pace.batch, pace.idle, pace.leastRest) = (50, .milliseconds(5), .zero)
  (pace.restFactor, pace.lookAround) = (0, .milliseconds(5))
  let end = pollfd(fd: 0, events: Int16(POLLIN), revents: 0)
  loader(arguments[2], arguments[3], arguments[4], pace: pace).run {
    var wanted = end
    return poll(&wanted, 1, 0) > 0
  }
case ("measure", 8):
  guard let count = Int(arguments[5]), let links = Int(arguments[6]), let batch = Int(arguments[7]) else {
    exit(64)
  }
  let spool = try ClickSpool(directory: arguments[2], logger: quiet)
  let accounts = (0..<max(1, links / 50)).map { _ in AccountID(at: .now) }
  let all = (0..<links).map { (LinkID(at: .now), accounts[$0 % accounts.count]) }
  let records = (0..<count).map { number in
    // A few links have most of the clicks.
    let place = Double.random(in: 0..<1)
    let (link, account) = all[Int(place * place * place * Double(links))]
    return click(number, link: link, account: account)
  }
  let clock = ContinuousClock()
  let appending = clock.measure { for record in records { spool.append(record) } }
  spool.finish()
  var bots = 0
  let judging = clock.measure { for record in records { bots += UserAgent.isBot(record.userAgent) ? 1 : 0 } }
  let salts = ClickSalts()
  var mixed: UInt64 = 0
  let digesting = clock.measure {
    for record in records.prefix(10_000) {
      mixed ^= salts.visitor(
        linkID: record.linkID, address: "192.0.2.1", userAgent: record.userAgent, at: record.at)
    }
  }
  let sealer = Database(.init(socket: arguments[3], name: arguments[4]), logger: quiet)
  try salts.refresh(sealer)
  var sealed = 0
  let sealing = clock.measure {
    for record in records.prefix(10_000) {
      sealed += salts.sealed("192.0.2.1", of: record.id, at: record.at) == nil ? 0 : 1
    }
  }
  let each = min(count, 10_000)
  print(
    "isBot: \(judging / count) each; digest: \(digesting / each) each; address: \(sealing / each) each", bots,
    mixed,
    sealed)
  var pace = ClickLoader.Pace()
  pace.batch = batch
  let reader = loader(arguments[2], arguments[3], arguments[4], pace: pace)
  let loading = try clock.measure { try reader.drainOnce(within: .seconds(600)) }
  print(
    "append: \(appending / count) each; load: \(reader.loadedClicks) clicks in \(loading),",
    Int(Double(reader.loadedClicks) * 1e6 / Double(loading.wholeMicroseconds)), "a second")
default:
  exit(64)
}
