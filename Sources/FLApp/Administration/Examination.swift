import FLGeoIP
import FLMariaDB
import FLTransfer
import FLValues
import Foundation
import Logging

extension App {
  /// A look at how a copy is set up: what is well, what is not, and what to do about it.
  public struct Examination {
    /// One thing that was looked at.
    public struct Finding {
      /// What was looked at.
      public let subject: String
      /// Whether it is as it should be.
      public let isWell: Bool
      /// What was found.
      public let words: String
      /// What to do, where it is not.
      public let advice: String?
    }

    /// What was found, in the order in which one thing needs another.
    public private(set) var findings: [Finding] = []

    /// Looks at the copy whose settings are in `file`, or where settings are looked for.
    public init(settingsFile file: String?) {
      let settings: Settings
      do {
        settings = try Settings.load(file: file)
        add("settings", "public address \(settings.baseURL), state in \(settings.state)")
      } catch {
        fail("settings", "\(error)", "Write the settings file; docs/DEPLOY.md lists the settings.")
        return
      }
      look(atFilesOf: settings)
      look(atStateOf: settings)
      look(atSocketOf: settings)
      look(atMailOf: settings)
      look(atGeoIPOf: settings)
      look(atDatabaseOf: settings)
    }

    private mutating func add(_ subject: String, _ words: String) {
      findings.append(Finding(subject: subject, isWell: true, words: words, advice: nil))
    }

    private mutating func fail(_ subject: String, _ words: String, _ advice: String) {
      findings.append(Finding(subject: subject, isWell: false, words: words, advice: advice))
    }

    private mutating func look(atFilesOf settings: Settings) {
      let files = FileManager.default
      if files.fileExists(atPath: settings.share + "/sql"),
        files.fileExists(atPath: settings.share + "/web/pages")
      {
        add("program files", settings.share)
      } else {
        fail(
          "program files", "\(settings.share) lacks sql or web",
          "Point FL_SHARE at the installed share/fastlinkit.")
      }
      if files.fileExists(atPath: settings.scalar + "/standalone.js") {
        add("API reference", settings.scalar)
      } else {
        fail(
          "API reference", "\(settings.scalar)/standalone.js is missing: /scalar/v1 stays empty",
          "Run scripts/setup, or point FL_SCALAR at the directory that holds it.")
      }
    }

    private mutating func look(atStateOf settings: Settings) {
      do {
        try settings.makeDirectories()
      } catch {
        fail("state", "\(error)", "chown it to the user that the program runs as.")
        return
      }
      for name in ["spool", "mail", "files", "run"] {
        let path = "\(settings.state)/\(name)"
        if access(path, R_OK | W_OK | X_OK) != 0 {
          fail("state", "\(path) can't be written to", "chown it to the user that the program runs as.")
        }
      }
      var status = statvfs()
      if statvfs(settings.state, &status) == 0 {
        let free = (UInt64(status.f_bavail) * UInt64(status.f_frsize)) >> 20
        if free >= 256 {
          add("disk", "\(free) MiB free for the state")
        } else {
          fail(
            "disk", "only \(free) MiB free for the state",
            "Make room: clicks are lost when the spool can't grow.")
        }
      }
      let attributes = try? FileManager.default.attributesOfItem(atPath: settings.state + "/fastlinkit.env")
      if let mode = attributes?[.posixPermissions] as? Int, mode & 0o077 != 0 {
        fail(
          "settings file", "others can read \(settings.state)/fastlinkit.env, which holds secrets",
          "chmod 600 \(settings.state)/fastlinkit.env")
      }
    }

    private mutating func look(atSocketOf settings: Settings) {
      guard let path = settings.socket else {
        add("socket", "FL_SOCKET is not set: whoever starts the program hands the socket over")
        return
      }
      var status = stat()
      guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else {
        fail("socket", "\(path) is not there", "Start: fastlinkit serve --socket \(path)")
        return
      }
      if Self.isAnswered(path) {
        add("socket", "\(path) is served")
      } else {
        fail(
          "socket", "nobody answers at \(path)",
          "Start: fastlinkit serve --socket \(path); where it runs, let this user and the web server's open the socket."
        )
      }
    }

