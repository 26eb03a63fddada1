/// Character references of HTML, `&amp;` and `&#8364;` (WHATWG HTML standard, section 13.2.5.72): the names of HTML 4 and
/// the common ones of HTML 5, and all numbers.
enum CharacterReference {
  /// The names of U+00A0 to U+00FF in order, which count without a semicolon, too.
  private static let latin = """
    nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3
    acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde
    Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc
    Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml
    aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc
    otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml
    """.split { $0 == " " || $0 == "\n" }

  /// Other names, each behind its code point.
  private static let others = """
    9:Tab 10:NewLine 33:excl 35:num 36:dollar 37:percnt 39:apos 40:lpar 41:rpar 42:ast 43:plus 44:comma
    46:period 47:sol 58:colon 59:semi 61:equals 63:quest 64:commat 91:lsqb 92:bsol 93:rsqb 95:lowbar
    96:grave 123:lcub 124:verbar 125:rcub 338:OElig 339:oelig 352:Scaron 353:scaron 376:Yuml 402:fnof
    710:circ 732:tilde 913:Alpha 914:Beta 915:Gamma 916:Delta 917:Epsilon 918:Zeta 919:Eta 920:Theta
    921:Iota 922:Kappa 923:Lambda 924:Mu 925:Nu 926:Xi 927:Omicron 928:Pi 929:Rho 931:Sigma 932:Tau
    933:Upsilon 934:Phi 935:Chi 936:Psi 937:Omega 945:alpha 946:beta 947:gamma 948:delta 949:epsilon
    950:zeta 951:eta 952:theta 953:iota 954:kappa 955:lambda 956:mu 957:nu 958:xi 959:omicron 960:pi 961:rho
    962:sigmaf 963:sigma 964:tau 965:upsilon 966:phi 967:chi 968:psi 969:omega 977:thetasym 978:upsih
    982:piv 8194:ensp 8195:emsp 8201:thinsp 8204:zwnj 8205:zwj 8206:lrm 8207:rlm 8208:hyphen 8211:ndash
    8212:mdash 8213:horbar 8216:lsquo 8217:rsquo 8218:sbquo 8220:ldquo 8221:rdquo 8222:bdquo 8224:dagger
    8225:Dagger 8226:bull 8230:hellip 8240:permil 8242:prime 8243:Prime 8249:lsaquo 8250:rsaquo 8254:oline
    8260:frasl 8364:euro 8465:image 8472:weierp 8476:real 8482:trade 8501:alefsym 8592:larr 8593:uarr
    8594:rarr 8595:darr 8596:harr 8629:crarr 8656:lArr 8657:uArr 8658:rArr 8659:dArr 8660:hArr 8704:forall
    8706:part 8707:exist 8709:empty 8711:nabla 8712:isin 8713:notin 8715:ni 8719:prod 8721:sum 8722:minus
    8727:lowast 8730:radic 8733:prop 8734:infin 8736:ang 8743:and 8744:or 8745:cap 8746:cup 8747:int
    8756:there4 8764:sim 8773:cong 8776:asymp 8800:ne 8801:equiv 8804:le 8805:ge 8834:sub 8835:sup 8836:nsub
    8838:sube 8839:supe 8853:oplus 8855:otimes 8869:perp 8901:sdot 8968:lceil 8969:rceil 8970:lfloor
    8971:rfloor 9001:lang 9002:rang 9674:loz 9733:starf 9734:star 9742:phone 9824:spades 9827:clubs
    9829:hearts 9830:diams 10003:check 10007:cross
    """.split { $0 == " " || $0 == "\n" }

  private static let legacy: [[UInt8]: Unicode.Scalar] = {
    var names: [[UInt8]: Unicode.Scalar] = [
      Array("amp".utf8): "&", Array("lt".utf8): "<", Array("gt".utf8): ">", Array("quot".utf8): "\"",
    ]
    for (offset, name) in latin.enumerated() {
      names[Array(name.utf8)] = Unicode.Scalar(UInt8(160 + offset))
    }
    return names
  }()

  private static let named: [[UInt8]: Unicode.Scalar] = {
    var names = legacy
    for entry in others {
      let parts = entry.split(separator: ":")
      if let number = UInt32(parts[0]), let scalar = Unicode.Scalar(number) {
        names[Array(parts[1].utf8)] = scalar
      }
    }
    return names
  }()

  /// What Windows-1252 has at 0x80 to 0x9F, which is what writers of such numbers meant.
  private static let windows: [UInt32] = [
    0x20AC, 0x81, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152,
    0x8D,
    0x017D, 0x8F, 0x90, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161,
    0x203A,
    0x0153, 0x9D, 0x017E, 0x0178,
  ]

  /// The reference that begins with the `&` at `index`, and where it ends; nil when none does.
  static func read(_ source: ArraySlice<UInt8>, at index: Int, inAttribute: Bool) -> (
    Unicode.Scalar, end: Int
  )? {
    let end = source.endIndex
    var at = index + 1
    guard at < end else { return nil }
    if source[at] == UInt8(ascii: "#") {
      at += 1
      let isHexadecimal = at < end && source[at] | 0x20 == UInt8(ascii: "x")
      if isHexadecimal { at += 1 }
      let start = at
      var value: UInt32 = 0
      while at < end, let digit = digit(source[at], isHexadecimal) {
        value = min(value * (isHexadecimal ? 16 : 10) + digit, 0x110000)
        at += 1
      }
      guard at > start else { return nil }
      if at < end, source[at] == UInt8(ascii: ";") { at += 1 }
      if (0x80...0x9F).contains(value) { value = windows[Int(value - 0x80)] }
      return (value == 0 ? "\u{FFFD}" : Unicode.Scalar(value) ?? "\u{FFFD}", at)
    }
    while at < end, at - index <= 32, source[at].isLetter || source[at].isDigit { at += 1 }
    let name = Array(source[index + 1..<at])
    if at < end, source[at] == UInt8(ascii: ";") {
      return named[name].map { ($0, at + 1) }
    }
    // `?a=1&copy=2` is an address.
    if inAttribute, at < end, source[at] == UInt8(ascii: "=") { return nil }
    return legacy[name].map { ($0, at) }
  }

  private static func digit(_ byte: UInt8, _ isHexadecimal: Bool) -> UInt32? {
    if byte.isDigit { return UInt32(byte - 48) }
    let letter = byte | 0x20
    return isHexadecimal && (97...102).contains(letter) ? UInt32(letter - 87) : nil
  }

  /// The bytes of an attribute's value with its references decoded.
  static func decodedAttribute(_ source: ArraySlice<UInt8>) -> [UInt8] {
    var output = [UInt8]()
    output.reserveCapacity(source.count)
    var index = source.startIndex
    while index < source.endIndex {
      if source[index] == UInt8(ascii: "&"), let (scalar, end) = read(source, at: index, inAttribute: true) {
        output.append(scalar)
        index = end
      } else {
        output.append(source[index])
        index += 1
      }
    }
    return output
  }
}

extension [UInt8] {
  /// Appends the UTF-8 of `scalar`.
  mutating func append(_ scalar: Unicode.Scalar) {
    if scalar.isASCII {
      append(UInt8(scalar.value))
    } else if let encoded = UTF8.encode(scalar) {
      append(contentsOf: encoded)
    }
  }
}
