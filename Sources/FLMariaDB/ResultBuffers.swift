import CMariaDB
import FLValues

/// The memory that a statement's rows are fetched into, laid out by the columns' types, and the way out of it.
@safe final class ResultBuffers {
  /// Values up to this size are fetched with the row, longer ones by a call of their own: most are short, and a
  /// process keeps some thousand statements.
  private static let inlineBytes = 256
  /// The longest value that is read.
  private static let maximumBytes = 64 << 20

  /// How a column's buffer is to be understood.
  private enum Kind { case integer, unsigned, double, decimal, bits, time, text, bytes }

  /// What of a column's description decides the layout.
  private struct Layout: Equatable {
    var type: UInt32
    var isUnsigned: Bool
    var isBinary: Bool
    var decimals: UInt32

    init(_ field: MYSQL_FIELD) {
      type = unsafe field.type.rawValue
      isUnsigned = unsafe field.flags & UInt32(UNSIGNED_FLAG) != 0
      // 63 is the "character set" of what has none.
      isBinary = unsafe field.charsetnr == 63
      decimals = unsafe field.decimals
    }

    var kind: Kind {
      switch enum_field_types(rawValue: type) {
      case MYSQL_TYPE_TINY, MYSQL_TYPE_SHORT, MYSQL_TYPE_LONG, MYSQL_TYPE_LONGLONG, MYSQL_TYPE_INT24,
        MYSQL_TYPE_YEAR:
        isUnsigned ? .unsigned : .integer
      case MYSQL_TYPE_FLOAT, MYSQL_TYPE_DOUBLE: .double
      case MYSQL_TYPE_DECIMAL, MYSQL_TYPE_NEWDECIMAL: .decimal
      case MYSQL_TYPE_BIT: .bits
      case MYSQL_TYPE_DATE, MYSQL_TYPE_NEWDATE, MYSQL_TYPE_DATETIME, MYSQL_TYPE_TIMESTAMP: .time
      case MYSQL_TYPE_TIME: .text
      default: isBinary ? .bytes : .text
      }
    }
  }

  let columns: Columns
  private let layouts: [Layout]
  private let kinds: [Kind]
  private let offsets: [Int]
  private let binds: UnsafeMutableBufferPointer<MYSQL_BIND>
  private let lengths: UnsafeMutableBufferPointer<UInt>
  private let nulls: UnsafeMutableBufferPointer<CChar>
  private let errors: UnsafeMutableBufferPointer<CChar>
  private let memory: UnsafeMutableRawBufferPointer

  init(fields: UnsafeBufferPointer<MYSQL_FIELD>) {
    columns = unsafe Columns(
      names: fields.map { field in
        unsafe String(
          decoding: UnsafeRawBufferPointer(start: field.name, count: Int(field.name_length)), as: UTF8.self)
      })
    layouts = unsafe fields.map { unsafe Layout($0) }
    kinds = layouts.map(\.kind)
    var size = 0
    var places: [Int] = []
    var sizes: [Int] = []
    for unsafe(field, kind) in unsafe zip(fields, kinds) {
      let wanted: Int
      switch kind {
      case .integer, .unsigned, .double: wanted = 8
      case .time: wanted = MemoryLayout<MYSQL_TIME>.size
      case .decimal: wanted = 96
      case .bits, .text, .bytes:
        wanted = unsafe Int(min(max(field.length, 16), UInt(Self.inlineBytes)))
      }
      places.append(size)
      sizes.append(wanted)
      size += (wanted + 7) & ~7
    }
    offsets = places
    let count = layouts.count
    unsafe binds = .allocate(capacity: count)
    unsafe lengths = .allocate(capacity: count)
    unsafe nulls = .allocate(capacity: count)
    unsafe errors = .allocate(capacity: count)
    unsafe memory = .allocate(byteCount: max(8, size), alignment: 16)
    unsafe binds.initialize(repeating: MYSQL_BIND())
    unsafe lengths.initialize(repeating: 0)
    unsafe nulls.initialize(repeating: 0)
    unsafe errors.initialize(repeating: 0)
    for index in 0..<count {
      unsafe binds[index].buffer_type =
        switch kinds[index] {
        case .integer, .unsigned: MYSQL_TYPE_LONGLONG
        case .double: MYSQL_TYPE_DOUBLE
        case .time: MYSQL_TYPE_DATETIME
        // Not STRING, after which the library writes a NUL where there is room.
        case .decimal, .bits, .text, .bytes: MYSQL_TYPE_BLOB
        }
      unsafe binds[index].is_unsigned = kinds[index] == .unsigned ? 1 : 0
      unsafe binds[index].buffer = memory.baseAddress.unsafelyUnwrapped + offsets[index]
      unsafe binds[index].buffer_length = UInt(sizes[index])
      unsafe binds[index].length = lengths.baseAddress.unsafelyUnwrapped + index
      unsafe binds[index].is_null = nulls.baseAddress.unsafelyUnwrapped + index
      unsafe binds[index].error = errors.baseAddress.unsafelyUnwrapped + index
    }
  }

