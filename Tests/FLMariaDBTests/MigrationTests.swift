import FLTestDatabase
import Foundation
import Synchronization
import Testing

@testable import FLMariaDB

@Suite final class MigrationTests {
  let directory = "/tmp/fl-migrations-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
  let database: Database

  init() throws {
    database = try freshDatabase()
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: false)
    try write(
      "0001_people.sql",
      "-- One row a person.\nCREATE TABLE IF NOT EXISTS people (id INT PRIMARY KEY, name TEXT); -- end\n")
    try write("0002_first_person.sql", "INSERT INTO people VALUES (1, 'it''s ''Anna''; or ?')")
    try write("README.md", "no migration")
  }

  deinit { try? FileManager.default.removeItem(atPath: directory) }

  func write(_ name: String, _ text: String) throws {
    try text.write(toFile: directory + "/" + name, atomically: true, encoding: .utf8)
  }

  var migrations: Migrations { Migrations(directory: directory) }

  func refusal(_ migrations: Migrations? = nil) -> String {
    do {
      try (migrations ?? self.migrations).apply(to: database)
      return "none"
    } catch let error as MigrationError {
      return error.description
    } catch { return "other: \(error)" }
  }

  @Test func filesAreAppliedOnceInOrder() throws {
    #expect(migrations.latest == 2)
    #expect(try migrations.applied(in: database) == 0)
    #expect(try migrations.apply(to: database) == ["0001_people.sql", "0002_first_person.sql"])
    #expect(try migrations.applied(in: database) == 2)
    #expect(try migrations.apply(to: database) == [])
    #expect(try database.row("SELECT name FROM people")?["name"] == "it's 'Anna'; or ?")
    try write("0003_age.sql", "ALTER TABLE people ADD COLUMN IF NOT EXISTS age INT")
    #expect(try migrations.apply(to: database) == ["0003_age.sql"])
    #expect(try database.row("SELECT COUNT(*) AS n FROM schema_migrations")?["n"] == 3)
  }

  @Test func anEditedFileIsRefused() throws {
    try migrations.apply(to: database)
    try write("0001_people.sql", "CREATE TABLE IF NOT EXISTS people (id BIGINT PRIMARY KEY, name TEXT)")
    try write("0003_more.sql", "CREATE TABLE IF NOT EXISTS more (id INT)")
    #expect(refusal().contains("0001_people.sql was changed"))
    #expect(try migrations.applied(in: database) == 2)
  }

  @Test func numbersAreChecked() throws {
    try write("0004_late.sql", "SELECT 1")
    #expect(refusal().contains("number 3 is missing before 0004_late.sql"))
    try write("0003_a.sql", "SELECT 1")
    try write("0003_b.sql", "SELECT 1")
    #expect(refusal().contains("0003_a.sql and 0003_b.sql have the same number"))
    try FileManager.default.removeItem(atPath: directory + "/0003_b.sql")
    try write("5_short.sql", "SELECT 1")
    #expect(refusal().contains("5_short.sql is not named"))
    #expect(refusal(Migrations(directory: directory + "/none")).contains("cannot be read"))
    #expect(try migrations.applied(in: database) == 0)
  }

  @Test func aNewerDatabaseIsRefused() throws {
    try migrations.apply(to: database)
    try FileManager.default.removeItem(atPath: directory + "/0002_first_person.sql")
    #expect(refusal().contains("this program is older than its database"))
  }

  @Test func aRefusedFileIsNamedAndDoesNotCount() throws {
    try write("0003_wrong.sql", "CREATE TABEL x (id INT)")
    #expect(refusal().contains("0003_wrong.sql"))
    #expect(try migrations.applied(in: database) == 2)
    try write("0003_wrong.sql", "CREATE TABLE x (id INT); DROP TABLE people")
    #expect(refusal().contains("0003_wrong.sql"))
    #expect(try database.rows("SELECT * FROM people").count == 1)
    try write("0003_wrong.sql", "CREATE TABLE x (id INT);")
    #expect(try migrations.apply(to: database) == ["0003_wrong.sql"])
  }

  @Test func aCrashBeforeTheRowDoesNoHarm() throws {
    try migrations.apply(to: database)
    try database.run("DELETE FROM schema_migrations WHERE version = 1")
    #expect(try migrations.apply(to: database) == ["0001_people.sql"])
    #expect(try database.rows("SELECT * FROM people").count == 1)
    // Rows that a file changes and its row in the table are one transaction: a row that cannot be written
    // takes them back.
    try write("0003_second.sql", "INSERT INTO people VALUES (2, 'Berta')")
    try database.run("ALTER TABLE schema_migrations ADD CONSTRAINT full CHECK (version < 3)")
    #expect(refusal().contains("0003_second.sql"))
    #expect(try database.rows("SELECT * FROM people").count == 1)
  }

  @Test func severalAtOnceApplyEachFileOnce() throws {
    for number in 3...8 {
      try write("000\(number)_person.sql", "INSERT INTO people VALUES (\(number), 'x')")
    }
    let database = database
    let migrations = migrations
    let outcomes = Mutex<[String]>([])
    inThreads(6) { _ in
      do {
        let names = try migrations.apply(to: database)
        outcomes.withLock { $0 += names }
      } catch { outcomes.withLock { $0.append("\(error)") } }
    }
    #expect(
      outcomes.withLock { $0 }.sorted()
        == (try FileManager.default.contentsOfDirectory(atPath: directory))
        .filter { $0.hasSuffix(".sql") }.sorted())
    #expect(try database.row("SELECT COUNT(*) AS n FROM people")?["n"] == 7)
  }
}
