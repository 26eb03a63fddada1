import FLValues
import Glibc

/// The reading side of one spool file: records from a position on, past whatever is torn.
final class SpoolReader {
  /// Which file.
  let id: ID<SpoolFile>
  let path: String
  private let descriptor: CInt

  /// Opens the file of this name in `directory`; nil when it is gone. Throws `ClickSpoolError`.
  init?(directory: String, id: ID<SpoolFile>, suffix: String = SpoolFile.suffix) throws(ClickSpoolError) {
    self.id = id
    path = "\(directory)/\(id)\(suffix)"
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    if descriptor < 0 {
      let code = errno
      if code == ENOENT { return nil }
      throw ClickSpoolError(step: .read, code: code)
    }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Takes the file over: true when no process writes to it or loads it any more, and it is still there.
  ///
  /// Who held the lock before may have loaded and renamed the file after it was opened here, hence the look at
  /// what the path leads to.
  func adopt() -> Bool {
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else { return false }
    var opened = stat()
    var named = stat()
    return fstat(descriptor, &opened) == 0 && stat(path, &named) == 0 && opened.st_ino == named.st_ino
      && opened.st_dev == named.st_dev
  }

  /// Records that were read in one go.
  struct Batch {
    /// Each with the position in the file behind it.
    var records: [(record: ClickRecord, end: Int)] = []
    /// Where to read on.
    var end: Int
    /// How many times bytes were passed over that are no record.
    var torn = 0
    /// Whether nothing more can be read now.
    var isAtEnd = false
    /// Whether reading stopped at a record of a version that this program does not know.
    var isFromLater = false
  }

  /// Reads up to `limit` records from `position` on.
  ///
  /// While the file `isGrowing`, bytes at its end that are no whole record may be one that is just being
  /// written, and are left for the next time; records behind them prove that they are torn (writes to one file
  /// follow each other). Throws `ClickSpoolError`.
  func read(from position: Int, limit: Int, isGrowing: Bool) throws(ClickSpoolError) -> Batch {
    let wanted = max(limit, 1) * 352 + ClickFrame.maximumLength
    var isWhole = true
    var failure: CInt = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, count in
      while count < wanted {
        let got = pread(
          descriptor, buffer.baseAddress.map { $0 + count }, wanted - count, off_t(position + count))
        if got < 0, errno == EINTR { continue }
        if got < 0 { failure = errno }
        if got <= 0 { return }
        count += got
      }
      isWhole = false
    }
    guard failure == 0 else { throw ClickSpoolError(step: .read, code: failure) }
    return bytes.withUnsafeBytes {
      parse($0, at: position, limit: limit, isWhole: isWhole, isGrowing: isGrowing)
    }
  }

  private enum Found {
    case record(ClickRecord, length: Int)
    case fromLater
    case nothing
  }

  private func frame(_ bytes: UnsafeRawBufferPointer, at start: Int) -> Found {
    guard start + ClickFrame.headerLength <= bytes.count,
      UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: start, as: UInt64.self)) == id.low
    else { return .nothing }
    let length = Int(
      UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: start + 8, as: UInt32.self)))
    let check = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: start + 12, as: UInt32.self))
    let first = start + ClickFrame.headerLength
    guard (1...ClickFrame.maximumPayload).contains(length), first + length <= bytes.count else {
      return .nothing
    }
    let payload = UnsafeRawBufferPointer(rebasing: bytes[first..<first + length])
    guard CRC32.of(payload) == check else { return .nothing }
    if payload[0] > ClickFrame.version { return .fromLater }
    guard let record = ClickFrame.decode(payload) else { return .nothing }
    return .record(record, length: ClickFrame.headerLength + length)
  }

  private func nextMarker(_ bytes: UnsafeRawBufferPointer, after start: Int) -> Int? {
    let first = UInt8(truncatingIfNeeded: id.low)
    var index = start + 1
    while index + 8 <= bytes.count {
      if bytes[index] == first,
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)) == id.low
      {
        return index
      }
      index += 1
    }
    return nil
  }

  private func parse(
    _ bytes: UnsafeRawBufferPointer, at position: Int, limit: Int, isWhole: Bool, isGrowing: Bool
  ) -> Batch {
    var batch = Batch(end: position)
    var start = 0
    while start < bytes.count, batch.records.count < limit {
      switch frame(bytes, at: start) {
      case .record(let record, let length):
        start += length
        batch.records.append((record, position + start))
      case .fromLater:
        batch.end = position + start
        batch.isFromLater = true
        return batch
      case .nothing:
        if let next = nextMarker(bytes, after: start) {
          start = next
          batch.torn += 1
        } else if isWhole {
          if !isGrowing {
            start = bytes.count
            batch.torn += 1
          }
          batch.end = position + start
          batch.isAtEnd = true
          return batch
        } else {
          // The frame goes on past what was read; or, where nothing was found at all, a long run of garbage.
          if bytes.count - start > ClickFrame.maximumLength {
            start = bytes.count - 7
            batch.torn += 1
          }
          batch.end = position + start
          return batch
        }
      }
    }
    batch.end = position + start
    batch.isAtEnd = isWhole && start == bytes.count
    return batch
  }

  /// Ends a loaded file that was adopted, in three steps each of which may be the last before a kill: it is
  /// renamed, so that it is never loaded again; `forget` deletes its position; it is removed.
  func end(directory: String, forget: () throws -> Void) throws {
    let done = "\(directory)/\(id)\(SpoolFile.doneSuffix)"
    if path != done {
      guard rename(path, done) == 0 else { throw ClickSpoolError(step: .remove, code: errno) }
      // The name must be on the disk before the position is gone from the database: after a loss of power the
      // old name without a position would be loaded a second time.
      let folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      guard folder >= 0 else { throw ClickSpoolError(step: .remove, code: errno) }
      defer { close(folder) }
      guard fsync(folder) == 0 else { throw ClickSpoolError(step: .remove, code: errno) }
    }
    try forget()
    guard unlink(done) == 0 || errno == ENOENT else { throw ClickSpoolError(step: .remove, code: errno) }
  }
}
