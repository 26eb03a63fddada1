import FLHTTP
import FLMariaDB
import FLQRCode
import FLValues
import Foundation
import Synchronization

/// Where the bytes of an account's file are; nil where it has no such file.
struct LogoFiles: Sendable {
  let path: @Sendable (FileID, AccountID) throws -> String?
}

extension LogoFiles {
  /// The files of a state directory, in folders by the last two bytes of their ids.
  init(database: Database, state: String) {
    self.init { id, account in
      let row = try database.row("SELECT 1 AS found FROM files WHERE id = \(id) AND account_id = \(account)")
      guard row != nil else { return nil }
      let text = id.description
      return "\(state)/files/\(text.suffix(4).prefix(2))/\(text.suffix(2))/\(text)"
    }
  }
}

/// The logos that this process has decoded: doing so takes longer than all of the drawing. A file's content never
/// changes, and a file that is a logo is not deleted, so what is kept stays true.
final class Logos: Sendable {
  /// How much is kept, in bytes.
  private static let room = 16 << 20

  private let files: LogoFiles
  private let kept = Mutex<(logos: [FileID: (logo: Logo, used: UInt64)], clock: UInt64)>(([:], 0))
  /// One picture is decoded at a time: each may take up to 80 MB and a second.
  private let decoding = NSLock()

  init(files: LogoFiles) { self.files = files }

  /// The logo in this file of the account.
  /// - Throws: `Problem` 422 where there is no such file or it can't be a logo, 503 where it can't be read.
  func logo(_ id: FileID, account: AccountID) throws -> Logo {
    guard let path = try files.path(id, account) else {
      throw Problem.invalid("logoFileId", "not_found", "The account has no such file.")
    }
    if let logo = look(id) { return logo }
    return try decoding.withLock {
      if let logo = look(id) { return logo }
      let logo = try read(path)
      keep(logo, id)
      return logo
    }
  }

  private func look(_ id: FileID) -> Logo? {
    kept.withLock { kept in
      kept.clock += 1
      kept.logos[id]?.used = kept.clock
      return kept.logos[id]?.logo
    }
  }

  private func keep(_ logo: Logo, _ id: FileID) {
    kept.withLock { kept in
      kept.logos[id] = (logo, kept.clock)
      while kept.logos.count > 1, kept.logos.values.reduce(0, { $0 + $1.logo.memory }) > Self.room,
        let oldest = kept.logos.min(by: { $0.value.used < $1.value.used })
      {
        kept.logos[oldest.key] = nil
      }
    }
  }

  private func read(_ path: String) throws -> Logo {
    guard let handle = FileHandle(forReadingAtPath: path),
      let data = try? handle.read(upToCount: Logo.mostBytes + 1)
    else { throw Problem.unavailable("The logo's file can't be read.") }
    do {
      return try Logo(Array(data))
    } catch {
      throw Problem.invalid([FieldProblem(error)])
    }
  }
}

/// The font of captions, read when it is first needed.
final class Caption: Sendable {
  private let path: String
  private let known = Mutex<CaptionFont?>(nil)

  init(path: String) { self.path = path }

  /// The font; nil while there is none.
  var font: CaptionFont? {
    known.withLock { known in
      if known == nil { known = CaptionFont(path: path) }
      return known
    }
  }
}

extension FieldProblem {
  fileprivate init(_ refusal: Logo.Refusal) {
    let (code, message) =
      switch refusal {
      case .unsupported: ("unsupported_image", "A logo must be a PNG, JPEG or WebP image.")
      case .tooManyBytes: ("too_large", "A logo may have at most \(Logo.mostBytes >> 20) MiB.")
      case .tooLarge(let width, let height):
        (
          "too_large",
          "A logo may have at most \(Logo.mostSide) pixels a side and \(Logo.mostPixels / 1_000_000) million in all; this has \(width) by \(height)."
        )
      case .animated: ("animated_image", "A logo may not move.")
      case .broken: ("broken_image", "This image is broken: it can't be decoded.")
      }
    self.init("logoFileId", code, message)
  }
}
