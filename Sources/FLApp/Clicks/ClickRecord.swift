public import FLValues

/// A click as the redirect notes it in the spool: what the client sent, not yet classified, its address sealed.
public struct ClickRecord: Hashable, Sendable {
  /// The click's identifier.
  public var id: ID<Click>
  /// The link that was followed.
  public var linkID: LinkID
  /// The account that owns it.
  public var accountID: AccountID
  /// When.
  public var at: Timestamp
  /// See `Click.visitor`.
  public var visitor: UInt64
  /// See `Click.isBot`.
  public var isBot: Bool
  /// How the visitor came.
  public var source: ClickSource
  /// The QR code that was scanned, where that is known.
  public var qrCodeID: QRCodeID?
  /// The client's address, for the loader; nil where the day's salt was not known.
  public var address: SealedAddress?
  /// The User-Agent header; its first 512 bytes are kept.
  public var userAgent: String
  /// The Referer header; its first 512 bytes are kept.
  public var referrer: String
  /// The Accept-Language header; its first 64 bytes are kept.
  public var acceptLanguage: String
  /// The campaign of the visitor's query.
  public var campaign: Campaign

  /// A click that was just made.
  public init(
    id: ID<Click>, linkID: LinkID, accountID: AccountID, at: Timestamp, visitor: UInt64,
    isBot: Bool, source: ClickSource = .click, qrCodeID: QRCodeID? = nil, address: SealedAddress? = nil,
    userAgent: String = "", referrer: String = "", acceptLanguage: String = "",
    campaign: Campaign = Campaign()
  ) {
    (self.id, self.linkID, self.accountID, self.at) = (id, linkID, accountID, at)
    (self.visitor, self.isBot, self.source) = (visitor, isBot, source)
    (self.qrCodeID, self.address) = (qrCodeID, address)
    (self.userAgent, self.referrer, self.acceptLanguage) = (userAgent, referrer, acceptLanguage)
    self.campaign = campaign
  }
}

/// The bytes of a record in a spool.
///
/// ```
/// marker 8 | length of the payload 4 | CRC-32 of the payload 4 | payload
/// payload: version 1 | flags 1 | source 1 | id 16 | link 16 | account 16 | time 8 | visitor 8
///          | QR code 16, with flag 2 | sealed address 16, with flag 4
///          | eight texts, each: length 2 | UTF-8
/// ```
/// Flag 1 is a bot. Version 1, which an upgrade may find, has no other flag.
///
/// Numbers are little-endian, identifiers in network order. The marker is the spool's own random half of its
/// name: no client can put it into a header, so what follows a torn record is found again by searching for it.
enum ClickFrame {
  static let headerLength = 16
  static let version: UInt8 = 2
  /// Flags, source, identifiers, time, visitor, version, QR code, address and eight lengths.
  static let fixedLength = 3 + 48 + 16 + 32 + 16
  static let maximumPayload =
    fixedLength + ClickLimits.userAgent + ClickLimits.referrer + ClickLimits.acceptLanguage
    + 5 * ClickLimits.text
  static let maximumLength = headerLength + maximumPayload

