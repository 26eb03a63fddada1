import FLHTTP
import FLInterchange
import Foundation

/// A file of contacts on the disk, read row by row or card by card.
final class ContactFile {
  /// What one row or card says, and where the next one begins.
  struct Item {
    let row: ContactRow
    let next: FilePlace
  }

  let format: ContactFileFormat
  /// What the columns are; nil of cards.
  let sheet: ContactSheet?
  /// What stands between cells.
  let delimiter: UInt8?

  private let descriptor: Int32
  private let encoding: TextEncoding
  /// Where the first row of contacts begins.
  private let start: FilePlace

  /// The pieces in which a file is read.
  private static let pieceSize = 65_536
  /// In so many bytes the first row must be whole: a row may not have more.
  private static let mostHeadBytes = 2 * CSV.mostRowBytes + 4 * pieceSize

  private struct Enough: Error {}

  /// Looks at the beginning of an open file, whose descriptor must stay open.
  /// - Throws: `Problem` 422 for what is no file of contacts.
  init(descriptor: Int32, format: ContactFileFormat, options: ContactImportOptions) throws {
    self.descriptor = descriptor
    self.format = format
    var reading = Reading()
    switch format {
    case .csv:
      var reader = CSVReader(delimiter: options.delimiter)
      var header: CSV.Event?
      try Self.read(descriptor, from: 0, most: Self.mostHeadBytes) { bytes in
        if let bytes {
          try reader.push(bytes) { event in
            header = event
            throw Enough()
          }
        } else {
          try reader.finish { event in
            header = event
            throw Enough()
          }
        }
      }
      let kind = reader.format ?? CSV.Format()
      (encoding, delimiter) = (kind.encoding, kind.delimiter)
      switch header {
      case .row(let row):
        sheet = ContactSheet(header: row.cells, mapping: options.mapping, into: &reading)
        start = row.next
      case .fault(let fault):
        throw Problem.invalid(
          "file", fault.flaw.rawValue, "The first row can't be read: \(fault.flaw.message)")
      case nil: throw Problem.invalid("file", "empty", "The file has no rows.")
      }
    case .vcard:
      var reader = VCardReader()
      var head: [UInt8] = []
      try Self.read(descriptor, from: 0, most: Self.pieceSize) { bytes in
        guard let bytes else { return }
        head += bytes.filter { $0 != 0 }
        try reader.push(UnsafeRawBufferPointer(rebasing: bytes.prefix(16))) { _ in }
      }
      if !String(decoding: head, as: UTF8.self).uppercased().contains("BEGIN:VCARD") {
        reading.member("file") {
          $0.refuse("no_cards", "There is no BEGIN:VCARD in the beginning of the file.")
        }
      }
      (encoding, delimiter, sheet) = (reader.encoding ?? .utf8, nil, nil)
      start = FilePlace(offset: 0, line: 1)
      if !options.mapping.isEmpty {
        reading.member("mapping") { $0.refuse("not_allowed", "Cards have no columns.") }
      }
    }
    guard reading.problems.isEmpty else { throw Problem.invalid(reading.problems) }
  }

  /// Hands out what comes from `place` on (nil: from the beginning) until the end, or until `handle` answers false.
  /// - Throws: what `handle` throws, and `Problem` 503 where the file can't be read.
  func forEach(from place: FilePlace?, _ handle: (Item) throws -> Bool) throws {
    let place = place ?? start
    func take(_ item: Item) throws { if try !handle(item) { throw Enough() } }
    switch format {
    case .csv:
      var reader = CSVReader(
        CSV.Format(delimiter: delimiter ?? UInt8(ascii: ","), encoding: encoding), from: place)
      try Self.read(descriptor, from: place.offset, most: .max) { bytes in
        func next(_ event: CSV.Event) throws { try take(item(event)) }
        if let bytes { try reader.push(bytes, next) } else { try reader.finish(next) }
      }
    case .vcard:
      // At its beginning the mark is the reader's.
      var reader = place.offset == 0 ? VCardReader() : VCardReader(encoding, from: place)
      try Self.read(descriptor, from: place.offset, most: .max) { bytes in
        func next(_ event: VCard.Event) throws { try take(item(event)) }
        if let bytes { try reader.push(bytes, next) } else { try reader.finish(next) }
      }
    }
  }

