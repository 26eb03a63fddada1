import Foundation

/// Host names beyond ASCII as the DNS has them (IDNA, RFC 5890), in Punycode (RFC 3492).
///
/// Foundation's own conversion is not there in a program that is linked statically.
public enum Punycode {
  /// The name with the A-label of each label that is not ASCII; nil for a label that can have none.
  ///
  /// Letters are mapped as browsers do: to lower case and Unicode's form KC, with the full stops of East Asia
  /// taken for dots (UTS #46). What the mapping makes of signs is for the caller to check.
  public static func ascii(_ name: String) -> String? {
    let mapped = name.lowercased().precomposedStringWithCompatibilityMapping.lowercased()
      .precomposedStringWithCompatibilityMapping.unicodeScalars
    var labels: [String] = []
    for label in mapped.split(separator: ".", omittingEmptySubsequences: false) {
      for part in label.split(separator: "\u{3002}", omittingEmptySubsequences: false) {
        if part.allSatisfy(\.isASCII) {
          labels.append(String(part))
        } else {
          // A label begins with no mark, and has neither invisible signs nor what is of no script (RFC 5892).
          guard let first = part.first,
            ![.nonspacingMark, .enclosingMark, .spacingMark].contains(category(first)),
            part.allSatisfy(isAllowed), let encoded = encoded(Array(part))
          else { return nil }
          labels.append("xn--" + encoded)
        }
      }
    }
    return labels.joined(separator: ".")
  }

  private static func category(_ scalar: Unicode.Scalar) -> Unicode.GeneralCategory {
    scalar.properties.generalCategory
  }

  private static func isAllowed(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.isASCII {
      return (48...57).contains(scalar.value) || (97...122).contains(scalar.value) || scalar == "-"
        || scalar == "_"
    }
    return switch category(scalar) {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator,
      .spaceSeparator:
      false
    default: !scalar.properties.isDefaultIgnorableCodePoint
    }
  }

  /// Section 6.3 of RFC 3492.
  private static func encoded(_ label: [Unicode.Scalar]) -> String? {
    let digits = Array("abcdefghijklmnopqrstuvwxyz0123456789".unicodeScalars)
    var output = label.filter(\.isASCII)
    let basic = output.count
    var handled = basic
    if basic > 0 { output.append("-") }
    var next: UInt32 = 128
    var delta = 0
    var bias = 72
    while handled < label.count {
      guard label.count <= 63, let least = label.map(\.value).filter({ $0 >= next }).min() else { return nil }
      delta += Int(least - next) * (handled + 1)
      next = least
      for scalar in label {
        if scalar.value < next { delta += 1 }
        guard scalar.value == next else { continue }
        var rest = delta
        var base = 36
        while true {
          let threshold = min(max(base - bias, 1), 26)
          if rest < threshold { break }
          output.append(digits[threshold + (rest - threshold) % (36 - threshold)])
          rest = (rest - threshold) / (36 - threshold)
          base += 36
        }
        output.append(digits[rest])
        bias = adapted(delta, count: handled + 1, isFirst: handled == basic)
        delta = 0
        handled += 1
      }
      delta += 1
      next += 1
    }
    return String(String.UnicodeScalarView(output))
  }

  /// Section 6.1 of RFC 3492.
  private static func adapted(_ delta: Int, count: Int, isFirst: Bool) -> Int {
    var delta = isFirst ? delta / 700 : delta / 2
    delta += delta / count
    var steps = 0
    while delta > 455 {
      delta /= 35
      steps += 36
    }
    return steps + 36 * delta / (delta + 38)
  }
}
