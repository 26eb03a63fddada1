import COpenSSL

/// Whether `a` and `b` are the same bytes, in a time that depends on their lengths alone: for codes, digests
/// and tokens that somebody might guess byte by byte.
public func constantTimeEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool {
  guard a.count == b.count else { return false }
  return unsafe CRYPTO_memcmp(a, b, a.count) == 0
}