  /// The place of an offset at which an earlier reader stopped; the lines before it are counted.
  /// - Throws: `Problem` 503 where the file can't be read.
  func place(at offset: Int) throws -> FilePlace {
    let width = encoding == .utf8 ? 1 : 2
    var place = FilePlace(offset: offset, line: 1)
    var unit: UInt16 = 0
    var last: UInt16 = 0
    var count = 0
    try Self.read(descriptor, from: 0, most: offset) { bytes in
      for byte in bytes ?? .init(start: nil, count: 0) {
        unit = encoding == .utf16LittleEndian ? unit >> 8 | UInt16(byte) << 8 : unit << 8 | UInt16(byte)
        count += 1
        guard count % width == 0 else { continue }
        if width == 1 { unit &= 0xFF }
        if unit == 13 || (unit == 10 && last != 13) { place.line += 1 }
        last = unit
      }
    }
    return place
  }

  private func item(_ event: CSV.Event) -> Item {
    switch event {
    case .row(let row):
      guard let sheet else { return Item(row: .bad([], email: nil), next: row.next) }
      return Item(row: ContactRow(reading: .object(sheet.contact(row.cells))), next: row.next)
    case .fault(let fault): return Self.fault(fault.flaw.rawValue, fault.flaw.message, fault.line, fault.next)
    }
  }

  private func item(_ event: VCard.Event) -> Item {
    switch event {
    case .card(let card, _, let next):
      return Item(row: ContactRow(reading: .object(card.contact)), next: next)
    case .fault(let flaw, let line, let next): return Self.fault(flaw.rawValue, flaw.message, line, next)
    }
  }

  private static func fault(_ code: String, _ message: String, _ line: Int, _ next: FilePlace) -> Item {
    Item(row: .bad([FieldProblem("row", code, "Line \(line): \(message)")], email: nil), next: next)
  }

  /// Hands the file's bytes out in pieces, and nil at its end, until `use` has enough.
  private static func read(
    _ descriptor: Int32, from offset: Int, most: Int, _ use: (UnsafeRawBufferPointer?) throws -> Void
  ) throws {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: min(pieceSize, most), alignment: 64)
    defer { buffer.deallocate() }
    var offset = offset
    var left = most
    do {
      while left > 0 {
        let got = pread(descriptor, buffer.baseAddress, min(buffer.count, left), off_t(offset))
        if got < 0 && errno == EINTR { continue }
        guard got >= 0 else { throw Problem.unavailable("The file can't be read.") }
        if got == 0 { return try use(nil) }
        try use(UnsafeRawBufferPointer(rebasing: buffer[..<got]))
        offset += got
        left -= got
      }
    } catch is Enough {}
  }

  // MARK: Kinds of files

  /// Tells by its first bytes and its name what a file is.
  /// - Throws: `Problem` 422 for what is neither.
  static func format(of head: [UInt8], name: String) throws(Problem) -> ContactFileFormat {
    var head = head[...]
    let isWide = head.starts(with: [0xFF, 0xFE]) || head.starts(with: [0xFE, 0xFF])
    if head.starts(with: [0x50, 0x4B, 3, 4]) || head.starts(with: [0xD0, 0xCF, 0x11, 0xE0]) {
      throw Problem.invalid(
        "file", "workbook", "This is a workbook. Save the sheet as CSV, and send that.")
    }
    if !isWide && head.contains(0) { throw Problem.invalid("file", "not_text", "This is no text.") }
    if head.starts(with: [0xEF, 0xBB, 0xBF]) { head = head.dropFirst(3) }
    let text = head.prefix(400).filter { $0 != 0 && $0 < 0x80 }.drop { $0 <= 0x20 }
    if String(decoding: text.prefix(11), as: UTF8.self).uppercased() == "BEGIN:VCARD" { return .vcard }
    let name = name.lowercased()
    return name.hasSuffix(".vcf") || name.hasSuffix(".vcard") ? .vcard : .csv
  }
}
