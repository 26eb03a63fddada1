import FLHTTP

extension Shape where Value == String {
  /// A colour as CSS has it in hexadecimal: `#rrggbb`, or `#rgb` for short; kept as `#rrggbb` in lower case.
  static var color: Shape {
    Shape(
      schema: Schema([
        "type": "string", "pattern": "^#([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})$", "example": "#1a2b3c",
      ]),
      readText: { text, reading in
        let digits = text.utf8.dropFirst()
        guard text.utf8.first == UInt8(ascii: "#"), digits.count == 3 || digits.count == 6,
          digits.allSatisfy({ "0123456789abcdefABCDEF".utf8.contains($0) })
        else {
          reading.refuse("invalid_color", "This must be a colour like #1a2b3c.")
          return nil
        }
        let lower = text.dropFirst().lowercased()
        return "#" + (digits.count == 6 ? lower : lower.map { "\($0)\($0)" }.joined())
      },
      write: { $1.string($0) })
  }
}
