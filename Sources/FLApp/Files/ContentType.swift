/// What kind of file it is, told by its content. The name only says which kind of plain text it is.
struct ContentType: Sendable, Hashable {
  /// The media type, without parameters.
  let text: String

  /// The type as it was stored.
  init(stored text: String) { self.text = text }

  /// Tells the type by the first bytes of a file, as many as `sample`; plain text by the name's ending.
  init(of head: [UInt8], name: FileName) {
    text =
      Self.bySignature(head) ?? Self.container(head)
      ?? (Self.isText(head) ? Self.markup(head) ?? Self.plainText(name.ending) : "application/octet-stream")
  }

  /// How many bytes of a file are looked at.
  static let sample = 16_384

  /// Whether a browser may show it in the page's place: pictures, sound, films and plain text. Whatever could run, or
  /// is handed to a program of its own (HTML, SVG, XML, scripts, PDF), is only ever saved.
  var mayBeShown: Bool {
    if text == "text/plain" { return true }
    return text != "image/svg+xml" && ["image/", "audio/", "video/"].contains { text.hasPrefix($0) }
  }

  /// The value of `Content-Type`.
  var field: String { text.hasPrefix("text/") ? text + "; charset=utf-8" : text }

  // MARK: Signatures

  private static let signatures: [(offset: Int, bytes: [UInt8], type: String)] = [
    (0, [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A], "image/png"),
    (0, [0xFF, 0xD8, 0xFF], "image/jpeg"),
    (0, Array("GIF87a".utf8), "image/gif"), (0, Array("GIF89a".utf8), "image/gif"),
    (0, [0, 0, 1, 0], "image/x-icon"),
    (0, Array("%PDF-".utf8), "application/pdf"),
    (0, [0x1F, 0x8B, 8], "application/gzip"),
    (0, [0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C], "application/x-7z-compressed"),
    (0, Array("Rar!".utf8) + [0x1A, 7], "application/vnd.rar"),
    (0, Array("ID3".utf8), "audio/mpeg"),
    (0, Array("fLaC".utf8), "audio/flac"),
    (0, [0x1A, 0x45, 0xDF, 0xA3], "video/webm"),
    (0, Array("wOFF".utf8), "font/woff"), (0, Array("wOF2".utf8), "font/woff2"),
  ]

  private static func bySignature(_ head: [UInt8]) -> String? {
    for signature in signatures where has(head, signature.bytes, at: signature.offset) {
      // Matroska begins as WebM does, and says which it is a few bytes later.
      if signature.type == "video/webm", contains(head.prefix(64), "matroska") { return "video/x-matroska" }
      return signature.type
    }
    if has(head, "RIFF"), has(head, "WEBP", at: 8) { return "image/webp" }
    if has(head, "RIFF"), has(head, "WAVE", at: 8) { return "audio/wav" }
    if has(head, "BM"), head.count > 26, head[6...9].allSatisfy({ $0 == 0 }),
      [12, 40, 108, 124].contains(head[14])
    {
      return "image/bmp"
    }
    if has(head, "OggS") { return contains(head.prefix(128), "theora") ? "video/ogg" : "audio/ogg" }
    // A frame of MPEG audio without a tag before it: layer III, no forbidden rate.
    if head.count > 3, head[0] == 0xFF, [0xFB, 0xFA, 0xF3, 0xF2].contains(head[1]), head[2] >> 4 != 15,
      head[2] >> 4 != 0,
      head[2] >> 2 & 3 != 3
    {
      return "audio/mpeg"
    }
    return has(head, "ftyp", at: 4) ? film(head) : nil
  }

  /// ISO base media (ISO/IEC 14496-12): the brands say what it is.
  private static func film(_ head: [UInt8]) -> String {
    let size = min(head.count, head.prefix(4).reduce(0) { $0 << 8 | Int($1) })
    let brands = stride(from: 8, to: max(8, size - 3), by: 4).map {
      String(decoding: head[$0..<$0 + 4], as: UTF8.self)
    }
    if brands.contains("avif") || brands.contains("avis") { return "image/avif" }
    if brands.contains("heic") || brands.contains("heix") { return "image/heic" }
    if brands.first == "qt  " { return "video/quicktime" }
    if brands.first == "M4A " || brands.first == "M4B " { return "audio/mp4" }
    return "video/mp4"
  }

