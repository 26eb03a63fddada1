/// The CRC-32 of ISO 3309 and RFC 1952 (polynomial 0xEDB88320), eight bytes at a time.
enum CRC32 {
  /// `tables[k * 256 + b]` is the remainder of the byte `b` with `k` zero bytes behind it.
  private static let tables: [UInt32] = {
    var tables = [UInt32](repeating: 0, count: 8 * 256)
    for byte in 0..<256 {
      var remainder = UInt32(byte)
      for _ in 0..<8 { remainder = remainder & 1 == 1 ? remainder >> 1 ^ 0xEDB8_8320 : remainder >> 1 }
      tables[byte] = remainder
    }
    for index in 256..<tables.count {
      let before = tables[index - 256]
      tables[index] = before >> 8 ^ tables[Int(before & 255)]
    }
    return tables
  }()

  /// The check of `bytes`.
  static func of(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    tables.withUnsafeBufferPointer { tables in
      var check: UInt32 = 0xFFFF_FFFF
      var index = 0
      while index + 8 <= bytes.count {
        let low = bytes.loadUnaligned(fromByteOffset: index, as: UInt32.self).littleEndian ^ check
        let high = bytes.loadUnaligned(fromByteOffset: index + 4, as: UInt32.self).littleEndian
        check =
          tables[1792 + Int(low & 255)] ^ tables[1536 + Int(low >> 8 & 255)]
          ^ tables[1280 + Int(low >> 16 & 255)] ^ tables[1024 + Int(low >> 24)]
          ^ tables[768 + Int(high & 255)] ^ tables[512 + Int(high >> 8 & 255)]
          ^ tables[256 + Int(high >> 16 & 255)] ^ tables[Int(high >> 24)]
        index += 8
      }
      while index < bytes.count {
        check = check >> 8 ^ tables[Int((check ^ UInt32(bytes[index])) & 255)]
        index += 1
      }
      return ~check
    }
  }
}
