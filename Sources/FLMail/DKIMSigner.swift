import FLCrypto
import FLValues

/// Signs messages for a domain (DKIM, RFC 6376), with RSA or with Ed25519 (RFC 8463), both forms "relaxed".
public struct DKIMSigner: Sendable {
  /// The domain that vouches for the message, in A-labels.
  public let domain: String
  /// Which of its keys this is: the record is at `<selector>._domainkey.<domain>`.
  public let selector: String
  private let key: SigningKey

  /// A signer; nil unless domain and selector are host names in ASCII.
  public init?(domain: String, selector: String, key: SigningKey) {
    guard DKIMRecord.isName(domain), DKIMRecord.isName(selector) else { return nil }
    (self.domain, self.selector, self.key) = (domain, selector, key)
  }

  /// The `DKIM-Signature` field of `message`, with CR and LF at its end: to be put in front of the message.
  /// - Parameters:
  ///   - message: A whole message with CR and LF at the end of each line, before dots are doubled.
  ///   - time: When it was signed.
  public func sign(_ message: [UInt8], at time: Timestamp) -> [UInt8] {
    Self.signatures(of: message, by: [self], at: time)
  }

  /// The fields of several signatures of `message`, to be put in front of it. The message is looked through once for
  /// all of them.
  public static func signatures(of message: [UInt8], by signers: [DKIMSigner], at time: Timestamp) -> [UInt8]
  {
    let head = MessageHead(message)
    var names: [String] = []
    var signed = [UInt8]()
    signed.reserveCapacity(2048)
    for name in signedNames {
      guard let field = head.last(name) else { continue }
      names.append(name)
      Canonical.appendRelaxed(field: message[field], to: &signed)
    }
    // Named once more than it is there: nobody can add another `From` without breaking the signature.
    names.append("from")
    let bodyHash = Base64.encode(SHA256.digest(Canonical.relaxed(body: message[head.bodyStart...])))
    return signers.reduce(into: []) {
      $0 += $1.field(names: names, signed: signed, bodyHash: bodyHash, at: time)
    }
  }

  private static let signedNames = [
    "from", "to", "subject", "date", "message-id", "reply-to", "mime-version", "content-type",
    "content-transfer-encoding", "list-unsubscribe", "list-unsubscribe-post", "list-id",
    "feedback-id", "auto-submitted",
  ]

  private func field(names: [String], signed: [UInt8], bodyHash: String, at time: Timestamp) -> [UInt8] {
    let algorithm = key.algorithm == .rsa2048 ? "rsa-sha256" : "ed25519-sha256"
    var head = HeaderWriter()
    head.begin("DKIM-Signature")
    for tag in [
      "v=1;", "a=\(algorithm);", "c=relaxed/relaxed;", "d=\(domain);", "s=\(selector);",
      "t=\(max(time.seconds, 0));",
    ] {
      head.addWord(tag.utf8)
    }
    // A list may be folded at its colons.
    head.addWord("h=".utf8)
    head.addBytes(names[0].utf8)
    for name in names.dropFirst() { head.addListed(name.utf8) }
    head.addBytes(";".utf8)
    head.addWord("bh=\(bodyHash);".utf8)
    head.addWord("b=".utf8)
    var data = signed
    Canonical.appendRelaxed(field: head.output[...], to: &data)
    data.removeLast(2)
    let signature = key.sign(key.algorithm == .ed25519 ? SHA256.digest(data) : data)
    head.addBroken(Array(Base64.encode(signature).utf8))
    head.end()
    return head.output
  }
}

/// Where the fields of a message are.
private struct MessageHead {
  private var fields: [(name: Range<Int>, whole: Range<Int>)] = []
  private let message: [UInt8]
  /// Behind the blank line.
  private(set) var bodyStart: Int

  init(_ message: [UInt8]) {
    self.message = message
    bodyStart = message.count
    var start = 0
    while start < message.count {
      var end = start
      var colon: Int?
      while end < message.count, message[end] != 0x0A {
        if colon == nil, message[end] == UInt8(ascii: ":") { colon = end }
        end += 1
      }
      end = min(end + 1, message.count)
      if message[start] == 0x0D || message[start] == 0x0A {
        bodyStart = end
        return
      }
      if message[start] == 0x20 || message[start] == 0x09, let last = fields.indices.last {
        fields[last].whole = fields[last].whole.lowerBound..<end
      } else if let colon {
        fields.append((start..<colon, start..<end))
      }
      start = end
    }
  }

  /// The last field with this name in lower case, which is the one that signatures count first.
  func last(_ name: String) -> Range<Int>? {
    fields.last { field in
      field.name.count == name.utf8.count
        && message[field.name].lazy.map(\.lowercased).elementsEqual(name.utf8)
    }?.whole
  }
}

/// The relaxed canonical forms of RFC 6376, section 3.4.
enum Canonical {
  /// Appends a field: its name in lower case, each white space a space, none at the ends; with CR and LF.
  static func appendRelaxed(field: ArraySlice<UInt8>, to output: inout [UInt8]) {
    guard let colon = field.firstIndex(of: UInt8(ascii: ":")) else { return }
    for byte in field[..<colon] where byte != 0x20 && byte != 0x09 { output.append(byte.lowercased) }
    output.append(UInt8(ascii: ":"))
    let start = output.count
    var hasSpace = false
    for byte in field[(colon + 1)...] {
      switch byte {
      case 0x20, 0x09: hasSpace = true
      case 0x0D, 0x0A: break
      default:
        if hasSpace, output.count > start { output.append(0x20) }
        hasSpace = false
        output.append(byte)
      }
    }
    output.append(contentsOf: [0x0D, 0x0A])
  }

  /// A body: each white space a space, none at the end of a line, no blank lines at the end.
  static func relaxed(body: ArraySlice<UInt8>) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: body.count + 2) { output, count in
      body.withUnsafeBufferPointer { body in
        var hasSpace = false
        // What is written up to the last line that is not blank.
        var end = 0
        var index = 0
        while index < body.count {
          let byte = body[index]
          switch byte {
          case 0x20, 0x09: hasSpace = true
          case 0x0D where index + 1 < body.count && body[index + 1] == 0x0A:
            hasSpace = false
            output[count] = 0x0D
            output[count + 1] = 0x0A
            count += 2
            index += 1
          default:
            if hasSpace {
              output[count] = 0x20
              count += 1
              hasSpace = false
            }
            output[count] = byte
            count += 1
            end = count
          }
          index += 1
        }
        count = end
        if end > 0 {
          output[end] = 0x0D
          output[end + 1] = 0x0A
          count = end + 2
        }
      }
    }
  }
}

/// What the DNS has to say about a key (RFC 6376, section 3.6.1).
public enum DKIMRecord {
  /// The text of the TXT record: `v=DKIM1; k=rsa; p=…`.
  public static func text(_ key: SigningKey) -> String {
    "v=DKIM1; k=\(key.algorithm == .rsa2048 ? "rsa" : "ed25519"); p=\(Base64.encode(key.publicKey))"
  }

  /// The name of the TXT record: `<selector>._domainkey.<domain>`.
  public static func name(selector: String, domain: String) -> String { "\(selector)._domainkey.\(domain)" }

  /// Whether this is a host name in ASCII of at most 253 bytes.
  static func isName(_ text: String) -> Bool {
    let labels = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    return text.utf8.count <= 253
      && labels.allSatisfy { label in
        (1...63).contains(label.count)
          && label.allSatisfy {
            $0.isLetter || $0.isDigit || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_")
          }
      }
  }
}
