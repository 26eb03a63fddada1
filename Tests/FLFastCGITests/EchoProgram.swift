import Foundation
import Glibc

/// A started program of the tests, stopped by its pid at the latest with this object.
final class Program: @unchecked Sendable {
  let process: Process
  let output = Pipe()

  /// Starts `path`; `standardInput` may be a listening socket.
  init(
    _ path: String, _ arguments: [String], environment: [String: String] = [:],
    standardInput: Int32? = nil
  ) throws {
    process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    var variables = ProcessInfo.processInfo.environment
    variables.merge(environment) { $1 }
    process.environment = variables
    process.standardInput =
      standardInput.map { FileHandle(fileDescriptor: $0, closeOnDealloc: false) } ?? FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
  }

  deinit {
    guard process.isRunning else { return }
    kill(process.processIdentifier, SIGTERM)
    for _ in 0..<100 where process.isRunning { usleep(50_000) }
    if process.isRunning { kill(process.processIdentifier, SIGKILL) }
  }

  func signal(_ signal: Int32) { kill(process.processIdentifier, signal) }

  /// Waits for the end, at most `seconds`; the exit code, nil if it still runs.
  func exitCode(within seconds: Double = 60) -> Int32? {
    let until = Date().addingTimeInterval(seconds)
    while process.isRunning && Date() < until { usleep(10_000) }
    return process.isRunning ? nil : process.terminationStatus
  }

  /// The `fcgi-echo` that was built beside the tests.
  static var echo: String {
    let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    return URL(fileURLWithPath: tests).deletingLastPathComponent().appendingPathComponent("fcgi-echo").path
  }
}

/// A directory of a test's own, removed with this object.
final class TemporaryDirectory {
  let path: String

  init() throws {
    var template = Array("/tmp/fl-fcgi-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Failure("mkdtemp") }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String) -> String { path + "/" + name }
}

struct Failure: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// `fcgi-echo` on a Unix socket in a directory of its own.
final class Echo {
  let directory: TemporaryDirectory
  let socket: String
  let program: Program

  init(_ options: String...) throws {
    directory = try TemporaryDirectory()
    socket = directory.file("echo.sock")
    program = try Program(Program.echo, ["--unix", socket] + options)
    try waitUntilListening(socket)
  }

  func connect() throws -> FastCGIClient { try FastCGIClient(unix: socket) }
}

/// Waits until somebody listens on the Unix socket, at most half a minute.
func waitUntilListening(_ path: String) throws {
  for _ in 0..<3000 {
    if (try? FastCGIClient(unix: path)) != nil { return }
    usleep(10_000)
  }
  throw Failure("nobody listens on \(path)")
}

/// A text's line behind `name: `.
func line(_ name: String, in text: String) -> String? {
  text.split(separator: "\n").first { $0.hasPrefix(name + ": ") }.map { String($0.dropFirst(name.count + 2)) }
}

/// FNV-1a, 64 bits, as `fcgi-echo` prints it.
func digest(_ bytes: [UInt8]) -> String {
  var hash: UInt64 = 0xcbf2_9ce4_8422_2325
  for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
  return String(hash, radix: 16)
}
