#if canImport(Glibc)
  import Glibc
#endif

/// A point in time, in microseconds since 1970-01-01T00:00:00Z (leap seconds are not counted, as in POSIX).
public struct Timestamp: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// Microseconds since the epoch; negative before it.
  public var microseconds: Int64

  /// The point `microseconds` after the epoch.
  public init(microseconds: Int64) { self.microseconds = microseconds }

  /// The point `seconds` after the epoch.
  public init(seconds: Int64) { microseconds = seconds * 1_000_000 }

  /// Whole seconds since the epoch, rounded down.
  public var seconds: Int64 { microseconds.dividedDown(by: 1_000_000) }

  /// The machine's wall clock.
  public static var now: Timestamp {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
  }

  /// Whether `left` is earlier.
  public static func < (left: Timestamp, right: Timestamp) -> Bool { left.microseconds < right.microseconds }

  /// The point `duration` later.
  public static func + (left: Timestamp, duration: Duration) -> Timestamp {
    Timestamp(microseconds: left.microseconds + duration.wholeMicroseconds)
  }

  /// The point `duration` earlier.
  public static func - (left: Timestamp, duration: Duration) -> Timestamp {
    Timestamp(microseconds: left.microseconds - duration.wholeMicroseconds)
  }

  /// The time that passed from `right` to `left`.
  public static func - (left: Timestamp, right: Timestamp) -> Duration {
    .microseconds(left.microseconds - right.microseconds)
  }

  /// The start of the UTC period of `length` seconds (a divisor or multiple of a day) that this point is in.
  public func roundedDown(toSeconds length: Int64) -> Timestamp {
    Timestamp(seconds: seconds - seconds.remainderDown(by: length))
  }

  /// RFC 3339 in UTC with whole seconds, the rest cut: `2026-11-22T08:27:00Z`.
  public var description: String { String(decoding: civil.rfc3339, as: UTF8.self) }

  /// The calendar's view of this point, in UTC.
  public var civil: CivilTime { CivilTime(self) }

  /// Reads an RFC 3339 date-time (section 5.6) with any offset; nil when it is none or outside the years 1 to
  /// 9999 in UTC.
  ///
  /// Fractions finer than a microsecond are cut; a leap second (`:60`, at the end of a month in UTC only) is
  /// read as the second after it.
  public init?(rfc3339 text: String) {
    guard let civil = CivilTime.parsed(Array(text.utf8)) else { return nil }
    self = civil
  }
}

extension Duration {
  /// This duration in whole microseconds, the rest cut.
  public var wholeMicroseconds: Int64 {
    components.seconds * 1_000_000 + components.attoseconds / 1_000_000_000_000
  }
}

extension Int64 {
  fileprivate func dividedDown(by divisor: Int64) -> Int64 {
    self / divisor - (self % divisor < 0 ? 1 : 0)
  }

  fileprivate func remainderDown(by divisor: Int64) -> Int64 {
    let remainder = self % divisor
    return remainder < 0 ? remainder + divisor : remainder
  }
}

/// A point in time as year, month, day and time of day in UTC (proleptic Gregorian calendar).
public struct CivilTime: Hashable, Sendable {
  /// The year; 1 to 9999 for what the API reads and writes.
  public var year: Int
  /// 1 to 12.
  public var month: Int
  /// 1 to 31.
  public var day: Int
  /// 0 to 23.
  public var hour: Int
  /// 0 to 59.
  public var minute: Int
  /// 0 to 59.
  public var second: Int
  /// 0 to 999,999.
  public var microsecond: Int

  /// The calendar's view of `time`, in UTC. (Howard Hinnant, "chrono-compatible low-level date algorithms".)
  public init(_ time: Timestamp) {
    let secondOfDay = Int(time.seconds.remainderDown(by: 86_400))
    let days = time.seconds.dividedDown(by: 86_400) + 719_468
    let era = days.dividedDown(by: 146_097)
    let dayOfEra = days - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    day = Int(dayOfYear - (153 * shifted + 2) / 5 + 1)
    month = Int(shifted < 10 ? shifted + 3 : shifted - 9)
    year = Int(yearOfEra + era * 400) + (month <= 2 ? 1 : 0)
    hour = secondOfDay / 3600
    minute = secondOfDay / 60 % 60
    second = secondOfDay % 60
    microsecond = Int(time.microseconds.remainderDown(by: 1_000_000))
  }

  /// A civil time from its members, midnight unless told; nil when there is no such day or time of day.
  public init?(
    year: Int, month: Int, day: Int, hour: Int = 0, minute: Int = 0, second: Int = 0, microsecond: Int = 0
  ) {
    guard (1...9999).contains(year), (1...12).contains(month), day >= 1,
      day <= CivilTime.days(in: month, of: year), (0..<24).contains(hour), (0..<60).contains(minute),
      (0..<60).contains(second), (0..<1_000_000).contains(microsecond)
    else { return nil }
    (self.year, self.month, self.day) = (year, month, day)
    (self.hour, self.minute, self.second, self.microsecond) = (hour, minute, second, microsecond)
  }

