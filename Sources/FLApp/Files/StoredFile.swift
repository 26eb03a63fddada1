public import FLValues

/// The identifier of a file.
public typealias FileID = ID<StoredFile>

/// A file of an account.
public struct StoredFile: Sendable {}
