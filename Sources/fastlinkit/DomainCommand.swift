import ArgumentParser
import FLApp

/// `fastlinkit domain …`: the operator's own domains that mail comes from.
struct DomainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "domain",
    abstract: "Look after the domains that mail comes from, and the keys that sign it.",
    discussion:
      "These are the operator's: all accounts may send from them. Accounts add their own by the API.",
    subcommands: [Add.self, List.self, Verify.self, Remove.self])

  /// `fastlinkit domain add`.
  struct Add: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Make keys for a domain, and print what its DNS is to have.")

    @OptionGroup var settings: SettingsOptions
    @Argument(help: "The domain.")
    var domain: String

    func run() throws {
      print(try OperatorDomains(settings.load(), logger: makeLogger("fastlinkit").0).add(domain))
    }
  }

  /// `fastlinkit domain list`.
  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List the domains.")

    @OptionGroup var settings: SettingsOptions

    func run() throws {
      for line in try OperatorDomains(settings.load(), logger: makeLogger("fastlinkit").0).list() {
        print(line)
      }
    }
  }

  /// `fastlinkit domain verify`.
  struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Look a domain up in DNS.", discussion: "Exit code 1: DNS has none of its keys.")

    @OptionGroup var settings: SettingsOptions
    @Argument(help: "The domain.")
    var domain: String

    func run() throws {
      let domains = try OperatorDomains(settings.load(), logger: makeLogger("fastlinkit").0)
      let result = try domains.verify(domain)
      print(result.words)
      guard result.isVerified else { throw ExitCode.failure }
    }
  }

  /// `fastlinkit domain remove`.
  struct Remove: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Take a domain and its keys away.")

    @OptionGroup var settings: SettingsOptions
    @Argument(help: "The domain.")
    var domain: String

    func run() throws {
      try OperatorDomains(settings.load(), logger: makeLogger("fastlinkit").0).remove(domain)
      print("\(domain) is gone.")
    }
  }
}