  /// How many days `month` has in `year`.
  public static func days(in month: Int, of year: Int) -> Int {
    switch month {
    case 4, 6, 9, 11: 30
    case 2: (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28
    default: 31
    }
  }

  /// The point in time that these members name in UTC.
  public var timestamp: Timestamp {
    let shiftedYear = Int64(month <= 2 ? year - 1 : year)
    let era = shiftedYear.dividedDown(by: 400)
    let yearOfEra = shiftedYear - era * 400
    let shiftedMonth = Int64(month > 2 ? month - 3 : month + 9)
    let dayOfYear = (153 * shiftedMonth + 2) / 5 + Int64(day) - 1
    let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
    let days = era * 146_097 + dayOfEra - 719_468
    let seconds = days * 86_400 + Int64(hour * 3600 + minute * 60 + second)
    // From the end of a second before the epoch, whose start the earliest points can't hold.
    return seconds < 0
      ? Timestamp(microseconds: (seconds + 1) * 1_000_000 + Int64(microsecond) - 1_000_000)
      : Timestamp(microseconds: seconds * 1_000_000 + Int64(microsecond))
  }

  /// `2026-11-22T08:27:00Z` in ASCII. A year outside 0 to 9999, which RFC 3339 can't write, gets a sign and six
  /// digits (ISO 8601's expanded form), so that no other year is read from it.
  public var rfc3339: [UInt8] {
    var text = [UInt8]()
    text.reserveCapacity(23)
    func put(_ value: Int, digits: Int, _ after: UInt8) {
      var unit = digits == 6 ? 100_000 : digits == 4 ? 1000 : 10
      while unit > 0 {
        text.append(UInt8(48 + value / unit % 10))
        unit /= 10
      }
      text.append(after)
    }
    if (0...9999).contains(year) {
      put(year, digits: 4, UInt8(ascii: "-"))
    } else {
      text.append(UInt8(ascii: year < 0 ? "-" : "+"))
      put(abs(year), digits: 6, UInt8(ascii: "-"))
    }
    put(month, digits: 2, UInt8(ascii: "-"))
    put(day, digits: 2, UInt8(ascii: "T"))
    put(hour, digits: 2, UInt8(ascii: ":"))
    put(minute, digits: 2, UInt8(ascii: ":"))
    put(second, digits: 2, UInt8(ascii: "Z"))
    return text
  }

  /// Reads `date-time` of RFC 3339, section 5.6.
  fileprivate static func parsed(_ text: [UInt8]) -> Timestamp? {
    func number(_ range: Range<Int>) -> Int? {
      guard range.upperBound <= text.count else { return nil }
      var value = 0
      for byte in text[range] {
        guard (48...57).contains(byte) else { return nil }
        value = value * 10 + Int(byte - 48)
      }
      return value
    }
    func stands(_ characters: StaticString, at index: Int) -> Bool {
      index < text.count && String(describing: characters).utf8.contains(text[index])
    }
    guard let year = number(0..<4), stands("-", at: 4), let month = number(5..<7), stands("-", at: 7),
      let day = number(8..<10), stands("Tt", at: 10), let hour = number(11..<13), stands(":", at: 13),
      let minute = number(14..<16), stands(":", at: 16), let second = number(17..<19), second <= 60
    else { return nil }
    var index = 19
    var microsecond = 0
    if stands(".", at: index) {
      index += 1
      let start = index
      var unit = 100_000
      while index < text.count, let digit = number(index..<index + 1) {
        microsecond += digit * unit
        unit /= 10
        index += 1
      }
      guard index > start else { return nil }
    }
    var offset: Int64 = 0
    if stands("Zz", at: index) {
      index += 1
    } else {
      guard stands("+-", at: index), let hours = number(index + 1..<index + 3), stands(":", at: index + 3),
        let minutes = number(index + 4..<index + 6), hours < 24, minutes < 60
      else { return nil }
      offset = Int64(hours * 3600 + minutes * 60) * (text[index] == UInt8(ascii: "-") ? -1 : 1)
      index += 6
    }
    guard index == text.count,
      let civil = CivilTime(
        year: year, month: month, day: day, hour: hour, minute: minute, second: min(second, 59),
        microsecond: microsecond)
    else { return nil }
    let leap: Int64 = second == 60 ? 1 : 0
    let time = Timestamp(microseconds: civil.timestamp.microseconds + (leap - offset) * 1_000_000)
    if leap != 0 {
      let after = time.civil
      guard (after.day, after.hour, after.minute, after.second) == (1, 0, 0, 0) else { return nil }
    }
    let first = Timestamp(seconds: -62_135_596_800)
    let end = Timestamp(seconds: 253_402_300_800)
    return time >= first && time < end ? time : nil
  }
}
