/// Text of somebody else that is to fit: a `Character` may have any number of scalars, so none of these counts them.
extension String {
  /// This text, or as many of its first scalars as fit into `limit` bytes of UTF-8.
  func cut(toBytes limit: Int) -> String {
    guard utf8.count > limit else { return self }
    var end = utf8.index(utf8.startIndex, offsetBy: limit)
    while end > utf8.startIndex, utf8[end] & 0xC0 == 0x80 { end = utf8.index(before: end) }
    return String(self[..<end])
  }

  /// This text, or its first scalars, at most so many: so columns count.
  func cut(toScalars limit: Int) -> String { String(String.UnicodeScalarView(unicodeScalars.prefix(limit))) }
}