  /// A ZIP archive, and the kinds of document that are one.
  private static func container(_ head: [UInt8]) -> String? {
    guard has(head, [0x50, 0x4B, 3, 4]) || has(head, [0x50, 0x4B, 5, 6]) else { return nil }
    // OpenDocument and EPUB: the first entry is called `mimetype`, and its bytes are the type.
    if has(head, "mimetype", at: 30), head.count > 38 {
      let type = head[38...].prefix(128).prefix { (0x2B...0x7A).contains($0) }
      let known = [
        "application/epub+zip", "application/vnd.oasis.opendocument.text",
        "application/vnd.oasis.opendocument.spreadsheet", "application/vnd.oasis.opendocument.presentation",
        "application/vnd.oasis.opendocument.graphics",
      ]
      if let type = known.first(where: { type.starts(with: Array($0.utf8)) }) { return type }
    }
    let office = "application/vnd.openxmlformats-officedocument."
    if contains(head, "[Content_Types].xml") || contains(head, "_rels/.rels") {
      if contains(head, "word/") { return office + "wordprocessingml.document" }
      if contains(head, "xl/") { return office + "spreadsheetml.sheet" }
      if contains(head, "ppt/") { return office + "presentationml.presentation" }
    }
    return "application/zip"
  }

  // MARK: Text

  /// Whether the bytes are UTF-8 without control characters. The sample may end within a character.
  private static func isText(_ head: [UInt8]) -> Bool {
    let hasControl = head.contains { $0 == 0x7F || ($0 < 0x20 && ![9, 10, 12, 13, 27].contains($0)) }
    guard !hasControl else { return false }
    if String(validating: head, as: UTF8.self) != nil { return true }
    guard head.count == sample else { return false }
    return (1...3).contains { String(validating: head.dropLast($0), as: UTF8.self) != nil }
  }

  /// Text that a browser would take for a document with scripts in it (as the MIME Sniffing Standard, section 7.1).
  private static func markup(_ head: [UInt8]) -> String? {
    var rest = head[...]
    if rest.starts(with: [0xEF, 0xBB, 0xBF]) { rest = rest.dropFirst(3) }
    rest = rest.drop { $0 <= 0x20 }
    guard rest.first == UInt8(ascii: "<") else { return nil }
    let text = rest.map { (65...90).contains($0) ? $0 + 32 : $0 }
    if contains(text, "<svg") && !contains(text, "<html") { return "image/svg+xml" }
    if has(text, "<?xml") {
      return contains(text, "http://www.w3.org/1999/xhtml") || contains(text, "<html")
        ? "application/xhtml+xml" : "application/xml"
    }
    let tags = [
      "<!doctype html", "<html", "<head", "<body", "<script", "<iframe", "<title", "<style", "<table", "<div",
      "<font",
      "<img", "<a ", "<a>", "<h1", "<p>", "<p ", "<br", "<b>", "<!--", "<meta", "<link", "<form", "<object",
      "<embed",
      "<base", "<template", "<math", "<video", "<audio", "<span", "<center", "<noscript",
    ]
    return tags.contains { has(text, $0) } ? "text/html" : nil
  }

  private static func plainText(_ ending: String) -> String {
    switch ending {
    case "csv": "text/csv"
    case "tsv": "text/tab-separated-values"
    case "md", "markdown": "text/markdown"
    case "json": "application/json"
    case "ics": "text/calendar"
    case "vcf": "text/vcard"
    case "css": "text/css"
    case "js", "mjs": "text/javascript"
    case "html", "htm": "text/html"
    case "xml": "application/xml"
    default: "text/plain"
    }
  }

  // MARK: Bytes

  private static func has(_ bytes: [UInt8], _ text: String, at offset: Int = 0) -> Bool {
    has(bytes, Array(text.utf8), at: offset)
  }

  private static func has(_ bytes: [UInt8], _ wanted: [UInt8], at offset: Int = 0) -> Bool {
    bytes.count >= offset + wanted.count && bytes[offset..<offset + wanted.count].elementsEqual(wanted)
  }

  private static func contains(_ bytes: some BidirectionalCollection<UInt8>, _ text: String) -> Bool {
    let bytes = Array(bytes)
    let wanted = Array(text.utf8)
    guard bytes.count >= wanted.count else { return false }
    return (0...bytes.count - wanted.count).contains { start in
      bytes[start] == wanted[0] && bytes[start..<start + wanted.count].elementsEqual(wanted)
    }
  }
}
