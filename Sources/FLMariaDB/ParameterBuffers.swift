import CMariaDB
import FLValues

/// The memory that a statement's parameters are sent from; the library keeps pointers into it between the
/// binding and the end of the execution.
@safe final class ParameterBuffers {
  /// Texts and bytes that one execution leaves behind are kept for the next up to this size.
  private static let keptBytes = 1 << 20

  private let binds: UnsafeMutableBufferPointer<MYSQL_BIND>
  private let lengths: UnsafeMutableBufferPointer<UInt>
  /// A number or a time for each parameter.
  private let slots: UnsafeMutableBufferPointer<MYSQL_TIME>
  /// All texts and bytes, one after the other.
  private var bytes: UnsafeMutableRawBufferPointer

  init(count: Int) {
    unsafe binds = .allocate(capacity: max(1, count))
    unsafe lengths = .allocate(capacity: max(1, count))
    unsafe slots = .allocate(capacity: max(1, count))
    unsafe bytes = .allocate(byteCount: 64, alignment: 16)
    unsafe binds.initialize(repeating: MYSQL_BIND())
    unsafe lengths.initialize(repeating: 0)
    unsafe slots.initialize(repeating: MYSQL_TIME())
  }

  deinit {
    unsafe binds.deallocate()
    unsafe lengths.deallocate()
    unsafe slots.deallocate()
    unsafe bytes.deallocate()
  }

  /// Puts `values` into the buffers and binds them to `statement`. Their count has been checked.
  func bind(_ values: [SQLValue], to statement: UnsafeMutablePointer<MYSQL_STMT>) throws {
    reserve(values)
    var offset = 0
    for index in values.indices {
      unsafe lengths[index] = 0
      var bind = unsafe MYSQL_BIND()
      let slot = unsafe UnsafeMutableRawPointer(slots.baseAddress.unsafelyUnwrapped + index)
      unsafe bind.buffer = slot
      unsafe bind.length = lengths.baseAddress.unsafelyUnwrapped + index
      switch values[index] {
      case .null:
        unsafe bind.buffer_type = MYSQL_TYPE_NULL
      case .integer(let number):
        unsafe bind.buffer_type = MYSQL_TYPE_LONGLONG
        unsafe slot.storeBytes(of: number, as: Int64.self)
      case .double(let number):
        unsafe bind.buffer_type = MYSQL_TYPE_DOUBLE
        unsafe slot.storeBytes(of: number, as: Double.self)
      case .time(let time):
        unsafe bind.buffer_type = MYSQL_TYPE_DATETIME
        unsafe slots[index] = try MYSQL_TIME(time, parameter: index)
      case .text(var text):
        unsafe bind.buffer_type = MYSQL_TYPE_STRING
        text.withUTF8 { unsafe put(UnsafeRawBufferPointer($0), into: &bind, index, &offset) }
      case .bytes(let content):
        unsafe bind.buffer_type = MYSQL_TYPE_BLOB
        unsafe content.withUnsafeBytes { unsafe put($0, into: &bind, index, &offset) }
      }
      unsafe binds[index] = bind
    }
    if !values.isEmpty { unsafe mysql_stmt_bind_param(statement, binds.baseAddress) }
  }

  /// Gives back what a large execution took.
  func shrink() {
    guard unsafe bytes.count > Self.keptBytes else { return }
    unsafe bytes.deallocate()
    unsafe bytes = .allocate(byteCount: 64, alignment: 16)
  }

  private func reserve(_ values: [SQLValue]) {
    var needed = 0
    for value in values {
      switch value {
      case .text(let text): needed += text.utf8.count
      case .bytes(let content): needed += content.count
      case .null, .integer, .double, .time: break
      }
    }
    guard unsafe needed > bytes.count else { return }
    unsafe bytes.deallocate()
    unsafe bytes = .allocate(byteCount: needed, alignment: 16)
  }

  private func put(
    _ source: UnsafeRawBufferPointer, into bind: inout MYSQL_BIND, _ index: Int, _ offset: inout Int
  ) {
    let place = unsafe bytes.baseAddress.unsafelyUnwrapped + offset
    if let start = source.baseAddress { unsafe place.copyMemory(from: start, byteCount: source.count) }
    unsafe bind.buffer = place
    unsafe bind.buffer_length = UInt(source.count)
    unsafe lengths[index] = UInt(source.count)
    offset += source.count
  }
}

extension MYSQL_TIME {
  /// `time` as a `DATETIME(6)` in UTC; throws for the years that the type does not hold.
  fileprivate init(_ time: Timestamp, parameter: Int) throws {
    let civil = time.civil
    guard (1...9999).contains(civil.year) else {
      throw DatabaseError.conversion(
        column: "parameter \(parameter)", detail: "the year is none of 1 to 9999")
    }
    self.init()
    (year, month, day) = (UInt32(civil.year), UInt32(civil.month), UInt32(civil.day))
    (hour, minute, second) = (UInt32(civil.hour), UInt32(civil.minute), UInt32(civil.second))
    second_part = UInt(civil.microsecond)
    time_type = MYSQL_TIMESTAMP_DATETIME
  }
}
