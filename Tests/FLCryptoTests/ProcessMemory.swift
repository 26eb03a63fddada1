import Foundation
import Testing

/// A size that the kernel tells of this process, in KiB: `VmRSS` is the memory it has, `VmHWM` the most it had.
func kibibytes(_ name: String) throws -> Int {
  let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
  let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("\(name):") })
  return try #require(Int(line.filter(\.isNumber)))
}
