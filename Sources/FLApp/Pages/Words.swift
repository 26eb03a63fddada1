/// A span of time as a visitor reads it.
enum Wait {
  /// "1 second", "40 seconds", "3 minutes", "2 hours": never shorter than what it stands for.
  static func words(forSeconds seconds: Int) -> String {
    let (count, unit) =
      switch seconds {
      case ...90: (max(1, seconds), "second")
      case ...5400: ((seconds - 1) / 60 + 1, "minute")
      default: ((seconds - 1) / 3600 + 1, "hour")
      }
    return "\(count) \(unit)\(count == 1 ? "" : "s")"
  }
}

/// A number of bytes as a visitor reads it.
enum ByteCount {
  /// "1 byte", "512 bytes", "1.5 kB", "23 MB": in powers of a thousand, as disks and browsers count.
  static func words(_ count: Int) -> String {
    guard count >= 1000 else { return "\(count) byte\(count == 1 ? "" : "s")" }
    let units = ["kB", "MB", "GB", "TB", "PB", "EB"]
    var tenths = count / 100
    var unit = 0
    while tenths >= 9_995, unit < units.count - 1 {
      tenths = (tenths + 500) / 1000
      unit += 1
    }
    let isRound = tenths >= 100 || tenths % 10 == 0
    return "\(isRound ? "\((tenths + 5) / 10)" : "\(tenths / 10).\(tenths % 10)") \(units[unit])"
  }
}

/// What a page needs to know of an address that somebody else typed in.
enum WebAddress {
  /// The address itself where a browser would take it as http or https to a host; nil for everything else
  /// (`javascript:`, `data:`, relative ones, and those with spaces or control characters, which browsers mend
  /// in ways of their own).
  static func href(_ address: String) -> String? {
    authority(of: address) == nil ? nil : address
  }

  /// Host and port of an http or https address, as written, without a user's name; nil for everything else.
  static func authority(of address: String) -> String? {
    guard address.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "\\") }) else { return nil }
    let scheme = address.utf8.prefix { $0 != UInt8(ascii: ":") }
    guard ["https", "http"].contains(String(Substring(scheme)).lowercased()) else { return nil }
    guard address.utf8.dropFirst(scheme.count).starts(with: "://".utf8) else { return nil }
    let rest = address.utf8.dropFirst(scheme.count + 3)
    let authority = rest.prefix { !"/?#".utf8.contains($0) }
    let host = authority.split(separator: UInt8(ascii: "@"), omittingEmptySubsequences: false).last
    guard let host, !host.isEmpty else { return nil }
    return String(Substring(host))
  }
}
