import FLValues

/// Points in time as messages have them (RFC 5322, section 3.3).
enum MailDate {
  private static let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
  private static let months = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
  ]

  /// `Sun, 22 Nov 2026 08:27:00 +0000`, in UTC.
  static func append(_ time: Timestamp, to output: inout [UInt8]) {
    let civil = time.civil
    func put(_ number: Int, digits: Int) {
      var unit = digits == 4 ? 1000 : 10
      while unit > 0 {
        output.append(UInt8(48 + number / unit % 10))
        unit /= 10
      }
    }
    // The first day of the epoch was a Thursday.
    let day = Int((time.roundedDown(toSeconds: 86_400).seconds / 86_400) % 7)
    output.append(contentsOf: days[day < 0 ? day + 7 : day].utf8)
    output.append(contentsOf: ", ".utf8)
    put(civil.day, digits: 2)
    output.append(0x20)
    output.append(contentsOf: months[civil.month - 1].utf8)
    output.append(0x20)
    put(max(civil.year, 0), digits: 4)
    output.append(0x20)
    put(civil.hour, digits: 2)
    output.append(UInt8(ascii: ":"))
    put(civil.minute, digits: 2)
    output.append(UInt8(ascii: ":"))
    put(civil.second, digits: 2)
    output.append(contentsOf: " +0000".utf8)
  }
}
