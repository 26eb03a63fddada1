import ArgumentParser
import FLApp
import FLFastCGI
import Foundation
import Logging

/// The program: it serves requests, and does what an operator asks for.
@main
struct FastLinkIt: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fastlinkit",
    abstract: "Short links, and what was clicked: serve them, and look after them.",
    version: App.version,
    subcommands: [
      Serve.self, Migrate.self, Doctor.self, User.self, PlanCommand.self, Bounce.self, Secret.self,
      Serve.self, Migrate.self, Doctor.self, User.self, PlanCommand.self, DomainCommand.self, Secret.self,
      OpenAPICommand.self,
    ])

  /// A web server that starts this program for one request gives it no arguments.
  static func main() {
    guard CommandLine.arguments.count == 1, Invocation.detect() == .cgi else {
      main(nil)
      return
    }
    OneRequest.answer()
  }
}

/// Where the settings are, for every command.
struct SettingsOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The settings file.", valueName: "file"))
  var config: String?

  /// Reads the settings; ends the program with the reason where they can't be used.
  func load() throws -> Settings {
    do {
      return try Settings.load(file: config)
    } catch let failure as Settings.Failure {
      throw Failure(failure.description)
    }
  }
}

/// Why a command can't do what it was asked for; printed after `Error:`, with exit code 1.
struct Failure: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

/// Builds what logs: JSON lines on standard error.
func makeLogger(_ label: String) -> (Logger, LogSink) {
  let sink = LogSink()
  return (Logger(label: label) { JSONLogHandler(label: $0, sink: sink) }, sink)
}
