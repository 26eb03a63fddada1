import COpenSSL

/// Key material in memory of its own, which is wiped when the last owner lets go of it and shows in no
/// description, dump or reflection.
@safe
final class Secret: @unchecked Sendable, CustomReflectable {
  // Never written between init and deinit, hence safe to share.
  private let storage: UnsafeMutableRawBufferPointer

  /// A copy of `bytes`.
  init(_ bytes: [UInt8]) {
    unsafe storage = .allocate(byteCount: bytes.count, alignment: 16)
    unsafe storage.copyBytes(from: bytes)
  }

  deinit {
    unsafe OPENSSL_cleanse(storage.baseAddress, storage.count)
    unsafe storage.deallocate()
  }

  /// How many bytes it has.
  var count: Int { unsafe storage.count }

  /// A copy of the bytes.
  var bytes: [UInt8] { unsafe [UInt8](storage) }

  /// Calls `body` with the bytes where they are.
  func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    try unsafe body(UnsafeRawBufferPointer(storage))
  }

  var customMirror: Mirror { Mirror(self, children: []) }
}

extension [UInt8] {
  /// Overwrites the bytes in a way that the compiler does not leave out. Copies made before stay.
  mutating func wipe() {
    unsafe withUnsafeMutableBytes { unsafe OPENSSL_cleanse($0.baseAddress, $0.count) }
  }
}
