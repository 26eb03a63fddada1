import Glibc

/// Copies of the operator's database files, which nobody else writes to.
///
/// A database is mapped into memory. Were it the operator's own file, overwriting that in place (`cp new.mmdb dir/`)
/// would take pages away under the look-ups, and end the process (SIGBUS). One copy serves all processes of the host.
struct DatabaseCopies {
  /// What tells one version of a file from another.
  struct Version: Hashable {
    let inode: UInt64
    let size: Int
    let modified: Int64
    let changed: Int64

    fileprivate init(_ status: stat) {
      inode = UInt64(status.st_ino)
      size = Int(status.st_size)
      modified = Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
      changed = Int64(status.st_ctim.tv_sec) * 1_000_000_000 + Int64(status.st_ctim.tv_nsec)
    }

    var text: String { "\(inode)-\(size)-\(modified)-\(changed)" }
  }

  /// Where the copies are.
  let directory: String
  /// The largest file that is taken, in bytes.
  static let mostBytes = 2 << 30

  /// The version of the regular file at `path`; nil where there is none.
  static func version(of path: String) -> Version? {
    var status = stat()
    guard unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    return Version(status)
  }

  /// Opens this version of the file at `path`, by a copy that is there or is made now.
  /// - Throws: `GeoDatabaseError`; also where the file is another version by now.
  func open(_ path: String, name: String, _ version: Version) throws -> GeoDatabase {
    guard version.size <= Self.mostBytes else {
      throw GeoDatabaseError(description: "it is larger than 2 GiB")
    }
    guard version.size > 0 else { throw GeoDatabaseError(description: "it is empty") }
    return try locked {
      let copy = place(of: name, version)
      if let known = try? GeoDatabase(path: copy, name: name) { return known }
      let new = "\(directory)/.new-\(getpid())"
      defer { unsafe unlink(new) }
      try Self.copy(path, version, to: new)
      let database = try GeoDatabase(path: new, name: name)
      guard unsafe rename(new, copy) == 0 else {
        throw GeoDatabaseError(description: "its copy can't be written", isPassing: true)
      }
      removeOthers(of: name, but: copy)
      return database
    }
  }

  /// The copy of the last good version of a file, made by whichever process; nil without one.
  func last(of name: String) -> GeoDatabase? {
    try? locked {
      for copy in copies(of: name) {
        if let database = try? GeoDatabase(path: "\(directory)/\(copy)", name: name) { return database }
      }
      return nil
    }
  }

  /// Removes the copies of files that are not among `names`.
  func keep(only names: Set<String>) {
    try? locked {
      for file in files() {
        guard let at = file.lastIndex(of: "@"), !names.contains(String(file[..<at])) else { continue }
        unsafe unlink("\(directory)/\(file)")
      }
    }
  }

  private func place(of name: String, _ version: Version) -> String {
    "\(directory)/\(name)@\(version.text)"
  }

  private func copies(of name: String) -> [String] { files().filter { $0.hasPrefix(name + "@") } }

  private func files() -> [String] { DatabaseFolder.names(in: directory).filter { $0.contains("@") } }

  private func removeOthers(of name: String, but copy: String) {
    for other in copies(of: name) where "\(directory)/\(other)" != copy {
      unsafe unlink("\(directory)/\(other)")
    }
  }

  /// Runs `body` while no other process or thread does the same.
  private func locked<Result>(_ body: () throws -> Result) throws -> Result {
    unsafe mkdir(directory, 0o700)
    let descriptor = unsafe Glibc.open(directory + "/.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0, flock(descriptor, LOCK_EX) == 0 else {
      if descriptor >= 0 { close(descriptor) }
      throw GeoDatabaseError(description: "the directory \(directory) can't be written to", isPassing: true)
    }
    defer { close(descriptor) }
    return try body()
  }

  private static func copy(_ path: String, _ version: Version, to new: String) throws {
    let source = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard source >= 0 else { throw GeoDatabaseError(description: "it can't be read") }
    defer { close(source) }
    let target = unsafe Glibc.open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard target >= 0 else {
      throw GeoDatabaseError(description: "its copy can't be written", isPassing: true)
    }
    defer { close(target) }
    var left = version.size
    while left > 0 {
      let sent = sendfile(target, source, nil, min(left, 1 << 20))
      if sent < 0 {
        throw GeoDatabaseError(description: "its copy can't be written (is the disk full?)", isPassing: true)
      }
      if sent == 0 { break }
      left -= sent
    }
    var status = stat()
    guard left == 0, unsafe fstat(source, &status) == 0, Version(status) == version else {
      throw GeoDatabaseError(description: "it is being written to")
    }
  }
}

/// Reading directories.
enum DatabaseFolder {
  /// The names in a directory, sorted; none where it can't be read.
  static func names(in directory: String) -> [String] {
    guard let stream = unsafe opendir(directory) else { return [] }
    defer { unsafe _ = closedir(stream) }
    var names: [String] = []
    while let entry = unsafe readdir(stream), names.count < 10_000 {
      let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        unsafe String(validating: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if let name, name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }
}
