import FLCrypto
import FLHTTP
import Foundation
import Synchronization

/// A file that is being uploaded: written, digested and told by its first bytes in one go. It goes with this object,
/// unless it was kept.
final class StagedFile {
  let path: String
  let descriptor: Int32
  /// Bytes so far.
  private(set) var size = 0
  /// The first bytes, by which the type is told.
  private(set) var head: [UInt8] = []
  /// Whether the store has given it a place.
  var isKept = false
  private let digest = SHA256.Stream()
  private var follower: DigestFollower?
  private var onItsWay = 0

  /// From so many bytes on the digest is made beside the writing, on another core.
  private static let largeSize = 1_048_576
  /// How many bytes the disk is given to write while more come: little is left to wait for in the end.
  private static let writeBackSize = 8_388_608

  init(path: String, descriptor: Int32) {
    self.path = path
    self.descriptor = descriptor
  }

  deinit {
    _ = follower?.finish(at: 0)
    close(descriptor)
    if !isKept { unlink(path) }
  }

  /// Adds bytes.
  /// - Throws: `Problem` 503 where the disk does not take them.
  func append(_ bytes: UnsafeRawBufferPointer) throws {
    if head.count < ContentType.sample {
      head.append(contentsOf: bytes.prefix(ContentType.sample - head.count))
    }
    var done = 0
    while done < bytes.count {
      let wrote = write(descriptor, bytes.baseAddress?.advanced(by: done), bytes.count - done)
      if wrote < 0 && errno == EINTR { continue }
      guard wrote > 0 else { throw Problem.noSpaceForFiles }
      done += wrote
    }
    size += bytes.count
    if let follower {
      follower.go(on: size)
    } else if size > Self.largeSize {
      follower = DigestFollower(descriptor: descriptor, size: size)
    } else {
      digest.update(bytes)
    }
    if size - onItsWay >= Self.writeBackSize {
      // The advice has Linux begin to write what is dirty there.
      posix_fadvise(descriptor, off_t(onItsWay), off_t(size - onItsWay), POSIX_FADV_DONTNEED)
      onItsWay = size
    }
  }

  /// The digest of all bytes; nothing may be added after it.
  /// - Throws: `Problem` 503 where the file can't be read back.
  func finish() throws -> [UInt8] {
    guard let follower else { return digest.finish() }
    self.follower = nil
    guard let digest = follower.finish(at: size) else { throw Problem.noSpaceForFiles }
    return digest
  }
}

/// Digests a file in a thread of its own while another writes it, reading what was just written back from memory.
private final class DigestFollower: Sendable {
  private let progress: Mutex<(size: Int, isAll: Bool)>
  private let digest = Mutex<[UInt8]?>(nil)
  /// Begins at 0: libdispatch ends the process where a semaphore goes at less than it began with.
  private let wake = DispatchSemaphore(value: 0)
  private let ended = DispatchSemaphore(value: 0)

  /// Begins with the first `size` bytes of the file, whose descriptor must stay open until `finish` is called.
  init(descriptor: Int32, size: Int) {
    progress = Mutex((size, false))
    wake.signal()
    Thread.detachNewThread { self.follow(descriptor) }
  }

  /// Tells that there are more bytes.
  func go(on size: Int) {
    progress.withLock { $0.size = size }
    wake.signal()
  }

  /// Waits until all is digested; nil where the file has no `size` bytes.
  func finish(at size: Int) -> [UInt8]? {
    progress.withLock { $0 = (size, true) }
    wake.signal()
    ended.wait()
    return digest.withLock { $0 }
  }

  private func follow(_ descriptor: Int32) {
    let stream = SHA256.Stream()
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 262_144, alignment: 64)
    defer {
      buffer.deallocate()
      ended.signal()
    }
    var done = 0
    while true {
      wake.wait()
      let (size, isAll) = progress.withLock { $0 }
      while done < size {
        let got = pread(descriptor, buffer.baseAddress, min(buffer.count, size - done), off_t(done))
        if got < 0 && errno == EINTR { continue }
        guard got > 0 else {
          while !progress.withLock({ $0.isAll }) { wake.wait() }
          return
        }
        stream.update(UnsafeRawBufferPointer(rebasing: buffer[..<got]))
        done += got
      }
      if isAll {
        if done == size { digest.withLock { $0 = stream.finish() } }
        return
      }
    }
  }
}
