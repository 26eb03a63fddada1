/// The state of reading rows, of which it is known what their bytes mean.
struct CSVCore {
  let format: CSV.Format

  private enum State {
    /// At the beginning of a cell.
    case cell
    /// In a cell without quotes.
    case plain
    /// In a cell with quotes.
    case quoted
    /// Behind a quote in such a cell: its end, or the first of two.
    case quote
    /// Behind a CR that ended a row; an LF belongs to it.
    case carriageReturn
    /// In the rest of a line that is passed over.
    case skipping
  }

  private var state = State.cell
  private var place: FilePlace
  /// The bytes of the row's cells, one behind the other, and where each ends.
  private var text: [UInt8] = []
  private var ends: [Int] = []
  private var startLine: Int
  private var rowBytes = 0
  private var cellBytes = 0
  /// What is wrong with the row, whose end is still to come.
  private var flaw: CSV.Flaw?
  /// What was read of the row behind its first line, to read it again; nil while it is in its first line.
  private var again: [UInt8]?
  private var againFrom: FilePlace
  /// Up to there quotes must be closed in their line, since it is read for the second time.
  private var recoversUntil = 0
  private var lastWasReturn = false

  init(_ format: CSV.Format, from place: FilePlace) {
    self.format = format
    self.place = place
    startLine = place.line
    againFrom = place
  }

  mutating func read(_ bytes: UnsafeBufferPointer<UInt8>, _ handle: (CSV.Event) throws -> Void) throws {
    var index = 0
    while index < bytes.count {
      switch state {
      case .plain: try readRun(bytes, &index, until: format.delimiter, handle)
      case .quoted: try readRun(bytes, &index, until: UInt8(ascii: "\""), handle)
      default:
        try step(bytes[index], handle)
        index += 1
      }
    }
  }

  mutating func finish(_ handle: (CSV.Event) throws -> Void) throws {
    switch state {
    case .quoted:
      if flaw == nil {
        try breakQuote(handle)
        return try finish(handle)
      }
      try endRow(handle)
    case .carriageReturn, .skipping: try endRow(handle)
    case .cell where ends.isEmpty && flaw == nil: break
    case .cell, .plain, .quote:
      endCell()
      try endRow(handle)
    }
  }

  // MARK: Bytes

  /// Takes bytes of a cell up to one that may mean something.
  private mutating func readRun(
    _ bytes: UnsafeBufferPointer<UInt8>, _ index: inout Int, until sign: UInt8,
    _ handle: (CSV.Event) throws -> Void
  ) throws {
    let start = index
    let most = min(bytes.count, start + CSV.mostCellBytes + 1 - min(cellBytes, CSV.mostCellBytes))
    while index < most, bytes[index] != sign, bytes[index] != UInt8(ascii: "\n"),
      bytes[index] != UInt8(ascii: "\r")
    {
      index += 1
    }
    guard index > start else {
      try step(bytes[index], handle)
      index += 1
      return
    }
    let run = UnsafeBufferPointer(rebasing: bytes[start..<index])
    if format.encoding == .utf8 {
      place.offset += run.count
    } else {
      for byte in run { place.offset += format.encoding.width(of: byte) }
    }
    again?.append(contentsOf: run)
    lastWasReturn = false
    cellBytes += run.count
    rowBytes += run.count
    if flaw == nil { text.append(contentsOf: run) }
    try checkSize(handle)
  }

  private mutating func step(_ byte: UInt8, _ handle: (CSV.Event) throws -> Void) throws {
    if state == .carriageReturn {
      if byte == UInt8(ascii: "\n") { place.offset += format.encoding.width(of: byte) }
      try endRow(handle)
      if byte == UInt8(ascii: "\n") { return }
    }
    place.offset += format.encoding.width(of: byte)
    let isLineEnd = byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
    // Lines are counted at their first byte of an end; CR LF is one.
    let isSecond = byte == UInt8(ascii: "\n") && lastWasReturn
    lastWasReturn = byte == UInt8(ascii: "\r")
    if isLineEnd && !isSecond { place.line += 1 }
    rowBytes += 1
    switch state {
    case .cell, .plain:
      if byte == UInt8(ascii: "\""), state == .cell {
        state = .quoted
        again?.append(byte)
      } else if byte == format.delimiter {
        endCell()
        again?.append(byte)
      } else if isLineEnd {
        endCell()
        try endRow(at: byte, handle)
        return
      } else {
        state = .plain
        try add(byte, handle)
        return
      }
      try checkSize(handle)
    case .quoted:
      if byte == UInt8(ascii: "\"") {
        state = .quote
        again?.append(byte)
      } else if isLineEnd {
        try addLineEnd(byte, isSecond: isSecond, handle)
      } else {
        try add(byte, handle)
      }
    case .quote:
      if byte == UInt8(ascii: "\"") {
        state = .quoted
        try add(byte, handle)
      } else if byte == format.delimiter {
        endCell()
        again?.append(byte)
        try checkSize(handle)
      } else if isLineEnd {
        endCell()
        try endRow(at: byte, handle)
      } else {
        again?.append(byte)
        try breakQuote(handle)
      }
    case .skipping: if isLineEnd { try endRow(at: byte, handle) }
    case .carriageReturn: break
    }
  }

