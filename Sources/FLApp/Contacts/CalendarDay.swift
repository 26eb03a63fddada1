import FLHTTP
import FLMariaDB
import FLValues

/// A day of the calendar without a time, as a birthday is one; the years 1 to 9999.
struct CalendarDay: Sendable, Hashable, CustomStringConvertible {
  let year: Int
  let month: Int
  let day: Int

  /// Nil where there is no such day.
  init?(year: Int, month: Int, day: Int) {
    guard CivilTime(year: year, month: month, day: day) != nil else { return nil }
    (self.year, self.month, self.day) = (year, month, day)
  }

  /// Reads `YYYY-MM-DD` (RFC 3339, full-date); nil for anything else.
  init?(_ text: String) {
    let bytes = Array(text.utf8)
    guard bytes.count == 10, bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-") else { return nil }
    func number(_ range: Range<Int>) -> Int? {
      bytes[range].reduce(0) { value, byte in
        value.flatMap { (48...57).contains(byte) ? $0 * 10 + Int(byte - 48) : nil }
      }
    }
    guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10) else { return nil }
    self.init(year: year, month: month, day: day)
  }

  /// `YYYY-MM-DD`.
  var description: String {
    String(CivilTime(start).rfc3339.prefix(10).map { Character(Unicode.Scalar($0)) })
  }

  /// Its first moment in UTC.
  private var start: Timestamp {
    CivilTime(year: year, month: month, day: day)?.timestamp ?? Timestamp(seconds: 0)
  }
}

/// As `DATE`.
extension CalendarDay: SQLConvertible {
  var sqlValue: SQLValue { .time(start) }

  static func read(_ value: SQLValue) throws -> CalendarDay {
    let civil = try Timestamp.read(value).civil
    guard let day = CalendarDay(year: civil.year, month: civil.month, day: civil.day) else {
      throw DatabaseError.mismatch(value, CalendarDay.self)
    }
    return day
  }
}

extension Shape where Value == CalendarDay {
  static var calendarDay: Shape {
    Shape(
      schema: Schema(["type": "string", "format": "date"]),
      readText: { text, reading in
        guard let day = CalendarDay(text) else {
          reading.refuse("invalid_date", "This must be a day like 1984-02-29 (RFC 3339).")
          return nil
        }
        return day
      },
      write: { $1.string($0.description) })
  }
}
