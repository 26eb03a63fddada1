/// The mark that the symbol of a QR code carries behind the short URL, `?qr=17`: the code's number within its link.
struct ScanMark: Hashable, Sendable {
  let number: Int

  /// The mark that a parameter is, as it is spelled in a query: `qr=` and one to nine digits; nil for any other.
  init?(_ parameter: some Collection<UInt8>) {
    guard (4...12).contains(parameter.count), parameter.starts(with: "qr=".utf8) else { return nil }
    var number = 0
    for byte in parameter.dropFirst(3) {
      guard (48...57).contains(byte) else { return nil }
      number = number * 10 + Int(byte - 48)
    }
    self.number = number
  }

  /// The first mark in a query, and the query without its marks; each other byte of it is as it was.
  static func take(from query: String) -> (mark: ScanMark?, rest: String) {
    let parameters = query.utf8.split(separator: UInt8(ascii: "&"), omittingEmptySubsequences: false)
    var first: ScanMark?
    var others: [Substring] = []
    for parameter in parameters {
      if let mark = ScanMark(parameter) {
        first = first ?? mark
      } else {
        others.append(Substring(parameter))
      }
    }
    return (first, first == nil ? query : others.joined(separator: "&"))
  }
}