  /// Adds a byte to the cell.
  private mutating func add(_ byte: UInt8, _ handle: (CSV.Event) throws -> Void) throws {
    again?.append(byte)
    cellBytes += 1
    if flaw == nil { text.append(byte) }
    try checkSize(handle)
  }

  /// A line ends within quotes.
  private mutating func addLineEnd(_ byte: UInt8, isSecond: Bool, _ handle: (CSV.Event) throws -> Void) throws
  {
    if place.offset <= recoversUntil {
      flaw = flaw ?? .brokenQuote
      try endRow(at: byte, handle)
      return
    }
    cellBytes += 1
    if flaw == nil { text.append(byte) }
    if again == nil {
      again = []
      againFrom = place
    } else if isSecond && again?.isEmpty == true {
      againFrom = place
    } else {
      again?.append(byte)
    }
    try checkSize(handle)
  }

  // MARK: Ends

  private mutating func endCell() {
    state = .cell
    cellBytes = 0
    guard flaw == nil else { return }
    if ends.count < CSV.mostColumns { ends.append(text.count) } else { giveUp(.tooManyColumns) }
  }

  /// The row ends with this byte of a line's end.
  private mutating func endRow(at byte: UInt8, _ handle: (CSV.Event) throws -> Void) throws {
    again = nil
    if byte == UInt8(ascii: "\r") {
      state = .carriageReturn
    } else {
      try endRow(handle)
    }
  }

  private mutating func endRow(_ handle: (CSV.Event) throws -> Void) throws {
    let event: CSV.Event?
    if let flaw {
      event = .fault(CSV.Fault(flaw: flaw, line: startLine, next: place))
    } else if text.isEmpty {
      event = nil
    } else {
      var start = 0
      let cells = ends.map { end in
        defer { start = end }
        return TextEncoding.text(text[start..<end])
      }
      event = .row(CSV.Row(cells: cells, line: startLine, next: place))
    }
    begin()
    if let event { try handle(event) }
  }

  private mutating func begin() {
    state = .cell
    text.removeAll(keepingCapacity: true)
    ends.removeAll(keepingCapacity: true)
    (rowBytes, cellBytes, flaw, again) = (0, 0, nil, nil)
    startLine = place.line
    lastWasReturn = false
  }

  // MARK: Faults

  private mutating func checkSize(_ handle: (CSV.Event) throws -> Void) throws {
    if cellBytes > CSV.mostCellBytes {
      if state == .quoted && again != nil {
        try breakQuote(handle)
      } else {
        giveUp(.cellTooLong)
        // Of a quote that nobody closes, the line is enough.
        if state == .quoted { state = .skipping }
        cellBytes = 0
      }
    } else if rowBytes > CSV.mostRowBytes {
      giveUp(.rowTooLong)
    }
  }

  /// The row is not kept any more; what is left of it is read to find its end.
  private mutating func giveUp(_ flaw: CSV.Flaw) {
    guard self.flaw == nil else { return }
    self.flaw = flaw
    text.removeAll(keepingCapacity: true)
    ends.removeAll(keepingCapacity: true)
    again = nil
  }

  /// A quote is broken: the row is told, and what it swallowed behind its first line is read again.
  private mutating func breakQuote(_ handle: (CSV.Event) throws -> Void) throws {
    guard flaw == nil, let lost = again else {
      giveUp(.brokenQuote)
      state = .skipping
      return
    }
    let fault = CSV.Fault(flaw: .brokenQuote, line: startLine, next: againFrom)
    recoversUntil = place.offset
    place = againFrom
    begin()
    try handle(.fault(fault))
    try lost.withUnsafeBufferPointer { try read($0, handle) }
  }
}