    private static func isAnswered(_ path: String) -> Bool {
      var address = sockaddr_un()
      address.sun_family = sa_family_t(AF_UNIX)
      let room = MemoryLayout.size(ofValue: address.sun_path) - 1
      guard path.utf8.count <= room else { return false }
      withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
      let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
      guard descriptor >= 0 else { return false }
      defer { close(descriptor) }
      return withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
        }
      }
    }

    /// Looks whether the files that were uploaded last are there.
    private mutating func look(atFilesOf settings: Settings, in database: Database) {
      guard let last = try? FileRows.last(100, in: database) else { return }
      let store = FileStore(directory: settings.state + "/files")
      let missing = last.filter { !store.has($0.id, size: $0.size) }
      if let first = missing.first {
        fail(
          "files",
          "of the last \(last.count) files \(missing.count) are not on the disk as they were uploaded, first \(first.id)",
          "Put files/ of the state directory back from a backup; where there are several hosts, let them share it."
        )
      } else {
        add("files", "the last \(last.count) files are on the disk")
      }
    }

    /// Opens a session with the mail server, and sends nothing.
    private mutating func look(atMailOf settings: Settings) {
      guard let url = settings.smtpServer else {
        add("mail", "FL_SMTP_URL is not set: messages are written as files into \(settings.state)/mail")
        return
      }
      do {
        let server = try SMTPServer(url: url)
        let session = try SMTPSession.open(
          server, limits: .init(connectMilliseconds: 5000, replyMilliseconds: 10_000))
        session.quit()
        add("mail", "\(server) takes mail from \(settings.mailFrom)")
      } catch {
        fail("mail", "\(error)", "Check FL_SMTP_URL, and that the mail server lets this host in.")
      }
    }

    private mutating func look(atGeoIPOf settings: Settings) {
      if let address = settings.geoIPProvider {
        let host = WebURL(address.replacing("{ip}", with: "ip"))?.host ?? ""
        add("GeoIP provider", "\(host) is asked for what the databases do not know")
      }
      guard settings.geoIPDirectory != nil else {
        // To do without is no mistake.
        add("GeoIP", "FL_GEOIP_DIR is not set: clicks get no country, and look-ups need FL_GEOIP_URL")
        return
      }
      var logger = Logger(label: "doctor")
      logger.logLevel = .critical
      let databases = GeoDatabases(
        directory: settings.geoIPDirectory, copies: settings.state + "/run/geoip", logger: logger)
      if let problem = databases.problem, databases.reports.isEmpty {
        // The directory may be filled later, and all but GeoIP works without.
        add("GeoIP", problem + ": clicks get no country; scripts/geoip-update fetches databases")
      }
      for report in databases.reports {
        let days = report.database.map { (Timestamp.now - $0.builtAt).components.seconds / 86_400 } ?? 0
        if let problem = report.problem {
          fail(
            "GeoIP", "\(report.name): \(problem)", "Replace the file; scripts/geoip-update fetches databases."
          )
        } else if let database = report.database {
          add("GeoIP", "\(report.name): \(database.type), \(days) days old")
        }
      }
    }

    private mutating func look(atDatabaseOf settings: Settings) {
      var logger = Logger(label: "doctor")
      logger.logLevel = .critical
      let database = Database(settings.database, logger: logger)
      let row: Row?
      do {
        row = try database.row("SELECT VERSION() AS version, UTC_TIMESTAMP(6) AS time")
        add("database", "\(settings.database) answers, version \(try row?["version"] ?? "unknown" as String)")
      } catch {
        fail(
          "database", "\(settings.database) can't be reached: \(error)",
          "Start MariaDB, and check FL_DB_SOCKET or FL_DB_HOST, FL_DB_USER, FL_DB_PASSWORD and FL_DB_NAME.")
        return
      }
      let migrations = Migrations(directory: settings.share + "/sql")
      let applied = (try? migrations.applied(in: database)) ?? 0
      if applied == migrations.latest {
        add("schema", "version \(applied)")
      } else {
        fail(
          "schema", "version \(applied), the program needs \(migrations.latest)", "Run: fastlinkit migrate")
      }
      if applied == migrations.latest { look(atFilesOf: settings, in: database) }
      if let time: Timestamp = try? row?["time"] {
        let difference = abs((time - Timestamp.now).components.seconds)
        if difference <= 2 {
          add("clock", "\(Timestamp.now), as the database's")
        } else {
          fail("clock", "\(difference) s away from the database's", "Let both hosts keep their time by NTP.")
        }
      }
    }
  }
}
