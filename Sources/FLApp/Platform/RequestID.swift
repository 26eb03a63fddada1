import FLCrypto
import FLHTTP
import HTTPTypes
import Synchronization

/// Names requests, so that what a client was answered is found in the log.
final class RequestIDs: Sendable {
  private let process = Hex.encode(SecureRandom.bytes(8))
  private let next = Atomic<UInt64>(0)

  /// The id of `request`: the client's, where it is a sane one, or a new one.
  func id(of request: Request) -> String {
    if let sent = request.headers[.requestID], (1...128).contains(sent.utf8.count),
      sent.utf8.allSatisfy({ byte in
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
          || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
      })
    {
      return sent
    }
    return "\(process)-\(next.add(1, ordering: .relaxed).newValue)"
  }
}
