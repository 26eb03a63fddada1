import FLValues
import Foundation
import Glibc
public import Logging
import Synchronization

/// One spool file: open for appending, and locked for as long as anybody in this process may write to it.
///
/// The lock is on the open file and goes with the last reference, also when the process is killed: a loader
/// that gets it knows that nothing more will be written.
final class SpoolFile: Sendable {
  static let suffix = ".spool"
  /// What a spool is called from when it is loaded until it is gone.
  static let doneSuffix = ".done"

  /// The file's name; its random half is the marker of its records.
  let id: ID<SpoolFile>
  let path: String
  let descriptor: CInt
  /// Bytes that were appended.
  let length = Atomic<Int>(0)

  /// Makes a spool of its own in `directory`. Throws `ClickSpoolError`.
  init(directory: String) throws(ClickSpoolError) {
    for _ in 0..<8 {
      let id = ID<SpoolFile>(at: .now)
      let path = "\(directory)/\(id)\(SpoolFile.suffix)"
      let descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
      guard descriptor >= 0 else { throw ClickSpoolError(step: .create, code: errno) }
      var opened = stat()
      var named = stat()
      // A loader may have taken the empty file for a dead process's before it was locked: then make another.
      if flock(descriptor, LOCK_EX | LOCK_NB) == 0, fstat(descriptor, &opened) == 0, stat(path, &named) == 0,
        opened.st_ino == named.st_ino, opened.st_dev == named.st_dev
      {
        (self.id, self.path, self.descriptor) = (id, path, descriptor)
        return
      }
      close(descriptor)
    }
    throw ClickSpoolError(step: .lock, code: EAGAIN)
  }

  deinit { close(descriptor) }

  /// Appends one frame by one `write`; nil when it was written whole, else the error (0 for a short write).
  func append(_ frame: [UInt8]) -> CInt? {
    while true {
      let written = frame.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      if written > 0 { length.add(written, ordering: .relaxed) }
      if written == frame.count { return nil }
      if written < 0, errno == EINTR { continue }
      return written < 0 ? errno : 0
    }
  }
}

/// A spool directory or file that cannot be used.
public struct ClickSpoolError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What was being done.
  public enum Step: String, Sendable {
    /// Making the directory or a file in it.
    case create
    /// Locking a new file.
    case lock
    /// Listing the directory or reading a file.
    case read
    /// Renaming or removing a file that is loaded.
    case remove
  }
  /// What was being done.
  public let step: Step
  /// The system's `errno`.
  public let code: CInt
  /// What an operator reads.
  public var description: String { "click spool, \(step.rawValue): \(String(cString: strerror(code)))" }
}

/// Where redirects note their clicks before these are in the database: a file of this process in the spool
/// directory.
///
/// A record is appended by one `write` and not synchronised: it is in the kernel's page cache when `append`
/// returns, which survives the death of the process in any way, but not a loss of power (the last seconds
/// before one may be lost; nothing is counted twice). The directory must be on a local file system.
public final class ClickSpool: Sendable {
  /// Where the files are.
  public let directory: String
  private let current: Mutex<SpoolFile?>
  private let rotateAfter: Int
  private let lost = Atomic<Int>(0)
  private let losses = Mutex(Losses())
  private let logger: Logger

  private struct Losses {
    var reported = 0
    var at = Timestamp(microseconds: 0)
    var code: CInt = 0
  }

  /// A spool in `directory`, which is made where it is missing (mode 0700). A file that has grown past
  /// `rotateAfter` bytes is left to the loader and the next one begun. Throws when no file can be made there,
  /// so that a wrong configuration is seen at the start.
  public init(directory: String, rotateAfter: Int = 16 << 20, logger: Logger) throws(ClickSpoolError) {
    self.directory = directory
    self.rotateAfter = rotateAfter
    self.logger = logger
    do {
      try FileManager.default.createDirectory(
        atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    } catch {
      throw ClickSpoolError(step: .create, code: errno == 0 ? EIO : errno)
    }
    current = Mutex(try SpoolFile(directory: directory))
  }

  /// Notes a click. Never fails and never waits for anything but the one `write`: a click that cannot be
  /// written, for want of space say, is counted in `lostClicks` and told in the log.
  public func append(_ record: ClickRecord) {
    // A short write leaves torn bytes behind, which the loader passes over: the second attempt is a record of
    // its own. Nothing is cut off, for another thread may have appended in between.
    var code: CInt = 0
    for _ in 0..<2 {
      guard let file = file() else { return lose(ENOENT) }
      guard let failure = file.append(ClickFrame.encode(record, marker: file.id.low)) else {
        if file.length.load(ordering: .relaxed) >= rotateAfter { retire(file) }
        return
      }
      code = failure == 0 ? ENOSPC : failure
      if failure != 0 { break }
    }
    lose(code)
  }

  /// How many clicks could not be written since the process began.
  public var lostClicks: Int { lost.load(ordering: .relaxed) }

  /// Leaves the present file to the loaders; a later click begins a new one.
  public func finish() {
    let last = current.withLock { file in
      defer { file = nil }
      return file
    }
    // The reference goes here, outside of the lock: closing may take time.
    _ = last
  }

  /// Tells the log of losses that it has not told yet. `append` does so at most once a second; what is left is
  /// told by the loader's rounds.
  public func reportLosses() {
    report(code: nil)
  }

  /// The file that this process appends to now, if it has begun one.
  var currentFile: SpoolFile? { current.withLock { $0 } }

  private func file() -> SpoolFile? {
    current.withLock { file in
      if file == nil { file = try? SpoolFile(directory: directory) }
      return file
    }
  }

  private func retire(_ full: SpoolFile) {
    current.withLock { file in
      guard file === full, let next = try? SpoolFile(directory: directory) else { return }
      file = next
    }
  }

  private func lose(_ code: CInt) {
    lost.add(1, ordering: .relaxed)
    report(code: code)
  }

  private func report(code: CInt?) {
    let news: (total: Int, since: Int, code: CInt)? = losses.withLock { losses in
      if let code { losses.code = code }
      let total = lostClicks
      let now = Timestamp.now
      guard total > losses.reported, abs(now.microseconds - losses.at.microseconds) >= 1_000_000 else {
        return nil
      }
      defer { (losses.reported, losses.at) = (total, now) }
      return (total, total - losses.reported, losses.code)
    }
    guard let news else { return }
    logger.error(
      "clicks were lost: the spool cannot be written",
      metadata: [
        "lost": "\(news.since)", "lostInAll": "\(news.total)",
        "error": "\(String(cString: strerror(news.code)))",
      ])
  }
}
