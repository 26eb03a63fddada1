import HTTPTypes

/// The header fields' names by the CGI variables that carry them, so that each is made once a worker.
struct FieldNames {
  private struct Entry {
    let variable: [UInt8]
    let name: HTTPField.Name?
  }

  /// Buckets by the low bits of the variable's hash.
  private var buckets = [[Entry]](repeating: [], count: 128)
  private var count = 0
  /// A client chooses names freely; past this many they are made anew each time.
  private static let limit = 256

  /// `x-api-key` for `X_API_KEY` (a variable without its `HTTP_`); nil for what is no name.
  mutating func name(for variable: UnsafeBufferPointer<UInt8>) -> HTTPField.Name? {
    var hash: UInt32 = 2_166_136_261  // FNV-1a
    for index in variable.indices {
      hash = unsafe (hash ^ UInt32(variable[index])) &* 16_777_619
    }
    let bucket = Int((hash ^ hash >> 15) & 127)
    for entry in buckets[bucket] where entry.variable.count == variable.count {
      let same = unsafe entry.variable.withUnsafeBufferPointer { known in
        unsafe known.elementsEqual(variable)
      }
      if same { return entry.name }
    }
    let name = unsafe FieldNames.make(variable)
    if count < FieldNames.limit {
      unsafe buckets[bucket].append(Entry(variable: Array(variable), name: name))
      count += 1
    }
    return name
  }

  /// Fields that a handler must not see: `Proxy` would become the variable `HTTP_PROXY`, which HTTP clients
  /// obey (CVE-2016-5385); the body's type and length come as variables of their own (RFC 3875, 4.1.2).
  private static let skipped: Set<String> = ["proxy", "content-length", "content-type", "transfer-encoding"]

  private static func make(_ variable: UnsafeBufferPointer<UInt8>) -> HTTPField.Name? {
    let text = unsafe String(
      decoding: variable.map { byte in
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte | 0x20
        case UInt8(ascii: "_"): UInt8(ascii: "-")
        default: byte
        }
      }, as: UTF8.self)
    return skipped.contains(text) ? nil : HTTPField.Name(text)
  }
}
