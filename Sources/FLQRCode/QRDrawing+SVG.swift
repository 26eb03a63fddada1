import Foundation

extension QRDrawing {
  /// The code as an SVG document, `size` CSS pixels wide until somebody scales it; its unit is the module.
  /// `title` is what it is called by those who can't see it.
  /// - Throws: `Refusal.tooSmall`.
  public func svg(size: Int, title: String) throws(Refusal) -> [UInt8] {
    try check(size)
    let width = Double(total)
    let height = width + captionHeight(width: width)
    var svg = """
      <svg xmlns="http://www.w3.org/2000/svg" width="\(size)" \
      height="\(Self.number(Double(size) * height / width))" \
      viewBox="0 0 \(total) \(Self.number(height))" role="img">
      <title>\(Self.escaped(title))</title>

      """
    if !style.isTransparent {
      svg += "<rect width=\"\(total)\" height=\"\(Self.number(height))\" fill=\"\(style.background)\"/>\n"
    }
    let edges = style.shape == .square ? " shape-rendering=\"crispEdges\"" : ""
    svg +=
      "<path fill=\"\(style.foreground)\" fill-rule=\"evenodd\"\(edges) "
      + "transform=\"translate(\(style.margin) \(style.margin))\" d=\"\(path)\"/>\n"
    if let logo, let hidden {
      let frame = logoFrame(logo, in: hidden)
      svg += """
        <image x="\(Self.number(frame.x + Double(style.margin)))" \
        y="\(Self.number(frame.y + Double(style.margin)))" width="\(Self.number(frame.width))" \
        height="\(Self.number(frame.height))" \
        href="data:image/png;base64,\(Data(logo.png).base64EncodedString())"/>

        """
    }
    if let caption = style.caption, let captionExtent {
      let letters = letterSize(width: width)
      svg += """
        <text x="\(Self.number(width / 2))" y="\(Self.number(width + captionBaseline(width: width)))" \
        fill="\(style.foreground)" font-family="DejaVu Sans, Verdana, Arial, sans-serif" \
        font-size="\(Self.number(letters))" text-anchor="middle" lengthAdjust="spacingAndGlyphs" \
        textLength="\(Self.number(captionExtent.width * letters))">\(Self.escaped(caption))</text>

        """
    }
    svg += "</svg>\n"
    return Array(svg.utf8)
  }

  /// The outline of all modules.
  private var path: String {
    switch style.shape {
    case .square: squares
    case .rounded: finders + each { column, row in Self.rounded(column, row, freeCorners(column, row)) }
    case .dots:
      finders
        + each { column, row in
          freeCorners(column, row) == 0 ? "M\(column) \(row)h1v1h-1z" : Self.dot(column, row)
        }
    }
  }

  /// Modules side by side are one rectangle.
  private var squares: String {
    var path = ""
    for row in 0..<symbol.width {
      var column = 0
      while column < symbol.width {
        let start = column
        while isDrawn(column, row) { column += 1 }
        let length = column - start
        if length > 0 { path += "M\(start) \(row)h\(length)v1h-\(length)z" }
        column += 1
      }
    }
    return path
  }

  private func each(_ draw: (Int, Int) -> String) -> String {
    var path = ""
    for row in 0..<symbol.width {
      for column in 0..<symbol.width where isDrawn(column, row) && !symbol.isFinder(column, row) {
        path += draw(column, row)
      }
    }
    return path
  }

  private static func dot(_ column: Int, _ row: Int) -> String {
    let radius = number(dotSize / 2)
    return
      "M\(number(Double(column) + 0.5 - dotSize / 2)) \(row).5"
      + "a\(radius) \(radius) 0 1 1 \(number(dotSize)) 0a\(radius) \(radius) 0 1 1 -\(number(dotSize)) 0z"
  }

  private static func rounded(_ column: Int, _ row: Int, _ corners: UInt8) -> String {
    func corner(_ bit: UInt8, _ x: String, _ y: String, _ straight: String) -> String {
      corners & bit == 0 ? straight : "a.5.5 0 0 1 \(x) \(y)"
    }
    return "M\(column) \(row).5" + corner(1, ".5", "-.5", "v-.5h.5") + corner(2, ".5", ".5", "h.5v.5")
      + corner(8, "-.5", ".5", "v.5h-.5") + corner(4, "-.5", "-.5", "h-.5v-.5") + "z"
  }

  private var finders: String {
    symbol.finders.map { place in
      Self.box(place.column, place.row, 7, Self.finderRadii.0)
        + Self.box(place.column + 1, place.row + 1, 5, Self.finderRadii.1)
        + Self.box(place.column + 2, place.row + 2, 3, Self.finderRadii.2)
    }.joined()
  }

  private static func box(_ column: Int, _ row: Int, _ side: Int, _ radius: Double) -> String {
    if radius == 0 { return "M\(column) \(row)h\(side)v\(side)h-\(side)z" }
    let straight = number(Double(side) - 2 * radius)
    let r = number(radius)
    return "M\(number(Double(column) + radius)) \(row)h\(straight)a\(r) \(r) 0 0 1 \(r) \(r)v\(straight)"
      + "a\(r) \(r) 0 0 1 -\(r) \(r)h-\(straight)a\(r) \(r) 0 0 1 -\(r) -\(r)v-\(straight)"
      + "a\(r) \(r) 0 0 1 \(r) -\(r)z"
  }

  /// A number to the thousandth.
  private static func number(_ value: Double) -> String {
    let thousandths = Int((value * 1000).rounded())
    if thousandths % 1000 == 0 { return String(thousandths / 1000) }
    let digits = String(abs(thousandths) % 1000 + 1000).dropFirst()
    let sign = thousandths < 0 ? "-" : ""
    return "\(sign)\(abs(thousandths) / 1000).\(digits)"
  }

  /// A text for an element of XML.
  private static func escaped(_ text: String) -> String {
    text.unicodeScalars.reduce(into: "") { result, scalar in
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "\u{FFFE}", "\u{FFFF}": break
      default:
        // XML 1.0 has no other control characters, not even as a reference.
        if scalar.value >= 0x20 || scalar == "\t" || scalar == "\n" { result.unicodeScalars.append(scalar) }
      }
    }
  }
}
