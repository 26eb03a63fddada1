import ArgumentParser
import FLApp
import FLCrypto
import Foundation

/// `fastlinkit migrate`: brings the database to this program's schema.
struct Migrate: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Bring the database to this program's schema.")

  @OptionGroup var settings: SettingsOptions

  func run() throws {
    let administration = try Administration(settings.load(), logger: makeLogger("fastlinkit").0)
    let applied = try administration.migrate()
    for name in applied { print("applied \(name)") }
    print(applied.isEmpty ? "The database is up to date." : "\(applied.count) migrations applied.")
  }
}

/// `fastlinkit doctor`: looks for what is wrong, and says what to do about it.
struct Doctor: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check settings, database, directories and clock, and say what to do.")

  @OptionGroup var settings: SettingsOptions

  func run() throws {
    let findings = App.Examination(settingsFile: settings.config).findings
    for finding in findings {
      print("\(finding.isWell ? "ok  " : "FAIL") \(finding.subject): \(finding.words)")
      if let advice = finding.advice { print("     -> \(advice)") }
    }
    guard findings.allSatisfy(\.isWell) else { throw ExitCode.failure }
  }
}

/// `fastlinkit user …`: accounts.
struct User: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Look after accounts.", subcommands: [Create.self])

  /// `fastlinkit user create`.
  struct Create: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Make an account.", discussion: "Exit code 3: there is an account with this address already.")

    @OptionGroup var settings: SettingsOptions
    @Argument(help: "The address to log in with.")
    var email: String
    @Option(help: "The name for people; the address unless given.")
    var name: String?
    @Option(help: "The plan's code.")
    var plan = "free"
    @Flag(help: "Read the password from standard input; without this one is made and shown.")
    var passwordStdin = false
    @Option(help: ArgumentHelp("Also make an API key with full access and this name.", valueName: "name"))
    var apiKey: String?
    @Flag(help: "Print one line of JSON.")
    var json = false

    func run() throws {
      let administration = try Administration(settings.load(), logger: makeLogger("fastlinkit").0)
      let password = passwordStdin ? readLine(strippingNewline: true) ?? "" : SecureRandom.token(bytes: 18)
      do {
        let made = try administration.createAccount(
          email: email, password: password, name: name ?? email, plan: plan, apiKeyName: apiKey)
        print(json ? made.json : made.words)
      } catch let failure as Administration.Failure where failure.isAddressTaken {
        FileHandle.standardError.write(Data("There is an account with the address \(email) already.\n".utf8))
        throw ExitCode(3)
      }
    }
  }
}

/// `fastlinkit plan …`: plans of accounts.
struct PlanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan", abstract: "Look after plans.", subcommands: [Set.self, List.self])

  /// `fastlinkit plan set`.
  struct Set: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Put an account on a plan.")

    @OptionGroup var settings: SettingsOptions
    @Argument(help: "The account's address.")
    var email: String
    @Argument(help: "The plan's code: free, starter, basic, professional, unlimited.")
    var plan: String

    func run() throws {
      try Administration(settings.load(), logger: makeLogger("fastlinkit").0).setPlan(plan, of: email)
      print("\(email) is on the plan \(plan).")
    }
  }

  /// `fastlinkit plan list`.
  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List the plans and their limits.")

    @OptionGroup var settings: SettingsOptions

    func run() throws {
      for line in try Administration(settings.load(), logger: makeLogger("fastlinkit").0).plans() {
        print(line)
      }
    }
  }
}

/// `fastlinkit secret`: a new value for FL_SECRET.
struct Secret: ParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Print a new value for FL_SECRET.")

  func run() { print(MasterKey.generate()) }
}

/// `fastlinkit openapi`: the OpenAPI document.
struct OpenAPICommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "openapi", abstract: "Print the OpenAPI document.")

  @OptionGroup var settings: SettingsOptions

  func run() throws {
    let (logger, log) = makeLogger("fastlinkit")
    print(try App(settings: settings.load(), logger: logger, log: log).openAPIDocument.text)
  }
}
