public import FLValues

/// The identifier of a QR code.
public typealias QRCodeID = ID<QRCode>

/// A QR code of a link.
public struct QRCode: Sendable {}
