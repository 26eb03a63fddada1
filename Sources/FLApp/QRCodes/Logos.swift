import FLHTTP
import FLMariaDB
import FLQRCode
import FLValues
import Foundation
import Synchronization

/// The logos that this process drew lately, decoded. A file's bytes never change, so an entry holds for ever.
final class Logos: Sendable {
  /// How many bytes of logos are kept.
  private static let capacity = 8 << 20

  private let database: Database
  private let store: FileStore
  private let known = Mutex<[FileID: (logo: Logo, used: UInt64)]>([:])
  private let uses = Atomic<UInt64>(0)
  /// One is decoded at a time: that is what takes memory.
  private let decoding = Mutex(())

  init(database: Database, store: FileStore) {
    self.database = database
    self.store = store
  }

  /// The picture in a file of an account.
  /// - Throws: `Problem` 422 about `field` for a file that is not there or no picture to draw, 503 where its bytes
  ///   are not there; `DatabaseError`.
  func logo(_ id: FileID, account: AccountID, field: String) throws -> Logo {
    guard let file = try FileRows(account: account, queries: database).find(id) else {
      throw Problem.invalid(field, "not_found", "There is no such file.")
    }
    let use = uses.add(1, ordering: .relaxed).newValue
    if let logo = find(id, use) { return logo }
    guard file.size <= Logo.mostBytes else { throw Problem.invalid(Self.problem(.tooManyBytes, field)) }
    let bytes = try store.open(file).bytes
    let logo: Logo
    do {
      logo = try decoding.withLock { _ in try find(id, use) ?? Logo(bytes) }
    } catch let refusal as Logo.Refusal {
      throw Problem.invalid(Self.problem(refusal, field))
    }
    keep(logo, of: id, use)
    return logo
  }

  private func find(_ id: FileID, _ use: UInt64) -> Logo? {
    known.withLock { known in
      known[id]?.used = use
      return known[id]?.logo
    }
  }

  private func keep(_ logo: Logo, of id: FileID, _ use: UInt64) {
    known.withLock { known in
      known[id] = (logo, use)
      var size = known.values.reduce(0) { $0 + $1.logo.memory }
      for (oldest, entry) in known.sorted(by: { $0.value.used < $1.value.used }) where size > Self.capacity {
        known[oldest] = nil
        size -= entry.logo.memory
      }
    }
  }

  private static func problem(_ refusal: Logo.Refusal, _ field: String) -> [FieldProblem] {
    let (code, message) =
      switch refusal {
      case .unsupported:
        ("unsupported_image", "A logo is a PNG, JPEG or WebP image; this file is none of these.")
      case .tooManyBytes: ("too_large", "A logo's file has at most \(Logo.mostBytes) bytes.")
      case .tooLarge(let width, let height):
        (
          "too_large",
          "A logo has at most \(Logo.mostSide) pixels on a side and \(Logo.mostPixels) in all; this one is "
            + "\(width) by \(height)."
        )
      case .animated: ("animated_image", "A logo does not move.")
      case .broken: ("broken_image", "The image can't be decoded.")
      }
    return [FieldProblem(field, code, message)]
  }
}
