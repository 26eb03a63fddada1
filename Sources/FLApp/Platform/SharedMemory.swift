import Foundation
import Synchronization

/// A table of 64-bit numbers that all processes of this host share: a file in memory.
///
/// It holds nothing that must survive: a new file begins with zeros.
final class SharedTable: Sendable {
  private nonisolated(unsafe) let cells: UnsafeMutablePointer<Atomic<UInt64>>
  /// How many numbers there are.
  let count: Int

  /// Opens the table at `path`, or makes it.
  /// - Throws: `Settings.Failure` where the file can't be used.
  init(path: String, count: Int) throws {
    let size = count * MemoryLayout<UInt64>.stride
    let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw Settings.Failure(description: "The file \(path) can't be opened.") }
    defer { close(descriptor) }
    // With its blocks: a store into a hole of the file would end the process when the disk is full (SIGBUS).
    guard posix_fallocate(descriptor, 0, off_t(size)) == 0,
      let memory = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0), memory != MAP_FAILED
    else { throw Settings.Failure(description: "The file \(path) can't be mapped.") }
    // The file is mapped for as long as the process lives.
    cells = memory.bindMemory(to: Atomic<UInt64>.self, capacity: count)
    self.count = count
  }

  deinit { munmap(UnsafeMutableRawPointer(cells), count * MemoryLayout<UInt64>.stride) }

  /// The number at `index`, which wraps around the table.
  func load(_ index: Int) -> UInt64 { cells[index & (count - 1)].load(ordering: .acquiring) }

  /// Adds one.
  func increment(_ index: Int) {
    cells[index & (count - 1)].add(1, ordering: .acquiringAndReleasing)
  }

  /// Puts `new` in place of `old`; false where another number stands there.
  func exchange(_ index: Int, _ old: UInt64, _ new: UInt64) -> Bool {
    cells[index & (count - 1)].compareExchange(
      expected: old, desired: new, ordering: .acquiringAndReleasing
    ).exchanged
  }
}

/// FNV-1a of 64 bits with MurmurHash3's finalizer: spreads names over a shared table, the same in every process.
func spread(_ name: some Sequence<UInt8>) -> UInt64 {
  var hash: UInt64 = 0xcbf2_9ce4_8422_2325
  for byte in name {
    hash ^= UInt64(byte)
    hash = hash &* 0x100_0000_01b3
  }
  // FNV alone lets the last byte reach few bits: neighbouring addresses would share all of their upper ones.
  hash = (hash ^ hash >> 33) &* 0xff51_afd7_ed55_8ccd
  hash = (hash ^ hash >> 33) &* 0xc4ce_b9fe_1a85_ec53
  return hash ^ hash >> 33
}