  /// The frame of `record` in the spool with this marker.
  static func encode(_ record: ClickRecord, marker: UInt64) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: maximumLength) { buffer, count in
      let bytes = UnsafeMutableRawBufferPointer(buffer)
      var end = headerLength
      func put(_ value: some FixedWidthInteger) {
        bytes.storeBytes(of: value.littleEndian, toByteOffset: end, as: type(of: value.littleEndian))
        end += value.bitWidth / 8
      }
      func put<Subject>(_ id: ID<Subject>) {
        put(id.high.byteSwapped)
        put(id.low.byteSwapped)
      }
      func put(_ text: String?, limit: Int) {
        guard var text, !text.isEmpty else { return put(UInt16(0)) }
        text.withUTF8 { utf8 in
          let length = min(utf8.count, limit)
          put(UInt16(length))
          UnsafeMutableRawBufferPointer(rebasing: bytes[end...]).copyMemory(
            from: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(utf8)[..<length]))
          end += length
        }
      }
      put(version)
      put(
        (record.isBot ? 1 : 0) | (record.qrCodeID == nil ? 0 : 2) | (record.address == nil ? 0 : 4) as UInt8)
      put(record.source.rawValue)
      put(record.id)
      put(record.linkID)
      put(record.accountID)
      put(record.at.microseconds)
      put(record.visitor)
      if let code = record.qrCodeID { put(code) }
      if let address = record.address {
        put(address.high)
        put(address.low)
      }
      put(record.userAgent, limit: ClickLimits.userAgent)
      put(record.referrer, limit: ClickLimits.referrer)
      put(record.acceptLanguage, limit: ClickLimits.acceptLanguage)
      put(record.campaign.source, limit: ClickLimits.text)
      put(record.campaign.medium, limit: ClickLimits.text)
      put(record.campaign.name, limit: ClickLimits.text)
      put(record.campaign.term, limit: ClickLimits.text)
      put(record.campaign.content, limit: ClickLimits.text)
      count = end
      let payload = UnsafeRawBufferPointer(rebasing: bytes[headerLength..<end])
      end = 0
      put(marker)
      put(UInt32(payload.count))
      put(CRC32.of(payload))
    }
  }

  /// The record whose payload this is, of a known version; nil when it is none. Texts that a limit cut inside
  /// a character lose that character.
  static func decode(_ payload: UnsafeRawBufferPointer) -> ClickRecord? {
    var start = 0
    func number<Number: FixedWidthInteger>(_ type: Number.Type) -> Number? {
      guard start + MemoryLayout<Number>.size <= payload.count else { return nil }
      defer { start += MemoryLayout<Number>.size }
      return Number(littleEndian: payload.loadUnaligned(fromByteOffset: start, as: type))
    }
    func identifier<Subject>(of _: Subject.Type) -> ID<Subject>? {
      guard let high = number(UInt64.self), let low = number(UInt64.self) else { return nil }
      return ID(high: high.byteSwapped, low: low.byteSwapped)
    }
    func text() -> String? {
      guard let length = number(UInt16.self), start + Int(length) <= payload.count else { return nil }
      var bytes = UnsafeRawBufferPointer(rebasing: payload[start..<start + Int(length)])
      start += Int(length)
      let whole = String(decoding: bytes, as: UTF8.self)
      guard whole.unicodeScalars.last == "\u{FFFD}" else { return whole }
      while let last = bytes.last, last & 0xC0 == 0x80 {
        bytes = UnsafeRawBufferPointer(rebasing: bytes.dropLast())
      }
      return String(decoding: bytes.dropLast(), as: UTF8.self)
    }
    guard let version = number(UInt8.self), (1...Self.version).contains(version),
      let flags = number(UInt8.self), let sourceCode = number(UInt8.self),
      let source = ClickSource(rawValue: sourceCode), let id = identifier(of: Click.self),
      let linkID = identifier(of: Link.self), let accountID = identifier(of: Account.self),
      let at = number(Int64.self), let visitor = number(UInt64.self), flags < (version == 1 ? 2 : 8)
    else { return nil }
    var qrCodeID: QRCodeID?
    if flags & 2 != 0 {
      guard let code = identifier(of: QRCode.self) else { return nil }
      qrCodeID = code
    }
    var address: SealedAddress?
    if flags & 4 != 0 {
      guard let high = number(UInt64.self), let low = number(UInt64.self) else { return nil }
      address = SealedAddress(high: high, low: low)
    }
    guard let userAgent = text(), let referrer = text(), let acceptLanguage = text(), let utmSource = text(),
      let utmMedium = text(),
      let utmName = text(), let utmTerm = text(), let utmContent = text(), start == payload.count
    else { return nil }
    var campaign = Campaign()
    campaign.source = utmSource.isEmpty ? nil : utmSource
    campaign.medium = utmMedium.isEmpty ? nil : utmMedium
    campaign.name = utmName.isEmpty ? nil : utmName
    campaign.term = utmTerm.isEmpty ? nil : utmTerm
    campaign.content = utmContent.isEmpty ? nil : utmContent
    return ClickRecord(
      id: id, linkID: linkID, accountID: accountID, at: Timestamp(microseconds: at), visitor: visitor,
      isBot: flags & 1 == 1, source: source, qrCodeID: qrCodeID, address: address, userAgent: userAgent,
      referrer: referrer,
      acceptLanguage: acceptLanguage, campaign: campaign)
  }
}