  deinit {
    unsafe binds.deallocate()
    unsafe lengths.deallocate()
    unsafe nulls.deallocate()
    unsafe errors.deallocate()
    unsafe memory.deallocate()
  }

  /// Whether the columns are still of the types that this was laid out for: `SELECT ?` and an altered table may
  /// change them between two executions.
  func fits(_ fields: UnsafeBufferPointer<MYSQL_FIELD>) -> Bool {
    guard fields.count == layouts.count else { return false }
    for index in layouts.indices where unsafe Layout(fields[index]) != layouts[index] { return false }
    return true
  }

  /// Makes `statement` fetch into these buffers.
  func bind(to statement: UnsafeMutablePointer<MYSQL_STMT>) {
    unsafe mysql_stmt_bind_result(statement, binds.baseAddress)
  }

  /// The row that was just fetched.
  func row(of statement: UnsafeMutablePointer<MYSQL_STMT>) throws -> Row {
    var values: [SQLValue] = []
    values.reserveCapacity(kinds.count)
    for index in kinds.indices {
      values.append(unsafe nulls[index] != 0 ? .null : try value(index, of: statement))
    }
    return Row(columns: columns, values: values)
  }

  private func value(_ index: Int, of statement: UnsafeMutablePointer<MYSQL_STMT>) throws -> SQLValue {
    let start = unsafe memory.baseAddress.unsafelyUnwrapped + offsets[index]
    switch kinds[index] {
    case .integer:
      return unsafe .integer(start.load(as: Int64.self))
    case .unsigned:
      let number = unsafe start.load(as: UInt64.self)
      return Int64(exactly: number).map { .integer($0) } ?? .double(Double(number))
    case .double:
      return unsafe .double(start.load(as: Double.self))
    case .time:
      return .time(try timestamp(unsafe start.load(as: MYSQL_TIME.self), index))
    case .decimal:
      let text = unsafe String(decoding: inline(index), as: UTF8.self)
      if layouts[index].decimals == 0, let number = Int64(text) { return .integer(number) }
      guard let number = Double(text) else {
        throw DatabaseError.conversion(column: columns.names[index], detail: "the decimal is none")
      }
      return .double(number)
    case .bits:
      return .integer(unsafe inline(index).reduce(0) { $0 << 8 | Int64($1) })
    case .text:
      if let length = try longLength(index) {
        // Checks and repairs what is no UTF-8, as the short way does.
        return .text(
          unsafe String(unsafeUninitializedCapacity: length) { buffer in
            unsafe fetch(index, of: statement, into: UnsafeMutableRawBufferPointer(buffer))
            return length
          })
      }
      return .text(unsafe String(decoding: inline(index), as: UTF8.self))
    case .bytes:
      if let length = try longLength(index) {
        return .bytes(
          unsafe [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
            unsafe fetch(index, of: statement, into: UnsafeMutableRawBufferPointer(buffer))
            count = length
          })
      }
      return .bytes(unsafe [UInt8](inline(index)))
    }
  }

  private func inline(_ index: Int) -> UnsafeRawBufferPointer {
    let count = unsafe min(lengths[index], binds[index].buffer_length)
    return unsafe UnsafeRawBufferPointer(
      start: memory.baseAddress.unsafelyUnwrapped + offsets[index], count: Int(count))
  }

  /// How long the value is, if it did not fit into its buffer.
  private func longLength(_ index: Int) throws -> Int? {
    let length = unsafe lengths[index]
    guard unsafe length > binds[index].buffer_length else { return nil }
    guard length <= UInt(Self.maximumBytes) else {
      throw DatabaseError.conversion(column: columns.names[index], detail: "it is longer than 64 MiB")
    }
    return Int(length)
  }

  /// Copies a long value out of the row, which the library still holds.
  private func fetch(
    _ index: Int, of statement: UnsafeMutablePointer<MYSQL_STMT>, into buffer: UnsafeMutableRawBufferPointer
  ) {
    var length: UInt = 0
    var isNull: CChar = 0
    var error: CChar = 0
    unsafe withUnsafeMutablePointer(to: &length) { length in
      unsafe withUnsafeMutablePointer(to: &isNull) { isNull in
        unsafe withUnsafeMutablePointer(to: &error) { error in
          var bind = unsafe MYSQL_BIND()
          unsafe bind.buffer_type = MYSQL_TYPE_BLOB
          unsafe bind.buffer = buffer.baseAddress
          unsafe bind.buffer_length = UInt(lengths[index])
          unsafe bind.length = length
          unsafe bind.is_null = isNull
          unsafe bind.error = error
          unsafe _ = mysql_stmt_fetch_column(statement, &bind, UInt32(index), 0)
        }
      }
    }
  }

  private func timestamp(_ time: MYSQL_TIME, _ index: Int) throws -> Timestamp {
    guard
      let civil = CivilTime(
        year: Int(time.year), month: Int(time.month), day: Int(time.day), hour: Int(time.hour),
        minute: Int(time.minute), second: Int(time.second), microsecond: Int(time.second_part))
    else {
      throw DatabaseError.conversion(column: columns.names[index], detail: "there is no such day")
    }
    return civil.timestamp
  }
}
