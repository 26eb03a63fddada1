import FLCrypto
import FLHTTP
import FLValues
import Foundation

/// Where the bytes of files lie: `files/ab/cd/<id>` below the state directory, by the random end of the id, so that
/// no directory grows large; `files/incoming` has what is being uploaded.
struct FileStore: Sendable {
  /// The directory of all files.
  let directory: String

  /// After this a file without a row belongs to no upload that still runs.
  static let orphanAge = Duration.seconds(3600)
  /// After this a remain of an upload belongs to none that still runs.
  static let stagedAge = Duration.seconds(86_400)

  private var incoming: String { directory + "/incoming" }

  /// Where a file lies below `directory`.
  func place(of id: FileID) -> String {
    let name = id.description
    return "\(name.suffix(2))/\(name.dropLast(2).suffix(2))/\(name)"
  }

  /// A file's path.
  func path(of id: FileID) -> String { directory + "/" + place(of: id) }

  // MARK: Writing

  /// Begins a file that has no id yet.
  /// - Throws: `Problem` 503 where it can't be made.
  func stage() throws -> StagedFile {
    let path = incoming + "/" + Hex.encode(SecureRandom.bytes(16))
    // Nobody else gets to these files: the directory above them is closed. The web server may be let in there.
    var descriptor = Foundation.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    if descriptor < 0 && errno == ENOENT {
      mkdir(incoming, 0o700)
      descriptor = Foundation.open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    }
    guard descriptor >= 0 else { throw Problem.noSpaceForFiles }
    return StagedFile(path: path, descriptor: descriptor)
  }

  /// Moves a staged file to the place of `id`. It is on the disk, with its name, when this returns.
  /// - Throws: `Problem` 503 where that can't be done.
  func keep(_ staged: StagedFile, as id: FileID) throws {
    let path = path(of: id)
    let inner = (path as NSString).deletingLastPathComponent
    let outer = (inner as NSString).deletingLastPathComponent
    // Against the process's umask: a web server that may enter `files` can read them.
    guard fsync(staged.descriptor) == 0, fchmod(staged.descriptor, 0o644) == 0 else {
      throw Problem.noSpaceForFiles
    }
    if mkdir(outer, 0o755) == 0 {
      chmod(outer, 0o755)
      guard Self.synchronize(directory) else { throw Problem.noSpaceForFiles }
    }
    if mkdir(inner, 0o755) == 0 {
      chmod(inner, 0o755)
      guard Self.synchronize(outer) else { throw Problem.noSpaceForFiles }
    }
    guard rename(staged.path, path) == 0 else { throw Problem.noSpaceForFiles }
    staged.isKept = true
    guard Self.synchronize(inner) else { throw Problem.noSpaceForFiles }
  }

  /// Has the names of a directory written to the disk.
  static func synchronize(_ directory: String) -> Bool {
    let descriptor = Foundation.open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    return fsync(descriptor) == 0
  }

  /// Takes a file away.
  func remove(_ id: FileID) { unlink(path(of: id)) }

  // MARK: Reading

  /// Opens a file of this many bytes.
  /// - Throws: `Problem` 503 where it is not there as its row says.
  func open(_ file: StoredFile, range: Range<Int>? = nil) throws -> FileBody {
    let descriptor = Foundation.open(path(of: file.id), O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Problem.bytesAreGone }
    let body = FileBody(adopting: descriptor, range: range ?? 0..<file.size)
    var status = stat()
    guard fstat(descriptor, &status) == 0, Int(status.st_size) == file.size else {
      throw Problem.bytesAreGone
    }
    return body
  }

  /// Looks whether a file's bytes are there as its row says.
  /// - Throws: `Problem` 503 where they are not.
  func check(_ file: StoredFile) throws(Problem) {
    guard has(file.id, size: file.size) else { throw .bytesAreGone }
  }

  /// Whether a file's bytes are there as its row says.
  func has(_ id: FileID, size: Int) -> Bool {
    var status = stat()
    return stat(path(of: id), &status) == 0 && Int(status.st_size) == size
  }

  // MARK: Sweeping

  /// The ids of all files below the first part `number` (0 to 255) of their places.
  func files(in number: Int) -> [FileID] {
    let outer = directory + "/" + Hex.encode([UInt8(truncatingIfNeeded: number)])
    let files = FileManager.default
    return ((try? files.contentsOfDirectory(atPath: outer)) ?? []).flatMap { inner in
      ((try? files.contentsOfDirectory(atPath: outer + "/" + inner)) ?? []).compactMap { FileID($0) }
    }
  }

  /// Takes away what uploads left behind that were cut off long ago; answers how many files that were.
  func removeStaged(at now: Timestamp) -> Int {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: incoming)) ?? []
    var removed = 0
    for name in names.prefix(10_000) {
      var status = stat()
      let path = incoming + "/" + name
      guard stat(path, &status) == 0 else { continue }
      let changed = Timestamp(microseconds: Int64(status.st_mtim.tv_sec) * 1_000_000)
      if changed < now - Self.stagedAge, unlink(path) == 0 { removed += 1 }
    }
    return removed
  }

  /// The first part of the places that the next sweep begins with: sweeps follow one another through all of them.
  var nextSwept: Int {
    get { (try? String(contentsOfFile: directory + "/swept", encoding: .utf8)).flatMap { Int($0) } ?? 0 }
    nonmutating set {
      try? String(newValue).write(toFile: directory + "/swept", atomically: true, encoding: .utf8)
    }
  }
}

extension Problem {
  static let noSpaceForFiles = Problem.unavailable(
    "There is no space to keep the file.", retryAfter: 60)
  fileprivate static let bytesAreGone = Problem.unavailable("The file's bytes can't be read.", retryAfter: 60)
}
