/// The one secret of an installation, 32 random bytes, from which every other key is derived.
public struct MasterKey: Sendable {
  private let secret: Secret

  /// Reads 32 bytes written as 64 hexadecimal digits, base64 or base64url, the latter two with or without
  /// padding; white space around it, such as the line end of a file, is left out. Nil for anything else.
  public init?(text: String) {
    var symbols = text.utf8[...]
    let space = Set(" \t\r\n".utf8)
    while let last = symbols.last, space.contains(last) { symbols.removeLast() }
    while let first = symbols.first, space.contains(first) { symbols.removeFirst() }
    let bytes: [UInt8]?
    switch symbols.count {
    case 64: bytes = Hex.decode(String(Substring(symbols)))
    case 43, 44:
      if symbols.count == 44 {
        guard symbols.removeLast() == UInt8(ascii: "=") else { return nil }
      }
      bytes = Base64URL.alphabet.decode(Array(symbols)) ?? Base64.alphabet.decode(Array(symbols))
    default: return nil
    }
    guard var bytes, bytes.count == 32 else { return nil }
    secret = Secret(bytes)
    bytes.wipe()
  }

  /// The 32 bytes of the key for `purpose`, always the same: HKDF with `purpose` as its info.
  public func key(for purpose: String) -> [UInt8] { HKDF.derive(from: secret.bytes, info: purpose) }

  /// The text of a new key: 43 characters of base64url.
  public static func generate() -> String { SecureRandom.token(bytes: 32) }
}
